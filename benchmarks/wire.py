"""A proxy in front of a server that counts round trips: what is sent, and answered."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress
from urllib.parse import urlsplit

Tell = Callable[[], None]


class Counter:
    """Round trips so far."""

    def __init__(self) -> None:
        self.round_trips = 0
        self._was_asked = False

    def asked(self) -> None:
        """Something goes to the server; what is still on its way is part of it."""
        self.round_trips += not self._was_asked
        self._was_asked = True

    def answered(self) -> None:
        """Something comes back."""
        self._was_asked = False


@contextmanager
def counting(uri: str) -> Iterator[tuple[str, Counter]]:
    """Proxy a server; yields the address to use in its place, and the counter."""
    place = urlsplit(uri)
    counter = Counter()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = (place.hostname or "", place.port or 0)
        threading.Thread(
            target=_take, args=(listener, server, counter), daemon=True
        ).start()
        port = listener.getsockname()[1]
        yield place._replace(netloc=f"127.0.0.1:{port}").geturl(), counter


def _take(listener: socket.socket, server: tuple[str, int], counter: Counter) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            behind = socket.create_connection(server)
            there, back = (client, behind), (behind, client)
            for way in ((*there, counter.asked), (*back, counter.answered)):
                threading.Thread(target=_pass_on, args=way, daemon=True).start()


def _pass_on(one: socket.socket, other: socket.socket, tell: Tell) -> None:
    with suppress(OSError):
        while data := one.recv(65_536):
            tell()
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)

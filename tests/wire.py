"""A wire from a client to a server here, to be cut, stretched and tapped."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress


class Wire:
    """Passes on what both sides say, as it is told to.

    :param port: of the server.
    :param tls: which the client speaks with the wire, and nobody with the server.
    :param host: the address of this machine that the client knows.
    """

    def __init__(
        self, port: int, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
    ) -> None:
        self._server_port = port
        self._tls = tls
        #: Seconds that each byte of an answer takes.
        self.seconds_per_byte = 0.0
        #: Whether answers are lost, and the connection with them.
        self.loses_answers = False
        #: What is answered in the server's place, whatever is asked.
        self.says = b""
        #: What clients have said, a text for each piece.
        self.heard: list[bytes] = []
        #: And what the server has.
        self.told: list[bytes] = []
        self._sockets: list[socket.socket] = []
        self._unheard: list[socket.socket] = []
        self._listener = socket.create_server((host, 0))
        self.port: int = self._listener.getsockname()[1]

    def serve(self) -> None:
        """Take connections until the listener is closed."""
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                in_background(self._connect, near)

    def cut(self) -> None:
        """End all connections; new ones are taken."""
        while self._sockets:
            with suppress(OSError):
                # Past the methods of an SSLSocket, which are not for two threads.
                socket.socket.shutdown(self._sockets.pop(), socket.SHUT_RDWR)

    def silence(self) -> None:
        """Pass on nothing more of what is said on connections that are open now."""
        self._unheard = list(self._sockets)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _connect(self, near: socket.socket) -> None:
        with suppress(OSError), near:
            if self._tls:
                near = self._tls.wrap_socket(near, server_side=True)
            server = ("127.0.0.1", self._server_port)
            with near, socket.create_connection(server) as far:
                self._sockets += [near, far]
                asking = in_background(self._ask, near, far)
                self._answer(far, near)
                asking.join()

    def _ask(self, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError):
            while said := near.recv(65_536):
                self.heard.append(said)
                if near in self._unheard:
                    continue
                if self.says:
                    near.sendall(self.says)
                else:
                    far.sendall(said)
            far.shutdown(socket.SHUT_WR)

    def _answer(self, far: socket.socket, near: socket.socket) -> None:
        with suppress(OSError):
            while said := far.recv(65_536):
                self.told.append(said)
                if self.loses_answers:
                    break
                if not self.seconds_per_byte:
                    near.sendall(said)
                    continue
                for byte in said:
                    near.sendall(bytes([byte]))
                    time.sleep(self.seconds_per_byte)
            socket.socket.shutdown(near, socket.SHUT_RDWR)


def in_background(run: Callable[..., None], *args: socket.socket) -> threading.Thread:
    thread = threading.Thread(target=run, args=args, daemon=True)
    thread.start()
    return thread


@contextmanager
def wire_to(
    port: int, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> Iterator[Wire]:
    """A wire while the context lasts."""
    wire = Wire(port, tls, host)
    thread = threading.Thread(target=wire.serve)
    thread.start()
    try:
        yield wire
    finally:
        wire.close()
        thread.join()

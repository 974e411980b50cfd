"""A server on 127.0.0.1 that answers as badly as it is told to.

What it does with a request is a script, a tuple of steps::

    answer(422, '{"errors": []}')                  # one step, and keep-alive
    (Drip(raw(200, "{}")), Close())
    with HostileServer(first, second) as server:   # the last script is repeated
        ...
    assert len(server.requests) == 1

It records each request that arrived whole, and all its threads and sockets are gone
when the ``with`` block is left.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

#: Seconds after which the server gives up on a client that never does, and a test
#: on the server.
PATIENCE = 8.0


@dataclass(frozen=True)
class Request:
    """What arrived, as it arrived.

    :param connection: the number of the TCP connection, from 1.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    connection: int

    def values(self, name: str) -> list[str]:
        """Every value of a header."""
        return [v for n, v in self.headers if n.lower() == name.lower()]


class Step(Protocol):
    """One thing that the server does with a connection."""

    def play(self, wire: Wire) -> None:
        """Do it; an :class:`OSError` ends the connection."""
        ...


Script = tuple[Step, ...]


@dataclass(frozen=True)
class Send:
    """Sends these bytes at once, so many times."""

    data: bytes
    times: int = 1

    def play(self, wire: Wire) -> None:
        for _ in range(self.times):
            wire.socket.sendall(self.data)


@dataclass(frozen=True)
class Drip:
    """Sends one byte every so many seconds.

    Faster than any timeout that is in use, so that only a deadline for the whole
    call ends it.
    """

    data: bytes
    every: float = 0.05

    def play(self, wire: Wire) -> None:
        for byte in self.data:
            wire.socket.sendall(bytes([byte]))
            wire.sleep(self.every)


@dataclass(frozen=True)
class Repeat:
    """Sends these bytes again and again until the client has had enough."""

    data: bytes
    every: float = 0.0

    def play(self, wire: Wire) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            wire.socket.sendall(self.data)
            wire.sleep(self.every)
        wire.hang_up()


@dataclass(frozen=True)
class Hear:
    """Waits until the client has said something, and leaves it unread."""

    def play(self, wire: Wire) -> None:
        wire.socket.recv(1, socket.MSG_PEEK)


@dataclass(frozen=True)
class Pause:
    """Waits so many seconds."""

    seconds: float

    def play(self, wire: Wire) -> None:
        wire.sleep(self.seconds)


@dataclass(frozen=True)
class Hang:
    """Does nothing until the client hangs up."""

    def play(self, wire: Wire) -> None:
        while wire.socket.recv(65_536):
            pass


@dataclass(frozen=True)
class Close:
    """Ends the connection in an orderly way (FIN)."""

    def play(self, wire: Wire) -> None:
        wire.hang_up()


@dataclass(frozen=True)
class Reset:
    """Ends the connection in a disorderly way (RST)."""

    def play(self, wire: Wire) -> None:
        linger = struct.pack("ii", 1, 0)
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        wire.socket.close()


#: In place of all scripts: nobody listens on the port.
REFUSED: Script = (Close(),)


def raw(
    status: int | str,
    body: str | bytes = b"",
    headers: Mapping[str, str] | None = None,
    *,
    length: int | None = None,
    version: str = "HTTP/1.1",
) -> bytes:
    """The bytes of an answer.

    :param length: a Content-Length that need not be true; none at all if negative.
    """
    content = body.encode() if isinstance(body, str) else body
    fields = {"Content-Type": "application/json", **(headers or {})}
    if length is None:
        length = len(content)
    if length >= 0:
        fields["Content-Length"] = str(length)
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{version} {status} Said\r\n{head}\r\n".encode("latin-1") + content


def answer(
    status: int | str,
    body: str | bytes = b"",
    headers: Mapping[str, str] | None = None,
    *,
    length: int | None = None,
    version: str = "HTTP/1.1",
) -> Script:
    """A script that sends one answer and keeps the connection open."""
    return (Send(raw(status, body, headers, length=length, version=version)),)


class Wire:
    """One connection, from the server's side."""

    def __init__(self, sock: socket.socket, number: int, stopping: threading.Event):
        self.socket = sock
        self.number = number
        self._stopping = stopping
        self._received = b""

    def read_request(self) -> Request | None:
        """Read up to the last byte of a request; None if the client hangs up first."""
        while b"\r\n\r\n" not in self._received:
            if not self._receive():
                return None
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _version = first.split(" ")
        headers = tuple(
            (name, value.strip())
            for name, _, value in (line.partition(":") for line in lines)
        )
        lengths = [int(v) for n, v in headers if n.lower() == "content-length"]
        length = lengths[0] if lengths else 0
        while len(self._received) < length:
            if not self._receive():
                return None
        body, self._received = self._received[:length], self._received[length:]
        return Request(method, target, headers, body, self.number)

    def sleep(self, seconds: float) -> None:
        """Wait, but not beyond the life of the server."""
        if self._stopping.wait(seconds):
            raise ConnectionAbortedError("the server is stopping")

    def hang_up(self) -> None:
        """End the connection; a thread that waits on it wakes up."""
        # Past the methods of an SSLSocket, which are not made for two threads.
        socket.socket.shutdown(self.socket, socket.SHUT_RDWR)

    def _receive(self) -> bool:
        data = self.socket.recv(65_536)
        self._received += data
        return bool(data)


class HostileServer:
    """Plays a script for every request that arrives whole.

    :param scripts: for the first request, the second, and so on; the last one is
        repeated. A function takes the request and returns its script.
    :param greeting: what is done with a new connection before anything is read.
    :param tls: speak TLS, after the greeting.
    """

    def __init__(
        self,
        *scripts: Script | Callable[[Request], Script],
        greeting: Script = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.port = 0
        self.requests: list[Request] = []
        #: TCP connections that were accepted, and that have ended.
        self.connections = 0
        self.ended = 0
        self._scripts = scripts or ((Hang(),),)
        self._greeting = greeting
        self._tls = tls
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._wires: set[Wire] = set()
        self._threads: list[threading.Thread] = []

    @property
    def url(self) -> str:
        scheme = "https" if self._tls else "http"
        return f"{scheme}://127.0.0.1:{self.port}/v1"

    @property
    def posts(self) -> int:
        """How many POSTs arrived."""
        with self._changed:
            return sum(request.method == "POST" for request in self.requests)

    def wait_until(self, is_so: Callable[[HostileServer], bool]) -> None:
        """Return as soon as it is so."""
        with self._changed:
            assert self._changed.wait_for(lambda: is_so(self), PATIENCE)

    def __enter__(self) -> HostileServer:
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        if not any(script is REFUSED for script in self._scripts):
            self._listener.listen(128)
            self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        if self._threads:
            # Wakes the thread that accepts, on every platform.
            socket.create_connection(self._listener.getsockname()).close()
            self._threads[0].join(PATIENCE)
        with self._changed:
            for wire in self._wires:
                with suppress(OSError):
                    wire.hang_up()
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive(), "a thread of the server outlived it"
        self._listener.close()

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(PATIENCE)
            if self._stopping.is_set():
                sock.close()
                return
            with self._changed:
                self.connections += 1
                wire = Wire(sock, self.connections, self._stopping)
                self._wires.add(wire)
                self._changed.notify_all()
            self._start(self._serve, wire)

    def _serve(self, wire: Wire) -> None:
        # The client went away, or the server is stopping: both are part of the play.
        with suppress(OSError):
            self._converse(wire)
        wire.socket.close()
        with self._changed:
            self.ended += 1
            self._wires.discard(wire)
            self._changed.notify_all()

    def _converse(self, wire: Wire) -> None:
        for step in self._greeting:
            step.play(wire)
        if self._tls:
            wire.socket = self._tls.wrap_socket(
                wire.socket, server_side=True, do_handshake_on_connect=False
            )
            wire.sleep(0)
            wire.socket.do_handshake()
        while request := wire.read_request():
            for step in self._record(request):
                step.play(wire)

    def _record(self, request: Request) -> Script:
        with self._changed:
            script = self._scripts[min(len(self.requests), len(self._scripts) - 1)]
            self.requests.append(request)
            self._changed.notify_all()
        return script(request) if callable(script) else script

"""An httpx transport whose whole call, connect to last byte, ends by one deadline.

The timeouts of httpx are per operation: a server that sends one byte a second holds
a caller for ever, whatever they are set to. Under this transport every operation on
the socket gets what is left of the call's time, and not a second more.
"""

from __future__ import annotations

import logging
import os
import socket
import ssl
import time
import weakref
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import httpcore
import httpx

_deadline: ContextVar[float] = ContextVar("flask_stepup.clerk.deadline")


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Whatever this context does on the network ends within so many seconds."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


class DeadlineTransport(httpx.BaseTransport):
    """Pools connections; to be used inside :func:`deadline`.

    :param base_url: a TLS context is built, once, where it says ``https``.
    """

    def __init__(self, base_url: str) -> None:
        # Building a context reads all certificates, which takes some 20 ms.
        secure = httpx.URL(base_url).scheme == "https"
        self._ssl_context = httpx.create_ssl_context() if secure else None
        self._open()
        _transports.add(self)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        assert isinstance(request.stream, httpx.SyncByteStream)
        with _as_httpx_errors():
            answer = self._pool.handle_request(
                httpcore.Request(
                    request.method,
                    url,
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(answer),
            extensions=answer.extensions,
        )

    def renew(self) -> None:
        """Start with an empty pool, and leave the connections of the old one alone."""
        # To close them would say goodbye on a connection that the parent still uses,
        # and to let go of them would warn of it.
        self._closed_at_the_end.detach()
        _abandoned.append(self._pool)
        self._open()

    def close(self) -> None:
        """Close idle connections; the next call opens new ones."""
        self._pool.close()

    def _open(self) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=self._ssl_context,
            max_connections=100,
            max_keepalive_connections=20,
            keepalive_expiry=30,
            network_backend=_Network(),
        )
        # When nobody has the transport any more, and at exit.
        self._closed_at_the_end = weakref.finalize(self, self._pool.close)


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        with _as_httpx_errors():
            yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


class _Network(httpcore.NetworkBackend):
    """Connects to the addresses of a host in turn, each with its share of the time."""

    def __init__(self) -> None:
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(error) from error
        addresses = [str(address[0]) for *_, address in found]
        failure: Exception = httpcore.ConnectError("the host has no address")
        for done, address in enumerate(addresses):
            share = _time_left(httpcore.ConnectTimeout) / (len(addresses) - done)
            try:
                return _Stream(self._sockets.connect_tcp(address, port, share))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


class _Stream(httpcore.NetworkStream):
    """A socket that gives each operation the time that is left of the call.

    And one that knows whether it has sent more than was asked for. What comes in the
    same breath as an answer, but after it, would lie in a buffer and be read as the
    answer to the next call: another person's. So the last byte of each read is held
    back until it is asked for; if it never is, the connection says that it has
    something to read, and httpcore reuses none that does.
    """

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream
        self._held = b""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left = _time_left(httpcore.ReadTimeout)
        data, self._held = self._held or self._stream.read(max_bytes, left), b""
        if len(data) > 1:
            data, self._held = data[:-1], data[-1:]
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _time_left(httpcore.WriteTimeout))

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        try:
            left = _time_left(httpcore.ConnectTimeout)
            return _Stream(self._stream.start_tls(ssl_context, server_hostname, left))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable" and self._held:
            return True
        return self._stream.get_extra_info(info)


def _time_left(error: type[httpcore.TimeoutException]) -> float:
    left = _deadline.get() - time.monotonic()
    if left <= 0:
        raise error("the time of the call is up")
    return left


@contextmanager
def _as_httpx_errors() -> Iterator[None]:
    # httpx names its errors as httpcore does.
    try:
        yield
    except (
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.TimeoutException,
        httpcore.UnsupportedProtocol,
    ) as error:
        raise getattr(httpx, type(error).__name__)(str(error)) from error


#: A connection that two processes share would mix their answers up.
_transports: weakref.WeakSet[DeadlineTransport] = weakref.WeakSet()
_abandoned: list[httpcore.ConnectionPool] = []


def _renew_after_fork() -> None:
    for transport in list(_transports):
        transport.renew()


os.register_at_fork(after_in_child=_renew_after_fork)


def _is_not_ours(record: logging.LogRecord) -> bool:
    return _deadline.get(None) is None


# At level DEBUG httpcore logs headers and whatever it cannot parse, in which a backend
# may echo what it was sent. Nobody's own use of httpcore is touched.
for _name in ("httpcore.connection", "httpcore.http11"):
    logging.getLogger(_name).addFilter(_is_not_ours)

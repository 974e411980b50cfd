"""The network under the deadline: every operation of httpcore, connect to last byte."""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import httpcore

from ..deadline import deadline
from ..deadline import time_left

_in_call: ContextVar[bool] = ContextVar("flask_stepup.clerk.in_call", default=False)


@contextmanager
def call_within(seconds: float) -> Iterator[None]:
    """One call to the backend: it ends within so many seconds."""
    token = _in_call.set(True)
    try:
        with deadline(seconds):
            yield
    finally:
        _in_call.reset(token)


class DeadlineNetwork(httpcore.NetworkBackend):
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
    try:
        return time_left()
    except TimeoutError as up:
        raise error(str(up)) from None


def _is_not_ours(record: logging.LogRecord) -> bool:
    return not _in_call.get()


# At level DEBUG httpcore logs headers and whatever it cannot parse, in which a backend
# may echo what it was sent. Nobody's own use of httpcore is touched.
for _name in ("httpcore.connection", "httpcore.http11"):
    logging.getLogger(_name).addFilter(_is_not_ours)

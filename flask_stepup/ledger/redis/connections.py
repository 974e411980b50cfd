"""Connections of redis-py under the deadline: a step ends in time, whatever hangs."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.connection import Connection
from redis.connection import ConnectionPool
from redis.connection import SSLConnection
from redis.connection import UnixDomainSocketConnection
from redis.retry import Retry

from ...deadline import time_left
from .address import Address


def connect(address: Address) -> redis.Redis:
    """Return a client, to be used inside :func:`~flask_stepup.deadline.deadline`.

    Nothing is sent twice: whether a step that was not answered was done cannot be
    known. Nothing is connected yet.
    """
    kind = _Socket if address.is_socket else _TLS if address.is_tls else _TCP
    # Names of its own certificates are checked by redis-py unless it is told not to.
    pool = ConnectionPool(
        connection_class=kind,
        # The one that needs no greeting and knows no notifications.
        protocol=2,
        decode_responses=True,
        retry=Retry(NoBackoff(), 0),
        **address.options,
    )
    return redis.Redis(connection_pool=pool)


class _TCP(Connection):
    def _connect(self) -> Any:
        found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        # Each address gets its share, so that one which is dead leaves time for others.
        self.socket_connect_timeout = time_left() / max(1, len(found))
        self.socket_timeout = time_left()
        return _timed(super()._connect)


class _TLS(SSLConnection):
    def _connect(self) -> Any:
        self.socket_connect_timeout = self.socket_timeout = time_left()
        return _timed(super()._connect)


class _Socket(UnixDomainSocketConnection):
    def _connect(self) -> Any:
        self.socket_connect_timeout = self.socket_timeout = time_left()
        return _timed(super()._connect)


def _timed(connect: Callable[..., Any]) -> _Timed:
    try:
        return _Timed(connect())
    except TimeoutError:
        # Nobody is there; one who takes connections and then hangs is told apart.
        raise OSError("nobody answers at this address") from None


class _Timed:
    """A socket whose every operation gets what is left of the step's time."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._polls = False

    def settimeout(self, seconds: float | None) -> None:
        # redis-py looks without waiting whether an idle connection is still good.
        self._polls = seconds == 0

    def recv(self, size: int) -> bytes:
        self._wait_no_longer()
        return self._socket.recv(size)

    def recv_into(self, buffer: Any, *args: int) -> int:
        self._wait_no_longer()
        return self._socket.recv_into(buffer, *args)

    def sendall(self, data: bytes) -> None:
        self._wait_no_longer()
        self._socket.sendall(data)

    def _wait_no_longer(self) -> None:
        self._socket.settimeout(0 if self._polls else time_left())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

"""Connections of redis-py under the deadline: a step ends in time, whatever hangs."""

from __future__ import annotations

import socket
import ssl
import sys
from collections.abc import Callable
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.connection import Connection
from redis.connection import ConnectionPool
from redis.connection import UnixDomainSocketConnection
from redis.retry import Retry

from ...deadline import time_left
from ...errors import ConfigurationError
from .address import Address

#: As many as there are requests at once: who waits for one would wait for the ledger.
MOST_CONNECTIONS = sys.maxsize


def connect(address: Address) -> redis.Redis:
    """Return a client, to be used inside :func:`~flask_stepup.deadline.deadline`.

    Nothing is sent twice: whether a step that was not answered was done cannot be
    known. Nothing is connected yet.

    :raises ConfigurationError: files of certificates cannot be read.
    """
    options = dict(address.options)
    if address.tls is not None:
        options["tls"] = _tls_context(address.tls)
    kind = _Socket if address.is_socket else _TCP if address.tls is None else _TLS
    pool = ConnectionPool(
        connection_class=kind,
        max_connections=MOST_CONNECTIONS,
        # The one that needs no greeting and knows no notifications.
        protocol=2,
        decode_responses=True,
        retry=Retry(NoBackoff(), 0),
        **options,
    )
    return redis.Redis(connection_pool=pool)


def _tls_context(files: dict[str, str]) -> ssl.SSLContext:
    # Once, and not with each connection: it reads all certificates of the system. It
    # checks that the certificate is of the host, which not every redis-py does.
    try:
        context = ssl.create_default_context(cafile=files.get("ssl_ca_certs"))
        if "ssl_certfile" in files:
            context.load_cert_chain(files["ssl_certfile"], files.get("ssl_keyfile"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"STEPUP_STORAGE_URI names files of certificates that cannot be used "
            f"({type(error).__name__}): look at {', '.join(files)}"
        ) from None
    context.sslsocket_class = _TimedTLSSocket
    return context


class _Timed:
    """A socket whose every operation gets what is left of the step's time."""

    _polls = False

    def settimeout(self, seconds: float | None) -> None:
        # redis-py looks without waiting whether an idle connection is still good.
        self._polls = seconds == 0
        super().settimeout(seconds)  # type: ignore[misc]

    def recv(self, *args: Any) -> bytes:
        self._wait_no_longer()
        received: bytes = super().recv(*args)  # type: ignore[misc]
        return received

    def recv_into(self, *args: Any) -> int:
        self._wait_no_longer()
        count: int = super().recv_into(*args)  # type: ignore[misc]
        return count

    def sendall(self, *args: Any) -> None:
        self._wait_no_longer()
        super().sendall(*args)  # type: ignore[misc]

    def _wait_no_longer(self) -> None:
        super().settimeout(0 if self._polls else time_left())  # type: ignore[misc]


class _TimedSocket(_Timed, socket.socket):
    pass


class _TimedTLSSocket(_Timed, ssl.SSLSocket):
    pass


class _TCP(Connection):
    def _connect(self) -> socket.socket:
        found = socket.getaddrinfo(self.host, None, type=socket.SOCK_STREAM)
        # Each address gets its share, so that one which is dead leaves time for others.
        self.socket_connect_timeout = time_left() / len(found)
        return _timed(super()._connect)


class _TLS(_TCP):
    def __init__(self, tls: ssl.SSLContext, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]
        self._tls = tls

    def _connect(self) -> socket.socket:
        # Which is closed unless it is what the other one takes over.
        with super()._connect() as plain:
            plain.settimeout(time_left())
            return self._tls.wrap_socket(plain, server_hostname=self.host)


class _Socket(UnixDomainSocketConnection):
    def _connect(self) -> socket.socket:
        self.socket_connect_timeout = time_left()
        return _timed(super()._connect)


def _timed(connect: Callable[[], Any]) -> socket.socket:
    try:
        connected: socket.socket = connect()
    except TimeoutError:
        # Nobody is there; one who takes connections and then hangs is told apart.
        raise OSError("nobody answers at this address") from None
    return _TimedSocket(fileno=connected.detach())

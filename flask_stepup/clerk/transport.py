"""An httpx transport under the deadline: pooled connections, renewed after a fork."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

import httpcore
import httpx

from .network import DeadlineNetwork


class DeadlineTransport(httpx.BaseTransport):
    """Pools connections; to be used inside :func:`call_within`.

    :param base_url: a TLS context is built, once, where it says ``https``.
    """

    def __init__(self, base_url: str) -> None:
        self._is_secure = httpx.URL(base_url).scheme == "https"
        self._prepare()
        self._open()
        _transports.add(self)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if threading.Lock is not self._lock:
            # gevent has replaced it, and sockets, after the app was made: in a worker
            # of "gunicorn --preload". A lock of before would stop all its greenlets.
            self._prepare()
            self.renew()
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

    def _prepare(self) -> None:
        # Building a context reads all certificates, which takes some 20 ms.
        self._ssl_context = httpx.create_ssl_context() if self._is_secure else None
        self._lock = threading.Lock

    def _open(self) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=self._ssl_context,
            max_connections=100,
            max_keepalive_connections=20,
            keepalive_expiry=30,
            network_backend=DeadlineNetwork(),
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


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_after_fork)

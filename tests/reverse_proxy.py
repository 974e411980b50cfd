"""A real reverse proxy in front of an app, as nginx and its kin are set up."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import closing
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from serving import served
from werkzeug.serving import generate_adhoc_ssl_context

#: Of one connection, never passed on (RFC 9110, 7.6.1).
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "host"}


class _Passing(BaseHTTPRequestHandler):
    """Passes requests on, and answers back."""

    server: _Proxy

    def _pass_on(self) -> None:
        prefix = self.server.prefix
        if not self.path.startswith(f"{prefix}/"):
            self.send_error(404, "not below the proxy's path")
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with closing(HTTPConnection(self.server.upstream, timeout=30)) as upstream:
            path = self.path.removeprefix(prefix)
            upstream.request(self.command, path, body, self._headers())
            answer = upstream.getresponse()
            content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_BY_HOP | {"content-length"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _headers(self) -> dict[str, str]:
        host = self.headers["Host"]
        kept = {n: v for n, v in self.headers.items() if n.lower() not in _HOP_BY_HOP}
        told = {
            "Host": host if self.server.keeps_host else self.server.upstream,
            "X-Forwarded-For": self.client_address[0],
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": host,
        }
        if self.server.prefix:
            told["X-Forwarded-Prefix"] = self.server.prefix
        return kept | told

    do_GET = do_POST = do_HEAD = _pass_on

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class _Proxy(ThreadingHTTPServer):
    upstream: str
    prefix: str
    keeps_host: bool


@contextmanager
def behind_a_proxy(
    app: Any, *, prefix: str = "", keeps_host: bool = False
) -> Iterator[str]:
    """Serve an app behind a proxy that ends TLS; yield where people find it.

    :param prefix: the path below which it is; the proxy takes it off.
    :param keeps_host: whether the app gets the Host that the browser sent. nginx tells
        it another one unless it is told to: that of the app, as the proxy knows it.
    """
    with served(app) as upstream:
        proxy = _Proxy(("127.0.0.1", 0), _Passing)
        context = generate_adhoc_ssl_context()
        assert isinstance(context, ssl.SSLContext)
        proxy.socket = context.wrap_socket(proxy.socket, server_side=True)
        proxy.upstream = urlsplit(upstream).netloc
        proxy.prefix, proxy.keeps_host = prefix, keeps_host
        thread = Thread(target=proxy.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"https://127.0.0.1:{proxy.server_port}{prefix}"
        finally:
            proxy.shutdown()
            thread.join()
            proxy.server_close()

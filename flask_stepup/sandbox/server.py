"""HTTP/1.1 with kept-alive connections for a WSGI app, on this machine alone."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress
from io import BytesIO
from threading import current_thread
from threading import Thread
from typing import Any
from typing import TYPE_CHECKING

from werkzeug import Response
from werkzeug.serving import ThreadedWSGIServer
from werkzeug.serving import WSGIRequestHandler

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

# Bytes of a body that are read before the app is asked.
_LONGEST_READ = 1_048_576
# Seconds that an answer under way may take when the server is closed.
_LAST_ANSWER = 5.0


@contextmanager
def serving(app: WSGIApplication, host: str, port: int) -> Iterator[str]:
    """Serve in threads of their own while the context lasts; yield the origin.

    :raises ConfigurationError: the host is open to others, or the port is taken.
    """
    address = _loopback(host)
    with _listening(address, port) as listener:
        server = _Server(address, app, listener)
    thread = Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        shown = f"[{address}]" if ":" in address else address
        yield f"http://{shown}:{server.port}"
    finally:
        # At the interpreter's end, threads stand still and would never answer.
        if not sys.is_finalizing():
            server.shutdown()
            thread.join()


class _Handler(WSGIRequestHandler):
    """Keeps connections alive, which werkzeug's own handler never does."""

    protocol_version = "HTTP/1.1"
    # Head and body are written apart; together with delayed acknowledgements,
    # Nagle's algorithm would hold the body back for some 40 ms.
    disable_nagle_algorithm = True

    def run_wsgi(self) -> None:
        body = self._whole_body()
        if body is None:
            # Answered and then closed, since where the body ends is not known.
            super().run_wsgi()
            return
        environ = {**self.make_environ(), "wsgi.input": BytesIO(body)}
        answer = Response.from_app(self.server.app, environ, buffered=True)
        self.send_response(answer.status_code)
        for name, value in answer.headers:
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer.get_data())

    def _whole_body(self) -> bytes | None:
        """The body, read to its end; None when it is chunked or too long for that."""
        length = self.headers.get("Content-Length", "0")
        is_number = length.isascii() and length.isdigit()
        if "Transfer-Encoding" in self.headers or not is_number:
            return None
        return self.rfile.read(int(length)) if int(length) <= _LONGEST_READ else None

    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing: the app keeps its own log."""


class _Server(ThreadedWSGIServer):
    """Ends its connections with itself; a kept-alive one would go on answering."""

    def __init__(
        self, host: str, app: WSGIApplication, listener: socket.socket
    ) -> None:
        self._connections: dict[Thread, socket.socket] = {}
        # Bound already: werkzeug prints and exits where the port is taken.
        super().__init__(host, 0, app, _Handler, fd=listener.fileno())

    def process_request(self, request: Any, client_address: Any) -> None:
        worker = Thread(
            target=self.process_request_thread,
            args=(request, client_address),
            daemon=True,
        )
        self._connections[worker] = request
        worker.start()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.pop(current_thread(), None)

    def shutdown(self) -> None:
        # Closes the port in processes forked meanwhile, too, and wakes the loop.
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        super().shutdown()

    def server_close(self) -> None:
        super().server_close()
        for worker, connection in self._connections.copy().items():
            # An answer under way is still written; then there is nothing to read.
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
            worker.join(_LAST_ANSWER)


def _loopback(host: str) -> str:
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise ConfigurationError(
            f"the sandbox is for this machine alone and does not listen on {host!r}: "
            "use 127.0.0.1"
        )
    return str(address)


def _listening(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    cause = "it is no port"
    if 0 <= port <= 65_535:
        try:
            return socket.create_server((address, port), family=family)
        except OSError as error:
            cause = os.strerror(error.errno or 0)
    raise ConfigurationError(
        f"the sandbox cannot listen on port {port} of {address} ({cause}): choose "
        "another port, or 0 for any that is free"
    )

"""A server that answers as Clerk's backend API does, as fast as Python can.

The sandbox would do, but what it takes to answer would hide what it takes to ask. It
counts the requests that come over the wire, and tells when a line comes on its standard
input. Run as a program: ``python -m benchmarks.backend_server [CERTIFICATE KEY]``.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import sys
import threading

#: What a backend checks before it looks at a code.
SECRET_KEY = "sk_test_benchmarks"  # noqa: S105
WRONG_CODE = "000000"
_ASKED = re.compile(rb"POST /v1/users/[^/ ]+/verify_totp HTTP/1.1\r\n")
_KEY = b"authorization: bearer " + SECRET_KEY.encode()
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_RIGHT = {"verified": True, "code_type": "totp"}


def _wrong(code: str) -> dict[str, object]:
    said = {"code": code, "message": code, "long_message": code}
    return {"errors": [said], "clerk_trace_id": "0"}


class Backend:
    """Answers on connections that are kept alive, each in a thread of its own."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        self.requests = 0
        self.connections = 0

    def serve(self, listener: socket.socket) -> None:
        """Take connections for ever."""
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, plain: socket.socket) -> None:
        try:
            connection = (
                self._tls.wrap_socket(plain, server_side=True) if self._tls else plain
            )
            with connection:
                while answer := self._answer(connection):
                    connection.sendall(answer)
        except OSError:
            # Gone, as one that is made for each call goes.
            plain.close()

    def _answer(self, connection: socket.socket) -> bytes:
        received = b""
        while b"\r\n\r\n" not in received:
            more = connection.recv(65_536)
            if not more:
                return b""
            received += more
        head, _, body = received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        while length and len(body) < int(length[1]):
            body += connection.recv(65_536)
        self.requests += 1
        status, told = _said(head, body)
        content = json.dumps(told).encode()
        return (
            f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        ).encode() + content


def _said(head: bytes, body: bytes) -> tuple[str, dict[str, object]]:
    if not _ASKED.match(head):
        return "404 Not Found", _wrong("resource_not_found")
    if _KEY not in head.lower():
        return "401 Unauthorized", _wrong("clerk_key_invalid")
    if json.loads(body)["code"] == WRONG_CODE:
        return "422 Unprocessable Entity", _wrong("totp_incorrect_code")
    return "200 OK", dict(_RIGHT)


def main(certificate: str | None = None, key: str | None = None) -> None:
    """Serve; print the port first, and what was counted at each line that is read."""
    tls = None
    if certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate, key)
    backend = Backend(tls)
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    threading.Thread(target=backend.serve, args=(listener,), daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    for _ in sys.stdin:
        print(backend.requests, backend.connections, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

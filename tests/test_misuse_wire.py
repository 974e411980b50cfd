"""Misuse from outside, byte by byte: no answer of 500, and no gate that opens."""

from __future__ import annotations

import importlib.util
import os
import re
import socket
import tempfile
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from misusing import app_in_memory
from serving import ROOT
from serving import served
from serving import started

Connect = Callable[[], socket.socket]

#: Seconds that an answer may take.
PATIENT = 20


def to(target: bytes, *headers: bytes, method: bytes = b"GET") -> bytes:
    """A request whose lines are what is given, whatever that is."""
    lines = (method + b" " + target + b" HTTP/1.1", b"Host: localhost", *headers)
    return b"\r\n".join((*lines, b"Connection: close", b"", b""))


FORM = b"Content-Type: application/x-www-form-urlencoded"
PAGE = b"Accept: text/html"
CHUNKED = b"Transfer-Encoding: chunked"


def posted(target: bytes, body: bytes, *headers: bytes) -> bytes:
    length = b"Content-Length: %d" % len(body)
    return to(target, PAGE, *(headers or (FORM, length)), method=b"POST") + body


#: Of a request line, whatever becomes of it.
LINES = (
    b"",
    b"\r\n\r\n",
    b"\0\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET /vault\r\n\r\n",
    b"GET /vault HTTP/0.9\r\n\r\n",
    b"GET /vault HTTP/1.0\r\n\r\n",
    b"GET /vault HTTP/9.9\r\n\r\n",
    b"get /vault HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"G\xff\0T /vault HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET  /vault  HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /vault HTTP/1.1\nHost: localhost\n\n",
    b"GET /vault HTTP/1.1\r\n\r\n",
    b"GET /vault HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET /vault HTTP/1.1\r\nHost:\r\n\r\n",
    b"GET /vault HTTP/1.1\r\nHost: \xff\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"CONNECT evil.example:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
)
TARGETS = (
    b"//vault",
    b"///evil.example/any/x",
    b"/\\vault",
    b"http://evil.example/vault",
    b"http://user:pw@localhost/vault",
    b"javascript:alert(1)",
    b"/any/\xff",
    b"/any/\xc3\xbc",
    b"/any/%",
    b"/any/%ff%00%2f%5c",
    b"/any/%0d%0aSet-Cookie:%20a=b",
    b"/any/..%2f..//evil.example",
    b"/any/" + b"a" * 3_000,
    b"/any/" + b"%41" * 40_000,
    b"/stepup/?challenge=\xff",
    b"/stepup/?challenge=%ff&challenge=%00",
    b"/stepup/status?scope=\xff\x01",
    b"/stepup/#x",
    b"/vault?" + b"a&" * 1_000,
)
HEADERS = (
    b"Cookie: session=\xff; session=\x01",
    b"Cookie: " + b"a=b; " * 1_000,
    b"Authorization: Bearer \xff\xfe",
    b"Authorization: Bearer " + b"a" * 8_000,
    b"Stepup-Marker: \xc3\xbc," + b"," * 4_000,
    b"HX-Request: true\r\nHX-Current-URL: //\xff",
    b"X-Forwarded-Prefix: //evil.example",
    b"Referer: http://localhost//evil.example/\xff",
    b"Accept: text/html;q=\xff, */*;q=nan",
    b"Content-Length: -1",
    b"Content-Length: 5\r\nContent-Length: 6",
    b"Content-Length: 5\r\nTransfer-Encoding: chunked",
    b"Folded: a\r\n b",
    b"No colon",
    b": no name",
    b"N\xffme: x",
    b"N\0l: \0",
    b"Expect: 100-continue",
    b"Upgrade: websocket\r\nConnection: upgrade",
    *(b"\r\n".join(b"X-%d: x" % n for n in range(count)) for count in (90, 300)),
)
BODIES = (
    (b"challenge=\xff&code=\0", ()),
    (b"challenge=x&code=1", (FORM, b"Content-Length: 9999")),
    (b"challenge=x&code=1", (FORM, b"Content-Length: 3")),
    (b"challenge=x&code=1", (FORM, b"Content-Length: 99999999999")),
    (b"zz\r\nto=bob\r\n0\r\n\r\n", (FORM, CHUNKED)),
    (b"6\r\nto=bobXX0\r\n\r\n", (FORM, CHUNKED)),
    (b"50\r\nto=bob", (FORM, CHUNKED)),
    (b"-1\r\n\r\n0\r\n\r\n", (FORM, CHUNKED)),
    (b"zz\r\n", (b"Content-Type: multipart/form-data; boundary=b", CHUNKED)),
    (b"zz\r\n", (b"Content-Type: application/json", CHUNKED)),
    (b"[" * 50_000, (b"Content-Type: application/json", b"Content-Length: 50000")),
)
REQUESTS = (
    *LINES,
    *(to(target, PAGE) for target in TARGETS),
    *(to(target, header) for header in HEADERS for target in (b"/vault", b"/stepup/")),
    *(posted(b"/vault", body, *headers) for body, headers in BODIES),
    *(posted(b"/send", body, *headers) for body, headers in BODIES),
)
#: What is read by verify itself.
ATTEMPTS = tuple(posted(b"/stepup/", body, *headers) for body, headers in BODIES)


@pytest.fixture(name="connect", scope="module", params=["werkzeug", "gunicorn"])
def _connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    """A function that connects to an app in which everybody is alice."""
    serve = on_werkzeug if request.param == "werkzeug" else on_gunicorn
    yield from serve()


def on_werkzeug() -> Iterator[Connect]:
    with served(app_in_memory()) as site:
        place = urlsplit(site)
        yield lambda: socket.create_connection((place.hostname, place.port), PATIENT)


def on_gunicorn() -> Iterator[Connect]:
    if importlib.util.find_spec("gunicorn") is None:
        pytest.skip("missing: gunicorn")
    path = os.pathsep.join((str(ROOT / "tests"), str(ROOT)))
    with tempfile.TemporaryDirectory() as folder:
        name = str(Path(folder, "socket"))

        def connect() -> socket.socket:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(PATIENT)
            try:
                connection.connect(name)
            except OSError:
                connection.close()
                raise
            return connection

        command = (
            *("-m", "gunicorn", "misusing:app_in_memory()", f"--bind=unix:{name}"),
            *("--threads=4", f"--log-file={name}.log", "--no-control-socket"),
        )
        with started(os.environ | {"PYTHONPATH": path}, *command) as master:
            wait_for(connect)
            yield connect
            master.terminate()
            master.wait(PATIENT)


def wait_for(connect: Connect) -> None:
    deadline = time.monotonic() + PATIENT
    while time.monotonic() < deadline:
        with suppress(OSError), connect():
            return
        time.sleep(0.05)
    pytest.fail("nobody takes connections")


def said(connect: Connect, sent: bytes) -> bytes:
    """What is answered, if anything is."""
    heard = b""
    with connect() as connection, suppress(ConnectionError):
        # Who does not like the beginning may hang up before the end.
        with suppress(OSError):
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
        while more := connection.recv(65_536):
            heard += more
    return heard


def status_of(answer: bytes) -> int:
    """Its status; 0 where there is none."""
    found = re.match(rb"HTTP/1\.[01] (\d{3}) ", answer)
    return int(found[1]) if found else 0


def failures(connect: Connect, requests: Iterable[bytes]) -> list[bytes]:
    """The requests at which the app failed; servers themselves may know no such one."""
    known = {0, 501, 505}
    return [
        sent[:200]
        for sent in requests
        if (status := status_of(said(connect, sent))) > 499 and status not in known
    ]


def test_no_bytes_are_a_500(connect: Connect) -> None:
    """Nor do any open something, and afterwards all is as before."""
    assert failures(connect, REQUESTS) == []
    assert said(connect, to(b"/runs")).endswith(b"\r\n\r\n[]\n")
    assert status_of(said(connect, to(b"/vault"))) == 403


def test_no_attempt_is_a_500(connect: Connect) -> None:
    """However a body is framed that is submitted to the prompt."""
    assert failures(connect, ATTEMPTS) == []
    assert said(connect, to(b"/runs")).endswith(b"\r\n\r\n[]\n")


def test_requests_that_are_smuggled_open_nothing(connect: Connect) -> None:
    """What follows a body is another request, or none: it is asked for a code too."""
    second = b"GET /vault HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    framed = (
        b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"Content-Length: +0\r\n\r\n",
        b"Content-Length: 0\r\n\r\n",
    )
    for rest in framed:
        first = b"POST /vault HTTP/1.1\r\nHost: localhost\r\n" + rest
        assert b" 200 " not in said(connect, first + second)
    assert said(connect, to(b"/runs")).endswith(b"\r\n\r\n[]\n")

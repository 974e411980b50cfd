"""Misuse from outside, by bodies: no answer of 500, and no gate that opens."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from collections.abc import Iterator
from io import BytesIO
from typing import Any
from urllib.parse import quote

import pytest
from approving import right
from conftest import MakeApp
from flask import Flask
from misusing import Callers
from misusing import cookie_of
from misusing import doors_of
from misusing import Environ
from misusing import environ_of
from misusing import faults
from misusing import FORM
from misusing import in_login
from misusing import JSON
from misusing import MULTIPART
from misusing import send
from misusing import SENT
from misusing import still_opens
from people import Codes
from people import PAGE

from flask_stepup import StepUp

MANY = 5_000


def part(headers: str, content: bytes = b"x") -> bytes:
    return b"--b\r\n" + headers.encode("latin-1") + b"\r\n\r\n" + content + b"\r\n"


def parts(*all_parts: bytes) -> bytes:
    return b"".join(all_parts) + b"--b--\r\n"


NAMED = 'Content-Disposition: form-data; name="to"'
FORMS = (
    b"\xff=\xff&to=\xff&amount=\xff&challenge=\xff&code=\xff",
    b"to=%ff&amount=%ed%a0%80&challenge=%00&code=%00",
    b"to=\0&amount=\0&challenge=\0&code=\0",
    b"to=a&to=b&amount=1&amount=2&challenge=x&challenge=y&code=1&code=2",
    b"to[]=a&amount[x]=1&challenge[]=x&code[]=1",
    b"&&&;;;===%%%",
    b"&" * MANY,
    b"=".join([b"a"] * MANY),
    b"to=" + b"a" * 100_000 + b"&amount=1",
    b"&".join(b"f%d=x" % number for number in range(MANY)),
    b"_charset_=utf-16&to=x&amount=1",
    b'{"to": "bob", "amount": 1}',
    "to=\ud800&amount=\u202e".encode(errors="surrogatepass"),
)
MULTIPARTS = (
    b"",
    b"--b",
    b"--b--",
    b"\r\n" * MANY,
    b"--b\r\n" * 100,
    b"no boundary at all",
    parts(part("Content-Disposition: form-data")),
    parts(part("no colon")),
    parts(part('Content-Disposition: form-data; name="\0"; filename="\0"')),
    parts(part("Content-Disposition: form-data; name*=utf-8''%ff%ed%a0%80")),
    parts(part("Content-Disposition: form-data; name=\xff; filename=\xff")),
    parts(part(f"{NAMED}\r\nContent-Type: text/plain; charset=utf-16"), part(NAMED)),
    parts(part(f"{NAMED}\r\nContent-Type: text/plain; charset=\0")),
    parts(part(f"{NAMED}\r\nContent-Length: 99999999")),
    parts(part(f"{NAMED}\r\nContent-Transfer-Encoding: base64", b"\xff")),
    parts(part(NAMED + ";" * MANY)),
    parts(part(NAMED + "\r\nX: " + "y" * 100_000)),
    parts(part(f'{NAMED}; filename="../../x"', b"\xff\0")),
    parts(*[part(NAMED)] * 1_100),
    part(NAMED, b"a" * 100_000),
)
JSONS = (
    b"",
    b"null",
    b"[]",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"to":' + b"[" * 500 + b"]" * 500 + b',"amount":1}',
    b'{"to":' + b'{"a":' * 17 + b"1" + b"}" * 17 + b',"amount":1}',
    b'{"to":1,"to":2,"amount":1,"code":"1","code":"2","challenge":"x"}',
    b'{"to":NaN,"amount":Infinity,"challenge":NaN,"code":-Infinity}',
    b'{"to":1e999,"amount":-1e999,"challenge":1e999,"code":1e999}',
    b'{"to":' + b"9" * MANY + b',"amount":1,"code":' + b"9" * MANY + b"}",
    b'{"to":"\\ud800","amount":"\\udc00","challenge":"\\ud800","code":"\\ud800"}',
    b'{"\\ud800":"\\ud800","to":{"\\ud800":1},"amount":1}',
    b'{"to":"\\u0000","amount":"\\u0000","challenge":"\\u0000","code":"\\u0000"}',
    b'{"to":"\xff","amount":1}',
    b'\xef\xbb\xbf{"to":1,"amount":1}',
    '{"to":1,"amount":1}'.encode("utf-16"),
    '{"to":1,"amount":1}'.encode("utf-32-be")[:-1],
    b'{"to":true,"amount":null,"challenge":{},"code":[]}',
    b'{"to":[],"amount":{},"challenge":["x"],"code":{"a":"1"}}',
    b'{"to":"' + b"a" * 100_000 + b'","amount":1}',
    b"{" + b",".join(b'"f%d":1' % number for number in range(MANY)) + b"}",
    b"to=bob&amount=1",
)
BODIES = {FORM: FORMS, MULTIPART: MULTIPARTS, JSON: JSONS, "text/plain": FORMS[:4]}


class Breaks(BytesIO):
    """A body whose sender goes away.

    :param error: what a server raises then.
    """

    def __init__(self, begun: bytes, error: Exception) -> None:
        super().__init__(begun)
        self._error = error

    def readinto(self, buffer: Any) -> int:
        size = super().readinto(buffer)
        if not size:
            raise self._error
        return size

    def read(self, size: int | None = -1) -> bytes:
        begun = super().read(size)
        if not begun or size is None or size < 0:
            raise self._error
        return begun


class NoChunk(Exception):
    """What a server raises where a chunk is none: gunicorn's is not an OSError."""


#: Bodies that are not what their length says, and such whose sender is gone.
STREAMS: tuple[Callable[[], BytesIO], ...] = (
    lambda: BytesIO(b""),
    lambda: BytesIO(b"to=bob"),
    lambda: BytesIO(SENT * 1_000),
    lambda: Breaks(b"", OSError("gone")),
    lambda: Breaks(b"to=bob&", ConnectionResetError("gone")),
    lambda: Breaks(b"to=bob&", TimeoutError("slow")),
    lambda: Breaks(b"to=bob&", NoChunk()),
)
LENGTHS: tuple[Environ, ...] = (
    {},
    {"CONTENT_LENGTH": "-1"},
    {"CONTENT_LENGTH": "3"},
    {"CONTENT_LENGTH": "99999999999"},
    {"HTTP_TRANSFER_ENCODING": "chunked"},
    {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True},
    {"CONTENT_LENGTH": "3", "wsgi.input_terminated": True},
)


@pytest.fixture(name="app")
def _app(make_app: MakeApp, codes: Codes) -> Flask:
    stepup = StepUp(verifier=codes, subject_loader=in_login)
    return doors_of(make_app(stepup=stepup), stepup)


@pytest.mark.parametrize("kind", BODIES)
def test_no_body_is_a_500(app: Flask, codes: Codes, kind: str) -> None:
    """Nor does one open anything, whoever sends it wherever."""
    callers = Callers(app)
    found = faults(
        app,
        (
            environ_of(
                method, path, headers, CONTENT_TYPE=kind, **length_and_body(body)
            )
            for body in BODIES[kind]
            for method, path, headers, _ in callers.everywhere()
        ),
    )

    assert found == []
    assert codes.asked == []
    assert still_opens(app)


def length_and_body(body: bytes) -> Environ:
    return {"CONTENT_LENGTH": str(len(body)), "wsgi.input": BytesIO(body)}


def broken_off(app: Flask, kind: str) -> Iterator[Environ]:
    """Requests whose bodies are longer or shorter than said, or end by an error."""
    callers = Callers(app)
    for length in LENGTHS:
        for stream in STREAMS:
            for method, path, headers, _ in callers.everywhere():
                yield environ_of(method, path, headers, CONTENT_TYPE=kind, **length) | {
                    "wsgi.input": stream()
                }


@pytest.mark.parametrize("kind", [FORM, MULTIPART, JSON])
def test_no_body_that_breaks_off_is_a_500(app: Flask, codes: Codes, kind: str) -> None:
    """However long it is said to be: where a guard reads it, that is an answer."""
    # What becomes of a view that reads it by itself is the view's business.
    views = {"/reads", "/stepup/"}
    found = faults(
        app, (e for e in broken_off(app, kind) if e["PATH_INFO"] not in views)
    )

    assert found == []
    assert codes.asked == []
    assert still_opens(app)


@pytest.mark.parametrize("kind", [FORM, MULTIPART, JSON])
def test_no_attempt_that_breaks_off_is_a_500(
    app: Flask, codes: Codes, kind: str
) -> None:
    """What is submitted to the prompt is read by us."""
    found = faults(
        app, (e for e in broken_off(app, kind) if e["PATH_INFO"] == "/stepup/")
    )

    assert found == []
    assert codes.asked == []


@pytest.mark.parametrize("kind", [FORM, MULTIPART, JSON])
def test_a_form_that_is_kept_may_hold_anything(app: Flask, kind: str) -> None:
    """A prompt that carries one, and the page that goes on, are text in any case."""
    alice = cookie_of(app, user_id="alice", _stepup_sid="nonce")
    for body in BODIES[kind]:
        sent = length_and_body(body) | {"CONTENT_TYPE": kind}
        refused = send(app, environ_of("POST", "/vault", PAGE | alice, **sent))
        found = re.search(r'name="challenge" value="([^"]*)"', refused.text)
        assert found, refused
        fields = f"challenge={quote(html.unescape(found[1]))}&code={quote(right())}"
        answer = environ_of("POST", "/stepup/", PAGE | alice, fields.encode())

        assert send(app, answer).status in (200, 303)

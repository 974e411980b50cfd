"""Misuse from outside, by attempts: codes, challenges and markers that are none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import quote_from_bytes
from urllib.parse import urlencode

import pytest
from approving import right
from conftest import MakeApp
from flask import Flask
from misusing import BEARER
from misusing import cookie_of
from misusing import doors_of
from misusing import Environ
from misusing import environ_of
from misusing import faults
from misusing import FORM
from misusing import HTMX
from misusing import in_login
from misusing import JSON
from misusing import PROGRAM
from misusing import send
from misusing import SENT
from people import Codes
from people import PAGE

from flask_stepup import StepUp

MEGABYTES = 10 * 2**20


@pytest.fixture(name="app")
def _app(make_app: MakeApp, codes: Codes) -> Flask:
    stepup = StepUp(verifier=codes, subject_loader=in_login)
    return doors_of(make_app(stepup=stepup), stepup)


#: What cannot be a code, as it is sent.
NO_CODES = (
    b"",
    b" \t\r\n",
    b"\0",
    b"123\x00456",
    b"12\x1b[2J",
    "\uff11\uff12\uff13\u202e456\u2028x".encode(),
    b"right " * 100,
    b"\xf3\xa0\x80\x81right",
    "é".encode() * 37,
)
#: The same as JSON, whose text may hold what bytes cannot, and what is no text.
NO_JSON_CODES = (
    *(json.dumps(code.decode()) for code in NO_CODES),
    '"right\\ud800"',
    "null",
    "true",
    "123456",
    "1e999",
    "NaN",
    '["right"]',
    '{"code":"right"}',
    "[" * 50_000,
)
#: Guarded requests of which each gets another kind of challenge.
ASKED: dict[str, tuple[str, str, dict[str, str], bytes]] = {
    "page": ("GET", "/vault", PAGE, b""),
    "page with a form": ("POST", "/vault", PAGE, b"a=b"),
    "approval": ("POST", "/send", PAGE, SENT),
    "inside": ("POST", "/inside", PAGE, b"a=b"),
    "htmx": ("GET", "/vault", HTMX, b""),
    "program": ("POST", "/once", PROGRAM, b""),
    "bearer": ("GET", "/vault", BEARER, b""),
}


class Asked:
    """Alice, who has been asked for a code."""

    def __init__(self, app: Flask, kind: str) -> None:
        self.app = app
        method, path, headers, body = self._request = ASKED[kind]
        cookie = cookie_of(app, user_id="alice")
        answer = send(app, environ_of(method, path, headers | cookie, body))
        found = re.search(r'challenge(?:=|":"|" value=")([\w.=-]+)', answer.text)
        led = str(answer.header("Location") or answer.header("HX-Redirect"))
        self.challenge = found[1] if found else led.partition("challenge=")[2]
        if changed := answer.header("Set-Cookie"):
            cookie = {"Cookie": changed.partition(";")[0]}
        self.headers = headers | cookie

    def submitting(self, body: bytes, kind: str = FORM) -> Environ:
        return environ_of("POST", "/stepup/", self.headers, body, CONTENT_TYPE=kind)

    def as_form(self, code: bytes) -> Environ:
        fields = f"challenge={self.challenge}&code={quote_from_bytes(code)}"
        return self.submitting(fields.encode())

    def as_json(self, code: str) -> Environ:
        body = f'{{"challenge": "{self.challenge}", "code": {code}}}'
        return self.submitting(body.encode(), JSON)

    def is_let_in(self) -> bool:
        """Whether what she was asked at would be done now."""
        method, path, _, body = self._request
        headers = {**PROGRAM, **self.headers}
        return send(self.app, environ_of(method, path, headers, body)).status == 200


@pytest.fixture(name="asked", params=ASKED)
def _asked(request: pytest.FixtureRequest, app: Flask) -> Asked:
    return Asked(app, request.param)


def test_no_code_that_is_none_is_a_500(asked: Asked, codes: Codes) -> None:
    """It is told so, in a form and in JSON, and nobody is asked about it."""
    submitted = [*map(asked.as_form, NO_CODES), *map(asked.as_json, NO_JSON_CODES)]

    assert faults(asked.app, submitted) == []
    assert codes.asked == []
    assert not asked.is_let_in()
    assert send(asked.app, asked.as_form(right().encode())).status in (200, 303)


@pytest.mark.parametrize("kind", [FORM, JSON])
@pytest.mark.parametrize(
    ("length", "status"),
    [
        ({}, {413}),
        # Werkzeug may cut off what has no length, and it is no code or challenge then.
        ({"CONTENT_LENGTH": None, "wsgi.input_terminated": True}, {400, 413}),
    ],
    ids=["told", "untold"],
)
def test_a_code_of_ten_megabytes_is_not_read(
    app: Flask, codes: Codes, kind: str, length: Environ, status: set[int]
) -> None:
    """It is refused by its length, and where that is not told, not read to its end."""
    asked = Asked(app, "page with a form")
    fields = f"challenge={asked.challenge}&code=".encode()
    if kind == JSON:
        fields = f'{{"challenge": "{asked.challenge}", "code": "'.encode()
    environ = asked.submitting(fields.ljust(MEGABYTES, b"9"), kind) | length
    environ = {name: value for name, value in environ.items() if value is not None}

    assert send(app, environ).status in status
    assert environ["wsgi.input"].tell() < 2**20
    assert codes.asked == []


@pytest.mark.parametrize(
    "body",
    [
        b"challenge={}&code=wrong&code=right",
        b"challenge={}&code=wrong&challenge={}&code=right",
        b"code=wrong&code=right&code=right+2&challenge={}",
        b"challenge={}&code[]=right&code=wrong",
        b"challenge={}&code=wrong;code=right",
        b'{"challenge":"{}","code":"right","code":"wrong"}',
        b'{"challenge":"{}","code":["wrong","right"]}',
        b'{"challenge":["{}"],"code":"right"}',
    ],
)
def test_one_submission_is_one_guess(asked: Asked, codes: Codes, body: bytes) -> None:
    """Promise 4: a field that comes twice does not make two codes of one."""
    kind = JSON if body[:1] == b"{" else FORM
    submitted = body.replace(b"{}", asked.challenge.encode())

    assert faults(asked.app, [asked.submitting(submitted, kind)]) == []
    assert [code for _, code in codes.asked if code != "wrong"] in (
        [],
        ["wrong;code=right"],
    )
    assert len(codes.asked) <= 1
    assert not asked.is_let_in()


def broken(token: str) -> Iterator[str]:
    """Texts that are nearly the token."""
    payload, _, signature = token.rpartition(".")
    yield from (token[:cut] for cut in range(0, len(token), 7))
    yield from (token + more for more in (".", "=", "A", "\0", " x", "\ud800", token))
    yield from (f"{payload[::-1]}.{signature}", f".{token}", f"{signature}.{payload}")
    for at in range(0, len(token), 5):
        other = "A" if token[at] != "A" else "B"
        yield f"{token[:at]}{other}{token[at + 1 :]}"
    yield from (token[1:], token.swapcase(), "." * 9_999)


def test_no_broken_challenge_is_a_500(asked: Asked, codes: Codes) -> None:
    """It is no challenge, however much of one it is."""
    submitted = [
        asked.submitting(
            json.dumps({"challenge": text, "code": right()}).encode(), JSON
        )
        for text in broken(asked.challenge)
    ]
    shown = [
        environ_of("GET", f"/stepup/?{urlencode({'challenge': text})}", asked.headers)
        for text in broken(asked.challenge)
        if text.isascii()
    ]

    assert faults(asked.app, submitted + shown) == []
    assert codes.asked == []
    assert not asked.is_let_in()


def test_no_broken_marker_opens_anything(app: Flask) -> None:
    """Whoever holds one of a bearer's has that one alone."""
    asked = Asked(app, "bearer")
    marker = json.loads(send(app, asked.as_form(right().encode())).text)["marker"]
    headers = cookie_of(app, user_id="alice") | BEARER

    def opened_by(text: str) -> int:
        sent = headers | {"Stepup-Marker": text}
        return send(app, environ_of("GET", "/vault", sent)).status

    texts = [text for text in broken(marker) if text.isascii()]
    assert opened_by(marker) == 200
    assert {opened_by(text) for text in texts} == {401}

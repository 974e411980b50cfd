"""Refusals and prompts of flask-stepup, and what an app does by itself."""

from __future__ import annotations

import base64
import hmac
import html
import json
import random
import string
from typing import Any

from benchmarks.apps.bare import refusing_by_abort
from benchmarks.apps.bare import SECRET_KEY
from benchmarks.apps.ours import guarded_app
from benchmarks.contestant import Contestant
from benchmarks.visits import answer_of
from benchmarks.visits import BROWSER
from benchmarks.visits import environ_of
from benchmarks.visits import repeated
from benchmarks.visits import Visitor
from flask_stepup.challenge import open_challenge

FORM_BYTES = 64_000
FORM_FIELDS = 20
_CHALLENGE = 'name="challenge" value="'


def refusing() -> Contestant:
    """A program that is refused, beside one that the app refuses by itself.

    It is refused for the first time in its session, which sets a cookie, and again.
    """
    app, bare = guarded_app("memory://"), refusing_by_abort()
    visitor = Visitor(app)
    visitor.open("/sign-in")
    at_first = environ_of("/account", visitor.cookies)
    visitor.open("/account")
    again = environ_of("/account", visitor.cookies)

    def prove() -> None:
        bare.prove()
        for environ, sets_cookie in ((at_first, True), (again, False)):
            status, headers, body = answer_of(app.wsgi_app, environ)
            assert (status, "Set-Cookie" in headers) == (403, sets_cookie)
            assert b'"challenge"' in body

    calls = {
        "refused": repeated(app.wsgi_app, again),
        "refused_first": repeated(app.wsgi_app, at_first),
        **bare.calls,
    }
    return Contestant(calls, prove)


def prompting() -> Contestant:
    """The prompt as a page, and a form of 64 KB that is interrupted by it."""
    app = guarded_app("memory://")
    visitor = Visitor(app)
    visitor.open("/sign-in")
    prompt = visitor.open("/account", headers=BROWSER).location
    posting: Any = {"method": "POST", "headers": BROWSER, "data": form_of(FORM_BYTES)}
    interrupted = environ_of("/transfer", visitor.cookies, **posting)
    page = visitor.open("/transfer", **posting).text
    gate = app.extensions["stepup"]
    app.request_context(environ_of("/stepup/", visitor.cookies)).push()
    subject = gate.subject()
    token = html.unescape(page.partition(_CHALLENGE)[2].partition('"')[0])

    def read() -> Any:
        return open_challenge(gate, subject, token)

    def prove() -> None:
        assert len(read().form.fields) == FORM_FIELDS

    calls = {
        "prompt": repeated(
            app.wsgi_app, environ_of(prompt, visitor.cookies, "GET", BROWSER)
        ),
        "issue": repeated(app.wsgi_app, interrupted),
        "read": read,
        **sealing().calls,
    }
    return Contestant(calls, prove)


def form_of(size: int) -> dict[str, str]:
    """A form of so many bytes, made of words that compress about as language does."""
    chance = random.Random(0)  # noqa: S311 (the same form each time)
    letters = string.ascii_lowercase
    words = ["".join(chance.choices(letters, k=k % 9 + 2)) for k in range(2_000)]
    each = size // FORM_FIELDS
    return {
        f"field{number}": " ".join(chance.choices(words, k=each))[:each]
        for number in range(FORM_FIELDS)
    }


def sealing() -> Contestant:
    """The limit of a challenge with a form: JSON, base64 and one ``hmac.digest``."""
    value, key = form_of(FORM_BYTES), SECRET_KEY.encode()

    def seal() -> bytes:
        text = base64.urlsafe_b64encode(json.dumps(value).encode())
        return text + b"." + hmac.digest(key, text, "sha256").hex().encode()

    sealed = seal()

    def unseal() -> Any:
        text, _, signature = sealed.rpartition(b".")
        expected = hmac.digest(key, text, "sha256").hex().encode()
        assert hmac.compare_digest(signature, expected)
        return json.loads(base64.urlsafe_b64decode(text))

    return Contestant({"seal": seal, "unseal": unseal})

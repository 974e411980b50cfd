"""Misuse of the session: whatever lies in it under our names, it is no 500.

Nobody can write into a signed cookie. But an app may, an older version may have, and
what is kept on a server can be of any type.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from collections.abc import Iterator
from datetime import datetime
from datetime import UTC
from typing import Any
from uuid import UUID

import pytest
from approving import right
from conftest import MakeApp
from flask import Flask
from flask.sessions import SessionInterface
from flask.sessions import SessionMixin
from flask_login import LoginManager
from flask_login import UserMixin
from markupsafe import Markup
from misusing import Answer
from misusing import Callers
from misusing import cookie_of
from misusing import doors_of
from misusing import Environ
from misusing import environ_of
from misusing import faults
from misusing import in_login
from misusing import JSON
from misusing import send
from misusing import SENT
from naming import repr_of
from people import Codes
from people import PAGE

from flask_stepup import require_reverification
from flask_stepup import StepUp

#: What a cookie can hold, of every type that Flask puts into one.
ODD: tuple[Any, ...] = (
    None,
    0,
    -1.5,
    True,
    "",
    "\0",
    "\ud800",
    "x.y.z",
    "nonce",
    "n" * 2_000,
    [],
    ["x"],
    {},
    {"": None, "\t": None},
    {"": 5, "\tid": 5},
    {"": {}, "\tid": []},
    {"": {"": {"": {}}}},
    {"": "", "\t": ""},
    {"": "x.y.z", "\tid": "x.y.z"},
    {"": ".eJw.z", "\tid": ".eJw.z"},
    {"": "\ud800.\ud800", "\t\ud800": "\ud800.\ud800"},
    {"": "a" * 2_000, "any": "." * 1_000},
    {f"scope {number}": "x.y" for number in range(30)},
    {f"\t{number}": "x.y" for number in range(30)},
    {"": Markup("x.y.z")},
    {"": b"x.y.z"},
    ("x", "y"),
    b"x",
    Markup("x"),
    UUID(int=0),
    datetime(2026, 1, 1, tzinfo=UTC),
)
#: And what only a session can that is kept on a server.
ODDER: tuple[Any, ...] = (
    {5: "x.y", None: "x.y", (): "x.y"},
    {b"\t": "x.y", "": object()},
    {"": "x.y", 5: 5},
    object(),
    {1, 2},
)
#: In place of a part of a challenge that has parts.
WRONG = (None, 5, "text", [], {}, [[]], {"level": "x"})
Signed = Callable[..., str]
OURS = ("_stepup", "_stepup_sid")


class OnServer(dict[Any, Any], SessionMixin):
    """A session that is kept as it is."""


class Kept(SessionInterface):
    """Keeps one session, for whoever comes."""

    def __init__(self, **state: Any) -> None:
        self.state = state

    def open_session(self, *_args: Any) -> OnServer:
        return OnServer(self.state)

    def save_session(self, _app: Flask, session: Any, _response: Any) -> None:
        self.state = dict(session)


@pytest.fixture(name="app")
def _app(make_app: MakeApp, codes: Codes) -> Flask:
    stepup = StepUp(verifier=codes, subject_loader=in_login)
    app = doors_of(make_app(stepup=stepup), stepup)
    app.add_url_rule("/grant", "grant", lambda: str(stepup.grant()))
    return app


def everywhere(app: Flask, **state: Any) -> Iterator[Environ]:
    """Requests of everybody to everything, with this in their session."""
    for method, path, headers, body in Callers(app, **state).everywhere():
        yield environ_of(method, path, headers, body)


@pytest.mark.parametrize("names", [OURS[:1], OURS[1:], OURS], ids="-".join)
def test_nothing_in_the_cookie_is_a_500(
    app: Flask, codes: Codes, names: tuple[str, ...]
) -> None:
    """It opens nothing either. What cannot be text for a ledger may be a 503."""
    found = []
    for odd in ODD:
        meant = (503,) if odd == "\ud800" and "_stepup_sid" in names else ()
        state = dict.fromkeys(names, odd)
        found += faults(app, everywhere(app, **state), meant)

    assert found == []
    assert codes.asked == []


@pytest.mark.parametrize("name", OURS)
def test_whatever_was_in_the_cookie_a_right_code_opens(app: Flask, name: str) -> None:
    """What is no nonce or marker of ours is replaced by one that is."""
    for odd in ODD:
        if odd != "\ud800":
            state = {"user_id": "alice", name: odd}
            assert let_in(app, cookie_of(app, **state)) == "the vault is open"


@pytest.mark.parametrize("odd", ODDER, ids=repr_of)
@pytest.mark.parametrize("name", OURS)
def test_nothing_in_a_session_on_a_server_is_a_500(
    app: Flask, name: str, odd: object
) -> None:
    """Where it is kept as Python has it, names and values may be of any type."""
    asked = [*everywhere(app)]
    app.session_interface = Kept(user_id="alice", **{name: odd})

    assert faults(app, asked) == []
    assert let_in(app, {}) == "the vault is open"


@pytest.mark.parametrize("odd", [None, 5, [], {"x": 1}, b"x"], ids=repr_of)
def test_what_an_app_keeps_under_flask_logins_name_is_no_500(
    codes: Codes, odd: object
) -> None:
    """Only text is taken for the id of a sign-in."""
    app = Flask("bank")
    app.config.update(SECRET_KEY="k" * 32, STEPUP_STORAGE_URI="memory://")
    app.extensions["runs"] = []
    LoginManager(app).user_loader(User)
    StepUp(app, verifier=codes)
    view = require_reverification(lambda: "the vault is open")
    app.add_url_rule("/vault", "vault", view)

    assert let_in(app, cookie_of(app, _user_id="alice", _id=odd)) == "the vault is open"


class User(UserMixin):
    """Somebody of this id."""

    def __init__(self, user_id: str) -> None:
        self.id = user_id


def let_in(app: Flask, cookie: dict[str, str]) -> str:
    """Have somebody with this cookie go through the prompt; return what is there."""
    refused = send(app, environ_of("GET", "/vault", cookie))
    cookie = renewed(cookie, refused)
    challenge = json.loads(refused.text)["challenge"]
    body = json.dumps({"challenge": challenge, "code": right()}).encode()
    submitted = environ_of("POST", "/stepup/", cookie, body, CONTENT_TYPE=JSON)
    cookie = renewed(cookie, send(app, submitted))
    return send(app, environ_of("GET", "/vault", cookie)).text


def renewed(cookie: dict[str, str], answer: Answer) -> dict[str, str]:
    changed = answer.header("Set-Cookie")
    return {"Cookie": changed.partition(";")[0]} if changed else cookie


# What an older version has signed.


@pytest.fixture(name="signed")
def _signed(app: Flask) -> Signed:
    """A function that signs any value as a token of alice's for one use."""
    gate = app.extensions["stepup"]

    def signed(use: str, value: object, *more: str) -> str:
        token: str = gate.signer.dumps(use, ("alice", "nonce", "login", *more), value)
        return token

    return signed


#: In place of a marker or an approval.
OTHER_VALUES: tuple[Any, ...] = (
    None,
    5,
    "text",
    [],
    {},
    {"a": 1, "b": 2, "c": 3},
    [None, None, None],
    [5, 5, 5],
    ["x", "y", "z"],
    ["x", [], {}],
    ["x", 1, 2],
    ["x", 1, 2, 3],
    ["x", 1, 2, 3, 4],
    ["x", 1, "a", "b", "c", "d"],
    [["x"], 1, 2],
    ["x" * 50, 10**30, 10**30],
    ["x", -1, -1],
    ["x", 1.5, True],
)


def test_no_marker_of_another_version_is_a_500(app: Flask, signed: Signed) -> None:
    """It opens nothing, and leaves when there is one that does."""
    found = []
    for value in OTHER_VALUES:
        tokens = {
            "": signed("marker", value, ""),
            "\tid": signed("approval", value),
        }
        state = {"_stepup": tokens, "_stepup_sid": "nonce"}
        found += faults(app, everywhere(app, **state))
        cookie = cookie_of(app, user_id="alice", **state)
        assert let_in(app, cookie) == "the vault is open"

    assert found == []


def test_no_challenge_of_another_version_is_a_500(app: Flask, signed: Signed) -> None:
    """One that has more in it than ours, or less, or something else, is none."""
    alice = cookie_of(app, user_id="alice", _stepup_sid="nonce")
    refused = send(app, environ_of("POST", "/send", PAGE | alice, SENT))
    found = re.search(r'name="challenge" value="([^"]*)"', refused.text)
    assert found
    gate = app.extensions["stepup"]
    bound_to = ("alice", "nonce", "login")
    value: dict[str, Any] = gate.signer.loads("challenge", bound_to, found[1])
    without = [{k: v for k, v in value.items() if k != name} for name in value]
    more = [value | {"more": 1}, value | {"policy": value["policy"] | {"more": 1}}]
    other = [
        value | {name: odd} for name in ("policy", "action", "form") for odd in WRONG
    ]
    tokens = [signed("challenge", v) for v in (*OTHER_VALUES, *without, *more, *other)]

    asked = [environ_of("GET", f"/stepup/?challenge={t}", PAGE | alice) for t in tokens]
    answered = [
        environ_of(
            "POST", "/stepup/", PAGE | alice, f"challenge={t}&code=right".encode()
        )
        for t in tokens
    ]

    assert faults(app, [*asked, *answered]) == []

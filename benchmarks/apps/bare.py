"""Apps with no extension: what guards are measured against, limit, and floor."""

from __future__ import annotations

import hmac
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

from flask import abort
from flask import Flask
from flask import jsonify
from flask import session

from benchmarks.contestant import Call
from benchmarks.contestant import Contestant
from benchmarks.visits import answer_of
from benchmarks.visits import environ_of
from benchmarks.visits import repeated
from benchmarks.visits import Visitor

#: Every app has the same, so that each can read the cookies of all.
SECRET_KEY = "a key of thirty-two bytes, or more"  # noqa: S105
USER_ID = "user_2Alice0000000000000000000000"
ANSWER = "GB33 BUKB 2020 1555 5555 55"
#: Seconds that a proof is good for.
MAX_AGE = 600

_REVOKED = "SELECT 1 FROM revoked WHERE key = ?"

Guard = Callable[[Callable[[], Any]], Callable[[], Any]]


def new_app() -> Flask:
    """The app factory of all of Flask's apps, each with a folder of its own."""
    app = Flask("bank", instance_path=tempfile.mkdtemp())
    app.config["SECRET_KEY"] = SECRET_KEY
    return app


def mount(app: Flask, guard: Guard | None = None) -> Flask:
    """Put the route in place that is compared, under a guard."""

    def account() -> str:
        return ANSWER

    view = guard(account) if guard else account
    app.add_url_rule("/account", "account", view)
    return app


def guard_contestant(app: Flask, accepted: str, refused: str) -> Contestant:
    """A guarded route, beside one that reads the same session, and a plain one.

    :param accepted: cookies of a person whom the guard lets through.
    :param refused: cookies of one whom it does not.
    """
    let_in = environ_of("/account", accepted)
    kept_out = environ_of("/account", refused)
    calls: dict[str, Call] = {
        "guarded": repeated(app.wsgi_app, let_in),
        "reading": repeated(reading_app().wsgi_app, let_in),
        "plain": repeated(mount(new_app()).wsgi_app, let_in),
    }
    prove = proof(app.wsgi_app, let_in, kept_out)
    _, headers, _ = answer_of(app.wsgi_app, let_in)
    return Contestant(calls, prove, {"cookies_set": "Set-Cookie" in headers})


def proof(app: Any, let_in: dict[str, Any], kept_out: dict[str, Any]) -> Call:
    """Return a function that has the guard accept, refuse, and accept again."""

    def prove() -> None:
        for _ in range(2):
            status, _, body = answer_of(app, let_in)
            assert (status, body) == (200, ANSWER.encode()), (status, body)
            status, _, body = answer_of(app, kept_out)
            assert status != 200, status
            assert ANSWER.encode() not in body, body

    return prove


def served() -> Flask:
    """An app with a plain route, for a server."""
    return mount(new_app())


def reading_app() -> Flask:
    """An app whose route reads the session, and does nothing with it."""

    def reading(view: Callable[[], Any]) -> Callable[[], Any]:
        def read() -> Any:
            session.get("user_id")
            return view()

        return read

    return mount(new_app(), reading)


def signed_hmac() -> Contestant:
    """The limit: a signature with nothing but ``hmac.digest``, and no ledger."""
    app = mount(_sealed_app(), _guard_by(is_signed))
    return guard_contestant(app, *_before_and_after(app))


def unsigned() -> Contestant:
    """The floor: a time in the session, which Flask alone has signed."""
    app = mount(_sealed_app(), _guard_by(is_recent))
    return guard_contestant(app, *_before_and_after(app))


def revocable() -> Contestant:
    """The floor of a ledger in a file: a time, and one row that is looked for."""
    app = _sealed_app()
    file = Path(app.instance_path, "revoked.db")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE revoked (key TEXT PRIMARY KEY) WITHOUT ROWID")

    @cache
    def reader(_: int) -> sqlite3.Cursor:
        # One for each process: none may be taken across a fork.
        return sqlite3.connect(file, isolation_level=None).cursor()

    def is_standing() -> bool:
        user_id = session.get("user_id", "")
        found = reader(os.getpid()).execute(_REVOKED, (user_id,)).fetchall()
        return is_recent() and not found

    mount(app, _guard_by(is_standing))
    return guard_contestant(app, *_before_and_after(app))


def signature() -> Contestant:
    """What the limit's guard does, without a request around it."""
    app = mount(_sealed_app(), _guard_by(is_signed))
    cookies, _ = _before_and_after(app)
    request = app.request_context(environ_of("/account", cookies))
    request.push()
    assert is_signed()
    return Contestant({"signature": is_signed})


def refusing_by_abort() -> Contestant:
    """What an app does by itself: ``abort(403)``, and the same answered as JSON."""
    app, spoken = mount(_sealed_app(), _guard_by(is_recent)), _sealed_app()
    mount(spoken, _guard_by(is_recent))
    spoken.register_error_handler(403, _as_json)
    let_in, kept_out = _before_and_after(app)
    refused = environ_of("/account", kept_out)
    calls: dict[str, Call] = {
        "abort": repeated(app.wsgi_app, refused),
        "abort_as_json": repeated(spoken.wsgi_app, refused),
    }
    prove = proof(app.wsgi_app, environ_of("/account", let_in), refused)
    return Contestant(calls, prove)


def is_signed() -> bool:
    """Whether the session holds a signed time, for this user, that is not too old."""
    at, _, signature = session.get("proof", "").partition(".")
    expected = _signature(session.get("user_id", ""), at)
    return hmac.compare_digest(signature, expected) and _is_recent(at)


def is_recent() -> bool:
    """Whether the session holds a time that is not too old."""
    return _is_recent(session.get("verified_at", 0))


def _guard_by(check: Callable[[], bool]) -> Guard:
    def guard(view: Callable[[], Any]) -> Callable[[], Any]:
        def guarded() -> Any:
            if not check():
                abort(403)
            return view()

        return guarded

    return guard


def _sealed_app() -> Flask:
    app = new_app()

    @app.get("/sign-in")
    def sign_in() -> str:
        session["user_id"] = USER_ID
        return "signed in"

    @app.get("/prove")
    def prove() -> str:
        now = str(int(time.time()))
        session["verified_at"] = int(now)
        session["proof"] = f"{now}.{_signature(session['user_id'], now)}"
        return "proved"

    return app


def _before_and_after(app: Flask) -> tuple[str, str]:
    """Cookies of somebody who has proved a factor, and from before that."""
    visitor = Visitor(app)
    visitor.open("/sign-in")
    before = visitor.cookies
    visitor.open("/prove")
    return visitor.cookies, before


def _signature(user_id: str, at: str) -> str:
    return hmac.digest(SECRET_KEY.encode(), f"{user_id} {at}".encode(), "sha256").hex()


def _is_recent(at: str | int) -> bool:
    return 0 <= time.time() - int(at or 0) < MAX_AGE


def _as_json(error: Exception) -> tuple[Any, int]:
    return jsonify(title="Reverification required", status=403), 403

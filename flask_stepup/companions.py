"""Flask-Login and Flask-WTF, met wherever an app has them."""

from __future__ import annotations

from typing import Any

from flask import Flask

from . import records
from .errors import LedgerUnavailable
from .gate import current_gate
from .subject import follow_logout


def join_companions(app: Flask) -> None:
    """Work with them, whether they are set up before us or after."""
    waiting = {"login_manager": _follow_logout, "csrf": _trust_our_own_token}

    def join() -> None:
        here = {"login_manager": hasattr(app, "login_manager")} | app.extensions
        for name, meet in list(waiting.items()):
            if here.get(name):
                # Met first and struck off afterwards: another thread may be here too,
                # and to meet twice does no harm.
                meet(app)
                waiting.pop(name, None)

    # Before any other function that runs before requests, theirs too.
    app.before_request_funcs.setdefault(None, []).insert(0, join)


def _follow_logout(app: Flask) -> None:
    follow_logout(app, _forget_at_logout)


def _forget_at_logout(sender: Flask, **_: Any) -> None:
    # Flask-Login has dropped its keys by now: what is ours tells the session.
    try:
        current_gate().forget()
    except LedgerUnavailable as error:
        records.LogoutNotRecorded(reason=error.reason).log()


def _trust_our_own_token(app: Flask) -> None:
    # The challenge is a signed token bound to person and session. Flask-WTF's own
    # would expire under an open prompt and cannot be sent by JSON clients.
    app.extensions["csrf"].exempt(app.blueprints["stepup"])

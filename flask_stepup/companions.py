"""Flask-Login and Flask-WTF, met wherever an app has them."""

from __future__ import annotations

from typing import Any

from flask import Flask

from . import records
from .app_gate import current_gate
from .errors import LedgerUnavailable
from .subject import follow_logout


def join_companions(app: Flask) -> None:
    """Work with those that are there when the first request comes.

    Some are set up before us and some after, and by then all are.
    """
    if hasattr(app, "login_manager"):
        follow_logout(app, _forget_at_logout)
    if app.extensions.get("csrf"):
        _trust_our_own_token(app)


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

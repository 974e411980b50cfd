"""An app guarded by Flask-Login (https://flask-login.readthedocs.io)."""

from __future__ import annotations

from flask import session
from flask_login import fresh_login_required
from flask_login import login_required
from flask_login import login_user
from flask_login import LoginManager
from flask_login import UserMixin

from benchmarks.apps.bare import guard_contestant
from benchmarks.apps.bare import mount
from benchmarks.apps.bare import new_app
from benchmarks.apps.bare import USER_ID
from benchmarks.contestant import Contestant
from benchmarks.visits import Visitor


class User(UserMixin):  # type: ignore[misc]
    """A user in memory: nothing is looked up anywhere."""

    def __init__(self, id: str) -> None:
        self.id = id


def guarded(fresh: bool) -> Contestant:
    """The route of somebody who has just signed in.

    :param fresh: under ``fresh_login_required``, which refuses those whom a cookie has
        remembered, and not ``login_required``, which refuses strangers.
    """
    app = new_app()
    login, users = LoginManager(app), {USER_ID: User(USER_ID)}
    login.user_loader(users.get)

    @app.get("/sign-in")
    def sign_in() -> str:
        login_user(users[USER_ID])
        return "signed in"

    @app.get("/return")
    def come_back() -> str:
        # What Flask-Login writes when it restores a session from a remember cookie.
        session["_fresh"] = False
        return "back"

    mount(app, fresh_login_required if fresh else login_required)
    visitor = Visitor(app)
    visitor.open("/sign-in")
    accepted = visitor.cookies
    visitor.open("/return")
    return guard_contestant(app, accepted, visitor.cookies if fresh else "")

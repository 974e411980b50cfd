"""Sessions: how one begins, and how all of somebody's end."""

from __future__ import annotations

import sqlite3

import users
from extensions import stepup
from flask import session
from flask_login import login_user
from flask_login import logout_user


def begin(user: users.User) -> None:
    """Sign in somebody whose password has just been checked."""
    end()  # whoever was signed in here before
    login_user(user)
    # What setting up a first authenticator takes: there is no second factor yet.
    stepup.grant("first_factor")


def end() -> None:
    """Sign out of this browser; the step-up hears of it, and forgets by itself."""
    logout_user()
    session.clear()


def end_everywhere(db: sqlite3.Connection, user_id: str) -> None:
    """Sign a user out of every browser, and end what was proved in all of them.

    Call it in the transaction that changes the account: where the ledger cannot write
    it down, ``revoke`` raises, and the change is taken back.
    """
    users.change_session_key(db, user_id)
    stepup.revoke(user_id)

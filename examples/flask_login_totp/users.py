"""Users: who may sign in with which password, and in which sessions they are."""

from __future__ import annotations

import re
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flask_login import UserMixin
from storage import db
from storage import row_of
from werkzeug.security import check_password_hash
from werkzeug.security import generate_password_hash

SHORTEST_PASSWORD = 12
LONGEST_EMAIL = 254
#: Of no password. It is checked where there is no such user, so that it takes as long.
_NOBODYS = generate_password_hash(secrets.token_hex())


class Refused(ValueError):
    """What a person typed cannot be done; the message tells them why.

    :param name: the form field to mend.
    """

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True, eq=False)
class User(UserMixin):  # type: ignore[misc]
    """Somebody with an account.

    :param user_id: never another's, not even when the account is deleted: what was
        proved for it, and which codes are used, is remembered elsewhere for a while.
    :param session_key: what Flask-Login keeps in the session. A new one signs out
        whoever has the old one, in cookies that nobody could call back.
    """

    user_id: str
    email: str
    password_hash: str
    session_key: str

    def get_id(self) -> str:
        return self.session_key

    def has_password(self, password: str) -> bool:
        return check_password_hash(self.password_hash, password)


def with_session_key(session_key: str) -> User | None:
    """Return whose session it is; Flask-Login asks at each request."""
    return _found("SELECT * FROM users WHERE session_key = ?", session_key)


def with_id(user_id: str) -> User | None:
    return _found("SELECT * FROM users WHERE id = ?", user_id)


def with_email(email: str) -> User | None:
    return _found("SELECT * FROM users WHERE email = ?", email.strip())


def with_password(email: str, password: str) -> User | None:
    """Return who signs in; None where anything is wrong, after the same time."""
    user = with_email(email)
    is_right = check_password_hash(user.password_hash if user else _NOBODYS, password)
    return user if is_right else None


def sign_up(email: str, password: str) -> User:
    """Make an account.

    :raises Refused: there is one with this address already. A real app says "look into
        your mailbox" in either case, so that nobody learns who has an account.
    """
    user = User(
        secrets.token_hex(8),
        _checked_email(email),
        _hashed(password, "password"),
        secrets.token_urlsafe(),
    )
    columns = (user.user_id, user.email, user.password_hash, user.session_key)
    with _unique_email():
        db().execute("INSERT INTO users VALUES (?, ?, ?, ?)", columns)
    return user


def change_email(user: User, email: str) -> None:
    """Give a user another address."""
    email = _checked_email(email)
    with _unique_email():
        db().execute("UPDATE users SET email = ? WHERE id = ?", (email, user.user_id))


def change_password(db: sqlite3.Connection, user: User, password: str) -> None:
    """Give a user another password."""
    new = _hashed(password, "new_password")
    db.execute("UPDATE users SET password_hash = ? WHERE id = ?", (new, user.user_id))


def change_session_key(db: sqlite3.Connection, user_id: str) -> None:
    """Sign a user out of every browser."""
    new = secrets.token_urlsafe()
    db.execute("UPDATE users SET session_key = ? WHERE id = ?", (new, user_id))


def delete(db: sqlite3.Connection, user_id: str) -> None:
    """Delete an account, and with it all that was kept for it."""
    db.execute("DELETE FROM users WHERE id = ?", (user_id,))


def _found(query: str, value: str) -> User | None:
    row = row_of(query, value)
    return User(*row) if row else None


def _checked_email(typed: str) -> str:
    email = typed.strip()
    is_one = re.fullmatch(r"[^@\s]+@[^@\s]+", email) and email.isprintable()
    if not is_one or len(email) > LONGEST_EMAIL:
        raise Refused("email", "Enter an e-mail address, such as name@example.org.")
    return email


def _hashed(password: str, name: str) -> str:
    if len(password) < SHORTEST_PASSWORD:
        raise Refused(name, f"Use at least {SHORTEST_PASSWORD} characters.")
    return generate_password_hash(password)


@contextmanager
def _unique_email() -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError:
        raise Refused("email", "There is an account with this address.") from None

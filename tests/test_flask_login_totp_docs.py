"""The page ``docs/totp.md``: its code is run, and what it includes is there."""

from __future__ import annotations

import ast
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyotp
import pytest
from cryptography.fernet import Fernet
from documented import blocks
from documented import DOCS
from flask import Flask
from flask_login import login_user
from flask_login import LoginManager
from flask_login import UserMixin
from people import Person
from people import Prompt

from flask_stepup import TOTPVerifier
from flask_stepup import VerifierUnavailable

SECRET = pyotp.random_base32()
INCLUDED = re.findall(
    r"```\{literalinclude\} (\S+)\n(.*?)```", (DOCS / "totp.md").read_text(), re.DOTALL
)


@pytest.fixture(name="app")
def _app(tmp_path: Path) -> Flask:
    """An app with Flask-Login, to which the page adds the rest."""
    app = Flask("page", instance_path=str(tmp_path))
    app.config["SECRET_KEY"] = "k" * 32
    manager = LoginManager(app)

    def user(user_id: str) -> Any:
        found = UserMixin()
        found.id = user_id
        return found

    manager.user_loader(user)

    @app.get("/sign-in/<user_id>")
    def sign_in(user_id: str) -> str:
        login_user(user(user_id))
        return "signed in"

    return app


@pytest.fixture(name="db")
def _db() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as db:
        db.row_factory = sqlite3.Row
        db.execute("CREATE TABLE authenticators (user_id TEXT, secret TEXT)")
        db.execute("INSERT INTO authenticators VALUES ('alice', ?)", (SECRET,))
        yield db


def test_the_ten_lines(app: Flask, db: sqlite3.Connection) -> None:
    """They guard a view by a code of the secret in the table."""
    exec(blocks("totp.md")[0], {"app": app, "get_db": lambda: db})  # noqa: S102
    alice = Person(app, "alice")

    prompt = Prompt(alice.open("/delete", "POST"))
    assert "Delete everything" in prompt.says
    assert alice.answer(prompt, "000000").status_code == 422
    assert alice.answer(prompt, pyotp.TOTP(SECRET).now()).status_code == 200
    assert alice.open("/delete", "POST").text == "deleted"


def test_who_has_no_secret_is_not_enrolled(app: Flask, db: sqlite3.Connection) -> None:
    """And is told so when they try a code."""
    exec(blocks("totp.md")[0], {"app": app, "get_db": lambda: db})  # noqa: S102
    bob = Person(app, "bob")

    answer = bob.answer(Prompt(bob.open("/delete", "POST")), "000000")

    assert answer.status_code == 403
    assert "authenticator" in answer.text


def test_sealed_secrets_open_for_their_owner_alone(app: Flask) -> None:
    """Keys change, and a row that is copied over another is an outage, not a way in."""
    old, new = (Fernet.generate_key() for _ in range(2))
    table: dict[str, bytes] = {}
    names: dict[str, Any] = {"app": app, "load_sealed": table.get}
    app.config["TOTP_KEYS"] = [old]
    exec(blocks("totp.md")[1], names)  # noqa: S102
    table["alice"] = names["seal"]("alice", SECRET)
    app.config["TOTP_KEYS"] = [new, old]
    exec(blocks("totp.md")[1], names)  # noqa: S102
    verifier, code = TOTPVerifier(names["secret_of"]), pyotp.TOTP(SECRET).now()

    assert verifier.verify("alice", code)
    assert names["secret_of"]("bob") is None
    table["bob"] = table["alice"]
    with pytest.raises(VerifierUnavailable):
        verifier.verify("bob", code)
    table["alice"] = table["alice"][:-9] + b"tampered="
    with pytest.raises(VerifierUnavailable):
        verifier.verify("alice", code)


@pytest.mark.parametrize(("path", "options"), INCLUDED)
def test_what_is_included_is_there(path: str, options: str) -> None:
    """Each piece of the example that the page shows, found by its name."""
    text = (DOCS / path).read_text()
    given = dict(re.findall(r":([\w-]+): (.*)", options))

    if "pyobject" in given:
        found = {getattr(part, "name", "") for part in ast.parse(text).body}
        assert given["pyobject"] in found
    for option in ("start-at", "end-before"):
        assert given.get(option, "") in text


def test_the_page_shows_all_that_matters() -> None:
    """Enrolment, backup codes and recovery come from the example, as they are run."""
    shown = {path.rpartition("/")[2] for path, _ in INCLUDED}

    assert shown >= {
        "authenticators.py",
        "backup_codes.py",
        "enrolment.py",
        "extensions.py",
        "sessions.py",
        "support.py",
    }

"""What is said of other libraries is seen in them, as far as they are installed."""

from __future__ import annotations

import time
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import flask
import flask_login
import pyotp
import pytest
from documented import blocks
from documented import DOCS
from flask import Flask
from flask import redirect
from flask import request
from flask_login import login_user
from flask_login import LoginManager
from flask_login import logout_user
from flask_login import UserMixin
from itsdangerous import SignatureExpired
from itsdangerous import TimestampSigner
from people import Person
from people import Prompt

import flask_stepup
from flask_stepup import require_reverification
from flask_stepup import StepUp
from flask_stepup.subject import FlaskLogin

SECRET = pyotp.random_base32()


def code_now() -> str:
    """What Alice's authenticator shows."""
    return pyotp.TOTP(SECRET).now()


class User(UserMixin):
    """Somebody whom Flask-Login signs in."""

    def __init__(self, user_id: str) -> None:
        self.id = user_id


@pytest.fixture(name="emails")
def _emails() -> list[tuple[str, str]]:
    """What the views have changed."""
    return []


def run(page: str, block: int, tmp_path: Path, emails: list[Any], **more: Any) -> Flask:
    """Run a program of a page, in an app that has a sign-in."""
    app = Flask("migrated", instance_path=str(tmp_path))
    app.config.update(SECRET_KEY="k" * 32, STEPUP_STORAGE_URI="memory://")
    names: dict[str, Any] = {
        **vars(flask),
        **vars(flask_login),
        **{name: getattr(flask_stepup, name) for name in flask_stepup.__all__},
        "FlaskLogin": FlaskLogin,
        "app": app,
        "secret_of": {"alice": SECRET}.get,
        "set_email": lambda *values: emails.append(values),
        **more,
    }
    exec(blocks(page)[block], names)  # noqa: S102 (our own page)
    login: LoginManager = app.login_manager  # type: ignore[attr-defined]
    login.user_loader(User)

    @app.get("/sign-in/<user_id>")
    def sign_in_at_once(user_id: str) -> str:
        login_user(User(user_id))
        return "signed in"

    @app.get("/sign-out")
    def sign_out() -> str:
        logout_user()
        return "signed out"

    return app


def change(person: Person, **kwargs: Any) -> Any:
    """Send the form of the pages."""
    return person.open("/email", "POST", data={"email": "a@example.com"}, **kwargs)


# From Flask-Login


def test_the_pages_name_the_versions_that_are_tried() -> None:
    """Facts about Flask-Login and itsdangerous are of what is installed here."""
    login, dangerous = version("flask-login"), version("itsdangerous")

    assert f"Flask-Login {login}" in (DOCS / "from-flask-login.md").read_text()
    why = (DOCS / "why.md").read_text()
    assert f"Flask-Login {login}" in why
    assert f"itsdangerous {dangerous}" in why


def test_before_an_old_cookie_is_fresh_after_a_logout(
    tmp_path: Path, emails: list[Any]
) -> None:
    """As both pages say of Flask-Login, and of a form that is gone."""
    app = run("from-flask-login.md", 0, tmp_path, emails)
    app.add_url_rule("/sign-in", "sign_in", lambda: "sign in")
    alice = Person(app, "alice")
    cookie = alice.cookie()
    assert change(alice).location == "/profile"
    alice.open("/sign-out")
    assert change(alice).status_code == 302
    alice.put_back(cookie)

    assert change(alice).location == "/profile"
    assert len(emails) == 2

    with alice.client.session_transaction() as session:
        session["_fresh"] = False
    led_away = change(alice)
    assert led_away.status_code == 302
    assert led_away.location.startswith("/sign-in?next=")
    program = alice.json("/email", "POST", json={"email": "a@example.com"})
    assert (program.status_code, program.mimetype) == (302, "text/html")
    app.config["LOGIN_DISABLED"] = True
    assert change(Person(app)).status_code == 302
    assert len(emails) == 3


def test_after_it_asks_again_and_the_form_comes_through(
    tmp_path: Path, emails: list[Any]
) -> None:
    """A code, the form as it was typed, and nothing for an old cookie."""
    app = run("from-flask-login.md", 1, tmp_path, emails)
    app.config["LOGIN_DISABLED"] = True
    alice = Person(app, "alice")
    asked = Prompt(change(alice))
    assert asked.response.status_code == 403
    assert "Change your e-mail address" in asked.says
    resumed = Prompt(alice.answer(asked, code_now()))
    assert "a@example.com" in resumed.text
    assert change(alice).location == "/profile"
    cookie = alice.cookie()
    alice.open("/sign-out")
    alice.put_back(cookie)

    program = alice.json("/email", "POST", json={"email": "a@example.com"})
    assert (program.status_code, program.json["cause"]) == (403, "revoked")
    assert change(alice).status_code == 403
    assert emails == [("alice", "a@example.com")]


def test_after_the_sign_in_itself_may_have_to_be_recent(
    tmp_path: Path, emails: list[Any]
) -> None:
    """The page's own sign-in stamps the first factor, and the old one leads to it."""
    app = run(
        "from-flask-login.md",
        2,
        tmp_path,
        emails,
        render_template=lambda _: "sign in",
        user_with_password=lambda name, password: User(name) if password else None,
        checked=lambda path: path,
    )
    alice = Person(app, "alice")
    led = change(alice)
    assert led.status_code == 303
    assert led.location.startswith("/sign-in?next=")
    assert alice.open(led.location).text == "sign in"
    refused = alice.open(led.location, "POST", data={"name": "alice", "password": ""})
    assert refused.status_code == 422
    alice.open(led.location, "POST", data={"name": "alice", "password": "right"})

    assert change(alice).location == "/profile"
    assert emails == [("alice", "a@example.com")]


def test_flask_login_runs_a_view_twice_and_we_do_not(tmp_path: Path) -> None:
    """A view that raises AttributeError."""
    app = Flask("twice", instance_path=str(tmp_path))
    app.config.update(SECRET_KEY="k" * 32, STEPUP_STORAGE_URI="memory://")
    LoginManager(app).user_loader(User)
    stepup = StepUp(app, verifier=lambda *_: flask_stepup.Verification())
    runs: list[str] = []

    def fail() -> str:
        runs.append(request.path)
        raise AttributeError

    app.add_url_rule("/fresh", "fresh", flask_login.fresh_login_required(fail))
    app.add_url_rule("/guarded", "guarded", require_reverification(fail))

    @app.get("/in")
    def enter() -> Any:
        login_user(User("alice"))
        stepup.grant()
        return redirect("/")

    client = app.test_client()
    client.get("/in")
    for path in ("/fresh", "/guarded"):
        assert client.get(path).status_code == 500

    assert runs == ["/fresh", "/fresh", "/guarded"]


def test_itsdangerous_refuses_what_is_a_second_ahead() -> None:
    """A signature that another host has made one second in the future."""

    class Ahead(TimestampSigner):
        def get_timestamp(self) -> int:
            return int(time.time()) + 2

    signed = Ahead("k" * 32).sign("marker")

    with pytest.raises(SignatureExpired, match="-"):
        TimestampSigner("k" * 32).unsign(signed, max_age=300)


# From Flask-Security


def test_after_flask_security_its_own_secrets_are_asked(
    tmp_path: Path, emails: list[Any]
) -> None:
    """The verifier takes what verify_totp says, and asks nobody without a secret."""
    asked: list[dict[str, Any]] = []
    users = {
        7: SimpleNamespace(tf_totp_secret="encrypted"),
        8: SimpleNamespace(tf_totp_secret=None),
    }

    def verify_totp(**arguments: Any) -> bool:
        asked.append(arguments)
        return arguments["token"] == "123456"

    def security(app: Flask, _: Any) -> Any:
        LoginManager(app)
        return SimpleNamespace(_totp_factory=SimpleNamespace(verify_totp=verify_totp))

    app = run(
        "from-flask-security.md",
        0,
        tmp_path,
        emails,
        Security=security,
        datastore=SimpleNamespace(find_user=lambda id: users.get(id)),
        auth_required=lambda _: flask_login.login_required,
    )
    alice, bob = Person(app, "7"), Person(app, "8")
    prompt = Prompt(change(alice))
    assert alice.answer(prompt, "000000").status_code == 422
    assert alice.answer(prompt, "123456").status_code == 200
    assert change(alice).location == "/profile"
    assert bob.answer(Prompt(change(bob)), "123456").status_code == 403

    assert emails == [("7", "a@example.com")]
    assert {call["totp_secret"] for call in asked} == {"encrypted"}
    assert {call["window"] for call in asked} == {30}

"""Flask-Login, where the verifier knows people by another name."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask_login import AnonymousUserMixin
from flask_login import login_required
from flask_login import login_user
from flask_login import LoginManager
from flask_login import logout_user
from flask_login import UserMixin
from people import Codes
from people import Person

from flask_stepup import ConfigurationError
from flask_stepup import require_reverification
from flask_stepup import StepUp
from flask_stepup.subject import FlaskLogin


class User(UserMixin):
    """Somebody whom Flask-Login knows by a number, as rows of a table have it."""

    def __init__(self, number: str) -> None:
        self.id = number
        self.clerk_id = CLERK_IDS[number]
        self.row = int(number)

    def clerk_name(self) -> str | None:
        return self.clerk_id

    @property
    def named_by_property(self) -> str | None:
        return self.clerk_id


#: Of people by their number; some were never told to Clerk.
CLERK_IDS = {"1": "user_alice", "2": "user_bob", "3": None, "4": ""}


class Stranger(AnonymousUserMixin):
    """An anonymous user that looks like somebody."""

    clerk_id = "user_alice"


def bank(codes: Codes, loader: FlaskLogin | None, **config: Any) -> Flask:
    app = Flask("bank")
    app.config.update(SECRET_KEY="k" * 32, STEPUP_STORAGE_URI="memory://", **config)
    login_manager = LoginManager(app)
    login_manager.login_view = "login"
    login_manager.user_loader(User)
    StepUp(app, verifier=codes, subject_loader=loader)

    @app.get("/login")
    def login() -> str:
        return "log in"

    @app.get("/sign-in/<number>")
    def sign_in(number: str) -> str:
        login_user(User(number), remember=True)
        return "signed in"

    @app.post("/logout")
    def logout() -> str:
        logout_user()
        return "out"

    @app.route("/vault", methods=["GET", "POST"])
    @require_reverification
    def vault() -> str:
        return "in"

    app.add_url_rule("/both", "both", login_required(vault))
    return app


@pytest.fixture(name="app")
def _app(codes: Codes) -> Flask:
    return bank(codes, FlaskLogin(attribute="clerk_id"))


@pytest.fixture(name="alice")
def _alice(app: Flask) -> Person:
    return Person(app, "1")


@pytest.mark.parametrize(
    ("attribute", "user_id"),
    [
        ("clerk_id", "user_alice"),
        ("clerk_name", "user_alice"),
        ("named_by_property", "user_alice"),
        ("row", "1"),
        (None, "1"),
    ],
)
def test_the_verifier_is_asked_about_the_attribute(
    codes: Codes, attribute: str | None, user_id: str
) -> None:
    """Of the user, or what its method returns; without one it is ``get_id()``."""
    alice = Person(bank(codes, FlaskLogin(attribute)), "1")

    alice.step_up("right")

    assert codes.asked == [(user_id, "right")]
    assert alice.open("/vault").text == "in"
    assert alice.open("/both").text == "in"


HEADERS: dict[str, dict[str, str]] = {
    "program": {"Accept": "application/json"},
    "htmx": {"HX-Request": "true", "HX-Current-URL": "http://localhost/page"},
    "bearer": {"Authorization": "Bearer api", "Accept": "application/json"},
    "page": {},
}


@pytest.mark.parametrize("kind", HEADERS)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/vault?x=1"),
        ("POST", "/vault"),
        ("GET", "/both"),
        ("GET", "/stepup/?challenge=x"),
        ("POST", "/stepup/"),
        ("GET", "/stepup/status"),
    ],
)
def test_nobody_is_answered_as_without_an_attribute(
    codes: Codes, kind: str, method: str, path: str
) -> None:
    """By Flask-Login, where that answers; to the last header."""
    # Flask-Login leaves a message in the session, whose cookie has the time.
    with time_machine.travel(time.time(), tick=False):
        answers = [
            Person(bank(codes, loader)).open(path, method, headers=HEADERS[kind])
            for loader in (FlaskLogin(attribute="clerk_id"), FlaskLogin(), None)
        ]

    told = {(a.status, a.text, *sorted(a.headers.items())) for a in answers}
    assert len(told) == 1
    # ``login_required`` leads programs to a page as well.
    is_led = path == "/both" or (kind == "page" and "status" not in path)
    assert answers[0].status_code == (302 if is_led else 401)
    if is_led:
        assert answers[0].location.startswith("/login?next=")


def test_who_is_anonymous_is_nobody_whatever_they_have(app: Flask) -> None:
    """An app may put an attribute on its anonymous user, too."""
    app.login_manager.anonymous_user = Stranger  # type: ignore[attr-defined]

    assert Person(app).json("/vault").status_code == 401


@pytest.mark.parametrize("number", ["3", "4"])
@pytest.mark.parametrize("attribute", ["clerk_id", "clerk_name", "clark_id"])
@pytest.mark.parametrize("path", ["/vault", "/stepup/status", "/stepup/?challenge=x"])
def test_a_user_without_the_attribute_is_an_error(
    codes: Codes, number: str, attribute: str, path: str
) -> None:
    """It names attribute and mend, and nobody else is asked about."""
    app = bank(codes, FlaskLogin(attribute), PROPAGATE_EXCEPTIONS=True)
    person = Person(app, number)

    with pytest.raises(ConfigurationError) as raised:
        person.open(path)

    assert attribute in str(raised.value)
    assert "FlaskLogin" in str(raised.value)
    assert codes.asked == []


def test_the_other_users_of_such_an_app_go_on(codes: Codes) -> None:
    """One that was never told to Clerk gets a 500, and nobody else does."""
    app = bank(codes, FlaskLogin("clerk_id"))
    carol = Person(app, "3")
    assert carol.open("/vault").status_code == 500
    assert carol.open("/login").text == "log in"

    Person(app, "1").step_up("right")


@pytest.mark.parametrize("attribute", ["", "clerk id", 3, "a.b"])
def test_an_attribute_that_can_be_none_is_refused_at_start(attribute: Any) -> None:
    """Not at the first request."""
    with pytest.raises(ConfigurationError, match="attribute="):
        FlaskLogin(attribute)


def test_logging_out_forgets(alice: Person) -> None:
    """Promise 3: a cookie of before the logout opens nothing."""
    alice.step_up("right")
    cookie = alice.cookie()
    assert alice.open("/logout", "POST").text == "out"
    assert alice.open("/vault").status_code == 302

    alice.put_back(cookie)

    assert alice.json("/vault").json["cause"] == "revoked"


def test_who_comes_after_another_in_one_browser_proves_it_anew(
    alice: Person, codes: Codes
) -> None:
    """Promise 1: and the verifier is asked about them."""
    waiting = alice.prompted()
    alice.step_up("right")
    alice.open("/sign-in/2")

    assert alice.json("/vault").json["cause"] == "missing"
    assert alice.answer(waiting, "right again").status_code == 400
    alice.step_up("right of bob")
    assert codes.asked[-1] == ("user_bob", "right of bob")


def test_what_is_remembered_of_a_sign_in_is_no_second_factor(alice: Person) -> None:
    """Flask-Login's "remember me" brings the person back, and no marker."""
    alice.step_up("right")
    alice.client.delete_cookie("session")

    assert alice.json("/vault").json["cause"] == "missing"
    alice.step_up("right again")
    assert alice.open("/vault").text == "in"


def test_revoking_is_by_the_name_that_the_verifier_knows(
    app: Flask, alice: Person
) -> None:
    """As ``unlock`` is: they take what the attribute has."""
    alice.step_up("right")
    with app.app_context():
        gate = app.extensions["stepup"]
        gate.revoke("1")
        assert alice.open("/vault").text == "in"
        gate.revoke("user_alice")
    assert alice.json("/vault").json["cause"] == "revoked"


def test_an_app_without_flask_login_is_told_so(codes: Codes, tmp_path: Path) -> None:
    """Rather than everybody being nobody."""
    app = Flask("bank", instance_path=str(tmp_path))
    app.config.update(SECRET_KEY="k" * 32, STEPUP_STORAGE_URI="memory://")
    app.config.update(PROPAGATE_EXCEPTIONS=True)
    StepUp(app, verifier=codes, subject_loader=FlaskLogin("clerk_id"))
    app.add_url_rule("/vault", "vault", require_reverification(lambda: "in"))

    with pytest.raises(ConfigurationError, match="set Flask-Login up"):
        app.test_client().get("/vault")

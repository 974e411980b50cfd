"""Clients with a bearer token and no cookies: markers in their own keeping."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine
from conftest import MakeApp
from flask import Flask
from flask import request
from flask import session
from flask_login import login_user
from flask_login import LoginManager
from flask_login import UserMixin
from people import Codes
from people import Person
from people import Prompt
from werkzeug.test import TestResponse

from flask_stepup import require_reverification
from flask_stepup import StepUp
from flask_stepup import Subject


@pytest.fixture(name="stepup")
def _stepup(codes: Codes) -> StepUp:
    return StepUp(verifier=codes, subject_loader=subject)


def subject() -> Subject | None:
    """Who a token names, as ``user session``; without one, who has signed in."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        user_id = session.get("user_id")
        return Subject(user_id, "s1") if user_id else None
    user_id, _, session_id = token.partition(" ")
    return Subject(user_id, session_id or None)


@pytest.fixture(name="app")
def _app(make_app: MakeApp, stepup: StepUp) -> Flask:
    return with_routes(make_app(stepup=stepup), stepup)


def with_routes(app: Flask, stepup: StepUp) -> Flask:
    for scope in ("payments", "keys"):
        view = require_reverification(scope=scope)(lambda: "in")
        app.add_url_rule(f"/{scope}", scope, view)
    app.add_url_rule("/forget", "forget", lambda: str(stepup.forget()))
    app.add_url_rule("/grant", "grant", lambda: {"marker": stepup.grant()})
    both = require_reverification("strict_mfa")(lambda: "in")
    app.add_url_rule("/both", "both", both)
    app.add_url_rule(
        "/grant-first",
        "grant-first",
        lambda: {"marker": stepup.grant("first_factor")},
    )
    return app


class Client:
    """A program that sends a token, and a marker when it is told one."""

    def __init__(self, app: Flask, token: str = "alice s1") -> None:
        self.client = app.test_client(use_cookies=False)
        self.headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str = "/vault", marker: str = "") -> TestResponse:
        marked = {"Stepup-Marker": marker} if marker else {}
        return self.client.get(path, headers=self.headers | marked)

    def opens(self, path: str, marker: str = "") -> bool:
        response = self.get(path, marker)
        assert "Set-Cookie" not in response.headers
        return response.status_code == 200

    def verify(self, challenge: str, code: str = "right", **more: Any) -> TestResponse:
        sent = {"challenge": challenge, "code": code}
        return self.client.post("/stepup/", json=sent, headers=self.headers | more)

    def marker(self, path: str = "/vault", code: str = "right") -> str:
        response = self.verify(self.get(path).json["challenge"], code)
        assert response.status_code == 200, response.text
        return str(response.json["marker"])


def test_the_way_of_a_bearer(app: Flask) -> None:
    """Refused, verified, and let in with the marker, without a cookie on the way."""
    client = Client(app)

    answer = client.verify(client.get().json["challenge"])

    assert answer.status_code == 200
    assert answer.json["expires_in"] in (599, 600)
    assert answer.json | {"marker": "…", "expires_in": 0} == {
        "verified": True,
        "code_type": "backup_code",
        "expires_in": 0,
        "marker": "…",
    }
    assert "Set-Cookie" not in answer.headers
    assert client.opens("/vault", answer.json["marker"])
    assert not client.opens("/vault")


def test_a_marker_of_a_bearer_is_bound(app: Flask) -> None:
    """Promise 1: to user, session and scope; and it is no token of another use."""
    alice = Client(app)
    marker = alice.marker()
    challenge = alice.get().json["challenge"]

    assert not Client(app, "bob s1").opens("/vault", marker)
    assert not Client(app, "alice s2").opens("/vault", marker)
    assert not Client(app, "alice").opens("/vault", marker)
    assert not alice.opens("/payments", marker)
    assert not alice.opens("/vault", challenge)
    assert not alice.opens("/vault", marker[:-1] + ("A" if marker[-1] != "A" else "B"))
    assert not alice.opens("/vault", "no marker at all, é")


def test_a_challenge_of_a_bearer_is_bound(app: Flask, codes: Codes) -> None:
    """Promise 1: nobody else answers it, nor does the same person in a browser."""
    challenge = Client(app).get().json["challenge"]
    browser = Person(app, "alice")
    in_browser = browser.json().json["challenge"]

    for other in ("bob s1", "alice s2", "alice"):
        refused = Client(app, other).verify(challenge)
        assert refused.json["code"] == "challenge_invalid"
    sent = {"challenge": challenge, "code": "right"}
    answered = browser.client.post("/stepup/", json=sent)
    assert answered.json["code"] == "challenge_invalid"
    assert Client(app).verify(in_browser).json["code"] == "challenge_invalid"
    assert codes.asked == []


def test_session_markers_do_not_count_for_a_bearer(app: Flask) -> None:
    """A token does not become fresh because of a cookie that comes along."""
    browser = Person(app, "alice")
    browser.step_up("right")
    assert browser.json().status_code == 200
    headers = {"Authorization": "Bearer alice s1"}

    assert browser.json(headers=headers).status_code == 401
    marker = Client(app).marker(code="right, and another")
    assert browser.json("/vault", headers={"Stepup-Marker": marker}).status_code == 200
    other = Person(app, "alice")
    assert other.json("/vault", headers={"Stepup-Marker": marker}).status_code == 403


def test_several_markers_lie_side_by_side(app: Flask) -> None:
    """One header carries those of several scopes, in any order, rubbish between."""
    client = Client(app)
    markers = [client.marker(f"/{scope}", f"right {scope}") for scope in SCOPES]

    sent = f" {markers[1]} ,,x, {markers[0]},{markers[1]}"

    assert client.opens("/payments", sent)
    assert client.opens("/keys", sent)
    assert not client.opens("/vault", sent)


SCOPES = ("payments", "keys")


def test_without_a_session_nothing_can_be_kept(
    app: Flask, codes: Codes, caplog: pytest.LogCaptureFixture
) -> None:
    """A token that names no session gets no marker, and spends no code for none."""
    client = Client(app, "alice")

    answer = client.verify(client.get().json["challenge"])

    assert (answer.status_code, answer.json["code"]) == (503, "verifier_unavailable")
    assert "marker" not in answer.json
    assert codes.asked == []
    assert "session_id" in caplog.text
    assert client.get("/grant").json == {"marker": None}


@pytest.mark.parametrize("order", ["old, new", "new, old", "x, old, new"])
def test_of_several_markers_of_one_scope_the_newest_counts(
    app: Flask, order: str
) -> None:
    """A client that only ever appends is let in all the same."""
    with time_machine.travel(1_900_000_000, tick=False) as clock:
        client = Client(app)
        markers = {"old": client.marker(code="right, once"), "x": "x"}
        clock.shift(700)
        markers["new"] = client.marker(code="right, twice")
        sent = ",".join(markers[name] for name in order.split(", "))

        assert client.opens("/vault", sent)


def test_a_bearer_header_makes_no_browsers_session_portable(
    make_app: MakeApp, codes: Codes
) -> None:
    """Promise 3: Flask-Login's id of a sign-in is the same for all of a browser's.

    A marker bound to it would outlive the logout.
    """
    stepup = StepUp(verifier=codes)
    app = make_app(stepup=stepup)
    manager = LoginManager(app)

    class User(UserMixin):
        id = "alice"

    manager.user_loader(lambda user_id: User())
    app.add_url_rule("/log-in", "log-in", lambda: str(login_user(User())))
    browser = Person(app)
    browser.json("/log-in")
    headers = {"Authorization": "Bearer anything"}

    challenge = browser.json(headers=headers).json["challenge"]
    sent = {"challenge": challenge, "code": "right"}
    answer = browser.client.post("/stepup/", json=sent, headers=headers)

    assert answer.status_code == 503
    assert codes.asked == []


def test_a_marker_from_the_future_is_not_carried_on(app: Flask) -> None:
    """Promise 2: a right code leads on, whatever a wrong clock once stamped.

    Its times go into no other marker, and it takes no other's place.
    """
    with time_machine.travel(1_900_003_600, tick=False) as clock:
        client = Client(app)
        ahead = client.get("/grant-first").json["marker"]
        clock.shift(-3_600)
        challenge = client.get("/vault", ahead).json["challenge"]
        answer = client.verify(challenge, **{"Stepup-Marker": ahead})
        marker = answer.json["marker"]

        assert answer.json["expires_in"] == 600
        assert client.opens("/vault", marker)
        assert client.opens("/vault", f"{ahead},{marker}")
        assert not client.opens("/both", marker)


def test_htmx_is_a_browser_whatever_it_sends(app: Flask) -> None:
    """Where HTMX adds a bearer token too, the session keeps the marker."""
    browser = Person(app, "alice")
    headers = {"Authorization": "Bearer alice s1", "HX-Request": "true"}
    url = browser.json("/vault", headers=headers).headers["HX-Redirect"]

    done = browser.answer(Prompt(browser.open(url)), "right")

    assert done.status_code == 303
    assert browser.json("/vault", headers=headers).status_code == 200
    del headers["HX-Request"]
    assert browser.json("/vault", headers=headers).status_code == 401


def test_a_marker_of_a_bearer_expires(app: Flask) -> None:
    """Promise 2: its age counts from the code, however often it is used."""
    with time_machine.travel(1_900_000_000, tick=False) as clock:
        client = Client(app)
        marker = client.marker()
        clock.shift(599)
        assert client.opens("/vault", marker)
        clock.shift(1)
        refused = client.get("/vault", marker)

    assert (refused.status_code, refused.json["cause"]) == (401, "expired")


@pytest.mark.parametrize("how", ["forget", "revoke"])
def test_a_forgotten_marker_opens_nothing(app: Flask, how: str) -> None:
    """Promise 3: the marker is out in the world, and void."""
    client, elsewhere = Client(app), Client(app, "alice s2")
    marker = client.marker()
    theirs = elsewhere.marker(code="right, too")
    if how == "revoke":
        with app.app_context():
            app.extensions["stepup"].revoke("alice")
    else:
        assert client.get("/forget").status_code == 200

    refused = client.get("/vault", marker)

    assert (refused.status_code, refused.json["cause"]) == (401, "revoked")
    assert elsewhere.opens("/vault", theirs) is (how == "forget")
    assert client.opens("/vault", client.marker(code="right again"))


def test_what_one_ends_in_a_browser_ends_for_its_tokens(app: Flask) -> None:
    """Promise 3: markers that are bound to the same session at the provider go too."""
    client, browser = Client(app), Person(app, "alice")
    marker = client.marker()

    browser.json("/forget")

    assert client.get("/vault", marker).json["cause"] == "revoked"
    assert client.opens("/vault", client.marker(code="right again"))


def test_a_revocation_meanwhile_is_not_outlived(app: Flask, codes: Codes) -> None:
    """Promise 3: what is ended while the code is checked stays ended."""
    client = Client(app)
    challenge = client.get().json["challenge"]
    ledger = app.extensions["stepup"].ledger
    codes.meanwhile = lambda: ledger.revoke_user("alice", "s1")

    refused = client.verify(challenge)

    assert refused.json["code"] == "challenge_invalid"


def test_granting_gives_a_bearer_its_marker(app: Flask) -> None:
    """A sign-in that has just checked a code hands the marker over itself."""
    client = Client(app)
    marker = client.get("/grant").json["marker"]

    assert client.opens("/vault", marker)
    assert Person(app, "alice").json("/grant").json == {"marker": None}


def test_factors_add_up(app: Flask) -> None:
    """What the marker that is sent along proves goes into the one that is given."""
    client = Client(app)
    first = client.get("/grant-first").json["marker"]
    refused = client.get("/both", first)

    both = client.verify(refused.json["challenge"], **{"Stepup-Marker": first}).json[
        "marker"
    ]

    assert client.opens("/both", both)
    assert not client.opens("/both", first)


@pytest.mark.parametrize(
    ("challenge", "code", "problem", "status"),
    [
        ("", "right", "challenge_invalid", 400),
        (None, "", "code_missing", 400),
        (None, "wrong", "incorrect_code", 422),
    ],
)
def test_a_bearers_problems_are_json(
    app: Flask, challenge: str | None, code: str, problem: str, status: int
) -> None:
    """Also where it says that it would take a page."""
    client = Client(app)
    if challenge is None:
        challenge = client.get().json["challenge"]
    answer = client.client.post(
        "/stepup/",
        data={"challenge": challenge, "code": code},
        headers=client.headers | {"Accept": "text/html"},
    )

    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"
    assert answer.json["code"] == problem


def test_nobody_at_verify(app: Flask, stepup: StepUp) -> None:
    """A token that names nobody is told so, as RFC 6750 has it."""
    stepup.subject_loader(lambda: None)

    answer = Client(app).verify("x")

    assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'

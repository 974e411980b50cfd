"""``GET /stepup/status``: where the signed-in person stands."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine
from conftest import MakeApp
from flask import Flask
from flask import request
from people import Codes
from people import PAGE
from people import Person

from flask_stepup import require_reverification
from flask_stepup import StepUp
from flask_stepup import Subject

NOW = 1_900_000_000
NOTHING = {
    "reverified": False,
    "level": "second_factor",
    "verified_at": None,
    "expires_in": 0,
}


def status(person: Person, scope: str | None = None, **headers: str) -> Any:
    query = {} if scope is None else {"scope": scope}
    return person.client.get("/stepup/status", query_string=query, headers=headers)


def test_before_and_after_a_code(app: Flask) -> None:
    """What was proved when, and for how long it serves."""
    with time_machine.travel(NOW, tick=False) as clock:
        alice = Person(app, "alice")
        before = status(alice).json
        alice.step_up("right")
        after = status(alice).json
        clock.shift(599)
        later = status(alice).json
        clock.shift(1)
        expired = status(alice).json

    assert before == NOTHING
    assert after == {
        "reverified": True,
        "level": "second_factor",
        "verified_at": NOW,
        "expires_in": 600,
    }
    assert later == after | {"expires_in": 1}
    assert expired == after | {"reverified": False, "expires_in": 0}


def test_each_scope_has_its_own(app: Flask) -> None:
    """The default policy, in the scope that was asked for."""
    view = require_reverification(scope="payments")(lambda: "in")
    app.add_url_rule("/pay", "pay", view)
    alice = Person(app, "alice")
    alice.step_up("right", "/pay")

    assert status(alice, "payments").json["reverified"]
    assert not status(alice).json["reverified"]
    assert not status(alice, "").json["reverified"]
    assert not status(alice, "pay").json["reverified"]


@pytest.mark.parametrize("scope", ["x" * 65, "a\nb", "\x00"])
def test_a_scope_that_cannot_be(alice: Person, scope: str) -> None:
    """Nothing was ever proved in a scope that no policy can have."""
    assert status(alice, scope).json == NOTHING


def test_it_is_the_apps_own_preset(make_app: MakeApp) -> None:
    """The level is that of ``STEPUP_PRESET``."""
    alice = Person(make_app(STEPUP_PRESET="strict_mfa"), "alice")

    assert status(alice).json == NOTHING | {"level": "multi_factor"}


@pytest.mark.parametrize("headers", [{}, PAGE, {"HX-Request": "true"}])
def test_nobody_gets_401_as_json(app: Flask, headers: dict[str, str]) -> None:
    """Also where it is a page that asks, and there is a sign-in to go to."""
    answer = status(Person(app), **headers)

    assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")
    assert answer.headers["Cache-Control"] == "no-store"


def test_it_is_not_stored_and_changes_nothing(alice: Person) -> None:
    """No cookie, no nonce, and nothing for a cache."""
    answer = status(alice)

    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"
    assert "cookie" in answer.vary.as_set()


def test_claims_and_bearer_markers_count(make_app: MakeApp, codes: Codes) -> None:
    """It sees what the guard sees."""

    def subject() -> Subject:
        ages = request.headers.get("Ages")
        return Subject("alice", "s1", [int(a) for a in ages.split()] if ages else None)

    stepup = StepUp(verifier=codes, subject_loader=subject)
    somebody = Person(make_app(stepup=stepup))
    bearer = {"Authorization": "Bearer x"}
    with time_machine.travel(NOW, tick=False):
        claimed = status(somebody, Ages="0 9").json
        scoped = status(somebody, "payments", Ages="0 0").json
        challenge = somebody.json(headers=bearer).json["challenge"]
        sent = {"challenge": challenge, "code": "right"}
        marker = somebody.client.post("/stepup/", json=sent, headers=bearer).json[
            "marker"
        ]
        marked = status(somebody, **bearer, **{"Stepup-Marker": marker}).json

    assert claimed == {
        "reverified": True,
        "level": "second_factor",
        "verified_at": NOW - 540,
        "expires_in": 60,
    }
    assert scoped == NOTHING
    assert marked == claimed | {"verified_at": NOW, "expires_in": 600}


def test_impersonated(make_app: MakeApp, codes: Codes) -> None:
    """Who acts for somebody else meets no policy."""
    stepup = StepUp(
        verifier=codes, subject_loader=lambda: Subject("alice", impersonated=True)
    )
    answer = status(Person(make_app(stepup=stepup)))

    assert (answer.status_code, answer.json) == (200, NOTHING)

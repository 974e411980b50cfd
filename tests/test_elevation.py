"""Elevation: granted, bound, forgotten, revoked; promises 1, 2 and 3."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import time_machine
from conftest import MakeApp
from conftest import signed_in
from flask import Flask
from flask import session
from people import Codes
from people import Person

from flask_stepup import ConfigurationError
from flask_stepup import require_reverification
from flask_stepup import StepUp
from flask_stepup import Subject
from flask_stepup import Verification
from flask_stepup.errors import LedgerUnavailable
from flask_stepup.signals import elevation_revoked


@pytest.fixture(name="app")
def _app(make_app: MakeApp, stepup: StepUp) -> Flask:
    app = make_app(stepup=stepup)

    @app.post("/grant/<level>")
    def grant(level: str) -> str:
        stepup.grant(level, scope="")  # type: ignore[arg-type]
        return "granted"

    @app.post("/sign-out")
    def sign_out() -> str:
        stepup.forget()
        session.pop("user_id", None)
        return "signed out"

    guard = require_reverification("strict_mfa")
    app.add_url_rule("/both", "both", guard(lambda: "both"))
    return app


def test_a_factor_checked_at_sign_in_is_granted(alice: Person) -> None:
    """``grant`` stamps the marker without a prompt."""
    alice.open("/grant/second_factor", "POST")

    assert alice.open("/vault").status_code == 200


def test_grants_of_both_factors_add_up(alice: Person) -> None:
    """A marker keeps the time of a factor that is not proved anew."""
    alice.open("/grant/second_factor", "POST")
    assert alice.open("/both").status_code == 403

    alice.open("/grant/first_factor", "POST")
    assert alice.open("/both").text == "both"


def test_a_grant_of_both_factors_opens_both(alice: Person) -> None:
    """``multi_factor`` stamps the two."""
    alice.open("/grant/multi_factor", "POST")

    assert alice.open("/both").text == "both"


def test_granting_nonsense_or_to_nobody_is_refused(app: Flask, alice: Person) -> None:
    """An unknown level is a mistake; nobody signed in is 401."""
    app.testing = True
    with pytest.raises(ConfigurationError, match="'multi_factor'"):
        alice.open("/grant/third_factor", "POST")

    assert Person(app).open("/grant/second_factor", "POST").status_code == 401


def test_forgotten_is_gone(alice: Person) -> None:
    """Promise 3: after ``forget()`` no old cookie opens the gate."""
    alice.step_up("right")
    cookie = alice.cookie()
    alice.open("/sign-out", "POST")

    alice.put_back(cookie)

    assert alice.open("/vault").status_code == 303
    assert alice.json().json["cause"] == "missing"  # by now the nonce is a new one
    alice.put_back(cookie)
    assert alice.json().json["cause"] == "revoked"
    assert alice.step_up("right again").location == "/vault"
    assert alice.open("/vault").status_code == 200


def test_forgetting_leaves_other_sessions_alone(alice: Person) -> None:
    """A person signs out in one browser, and goes on in another."""
    other = Person(alice.app, "alice")
    other.step_up("right")
    alice.step_up("right too")
    alice.open("/sign-out", "POST")

    assert other.open("/vault").status_code == 200


def test_forgetting_nothing_writes_nothing(alice: Person) -> None:
    """A sign-out without elevation leaves no trace in the ledger or the signals."""
    told = []

    def receiver(sender: object, user_id: object) -> None:
        told.append(user_id)

    with elevation_revoked.connected_to(receiver, alice.app):
        alice.open("/sign-out", "POST")

    assert told == []


def test_an_open_prompt_does_not_outlive_the_sign_out(
    alice: Person, codes: Codes
) -> None:
    """What was asked before ``forget()`` cannot be answered after it, or shown."""
    prompt = alice.prompted()
    cookie = alice.cookie()
    alice.open("/sign-out", "POST")
    alice.put_back(cookie)

    response = alice.answer(prompt, "right")

    assert response.status_code == 400
    assert "start again" in response.text
    assert codes.asked == []
    alice.put_back(cookie)
    assert alice.open(f"/stepup/?challenge={prompt.challenge}").status_code == 400


def test_revoking_a_user_lets_an_open_prompt_be_answered(
    alice: Person, stepup: StepUp
) -> None:
    """``revoke`` ends what was proved; the next proof may come from an open page."""
    prompt = alice.prompted()
    alice.step_up("right")
    with alice.app.app_context():
        stepup.revoke("alice")

    assert alice.answer(prompt, "right again").status_code == 303
    assert alice.open("/vault").status_code == 200


@pytest.mark.parametrize("user_id", ["alice", 7])
def test_revoked_users_are_asked_everywhere(
    app: Flask, stepup: StepUp, user_id: str | int
) -> None:
    """Promise 3: ``revoke(user_id)`` ends each session's elevation, and no more."""
    first, second, bob = (Person(app, str(u)) for u in (user_id, user_id, "bob"))
    for number, person in enumerate((first, second, bob)):
        person.step_up(f"right {number}")
    cookie = first.cookie()
    told = []

    def receiver(sender: object, user_id: object) -> None:
        told.append(user_id)

    with app.app_context(), elevation_revoked.connected_to(receiver, app):
        stepup.revoke(user_id)

    assert told == [str(user_id)]
    assert [p.open("/vault").status_code for p in (first, second, bob)] == [
        303,
        303,
        200,
    ]
    assert second.json().json["cause"] == "revoked"
    first.step_up("right anew")
    assert first.open("/vault").status_code == 200
    first.put_back(cookie)
    assert first.json().json["cause"] == "revoked"


@pytest.mark.parametrize("ending", ["revoke", "forget"])
def test_what_is_ended_while_a_code_is_checked_is_not_granted(
    make_app: MakeApp, ending: str
) -> None:
    """Promise 3: a revocation in the middle of a verification holds."""

    def slow(user_id: str, code: str) -> Verification:
        if code == "slow":
            if ending == "revoke":
                stepup.revoke("alice")
            else:
                stepup.forget()
        return Verification()

    stepup = StepUp(verifier=slow, subject_loader=signed_in)
    alice = Person(make_app(stepup=stepup), "alice")

    assert alice.answer(alice.prompted(), "slow").status_code == 400
    assert alice.open("/vault").status_code == 303
    alice.step_up("another")
    assert alice.open("/vault").status_code == 200


def test_unlock_lifts_a_lock_out(app: Flask, stepup: StepUp, alice: Person) -> None:
    """Support can let a person try again at once."""
    prompt = alice.prompted()
    for n in range(5):
        alice.answer(prompt, f"wrong {n}")
    assert alice.answer(prompt, "right").status_code == 429

    with app.app_context():
        stepup.unlock("alice")

    assert alice.answer(prompt, "right").status_code == 303


@pytest.mark.parametrize(
    ("age", "opens"), [(-11, False), (-10, True), (-1, True), (599, True), (600, False)]
)
def test_freshness_is_absolute(alice: Person, age: int, opens: bool) -> None:
    """Promise 2: open while ``-leeway <= now - verified_at < max_age``."""
    now = int(time.time())
    with time_machine.travel(now, tick=False) as clock:
        alice.client.get("/sign-in/alice")
        alice.open("/vault")
        # Stamped in a session whose cookie is older: Flask's own has no leeway.
        clock.move_to(now + 50)
        with alice.client.session_transaction() as state:
            old = dict(state)
        alice.step_up("right")
        with alice.client.session_transaction() as state:
            stamped = dict(state)
        clock.move_to(now)
        with alice.client.session_transaction() as state:
            state.update(stamped)
        clock.move_to(now + 50 + age)

        assert "_stepup" not in old
        assert (alice.open("/vault").status_code == 200) is opens


def test_the_window_does_not_slide(alice: Person) -> None:
    """Promise 2: using the elevation does not prolong it."""
    start = time.time()
    with time_machine.travel(start, tick=False) as clock:
        alice.step_up("right")
        for second in range(0, 600, 60):
            clock.move_to(start + second)
            assert alice.open("/vault").status_code == 200
        clock.move_to(start + 600)

        assert alice.json().json["cause"] == "expired"


def test_a_marker_from_the_future_is_refused_and_logged(
    alice: Person, caplog: pytest.LogCaptureFixture
) -> None:
    """A host whose clock is far ahead stamps what no other takes."""
    now = time.time()
    with time_machine.travel(now, tick=False) as clock:
        alice.open("/vault")
        alice.step_up("right")
        with alice.client.session_transaction() as state:
            stamped = dict(state)
        clock.move_to(now - 60)
        with alice.client.session_transaction() as state:
            state.update(stamped)

        assert alice.open("/vault").status_code == 303
    assert "s in the future" in caplog.text


def test_at_most_eight_markers_stay_and_the_eldest_go(make_app: MakeApp) -> None:
    """The session does not grow with the number of scopes."""
    app = make_app()
    for number in range(10):
        guard = require_reverification(scope=f"s{number}")
        app.add_url_rule(f"/s{number}", f"s{number}", guard(lambda: "in"))
    alice = Person(app, "alice")
    start = time.time()

    with time_machine.travel(start, tick=False) as clock:
        for number in range(10):
            clock.move_to(start + number)
            alice.step_up(f"right {number}", f"/s{number}")
        with alice.client.session_transaction() as state:
            kept = sorted(state["_stepup"])

        assert kept == [f"s{number}" for number in range(2, 10)]
        assert len(alice.cookie()) < 1_500
        assert [alice.open(f"/s{n}").status_code for n in (1, 2)] == [303, 200]


@pytest.mark.parametrize(
    "found", [None, [], "x", {"": 5}, {"": "x.y"}, {"": ""}, {"": None, "s": {}}]
)
def test_whatever_is_found_in_the_session_opens_nothing(
    alice: Person, found: object
) -> None:
    """Keys of ours with foreign content are as if they were not there."""
    with alice.client.session_transaction() as state:
        state["_stepup_sid"] = 5 if found is None else "nonce"
        state["_stepup"] = found

    assert alice.open("/vault").status_code == 303


def test_the_marker_is_small_and_says_nothing(alice: Person) -> None:
    """Well under 100 bytes, bound to what it does not contain."""
    alice.step_up("right")
    with alice.client.session_transaction() as state:
        (token,) = state["_stepup"].values()

    assert len(token) < 90


def test_the_identity_providers_session_is_bound_too(
    codes: Codes, make_app: MakeApp
) -> None:
    """Promise 1: a marker of another session at the identity provider is refused."""
    sessions = ["sess_1"]
    stepup = StepUp(
        verifier=codes, subject_loader=lambda: Subject("alice", sessions[0])
    )
    alice = Person(make_app(stepup=stepup), "alice")
    prompt = alice.prompted()
    alice.step_up("right")

    sessions[0] = "sess_2"

    assert alice.open("/vault").status_code == 303
    assert alice.answer(prompt, "right again").status_code == 400


@pytest.mark.parametrize("allowed", [False, True])
def test_impersonation_is_refused_unless_allowed(
    codes: Codes, make_app: MakeApp, allowed: bool
) -> None:
    """Who acts in another's name cannot step up, and is never asked for a code."""
    stepup = StepUp(
        verifier=codes, subject_loader=lambda: Subject("alice", impersonated=True)
    )
    support = Person(make_app(stepup=stepup, STEPUP_ALLOW_IMPERSONATION=allowed), "x")

    if allowed:
        assert support.step_up("right").location == "/vault"
    else:
        assert support.open("/vault").status_code == 403
        assert support.json().json["code"] == "impersonation_refused"


def test_a_marker_of_another_ledger_is_refused_and_told_once(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    """Promise 1: workers that do not share a ledger ask too often, never too seldom."""
    first = Person(make_app(STEPUP_STORAGE_URI="memory://"), "alice")
    first.step_up("right")
    second = Person(make_app(STEPUP_STORAGE_URI="memory://"))
    prompt = first.prompted("/vault?")
    second.put_back(first.cookie())

    assert second.open("/vault").status_code == 303
    assert second.open("/vault").status_code == 303
    assert caplog.text.count("made with another ledger") == 1
    assert "STEPUP_STORAGE_URI" in caplog.text
    assert prompt.response.status_code == 200


def test_a_challenge_of_another_ledger_is_refused(make_app: MakeApp) -> None:
    """Promise 1: no code is sent for a question that another ledger asked."""
    first = Person(make_app(STEPUP_STORAGE_URI="memory://"), "alice")
    prompt = first.prompted()
    second = Person(make_app(STEPUP_STORAGE_URI="memory://"))
    second.put_back(first.cookie())

    assert second.answer(prompt, "right").status_code == 400


def test_two_workers_share_the_default_ledger(make_app: MakeApp) -> None:
    """SQLite in the instance folder: what one worker grants or ends, all know."""
    uri = "sqlite:///stepup.db"
    one, two = (Person(make_app(STEPUP_STORAGE_URI=uri), "alice") for _ in range(2))
    one.step_up("right")
    two.put_back(one.cookie())
    assert two.open("/vault").status_code == 200

    with one.app.app_context():
        StepUp().revoke("alice")

    assert two.open("/vault").status_code == 303
    assert two.answer(two.prompted(), "right").status_code == 422


def test_changing_the_key_voids_everything_without_an_error(
    make_app: MakeApp,
) -> None:
    """Rotation keeps markers while the old key is a fallback, and no longer."""
    uri = "sqlite:///stepup.db"
    one = Person(make_app(STEPUP_STORAGE_URI=uri), "alice")
    one.step_up("right")
    seen = {}
    for name, config in {
        "rotated": {"SECRET_KEY": "new", "SECRET_KEY_FALLBACKS": ["k" * 32]},
        "changed": {"SECRET_KEY": "new"},
    }.items():
        person = Person(make_app(STEPUP_STORAGE_URI=uri, **config))
        person.put_back(one.cookie())
        seen[name] = person.open("/vault").status_code

    assert seen == {"rotated": 200, "changed": 401}


def test_a_dead_ledger_answers_503_and_opens_nothing(
    make_app: MakeApp, stepup: StepUp, tmp_path: Path
) -> None:
    """Promise 7: guarded routes 503 with Retry-After, the rest goes on."""
    app = make_app(stepup=stepup, STEPUP_STORAGE_URI="sqlite:///stepup.db")
    app.add_url_rule("/maybe", "maybe", lambda: str(stepup.is_reverified()))
    alice = Person(app, "alice")
    prompt = alice.prompted()
    alice.step_up("right")
    assert alice.open("/maybe").text == "True"
    broken = tmp_path / "instance" / "stepup.db"
    app.extensions["stepup"].ledger.close()
    for file in broken.parent.glob("stepup.db*"):
        file.unlink()
    broken.mkdir()

    page, data = alice.open("/vault"), alice.json("/vault")

    assert (page.status_code, data.status_code) == (503, 503)
    assert page.headers["Retry-After"] == data.headers["Retry-After"]
    assert data.json["code"] == "verifier_unavailable"
    assert alice.answer(prompt, "right 2").status_code == 503
    assert alice.open("/open").status_code == 200
    assert alice.open("/maybe").text == "False"
    with app.test_request_context():
        session["_stepup_sid"] = "nonce"
        with pytest.raises(LedgerUnavailable):
            stepup.forget()
        assert "_stepup_sid" not in session

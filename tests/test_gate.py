"""The gate by itself: what it decides, spends, grants, ends, and tells of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context
from typing import Any

import pytest
import time_machine
from blinker import NamedSignal
from conftest import MakeApp
from flask import Flask
from flask import session
from ledgers import remaining
from ledgers import START
from people import Codes

from flask_stepup import ConfigurationError
from flask_stepup import ReverificationRequired
from flask_stepup import StepUp
from flask_stepup import Subject
from flask_stepup.app_gate import current_gate
from flask_stepup.current import real_app
from flask_stepup.errors import Unauthenticated
from flask_stepup.gate import Gate
from flask_stepup.ledger import Limit
from flask_stepup.marker import Operation
from flask_stepup.policy import Policy
from flask_stepup.signals import elevation_revoked
from flask_stepup.signals import reverification_required

ONCE = Policy(once=True)
STANDING = Policy(reason=lambda: "Open the vault", scope="vault")
#: Whom the app of these tests takes everybody for.
ALICE = Subject("alice", session_id="login", factor_ages=(0, -1))


@pytest.fixture(name="app")
def _app(make_app: MakeApp) -> Flask:
    stepup = StepUp(verifier=Codes(), subject_loader=lambda: session.get("who"))
    return make_app(stepup=stepup, STEPUP_CLOCK_LEEWAY=7)


@pytest.fixture
def gate(app: Flask) -> Gate:
    gate: Gate = app.extensions["stepup"]
    return gate


@pytest.fixture(autouse=True)
def _request(app: Flask) -> Iterator[None]:
    with time_machine.travel(START, tick=False):
        with app.test_request_context("/vault", method="POST"):
            session["who"] = ALICE
            yield


@contextmanager
def heard(signal: NamedSignal) -> Iterator[list[Any]]:
    """What the outside is told, and by whom."""
    told: list[Any] = []

    def hear(sender: Flask, **facts: Any) -> None:
        told.append((sender, facts))

    with signal.connected_to(hear):
        yield told


def approve(gate: Gate, challenge_id: str = "id") -> Operation:
    """Approve what the current request is about to do."""
    with pytest.raises(ReverificationRequired) as refusal:
        gate.require(ONCE)
    assert refusal.value.action
    operation = Operation(challenge_id, refusal.value.action.digest)
    gate.elevation.approve(ALICE, operation, gate.standing(ALICE))
    return operation


def test_who_does_not_meet_a_policy_is_refused_and_it_is_told(
    app: Flask, gate: Gate
) -> None:
    """With the reason as text, and the real app as the sender."""
    with heard(reverification_required) as told:
        with pytest.raises(ReverificationRequired) as refusal:
            gate.require(STANDING)
    policy = Policy(reason="Open the vault", scope="vault")
    assert refusal.value.policy == policy
    assert refusal.value.shortfall == (1, "missing", True)
    assert refusal.value.subject == ALICE
    assert refusal.value.action is None
    facts = {"user_id": "alice", "policy": policy, "cause": "missing"}
    assert told == [(app, facts)]
    assert told[0][0] is app


def test_who_meets_a_policy_goes_on(gate: Gate) -> None:
    """As often as they like, and nothing is told."""
    assert not gate.is_met(STANDING)
    assert gate.grant("second_factor", "vault") is None
    with heard(reverification_required) as told:
        for _ in range(2):
            gate.require(STANDING)
            assert gate.is_met(STANDING)
    assert told == []
    assert not gate.is_met(Policy())
    assert not gate.is_met(Policy("multi_factor", scope="vault"))


def test_an_approval_is_spent_by_one_run(app: Flask, gate: Gate) -> None:
    """To look whether there is one spends none; a standing marker is none."""
    gate.grant("second_factor", "")
    assert not gate.is_met(ONCE)
    approve(gate)
    assert gate.is_met(ONCE)
    assert gate.is_met(ONCE)
    gate.require(ONCE)
    kept = dict(session)
    with app.test_request_context("/vault", method="POST"):
        session.update(kept)
        assert not gate.is_met(ONCE)
        with pytest.raises(ReverificationRequired) as refusal:
            gate.require(ONCE)
    assert refusal.value.cause == "spent"
    assert refusal.value.action


def test_an_operation_is_assessed_by_its_own_approval(gate: Gate) -> None:
    """And a policy without one by the standing marker of its scope."""
    gate.grant("second_factor", "vault")
    operation = approve(gate)
    other = operation._replace(id="other")
    assert gate.assess(STANDING, ALICE).shortfall is None
    assert gate.assess(ONCE, ALICE, operation).shortfall is None
    assert gate.assess(ONCE, ALICE, other).shortfall
    assert gate.assess(ONCE, ALICE).shortfall


def test_what_is_spent_is_told_to_who_asks(gate: Gate) -> None:
    """Guarded routes do not, and so look nothing more up than they need."""
    operation = approve(gate)
    gate.require(ONCE)
    assert gate.standing(ALICE).spent == {operation.id}
    for tells_spent, spent in ((True, {operation.id}), (False, set())):
        told = gate.assess(STANDING, ALICE, tells_spent=tells_spent)
        assert told.standing.spent == spent
    assert gate.assess(STANDING, ALICE).standing.spent == set()


def test_a_marker_of_another_ledger_meets_nothing(
    make_app: MakeApp, gate: Gate
) -> None:
    """Promise 1: it is as if it were not there."""
    gate.grant("second_factor", "vault")
    other: Gate = make_app().extensions["stepup"]
    assert gate.assess(STANDING, ALICE).shortfall is None
    assert other.assess(STANDING, ALICE).shortfall == (1, "missing", True)


def test_a_claim_is_taken_as_the_settings_say(make_app: MakeApp, gate: Gate) -> None:
    """Where the first factor stands in for the second, it does."""
    assert gate.assess(Policy(), ALICE).shortfall
    lax: Gate = make_app(STEPUP_FACTOR_DOWNGRADE=True).extensions["stepup"]
    assert lax.assess(Policy(), ALICE).shortfall is None


def test_nobody_is_let_near(gate: Gate) -> None:
    """Who is not signed in meets no policy, and is granted nothing."""
    session.clear()
    for step in (
        gate.subject,
        lambda: gate.require(Policy()),
        lambda: gate.is_met(Policy()),
        lambda: gate.grant("second_factor", ""),
        lambda: gate.expired_subject(60),
    ):
        with pytest.raises(Unauthenticated):
            step()
    assert not session


def test_who_was_asking_is_remembered_for_as_long_as_is_asked(
    make_app: MakeApp,
) -> None:
    """By the loader, which is told how long."""

    class Loader:
        def __call__(self) -> None:
            return None

        def expired_subject(self, max_age: float) -> Subject | None:
            return ALICE if max_age == 60 else None

        def named_subjects(self, max_age: float) -> list[Subject]:
            return []

    stepup = StepUp(verifier=Codes(), subject_loader=Loader())
    gate: Gate = make_app(stepup=stepup).extensions["stepup"]
    assert gate.expired_subject(60) == ALICE
    with pytest.raises(Unauthenticated):
        gate.expired_subject(61)


def test_a_grant_in_a_session_that_was_ended_begins_another(gate: Gate) -> None:
    """Promise 3: an old cookie that was put back opens nothing by being used."""
    gate.grant("second_factor", "vault")
    nonce = session["_stepup_sid"]
    gate.ledger.revoke_session(nonce)
    gate.grant("second_factor", "vault")
    assert session["_stepup_sid"] != nonce
    gate.require(STANDING)


def test_a_grant_drops_what_is_spent(gate: Gate) -> None:
    """It leaves the cookie, which has little room."""
    approve(gate)
    gate.require(ONCE)
    gate.grant("second_factor", "vault")
    assert list(session["_stepup"]) == ["vault"]


def test_a_bearer_is_granted_a_token(app: Flask, gate: Gate) -> None:
    """Which it keeps itself."""
    headers = {"Authorization": "Bearer x"}
    with app.test_request_context("/vault", method="POST", headers=headers):
        session["who"] = ALICE
        token = gate.grant("second_factor", "vault")
    assert token
    headers["Stepup-Marker"] = token
    with app.test_request_context("/vault", method="POST", headers=headers):
        session["who"] = ALICE
        gate.require(STANDING)


def test_forgetting_ends_this_session_and_is_told(
    app: Flask, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    """Once: where there is nothing to end any more, nothing is told."""
    caplog.set_level("INFO", "flask_stepup")
    session["who"] = "alice"
    gate.grant("second_factor", "vault")
    kept = dict(session)
    with heard(elevation_revoked) as told:
        gate.forget()
        assert not gate.is_met(STANDING)
        session.clear()
        gate.forget()
    assert told == [(app, {"user_id": None})]
    assert told[0][0] is app
    assert len([line for line in caplog.messages if "elevation" in line]) == 1
    session.update(kept)
    assert not gate.is_met(STANDING)


def test_what_a_receiver_grants_is_not_dropped_with_an_old_session(
    app: Flask, gate: Gate
) -> None:
    """What is revoked of a session says nothing of the one that has begun since."""
    session["who"] = "alice"
    gate.grant("second_factor", "vault")
    kept = dict(session)
    gate.forget()
    session.update(kept)

    def grant(sender: Flask, **_: Any) -> None:
        gate.elevation.bind(gate.subject())
        gate.grant("second_factor", "vault")

    with reverification_required.connected_to(grant, app):
        with pytest.raises(ReverificationRequired) as refused:
            gate.require(STANDING)
    gate.elevation.bind(gate.subject(), refused.value.told)
    assert gate.is_met(STANDING)


def test_forgetting_ends_the_login_too(gate: Gate) -> None:
    """What a claim proves, and whatever was granted to bearers of that login."""
    before = gate.standing(ALICE).generation
    gate.forget()
    assert gate.standing(ALICE).generation != before


def test_there_is_nothing_to_forget_without_a_request(app: Flask, gate: Gate) -> None:
    """A shell has no session."""

    def forget() -> None:
        with app.app_context():
            gate.forget()

    with heard(elevation_revoked) as told:
        Context().run(forget)
    assert told == []


@pytest.mark.parametrize("user_id", ["alice", "7", 7])
def test_a_revoked_user_meets_nothing(
    app: Flask, gate: Gate, user_id: str | int
) -> None:
    """Anywhere, and it is told, by the text of the id."""
    subject = Subject(user_id)
    session["who"] = user_id
    gate.grant("second_factor", "vault")
    with heard(elevation_revoked) as told:
        gate.revoke(user_id)
    assert told == [(app, {"user_id": str(user_id)})]
    assert told[0][0] is app
    assert gate.assess(STANDING, subject).shortfall == (1, "revoked", True)


@pytest.mark.parametrize("user_id", ["alice", 7])
def test_unlock_gives_all_attempts_back(gate: Gate, user_id: str | int) -> None:
    """To this user alone."""
    limit = Limit(2, 300)
    for user in (str(user_id), "bob"):
        assert remaining(gate.ledger, user, limit) == 1
    gate.unlock(user_id)
    assert remaining(gate.ledger, str(user_id), limit) == 1
    assert remaining(gate.ledger, "bob", limit) == 0


def test_the_leeway_is_the_settings(gate: Gate) -> None:
    """For markers that are ahead, and for a clock that is set back."""
    with time_machine.travel(START + 7, tick=False):
        gate.grant("second_factor", "vault")
        gate.require(STANDING)
    before = gate.ledger.id
    gate.require(STANDING)
    with time_machine.travel(START - 1, tick=False):
        assert not gate.is_met(STANDING)
    assert gate.ledger.id == before
    with time_machine.travel(START - 3, tick=False):
        assert not gate.is_met(STANDING)
    assert gate.ledger.id != before


def test_an_app_without_a_gate_is_told_what_to_call() -> None:
    """Whatever else lies in the place of it."""
    app = Flask("another")
    for extensions in ({}, {"stepup": "something else"}):
        app.extensions = extensions
        with app.app_context():
            with pytest.raises(ConfigurationError, match=r"call StepUp\(app\)"):
                current_gate()


def test_the_current_gate_is_the_apps(app: Flask, gate: Gate) -> None:
    """And the app is itself, and not what stands in for it."""
    assert current_gate() is gate
    assert real_app() is app

"""Claims of factor ages: what they prove, alone and beside a marker."""

from __future__ import annotations

import math
from datetime import datetime
from datetime import timedelta
from datetime import UTC
from itertools import product
from typing import Any

import pytest
import time_machine
from conftest import MakeApp
from flask import Flask
from flask import request
from naming import repr_of
from people import Codes
from people import Person

from flask_stepup import ConfigurationError
from flask_stepup import require_reverification
from flask_stepup import StepUp
from flask_stepup import Subject
from flask_stepup.demand import PRESETS
from flask_stepup.policy import LEVELS
from flask_stepup.policy import Policy
from flask_stepup.proofs import claimed
from flask_stepup.proofs import NOTHING_PROVED
from flask_stepup.proofs import Proofs

NOW = 1_800_000_000.0
NO_CLAIM: list[Any] = [
    None,
    [],
    [0],
    [0, 0, 0],
    "00",
    b"00",
    {0: 0, 1: 0},
    {0, 1},
    5,
    True,
    [True, 0],
    [0, False],
    ["0", 0],
    [0, "0"],
    [0, None],
    [[0], 0],
    [0, -2],
    [-0.5, 0],
    [0, math.nan],
    [math.inf, 0],
    [0, -math.inf],
    [0, 10**400],
    [0, 1j],
    [-1, -1],
]


def read(ages: Any, *, downgrade: bool = False, since: float = -math.inf) -> Proofs:
    return claimed(ages, NOW, stated_at=NOW, since=since, downgrade=downgrade)


@pytest.mark.parametrize("ages", NO_CLAIM, ids=repr_of)
@pytest.mark.parametrize("downgrade", [False, True])
def test_what_is_no_claim_proves_nothing(ages: Any, downgrade: bool) -> None:
    """A claim that is missing or misshapen proves nothing and stands in for nothing."""
    assert read(ages, downgrade=downgrade) == NOTHING_PROVED


@pytest.mark.parametrize("age", [10**308, 1.7e308, 10**307 + 0.5])
def test_an_age_beyond_all_reckoning_is_too_old(age: float) -> None:
    """A number that JSON can hold never fails a request."""
    assert read([age, 0]) == Proofs(None, NOW)
    assert read([0, age], since=NOW - 90) == Proofs(NOW, None)


def test_an_age_is_a_time() -> None:
    """Ages are minutes before now; a factor that is not enrolled was never proved."""
    assert read([0, 10]) == Proofs(NOW, NOW - 600)
    assert read((3, -1)) == Proofs(NOW - 180, None)
    assert read([-1, 2.5]) == Proofs(None, NOW - 150)
    assert read([3, -1], downgrade=True) == Proofs(NOW - 180, None, True)
    assert read([3, 4], downgrade=True) == Proofs(NOW - 180, NOW - 240)


@pytest.mark.parametrize("minutes", [0, 1, 9])
def test_a_claim_counts_when_all_of_its_minute_is_after_the_revocation(
    minutes: int,
) -> None:
    """Promise 3: an age of m minutes is up to m + 1, and the earliest has to count."""
    earliest = NOW - (minutes + 1) * 60

    assert read([minutes, minutes], since=earliest) == NOTHING_PROVED
    assert read([minutes, minutes], since=earliest - 0.001).second == NOW - minutes * 60


def test_a_claim_is_as_old_as_its_statement() -> None:
    """Promise 2: ages count from when they were stated, and do not slide with use."""
    facts: Any = {"since": NOW - 90, "downgrade": False}
    assert claimed([0, 0], NOW, stated_at=NOW, **facts).second == NOW
    assert claimed([0, 0], NOW, stated_at=NOW - 29, **facts).second == NOW - 29
    assert claimed([0, 0], NOW, stated_at=NOW - 30, **facts) == NOTHING_PROVED
    # Nothing is stated in the future, whatever its clock says.
    facts["since"] = NOW - 30
    assert claimed([0, 0], NOW, stated_at=NOW + 60, **facts) == NOTHING_PROVED


def test_nobody_stands_in_by_a_claim_from_before_the_revocation() -> None:
    """Promise 3: that no second factor is enrolled is as old as what comes with it."""
    assert read([0, -1], downgrade=True, since=NOW - 61).without_second
    assert read([0, -1], downgrade=True, since=NOW - 60) == NOTHING_PROVED


# --- levels, markers and claims ---

#: What each says of one factor, for a policy of 600 s.
STAMPS: dict[str, float | None] = {"absent": None, "new": NOW - 599, "old": NOW - 600}
AGES = {"new": 9, "old": 10, "not enrolled": -1}
Claims = tuple[str, str] | None
CLAIMS: list[Claims] = [None, *product(AGES, AGES)]


def is_met(level: str, stamps: tuple[str, str], claim: Claims, downgrade: bool) -> bool:
    """The contract's words, as a table would have them."""
    if claim == ("not enrolled", "not enrolled"):
        claim = None
    first = stamps[0] == "new" or (claim or "..")[0] == "new"
    second = stamps[1] == "new" or (claim or "..")[1] == "new"
    if downgrade and claim and claim[1] == "not enrolled":
        second = second or first
    return {
        "first_factor": first,
        "second_factor": second,
        "multi_factor": first and second,
    }[level]


@pytest.mark.parametrize("downgrade", [False, True])
@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("stamps", list(product(STAMPS, STAMPS)))
@pytest.mark.parametrize("level", LEVELS)
def test_marker_and_claim_together(
    level: Any, stamps: tuple[str, str], claim: Claims, downgrade: bool
) -> None:
    """Factor by factor the fresher counts, and only a claim triggers the downgrade."""
    marker = Proofs(*(STAMPS[stamp] for stamp in stamps))
    ages = claim and [AGES[age] for age in claim]
    proofs = marker.or_fresher(read(ages, downgrade=downgrade))

    shortfall = Policy(level, 600).shortfall(proofs, NOW, 10)

    assert (shortfall is None) is is_met(level, stamps, claim, downgrade)


@pytest.mark.parametrize(
    ("ages", "lacking"),
    [
        ([10, -1], (0, "expired", True)),
        ([-1, 10], (1, "expired", True)),
        ([0, 10], (1, "expired", True)),
    ],
)
def test_the_first_factor_is_lacking_where_it_stands_in(
    ages: list[int], lacking: Any
) -> None:
    """Who has no second factor and an old sign-in is sent to sign in again."""
    proofs = read(ages, downgrade=True)
    assert Policy().shortfall(proofs, NOW, 10) == lacking


# --- in an app ---


@pytest.fixture(name="app")
def _app(make_app: MakeApp, codes: Codes) -> Flask:
    return claiming_app(make_app, codes)


def claiming_app(make_app: MakeApp, codes: Codes, **config: Any) -> Flask:
    """An app whose subject is what a test says in headers, so that each may differ."""

    def subject() -> Subject | None:
        ages = request.headers.get("Ages")
        user_id = request.headers.get("User", "alice")
        claim = [int(age) for age in ages.split()] if ages else None
        return Subject(user_id, "sess_1", claim)

    stepup = StepUp(verifier=codes, subject_loader=subject)
    app = make_app(stepup=stepup, **config)
    for name, policy in PRESETS.items():
        view = require_reverification(name)(lambda: "in")
        app.add_url_rule(f"/{name}", name, view)
        view = require_reverification(name, scope="payments")(lambda: "in")
        app.add_url_rule(f"/payments/{name}", f"payments_{name}", view)
        assert policy.is_claimable
    app.add_url_rule("/forget", "forget", lambda: str(stepup.forget()))
    return app


def status(person: Person, path: str, ages: str, **headers: str) -> int:
    headers |= {"Ages": ages} if ages else {}
    return int(person.json(path, headers=headers).status_code)


def test_a_fresh_claim_opens_without_a_marker(app: Flask, codes: Codes) -> None:
    """People who are fresh at the identity provider are asked for nothing."""
    alice = Person(app)

    assert status(alice, "/strict", "0 9") == 200
    assert status(alice, "/strict", "0 10") == 403
    assert status(alice, "/strict_mfa", "9 9") == 200
    assert status(alice, "/strict_mfa", "10 9") == 403
    assert status(alice, "/moderate", "500 59") == 200
    assert status(alice, "/lax", "-1 1439") == 200
    assert status(alice, "/strict", "") == 403
    assert codes.asked == []


def test_a_claim_opens_no_scope(app: Flask) -> None:
    """What a claim proves it proves for everything, so for nothing in particular."""
    alice = Person(app)
    for name in PRESETS:
        assert status(alice, f"/payments/{name}", "0 0") == 403
        body = alice.json(f"/payments/{name}", headers={"Ages": "0 0"}).json
        assert "clerk_error" not in body
        assert body["cause"] == "missing"


def test_no_downgrade_unless_it_is_set(make_app: MakeApp, codes: Codes) -> None:
    """A person without a second factor passes only where the app says so."""
    strict = Person(claiming_app(make_app, codes))
    lenient = Person(claiming_app(make_app, codes, STEPUP_FACTOR_DOWNGRADE=True))

    for name in PRESETS:
        assert status(strict, f"/{name}", "0 -1") == 403
        assert status(lenient, f"/{name}", "0 -1") == 200
        assert status(lenient, f"/{name}", "-1 -1") == 403
        assert status(lenient, f"/payments/{name}", "0 -1") == 403


def test_marker_and_claim_make_up_for_each_other(app: Flask) -> None:
    """The claim brings the first factor, the prompt the second."""
    alice = Person(app)
    challenge = alice.json("/strict_mfa", headers={"Ages": "0 30"}).json["challenge"]
    sent = {"challenge": challenge, "code": "right"}
    alice.client.post("/stepup/", json=sent, headers={"Ages": "0 30"})

    assert status(alice, "/strict_mfa", "0 30") == 200
    assert status(alice, "/strict_mfa", "10 30") == 403
    assert status(alice, "/strict_mfa", "") == 403


@pytest.mark.parametrize("how", ["revoke", "forget"])
def test_a_claim_from_before_the_revocation_is_void(app: Flask, how: str) -> None:
    """Promise 3: what was proved at the provider before does not count any more."""
    alice = Person(app)
    start = datetime(2030, 1, 1, tzinfo=UTC)
    with time_machine.travel(start, tick=False) as clock:
        assert status(alice, "/strict", "0 0") == 200
        if how == "revoke":
            with app.app_context():
                app.extensions["stepup"].revoke("alice")
        else:
            assert status(alice, "/forget", "0 0") == 200
        refused = alice.json("/strict", headers={"Ages": "0 0"})
        clock.shift(timedelta(seconds=60))
        still = status(alice, "/strict", "0 0")
        clock.shift(timedelta(seconds=1))
        again = status(alice, "/strict", "0 0")
        older = status(alice, "/strict", "1 1")

    assert (refused.status_code, refused.json["cause"]) == (403, "revoked")
    assert (still, again, older) == (403, 200, 403)


def test_forgetting_ends_claims_in_that_session_alone(
    make_app: MakeApp, codes: Codes
) -> None:
    """Another user, and another session of the same user, keep what they proved."""

    def subject() -> Subject:
        sent = request.headers
        return Subject(sent["User"], sent["Session"], [0, 0])

    stepup = StepUp(verifier=codes, subject_loader=subject)
    app = make_app(stepup=stepup)
    app.add_url_rule("/forget", "forget", lambda: str(stepup.forget()))
    somebody = Person(app)

    def opens(user: str, session: str) -> bool:
        headers = {"User": user, "Session": session}
        return bool(somebody.json("/vault", headers=headers).status_code == 200)

    somebody.json("/forget", headers={"User": "a", "Session": "b:c"})

    assert not opens("a", "b:c")
    assert opens("a", "b")
    assert opens("b", "b:c")
    assert opens("a:b", "c")


def test_impersonated_sessions_meet_no_policy(make_app: MakeApp, codes: Codes) -> None:
    """Whatever the claim says, unless the app allows it."""
    stepup = StepUp(
        verifier=codes,
        subject_loader=lambda: Subject("alice", "sess_1", [0, 0], impersonated=True),
    )
    refused = Person(make_app(stepup=stepup)).json("/vault")
    allowed = Person(make_app(stepup=stepup, STEPUP_ALLOW_IMPERSONATION=True))

    assert (refused.status_code, refused.json["code"]) == (403, "impersonation_refused")
    assert {"challenge", "clerk_error"}.isdisjoint(refused.json)
    assert allowed.json("/vault").status_code == 200


def test_a_loader_that_cannot_tell_who_leaves_keeps_nobody_from_leaving(
    make_app: MakeApp, codes: Codes
) -> None:
    """``forget`` works where the app has already dropped what its loader needs."""
    stepup = StepUp(verifier=codes, subject_loader=lambda: request.headers["User"])
    app = make_app(stepup=stepup)
    app.add_url_rule("/forget", "forget", lambda: str(stepup.forget()))

    assert Person(app).json("/forget").status_code == 200


ENDINGS: dict[str, Any] = {
    "no session id": Subject("alice", factor_ages=[0, 0]),
    "a session id": Subject("alice", "sess_1", factor_ages=[0, 0]),
}


@pytest.mark.parametrize("subject", ENDINGS.values(), ids=list(ENDINGS))
@pytest.mark.parametrize("knows", [True, False], ids=["known", "unknown"])
def test_in_a_session_that_was_ended_no_claim_counts(
    make_app: MakeApp, codes: Codes, subject: Subject, knows: bool
) -> None:
    """Promise 3: the old cookie is back, again and again, whoever was known to go."""
    signed_in = [True]
    stepup = StepUp(
        verifier=codes, subject_loader=lambda: subject if signed_in[0] else None
    )
    app = make_app(stepup=stepup)
    app.add_url_rule("/grant", "grant", lambda: str(stepup.grant()))
    app.add_url_rule("/forget", "forget", lambda: str(stepup.forget()))
    with time_machine.travel(datetime(2030, 1, 1, tzinfo=UTC), tick=False) as clock:
        alice = Person(app)
        alice.json("/grant")
        old = alice.cookie()
        signed_in[0] = knows
        alice.json("/forget")
        signed_in[0] = True
        alice.put_back(old)
        answers = [alice.json("/vault") for _ in range(3)]
        clock.shift(61)
        # What was proved since is another matter.
        later = alice.json("/vault").status_code

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert {answer.json["cause"] for answer in answers} == {"revoked"}
    assert later == 200


def test_what_was_revoked_does_not_come_back_with_the_next_code(
    make_app: MakeApp, codes: Codes
) -> None:
    """Promise 3: a new marker carries no factor of one that is void."""
    stepup = StepUp(verifier=codes, subject_loader=lambda: "alice")
    app = make_app(stepup=stepup)
    app.add_url_rule(
        "/both", "both", require_reverification("strict_mfa")(lambda: "in")
    )
    app.add_url_rule("/first", "first", lambda: str(stepup.grant("first_factor")))
    app.add_url_rule("/second", "second", lambda: str(stepup.grant()))
    alice = Person(app)
    alice.json("/first")
    with app.app_context():
        stepup.revoke("alice")
    alice.json("/second")

    assert alice.json("/vault").status_code == 200
    assert alice.json("/both").status_code == 403
    alice.json("/first")
    assert alice.json("/both").status_code == 200


def test_a_marker_from_the_future_takes_no_claims_place(app: Flask) -> None:
    """Promise 2: it is refused, and what is fresh beside it counts."""
    client = app.test_client()
    headers = {"Authorization": "Bearer x"}
    start = datetime(2030, 1, 1, tzinfo=UTC)
    with time_machine.travel(start, tick=False) as clock:
        challenge = client.get("/strict", headers=headers).json["challenge"]
        sent = {"challenge": challenge, "code": "right"}
        answer = client.post("/stepup/", json=sent, headers=headers)
        headers["Stepup-Marker"] = answer.json["marker"]
        clock.shift(-3_600)
        refused = client.get("/strict", headers=headers)
        headers["Ages"] = "0 0"
        opened = client.get("/strict", headers=headers)
        told = client.get("/stepup/status", headers=headers).json

    assert refused.status_code == 401
    assert opened.status_code == 200
    assert (told["reverified"], told["expires_in"]) == (True, 600)


@pytest.mark.parametrize(
    "stated_at", ["x", True, math.nan, math.inf, -1, 2**53, [5], 5j, datetime.now(UTC)]
)
def test_when_a_claim_was_stated_is_a_time(stated_at: Any) -> None:
    """Anything else is told when the subject is made."""
    with pytest.raises(ConfigurationError, match="stated_at"):
        Subject("alice", stated_at=stated_at)


def test_an_empty_session_id_is_none() -> None:
    """It names no session to which anything could be bound."""
    assert Subject("alice", "").session_id is None

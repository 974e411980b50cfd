"""The challenge itself: what its token carries, to whom it belongs, and how it ages."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import time_machine
from conftest import MakeApp
from flask import Flask
from ledgers import START
from naming import repr_of

from flask_stepup.action import Action
from flask_stepup.answerable import assess_challenge
from flask_stepup.answerable import check_age
from flask_stepup.answerable import check_open
from flask_stepup.answerable import kept_open
from flask_stepup.approvals import name_of_void
from flask_stepup.challenge import Challenge
from flask_stepup.challenge import new_challenge
from flask_stepup.challenge import open_challenge
from flask_stepup.errors import InvalidToken
from flask_stepup.errors import OperationSpent
from flask_stepup.errors import OperationVoided
from flask_stepup.errors import TokenExpired
from flask_stepup.errors import TooManyAttempts
from flask_stepup.gate import Gate
from flask_stepup.ledger import Exhausted
from flask_stepup.ledger import Limit
from flask_stepup.marker import Operation
from flask_stepup.policy import Cause
from flask_stepup.policy import Policy
from flask_stepup.policy import Shortfall
from flask_stepup.required import ReverificationRequired
from flask_stepup.subject import Subject
from flask_stepup.suspension import SuspendedForm
from flask_stepup.suspension import tie_of

ALICE = Subject("alice")
ACTION = Action("digest", {"to": "bob", "amount": 5, "note": None})
FORM = SuspendedForm(
    "multipart/form-data", [("b", "1"), ("a", ""), ("b", None)], ["file"], ["b"]
)
#: Seconds that a prompt may stay open, and that clocks may disagree.
MAX_AGE, LEEWAY = 900, 10
#: Seconds from its first issue in which a challenge is renewed.
A_DAY = 86_400


@pytest.fixture
def gate(app: Flask) -> Gate:
    gate: Gate = app.extensions["stepup"]
    return gate


@pytest.fixture(autouse=True)
def _request(app: Flask) -> Iterator[None]:
    """A form that was sent from a page of the app."""
    with time_machine.travel(START, tick=False):
        headers = {"Referer": "http://localhost/form?a=b"}
        with app.test_request_context("/pay?x=1", method="POST", headers=headers):
            yield


@pytest.fixture
def challenge(gate: Gate) -> Challenge:
    return Challenge(
        id="id",
        policy=Policy(max_age=60, scope="pay", reason="Pay", once=True),
        method="POST",
        path="/pay",
        came_from="/form",
        ledger_id=gate.ledger.id,
        issued_at=START,
        first_issued_at=START,
        action=ACTION,
    )


def required(
    cause: Cause = "missing", action: Action | None = None, **fields: Any
) -> ReverificationRequired:
    return ReverificationRequired(
        Policy(**fields), Shortfall(1, cause), ALICE, action=action
    )


# --- the token ---


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"action": None, "policy": Policy("multi_factor", 86_400)},
        {"action": Action("digest", {})},
        {"form": FORM, "tie": "tie"},
        {"not_kept": "size", "again": True, "tie": ""},
        {"method": "GET", "first_issued_at": START - 5},
    ],
    ids=repr_of,
)
def test_a_challenge_comes_back_as_it_was(
    gate: Gate, challenge: Challenge, more: Any
) -> None:
    """What is sealed is what is opened, the order of what is approved included."""
    sealed = replace(challenge, **more)
    opened = open_challenge(gate, ALICE, sealed.seal(gate, ALICE))
    expected = sealed
    if sealed.form:
        # JSON knows no tuples, and neither does whoever reads the fields.
        pairs: Any = [list(pair) for pair in sealed.form.fields]
        expected = replace(sealed, form=replace(sealed.form, fields=pairs))
    assert opened == expected
    if sealed.action and opened.action:
        assert list(opened.action.values) == list(sealed.action.values)


def test_a_challenge_is_for_one_person_in_one_session(
    app: Flask, gate: Gate, challenge: Challenge
) -> None:
    """Promise 1: not for another user, login or browser."""
    token = challenge.seal(gate, ALICE)
    for subject in (Subject("bob"), Subject("alice", session_id="login")):
        with pytest.raises(InvalidToken):
            open_challenge(gate, subject, token)
    with app.test_request_context("/pay", method="POST"):
        with pytest.raises(InvalidToken):
            open_challenge(gate, ALICE, token)


@pytest.mark.parametrize(
    "changed",
    [
        {"policy": None},
        {"policy": {"level": "third_factor"}},
        {"policy": {"unknown": 1}},
        {"unknown": 1},
        {"action": {}},
        {"action": {"digest": "x"}},
        {"action": {"digest": "x", "values": 5}},
        {"action": None},
        {"form": {}},
        {"form": None},
        {"id": ...},
    ],
    ids=repr_of,
)
def test_a_challenge_of_another_version_is_refused(gate: Gate, changed: Any) -> None:
    """One that another version of this package signed is an invalid token."""
    value = {
        "id": "id",
        "policy": {},
        "method": "GET",
        "path": "/",
        "came_from": "/",
        "ledger_id": "ledger",
        "issued_at": 1,
        "first_issued_at": 1,
    }
    parts = gate.elevation.bind(ALICE).parts()
    assert open_challenge(gate, ALICE, gate.signer.dumps("challenge", parts, value))
    value = {n: v for n, v in (value | changed).items() if v is not ...}
    token = gate.signer.dumps("challenge", parts, value)
    with pytest.raises(InvalidToken):
        open_challenge(gate, ALICE, token)


@pytest.mark.parametrize("value", [None, 1, "text", [], {}], ids=repr_of)
def test_what_is_no_mapping_is_no_challenge(gate: Gate, value: Any) -> None:
    """Whatever is signed for this use."""
    parts = gate.elevation.bind(ALICE).parts()
    with pytest.raises(InvalidToken):
        open_challenge(gate, ALICE, gate.signer.dumps("challenge", parts, value))


# --- what it says ---


def test_a_new_challenge_is_of_the_current_request(gate: Gate) -> None:
    """Method and path are of what was interrupted; the page before it is known."""
    challenge = new_challenge(gate, required(max_age=60, scope="pay"))
    assert challenge == Challenge(
        id=challenge.id,
        policy=Policy(max_age=60, scope="pay"),
        method="POST",
        path="/pay?x=1",
        came_from="/form?a=b",
        ledger_id=gate.ledger.id,
        issued_at=START,
        first_issued_at=START,
    )
    # It is tied to no form, nor is there any, until there was time to look for one.
    later = (challenge.form, challenge.not_kept, challenge.again, challenge.tie)
    assert later == (None, None, None, None)


def test_every_challenge_has_an_id_of_its_own(gate: Gate) -> None:
    """By which an approval is spent: nobody guesses it."""
    ids = {new_challenge(gate, required()).id for _ in range(100)}
    assert len(ids) == 100
    assert {len(each) for each in ids} == {12}


def test_a_challenge_keeps_what_was_bound_and_not_how(gate: Gate) -> None:
    """Methods and names are the route's business; ``bind`` implies ``once``."""
    refusal = required(action=ACTION, bind=("to",), methods={"POST"})
    challenge = new_challenge(gate, refusal)
    assert challenge.policy == Policy(once=True)
    assert challenge.action == ACTION
    assert new_challenge(gate, required(methods={"POST"})).policy == Policy()


@pytest.mark.parametrize(
    ("cause", "again"),
    [("missing", None), ("expired", None), ("revoked", None), ("spent", True)],
)
def test_what_was_spent_may_be_done_by_now(
    gate: Gate, cause: Cause, again: bool | None
) -> None:
    """Whoever is asked again for the same is told so."""
    assert new_challenge(gate, required(cause, ACTION, once=True)).again is again


@pytest.mark.parametrize(
    ("method", "expected"),
    [("GET", "/pay"), ("HEAD", "/pay"), ("POST", "/form"), ("DELETE", "/form")],
)
def test_the_way_back(challenge: Challenge, method: str, expected: str) -> None:
    """A link is followed again; from anything else a person goes back to the page."""
    challenge = replace(challenge, method=method)
    assert challenge.way_back == expected
    assert challenge.repeats_itself is (method in ("GET", "HEAD"))
    assert challenge.led_back_to("/page").way_back == "/page"


def test_the_operation_is_what_a_code_approves(challenge: Challenge) -> None:
    """Its id, the action, and the form that it is tied to; none without an action."""
    assert replace(challenge, tie="tie").operation == Operation("id", "digest", "tie")
    assert replace(challenge, action=None).operation is None


@pytest.mark.parametrize("action", [None, Action("digest", {}), ACTION])
@pytest.mark.parametrize("kept", [FORM, "size"], ids=repr_of)
def test_a_challenge_is_tied_to_what_it_does_not_show(
    gate: Gate, challenge: Challenge, action: Action | None, kept: Any
) -> None:
    """Where values are shown they count; where none are, it is the form as it was."""
    before = replace(challenge, action=action, again=True)
    after = before.keeping(kept, gate.signer)
    shows_values = action == ACTION
    assert after == replace(
        before,
        came_from="/form?a=b",
        tie=None if shows_values else tie_of(kept, gate.signer),
        form=kept if kept == FORM else None,
        not_kept=None if kept == FORM else kept,
        again=True if kept == FORM or shows_values else None,
    )


# --- how it ages ---


@pytest.mark.parametrize(
    ("age", "is_open"),
    [
        (-LEEWAY - 1, False),
        (-LEEWAY, True),
        (0, True),
        (MAX_AGE - 1, True),
        (MAX_AGE, False),
    ],
)
def test_a_prompt_is_open_for_its_time(
    gate: Gate, challenge: Challenge, age: int, is_open: bool
) -> None:
    """And is renewed for who looks at it again: the same question, asked now."""
    token = challenge.seal(gate, ALICE)
    now = START + age
    with time_machine.travel(now, tick=False):
        if is_open:
            check_age(gate, challenge)
        else:
            with pytest.raises(TokenExpired, match=f"issued {age} s ago"):
                check_age(gate, challenge)
        kept, kept_token = kept_open(gate, ALICE, challenge, token)
        opened = open_challenge(gate, ALICE, kept_token)
    assert kept == opened == replace(challenge, issued_at=START if is_open else now)
    assert (kept_token == token) is is_open


def test_a_prompt_that_cannot_be_renewed_stays_as_it_is(
    make_app: MakeApp, challenge: Challenge, tmp_path: Path
) -> None:
    """While the ledger cannot answer: it can be renewed later."""
    app = make_app(STEPUP_STORAGE_URI="sqlite:///stepup.db")
    gate: Gate = app.extensions["stepup"]
    token = challenge.seal(gate, ALICE)
    gate.ledger.close()
    for file in (tmp_path / "instance").glob("stepup.db*"):
        file.unlink()
    (tmp_path / "instance" / "stepup.db").mkdir()
    with time_machine.travel(START + MAX_AGE, tick=False):
        assert kept_open(gate, ALICE, challenge, token) == (challenge, token)


def test_a_prompt_is_renewed_for_a_day(challenge: Challenge) -> None:
    """From its first issue on, and what it asks stays what it was."""
    with time_machine.travel(START + A_DAY - 0.5, tick=False):
        renewed = challenge.renewed()
        assert renewed == replace(challenge, issued_at=int(time.time()))
        assert type(renewed.issued_at) is int
    with time_machine.travel(START + A_DAY, tick=False):
        with pytest.raises(InvalidToken):
            renewed.renewed()


# --- whether it may be answered ---


def test_a_challenge_is_answered_with_its_own_ledger(
    gate: Gate, challenge: Challenge
) -> None:
    """Promise 1: one of another ledger is refused."""
    assert assess_challenge(gate, ALICE, challenge).shortfall
    with pytest.raises(InvalidToken):
        assess_challenge(gate, ALICE, replace(challenge, ledger_id="other!"))


@pytest.mark.parametrize("more", [{}, {"action": None, "policy": Policy()}])
def test_a_challenge_ends_with_its_session(
    gate: Gate, challenge: Challenge, more: Any
) -> None:
    """Promise 3: whoever signs out leaves no question behind."""
    challenge = replace(challenge, **more)
    nonce = gate.elevation.bind(ALICE).nonce
    assert nonce
    assert assess_challenge(gate, ALICE, challenge).shortfall
    gate.ledger.revoke_session(nonce)
    with pytest.raises(InvalidToken, match="session was ended"):
        assess_challenge(gate, ALICE, challenge)


@pytest.mark.parametrize(
    ("of", "error"),
    [("id", OperationSpent), (name_of_void("id"), OperationVoided), ("other", None)],
)
def test_a_challenge_approves_once(
    gate: Gate, challenge: Challenge, of: str, error: type[Exception] | None
) -> None:
    """And not at all when it was withdrawn after too many wrong codes."""
    binding = gate.elevation.bind(ALICE)
    origin = gate.standing(ALICE).origin
    assert gate.inquiry.spend(binding, {of: origin}).approval == of
    if error is None:
        assert assess_challenge(gate, ALICE, challenge).shortfall
    else:
        with pytest.raises(error):
            assess_challenge(gate, ALICE, challenge)


def test_what_was_approved_meanwhile_is_not_withdrawn(
    gate: Gate, challenge: Challenge
) -> None:
    """A right code goes before the wrong ones that came beside it."""
    binding = gate.elevation.bind(ALICE)
    assert challenge.operation
    gate.elevation.approve(ALICE, challenge.operation, gate.standing(ALICE))
    gate.approvals.void(binding, challenge.operation, gate.standing(ALICE))
    assert assess_challenge(gate, ALICE, challenge).shortfall is None


def test_a_standing_marker_answers_a_challenge(
    gate: Gate, challenge: Challenge
) -> None:
    """And what is spent is told to who goes on to grant."""
    challenge = replace(challenge, action=None, policy=Policy())
    assert challenge.operation is None
    gate.elevation.grant(ALICE, "second_factor", "", gate.standing(ALICE))
    operation = Operation("other", "digest")
    gate.elevation.approve(ALICE, operation, gate.standing(ALICE))
    binding = gate.elevation.binding(ALICE)
    gate.inquiry.spend(binding, {"other": gate.standing(ALICE).origin})
    assessment = assess_challenge(gate, ALICE, challenge)
    assert assessment.shortfall is None
    assert assessment.standing.spent == {"other"}


def test_to_look_whether_a_code_may_be_tried_uses_no_attempt(gate: Gate) -> None:
    """However often: the attempt is given back."""
    for _ in range(10):
        check_open(gate, ALICE)
    limits = (Limit(1, 300),)
    assert not isinstance(gate.ledger.reserve("alice", limits), Exhausted)
    for _ in range(4):
        gate.ledger.reserve("alice", (Limit(5, 300),))
    with pytest.raises(TooManyAttempts):
        check_open(gate, ALICE)


@pytest.mark.parametrize(
    ("member", "odd"),
    [
        ("id", 5),
        ("policy", "strict"),
        ("action", {"digest": "x", "values": [["to"]]}),
        ("form", {"enctype": "x", "fields": [["a", 1]], "files": [], "areas": []}),
        ("form", {"enctype": "x", "fields": [], "files": []}),
        ("not_kept", ["size"]),
        ("again", 1),
        ("tie", {}),
        ("issued_at", -1),
        ("first_issued_at", 1.5),
    ],
)
def test_a_member_of_another_shape_is_of_another_version(
    gate: Gate, challenge: Challenge, member: str, odd: Any
) -> None:
    """Whoever signed it, a page could not be made of it."""
    parts = gate.elevation.bind(ALICE).parts()
    value = gate.signer.loads("challenge", parts, challenge.seal(gate, ALICE))
    token = gate.signer.dumps("challenge", parts, value | {member: odd})

    with pytest.raises(InvalidToken, match="another version"):
        open_challenge(gate, ALICE, token)

"""What the ledger is asked about whom tokens are bound to."""

from __future__ import annotations

import logging
import time

import pytest
import time_machine

from flask_stepup.binding import Binding
from flask_stepup.inquiry import Inquiry
from flask_stepup.ledger import Ledger
from flask_stepup.ledger import open_ledger
from flask_stepup.ledger import Standing

BINDING = Binding("alice", "nonce", "login")


@pytest.fixture
def ledger() -> Ledger:
    return open_ledger("memory://", 1.0, "", "app")


@pytest.fixture
def inquiry(ledger: Ledger) -> Inquiry:
    return Inquiry(ledger, 10)


def test_a_standing_is_of_user_session_and_login(
    inquiry: Inquiry, ledger: Ledger
) -> None:
    """Each of the three is asked about, and no other person's."""
    assert inquiry.standing(BINDING).generation == ""
    for user_id, login in (("bob", None), ("bob", "login"), ("alice", "another")):
        ledger.revoke_user(user_id, login)
    ledger.revoke_session("another")
    assert inquiry.standing(BINDING).generation == ""
    assert not inquiry.standing(BINDING).session_revoked

    ledger.revoke_session("nonce")
    assert inquiry.standing(BINDING).session_revoked
    ledger.revoke_user("alice", "login")
    of_login = inquiry.standing(BINDING).generation
    ledger.revoke_user("alice")
    assert of_login
    assert inquiry.standing(BINDING).generation not in ("", of_login)


def test_who_has_no_session_has_the_standing_of_none(
    inquiry: Inquiry, ledger: Ledger
) -> None:
    """A client without cookies has no session that could be revoked."""
    ledger.revoke_session("None")
    bearer = Binding("alice", None, "login")
    standing = inquiry.standing(bearer)
    assert not standing.session_revoked
    assert inquiry.spend(bearer, {"id": standing.origin}).approval == "id"


def test_it_tells_what_is_spent(inquiry: Inquiry) -> None:
    """Of those approvals alone that are asked about."""
    origin = inquiry.standing(BINDING).origin
    assert inquiry.spend(BINDING, {"one": origin}).approval == "one"
    assert inquiry.standing(BINDING, ["one", "two"]).spent == {"one"}
    assert inquiry.standing(BINDING).spent == frozenset()


def test_it_spends_for_this_person_in_this_session(
    inquiry: Inquiry, ledger: Ledger
) -> None:
    """What was revoked for the user, the login or the session is not spent."""
    origin = ledger.standing("alice", "nonce", "login").origin
    bearer = Binding("alice", None, "login")
    assert inquiry.spend(bearer, {"bearer": origin}).approval == "bearer"
    ledger.revoke_session("nonce")
    assert inquiry.spend(BINDING, {"session": origin}).approval is None
    assert inquiry.spend(bearer, {"other": origin}).approval == "other"
    ledger.revoke_user("alice", "login")
    assert inquiry.spend(bearer, {"login": origin}).approval is None


class Elsewhere:
    """A ledger whose clock is so many seconds ahead."""

    def __init__(self, ahead: float) -> None:
        self.ahead = ahead

    def standing(self, *_: object) -> Standing:
        return Standing(told_at=time.time() + self.ahead)


@pytest.mark.parametrize(
    ("leeway", "ahead", "told"),
    [
        (10, 10.0, None),
        (10, -10.0, None),
        (10, 10.5, "10 s ahead of"),
        (10, -11.0, "11 s behind"),
        (10, 3_600.0, "3600 s ahead of"),
        (0, 0.75, "1 s ahead of"),
        (0, -0.75, "1 s behind"),
        (0, 0.0, None),
    ],
)
def test_clocks_that_disagree_are_told_of(
    caplog: pytest.LogCaptureFixture, leeway: int, ahead: float, told: str | None
) -> None:
    """By more than the leeway, and once."""
    with time_machine.travel(1_800_000_000, tick=False):
        inquiry = Inquiry(Elsewhere(ahead), leeway)  # type: ignore[arg-type]
        inquiry.standing(BINDING)
        inquiry.standing(BINDING)

    expected = (
        f"the clock of the ledger's server is {told} this host's, so that people "
        "may be asked for codes again and again: set both"
    )
    assert caplog.record_tuples == (
        [("flask_stepup", logging.ERROR, expected)] if told else []
    )


def test_what_a_look_up_takes_is_not_held_against_a_clock(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even with no leeway at all."""
    inquiry = Inquiry(ledger, 0)
    for _ in range(20):
        inquiry.standing(BINDING)
    assert caplog.messages == []


@pytest.mark.parametrize(("first", "then"), [(-60, 0), (0, -60), (-30, -30)])
def test_a_host_whose_clock_is_set_back_meanwhile_accuses_nobody(
    caplog: pytest.LogCaptureFixture, first: int, then: int
) -> None:
    """Before the ledger tells, or after it has told."""
    with time_machine.travel(1_800_000_000, tick=False) as clock:

        class Here:
            def standing(self, *_: object) -> Standing:
                clock.shift(first)
                told = Standing(told_at=time.time())
                clock.shift(then)
                return told

        Inquiry(Here(), 10).standing(BINDING)  # type: ignore[arg-type]
    assert caplog.messages == []

"""What the ledger is asked, and what happens to it when a clock was set back."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import time_machine
from ledgers import START

from flask_stepup.binding import Binding
from flask_stepup.inquiry import Inquiry
from flask_stepup.ledger import Ledger
from flask_stepup.ledger import open_ledger

LEEWAY = 10
#: Seconds by which a clock may be set back without anything being void.
STEP = LEEWAY + 2
BINDING = Binding("alice", "nonce", "login")


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def ledger() -> Ledger:
    return open_ledger("memory://", 1.0, "", "app")


@pytest.fixture
def inquiry(clock: time_machine.Traveller, ledger: Ledger) -> Inquiry:
    return Inquiry(ledger, LEEWAY)


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


@pytest.mark.parametrize("asks", ["standing", "spend"])
@pytest.mark.parametrize(("back", "is_void"), [(STEP, False), (STEP + 1, True)])
def test_a_clock_that_was_set_back_gives_the_ledger_another_id(
    inquiry: Inquiry,
    ledger: Ledger,
    clock: time_machine.Traveller,
    caplog: pytest.LogCaptureFixture,
    asks: str,
    back: float,
    is_void: bool,
) -> None:
    """Promise 2: before anything is answered, and told once in the log."""
    before = ledger.id
    clock.move_to(START - back)
    for _ in range(2):
        if asks == "standing":
            told = inquiry.standing(BINDING)
        else:
            told = inquiry.spend(BINDING, {}).standing
    assert (told.ledger_id != before) is is_void
    assert told.ledger_id == ledger.id
    assert len(caplog.records) == is_void
    for logged in caplog.records:
        assert (logged.name, logged.levelno) == ("flask_stepup", logging.ERROR)
        assert f"was set back by {back} s" in logged.getMessage()


def test_it_is_the_latest_time_that_counts(
    inquiry: Inquiry, ledger: Ledger, clock: time_machine.Traveller
) -> None:
    """A clock that ran on, or was set back a little, is compared with its latest."""
    before = ledger.id
    clock.move_to(START + 100)
    inquiry.standing(BINDING)
    for back in (5, STEP):
        clock.move_to(START + 100 - back)
        assert inquiry.standing(BINDING).ledger_id == before
    clock.move_to(START + 100 - STEP - 1)
    renamed = inquiry.standing(BINDING).ledger_id
    assert renamed != before
    # And afterwards with the time that it was set to.
    clock.move_to(START + 100 - STEP - 1 - STEP)
    assert inquiry.standing(BINDING).ledger_id == renamed
    clock.move_to(START + 100 - STEP - 1 - STEP - 1)
    assert inquiry.standing(BINDING).ledger_id != renamed


def test_many_small_steps_are_one_large_one(
    inquiry: Inquiry, ledger: Ledger, clock: time_machine.Traveller
) -> None:
    """Promise 2: a clock that is set back by half seconds does not stop time."""
    before = ledger.id
    for steps in range(2 * STEP + 1):
        clock.move_to(START - steps / 2)
        assert inquiry.standing(BINDING).ledger_id == before
    clock.move_to(START - STEP - 0.5)
    assert inquiry.standing(BINDING).ledger_id != before


def test_what_another_worker_has_renamed_is_not_renamed_again(
    clock: time_machine.Traveller, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Workers of one ledger notice one step of the clock one after the other."""
    folder = str(tmp_path_factory.mktemp("ledger"))
    ledgers = [open_ledger("sqlite:///s.db", 5.0, folder, "app") for _ in range(2)]
    one, other = (Inquiry(ledger, LEEWAY) for ledger in ledgers)
    clock.move_to(START - 100)
    told = [inquiry.standing(BINDING).ledger_id for inquiry in (one, other, one)]
    assert told == [ledgers[0].id] * 3

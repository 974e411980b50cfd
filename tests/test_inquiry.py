"""What the ledger is asked about whom tokens are bound to."""

from __future__ import annotations

import pytest

from flask_stepup.binding import Binding
from flask_stepup.inquiry import Inquiry
from flask_stepup.ledger import Ledger
from flask_stepup.ledger import open_ledger

BINDING = Binding("alice", "nonce", "login")


@pytest.fixture
def ledger() -> Ledger:
    return open_ledger("memory://", 1.0, "", "app")


@pytest.fixture
def inquiry(ledger: Ledger) -> Inquiry:
    return Inquiry(ledger)


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

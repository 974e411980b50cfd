"""Attempts that could not be given back yet."""

from __future__ import annotations

import pytest

from flask_stepup.ledger.owed import MOST_EACH
from flask_stepup.ledger.owed import MOST_USERS
from flask_stepup.ledger.owed import Owed


@pytest.fixture
def owed() -> Owed:
    return Owed()


def test_what_is_owed_is_given_back_once(owed: Owed) -> None:
    """To whom it is owed, and all of it."""
    owed.add("u", ["1", "2"])
    owed.add("v", ["3"])
    owed.add("u", ["4"])
    assert owed.take("u") == ["1", "2", "4"]
    assert owed.take("u") == []
    assert owed.take("v") == ["3"]


def test_of_one_user_the_newest_are_remembered(owed: Owed) -> None:
    """As many as nobody makes by chance."""
    owed.add("u", [str(number) for number in range(MOST_EACH + 3)])
    assert owed.take("u") == [str(number) for number in range(3, MOST_EACH + 3)]


def test_of_many_users_the_oldest_are_forgotten(owed: Owed) -> None:
    """Those who do not come back do not keep others from getting theirs."""
    for number in range(MOST_USERS + 2):
        owed.add(f"user {number}", ["1"])
    kept = [number for number in range(MOST_USERS + 2) if owed.take(f"user {number}")]
    assert kept == list(range(2, MOST_USERS + 2))


def test_whom_nothing_is_owed_takes_nobodys_place(owed: Owed) -> None:
    """Nor does who is remembered already."""
    for number in range(MOST_USERS):
        owed.add(f"user {number}", ["1"])
    for number in range(2 * MOST_USERS):
        owed.add(f"stranger {number}", [])
    owed.add("user 5", ["2"])
    assert owed.take("user 0") == ["1"]
    assert owed.take("user 5") == ["1", "2"]

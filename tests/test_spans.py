"""Spans of time and moments in words: never shorter, never earlier than they are."""

from __future__ import annotations

import pytest
import time_machine
from people import Codes
from people import Person

from flask_stepup.spans import moment_of
from flask_stepup.spans import span_of

#: 2027-01-15, 08:00:00 UTC.
EIGHT = 1_800_000_000


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1 second"),
        (2, "2 seconds"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (121, "3 minutes"),
        (7_199, "120 minutes"),
        (7_200, "2 hours"),
        (172_799, "48 hours"),
        (172_800, "2 days"),
        (172_801, "3 days"),
        (2_592_000, "30 days"),
    ],
)
def test_a_span_is_told_in_its_largest_unit(seconds: int, words: str) -> None:
    """In the largest of which there are two, rounded up."""
    assert span_of(seconds) == words


@pytest.mark.parametrize(
    ("at", "seconds", "words"),
    [
        (EIGHT, 300, "08:00:00 UTC"),
        (EIGHT + 0.001, 300, "08:00:01 UTC"),
        (EIGHT + 59.5, 300, "08:01:00 UTC"),
        (EIGHT, 43_199, "08:00:00 UTC"),
        (EIGHT, 43_200, "2027-01-15 08:00 UTC"),
        (EIGHT + 0.001, 86_400, "2027-01-15 08:01 UTC"),
        (EIGHT + 1, 86_400, "2027-01-15 08:01 UTC"),
        (EIGHT + 16 * 3_600 - 1, 86_400, "2027-01-16 00:00 UTC"),
    ],
)
def test_a_moment_is_told_by_the_clock(at: float, seconds: int, words: str) -> None:
    """To the second where it is near, and with its date where it is far off."""
    assert moment_of(at, seconds).text == words


def test_a_moment_is_told_to_programs_too() -> None:
    """The same moment, for a page that shows it by another clock."""
    assert moment_of(EIGHT + 0.001, 300).iso == "2027-01-15T08:00:01Z"
    assert moment_of(EIGHT + 0.001, 86_400).iso == "2027-01-15T08:01:00Z"


def test_who_is_locked_out_is_told_until_when(alice: Person, codes: Codes) -> None:
    """Promise 4: right to the second, and then the next try is there."""
    with time_machine.travel(EIGHT, tick=False) as clock:
        person = Person(alice.app, "alice")
        prompt = person.prompted()
        for second in range(5):
            clock.move_to(EIGHT + 10 * second)
            person.answer(prompt, f"wrong {second}")
        locked = person.answer(prompt, "right")
        assert locked.headers["Retry-After"] == "260"
        assert "for 5 minutes, until 08:05:00 UTC." in locked.text
        clock.move_to(EIGHT + 299)
        assert (
            "for 1 second, until 08:05:00 UTC." in person.answer(prompt, "right").text
        )
        clock.move_to(EIGHT + 300)
        assert person.answer(prompt, "right").status_code == 303
    assert len(codes.asked) == 6

"""One press of the button is one attempt, whatever the network makes of it."""

from __future__ import annotations

from threading import Barrier
from threading import Thread
from typing import Any

import pytest
from conftest import MakeApp
from people import Codes
from people import Person
from werkzeug.test import TestResponse

from flask_stepup import OutcomeUnknown
from flask_stepup import VerifierUnavailable


def submit(
    person: Person, challenge: str, code: str, submission: object = "one", **kw: Any
) -> TestResponse:
    data = {"challenge": challenge, "code": code, "submission": submission}
    return person.open("/stepup/", "POST", data=data, **kw)


def test_what_is_sent_twice_is_tried_once(alice: Person, codes: Codes) -> None:
    """As by a reload of the page that told of it: it is told, and can go on."""
    challenge = alice.prompted().challenge
    assert "You have 4 tries left." in submit(alice, challenge, "wrong").text
    again = submit(alice, challenge, "wrong")

    assert (again.status_code, len(codes.asked)) == (422, 1)
    assert "That code has been used" in again.text
    assert "You have 3 tries left." in submit(alice, challenge, "wrong", "two").text


def test_json_says_so_too(alice: Person, codes: Codes) -> None:
    """A program that names what it sends may send it again."""
    body = {"challenge": alice.prompted().challenge, "code": "wrong", "submission": "x"}
    first, again = (alice.json("/stepup/", "POST", json=body).json for _ in range(2))

    assert (first["code"], again["code"]) == ("incorrect_code", "code_already_used")
    assert len(codes.asked) == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("wrong 1", "one"), ("wrong 2", "one")),
        (("wrong", "one"), ("wrong", "two")),
        (("wrong", ""), ("wrong", "")),
    ],
)
def test_another_code_or_name_is_another_attempt(
    alice: Person, codes: Codes, first: tuple[str, str], second: tuple[str, str]
) -> None:
    """And what has no name is counted each time."""
    challenge = alice.prompted().challenge
    submit(alice, challenge, *first)
    assert "You have 3 tries left." in submit(alice, challenge, *second).text
    assert len(codes.asked) == 2


def test_a_name_is_its_persons_own(make_app: MakeApp, codes: Codes) -> None:
    """What one sends says nothing of what another does."""
    app = make_app()
    for user in ("alice", "bob"):
        person = Person(app, user)
        told = submit(person, person.prompted().challenge, "wrong")
        assert "You have 4 tries left." in told.text


def test_while_the_first_is_checked_the_second_asks_nobody(
    alice: Person, codes: Codes
) -> None:
    """A right code that is sent again meanwhile opens once, for the first."""
    challenge, reached = alice.prompted().challenge, Barrier(2)
    other = Person(alice.app)
    other.put_back(alice.cookie())
    codes.meanwhile = lambda: (reached.wait(10), reached.wait(10))
    first: list[TestResponse] = []
    thread = Thread(target=lambda: first.append(submit(alice, challenge, "right")))
    thread.start()
    reached.wait(10)
    assert submit(other, challenge, "right").status_code == 422
    reached.wait(10)
    thread.join()

    assert [answer.status_code for answer in first] == [303]
    assert len(codes.asked) == 1


def test_who_has_not_seen_that_a_code_was_right_goes_on(
    alice: Person, codes: Codes
) -> None:
    """The answer was lost, but not its cookie."""
    challenge = alice.prompted().challenge
    assert submit(alice, challenge, "right").status_code == 303
    assert submit(alice, challenge, "right").status_code == 303
    assert len(codes.asked) == 1


@pytest.mark.parametrize("error", [VerifierUnavailable(), OutcomeUnknown()])
def test_what_nobody_has_answered_can_be_sent_again(
    alice: Person, codes: Codes, error: Exception
) -> None:
    """It was given back: no attempt is used up by an outage."""
    challenge = alice.prompted().challenge
    codes.raises = error
    assert submit(alice, challenge, "wrong").status_code == 503
    codes.raises = None
    assert "You have 4 tries left." in submit(alice, challenge, "wrong").text


@pytest.mark.parametrize("name", ["x" * 100_000, "\0", "\ud800", 5, None, ["x"], {}])
def test_odd_names_break_nothing(alice: Person, name: object) -> None:
    """Text is a name, whatever is in it; what is none is no name."""
    body = {
        "challenge": alice.prompted().challenge,
        "code": "wrong",
        "submission": name,
    }
    told = [alice.json("/stepup/", "POST", json=body).json["code"] for _ in range(2)]

    second = "code_already_used" if isinstance(name, str) else "incorrect_code"
    assert told == ["incorrect_code", second]


def test_the_name_cannot_buy_tries(alice: Person, codes: Codes) -> None:
    """Nobody is asked about a code more often than the limit allows, named or not."""
    challenge = alice.prompted().challenge
    for number in range(20):
        submit(alice, challenge, f"wrong {number}", f"{number % 3}")
        submit(alice, challenge, f"wrong {number}", f"{number % 3}")

    assert len(codes.asked) == 5

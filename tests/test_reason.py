"""What a person is told to be about to do."""

from __future__ import annotations

import re
from itertools import count
from typing import Any

import pytest
from approving import approve
from approving import asked
from approving import MONEY
from approving import post
from approving import right
from approving import with_bank
from conftest import MakeApp
from flask import Flask
from flask import request
from people import Person

from flask_stepup import ConfigurationError
from flask_stepup import require_reverification
from flask_stepup import StepUp
from flask_stepup.signals import reverification_required


@pytest.fixture(name="app")
def _app(make_app: MakeApp, stepup: StepUp) -> Flask:
    return with_bank(make_app(stepup=stepup), stepup)


class Lazy:
    """Text that is made when it is asked for, as translations are."""

    def __str__(self) -> str:
        return "lazily told"


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("Send money", "Send money"),
        ("Send\n\x00money\u202e", "Sendmoney"),
        ("x" * 201, "x" * 199 + "…"),
        (lambda: "Send money", "Send money"),
        (lambda: f"Send to {request.form['to']}", "Send to bob"),
        (Lazy, "lazily told"),
        (lambda: 5, "5"),
        (lambda: "a\x00b\x1b[31m\u202e\nc", "ab[31mc"),
        (lambda: "<script>alert(1)</script>", "<script>alert(1)</script>"),
        (lambda: "\"' onload=x", "\"' onload=x"),
        (lambda: "{{ 7 * 7 }}", "{{ 7 * 7 }}"),
        (lambda: "x" * 200, "x" * 200),
        (lambda: "x" * 201, "x" * 199 + "…"),
        (lambda: None, None),
        (lambda: "", None),
        (lambda: "\x00\u202e", None),
    ],
)
def test_the_reason_is_named_as_it_is(
    make_app: MakeApp, stepup: StepUp, reason: Any, told: str | None
) -> None:
    """Promise 9: to people, escaped, and to programs, in at most 200 characters."""
    app = with_bank(make_app(stepup=stepup), stepup)
    app.extensions["bank"].route("/risk", "risk", once=True, reason=reason)
    alice = Person(app, "alice")

    prompt = asked(alice, "/risk", MONEY)
    policy = alice.json("/risk", "POST", data=MONEY).json["policy"]

    assert policy.get("reason") == told
    shown = re.search(
        r'<p class="stepup-reason"><bdi>(.*?)</bdi>', prompt.text, re.DOTALL
    )
    assert ("<script>alert" in prompt.text, shown is None) == (False, told is None)
    if told:
        assert told in prompt.says or told.startswith("<script>")
    resume = alice.answer(prompt, right())
    assert ("stepup-reason" in resume.text) is (told is not None)


@pytest.mark.parametrize(
    "error", [KeyError("to"), ValueError("geheim"), RecursionError()]
)
def test_a_reason_that_cannot_be_made_keeps_nobody_from_going_on(
    make_app: MakeApp,
    stepup: StepUp,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    """The prompt names none, and the log tells the kind of error, not its text."""

    def reason() -> str:
        raise error

    app = with_bank(make_app(stepup=stepup), stepup)
    app.extensions["bank"].route("/risk", "risk", once=True, reason=reason)
    alice = Person(app, "alice")

    assert "stepup-reason" not in asked(alice, "/risk").text
    assert f"it raised {type(error).__name__}" in caplog.text
    assert "geheim" not in caplog.text
    approve(alice, "/risk")
    assert post(alice, "/risk").text == "done"


def test_a_text_of_a_reason_that_raises_is_as_if_there_were_none(
    make_app: MakeApp, stepup: StepUp
) -> None:
    """A lazy translation can fail as late as when it is read."""

    class Broken:
        def __str__(self) -> str:
            raise LookupError

    app = with_bank(make_app(stepup=stepup), stepup)
    app.extensions["bank"].route("/risk", "risk", once=True, reason=Broken)

    assert "stepup-reason" not in asked(Person(app, "alice"), "/risk").text


def test_a_reason_is_taken_once_for_each_challenge(
    make_app: MakeApp, stepup: StepUp
) -> None:
    """What the prompt said at first it says to the end; who passes needs none."""
    taken = count()
    app = with_bank(make_app(stepup=stepup), stepup)
    app.extensions["bank"].route(
        "/risk", "risk", once=True, reason=lambda: f"Reason {next(taken)}"
    )
    alice = Person(app, "alice")
    told: list[object] = []

    def receiver(_sender: object, policy: Any, **_: object) -> None:
        told.append(policy.reason)

    with reverification_required.connected_to(receiver, app):
        prompt = asked(alice, "/risk")
    for code in ("", "wrong", right(), right()):
        assert "Reason 0" in alice.answer(prompt, code).text
    assert post(alice, "/risk").text == "done"

    assert told == ["Reason 0"]
    assert next(taken) == 1


@pytest.mark.parametrize("reason", [5, ["a"], b"a", True])
def test_a_reason_is_text_or_a_function(reason: Any) -> None:
    """Anything else is a mistake, told at decoration."""
    with pytest.raises(ConfigurationError):
        require_reverification(reason=reason)


def test_a_coroutine_is_no_reason() -> None:
    """Refused at decoration, since nobody would wait for it."""

    async def reason() -> str:
        return "later"

    with pytest.raises(ConfigurationError):
        require_reverification(reason=reason)


@pytest.mark.parametrize(
    "typed", ["\x00\n\u202e", "x" * 100_000, "\ud800", "<b>", "{{ 7*7 }}", "%s", ""]
)
def test_hostile_text_in_the_reason_of_a_view_is_no_error(
    make_app: MakeApp, stepup: StepUp, typed: str
) -> None:
    """``require(reason=f"…")`` with what somebody typed is made to fit."""
    app = make_app(stepup=stepup)
    app.testing = True

    @app.post("/risk")
    def risk() -> str:
        stepup.require(once=True, reason=f"Send to {request.form['to'] or typed}")
        return "done"

    # Lone surrogates come from JSON, not from forms.
    is_form = "\ud800" not in typed
    alice = Person(app, "alice")
    prompt = asked(alice, "/risk", {"to": typed if is_form else ""})

    assert "<b>" not in prompt.text
    assert "Send to" in prompt.says
    assert len(alice.json("/risk", "POST", data={"to": ""}).json["policy"]) == 5

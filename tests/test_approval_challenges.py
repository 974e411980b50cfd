"""Challenges of approvals: which request they are of, and how they end."""

from __future__ import annotations

import re
import secrets
import time
from typing import Any

import pytest
import time_machine
from conftest import MakeApp
from flask import Flask
from flask import request
from people import Person
from people import Prompt
from werkzeug.test import TestResponse

from flask_stepup import require_reverification
from flask_stepup import StepUp

HTMX = {"HX-Request": "true", "HX-Current-URL": "http://localhost/pay"}


@pytest.fixture(name="app")
def _app(make_app: MakeApp, stepup: StepUp) -> Flask:
    return bank(make_app(stepup=stepup, STEPUP_ATTEMPT_LIMIT="2 per 5 minutes"))


def bank(app: Flask) -> Flask:
    """One route for each kind of approval."""
    app.extensions["ran"] = ran = []

    @app.post("/close")
    @require_reverification(once=True)
    def close() -> str:
        ran.append(request.form.to_dict())
        return "closed"

    @app.post("/pay")
    @require_reverification(bind=("to", "note"), reason="Pay")
    def pay() -> str:
        ran.append(request.values.to_dict())
        return "paid"

    return app


def right() -> str:
    return "right" + secrets.token_hex(4)


def post(person: Person, path: str, **data: str) -> TestResponse:
    return person.open(path, "POST", data=data)


def test_who_approves_one_tab_has_not_approved_another(
    app: Flask, alice: Person
) -> None:
    """Promise 9: with ``once``, which shows no values, the form counts as it was."""
    bob, mallory = post(alice, "/close", to="bob"), post(alice, "/close", to="mallory")
    alice.answer(Prompt(bob), right())

    assert post(alice, "/close", to="mallory").status_code == 403
    assert post(alice, "/close", to="bob").text == "closed"
    assert alice.answer(Prompt(mallory), right()).status_code == 200
    assert post(alice, "/close", to="mallory").text == "closed"
    assert [run["to"] for run in app.extensions["ran"]] == ["bob", "mallory"]


def test_a_secret_that_is_entered_again_is_part_of_no_approval(
    app: Flask, alice: Person
) -> None:
    """It was not carried, so nobody knows whether it is the same."""
    asked = post(alice, "/close", to="bob", password="typed once")
    page = alice.answer(Prompt(asked), right())

    assert 'type="password" name="password"' in page.text
    assert post(alice, "/close", to="bob", password="typed again").text == "closed"


def test_after_too_many_wrong_codes_a_request_is_withdrawn(
    app: Flask, alice: Person, stepup: StepUp
) -> None:
    """OWASP 2.4: it is told that, and until when; nobody is told that it was done."""
    now = time.time()
    with time_machine.travel(now, tick=False) as clock:
        prompt = Prompt(post(alice, "/close", to="bob"))
        answers = [alice.answer(prompt, "wrong") for _ in range(4)]
        answers.append(alice.answer(prompt, right()))
        assert [a.status_code for a in answers] == [422, 422, 429, 429, 429]
        assert answers[-1].headers["Retry-After"] == "300"
        assert "confirmed" not in Prompt(answers[-1]).says
        told = alice.json(
            "/stepup/", "POST", json={"challenge": prompt.challenge, "code": right()}
        )
        assert (told.status_code, told.json["code"]) == (429, "too_many_attempts")
        clock.shift(301)
        withdrawn = alice.answer(prompt, right())
        assert withdrawn.status_code == 400
        assert "Nothing has been done" in Prompt(withdrawn).says
        assert re.search(r'action="/close"', withdrawn.text)
        again = post(alice, "/close", to="bob")
        alice.answer(Prompt(again), right())

        assert post(alice, "/close", to="bob").text == "closed"


def test_unlocking_does_not_bring_a_withdrawn_request_back(
    app: Flask, alice: Person, stepup: StepUp
) -> None:
    """It is asked for anew, for which the form is still there."""
    prompt = Prompt(post(alice, "/close", to="bob"))
    for _ in range(2):
        alice.answer(prompt, "wrong")
    with app.app_context():
        stepup.unlock("alice")

    assert alice.answer(prompt, right()).status_code == 400


def test_who_has_done_it_is_told_before_doing_it_again(
    app: Flask, alice: Person
) -> None:
    """A reload of what a view answered: it may be done already."""
    asked = post(alice, "/close", to="bob")
    alice.answer(Prompt(asked), right())
    post(alice, "/close", to="bob")
    again = post(alice, "/close", to="bob")

    for page in (again, alice.answer(Prompt(again), "wrong")):
        assert "Nothing has been done yet" not in Prompt(page).says
        assert "it may be done by now" in Prompt(page).says


def test_a_prompt_that_no_address_can_hold_is_not_led_to(
    app: Flask, alice: Person, caplog: pytest.LogCaptureFixture
) -> None:
    """HTMX goes to an address, and servers take no endless ones."""
    values = {"to": secrets.token_hex(240), "note": secrets.token_hex(240)}
    short = alice.client.post("/pay", data={"to": "a", "note": "b"}, headers=HTMX)
    values = {name: "山" + "".join(map(chr, noise())) for name in values}
    long = alice.client.post("/pay", data=values, headers=HTMX)

    assert len(short.headers["HX-Redirect"]) < 2_000
    assert (long.status_code, "HX-Redirect" in long.headers) == (403, False)
    assert "bind fewer or shorter values" in caplog.text


def noise() -> list[int]:
    """Letters that do not compress."""
    return [0x4E00 + secrets.randbelow(0x5000) for _ in range(490)]


def test_is_reverified_never_raises(
    make_app: MakeApp, stepup: StepUp, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever its function does, or the request is."""
    app = make_app(stepup=stepup, MAX_CONTENT_LENGTH=100)
    demands: list[dict[str, Any]] = [
        {"bind": lambda: 1 / 0},
        {"bind": lambda: {"to": request.form["nothing"]}},
        {"bind": ("to",)},
        {"bind": dict},
        {"once": True},
    ]

    @app.route("/look", methods=["GET", "POST"])
    def look() -> list[bool]:
        return [stepup.is_reverified(**demand) for demand in demands]

    alice = Person(app, "alice")

    assert alice.json("/look").json == [False] * 5
    assert post(alice, "/look", to="x" * 200).json == [False] * 5
    assert "ZeroDivisionError" in caplog.text


def test_spent_approvals_leave_before_what_still_serves(
    make_app: MakeApp, stepup: StepUp
) -> None:
    """Eight transfers do not end the elevation of everything else."""
    app = bank(make_app(stepup=stepup))
    scoped = require_reverification(scope="other")
    app.add_url_rule("/other", view_func=scoped(lambda: "other"), endpoint="other")
    alice = Person(app, "alice")
    alice.step_up(right())
    for n in range(7):
        alice.answer(Prompt(post(alice, "/close", to=str(n))), right())
        assert post(alice, "/close", to=str(n)).text == "closed"
    alice.step_up(right(), "/other")

    assert alice.open("/vault").status_code == 200
    assert alice.open("/other").status_code == 200


def test_the_newest_of_several_approvals_tells_the_cause(
    app: Flask, alice: Person
) -> None:
    """One that nobody used is too old by now, and the last one is spent."""
    with time_machine.travel(time.time(), tick=False) as clock:
        for seconds in (600, 590):
            alice.answer(Prompt(post(alice, "/close")), right())
            clock.shift(seconds)
        assert post(alice, "/close").text == "closed"

        assert alice.json("/close", "POST").json["cause"] == "spent"


def test_with_once_the_query_counts(make_app: MakeApp, stepup: StepUp) -> None:
    """Promise 9: who confirmed to delete one thing has not confirmed another."""
    app = bank(make_app(stepup=stepup))
    alice = Person(app, "alice")
    for send in (post, lambda who, path: who.json(path, "POST")):
        asked = send(alice, "/close?id=7")
        challenge = (asked.json or {}).get("challenge") or Prompt(asked).challenge
        alice.open("/stepup/", "POST", data={"challenge": challenge, "code": right()})

        assert send(alice, "/close?id=8").status_code == 403
        assert send(alice, "/close?id=7").text == "closed"


def test_with_values_the_rest_of_a_request_may_change(
    app: Flask, alice: Person
) -> None:
    """Those are what was shown."""
    alice.answer(Prompt(post(alice, "/pay?page=1", to="bob", note="x")), right())

    assert post(alice, "/pay?page=2", to="bob", note="x", more="y").text == "paid"


def test_who_approves_a_button_has_not_approved_a_form(
    app: Flask, alice: Person
) -> None:
    """Nor has who approves a file that could not be kept."""
    alice.answer(Prompt(post(alice, "/close")), right())
    assert post(alice, "/close", to="mallory").status_code == 403
    assert post(alice, "/close").text == "closed"

    odd = {"data": "x" * 9, "content_type": "text/plain"}
    alice.answer(Prompt(alice.open("/close", "POST", **odd)), right())
    assert post(alice, "/close", to="mallory").status_code == 403
    assert alice.open("/close", "POST", **odd).text == "closed"


def test_the_most_exact_approval_is_spent(app: Flask, alice: Person) -> None:
    """So that of a form and a file both run, whichever was approved first."""
    odd = {"data": "x" * 9, "content_type": "text/plain"}
    for _ in range(4):
        alice.answer(Prompt(post(alice, "/close", to="bob")), right())
        answer = alice.json("/close", "POST", **odd).json
        data = {"challenge": answer["challenge"], "code": right()}
        alice.open("/stepup/", "POST", data=data)
        assert post(alice, "/close", to="bob").text == "closed"
        assert alice.open("/close", "POST", **odd).text == "closed"


def test_a_view_reads_its_body_as_ever(make_app: MakeApp, stepup: StepUp) -> None:
    """Although it was read before, to see whether this form was approved."""
    app = make_app(stepup=stepup)
    reads = {
        "data": lambda: request.get_data(as_text=True),
        "stream": lambda: request.stream.read().decode(),
        "form": lambda: request.form["to"],
    }
    for name, read in reads.items():
        view = require_reverification(once=True)(read)
        app.add_url_rule(f"/{name}", name, view, methods=["POST"])
    alice = Person(app, "alice")
    for name, seen in {"data": "to=bob", "stream": "to=bob", "form": "bob"}.items():
        alice.answer(Prompt(post(alice, f"/{name}", to="bob")), right())

        assert post(alice, f"/{name}", to="bob").text == seen


def test_asking_whether_somebody_is_locked_out_uses_no_try(
    app: Flask, alice: Person
) -> None:
    """A page that is reloaded is no guess."""
    with time_machine.travel(time.time(), tick=False) as clock:
        prompt = Prompt(post(alice, "/close", to="bob"))
        for _ in range(2):
            alice.answer(prompt, "wrong")
        clock.shift(301)
        for _ in range(5):
            assert alice.answer(prompt, "wrong").status_code == 400

        again = Prompt(post(alice, "/close", to="bob"))
        assert alice.answer(again, right()).status_code == 200


def test_only_the_first_answer_says_that_nothing_has_been_done(
    app: Flask, alice: Person
) -> None:
    """Another tab may have gone on meanwhile."""
    first = post(alice, "/close", to="bob")
    assert "Nothing has been done yet" in Prompt(first).says
    for code in ("wrong", "wrong", "wrong"):
        answer = alice.answer(Prompt(first), code)

        assert "Nothing has been done yet" not in Prompt(answer).says
        assert "is kept" in Prompt(answer).says

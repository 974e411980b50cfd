"""Approvals: what one code opens, what it does not, and that it does so once.

Promises 1, 2, 3, 5 and 9; and what is known of attacks on such schemes, by name.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import time_machine
from conftest import MakeApp
from conftest import signed_in
from flask import abort
from flask import Blueprint
from flask import Flask
from flask import redirect
from flask import request
from flask import session
from flask.views import MethodView
from people import Codes
from people import Person
from people import Prompt
from werkzeug.test import TestResponse

from flask_stepup import ConfigurationError
from flask_stepup import NotEnrolled
from flask_stepup import require_reverification
from flask_stepup import ReverificationRequired
from flask_stepup import StepUp
from flask_stepup import Subject
from flask_stepup.signals import attempts_exhausted
from flask_stepup.signals import reverification_required

#: Each opens once, so each test takes its own.
_NUMBERS = count()
MONEY = {"to": "bob", "amount": "10"}


def right() -> str:
    """A right code that nobody has used."""
    return f"right {next(_NUMBERS)}"


class Bank:
    """The routes of the tests; ``runs`` is what their views have done."""

    def __init__(self, app: Flask, stepup: StepUp) -> None:
        self.app = app
        self.runs: list[str] = app.extensions["runs"]
        self.route("/close/<int:account>", "close", once=True)
        self.route("/freeze/<int:account>", "freeze", once=True)
        self.route("/send", "send", bind=("to", "amount"))
        self.route("/send-to/<to>", "send_to", bind=("to", "amount"))
        self.route("/pay", "pay", once=True, scope="payments")
        self.route("/limits", "limits", scope="payments")
        self.route("/settings", "settings")
        app.add_url_rule("/forget", "forget", lambda: str(stepup.forget()))
        app.add_url_rule("/grant", "grant", lambda: str(stepup.grant()))
        app.add_url_rule(
            "/grant-payments", "gp", lambda: str(stepup.grant(scope="payments"))
        )

    def route(
        self,
        rule: str,
        name: str,
        answer: Callable[[], Any] = lambda: "done",
        methods: tuple[str, ...] = ("POST",),
        **demands: Any,
    ) -> None:
        """A guarded view that writes down that it ran, with its arguments."""

        @require_reverification(**demands)
        def view(**arguments: Any) -> Any:
            told = [f"{key}={value}" for key, value in arguments.items()]
            self.runs.append(" ".join([name, *told]))
            return answer()

        self.app.add_url_rule(rule, name, view, methods=methods)


def with_bank(app: Flask, stepup: StepUp) -> Flask:
    app.extensions["bank"] = Bank(app, stepup)
    return app


def runs(person: Person) -> list[str]:
    """What the views have done, in order."""
    done: list[str] = person.app.extensions["runs"]
    return done


def post(person: Person, path: str, data: Any = None, **kwargs: Any) -> TestResponse:
    return person.open(path, kwargs.pop("method", "POST"), data=data, **kwargs)


def asked(person: Person, path: str, data: Any = None, **kwargs: Any) -> Prompt:
    """Post where a code is asked for, and return the prompt."""
    response = post(person, path, data, **kwargs)
    assert response.status_code == 403, response.text
    return Prompt(response)


def approve(person: Person, path: str, data: Any = None, **kwargs: Any) -> Prompt:
    """Approve a post by a right code, without sending it again."""
    prompt = asked(person, path, data, **kwargs)
    response = person.answer(prompt, right())
    assert response.status_code == 200, response.text
    return prompt


def cause(person: Person, path: str, data: Any = None, method: str = "POST") -> str:
    """Why a program is asked for a code."""
    response = person.json(path, method, data=data)
    assert response.status_code == 403, response.text
    told: str = response.json["cause"]
    return told


def tokens(person: Person) -> dict[str, str]:
    """The tokens in a person's session."""
    with person.client.session_transaction() as state:
        return dict(state.get("_stepup", {}))


@pytest.fixture(name="stepup")
def _stepup(codes: Codes) -> StepUp:
    return StepUp(verifier=codes, subject_loader=signed_in)


@pytest.fixture(name="app")
def _app(make_app: MakeApp, stepup: StepUp) -> Flask:
    return with_bank(make_app(stepup=stepup), stepup)


# One run.


def test_an_approval_opens_one_run(alice: Person) -> None:
    """Promise 9: what was approved runs once; a second time needs a second code."""
    approve(alice, "/close/1")

    assert post(alice, "/close/1").text == "done"
    assert post(alice, "/close/1").status_code == 403
    assert cause(alice, "/close/1") == "spent"
    assert runs(alice) == ["close account=1"]


def test_the_way_through_the_pages(alice: Person) -> None:
    """Post, prompt in place, code, and the page that sends the form again."""
    prompt = asked(alice, "/send?lang=en", MONEY)
    resume = alice.answer(prompt, right())

    assert 'action="/send?lang=en"' in resume.text
    assert Prompt(resume).fields == MONEY
    assert post(alice, "/send?lang=en", MONEY).text == "done"


def raises() -> Any:
    raise AttributeError("a mistake after the side effect")


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (lambda: "done", 200),
        (lambda: ("gone", 404), 404),
        (lambda: redirect("/"), 302),
        (lambda: abort(409), 409),
        (lambda: abort(403), 403),
        (raises, 500),
    ],
)
def test_it_is_spent_whatever_the_view_answers(
    make_app: MakeApp, stepup: StepUp, answer: Callable[[], Any], status: int
) -> None:
    """Nobody can tell what a view had done before it failed: it ran."""
    app = with_bank(make_app(stepup=stepup, PROPAGATE_EXCEPTIONS=False), stepup)
    app.extensions["bank"].route("/risk", "risk", answer, once=True)
    alice = Person(app, "alice")
    approve(alice, "/risk")

    assert post(alice, "/risk").status_code == status
    assert cause(alice, "/risk") == "spent"
    assert runs(alice) == ["risk"]


def test_what_does_not_reach_the_view_spends_nothing(app: Flask) -> None:
    """What the app turns away before its view, as a check against CSRF does."""

    @app.before_request
    def check() -> None:
        if request.headers.get("Origin") == "http://evil.example":
            abort(400)

    alice = Person(app, "alice")
    approve(alice, "/close/1")
    foreign = {"Origin": "http://evil.example"}
    assert post(alice, "/close/1", headers=foreign).status_code == 400

    assert post(alice, "/close/1").text == "done"


def test_an_unclear_request_spends_nothing(alice: Person) -> None:
    """A value that is missing or repeated is refused before anything is spent."""
    approve(alice, "/send", MONEY)

    assert post(alice, "/send", {"to": "bob"}).status_code == 400
    assert post(alice, "/send?to=eve", MONEY).status_code == 400
    assert post(alice, "/send", MONEY).text == "done"


def test_several_approvals_lie_side_by_side(alice: Person) -> None:
    """Tabs do not get in each other's way, in whichever order they go on."""
    one, two, three = (asked(alice, f"/close/{account}") for account in (1, 2, 3))
    for prompt in (two, three, one):
        alice.answer(prompt, right())

    answers = [post(alice, f"/close/{account}").text for account in (3, 1, 2)]

    assert answers == ["done"] * 3
    assert runs(alice) == [f"close account={account}" for account in (3, 1, 2)]
    assert cause(alice, "/close/2") == "spent"


def test_once_approves_the_form_of_its_own_tab(alice: Person) -> None:
    """Promise 9: where no values are shown, the form that was kept is what is meant."""
    approve(alice, "/close/1", {"note": "mine"})

    for other in ({"note": "another"}, {"note": "mine", "more": "1"}, None):
        assert cause(alice, "/close/1", other) == "missing"
    assert runs(alice) == []
    assert post(alice, "/close/1", {"note": "mine"}).text == "done"
    assert cause(alice, "/close/1", {"note": "mine"}) == "spent"


def test_two_codes_approve_the_same_twice(alice: Person) -> None:
    """Whoever confirms the same transfer in two tabs wants it twice."""
    first, second = asked(alice, "/send", MONEY), asked(alice, "/send", MONEY)
    alice.answer(first, right())
    assert alice.answer(second, right()).status_code == 200

    answers = [post(alice, "/send", MONEY).status_code for _ in range(3)]

    assert answers == [200, 200, 403]


def test_one_challenge_gives_one_approval(alice: Person, codes: Codes) -> None:
    """A reload of the prompt's answer asks nobody, and makes no second approval."""
    prompt = approve(alice, "/close/1")
    again = alice.answer(prompt, right())

    assert (again.status_code, len(codes.asked)) == (200, 1)
    assert "Already confirmed" in again.text
    assert "data-stepup-onward" not in again.text
    assert [post(alice, "/close/1").status_code for _ in range(2)] == [200, 403]


def test_a_challenge_that_was_used_up_takes_no_code(
    alice: Person, codes: Codes
) -> None:
    """After the run its prompt gives no other approval; the page offers to go on."""
    prompt = approve(alice, "/send", MONEY)
    post(alice, "/send", MONEY)

    page = alice.answer(prompt, right())
    told = alice.json(
        "/stepup/", "POST", json={"challenge": prompt.challenge, "code": right()}
    )

    assert (page.status_code, told.status_code) == (400, 400)
    assert told.json["code"] == "challenge_invalid"
    assert Prompt(page).fields == MONEY
    assert "Continue" in page.text
    assert "data-stepup-onward" not in page.text
    assert len(codes.asked) == 1
    assert post(alice, "/send", MONEY).status_code == 403


def test_a_used_up_challenge_is_told_to_who_follows_its_link(alice: Person) -> None:
    """A prompt without a form says that its confirmation has been used."""
    response = post(alice, "/close/1", headers={"HX-Request": "true"})
    link = response.headers["HX-Redirect"]
    prompt = Prompt(alice.open(link))
    assert alice.answer(prompt, right()).status_code == 303
    assert alice.open(link).status_code == 303
    assert post(alice, "/close/1").status_code == 200

    for answer in (alice.open(link), alice.answer(prompt, right())):
        assert answer.status_code == 400
        assert "This has been confirmed before" in answer.text
        assert "<form" not in answer.text


# What it is bound to.

#: An approval of ``POST /close/1``, and what is then asked for instead.
OTHERS = {
    "other argument": ("/close/2", "POST"),
    "other view": ("/freeze/1", "POST"),
    "other method": ("/close/1", "DELETE"),
    "other scope": ("/scoped/1", "POST"),
    "other rule": ("/also-close/1", "POST"),
    "a value": ("/bound/1", "POST"),
}


@pytest.mark.parametrize("other", OTHERS)
def test_an_approval_opens_nothing_else(app: Flask, other: str) -> None:
    """Promise 1: not another view, method or scope, nor with another argument."""
    bank = app.extensions["bank"]
    bank.route("/scoped/<int:account>", "scoped", once=True, scope="s")
    bank.route("/bound/<int:account>", "bound", bind=("account",))
    view = app.view_functions["close"]
    app.add_url_rule("/close/<int:account>", "d", view, methods=["DELETE"])
    app.add_url_rule("/also-close/<int:account>", "a", view, methods=["POST"])
    alice = Person(app, "alice")
    approve(alice, "/close/1")
    path, method = OTHERS[other]

    assert post(alice, path, method=method).status_code == 403
    assert cause(alice, path, method=method) == "missing"
    assert runs(alice) == []
    assert post(alice, "/close/1").text == "done"


def test_methods_of_one_view_are_approved_one_by_one(
    make_app: MakeApp, stepup: StepUp
) -> None:
    """To approve a change is not to approve a removal."""
    app = make_app(stepup=stepup)

    class Account(MethodView):
        decorators = (require_reverification(once=True),)

        def post(self) -> str:
            return "changed"

        def put(self) -> str:
            return "replaced"

        def delete(self) -> str:
            return "removed"

    app.add_url_rule("/account", view_func=Account.as_view("account"))
    alice = Person(app, "alice")
    approve(alice, "/account")

    assert cause(alice, "/account", method="DELETE") == "missing"
    assert cause(alice, "/account", method="PUT") == "missing"
    assert post(alice, "/account").text == "changed"


def test_two_views_of_the_same_name_in_two_blueprints(
    make_app: MakeApp, stepup: StepUp
) -> None:
    """The endpoint counts with its blueprint."""
    app = make_app(stepup=stepup)
    for name in ("own", "shared"):
        blueprint = Blueprint(name, name, url_prefix=f"/{name}")
        guarded = require_reverification(once=True)(lambda: "closed")
        blueprint.add_url_rule("/close", "close", guarded, methods=["POST"])
        app.register_blueprint(blueprint)
    alice = Person(app, "alice")
    approve(alice, "/own/close")

    assert cause(alice, "/shared/close") == "missing"
    assert post(alice, "/own/close").text == "closed"


def test_an_approval_of_another_user_opens_nothing(alice: Person) -> None:
    """Promise 1: who signs in over it in the same browser does not inherit it."""
    approve(alice, "/close/1")
    alice.client.get("/sign-in/bob")

    assert cause(alice, "/close/1") == "missing"
    alice.client.get("/sign-in/alice")
    assert post(alice, "/close/1").text == "done"


def test_switching_user_between_prompt_and_code_approves_nothing(
    alice: Person, codes: Codes
) -> None:
    """Promise 1: what one person was asked, another does not answer."""
    prompt = asked(alice, "/send", MONEY)
    alice.client.get("/sign-in/bob")

    answer = alice.answer(prompt, right())

    assert (answer.status_code, codes.asked) == (400, [])
    assert "10" not in Prompt(answer).says
    assert cause(alice, "/send", MONEY) == "missing"


def test_an_approval_of_another_session_opens_nothing(alice: Person) -> None:
    """Promise 1: the same user's other browser has to ask for itself."""
    approve(alice, "/close/1")
    other = Person(alice.app, "alice")
    cause(other, "/close/1")
    with other.client.session_transaction() as state:
        state["_stepup"] = tokens(alice)

    assert cause(other, "/close/1") == "missing"
    assert runs(alice) == []


def test_an_approval_of_another_login_opens_nothing(
    codes: Codes, make_app: MakeApp
) -> None:
    """Promise 1: the identity provider's session is bound too."""
    login = ["sess_1"]
    stepup = StepUp(verifier=codes, subject_loader=lambda: Subject("alice", login[0]))
    alice = Person(with_bank(make_app(stepup=stepup), stepup), "alice")
    prompt = approve(alice, "/close/1")

    login[0] = "sess_2"

    assert cause(alice, "/close/1") == "missing"
    assert alice.answer(prompt, right()).status_code == 400
    login[0] = "sess_1"
    assert post(alice, "/close/1").text == "done"


@pytest.mark.parametrize(
    "found", ["", "x", "x.y", 5, None, ["t"], {"a": "b"}, "…", "\udc00"]
)
def test_whatever_lies_under_an_approvals_name_opens_nothing(
    alice: Person, found: object
) -> None:
    """Foreign content in the session is as if it were not there."""
    cause(alice, "/close/1")
    with alice.client.session_transaction() as state:
        state["_stepup"] = {"\tid": found}

    assert cause(alice, "/close/1") == "missing"
    approve(alice, "/close/1")
    assert post(alice, "/close/1").text == "done"


def test_an_approval_under_another_name_is_still_spent_once(alice: Person) -> None:
    """The ledger knows an approval by what is signed, not by where it lies."""
    approve(alice, "/close/1")
    ((_, token),) = tokens(alice).items()
    with alice.client.session_transaction() as state:
        state["_stepup"] = {f"\t{copy}": token for copy in range(3)}
    copied = alice.cookie()

    assert post(alice, "/close/1").text == "done"
    alice.put_back(copied)
    assert cause(alice, "/close/1") == "spent"


# Standing markers and approvals.


def test_a_standing_marker_approves_nothing(alice: Person) -> None:
    """A verification minutes ago, in the same scope too, is no approval."""
    alice.step_up(right())
    alice.open("/grant")
    alice.open("/grant-payments")
    assert post(alice, "/settings").text == "done"
    assert post(alice, "/limits").text == "done"

    assert cause(alice, "/close/1") == "missing"
    assert cause(alice, "/pay") == "missing"
    assert cause(alice, "/send", MONEY) == "missing"


def test_an_approval_stands_for_nothing(alice: Person) -> None:
    """To approve one run is not to be verified, in the same scope neither."""
    approve(alice, "/close/1")
    approve(alice, "/pay")

    assert cause(alice, "/settings") == "missing"
    assert cause(alice, "/limits") == "missing"
    told = alice.client.get("/stepup/status?scope=payments").json
    assert told["reverified"] is False


def test_tokens_moved_to_each_others_names_open_nothing(alice: Person) -> None:
    """An approval in a marker's place, and a marker in an approval's."""
    alice.step_up(right())
    standing = tokens(alice)[""]
    approve(alice, "/close/1")
    (name,) = tokens(alice).keys() - {""}
    with alice.client.session_transaction() as state:
        state["_stepup"] = {"": state["_stepup"][name], name: standing}

    assert cause(alice, "/settings") == "missing"
    assert cause(alice, "/close/1") == "missing"


def test_a_claim_approves_nothing(codes: Codes, make_app: MakeApp) -> None:
    """What an identity provider says of factors, it says of no single run."""
    stepup = StepUp(
        verifier=codes, subject_loader=lambda: Subject("alice", "s", (0, 0))
    )
    alice = Person(with_bank(make_app(stepup=stepup), stepup), "alice")

    assert post(alice, "/settings").text == "done"
    assert cause(alice, "/close/1") == "missing"
    assert cause(alice, "/send", MONEY) == "missing"
    approve(alice, "/close/1")
    assert [post(alice, "/close/1").status_code for _ in range(2)] == [200, 403]


# What is bound.


@pytest.mark.parametrize(
    "changed",
    [
        {"amount": "9999"},
        {"to": "mallory"},
        {"amount": "10.0"},
        {"amount": " 10"},
        {"to": "Bob"},
        {"to": "10", "amount": "bob"},
        {"to": "b\u043eb"},
        {"amount": ""},
    ],
)
def test_changed_values_are_not_approved(
    alice: Person, changed: dict[str, str]
) -> None:
    """Promise 9: what was not shown is not done; what was shown still may be."""
    approve(alice, "/send", MONEY)

    assert cause(alice, "/send", MONEY | changed) == "missing"
    assert runs(alice) == []
    assert post(alice, "/send", MONEY).text == "done"


def test_a_bound_argument_of_the_view_counts(alice: Person) -> None:
    """A value in the path is shown and bound like one in the form."""
    prompt = approve(alice, "/send-to/bob", {"amount": "10"})

    assert "to bob" in prompt.says
    assert cause(alice, "/send-to/eve", {"amount": "10"}) == "missing"
    assert post(alice, "/send-to/bob", {"amount": "10"}).text == "done"


def test_what_is_not_bound_may_change(alice: Person) -> None:
    """The developer says what matters; a note or a CSRF token may be another."""
    approve(alice, "/send", MONEY | {"note": "thanks", "csrf_token": "1"})

    assert post(alice, "/send", MONEY | {"csrf_token": "2"}).text == "done"


def test_types_count(alice: Person) -> None:
    """``10`` and ``"10"`` may be done differently, so they are approved apart."""
    sent = {"to": "bob", "amount": 10}
    asked_for = alice.json("/send", "POST", json=sent).json
    assert asked_for["policy"]["bind"] == sent
    said = {"challenge": asked_for["challenge"], "code": right()}
    assert alice.json("/stepup/", "POST", json=said).status_code == 200

    others: list[Any] = ["10", 10.0, True, [10], None, {"10": 10}]
    answers = [
        alice.json("/send", "POST", json=sent | {"amount": other}).json["cause"]
        for other in others
    ]

    assert answers == ["missing"] * len(others)
    assert alice.json("/send", "POST", data=MONEY).json["cause"] == "missing"
    assert alice.json("/send", "POST", json=sent).text == "done"


def test_the_prompt_shows_what_is_bound(alice: Person) -> None:
    """Promise 9: names and values, with nothing hidden or reordered in them."""
    prompt = asked(alice, "/send", {"to": "<b>\u202eeve\u200b", "amount": "10"})

    assert "to <b>[U+202E]eve[U+200B] amount 10" in prompt.says
    assert "<b>" not in prompt.text


def test_values_after_validation(make_app: MakeApp, stepup: StepUp) -> None:
    """``require(bind={…})`` in a view approves what the view has made of its form."""
    app, sent = make_app(stepup=stepup), []

    @app.post("/transfer")
    def transfer() -> str:
        amount = Decimal(request.form["amount"])
        stepup.require(bind={"to": request.form["to"], "amount": amount})
        sent.append(amount)
        return "sent"

    alice = Person(app, "alice")
    approve(alice, "/transfer", {"to": "bob", "amount": "10"})

    assert cause(alice, "/transfer", {"to": "bob", "amount": "10.0"}) == "missing"
    assert post(alice, "/transfer", {"to": "bob", "amount": "10"}).text == "sent"
    assert cause(alice, "/transfer", {"to": "bob", "amount": "10"}) == "spent"
    assert sent == [Decimal("10")]


def test_bind_by_a_function_holds_for_what_it_returns(
    make_app: MakeApp, stepup: StepUp
) -> None:
    """A price that changed between prompt and resume is asked for anew."""
    price = [10]
    app = with_bank(make_app(stepup=stepup), stepup)
    app.extensions["bank"].route("/buy", "buy", bind=lambda: {"price": price[0]})
    alice = Person(app, "alice")
    approve(alice, "/buy")
    price[0] = 99

    assert alice.json("/buy", "POST").json["policy"]["bind"] == {"price": 99}
    assert runs(alice) == []
    price[0] = 10
    assert post(alice, "/buy").text == "done"


@pytest.mark.parametrize(
    ("query", "form", "status", "name"),
    [
        ("", {"to": "bob"}, 400, "amount"),
        ("?to=eve", MONEY, 400, "to"),
        ("", {"to": ["bob", "eve"], "amount": "10"}, 400, "to"),
        ("", MONEY | {"to": "b" * 501}, 422, "to"),
    ],
)
def test_what_is_unclear_is_refused_to_everybody(
    alice: Person, query: str, form: Any, status: int, name: str
) -> None:
    """A value that cannot be shown for certain gets no challenge, but its name told."""
    page = post(alice, f"/send{query}", form)
    told = alice.json(f"/send{query}", "POST", data=form)

    assert (page.status_code, told.status_code) == (status, status)
    assert (told.json["code"], told.json["name"]) == ("value_refused", name)
    assert "challenge" not in told.json
    assert f"“{name}”" in page.text
    assert "stepup-code" not in page.text
    assert runs(alice) == []


# Time.


@pytest.mark.parametrize(
    ("age", "opens"), [(0, True), (299, True), (300, False), (-10, True), (-11, False)]
)
def test_an_approval_is_as_fresh_as_its_policy_asks(
    make_app: MakeApp, stepup: StepUp, age: int, opens: bool
) -> None:
    """Promise 2: from ten seconds of skew before to just under ``max_age`` after."""
    app = with_bank(make_app(stepup=stepup), stepup)
    app.extensions["bank"].route("/risk", "risk", once=True, max_age=300)
    alice, start = Person(app, "alice"), int(time.time())

    with time_machine.travel(start, tick=False) as clock:
        approve(alice, "/risk")
        with alice.client.session_transaction() as state:
            approved = dict(state)
        # In a cookie that is older: Flask's own has no leeway.
        clock.move_to(start - 50)
        with alice.client.session_transaction() as state:
            state.update(approved)
        clock.move_to(start + age)
        assert (post(alice, "/risk").status_code == 200) is opens
    assert runs(alice) == ["risk"] * opens


def test_causes(alice: Person, stepup: StepUp) -> None:
    """Why a code is asked for: never had, too old, used, or ended."""
    with time_machine.travel(time.time(), tick=False) as clock:
        assert cause(alice, "/close/1") == "missing"
        approve(alice, "/close/1")
        clock.shift(600)
        assert cause(alice, "/close/1") == "expired"
        approve(alice, "/close/2")
        assert post(alice, "/close/2").status_code == 200
        assert cause(alice, "/close/2") == "spent"
        approve(alice, "/close/2")
        with alice.app.app_context():
            stepup.revoke("alice")
        assert cause(alice, "/close/2") == "revoked"
        approve(alice, "/close/2")
        assert post(alice, "/close/2").status_code == 200


def test_the_one_that_expired_does_not_hide_the_one_that_serves(
    alice: Person,
) -> None:
    """Of several approvals of one action, any that serves is spent."""
    with time_machine.travel(time.time(), tick=False) as clock:
        approve(alice, "/close/1")
        prompt = asked(alice, "/freeze/1")
        clock.shift(400)
        alice.answer(prompt, right())
        clock.shift(300)

        assert cause(alice, "/close/1") == "expired"
        approve(alice, "/close/1")
        assert post(alice, "/close/1").text == "done"
        assert post(alice, "/freeze/1").text == "done"


def test_a_resumed_form_does_not_lengthen_its_approval(alice: Person) -> None:
    """Promise 2: coming back to the prompt, or to the page after it, is no proof."""
    with time_machine.travel(time.time(), tick=False) as clock:
        prompt = approve(alice, "/close/1")
        for _ in range(5):
            clock.shift(119)
            assert alice.answer(prompt, "wrong").status_code == 200
        clock.shift(5)

        assert cause(alice, "/close/1") == "expired"


def test_the_age_of_an_approval_is_asked_by_each_policy_it_serves(
    make_app: MakeApp, stepup: StepUp
) -> None:
    """A stricter ``require`` in a view is not met by what its decorator spent."""
    app = make_app(stepup=stepup)

    @app.post("/risk")
    @require_reverification(once=True)
    def risk() -> str:
        stepup.require(once=True, max_age=60)
        return "done"

    alice = Person(app, "alice")
    with time_machine.travel(time.time(), tick=False) as clock:
        approve(alice, "/risk")
        clock.shift(120)

        assert post(alice, "/risk").status_code != 200


# What ends it.


def test_forgotten_approvals_are_gone(alice: Person) -> None:
    """Promise 3: after ``forget()`` no old cookie brings an approval back."""
    approve(alice, "/close/1")
    cookie = alice.cookie()
    alice.open("/forget")
    assert cause(alice, "/close/1") == "missing"

    alice.put_back(cookie)

    assert cause(alice, "/close/1") == "revoked"
    alice.put_back(cookie)
    assert post(alice, "/close/1").status_code == 403
    assert runs(alice) == []


def test_a_spent_approval_stays_spent_in_every_copy(alice: Person) -> None:
    """Promise 3: the cookie of before the run, put back, opens nothing."""
    approve(alice, "/close/1")
    cookie = alice.cookie()
    post(alice, "/close/1")
    alice.put_back(cookie)
    assert cause(alice, "/close/1") == "spent"
    approve(alice, "/close/1")
    post(alice, "/close/1")

    with time_machine.travel(time.time() + 500, tick=False):
        alice.put_back(cookie)
        assert post(alice, "/close/1").status_code == 403
    assert len(runs(alice)) == 2


def test_revoked_users_approve_anew(alice: Person, stepup: StepUp) -> None:
    """Promise 3: ``revoke`` ends approvals in every browser, and open ones too."""
    other = Person(alice.app, "alice")
    approve(alice, "/close/1")
    approve(other, "/close/2")
    with alice.app.app_context():
        stepup.revoke("alice")

    assert cause(alice, "/close/1") == "revoked"
    assert cause(other, "/close/2") == "revoked"
    assert runs(alice) == []


def test_what_is_revoked_while_a_code_is_checked_is_not_approved(
    alice: Person, stepup: StepUp, codes: Codes
) -> None:
    """A revocation that comes between question and answer wins."""
    prompt = asked(alice, "/close/1")

    def revoke() -> None:
        with alice.app.app_context():
            stepup.revoke("alice")

    codes.meanwhile = revoke

    assert alice.answer(prompt, right()).status_code == 400
    assert cause(alice, "/close/1") == "missing"


def test_a_challenge_does_not_outlive_its_session(alice: Person, codes: Codes) -> None:
    """What was asked before ``forget()`` is not approved after it."""
    prompt, cookie = asked(alice, "/close/1"), alice.cookie()
    alice.open("/forget")
    assert alice.answer(prompt, right()).status_code == 400
    alice.put_back(cookie)

    assert alice.answer(prompt, right()).status_code == 400
    assert codes.asked == []


# Keys and ledgers.


def test_keys_may_be_rotated_between_prompt_and_resume(
    make_app: MakeApp, codes: Codes
) -> None:
    """With the old key as a fallback nothing is lost; without it nothing opens."""
    shared = {"STEPUP_STORAGE_URI": "sqlite:///stepup.db"}
    new = shared | {"SECRET_KEY": "n" * 32}

    def worker(**config: Any) -> Person:
        stepup = StepUp(verifier=codes, subject_loader=lambda: "alice")
        return Person(with_bank(make_app(stepup=stepup, **config), stepup))

    before = worker(**shared)
    during = worker(**new, SECRET_KEY_FALLBACKS=["k" * 32])
    after = worker(**new)
    prompt = asked(before, "/close/1")
    during.put_back(before.cookie())
    assert during.answer(prompt, right()).status_code == 200
    after.put_back(during.cookie())

    assert post(after, "/close/1").status_code == 403
    assert cause(during, "/close/2") == "missing"
    assert [post(during, "/close/1").status_code for _ in range(2)] == [200, 403]


def test_an_approval_of_another_ledger_opens_nothing(
    make_app: MakeApp, codes: Codes, caplog: pytest.LogCaptureFixture
) -> None:
    """Promise 1: a worker that cannot know what is spent asks, and says why."""
    stepup = StepUp(verifier=codes, subject_loader=signed_in)
    one, two = (
        Person(with_bank(make_app(stepup=stepup), stepup), "alice") for _ in range(2)
    )
    prompt = approve(one, "/close/1")
    two.put_back(one.cookie())

    assert cause(two, "/close/1") == "missing"
    assert two.answer(prompt, right()).status_code == 400
    assert caplog.text.count("made with another ledger") == 1
    assert runs(two) == []
    assert post(one, "/close/1").text == "done"


def test_two_workers_spend_from_one_ledger(make_app: MakeApp, codes: Codes) -> None:
    """What one worker has run, another runs no more."""
    uri = "sqlite:///stepup.db"
    stepup = StepUp(verifier=codes, subject_loader=signed_in)
    one, two = (
        Person(with_bank(make_app(stepup=stepup, STEPUP_STORAGE_URI=uri), stepup))
        for _ in range(2)
    )
    one.client.get("/sign-in/alice")
    approve(one, "/close/1")
    two.put_back(one.cookie())

    assert post(two, "/close/1").text == "done"
    assert cause(one, "/close/1") == "spent"


def test_a_dead_ledger_approves_nothing(
    make_app: MakeApp, stepup: StepUp, tmp_path: Path
) -> None:
    """Promise 7: 503 with Retry-After, and the view does not run."""
    app = make_app(stepup=stepup, STEPUP_STORAGE_URI="sqlite:///stepup.db")
    with_bank(app, stepup)
    app.post("/maybe")(lambda: str(stepup.is_reverified(once=True)))
    alice = Person(app, "alice")
    approve(alice, "/close/1")
    app.extensions["stepup"].ledger.close()
    for file in (tmp_path / "instance").glob("stepup.db*"):
        file.unlink()
    (tmp_path / "instance" / "stepup.db").mkdir()

    response = post(alice, "/close/1")

    assert response.status_code == 503
    assert "Retry-After" in response.headers
    assert runs(alice) == []
    assert post(alice, "/maybe").text == "False"


# Mistakes of the developer's.


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_once_on_a_get_is_a_mistake_that_names_its_mend(
    make_app: MakeApp, stepup: StepUp, method: str
) -> None:
    """A preview of a link would spend it: told at the first request, to anybody."""
    app = make_app(stepup=stepup)
    guarded = require_reverification(once=True)(lambda: "done")
    app.add_url_rule("/risk", "risk", guarded, methods=["GET", "POST"])
    app.testing = True
    alice = Person(app, "alice")

    with pytest.raises(ConfigurationError, match=r"methods=\{'POST'\}"):
        alice.open("/risk", method)
    assert alice.open("/risk", "OPTIONS").status_code == 200
    assert post(alice, "/risk").status_code == 403


@pytest.mark.parametrize(
    "demands",
    [
        {"once": True, "methods": {"GET", "POST"}},
        {"once": True, "methods": ["HEAD"]},
        {"bind": ("to",), "methods": ("get",)},
        {"once": True, "level": "multi_factor"},
        {"bind": ("to",), "level": "first_factor"},
        {"bind": lambda: {}, "level": "multi_factor"},
        {"once": 1},
        {"bind": ()},
        {"bind": "to"},
        {"bind": ("to", "to")},
        {"bind": ("",)},
        {"bind": 5},
        {"bind": None},
    ],
)
def test_what_cannot_be_approved_is_told_at_decoration(demands: Any) -> None:
    """The first import of the app tells it, and not the first transfer."""
    with pytest.raises(ConfigurationError):
        require_reverification(**demands)


def test_an_async_function_binds_nothing() -> None:
    """A coroutine is no mapping: told at decoration."""

    async def values() -> dict[str, str]:
        return {}

    with pytest.raises(ConfigurationError, match="plain function"):
        require_reverification(bind=values)  # type: ignore[arg-type]


def test_a_preset_of_two_factors_approves_nothing() -> None:
    """A code proves no first factor, so ``strict_mfa`` does not go with ``once``."""
    with pytest.raises(ConfigurationError, match="level='second_factor'"):
        require_reverification("strict_mfa", once=True)


def test_a_default_preset_of_two_factors_is_told_and_mended(
    make_app: MakeApp, stepup: StepUp
) -> None:
    """With ``STEPUP_PRESET="strict_mfa"`` the error names what the route is to say."""
    app = with_bank(make_app(stepup=stepup, STEPUP_PRESET="strict_mfa"), stepup)
    app.extensions["bank"].route("/risk", "risk", once=True, level="second_factor")
    app.testing = True
    alice = Person(app, "alice")

    with pytest.raises(ConfigurationError, match="level='second_factor'"):
        post(alice, "/close/1")
    approve(alice, "/risk")
    assert post(alice, "/risk").text == "done"


# One run, asked for more than once.


def test_require_twice_is_one_approval(make_app: MakeApp, stepup: StepUp) -> None:
    """However often a run asks for the same, one code has approved it."""
    app, done = make_app(stepup=stepup), []

    @app.post("/risk")
    @require_reverification(once=True)
    def risk() -> str:
        stepup.require(once=True)
        stepup.require(once=True, reason="The same, by another name")
        done.append("risk")
        return "done"

    alice = Person(app, "alice")
    approve(alice, "/risk")

    assert post(alice, "/risk").text == "done"
    assert cause(alice, "/risk") == "spent"
    assert done == ["risk"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"bind": {"to": "bob"}}, {"bind": {"to": "eve"}}),
        ({"once": True}, {"bind": {"to": "bob"}}),
        ({"once": True}, {"once": True, "scope": "payments"}),
    ],
)
def test_two_approvals_for_one_run_are_a_mistake(
    make_app: MakeApp, stepup: StepUp, first: Any, second: Any
) -> None:
    """They could never be had together: the error says what to do instead."""
    app, done = make_app(stepup=stepup), []
    app.testing = True

    @app.post("/risk")
    def risk() -> str:
        stepup.require(**first)
        stepup.require(**second)
        done.append("risk")
        return "done"

    alice = Person(app, "alice")
    approve(alice, "/risk")

    with pytest.raises(ConfigurationError, match="with all that it binds"):
        post(alice, "/risk")
    assert done == []


def test_another_users_approval_in_one_run_is_asked_for(
    make_app: MakeApp, stepup: StepUp
) -> None:
    """What a run has spent, it has spent in one person's name."""
    app = make_app(stepup=stepup)
    app.testing = True

    @app.post("/risk")
    @require_reverification(once=True)
    def risk() -> str:
        session["user_id"] = "bob"
        stepup.require(once=True)
        return "done"

    alice = Person(app, "alice")
    approve(alice, "/risk")

    with pytest.raises(ConfigurationError):
        post(alice, "/risk")


def test_standing_and_approval_on_one_view(make_app: MakeApp, stepup: StepUp) -> None:
    """Both may be asked for: the first code is for the one, the second the other."""
    app = make_app(stepup=stepup)

    @app.post("/risk")
    @require_reverification
    @require_reverification(once=True)
    def risk() -> str:
        return "done"

    alice = Person(app, "alice")
    approve(alice, "/risk")
    approve(alice, "/risk")

    assert [post(alice, "/risk").status_code for _ in range(2)] == [200, 403]
    assert post(alice, "/vault").status_code == 200


def test_a_protected_blueprint_is_approved_view_by_view(
    make_app: MakeApp, stepup: StepUp
) -> None:
    """``protect(blueprint, once=True)``, nested ones too, with decorators below it."""
    app, done = make_app(stepup=stepup), []
    outer, inner = Blueprint("admin", "a"), Blueprint("keys", "b")
    stepup.protect(outer, once=True, methods={"POST"})
    outer.register_blueprint(inner, url_prefix="/keys")

    @outer.route("/admin", methods=["GET", "POST"])
    def admin() -> str:
        done.append("admin")
        return "admin"

    @inner.post("/drop/<name>")
    @require_reverification(once=True)
    def drop(name: str) -> str:
        done.append(f"drop {name}")
        return "dropped"

    # What was registered after ``protect`` on a nested one is guarded too.
    app.register_blueprint(outer)
    alice = Person(app, "alice")

    assert alice.open("/admin").text == "admin"
    approve(alice, "/keys/drop/a")
    assert cause(alice, "/keys/drop/b") == "missing"
    assert cause(alice, "/admin") == "missing"
    assert [post(alice, "/keys/drop/a").status_code for _ in range(2)] == [200, 403]
    approve(alice, "/admin")
    assert [post(alice, "/admin").status_code for _ in range(2)] == [200, 403]
    assert done == ["admin", "drop a", "admin"]


def test_async_views_are_approved(make_app: MakeApp, stepup: StepUp) -> None:
    """A coroutine runs once for its approval, ``require`` within it too."""
    app, done = make_app(stepup=stepup), []

    @app.post("/risk")
    @require_reverification(bind=("to",))
    async def risk() -> str:
        stepup.require(bind=("to",))
        done.append(request.form["to"])
        return "done"

    alice = Person(app, "alice")
    approve(alice, "/risk", {"to": "bob"})

    assert post(alice, "/risk", {"to": "bob"}).text == "done"
    assert cause(alice, "/risk", {"to": "bob"}) == "spent"
    assert done == ["bob"]


# Other clients.


def test_htmx_comes_back_to_its_page_with_an_approval(alice: Person) -> None:
    """What HTMX posted is sent again by the person, and runs once."""
    from_page = {"HX-Request": "true", "HX-Current-URL": "http://localhost/accounts"}
    response = post(alice, "/close/1", headers=from_page)
    assert (response.status_code, "challenge" in response.json) == (403, False)
    prompt = Prompt(alice.open(response.headers["HX-Redirect"]))
    assert "you will have to send it again" in prompt.says

    assert alice.answer(prompt, right()).location == "/accounts"
    statuses = [
        post(alice, "/close/1", headers=from_page).status_code for _ in range(2)
    ]
    assert statuses == [200, 403]
    assert runs(alice) == ["close account=1"]


def test_programs_with_cookies_from_end_to_end(alice: Person) -> None:
    """Problem, code, and the same request again; then a new challenge, cause spent."""
    problem = alice.json("/send", "POST", json=MONEY)
    assert problem.json["policy"] == {
        "level": "second_factor",
        "max_age": 600,
        "scope": "",
        "once": True,
        "bind": MONEY,
    }
    assert "clerk_error" not in problem.json
    said = {"challenge": problem.json["challenge"], "code": right()}

    told = alice.json("/stepup/", "POST", json=said)

    assert told.status_code == 200
    assert told.json.items() >= {"verified": True, "code_type": "backup_code"}.items()
    assert told.json["expires_in"] in (599, 600)
    again = alice.json("/stepup/", "POST", json=said)
    assert again.json["code_type"] is None
    assert alice.json("/send", "POST", json=MONEY).text == "done"
    after = alice.json("/send", "POST", json=MONEY)
    assert (after.status_code, after.json["cause"]) == (403, "spent")
    late = alice.json("/stepup/", "POST", json=said | {"code": right()})
    assert (late.status_code, late.json["code"]) == (400, "challenge_invalid")


def bearer_subject() -> Subject | None:
    """Who a token names, as ``user session``; without one, who has signed in."""
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not token:
        user_id = session.get("user_id")
        return Subject(user_id, "s1") if user_id else None
    user_id, _, session_id = token.partition(" ")
    return Subject(user_id, session_id or None)


class Bearer:
    """A program without cookies, which keeps what it is given."""

    def __init__(self, app: Flask, token: str = "alice s1") -> None:
        self.client = app.test_client(use_cookies=False)
        self.headers = {"Authorization": f"Bearer {token}"}

    def send(self, path: str, marker: str = "", **kwargs: Any) -> TestResponse:
        marked = {"Stepup-Marker": marker} if marker else {}
        headers = self.headers | marked
        return self.client.post(path, headers=headers, **kwargs)

    def approved(self, path: str, **kwargs: Any) -> str:
        """Have a request approved; return the marker for it."""
        challenge = self.send(path, **kwargs).json["challenge"]
        said = {"challenge": challenge, "code": right()}
        told = self.send("/stepup/", json=said)
        assert told.status_code == 200, told.text
        marker: str = told.json["marker"]
        return marker


@pytest.fixture(name="bearer")
def _bearer(make_app: MakeApp, codes: Codes) -> Bearer:
    stepup = StepUp(verifier=codes, subject_loader=bearer_subject)
    return Bearer(with_bank(make_app(stepup=stepup), stepup))


def test_a_bearers_approval_opens_one_run(bearer: Bearer) -> None:
    """It is sent as a header, with others beside it, and is spent all the same."""
    send = bearer.approved("/send", json=MONEY)
    close = bearer.approved("/close/1")
    both = f"{close}, {send}"

    assert bearer.send("/send", both, json=MONEY | {"to": "eve"}).status_code == 401
    assert bearer.send("/send", both, json=MONEY).text == "done"
    after = bearer.send("/send", both, json=MONEY)
    assert (after.status_code, after.json["cause"]) == (401, "spent")
    assert bearer.send("/close/1", both).text == "done"
    assert bearer.send("/settings", both).status_code == 401


def test_forgotten_bearers_approve_anew(bearer: Bearer) -> None:
    """Promise 3: what a token's session approved ends with it, and may begin again."""
    marker = bearer.approved("/close/1")
    other = Bearer(bearer.client.application, "alice s2")
    theirs = other.approved("/close/2")
    bearer.client.get("/forget", headers=bearer.headers)

    refused = bearer.send("/close/1", marker)
    assert (refused.status_code, refused.json["cause"]) == (401, "revoked")
    assert other.send("/close/2", theirs).text == "done"
    assert bearer.send("/close/1", bearer.approved("/close/1")).text == "done"


@pytest.mark.parametrize("token", ["bob s1", "alice s2", "alice"])
def test_a_bearers_approval_is_of_its_login(bearer: Bearer, token: str) -> None:
    """Promise 1: of that person, in that session at the identity provider."""
    marker = bearer.approved("/close/1")
    app = bearer.client.application

    assert Bearer(app, token).send("/close/1", marker).status_code == 401
    assert bearer.send("/close/1", marker).status_code == 200


def test_browsers_and_bearers_do_not_share_approvals(bearer: Bearer) -> None:
    """Promise 1: neither serves in the other's place, of the same login too."""
    alice = Person(bearer.client.application, "alice")
    marker = bearer.approved("/close/1")
    approve(alice, "/close/2")
    (token,) = tokens(alice).values()
    with alice.client.session_transaction() as state:
        state["_stepup"] = {"\tid": marker, "\tother": token}

    assert cause(alice, "/close/1") == "missing"
    headers = {"Stepup-Marker": marker}
    assert alice.json("/close/1", "POST", headers=headers).status_code == 403
    assert bearer.send("/close/2", token).status_code == 401
    assert post(alice, "/close/2").text == "done"
    assert bearer.send("/close/1", marker).text == "done"


def test_a_bearer_with_an_approval_in_a_cookie_is_asked(bearer: Bearer) -> None:
    """A token and a session in one request are not taken together."""
    alice = Person(bearer.client.application, "alice")
    approve(alice, "/close/1")

    response = alice.json("/close/1", "POST", headers=bearer.headers)

    assert response.status_code == 401
    assert runs(alice) == []


def test_a_bearer_without_a_session_gets_no_approval(
    bearer: Bearer, codes: Codes
) -> None:
    """What could be bound to nothing is not granted, and no code is spent for it."""
    nobody = Bearer(bearer.client.application, "alice")
    challenge = nobody.send("/close/1").json["challenge"]
    said = {"challenge": challenge, "code": right()}

    assert nobody.send("/stepup/", json=said).status_code == 503
    assert codes.asked == []


def test_a_bearers_standing_marker_approves_nothing(bearer: Bearer) -> None:
    """Nor does its approval stand for anything."""
    standing, approval = bearer.approved("/limits"), bearer.approved("/pay")

    assert bearer.send("/limits", standing).text == "done"
    assert bearer.send("/pay", standing).status_code == 401
    assert bearer.send("/limits", approval).status_code == 401
    assert bearer.send("/pay", f"{standing},{approval}").text == "done"


# is_reverified.


def test_is_reverified_spends_nothing(make_app: MakeApp, stepup: StepUp) -> None:
    """It tells as often as it is asked whether there is an approval."""
    app = make_app(stepup=stepup)
    told = []

    @app.post("/risk")
    def risk() -> str:
        told.append([stepup.is_reverified(bind=("to",)) for _ in range(3)])
        if request.form.get("really"):
            stepup.require(bind=("to",))
        told[-1].append(stepup.is_reverified(bind=("to",)))
        return "done"

    alice = Person(app, "alice")
    form = {"to": "bob"}
    post(alice, "/risk", form)
    approve(alice, "/risk", form | {"really": "1"})
    post(alice, "/risk", form)
    post(alice, "/risk", {"to": "eve"})
    post(alice, "/risk", form | {"really": "1"})
    post(alice, "/risk", form)

    assert told == [
        [False] * 4,
        [False] * 3,
        [True] * 4,
        [False] * 4,
        [True] * 3 + [False],
        [False] * 4,
    ]


def test_is_reverified_finds_the_approval_that_serves(
    make_app: MakeApp, stepup: StepUp
) -> None:
    """An older one of the same action, which has expired, does not hide it."""
    app = make_app(stepup=stepup)

    @app.post("/risk")
    def risk() -> str:
        if "X-Look" in request.headers:
            return str(stepup.is_reverified(once=True))
        stepup.require(once=True)
        return "done"

    alice = Person(app, "alice")
    look = {"headers": {"X-Look": "1"}}
    with time_machine.travel(time.time(), tick=False) as clock:
        first, second = asked(alice, "/risk"), asked(alice, "/risk")
        alice.answer(first, right())
        clock.shift(400)
        alice.answer(second, right())
        clock.shift(400)
        assert len(tokens(alice)) == 2

        assert alice.open("/risk", "POST", **look).text == "True"
        clock.shift(200)
        assert alice.open("/risk", "POST", **look).text == "False"


def test_is_reverified_never_raises(make_app: MakeApp, stepup: StepUp) -> None:
    """A value that is missing, a GET, nobody signed in: it is False."""
    app = make_app(stepup=stepup)

    @app.route("/maybe", methods=["GET", "POST"])
    def maybe() -> str:
        bound = stepup.is_reverified(bind=("to",))
        return str([bound, stepup.is_reverified(once=True)])

    alice, nobody = Person(app, "alice"), Person(app)

    assert alice.open("/maybe?to=a").text == "[False, False]"
    assert alice.open("/maybe", "HEAD").status_code == 200
    for query in ("", "?to=a&to=b", "?to=" + "a" * 501):
        assert post(alice, f"/maybe{query}").text == "[False, False]"
    assert post(nobody, "/maybe?to=a").text == "[False, False]"
    with app.app_context():
        assert stepup.is_reverified(once=True) is False


# The reason.


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
    shown = re.search(r'<p class="stepup-reason">(.*?)</p>', prompt.text, re.DOTALL)
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


# Attacks that are known, by name.


def same_session(victim: Person) -> Person:
    """Somebody who holds the victim's session cookie."""
    thief = Person(victim.app)
    thief.put_back(victim.cookie())
    return thief


def test_the_allauth_attack_of_the_overwritten_request(alice: Person) -> None:
    """A second request from the same session does not take the first one's place.

    Peers keep one pending request for each session. There, whoever else holds the
    session posts another transfer while its owner is asked for a code, and the code
    carries out that one.
    """
    cause(alice, "/settings")
    mallory = same_session(alice)
    prompt = asked(alice, "/send", MONEY)
    evil = {"to": "mallory", "amount": "9999"}
    asked(mallory, "/send", evil)

    resume = alice.answer(prompt, right())
    mallory.put_back(alice.cookie())

    assert Prompt(resume).fields == MONEY
    assert "mallory" not in resume.text
    assert post(mallory, "/send", evil).status_code == 403
    assert runs(alice) == []
    assert post(alice, "/send", MONEY).text == "done"


def test_the_attack_with_a_link_to_a_challenge(alice: Person, codes: Codes) -> None:
    """A challenge made in one browser is nothing in another, be it the same user's."""
    for mallory in (Person(alice.app, "mallory"), Person(alice.app, "alice")):
        evil = asked(mallory, "/send", {"to": "mallory", "amount": "9999"})
        cause(alice, "/settings")

        shown = alice.open(f"/stepup/?challenge={evil.challenge}")
        answered = alice.answer(evil, right())

        assert (shown.status_code, answered.status_code) == (400, 400)
        assert "mallory" not in shown.text + answered.text
    assert codes.asked == []


def test_a_link_with_a_form_behind_it_is_refused_in_its_own_session(
    alice: Person,
) -> None:
    """Whoever holds the session cannot send its owner a link to a filled-in form."""
    prompt = asked(alice, "/send", MONEY)

    assert alice.open(f"/stepup/?challenge={prompt.challenge}").status_code == 400


def test_a_link_to_an_action_that_somebody_else_asked_for_names_it(
    alice: Person,
) -> None:
    """Where a link to a prompt can be had, its page shows what would be approved."""
    cause(alice, "/settings")
    mallory = same_session(alice)
    evil = {"to": "mallory", "amount": "9999"}
    response = post(mallory, "/send", evil, headers={"HX-Request": "true"})

    prompt = Prompt(alice.open(response.headers["HX-Redirect"]))

    assert "to mallory amount 9999" in prompt.says


def test_two_tabs_approve_their_own(alice: Person) -> None:
    """The code of one tab opens nothing for the other, in whichever order."""
    bob, eve = MONEY, MONEY | {"to": "eve"}
    first, second = asked(alice, "/send", bob), asked(alice, "/send", eve)

    assert Prompt(alice.answer(second, right())).fields == eve
    assert cause(alice, "/send", bob) == "missing"
    assert Prompt(alice.answer(first, right())).fields == bob
    assert post(alice, "/send", bob).text == "done"
    assert post(alice, "/send", eve).text == "done"


def test_a_post_from_another_site_gets_no_prompt(alice: Person) -> None:
    """A foreign page cannot have our prompt put under the values of its choice."""
    response = post(alice, "/send", MONEY, headers={"Sec-Fetch-Site": "cross-site"})

    assert response.status_code == 403
    assert "stepup-code" not in response.text
    assert "challenge" not in response.text


def test_a_post_from_another_site_may_not_spend_what_the_app_accepts(
    app: Flask,
) -> None:
    """Approvals are no protection against CSRF: the app's own check comes first."""

    @app.before_request
    def check() -> None:
        if request.headers.get("Sec-Fetch-Site") == "cross-site":
            abort(400)

    alice = Person(app, "alice")
    approve(alice, "/send", MONEY)
    foreign = {"Sec-Fetch-Site": "cross-site"}

    assert post(alice, "/send", MONEY, headers=foreign).status_code == 400
    assert post(alice, "/send", MONEY).text == "done"


# What WP Sudo learned: a guard that reads paths by itself drifts from the dispatcher.


@pytest.mark.parametrize(
    "path",
    [
        "/sudo",
        "/sudo/",
        "//sudo",
        "/SUDO",
        "/%73udo",
        "/sudo?_method=GET",
        "/sudo?sudo=1",
        "/x/../sudo",
        "/./sudo",
        "/sudo/.",
        "/sudo%2f",
        "/sudo;a=1",
        "/sudo%00",
        "/sudo.php",
        "/alias",
    ],
)
def test_wp_sudo_spellings_of_a_path(
    make_app: MakeApp, stepup: StepUp, path: str
) -> None:
    """However a path is spelled, what dispatches to the view is guarded with it."""
    app = with_bank(make_app(stepup=stepup), stepup)
    app.url_map.strict_slashes = False
    bank = app.extensions["bank"]
    bank.route("/sudo", "sudo", once=True)
    bank.route("/sudo/<path:_more>", "more", once=True)
    view = app.view_functions["sudo"]
    app.add_url_rule("/alias", "sudo", view, methods=["POST"])
    alice = Person(app, "alice")

    unverified = post(alice, path, follow_redirects=True)
    approve(alice, "/close/1")
    alice.step_up(right())
    verified = post(alice, path, follow_redirects=True)

    assert {unverified.status_code, verified.status_code} <= {403, 404}
    assert runs(alice) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"X-HTTP-Method-Override": "GET"},
        {"X-HTTP-Method-Override": "DELETE"},
        {"X-HTTP-Method": "OPTIONS"},
        {"X-Original-URL": "/open"},
        {"X-Rewrite-URL": "/open"},
        {"X-Forwarded-Prefix": "/x"},
    ],
)
def test_wp_sudo_headers_change_nothing(alice: Person, headers: dict[str, str]) -> None:
    """What a proxy of the app's does not obey, the guard does not either."""
    assert post(alice, "/close/1", headers=headers).status_code == 403
    assert runs(alice) == []


def test_wp_sudo_an_overridden_method_is_guarded_as_what_it_has_become(
    make_app: MakeApp, stepup: StepUp
) -> None:
    """Where the app does obey an override, the view that runs is the one approved."""
    app = with_bank(make_app(stepup=stepup), stepup)
    bank = app.extensions["bank"]
    bank.route("/thing", "change", once=True)
    bank.route("/thing", "remove", methods=("DELETE",), once=True)
    wsgi_app = app.wsgi_app

    def override(environ: Any, start_response: Any) -> Any:
        method = environ.get("HTTP_X_HTTP_METHOD_OVERRIDE")
        environ["REQUEST_METHOD"] = method or environ["REQUEST_METHOD"]
        return wsgi_app(environ, start_response)

    app.wsgi_app = override  # type: ignore[method-assign]
    alice = Person(app, "alice")
    removing = {"X-HTTP-Method-Override": "DELETE"}
    approve(alice, "/thing")

    assert post(alice, "/thing", headers=removing).status_code == 403
    assert runs(alice) == []
    assert post(alice, "/thing").text == "done"
    assert runs(alice) == ["change"]


def test_wp_sudo_head_is_no_way_around(make_app: MakeApp, stepup: StepUp) -> None:
    """HEAD runs the view of GET: it is guarded where GET is."""
    app, done = make_app(stepup=stepup), []

    @app.route("/risk", methods=["GET", "POST"])
    @require_reverification(methods={"GET"})
    @require_reverification(once=True, methods={"POST"})
    def risk() -> str:
        done.append(request.method)
        return "done"

    alice = Person(app, "alice")

    assert alice.open("/risk", "HEAD").status_code == 303
    assert post(alice, "/risk").status_code == 403
    assert done == []


def test_wp_sudo_fields_that_name_actions_are_only_fields(alice: Person) -> None:
    """Neither fields nor queries choose view, scope, level or way back."""
    fields = {"scope": "payments", "level": "first_factor", "once": "", "next": "/open"}
    prompt = asked(alice, "/close/1?scope=payments&next=//evil.example", fields)
    sent = prompt.fields | fields | {"code": right(), "path": "/freeze/1"}
    resume = alice.open("/stepup/?next=//evil.example", "POST", data=sent)

    assert 'action="/close/1?' in resume.text
    assert cause(alice, "/pay") == "missing"
    assert cause(alice, "/limits") == "missing"
    assert cause(alice, "/freeze/1") == "missing"


# OWASP, Transaction Authorization.


def test_owasp_1_1_what_you_see_is_what_you_sign(alice: Person) -> None:
    """What the prompt shows is what its code approves, also after a wrong code."""
    prompt = asked(alice, "/send", MONEY)
    again = Prompt(alice.answer(prompt, "wrong"))
    resume = Prompt(alice.answer(again, right()))

    for page in (prompt, again, resume):
        assert "to bob amount 10" in page.says
    assert cause(alice, "/send", MONEY | {"amount": "11"}) == "missing"
    assert post(alice, "/send", MONEY).text == "done"


def test_owasp_1_1_a_changed_challenge_is_refused(alice: Person, codes: Codes) -> None:
    """What is shown comes from the signed challenge, and nothing of it can change."""
    prompt = asked(alice, "/send", MONEY)
    payload, dot, signature = prompt.challenge.rpartition(".")
    for token in (
        f"{payload[:-2]}AA{dot}{signature}",
        f"{payload}{dot}{signature[:-1]}",
        payload,
        f"{prompt.challenge}=",
        prompt.challenge + " ",
    ):
        prompt_of_theirs = {"challenge": token, "code": right()}
        answer = alice.open("/stepup/", "POST", data=prompt_of_theirs)
        assert answer.status_code == 400
    assert codes.asked == []


def test_owasp_2_4_too_many_failures_void_the_operation(
    alice: Person, stepup: StepUp
) -> None:
    """After the last try the operation has to be asked for from its beginning."""
    with alice.app.app_context():
        stepup.revoke("alice")
    prompt = asked(alice, "/send", MONEY)
    for number in range(5):
        assert alice.answer(prompt, f"wrong {number}").status_code == 422
    with alice.app.app_context():
        stepup.unlock("alice")

    voided = alice.answer(prompt, right())

    assert voided.status_code == 400
    assert cause(alice, "/send", MONEY) == "missing"
    approve(alice, "/send", MONEY)
    assert post(alice, "/send", MONEY).text == "done"


def test_owasp_2_4_programs_are_told_too(alice: Person, stepup: StepUp) -> None:
    """JSON gets ``challenge_invalid`` for an operation that was voided."""
    challenge = alice.json("/close/1", "POST").json["challenge"]

    def answer(code: str) -> Any:
        said = {"challenge": challenge, "code": code}
        return alice.json("/stepup/", "POST", json=said).json["code"]

    told = [answer(f"wrong {number}") for number in range(5)]
    assert told == ["incorrect_code"] * 5
    with alice.app.app_context():
        stepup.unlock("alice")

    assert answer(right()) == "challenge_invalid"


def test_owasp_2_4_a_challenge_without_an_operation_survives(
    alice: Person, stepup: StepUp
) -> None:
    """Who only has to prove who they are goes on when the lock-out is over."""
    prompt = alice.prompted()
    other = asked(alice, "/close/1")
    for number in range(5):
        alice.answer(prompt, f"wrong {number}")
    assert alice.answer(prompt, right()).status_code == 429
    with alice.app.app_context():
        stepup.unlock("alice")

    assert alice.answer(prompt, right()).location == "/vault"
    assert alice.answer(other, right()).status_code == 200


def test_owasp_2_4_the_lock_out_itself_voids_nothing_else(
    alice: Person, stepup: StepUp
) -> None:
    """Other operations wait, and those approved before go on."""
    approve(alice, "/close/1")
    waiting, failing = asked(alice, "/close/2"), asked(alice, "/close/3")
    for number in range(5):
        alice.answer(failing, f"wrong {number}")
    assert alice.answer(waiting, right()).status_code == 429

    assert post(alice, "/close/1").text == "done"
    with alice.app.app_context():
        stepup.unlock("alice")
    assert alice.answer(waiting, right()).status_code == 200
    assert post(alice, "/close/2").text == "done"
    assert alice.answer(failing, right()).status_code == 400


def test_owasp_2_4_failures_after_the_right_code_void_nothing(alice: Person) -> None:
    """What has been approved is over with: wrong codes of another tab are too late."""
    prompt = asked(alice, "/close/1")
    other_tab = same_session(alice)
    assert alice.answer(prompt, right()).status_code == 200
    for number in range(5):
        assert other_tab.answer(prompt, f"wrong {number}").status_code == 422

    assert "Already confirmed" in alice.answer(prompt, right()).text
    assert [post(alice, "/close/1").status_code for _ in range(2)] == [200, 403]


def test_owasp_2_4_not_enrolled_is_counted_as_a_failure(
    alice: Person, codes: Codes, stepup: StepUp
) -> None:
    """Whatever keeps its attempt voids the operation when it was the last."""
    prompt = asked(alice, "/close/1")
    codes.raises = NotEnrolled()
    for number in range(5):
        assert alice.answer(prompt, f"any {number}").status_code == 403
    codes.raises = None
    with alice.app.app_context():
        stepup.unlock("alice")

    assert alice.answer(prompt, right()).status_code == 400


def double_clicked(alice: Person, codes: Codes) -> list[int]:
    """Have one right code submitted twice at once, with the last two tries there are.

    The one that got the last try comes second.
    """
    prompt, code = asked(alice, "/close/1"), right()
    second_click = same_session(alice)
    first_asked, both_asked, first_done = Event(), Event(), Event()

    def meanwhile() -> None:
        if len(codes.asked) == 1:
            first_asked.set()
            assert both_asked.wait(30)
        else:
            both_asked.set()
            assert first_done.wait(30)

    codes.meanwhile = meanwhile
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(alice.answer, prompt, code)
        assert first_asked.wait(30)
        second = pool.submit(second_click.answer, prompt, code)
        answers = [first.result(30).status_code]
        first_done.set()
        return [*answers, second.result(30).status_code]


@pytest.fixture(name="two_tries")
def _two_tries(make_app: MakeApp, stepup: StepUp) -> Person:
    app = make_app(stepup=stepup, STEPUP_ATTEMPT_LIMIT="2 per 5 minutes")
    return Person(with_bank(app, stepup), "alice")


def test_an_approval_survives_a_double_click_on_the_last_try(
    two_tries: Person, codes: Codes
) -> None:
    """Promise 5: the second of two clicks does not void what the first approved."""
    assert double_clicked(two_tries, codes) == [200, 422]

    assert [post(two_tries, "/close/1").status_code for _ in range(2)] == [200, 403]


def test_a_double_click_on_the_last_try_is_no_lock_out(
    two_tries: Person, codes: Codes
) -> None:
    """The first click has cleared the attempts, so nobody is told that they ended."""
    told: list[object] = []

    def receiver(_sender: object, **facts: object) -> None:
        told.append(facts)

    with attempts_exhausted.connected_to(receiver, two_tries.app):
        assert double_clicked(two_tries, codes) == [200, 422]

    assert told == []


def test_owasp_2_6_changed_data_void_the_authorization(alice: Person) -> None:
    """Whoever changes a value between approval and run is asked for a code of its own.

    The data that were approved may still run, once.
    """
    approve(alice, "/send", MONEY)

    tampered = alice.json("/send", "POST", data=MONEY | {"to": "mallory"}).json

    assert tampered["policy"]["bind"] == MONEY | {"to": "mallory"}
    assert runs(alice) == []
    assert [post(alice, "/send", MONEY).status_code for _ in range(2)] == [200, 403]


def test_owasp_2_6_data_in_the_resumed_form_count(alice: Person) -> None:
    """The form of the page that goes on is the person's, so it is checked again."""
    prompt = asked(alice, "/send", MONEY)
    form = Prompt(alice.answer(prompt, right())).fields

    assert post(alice, "/send", form | {"amount": "9999"}).status_code == 403
    assert runs(alice) == []


def test_owasp_2_8_the_last_check_is_where_it_is_done(
    alice: Person, stepup: StepUp
) -> None:
    """An approval is looked at when the view is about to run, however it was got."""
    prompt = asked(alice, "/send", MONEY)
    resume = alice.answer(prompt, right())
    with alice.app.app_context():
        stepup.revoke("alice")

    response = post(alice, "/send", Prompt(resume).fields)

    assert response.status_code == 403
    assert runs(alice) == []


def test_owasp_2_8_a_right_code_alone_does_nothing(alice: Person) -> None:
    """The prompt runs no view: what is approved has to be sent, checked and run."""
    approve(alice, "/send", MONEY)

    assert runs(alice) == []


def test_owasp_2_10_each_operation_has_a_code_of_its_own(
    alice: Person, codes: Codes
) -> None:
    """The same transfer twice takes two challenges and two codes."""
    first, second = asked(alice, "/send", MONEY), asked(alice, "/send", MONEY)
    code = right()
    assert first.challenge != second.challenge
    assert alice.answer(first, code).status_code == 200

    assert alice.answer(second, code).status_code == 422
    assert [post(alice, "/send", MONEY).status_code for _ in range(2)] == [200, 403]
    assert len({challenge.challenge for challenge in (first, second)}) == 2


def test_owasp_2_9_an_approval_is_limited_in_time(alice: Person) -> None:
    """What was approved and not done in its time is asked for anew."""
    with time_machine.travel(time.time(), tick=False) as clock:
        approve(alice, "/send", MONEY)
        clock.shift(600)

        assert post(alice, "/send", MONEY).status_code == 403
    assert runs(alice) == []


def test_no_secret_is_told(alice: Person, caplog: pytest.LogCaptureFixture) -> None:
    """Neither log, exception nor repr has a token, code or bound value in it."""
    caplog.set_level(logging.DEBUG, "flask_stepup")
    told: list[str] = []
    code = right()

    def receiver(_sender: object, **facts: object) -> None:
        told.append(repr(facts))

    with reverification_required.connected_to(receiver, alice.app):
        prompt = asked(alice, "/send", MONEY | {"to": "geheim"})
        alice.answer(prompt, "wrong 4711")
        alice.answer(prompt, code)
    (token,) = tokens(alice).values()

    everything = " ".join([*told, caplog.text])
    for secret in (code, "4711", token, prompt.challenge, "geheim"):
        assert secret not in everything


def test_the_refusal_tells_its_policy_and_action(
    make_app: MakeApp, stepup: StepUp
) -> None:
    """A handler of the app's own sees what is to be approved."""
    app = with_bank(make_app(stepup=stepup), stepup)
    seen: list[ReverificationRequired] = []

    @app.errorhandler(ReverificationRequired)
    def handle(required: ReverificationRequired) -> tuple[str, int]:
        seen.append(required)
        return "ours", 403

    assert post(Person(app, "alice"), "/send", MONEY).text == "ours"
    (required,) = seen
    assert required.action is not None
    assert required.action.values == MONEY
    assert required.cause == "missing"

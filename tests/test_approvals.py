"""Approvals: what one code opens, what it does not, and that it does so once.

Promises 1, 2, 3, 5 and 9.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import time_machine
from approving import approve
from approving import asked
from approving import cause
from approving import MONEY
from approving import post
from approving import right
from approving import runs
from approving import tokens
from approving import with_bank
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
from flask_stepup import require_reverification
from flask_stepup import StepUp
from flask_stepup import Subject


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

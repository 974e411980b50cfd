"""Attacks that are known, by name: what peers and OWASP have learned."""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event
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
from flask import abort
from flask import Flask
from flask import request
from people import Codes
from people import Person
from people import Prompt

from flask_stepup import NotEnrolled
from flask_stepup import require_reverification
from flask_stepup import ReverificationRequired
from flask_stepup import StepUp
from flask_stepup.signals import attempts_exhausted
from flask_stepup.signals import reverification_required


@pytest.fixture(name="app")
def _app(make_app: MakeApp, stepup: StepUp) -> Flask:
    return with_bank(make_app(stepup=stepup), stepup)


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
    # By chance it may end as another one would.
    end = "BB" if payload.endswith("AA") else "AA"
    for token in (
        f"{payload[:-2]}{end}{dot}{signature}",
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

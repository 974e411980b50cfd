"""A form that meets an unmet policy: kept in its challenge, and sent again after it."""

from __future__ import annotations

import html
import re
import secrets
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import time_machine
from conftest import MakeApp
from conftest import signed_in
from flask import Flask
from flask import Request
from flask import request
from flask import session
from flask_wtf import CSRFProtect
from flask_wtf.csrf import generate_csrf
from people import Codes
from people import Person
from people import Prompt
from werkzeug.test import TestResponse

from flask_stepup import NotEnrolled
from flask_stepup import require_reverification
from flask_stepup import StepUp
from flask_stepup.errors import LedgerUnavailable
from flask_stepup.gate import Gate

#: Interleaved repeats, nothing, and what a parser could stumble over.
FIELDS = [
    ("to", "bob"),
    ("tag", "a"),
    ("amount", "25"),
    ("tag", "b"),
    ("empty", ""),
    ("tag", "a"),
    ("code", "1"),
    ("challenge", 'x"><script>&amp;'),
    ("submit", "ümläut 山田 \U0001f3e6"),
    ("action", "one\r\ntwo"),
]
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(name="app")
def _app(make_app: MakeApp) -> Flask:
    return bank(make_app())


def bank(app: Flask) -> Flask:
    """Money can be sent, and what arrived is written down as it came."""
    app.extensions["sent"] = sent = []

    @app.route("/send", methods=["GET", "POST", "PUT"])
    @require_reverification(reason="Send money", methods={"POST", "PUT"})
    def send() -> str:
        sent.append((request.full_path, request.get_data(as_text=True), request.files))
        return "sent"

    @app.get("/sign-out")
    def sign_out() -> str:
        session.clear()
        return ""

    return app


def bodies(app: Flask) -> list[str]:
    """The bodies that the view has seen."""
    return [body for _, body, _ in app.extensions["sent"]]


def encoded(fields: list[tuple[str, str]]) -> str:
    """A body as a browser makes it of these fields."""
    return urlencode(fields)


def post(person: Person, path: str = "/send", **kwargs: Any) -> TestResponse:
    """Send the form, as a browser does."""
    given = {"data": encoded(FIELDS), "content_type": FORM} | kwargs
    return person.open(path, "POST", **given)


class Resumption:
    """The form of a page that sends it again."""

    def __init__(self, page: TestResponse) -> None:
        assert page.status_code in (200, 400, 403, 422, 429), page.status
        found = re.search(
            r'<form [^>]*action="(?!/stepup/")[^>]*>.*?</form>', page.text, re.S
        )
        assert found, page.text
        self.form = found[0]
        self.goes_on_by_itself = "data-stepup-onward" in self.form

    @property
    def fields(self) -> list[tuple[str, str]]:
        hidden = re.findall(
            r'<input type="hidden" name="([^"]*)" value="([^"]*)">', self.form
        )
        return [(html.unescape(name), html.unescape(v)) for name, v in hidden]

    def attribute(self, name: str) -> str:
        found = re.search(rf'{name}="([^"]*)"', self.form)
        assert found
        return html.unescape(found[1])

    def send(self, person: Person) -> TestResponse:
        """Do what the browser does with it."""
        return person.open(
            self.attribute("action"),
            self.attribute("method").upper(),
            data=encoded(self.fields),
            content_type=self.attribute("enctype"),
        )


def confirm(person: Person, page: TestResponse, code: str = "right") -> TestResponse:
    """Answer the prompt on a page."""
    return person.answer(Prompt(page), code + secrets.token_hex(4))


def test_the_form_is_sent_again_as_it_was(app: Flask, alice: Person) -> None:
    """Promise 8: same method, path, query and type, and the same fields in order."""
    asked = post(alice, "/send?from=1&tag=z&tag=y")
    page = confirm(alice, asked)

    assert (asked.status_code, page.status_code) == (403, 200)
    resumption = Resumption(page)
    assert resumption.fields == FIELDS
    assert resumption.attribute("enctype") == FORM
    assert resumption.attribute("accept-charset") == "utf-8"
    assert resumption.goes_on_by_itself
    assert resumption.send(alice).text == "sent"
    ((path, body, _),) = app.extensions["sent"]
    assert path == "/send?from=1&tag=z&tag=y"
    assert body == encoded(FIELDS)


def test_the_answers_are_not_stored_and_framed_by_nobody(alice: Person) -> None:
    """Prompt in place and the page that goes on; a Referer is sent to this origin."""
    asked = post(alice)
    for response in (asked, confirm(alice, asked)):
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Referrer-Policy"] == "same-origin"
        assert response.headers["Content-Security-Policy"] == "frame-ancestors 'none'"


def test_the_prompt_says_that_the_form_is_kept(alice: Person) -> None:
    """Before the code is asked; nothing has been done yet."""
    says = Prompt(post(alice)).says

    assert "Nothing has been done yet. What you entered is kept" in says
    assert "Send money" in says


def test_each_tab_goes_on_with_its_own_form(app: Flask, alice: Person) -> None:
    """Promise 8: five prompts at once do not get into each other's way."""
    tabs = {n: post(alice, data=f"n={n}") for n in "12345"}
    for n, asked in reversed(tabs.items()):
        resumption = Resumption(confirm(alice, asked))
        assert resumption.fields == [("n", n)]
        # The first code has met the policy for all: the others were not needed.
        assert resumption.goes_on_by_itself == (n == "5")
        resumption.send(alice)

    assert bodies(app) == ["n=5", "n=4", "n=3", "n=2", "n=1"]


def test_a_second_post_does_not_replace_the_first(app: Flask, alice: Person) -> None:
    """What allauth does: somebody with the same session overwrites what is pending."""
    asked = post(alice, data="amount=10&to=bob")
    post(alice, data="amount=9999&to=mallory")
    Resumption(confirm(alice, asked)).send(alice)

    assert bodies(app) == ["amount=10&to=bob"]


def test_no_link_leads_to_somebody_elses_form(app: Flask, alice: Person) -> None:
    """The prompt takes a challenge with a form from its own page alone."""
    challenge = Prompt(post(alice)).challenge
    response = alice.open(f"/stepup/?challenge={challenge}")

    assert response.status_code == 400
    assert "challenge_invalid" not in response.text
    assert "<form" not in response.text


def test_a_challenge_of_another_browser_carries_nothing(app: Flask) -> None:
    """Promise 1: made in one session of Alice's, it is nothing in another one."""
    asked = post(Person(app, "alice"), data="to=mallory")
    other = Person(app, "alice")
    other.prompted("/vault")
    response = confirm(other, asked)

    assert response.status_code == 400
    assert "mallory" not in response.text


@pytest.mark.parametrize("change", ["/sign-in/bob", "/sign-out"])
def test_whoever_is_somebody_else_meanwhile_sends_nothing(
    app: Flask, alice: Person, change: str
) -> None:
    """Promise 1: after a switch of users, or a sign-out, it fails closed."""
    asked = post(alice)
    alice.open(change)
    response = confirm(alice, asked)

    assert response.status_code in (400, 401)
    assert "ümläut" not in response.text
    assert bodies(app) == []


def test_the_second_submission_is_told_and_goes_on(
    app: Flask, alice: Person, codes: Codes
) -> None:
    """A double click, or a reload: Continue needs no code, and waits to be pressed."""
    prompt = Prompt(post(alice))
    alice.answer(prompt, "right")
    second = alice.answer(prompt, "right")

    assert second.status_code == 200
    assert "has been used" in Prompt(second).says
    assert not Resumption(second).goes_on_by_itself
    assert Resumption(second).send(alice).text == "sent"
    assert len(codes.asked) == 1


def test_where_the_first_answer_was_lost_the_second_offers_continue(
    app: Flask, alice: Person
) -> None:
    """Its cookie never arrived: the code is used up, and the form is still there."""
    prompt = Prompt(post(alice))
    before = alice.cookie()
    alice.answer(prompt, "right")
    arrived = alice.cookie()
    alice.put_back(before)
    second = alice.answer(prompt, "right")

    assert second.status_code == 422
    assert "has been used" in Prompt(second).says
    assert 'name="code"' in second.text
    resumption = Resumption(second)
    assert resumption.fields == FIELDS
    assert not resumption.goes_on_by_itself
    assert resumption.send(alice).status_code == 403
    # Where it did arrive after all, Continue is all it takes.
    alice.put_back(arrived)
    assert resumption.send(alice).text == "sent"


def test_a_wrong_code_loses_nothing(app: Flask, alice: Person) -> None:
    """The prompt that asks again has the form too."""
    wrong = alice.answer(Prompt(post(alice)), "wrong")
    assert wrong.status_code == 422
    Resumption(confirm(alice, wrong)).send(alice)

    assert bodies(app) == [encoded(FIELDS)]


def test_an_expired_prompt_is_renewed_with_its_form(app: Flask, alice: Person) -> None:
    """Within a day, in the same session."""
    with time_machine.travel(time.time(), tick=False) as clock:
        asked = post(alice)
        clock.shift(901)
        renewed = confirm(alice, asked)
        assert renewed.status_code == 400
        Resumption(confirm(alice, renewed)).send(alice)

    assert bodies(app) == [encoded(FIELDS)]


def test_who_is_locked_out_tries_again_with_the_form(app: Flask, alice: Person) -> None:
    """The button of that page sends the form again, and the gate asks again."""
    page = post(alice)
    for _ in range(6):
        page = alice.answer(Prompt(page), "wrong") if "challenge" in page.text else page
    assert page.status_code == 429
    again = Resumption(page).send(alice)

    assert again.status_code == 403
    assert "What you entered is kept" in Prompt(again).says


def test_who_has_to_enrol_first_does_not_lose_the_form(
    make_app: MakeApp, codes: Codes
) -> None:
    """The enrolment opens beside it, and the form is still there afterwards."""
    app = bank(make_app(STEPUP_ENROLL_URL="/enrol"))
    alice = Person(app, "alice")
    codes.raises = NotEnrolled()
    page = confirm(alice, post(alice))

    assert page.status_code == 403
    assert re.search(r'href="/enrol"\s+target="_blank"', page.text)
    codes.raises = None
    Resumption(confirm(alice, Resumption(page).send(alice))).send(alice)
    assert bodies(app) == [encoded(FIELDS)]


def test_programs_get_no_form(alice: Person) -> None:
    """A challenge as JSON leads back to nothing: the program repeats its request."""
    challenge = alice.json("/send", "POST", data={"a": "x" * 3_000}).json["challenge"]

    assert len(challenge) < 1_000


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "", "Origin": "https://evil.example"},
    ],
)
def test_posts_of_other_sites_are_not_kept(
    alice: Person, headers: dict[str, str]
) -> None:
    """Promise 8: another site does not choose what is confirmed."""
    response = post(alice, headers=headers)

    assert response.status_code == 403
    assert "challenge" not in response.text
    assert "mallory" not in response.text


NOT_KEPT: dict[str, tuple[dict[str, Any], str]] = {
    "a file": (
        {"data": "", "content_type": "multipart/form-data; boundary=x"},
        "Files cannot be kept",
    ),
    "too large": ({"data": "a=" + "x" * 65_536}, "too large to be kept"),
    "json": (
        {"data": "{}", "content_type": "application/json"},
        "What you sent is not kept",
    ),
    "text": ({"data": "a", "content_type": "text/plain"}, "What you sent is not kept"),
    "_charset_": ({"data": "_charset_=utf-8&a=1"}, "What you sent is not kept"),
    "a bare line feed": ({"data": "a=1%0A2"}, "What you sent is not kept"),
}
PART = (
    '--x\r\nContent-Disposition: form-data; name="receipt"; filename="a.pdf"\r\n'
    "Content-Type: application/pdf\r\n\r\n%PDF\r\n--x--\r\n"
)
NOT_KEPT["a file"][0]["data"] = PART


@pytest.mark.parametrize("case", NOT_KEPT)
def test_what_cannot_be_kept_is_said_before_the_code(
    app: Flask, alice: Person, case: str
) -> None:
    """Promise 8: and afterwards the person is back at the form."""
    sent, told = NOT_KEPT[case]
    asked = post(alice, headers={"Referer": "http://localhost/form?step=2"}, **sent)
    back = confirm(alice, asked)

    assert asked.status_code == 403
    assert told in Prompt(asked).says
    assert (back.status_code, back.location) == (303, "/form?step=2")
    assert bodies(app) == []


def test_methods_that_no_form_has_are_not_kept(alice: Person) -> None:
    """A PUT that looks like a page comes from no form."""
    asked = alice.open("/send", "PUT", data="a=1", content_type=FORM)

    assert "What you sent is not kept" in Prompt(asked).says
    assert confirm(alice, asked).status_code == 303


def test_without_a_referrer_the_way_back_is_the_forms_own_page(
    app: Flask, alice: Person
) -> None:
    """A form is mostly on the page with the address that it is sent to."""
    asked = alice.open("/send?x=1", "POST", json={})

    assert confirm(alice, asked).location == "/send?x=1"


def test_secrets_are_not_carried_and_are_asked_for_again(
    make_app: MakeApp,
) -> None:
    """Neither page has them; the second has an input in their place."""
    app = bank(make_app(STEPUP_SECRET_FIELDS=["pin", "*password*"]))
    alice = Person(app, "alice")
    asked = post(alice, data="to=bob&new_password=hunter2&pin=&n=1&PIN=4711")
    page = confirm(alice, asked)

    assert "You will enter these again" in Prompt(asked).says
    assert "new password" in Prompt(asked).says
    for text in (asked.text, page.text, Prompt(asked).challenge):
        assert "hunter2" not in text
        assert "4711" not in text
    resumption = Resumption(page)
    assert not resumption.goes_on_by_itself
    names = re.findall(r'<input [^>]*name="([^"]+)"', resumption.form)
    assert names == ["to", "new_password", "pin", "n", "PIN"]
    assert resumption.fields == [("to", "bob"), ("pin", ""), ("n", "1")]


def test_an_apps_own_limit_does_not_shut_a_kept_form_out(make_app: MakeApp) -> None:
    """A form that the app takes is taken by the prompt, in which it is larger."""
    app = bank(make_app(MAX_CONTENT_LENGTH=64_100, MAX_FORM_MEMORY_SIZE=64_100))
    alice = Person(app, "alice")
    noise = secrets.token_urlsafe(48_000)[:64_000]
    asked = post(alice, data=f"noise={noise}")
    assert len(Prompt(asked).challenge) > 64_100

    Resumption(confirm(alice, asked)).send(alice)
    assert bodies(app) == [f"noise={noise}"]


def test_a_post_to_the_prompt_has_a_limit_of_its_own(alice: Person) -> None:
    """Ten megabytes are nobody's code, whatever the app allows."""
    response = alice.open("/stepup/", "POST", data={"code": "1" * 10_000_000})

    assert response.status_code == 413


def test_csrf_protection_sees_both_posts(make_app: MakeApp) -> None:
    """The app's token is carried; a post without it does not get as far as the gate."""
    app = make_app(WTF_CSRF_SSL_STRICT=False)
    CSRFProtect(app)
    app = bank(app)
    app.add_url_rule("/token", view_func=generate_csrf)
    alice = Person(app, "alice")
    token = alice.open("/token").text
    fields = [*FIELDS, ("csrf_token", token)]

    assert post(alice).status_code == 400
    asked = post(alice, data=encoded(fields))
    resumption = Resumption(confirm(alice, asked))
    assert resumption.fields == fields
    assert resumption.send(alice).text == "sent"
    assert bodies(app) == [""]  # the protection has read it before
    assert post(alice, data=encoded(resumption.fields[:-1])).status_code == 400


def test_inside_a_view_the_form_is_kept_too(make_app: MakeApp, codes: Codes) -> None:
    """Although the view has read it before it asked."""
    stepup = StepUp(verifier=codes, subject_loader=signed_in)
    app = make_app(stepup=stepup)

    @app.post("/limit")
    def limit() -> str:
        amount = request.form["amount"]
        stepup.require(reason=f"Up to {amount}")
        return "done"

    alice = Person(app, "alice")
    asked = alice.open(
        "/limit", "POST", data="amount=5&b=1&amount=6", content_type=FORM
    )
    resumption = Resumption(confirm(alice, asked))

    assert "Up to 5" in Prompt(asked).says
    assert resumption.fields == [("amount", "5"), ("b", "1"), ("amount", "6")]
    assert resumption.send(alice).text == "done"


def test_no_other_site_puts_a_form_under_the_prompt(app: Flask, alice: Person) -> None:
    """Promise 8: who holds a copy of the session posts their challenge in vain."""
    thief = Person(app)
    alice.prompted()
    thief.put_back(alice.cookie())
    theirs = Prompt(post(thief, data="to=mallory&amount=9999")).challenge
    cross_site = {"Sec-Fetch-Site": "cross-site"}
    for code in ("", "right"):
        data = {"challenge": theirs, "code": code}
        answer = alice.open("/stepup/", "POST", data=data, headers=cross_site)

        assert answer.status_code == 400
        assert "challenge" not in answer.text
        assert "mallory" not in answer.text


@pytest.mark.parametrize(
    ("path", "action"),
    [
        ("/pages/../admin", "/pages%2F..%2Fadmin"),
        ("/pages/./x", "/pages%2F.%2Fx"),
        ("/pages/..", "/pages%2F.."),
        ("/pages/...", "/pages/..."),
        ("/pages/a.b/..c", "/pages/a.b/..c"),
        ("/pages/%2e%2e/admin", "/pages/%252e%252e/admin"),
        ("//evil.example/x", "/.//evil.example/x"),
        ("/\\evil.example/x", "/%5Cevil.example/x"),
    ],
)
def test_a_form_goes_to_no_other_address(
    make_app: MakeApp, path: str, action: str
) -> None:
    """Promise 10: browsers resolve dots and slashes, in which a path may be odd."""
    app = make_app()
    app.url_map.merge_slashes = False
    seen = []

    @app.post("/<path:rest>")
    @require_reverification
    def pages(rest: str) -> str:
        seen.append(request.path)
        return ""

    alice = Person(app, "alice")
    odd = {"environ_overrides": {"PATH_INFO": path}}
    resumption = Resumption(confirm(alice, post(alice, "/", **odd)))

    assert resumption.attribute("action") == action


def test_where_the_ledger_is_away_the_form_stays(app: Flask, alice: Person) -> None:
    """Promise 8: the page that says so has the form, and takes the code again."""
    asked = post(alice)
    gate = app.extensions["stepup"]
    ledger = gate.ledger
    use(gate, Away(ledger))
    page = confirm(alice, asked)
    use(gate, ledger)

    assert page.status_code == 503
    assert page.headers["Retry-After"]
    Resumption(confirm(alice, page)).send(alice)
    assert bodies(app) == [encoded(FIELDS)]


def use(gate: Gate, ledger: Any) -> None:
    """Put another ledger in the place of the one that there is."""
    gate.ledger = gate.inquiry.ledger = gate.elevation._ledger = ledger


class Away:
    """A ledger that cannot be asked."""

    def __init__(self, ledger: Any) -> None:
        self.id = ledger.id

    def standing(self, *_: Any) -> None:
        raise LedgerUnavailable("away")


def test_a_second_prompt_knows_the_forms_page_too(app: Flask, alice: Person) -> None:
    """The form that comes again was on no page of its own: its own address is."""
    asked = post(alice, headers={"Referer": "http://localhost/stepup/"})

    assert '<a href="/send">Cancel</a>' in asked.text


def test_markup_is_escaped_whatever_the_app_does(make_app: MakeApp) -> None:
    """Form, reason and values are somebody's text, even where autoescape is off."""
    app = make_app()
    app.jinja_env.autoescape = False
    bound = require_reverification(bind=("to",), reason="<b>Send</b>")
    app.add_url_rule("/bound", view_func=bound(lambda: "done"), methods=["POST"])
    alice = Person(app, "alice")
    asked = post(alice, "/bound", data="to=%22%3E%3Cscript%3E")
    page = confirm(alice, asked)

    for text in (asked.text, page.text):
        assert "<script>" not in text
        assert "<b>" not in text
    assert Resumption(page).fields == [("to", '"><script>')]


def test_a_request_class_of_the_apps_own_is_left_alone(
    codes: Codes, tmp_path: Path
) -> None:
    """It may have limits that nobody can set."""

    class Own(Request):
        max_content_length = property(lambda self: 1_000_000)  # type: ignore[assignment]
        max_form_memory_size = property(lambda self: 1_000_000)  # type: ignore[assignment]

    app = Flask("own", instance_path=str(tmp_path))
    app.request_class = Own
    app.config.update(SECRET_KEY="k" * 32, STEPUP_STORAGE_URI="memory://")
    StepUp(app, verifier=codes, subject_loader=lambda: "alice")
    alice = Person(bank(app))

    assert Resumption(confirm(alice, post(alice))).send(alice).text == "sent"


def test_a_secret_of_several_lines_is_entered_in_several_lines(
    app: Flask, alice: Person
) -> None:
    """A key in PEM, say, in a text area."""
    asked = post(alice, data="private_key=-----BEGIN%0D%0AAAA%0D%0A-----END&pin=4711")
    form = Resumption(confirm(alice, asked)).form

    assert re.search(r'<textarea [^>]*name="private_key"[^>]*></textarea>', form)
    assert re.search(r'<input [^>]*type="password" name="pin"', form)


@pytest.mark.parametrize(
    ("root", "path", "action"),
    [
        ("/app", "/..", "/app%2F.."),
        ("/app", "/../x", "/app/..%2Fx"),
        ("/app", "/x", "/app/x"),
        ("//evil.example", "/x", "/.//evil.example/x"),
    ],
)
def test_a_form_stays_with_the_app_that_it_was_sent_to(
    make_app: MakeApp, root: str, path: str, action: str
) -> None:
    """Promise 10: wherever it is mounted."""
    app = make_app()
    every = require_reverification(lambda rest="": "")
    for rule in ("/", "/<path:rest>"):
        app.add_url_rule(rule, view_func=every, endpoint=rule, methods=["POST"])
    alice = Person(app, "alice")
    odd = {"environ_overrides": {"SCRIPT_NAME": root, "PATH_INFO": path}}
    asked = post(alice, "/", **odd)

    assert Resumption(confirm(alice, asked)).attribute("action") == action


def test_what_is_typed_again_after_a_secret_is_one(app: Flask, alice: Person) -> None:
    """With a slip in it, too, which nobody could mend where it is not shown."""
    typed = "to=bob&password=sesame-open-1&confirm=sesame-open-2&note=again&again=x"
    form = Resumption(confirm(alice, post(alice, data=typed))).form

    assert re.findall(r'type="password" name="(\w+)"', form) == ["password", "confirm"]
    assert "sesame" not in form
    assert 'name="again" value="x"' in form


def test_boxes_for_the_digits_of_a_code_are_asked_for_as_they_were(
    app: Flask, alice: Person
) -> None:
    """All of them: a one-time code is another one by then."""
    typed = "otp[]=1&otp[]=0&otp[]=7&pin[0][1]=1&show_password=on"
    form = Resumption(confirm(alice, post(alice, data=typed))).form

    assert form.count('type="password"') == 4
    assert 'name="show_password" value="on"' in form


def test_where_a_challenge_cannot_be_renewed_the_form_stays(
    app: Flask, alice: Person
) -> None:
    """Promise 8: the ledger goes away after the page was found to be too old."""
    gate = app.extensions["stepup"]
    with time_machine.travel(time.time(), tick=False) as clock:
        asked = post(alice)
        clock.shift(901)
        ledger = gate.ledger
        use(gate, AwayLater(ledger))
        page = confirm(alice, asked)
        use(gate, ledger)

        assert page.status_code == 400
        Resumption(confirm(alice, confirm(alice, page))).send(alice)
    assert bodies(app) == [encoded(FIELDS)]


class AwayLater(Away):
    """A ledger that can be asked once."""

    def __init__(self, ledger: Any) -> None:
        super().__init__(ledger)
        self._ledgers = [ledger]

    def standing(self, *args: Any) -> Any:
        return (self._ledgers.pop() if self._ledgers else super()).standing(*args)

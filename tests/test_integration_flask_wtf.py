"""Flask-WTF's CSRFProtect, switched on for all of an app, over https."""

from __future__ import annotations

import time
from typing import Any

import pytest
import time_machine
from conftest import MakeApp
from flask import Flask
from flask import request
from flask_wtf import CSRFProtect
from flask_wtf.csrf import CSRFError
from flask_wtf.csrf import generate_csrf
from people import Codes
from people import Person
from people import Prompt
from test_resume import Resumption
from werkzeug.test import TestResponse

from flask_stepup import require_reverification

SITE = "https://bank.example"


class Customer(Person):
    """A browser at a site with https, which tells what page it comes from."""

    referrer: str | None = None

    def __init__(self, app: Flask) -> None:
        super().__init__(app)
        self.open("/sign-in/alice")

    def open(self, path: str, method: str = "GET", **kwargs: Any) -> TestResponse:
        told = {"Referer": self.referrer} if self.referrer else {}
        headers = told | kwargs.pop("headers", {})
        answer = super().open(path, method, base_url=SITE, headers=headers, **kwargs)
        self.referrer = SITE + path
        return answer

    def token(self) -> str:
        """The one of a form on a page."""
        return self.open("/form").text


def bank(make_app: MakeApp, **config: Any) -> Flask:
    app = make_app(SESSION_COOKIE_SECURE=True, **config)
    CSRFProtect(app)
    app.add_url_rule("/form", "form", generate_csrf)

    @app.post("/send")
    @require_reverification(bind=("to",), reason="Send money")
    def send() -> str:
        return f"sent to {request.values['to']}"

    @app.errorhandler(CSRFError)
    def refused(error: CSRFError) -> tuple[str, int]:
        return f"the bank says: {error.description}", 400

    return app


@pytest.mark.parametrize("name", ["csrf_token", "_token", "authenticity_token"])
def test_a_form_goes_through_the_prompt(make_app: MakeApp, name: str) -> None:
    """By whatever name the app has its token, which is sent again as it was."""
    alice = Customer(bank(make_app, WTF_CSRF_FIELD_NAME=name))
    fields = {"to": "bob", name: alice.token()}
    asked = alice.open("/send", "POST", data=fields)
    assert asked.status_code == 403
    assert set(Prompt(asked).fields) == {"challenge", name}

    resumption = Resumption(alice.answer(Prompt(asked), "right"))

    assert dict(resumption.fields) == fields
    assert resumption.send(alice).text == "sent to bob"


def test_the_check_comes_before_the_gate(make_app: MakeApp, codes: Codes) -> None:
    """A post without a token, or from another page, is not asked for a code."""
    alice = Customer(bank(make_app))
    fields = {"to": "bob", "csrf_token": alice.token()}
    evil = {"Referer": "https://evil.example/"}

    for answer in (
        alice.open("/send", "POST", data={"to": "bob"}),
        alice.open("/send", "POST", data=fields, headers=evil),
    ):
        assert answer.status_code == 400
        assert answer.text.startswith("the bank says")


@pytest.mark.parametrize(
    "referrer", [None, "https://evil.example/", "http://bank.example/stepup/"]
)
def test_it_is_made_again_when_the_form_comes_again(
    make_app: MakeApp, referrer: str | None
) -> None:
    """What the app would have refused it refuses; the approval waits for the right one.

    Prompts are left to their own token, the challenge: they need no Referer.
    """
    alice = Customer(bank(make_app))
    fields = {"to": "bob", "csrf_token": alice.token()}
    asked = alice.open("/send", "POST", data=fields)
    alice.referrer = referrer
    resumption = Resumption(alice.answer(Prompt(asked), "right"))

    alice.referrer = referrer
    assert resumption.send(alice).status_code == 400
    alice.referrer = f"{SITE}/stepup/"
    assert resumption.send(alice).text == "sent to bob"


def test_a_token_that_is_too_old_by_then_costs_no_second_code(
    make_app: MakeApp, codes: Codes
) -> None:
    """The app says so as ever; the same form, filled in anew, is approved already."""
    alice = Customer(bank(make_app, WTF_CSRF_TIME_LIMIT=300))
    with time_machine.travel(time.time(), tick=False) as clock:
        fields = {"to": "bob", "csrf_token": alice.token()}
        asked = alice.open("/send", "POST", data=fields)
        clock.shift(301)
        late = Resumption(alice.answer(Prompt(asked), "right")).send(alice)
        assert (late.status_code, "expired" in late.text) == (400, True)

        again = {"to": "bob", "csrf_token": alice.token()}
        assert alice.open("/send", "POST", data=again).text == "sent to bob"
    assert len(codes.asked) == 1


def test_a_program_sends_its_token_with_its_own_posts_alone(make_app: MakeApp) -> None:
    """The prompt takes none; the app's routes do, in a header."""
    alice = Customer(bank(make_app))
    site: dict[str, Any] = {"base_url": SITE}
    token = {"X-CSRFToken": alice.token(), "Referer": f"{SITE}/form"}
    told = alice.client.post("/send", json={"to": "bob"}, headers=token, **site).json
    code = {"challenge": told["challenge"], "code": "right"}

    assert told["verify_url"] == "/stepup/"
    assert alice.client.post("/stepup/", json=code, **site).json["verified"] is True
    assert alice.client.post("/send", json={"to": "bob"}, **site).status_code == 400
    done = alice.client.post("/send?to=bob", headers=token, **site)
    assert done.text == "sent to bob"


def test_a_grant_leaves_forms_in_other_tabs_valid(make_app: MakeApp) -> None:
    """What Flask-WTF has in the session stays: the post gets as far as the gate."""
    alice = Customer(bank(make_app))
    token = alice.token()
    alice.step_up("right")

    asked = alice.open("/send", "POST", data={"to": "bob", "csrf_token": token})
    assert asked.status_code == 403

"""Every state that the prompt can be in, each come to as people come to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import time_machine
from conftest import signed_in
from flask import Flask
from flask import redirect
from flask import render_template_string
from flask import session
from flask.typing import ResponseReturnValue
from jinja2 import DictLoader
from people import Codes
from playwright.sync_api import Browser
from playwright.sync_api import Page
from serving import served

from flask_stepup import NotEnrolled
from flask_stepup import OutcomeUnknown
from flask_stepup import require_reverification
from flask_stepup import StepUp
from flask_stepup import VerifierUnavailable

LOOKS = {
    "STEPUP_APP_NAME": "Harbour Bank",
    "STEPUP_SUPPORT_URL": "mailto:help@harbour.example",
    "STEPUP_ENROLL_URL": "/enrol",
}
#: A page as apps have it, whose style sheet thinks of the daylight.
PLAIN = """<!doctype html><html lang="en"><title>{% block title %}{% endblock %}</title>
<style>p, dd { color: #222 } label, strong { color: #111 } form { display: flex }
button { text-transform: uppercase } h1 { color: navy }</style>
<main>{% block content %}{% endblock %}</main></html>"""
_FORM = """<!doctype html><html lang="en"><title>Form</title>
<form method="post" action="{{ action }}" enctype="{{ type }}">
{% for name, value in fields.items() %}<input name="{{ name }}" value="{{ value }}">
{% endfor %}{% if files %}<input type="file" name="scan">{% endif %}
<button>Send</button></form>"""


@dataclass
class Visit:
    """Somebody in front of an app, whose codes are what the state needs them to be."""

    page: Page
    codes: Codes

    def submit(self, code: str) -> None:
        """Enter a code that no script takes for a whole one of six digits."""
        self.page.locator("[name=code]").fill(code)
        self.page.locator(".stepup-code-form [type=submit]").click()
        self.page.wait_for_load_state()

    def send(self, **files: Any) -> None:
        """Send the form of the page."""
        if files:
            self.page.locator("[type=file]").set_input_files(files["scan"])
        self.page.get_by_role("button", name="Send").click()
        self.page.wait_for_load_state()


State = Callable[[Visit], None]
STATES: dict[str, State] = {}
#: Settings that a state needs.
CONFIG: dict[str, dict[str, Any]] = {}


def state(reach: State) -> State:
    """Register a state under the name of the function that reaches it."""
    STATES[reach.__name__.replace("_", "-")] = reach
    return reach


@state
def asked(visit: Visit) -> None:
    """A guarded page was opened."""
    visit.page.goto("/vault")


@state
def approving(visit: Visit) -> None:
    """A form was sent whose values are to be approved."""
    visit.page.goto("/send-money")
    visit.send()


@state
def secrets_not_kept(visit: Visit) -> None:
    """One with a secret in it was."""
    visit.page.goto("/new-pin")
    visit.send()


@state
def files_not_kept(visit: Visit) -> None:
    """One with a file was."""
    visit.page.goto("/scan")
    visit.send(scan={"name": "scan.txt", "mimeType": "text/plain", "buffer": b"a file"})


@state
def too_large(visit: Visit) -> None:
    """One was that is larger than what is kept."""
    visit.page.goto("/letter")
    visit.send()


@state
def wrong_code(visit: Visit) -> None:
    """A code was not right."""
    approving(visit)
    visit.submit("wrong")


@state
def last_try(visit: Visit) -> None:
    """The last try was used."""
    asked(visit)
    for number in range(5):
        visit.submit(f"wrong {number}")


@state
def locked(visit: Visit) -> None:
    """And one more was made."""
    last_try(visit)
    visit.submit("wrong")


@state
def locked_with_a_form(visit: Visit) -> None:
    """The same, when there is a form to be kept."""
    approving(visit)
    for number in range(6):
        visit.submit(f"wrong {number}")


CONFIG["locked-for-days"] = {"STEPUP_ATTEMPT_LIMIT": "1 per 30 days"}


@state
def locked_for_days(visit: Visit) -> None:
    """Every try of a month was used."""
    asked(visit)
    visit.submit("wrong")
    visit.submit("wrong")


@state
def code_used(visit: Visit) -> None:
    """A code had opened something else before."""
    asked(visit)
    visit.submit("right")
    approving(visit)
    visit.submit("right")


@state
def expired(visit: Visit) -> None:
    """The page had been open for too long."""
    asked(visit)
    with time_machine.travel(time.time() + 1_000):
        visit.submit("right")


@state
def not_enrolled(visit: Visit) -> None:
    """The person has no authenticator."""
    asked(visit)
    visit.codes.raises = NotEnrolled()
    visit.submit("right")


@state
def backend_away(visit: Visit) -> None:
    """Nobody can tell whether a code is right."""
    asked(visit)
    visit.codes.raises = VerifierUnavailable()
    visit.submit("right")


@state
def outcome_unknown(visit: Visit) -> None:
    """Nobody can tell what became of one."""
    asked(visit)
    visit.codes.raises = OutcomeUnknown()
    visit.submit("right")


@state
def confirmed_before(visit: Visit) -> None:
    """What was approved and done is sent once more."""
    visit.page.goto("/once")
    visit.send()
    visit.submit("right 1")
    if visit.page.get_by_role("button", name="Continue").is_visible():
        visit.page.get_by_role("button", name="Continue").click()
    visit.page.get_by_role("heading", name="Done").wait_for()
    visit.page.goto("/once")
    visit.send()


@state
def secrets_again(visit: Visit) -> None:
    """A right code, after which what was not kept is entered again."""
    secrets_not_kept(visit)
    visit.submit("right")


@state
def not_for_you(visit: Visit) -> None:
    """The link of a prompt that was somebody else's."""
    visit.page.goto("/stepup/?challenge=elsewhere")


@state
def signed_out(visit: Visit) -> None:
    """Nobody is signed in any more."""
    visit.page.context.clear_cookies()
    visit.page.goto("/vault")


@contextmanager
def come_to(
    name: str, browser: Browser, config: dict[str, Any] | None = None, **context: Any
) -> Iterator[Page]:
    """Yield a page in that state, of an app of its own.

    :param context: what the browser is like: ``locale``, ``color_scheme``, …
    """
    app, codes = make_app(**LOOKS | CONFIG.get(name, {}) | (config or {}))
    with (
        served(app) as site,
        browser.new_context(base_url=site, **context) as opened,
    ):
        opened.set_default_timeout(10_000)
        page = opened.new_page()
        page.goto("/sign-in/alice")
        STATES[name](Visit(page, codes))
        page.wait_for_load_state()
        yield page


def make_app(**config: Any) -> tuple[Flask, Codes]:
    """Return an app with something to guard, and the codes that open it."""
    app, codes = Flask("harbour"), Codes()
    app.config.update(SECRET_KEY="k" * 32, STEPUP_STORAGE_URI="memory://")
    app.config.update(STEPUP_RESUME_MAX_BYTES=4_096, **config)
    app.jinja_loader = DictLoader({"plain.html": PLAIN})  # type: ignore[misc]
    StepUp(app, verifier=codes, subject_loader=signed_in)

    def sign_in(user_id: str) -> str:
        session["user_id"] = user_id
        return "signed in"

    def form(path: str, *, files: bool = False, **fields: str) -> None:
        kind = "multipart/form-data" if files else "application/x-www-form-urlencoded"
        asked_for = {"action": path, "type": kind, "files": files, "fields": fields}
        app.add_url_rule(
            path, f"form{path}", lambda: render_template_string(_FORM, **asked_for)
        )

    def done() -> ResponseReturnValue:
        return redirect("/done", 303)

    def guarded(path: str, method: str = "POST", **policy: Any) -> None:
        view = require_reverification(**policy)(done)
        app.add_url_rule(path, path, view, methods=[method])

    app.add_url_rule("/sign-in/<user_id>", view_func=sign_in)
    app.add_url_rule("/favicon.ico", "icon", lambda: ("", 204))

    def sign_out() -> str:
        session.clear()
        # Chromium does not always notice that a cookie is gone: docs/revocation.md.
        session["left"] = True
        return "signed out"

    app.add_url_rule("/sign-out", view_func=sign_out)
    number = require_reverification(lambda: "GB33 BUKB 2020 1555 5555 55")
    app.add_url_rule("/account-number", "number", number)
    app.add_url_rule("/done", "done", lambda: "<h1>Done</h1>")
    guarded("/vault", "GET", reason="Open the vault")
    form("/send-money", to="Jan de Vries", amount="£1,250.00", reference="Rent, May")
    bound = ("to", "amount", "reference")
    guarded("/send-money", reason="Send money", bind=bound)
    form("/once", to="Jan de Vries", amount="£1,250.00")
    guarded("/once", reason="Send money", bind=("to", "amount"))
    form("/new-pin", card="ending in 4171", new_pin="1234", repeat_pin="1234")
    guarded("/new-pin", reason="Change the PIN of your card")
    form("/scan", subject="Proof of address", files=True)
    guarded("/scan", reason="Send a document")
    form("/letter", text="x" * 8_000)
    guarded("/letter", reason="Write to us")
    return app, codes

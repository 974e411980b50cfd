"""Behind a real reverse proxy that ends TLS, with ProxyFix and without."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from conftest import MakeApp
from flask import Flask
from flask import request
from flask_wtf import CSRFProtect
from flask_wtf.csrf import generate_csrf
from people import PAGE
from people import Person
from reverse_proxy import behind_a_proxy
from visiting import action
from visiting import hidden
from visiting import links
from visiting import OLD_BROWSER
from visiting import Visit
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_stepup import require_reverification

MakeBank = Callable[..., Flask]
BROWSERS = pytest.mark.parametrize(
    "browser", [PAGE, OLD_BROWSER], ids=["browser", "old browser"]
)


@pytest.fixture(name="make_bank")
def _make_bank(make_app: MakeApp) -> MakeBank:
    def make_bank(*, fixed: bool, **config: Any) -> Flask:
        app = make_app(SESSION_COOKIE_SECURE=True, **config)
        if fixed:
            app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
                app.wsgi_app, x_for=1, x_proto=1, x_host=1
            )

        @app.get("/form")
        def form() -> str:
            return "<form>"

        @app.post("/send")
        @require_reverification(reason="Send money")
        def send() -> str:
            return f"sent to {request.form['to']} over {request.scheme}"

        return app

    return make_bank


def sent_form(visit: Visit, **more: str) -> httpx.Response:
    """Fill the form in and send it."""
    visit.get("/form")
    return visit.post("/send", {"to": "bob"} | more)


@BROWSERS
@pytest.mark.parametrize("keeps_host", [True, False])
def test_with_proxy_fix_all_is_as_without_a_proxy(
    make_bank: MakeBank, browser: dict[str, str], keeps_host: bool
) -> None:
    """A page, and a form that comes back; cookies are for https alone."""
    app = make_bank(fixed=True)
    with (
        behind_a_proxy(app, keeps_host=keeps_host) as site,
        Visit(site, browser) as alice,
    ):
        alice.get("/sign-in/alice")
        asked = alice.get("/vault")
        assert asked.headers["Location"].startswith("/stepup/?challenge=")
        prompt = alice.get(asked.headers["Location"])
        assert alice.answer(prompt, "right").headers["Location"] == "/vault"
        assert alice.get("/vault").text == "the vault is open"
        assert alice.cookies == [("session", "/", True)]

    with (
        behind_a_proxy(app, keeps_host=keeps_host) as site,
        Visit(site, browser) as alice,
    ):
        alice.get("/sign-in/alice")
        asked = sent_form(alice)
        assert (asked.status_code, "/form" in links(asked)) == (403, True)
        page = alice.answer(asked, "right too")
        assert hidden(page) == [("to", "bob")]
        done = alice.post(action(page), dict(hidden(page)))
        assert done.text == "sent to bob over https"


@BROWSERS
def test_flask_wtf_has_its_referer_over_https(
    make_bank: MakeBank, browser: dict[str, str]
) -> None:
    """Its strict check passes when the form comes again from a page of ours."""
    app = make_bank(fixed=True)
    CSRFProtect(app)
    app.add_url_rule("/token", "token", generate_csrf)
    with behind_a_proxy(app) as site, Visit(site, browser) as alice:
        alice.get("/sign-in/alice")
        token = alice.get("/token").text
        asked = sent_form(alice, csrf_token=token)
        page = alice.answer(asked, "right")
        assert page.headers["Referrer-Policy"] == "same-origin"
        done = alice.post(action(page), dict(hidden(page)))
        assert done.text == "sent to bob over https"
        alice.page = ""
        refused = alice.post(action(page), dict(hidden(page)))
        assert "referrer header is missing" in refused.text


@BROWSERS
def test_a_proxy_that_keeps_the_host_needs_no_proxy_fix_for_us(
    make_bank: MakeBank, browser: dict[str, str]
) -> None:
    """Redirects name no host, and the scheme is not compared."""
    app = make_bank(fixed=False)
    with (
        behind_a_proxy(app, keeps_host=True) as site,
        Visit(site, browser) as alice,
    ):
        alice.get("/sign-in/alice")
        page = alice.answer(sent_form(alice), "right")
        done = alice.post(action(page), dict(hidden(page)))
        assert done.text == "sent to bob over http"


def test_without_proxy_fix_browsers_of_today_get_through(make_bank: MakeBank) -> None:
    """They say themselves where a post comes from; Cancel just does not know it."""
    app = make_bank(fixed=False)
    with behind_a_proxy(app) as site, Visit(site, PAGE) as alice:
        alice.get("/sign-in/alice")
        asked = sent_form(alice)
        assert "/form" not in links(asked)
        page = alice.answer(asked, "right")
        done = alice.post(action(page), dict(hidden(page)))
        assert done.text == "sent to bob over http"


def test_without_proxy_fix_the_log_says_why_a_form_is_refused(
    make_bank: MakeBank, caplog: pytest.LogCaptureFixture
) -> None:
    """Posts of old browsers, and over plain http of all, do not tell their site.

    So it is known by its host, which the proxy has replaced.
    """
    caplog.set_level(logging.WARNING, "flask_stepup")
    app = make_bank(fixed=False)
    with behind_a_proxy(app) as site, Visit(site, OLD_BROWSER) as alice:
        alice.get("/sign-in/alice")
        refused = sent_form(alice)

    assert refused.status_code == 403
    assert "This came from another site" in refused.text
    (told,) = [r.getMessage() for r in caplog.records if r.name == "flask_stepup"]
    # Both hosts, and the mend.
    assert alice.origin in told
    assert "127.0.0.1" in told.replace(alice.origin, "")
    assert "ProxyFix" in told


def test_a_form_of_another_site_is_not_taken_for_a_proxys_fault(
    make_bank: MakeBank, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the browser says so itself there is nothing to mend."""
    caplog.set_level(logging.WARNING, "flask_stepup")
    alice = Person(make_bank(fixed=True), "alice")
    evil = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}

    assert (
        alice.open("/send", "POST", headers=evil, data={"to": "eve"}).is_json is False
    )
    assert "ProxyFix" not in caplog.text


@pytest.mark.parametrize("fixed", [True, False])
def test_htmx_is_led_back_to_its_page(make_bank: MakeBank, fixed: bool) -> None:
    """Without ProxyFix to the front page: nobody can tell whose address it is."""
    app = make_bank(fixed=fixed)
    with behind_a_proxy(app) as site, Visit(site) as alice:
        alice.get("/sign-in/alice")
        htmx = {"HX-Request": "true", "HX-Current-URL": f"{site}/form?step=2"}
        led = alice.get("/vault", **htmx).headers["HX-Redirect"]
        assert led.startswith("/stepup/?challenge=")
        back = alice.answer(alice.get(led), "right").headers["Location"]
        assert back == ("/form?step=2" if fixed else "/")

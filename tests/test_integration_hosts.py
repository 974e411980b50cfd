"""Apps that tell hosts apart: the prompt is where the guarded view is."""

from __future__ import annotations

import re
from typing import Any

import pytest
from conftest import signed_in
from flask import Blueprint
from flask import Flask
from flask import url_for
from people import Codes
from people import PAGE
from people import Person
from people import Prompt
from test_resume import Resumption
from werkzeug.test import TestResponse

from flask_stepup import require_reverification
from flask_stepup import StepUp


class Visitor(Person):
    """A browser at one host of the app's, signed in there."""

    def __init__(self, app: Flask, site: str) -> None:
        super().__init__(app)
        self.site = site
        with self.client.session_transaction(base_url=site) as state:
            state["user_id"] = "alice"

    def open(self, path: str, method: str = "GET", **kwargs: Any) -> TestResponse:
        return super().open(path, method, base_url=self.site, **kwargs)


def shop(codes: Codes, **options: Any) -> Flask:
    """An app with a guarded blueprint, which is not registered yet."""
    config = options.pop("config", {})
    app = Flask("shop", **options)
    app.config.update(SECRET_KEY="k" * 32, STEPUP_STORAGE_URI="memory://", **config)
    StepUp(app, verifier=codes, subject_loader=signed_in)
    return app


def views(name: str) -> Blueprint:
    blueprint = Blueprint(name, __name__)

    @blueprint.route("/vault", methods=["GET", "POST"])
    @require_reverification
    def vault(**arguments: str) -> str:
        return f"{name} {arguments}"

    return blueprint


def by_subdomain(codes: Codes, name: str = "shop.example", **config: Any) -> Flask:
    """Three kinds of hosts: the app's own, one that is named, and any other."""
    app = shop(codes, subdomain_matching=True, config={"SERVER_NAME": name, **config})
    app.register_blueprint(views("front"))
    app.register_blueprint(views("admin"), subdomain="admin")
    app.register_blueprint(views("tenant"), subdomain="<tenant>")
    return app


def by_host(codes: Codes) -> Flask:
    app = shop(codes, host_matching=True, static_host="static.example")
    view = require_reverification(lambda **arguments: f"host {arguments}")
    for number, host in enumerate(("one.example", "<tenant>.example:8443")):
        app.add_url_rule(
            "/vault", f"vault{number}", view, host=host, methods=["GET", "POST"]
        )
    return app


def by_name(codes: Codes) -> Flask:
    """Without ``subdomain_matching`` Flask makes no difference between hosts."""
    app = shop(codes, config={"SERVER_NAME": "shop.example"})
    app.register_blueprint(views("front"))
    return app


PORT = "shop.example:8000"
#: The app, a site of it, and what the guarded view there says.
SITES: dict[str, tuple[Any, str, str]] = {
    "its own": (by_subdomain, "https://shop.example", "front {}"),
    "a subdomain": (by_subdomain, "https://admin.shop.example", "admin {}"),
    "any subdomain": (
        by_subdomain,
        "http://bob.shop.example",
        "tenant {'tenant': 'bob'}",
    ),
    "deeper": (by_subdomain, "http://a.b.shop.example", "tenant {'tenant': 'a.b'}"),
    "capitals": (by_subdomain, "http://ADMIN.Shop.Example", "admin {}"),
    "with a port": (
        lambda codes: by_subdomain(codes, PORT),
        "http://admin.shop.example:8000",
        "admin {}",
    ),
    "with https's own port": (
        lambda codes: by_subdomain(codes, "shop.example:443"),
        "https://admin.shop.example",
        "admin {}",
    ),
    "with http's own port": (
        lambda codes: by_subdomain(codes, "shop.example:80"),
        "http://admin.shop.example:80",
        "admin {}",
    ),
    "a host": (by_host, "https://one.example", "host {}"),
    "any host": (
        by_host,
        "https://bob.example:8443",
        "host {'tenant': 'bob'}",
    ),
    "named alone": (
        by_name,
        "http://admin.shop.example",
        "front {}",
    ),
}


@pytest.fixture(name="site", params=SITES)
def _site(request: pytest.FixtureRequest, codes: Codes) -> tuple[Visitor, str]:
    make, address, says = SITES[request.param]
    return Visitor(make(codes), address), says


def test_a_page_leads_to_a_prompt_of_its_own_host(site: tuple[Visitor, str]) -> None:
    """Where the session is: from the first request to the view that runs."""
    alice, says = site
    asked = alice.open("/vault?x=1")
    assert asked.location.startswith("/stepup/?challenge=")
    prompt = Prompt(alice.open(asked.location))
    assert prompt.response.status_code == 200
    assert 'action="/stepup/"' in prompt.text

    answer = alice.answer(prompt, "right")

    assert (answer.status_code, answer.location) == (303, "/vault?x=1")
    assert alice.open(answer.location).text == says


def test_the_prompts_files_are_on_that_host(site: tuple[Visitor, str]) -> None:
    """Another origin's style sheet may not be allowed there."""
    alice, _ = site
    text = alice.open("/vault", "POST").text
    files = re.findall(r'(?:href|src)="([^"]+\.(?:css|js))"', text)

    assert files == ["/stepup/static/stepup.css", "/stepup/static/stepup.js"]
    for file in files:
        with alice.open(file) as answer:
            assert answer.status_code == 200


def test_a_form_comes_back_on_that_host(site: tuple[Visitor, str]) -> None:
    """Promise 8: it is sent again to where it was sent."""
    alice, says = site
    asked = alice.open("/vault", "POST", data={"to": "bob"})
    page = alice.answer(Prompt(asked), "right")

    form = Resumption(page)
    assert (form.attribute("action"), form.fields) == ("/vault", [("to", "bob")])
    assert form.send(alice).text == says


def test_programs_are_told_of_that_host(site: tuple[Visitor, str]) -> None:
    """``verify_url`` takes the code, and status tells of it."""
    alice, says = site
    here = {"base_url": alice.site}
    told = alice.client.get("/vault", **here).json
    code = {"challenge": told["challenge"], "code": "right"}

    assert told["verify_url"] == "/stepup/"
    assert alice.client.post(told["verify_url"], json=code, **here).status_code == 200
    assert alice.client.get("/stepup/status", **here).json["reverified"] is True
    assert alice.client.get("/vault", **here).text == says


def test_an_address_of_ipv6_is_a_host(codes: Codes) -> None:
    """Its brackets stand in addresses as they are."""
    app = Flask("shop", host_matching=True, static_host="static.example")
    app.config.update(SECRET_KEY="k" * 32, STEPUP_STORAGE_URI="memory://")
    StepUp(app, verifier=codes, subject_loader=lambda: "alice")
    view = require_reverification(lambda host: host)
    app.add_url_rule("/vault", "vault", view, host="<host>")
    page = {"headers": PAGE, "base_url": "http://[::1]:5000"}

    assert app.test_client().get("/vault", **page).location.startswith("/stepup/?")


def test_an_approval_of_one_tenant_is_none_of_another(codes: Codes) -> None:
    """Though one session serves all hosts: the host is part of the action."""
    app = by_subdomain(codes, SESSION_COOKIE_DOMAIN="shop.example")
    close = require_reverification(once=True)(lambda tenant: f"closed {tenant}")
    app.add_url_rule("/close", "close", close, subdomain="<tenant>", methods=["POST"])
    alice = Visitor(app, "http://bob.shop.example")
    alice.answer(Prompt(alice.open("/close", "POST")), "right")
    alice.site = "http://eve.shop.example"
    assert alice.open("/close", "POST").status_code == 403

    alice.site = "http://bob.shop.example"
    assert alice.open("/close", "POST").text == "closed bob"


def test_addresses_can_be_made_outside_of_a_request(codes: Codes) -> None:
    """Of the host that is named."""
    with by_subdomain(codes).app_context():
        assert url_for("stepup.prompt") == "http://shop.example/stepup/"
    with by_name(codes).app_context():
        assert url_for("stepup.prompt") == "http://shop.example/stepup/"

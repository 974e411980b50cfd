"""Pages that use htmx: from a guarded button to the prompt and back, in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from conftest import signed_in
from flask import Flask
from flask import request
from flask import send_from_directory
from flask import session
from front_end import node
from front_end.chromium import chromium
from front_end.chromium import needs_chromium
from people import Person
from people import Prompt
from playwright.sync_api import Browser
from playwright.sync_api import Page
from serving import served

from flask_stepup import require_reverification
from flask_stepup import StepUp
from flask_stepup.sandbox import demo_users
from flask_stepup.sandbox import Sandbox
from flask_stepup.sandbox import SandboxUser

#: Both lines of htmx that are in use.
RELEASES = ("htmx.org", "htmx.org-2")
PEOPLE = """<!doctype html>
<html lang="en">
<title>People</title>
<script src="/htmx/{release}/htmx.js"></script>
<h1>People, page {page}</h1>
<p>Bob
  <button hx-get="/people/bob/salary" hx-target="#outcome">Salary</button>
  <button hx-post="/people/bob/remove" hx-target="#outcome">Remove</button>
</p>
<p id="outcome">Nothing has happened.</p>
"""
SEND_AGAIN = "you will have to send it again"


@pytest.fixture(name="user")
def _user() -> SandboxUser:
    return demo_users()[0]


@pytest.fixture(name="release", params=RELEASES)
def _release(request: pytest.FixtureRequest) -> str:
    """The package of htmx that the pages load."""
    release: str = request.param
    return release


@pytest.fixture(name="app")
def _app(user: SandboxUser) -> Iterator[Flask]:
    sandbox = Sandbox([user])
    with sandbox.serve() as url:
        app = Flask("people")
        app.config.update(
            SECRET_KEY="k" * 32,
            STEPUP_STORAGE_URI="memory://",
            STEPUP_CLERK_SECRET_KEY=sandbox.secret_key,
            STEPUP_CLERK_API_URL=url,
        )
        StepUp(app, subject_loader=signed_in)
        _mount(app)
        yield app
        app.extensions["stepup"].verifier._api.close()


def _mount(app: Flask) -> None:
    app.extensions["runs"] = runs = []

    @app.get("/sign-in/<user_id>")
    def sign_in(user_id: str) -> str:
        session["user_id"] = user_id
        return "signed in"

    @app.get("/htmx/<release>/htmx.js")
    def htmx(release: str) -> object:
        return send_from_directory(node.NODE_MODULES / release / "dist", "htmx.js")

    @app.get("/people")
    def people() -> str:
        return PEOPLE.format(**request.args)

    @app.get("/people/bob/salary")
    @require_reverification
    def salary() -> str:
        runs.append("salary")
        return "Bob earns <strong>a fair share</strong>."

    @app.post("/people/bob/remove")
    @require_reverification
    def remove() -> str:
        runs.append("remove")
        return "Bob <strong>has been removed</strong>."


# In a browser


@pytest.fixture(name="browser", scope="module")
def _browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(name="page")
def _page(
    browser: Browser, app: Flask, user: SandboxUser, release: str
) -> Iterator[Page]:
    """Somebody signed in, on the second page; a script that fails is a failure."""
    errors: list[str] = []
    with served(app) as site, browser.new_page(base_url=site) as page:
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"/sign-in/{user.user_id}")
        page.goto(f"/people?page=2&release={release}")
        yield page
    assert errors == []


def click(page: Page, button: str) -> None:
    page.get_by_role("button", name=button).click()


@needs_chromium
@node.needs_packages
@pytest.mark.parametrize(
    ("button", "outcome", "sends"),
    [
        ("Salary", "Bob earns a fair share.", False),
        ("Remove", "Bob has been removed.", True),
    ],
)
def test_a_guarded_button_leads_to_the_prompt_and_back(
    page: Page, user: SandboxUser, app: Flask, button: str, outcome: str, sends: bool
) -> None:
    """The whole page goes to the prompt, and back to the page the person was on."""
    was_on = page.url

    click(page, button)
    page.wait_for_url("**/stepup/?challenge=*")
    assert page.locator("h1").inner_text() == "Confirm it\u2019s you"
    assert page.get_by_text(SEND_AGAIN).is_visible() == sends
    assert app.extensions["runs"] == []

    page.get_by_label("Code", exact=True).fill(user.current_code())
    click(page, "Confirm")
    page.wait_for_url(was_on)
    assert page.locator("h1").inner_text() == "People, page 2"
    assert page.locator("#outcome").inner_text() == "Nothing has happened."
    assert app.extensions["runs"] == []

    click(page, button)
    page.get_by_text(outcome).wait_for()
    assert page.url == was_on
    assert app.extensions["runs"] == [button.lower()]


@needs_chromium
@node.needs_packages
def test_a_wrong_code_and_cancel_lose_nothing(page: Page, app: Flask) -> None:
    """The prompt stays, its link leads back, and nothing has been done."""
    was_on = page.url
    click(page, "Remove")
    page.get_by_label("Code", exact=True).fill("000000")
    click(page, "Confirm")
    page.get_by_role("alert").get_by_text("That code is not right").wait_for()

    page.get_by_role("link", name="Cancel").click()

    page.wait_for_url(was_on)
    assert app.extensions["runs"] == []


# What htmx sends, from anywhere


@pytest.fixture(name="person")
def _person(app: Flask, user: SandboxUser) -> Person:
    return Person(app, user.user_id)


def headers(current_url: str | None) -> dict[str, str]:
    """What htmx sends, and the browser with it."""
    sent = {"HX-Request": "true", "Accept": "*/*", "Sec-Fetch-Mode": "cors"}
    return sent | ({"HX-Current-URL": current_url} if current_url else {})


def test_the_answer_has_the_browser_go_to_the_prompt(person: Person) -> None:
    """It is no redirect, which htmx would follow by itself and swap the prompt in."""
    response = person.client.post(
        "/people/bob/remove", headers=headers("http://localhost/people?page=2")
    )

    assert response.status_code == 403
    assert "Location" not in response.headers
    assert response.headers["HX-Redirect"].startswith("/stepup/?challenge=")
    assert "HX-Request" in response.headers["Vary"]
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "current_url",
    [
        "https://evil.example/people",
        "http://localhost.evil.example/people",
        "http://localhost@evil.example/people",
        "http://localhost:8080/people",
        "//evil.example/people",
        "http:\\\\evil.example",
        "javascript:alert(1)",
        "data:text/html,hi",
        "http://[",
        "/people",
        "null",
        None,
    ],
)
def test_a_page_of_somebody_else_is_not_the_way_back(
    person: Person, user: SandboxUser, current_url: str | None
) -> None:
    """Promise 10: what names no page of ours leads to the front page."""
    refused = person.client.get("/people/bob/salary", headers=headers(current_url))
    prompt = Prompt(person.open(refused.headers["HX-Redirect"]))

    assert 'href="/"' in prompt.text
    assert person.answer(prompt, user.current_code()).location == "/"


@pytest.mark.parametrize(
    ("current_url", "way_back"),
    [
        ("http://localhost/people?page=2&q=a%20b#bob", "/people?page=2&q=a%20b"),
        ("http://localhost", "/"),
        ("http://localhost//evil.example/x", "/evil.example/x"),
        ("http://localhost/\\evil.example", "/evil.example"),
    ],
)
def test_the_way_back_is_the_page_the_person_was_on(
    person: Person, user: SandboxUser, current_url: str, way_back: str
) -> None:
    """Promise 10: with its query, and never off this host."""
    refused = person.client.get("/people/bob/salary", headers=headers(current_url))
    prompt = Prompt(person.open(refused.headers["HX-Redirect"]))

    assert person.answer(prompt, user.current_code()).location == way_back


def test_the_prompt_itself_is_no_way_back(person: Person, user: SandboxUser) -> None:
    """Somebody verified would be sent round in a circle."""
    first = person.client.get("/people/bob/salary", headers=headers(None))
    on_prompt = f"http://localhost{first.headers['HX-Redirect']}"
    refused = person.client.get("/people/bob/salary", headers=headers(on_prompt))
    prompt = Prompt(person.open(refused.headers["HX-Redirect"]))

    assert urlsplit(person.answer(prompt, user.current_code()).location).path == "/"

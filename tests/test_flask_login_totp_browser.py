"""The example that keeps TOTP secrets itself, in a real browser with its phone."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import time_machine
from axe_playwright_python.sync_playwright import Axe
from dovecote import EXAMPLE
from example_scripts import loaded
from front_end.chromium import chromium
from front_end.chromium import needs_chromium
from playwright.sync_api import Browser
from playwright.sync_api import expect
from playwright.sync_api import Page
from serving import served

pytestmark = needs_chromium

NewPage = Callable[..., Page]
#: Seconds that a code is shown.
STEP = 30


@pytest.fixture(name="browser", scope="module")
def _browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(name="dovecote", scope="module")
def _dovecote() -> Iterator[Any]:
    with loaded(EXAMPLE) as module:
        yield module


@pytest.fixture(name="clock")
def _clock() -> Iterator[time_machine.Coordinates]:
    """The server's: three seconds before the next code, for as long as one likes."""
    with time_machine.travel(1_800_000_000 // STEP * STEP - 3, tick=False) as clock:
        yield clock


@pytest.fixture(name="site")
def _site(dovecote: Any, tmp_path: Path) -> Iterator[str]:
    """The demo: the app with a phone beside each page."""
    import pretend_phone

    app = dovecote.create_app(tmp_path)
    pretend_phone.add_pretend_phone(app)
    with served(app) as site:
        yield site


@pytest.fixture(name="new_page")
def _new_page(browser: Browser, site: str) -> Iterator[NewPage]:
    """A function that opens it; what the browser complains about is a failure."""
    complaints: list[str] = []
    elsewhere: list[str] = []

    def new_page(
        *, width: int = 1280, scheme: Any = "light", scripts: bool = True
    ) -> Page:
        page = browser.new_page(
            viewport={"width": width, "height": 800},
            color_scheme=scheme,
            java_script_enabled=scripts,
        )
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text))
        page.on(
            "request",
            lambda request: (
                request.url.startswith(site) or elsewhere.append(request.url)
            ),
        )
        page.goto(site)
        return page

    yield new_page
    for context in browser.contexts:
        context.close()
    # Of the statuses that a wrong code and a refused form are answered with.
    told = (
        "Failed to load resource: the server responded with a status of 4",
        "Autofocus processing was blocked",
    )
    assert [text for text in complaints if not text.startswith(told)] == []
    assert elsewhere == []


def sign_up(page: Page) -> None:
    page.get_by_role("link", name="open an account").click()
    page.get_by_label("E-mail address").fill("alice@example.org")
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Open account").click()


def shown_code(page: Page) -> str:
    """The code that the phone shows last: of the authenticator that is to be one."""
    phone = page.frame_locator("iframe[title='Pretend phone']")
    return phone.locator(".shown").last.inner_text()


def confirm(page: Page, code: str) -> None:
    page.get_by_label("Code", exact=True).fill(code)
    page.get_by_role("button", name="Confirm").click()


def enrol(page: Page) -> list[str]:
    """Set the authenticator up with the phone; return the backup codes."""
    confirm(page, shown_code(page))
    page.get_by_role("heading", name="Your backup codes").wait_for()
    return page.locator(".codes code").all_inner_texts()


@pytest.mark.parametrize("scripts", [True, False])
def test_enrol_verify_recover(new_page: NewPage, scripts: bool) -> None:
    """All of it by clicking, with scripts or without."""
    page = new_page(width=390, scripts=scripts)
    sign_up(page)
    codes = enrol(page)
    page.get_by_role("link", name="I have them").click()

    # A notice, which takes a code of its own, and is not lost over a wrong one.
    page.get_by_role("link", name="Notices").click()
    page.get_by_label("Notice", exact=True).fill("No training on Friday.")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".stepup-values")).to_contain_text("No training on Friday.")
    confirm(page, "000000")
    page.get_by_text("That code is not right").wait_for()
    confirm(page, codes[0])
    if not scripts:
        page.get_by_role("button", name="Continue").click()
    page.get_by_role("status").get_by_text("Sent to 48 members.").wait_for()
    page.get_by_role("status").get_by_text("You have 9 left.").wait_for()

    # The phone is lost: a backup code leads to another authenticator.
    page.get_by_role("link", name="Account").click()
    page.get_by_role("link", name="Replace").click()
    page.get_by_role("link", name="Lost your phone?").click()
    page.get_by_role("link", name="Set up a new one").click()
    confirm(page, codes[1].upper())
    page.get_by_role("heading", name="Replace your authenticator").wait_for()
    assert set(enrol(page)).isdisjoint(codes)


def test_the_phone_shows_the_next_code_by_itself(
    new_page: NewPage, clock: time_machine.Coordinates
) -> None:
    """After one is used, without a script and without the page being loaded again."""
    page = new_page()
    sign_up(page)
    enrol(page)
    phone = page.frame_locator("iframe[title='Pretend phone']")
    used = phone.locator("s")
    expect(used).to_have_count(1)  # what confirms an authenticator is used up, too
    clock.shift(STEP)
    page.goto(page.url.replace("/authenticator", "/account"))
    page.get_by_role("link", name="Replace").click()
    code = shown_code(page)
    confirm(page, code)
    page.get_by_role("heading", name="Replace your authenticator").wait_for()
    expect(used).to_have_text(code)

    clock.shift(STEP)

    expect(used).to_have_count(0)
    assert re.fullmatch(r"\d{3} \d{3}", phone.locator(".shown").first.inner_text())


# Layout is a matter of the width, contrast of the scheme: two runs see all of both.
@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (1280, "dark")])
def test_every_page_is_accessible(new_page: NewPage, scheme: str, width: int) -> None:
    """axe finds no violations on any page, and nothing is wider than the screen."""
    page = new_page(width=width, scheme=scheme)
    site = page.url.rpartition("/")[0]

    def check() -> None:
        # A page whose style sheet is on its way has other colours.
        page.wait_for_load_state()
        results = Axe().run(page)
        assert results.violations_count == 0, f"{page.url}\n{results.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url

    def go(path: str) -> None:
        page.goto(site + path)
        check()

    check()
    page.get_by_label("E-mail address").fill("nobody@example.org")
    page.get_by_label("Password").fill("wrong horse battery")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("do not match").wait_for()
    check()
    sign_up(page)
    go("/numbers")
    go("/account")
    go("/authenticator")
    confirm(page, "000000")
    page.get_by_text("That is not the code.").wait_for()
    check()
    codes = enrol(page)
    check()
    for path in ("/", "/numbers", "/account", "/account/email", "/account/password"):
        go(path)
    page.get_by_label("Current password").fill("wrong horse battery")
    page.get_by_label("New password").fill("another horse battery")
    page.get_by_role("button", name="Change password").click()
    page.get_by_text("not your current password").wait_for()
    page.get_by_text("Things to try").click()
    check()
    go("/lost-phone")
    go("/account/delete")
    page.get_by_role("button", name="Delete account").click()
    page.get_by_label("Code", exact=True).wait_for()
    check()
    go("/authenticator")
    confirm(page, codes[0])
    page.get_by_role("status").get_by_text("You have 9 left.").wait_for()
    check()
    go("/nowhere")

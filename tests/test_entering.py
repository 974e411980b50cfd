"""How a code is entered in a browser: typed, pasted or filled in, and sent once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from front_end.chromium import chromium
from front_end.chromium import needs_chromium
from front_end.chromium import remembering
from people import Codes
from playwright.sync_api import Browser
from playwright.sync_api import expect
from playwright.sync_api import Locator
from playwright.sync_api import Page
from serving import served
from states import come_to
from states import LOOKS
from states import make_app

pytestmark = needs_chromium

#: Milliseconds in which what is sent by itself would long have been sent.
LONG_ENOUGH = 5_000


@pytest.fixture(name="browser", scope="module")
def _browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@dataclass
class Prompted:
    """Somebody in front of the prompt."""

    page: Page
    codes: Codes

    @property
    def sent(self) -> list[str]:
        """The codes that were asked about so far."""
        return [code for _, code in self.codes.asked]

    @property
    def code(self) -> Locator:
        return self.page.get_by_label("Code", exact=True)

    @property
    def button(self) -> Locator:
        return self.page.locator(".stepup-code-form [type=submit]")

    @property
    def status(self) -> Locator:
        return self.page.locator(".stepup-status")

    def paste(self, text: str) -> None:
        """Have it inserted at once, as from a clipboard or by a phone's keyboard."""
        self.code.focus()
        self.page.keyboard.insert_text(text)

    def wait(self) -> None:
        """Let so much time go by that what is sent by itself would long be sent."""
        self.page.clock.run_for(LONG_ENOUGH)
        self.page.wait_for_timeout(200)

    def is_told(self, words: str) -> None:
        self.page.get_by_text(words).wait_for()


@contextmanager
def asked(
    browser: Browser, path: str = "/vault", *, has_clock: bool = True, **context: Any
) -> Iterator[Prompted]:
    """Open what asks for a code.

    :param has_clock: whether tests move the page's clock; it then does not tell how it
        was come to.
    """
    app, codes = make_app(**LOOKS)
    with (
        served(app) as site,
        browser.new_context(base_url=site, **context) as opened,
    ):
        page = opened.new_page()
        page.set_default_timeout(10_000)
        if has_clock:
            page.clock.install()
        page.goto("/sign-in/alice")
        page.goto(path)
        page.wait_for_load_state()
        yield Prompted(page, codes)


# By itself


@pytest.mark.parametrize(
    "pasted", ["123456", "123 456", " 123-456 ", "١٢٣٤٥٦", "\uff11\uff12\uff13456"]
)
def test_a_whole_code_is_sent_by_itself(browser: Browser, pasted: str) -> None:
    """However it is grouped, in any script, and just once."""
    with asked(browser) as at:
        at.paste(pasted)
        at.is_told("You have 4 tries left.")
        at.wait()

        assert at.sent == ["123456"]


def test_a_typed_code_is_sent_when_nothing_follows(browser: Browser) -> None:
    """A moment after its last digit."""
    with asked(browser) as at:
        at.code.press_sequentially("123456", delay=40)
        at.is_told("You have 4 tries left.")

        assert at.sent == ["123456"]


@pytest.mark.parametrize("typed", ["12345678", "123456ab", "1234567", "123456-78"])
def test_a_backup_code_is_not_sent_half_typed(browser: Browser, typed: str) -> None:
    """Not even where it begins with six digits, after which the person looks again."""
    with asked(browser) as at:
        at.code.focus()
        for place, key in enumerate(typed):
            at.page.keyboard.press(key)
            if place == 5:
                at.page.clock.run_for(1_500)
        at.wait()
        assert at.sent == []

        at.page.keyboard.press("Enter")
        at.is_told("You have 4 tries left.")
        assert at.sent == [typed]


@pytest.mark.parametrize("typed", ["abcd12", "12345", "12 34 5", "12345a", "1234567"])
def test_what_is_no_whole_code_waits_for_confirm(browser: Browser, typed: str) -> None:
    """It may be a backup code, or not all of a code."""
    with asked(browser) as at:
        at.paste(typed)
        at.wait()

        assert at.sent == []
        assert at.code.input_value() == typed


def test_who_says_that_it_is_a_backup_code_types_in_peace(browser: Browser) -> None:
    """With letters on the keyboard of a phone; and may change their mind."""
    with asked(browser) as at:
        expect(at.code).to_have_attribute("inputmode", "numeric")
        at.page.get_by_role("button", name="Use a backup code").click()
        expect(at.code).to_have_attribute("inputmode", "text")
        expect(at.code).to_be_focused()
        expect(at.page.get_by_text("One of your backup codes.")).to_be_visible()
        at.page.keyboard.type("123456")
        at.wait()
        assert at.sent == []

        at.page.get_by_role("button", name="Use your authenticator app").click()
        expect(at.code).to_have_attribute("inputmode", "numeric")
        at.code.fill("")
        at.paste("654321")
        at.is_told("You have 4 tries left.")
        assert at.sent == ["654321"]


def test_a_code_that_is_changed_in_time_is_sent_as_it_is_then(browser: Browser) -> None:
    """A slip in the last digit is mended."""
    with asked(browser) as at:
        at.code.press_sequentially("123457", delay=20)
        at.page.keyboard.press("Backspace")
        at.page.keyboard.type("6")
        at.is_told("You have 4 tries left.")

        assert at.sent == ["123456"]


def test_without_scripts_confirm_is_pressed(browser: Browser) -> None:
    """Any keyboard shows, since a backup code has letters."""
    with asked(browser, java_script_enabled=False) as at:
        expect(at.code).to_have_attribute("inputmode", "text")
        at.paste("123456")
        at.wait()
        assert at.sent == []
        at.page.get_by_role("button", name="Confirm").click()
        at.is_told("You have 4 tries left.")
        assert at.sent == ["123456"]


def test_the_browser_knows_what_is_asked_for(browser: Browser) -> None:
    """A one-time code, neither corrected nor with capitals (WCAG 2.2, 1.3.5)."""
    with asked(browser) as at:
        for name, value in {
            "autocomplete": "one-time-code",
            "autocapitalize": "off",
            "autocorrect": "off",
            "spellcheck": "false",
            "enterkeyhint": "go",
        }.items():
            expect(at.code).to_have_attribute(name, value)


@pytest.mark.parametrize("way", ["Cancel", "elsewhere"])
def test_who_does_something_else_has_not_sent_it(browser: Browser, way: str) -> None:
    """Cancel is cancel, even where the page that it leads to is slow."""
    with asked(browser) as at:
        at.page.route("**/", lambda route: route.fulfill(status=204))
        at.code.press_sequentially("123456")
        if way == "Cancel":
            at.page.get_by_role("link", name="Cancel").click()
        else:
            at.page.keyboard.press("Tab")
        at.wait()

        assert at.sent == []
        assert at.code.input_value() == "123456"


def test_after_a_mistake_nothing_is_sent_by_itself(browser: Browser) -> None:
    """What fills codes in on every page would lock people out without one press."""
    with asked(browser) as at:
        at.paste("123456")
        at.is_told("You have 4 tries left.")
        expect(at.page.get_by_text("sent as soon as")).to_have_count(0)
        at.paste("654321")
        at.wait()
        assert at.sent == ["123456"]

        at.page.keyboard.press("Enter")
        at.is_told("You have 3 tries left.")


def test_the_other_keyboard_is_one_press_away(browser: Browser) -> None:
    """After a code was sent by itself, too."""
    with asked(browser) as at:
        at.page.route("**/stepup/", lambda route: route.fulfill(status=204))
        at.paste("123456")
        at.wait()
        at.page.get_by_role("button", name="Use a backup code").click()
        expect(at.code).to_have_attribute("inputmode", "text")


# In flight


def test_the_button_is_locked_while_a_code_is_checked(browser: Browser) -> None:
    """It says so, keeps the focus, and takes no second press; for a minute."""
    with asked(browser) as at:
        requests: list[str] = []
        at.page.on("request", lambda request: requests.append(request.method))
        # What leaves a browser where it is, as when the answer takes its time.
        at.page.route("**/stepup/", lambda route: route.fulfill(status=204))
        at.code.fill("right")
        at.button.focus()
        for key in ("Enter", "Enter", "Space"):
            at.page.keyboard.press(key)
            expect(at.button).to_have_text("Checking…")
            expect(at.button).to_have_attribute("aria-disabled", "true")
            expect(at.button).to_be_focused()
        assert requests == ["POST"]

        at.page.clock.run_for(60_001)
        expect(at.button).to_have_text("Confirm")
        expect(at.button).not_to_have_attribute("aria-disabled", "true")
        with at.page.expect_request("**/stepup/"):
            at.page.keyboard.press("Enter")


# Nowhere else


def test_a_code_is_in_no_address_and_in_no_storage(browser: Browser) -> None:
    """Right or wrong, it leaves nothing behind in the browser."""
    with asked(browser) as at:
        addresses: list[str] = []
        at.page.on("request", lambda request: addresses.append(request.url))
        for code in ("wrong zebra", "right zebra"):
            at.code.fill(code)
            at.page.get_by_role("button", name="Confirm").click()
            at.page.wait_for_load_state()
        at.page.get_by_role("heading", name="Done").wait_for()

        assert len(addresses) > 3
        assert not [url for url in addresses if "zebra" in unquote(url)]
        kept = at.page.evaluate(
            "JSON.stringify([{...sessionStorage}, {...localStorage}])"
        )
        assert "zebra" not in kept
        assert at.page.evaluate("history.state") is None


# Back


@pytest.fixture(name="remembering", scope="module")
def _remembering(browser: Browser) -> Iterator[Browser]:
    with remembering(browser) as other:
        yield other


def test_going_back_after_a_right_code_shows_no_prompt(remembering: Browser) -> None:
    """Its address leads on to what was asked for."""
    with asked(remembering) as at:
        at.code.fill("right")
        at.button.click()
        at.page.get_by_role("heading", name="Done").wait_for()
        at.page.goto("/done?again")
        at.page.go_back(wait_until="commit")
        at.page.go_back(wait_until="commit")

        expect(at.page.get_by_role("heading", name="Done")).to_be_visible()
        expect(at.code).to_have_count(0)


def test_going_back_after_a_wrong_code_asks_for_another(remembering: Browser) -> None:
    """The input is empty, and the button can be pressed."""
    with asked(remembering) as at:
        at.code.fill("wrong")
        at.button.click()
        at.is_told("You have 4 tries left.")
        at.page.go_back(wait_until="commit")

        expect(at.code).to_have_value("")
        expect(at.button).not_to_have_attribute("aria-disabled", "true")
        at.code.fill("right")
        at.button.click()
        at.page.get_by_role("heading", name="Done").wait_for()


def test_going_back_after_signing_out_shows_no_guarded_page(
    remembering: Browser,
) -> None:
    """Not from any memory of the browser's."""
    with asked(remembering, "/account-number") as at:
        at.code.fill("right")
        at.button.click()
        at.is_told("GB33 BUKB 2020 1555 5555 55")
        at.page.goto("/sign-out")
        at.page.go_back(wait_until="commit")

        expect(at.page.get_by_text("GB33")).to_have_count(0)
        expect(at.page.get_by_role("heading", name="Please sign in")).to_be_visible()


# A lock-out


def test_a_lock_out_counts_down(browser: Browser) -> None:
    """To the second, in the person's own time; then the way on is the main one."""
    with come_to("locked", browser, locale="en-GB", timezone_id="Asia/Kolkata") as page:
        clock = page.get_by_role("timer")
        wait = int(
            page.locator("[data-stepup-wait]").get_attribute("data-stepup-wait") or 0
        )
        first = clock.inner_text()
        minutes, seconds = map(int, first.split(":"))
        assert wait - 5 <= minutes * 60 + seconds <= wait
        expect(clock).not_to_have_text(first)
        at = page.locator("[data-stepup-at]")
        told, until = at.inner_text(), at.get_attribute("data-stepup-at") or ""
        local = datetime.fromisoformat(until) + timedelta(hours=5, minutes=30)
        assert told.endswith(f"until {local:%H:%M:%S}.")


def test_when_a_lock_out_is_over_it_says_so(browser: Browser) -> None:
    """It is announced, and what leads on is the main button of the page."""
    with come_to("locked", browser) as page:
        page.clock.install()
        page.reload()
        expect(page.get_by_role("timer")).to_be_visible()
        expect(page.locator(".stepup-quiet")).to_have_count(1)
        page.clock.fast_forward(301_000)
        expect(page.get_by_role("status")).to_have_text("You can try again now.")
        expect(page.get_by_role("timer")).to_be_hidden()
        expect(page.locator(".stepup-quiet")).to_have_count(0)

"""A phone in a tunnel: what a person is told, and that one press is one attempt."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from front_end.chromium import chromium
from front_end.chromium import needs_chromium
from front_end.chromium import remembering
from playwright.sync_api import Browser
from playwright.sync_api import expect
from playwright.sync_api import Route
from test_entering import asked
from test_entering import Prompted

pytestmark = needs_chromium

OFFLINE = "You are offline, and nothing has been sent."
UNANSWERED = "Your code was sent, but we do not know what became of it."


@pytest.fixture(name="browser", scope="module")
def _browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def lose(at: Prompted, *, after_arrival: bool) -> None:
    """Have the next post lost on its way there, or its answer on the way back."""

    def cut(route: Route) -> None:
        if after_arrival:
            route.fetch(max_redirects=0)
        route.abort("connectionreset")

    cookies = at.page.context.cookies()
    at.page.route("**/stepup/", cut, times=1)
    at.button.click()
    at.page.wait_for_url("chrome-error://**")
    # With the answer its cookies are lost.
    at.page.context.clear_cookies()
    at.page.context.add_cookies(cookies)  # type: ignore[arg-type]


def test_who_is_offline_is_told_and_nothing_is_sent(browser: Browser) -> None:
    """What was typed stays, and goes out when the network is back."""
    with asked(browser) as at:
        at.page.context.set_offline(True)
        at.code.fill("right")
        at.button.click()
        expect(at.status).to_have_text(OFFLINE)
        expect(at.code).to_have_value("right")
        expect(at.button).not_to_have_attribute("aria-disabled", "true")
        assert at.sent == []

        at.page.context.set_offline(False)
        expect(at.status).to_have_text("")
        at.button.click()
        at.page.get_by_role("heading", name="Done").wait_for()
        assert at.sent == ["right"]


def test_who_insists_knows_better_than_the_browser(browser: Browser) -> None:
    """Some are told to be offline where the server is on the same machine."""
    with asked(browser) as at:
        at.page.evaluate(
            "Object.defineProperty(navigator, 'onLine', { get: () => false })"
        )
        at.code.fill("right")
        at.button.click()
        expect(at.status).to_have_text(OFFLINE)
        at.button.click()
        at.page.get_by_role("heading", name="Done").wait_for()
        assert at.sent == ["right"]


def test_a_form_does_not_go_on_by_itself_into_nowhere(browser: Browser) -> None:
    """Who loses the network right after the code still has it all, and presses."""
    with asked(browser, "/once") as at:
        at.page.get_by_role("button", name="Send").click()
        at.code.fill("right")
        # The answer comes, and with it the network goes.
        at.page.add_init_script(
            "Object.defineProperty(navigator, 'onLine', { get: () => false })"
        )
        at.button.click()
        at.page.get_by_role("heading", name="Confirmed").wait_for()
        expect(at.page.get_by_role("button", name="Continue")).to_be_enabled()
        at.page.get_by_role("button", name="Continue").click()
        at.page.get_by_role("heading", name="Done").wait_for()


def test_what_was_lost_on_its_way_has_used_nothing(browser: Browser) -> None:
    """The browser sends it again, by a reload of the page that tells of it."""
    with asked(browser) as at:
        at.code.fill("wrong")
        lose(at, after_arrival=False)
        assert at.sent == []
        at.page.reload()
        at.is_told("You have 4 tries left.")
        assert at.sent == ["wrong"]


def test_what_is_sent_again_after_a_lost_answer_is_one_attempt(
    browser: Browser,
) -> None:
    """Nobody is asked twice, the page says what happened, and the next code counts."""
    with asked(browser) as at:
        at.code.fill("wrong")
        lose(at, after_arrival=True)
        assert at.sent == ["wrong"]
        at.page.reload()
        at.is_told("That code has been used")
        assert at.sent == ["wrong"]
        at.code.fill("wrong again")
        at.button.click()
        at.is_told("You have 3 tries left.")


def test_a_right_code_whose_answer_was_lost_is_told_as_used(browser: Browser) -> None:
    """Its cookie was lost too: the next code is asked for, and opens."""
    with asked(browser) as at:
        at.code.fill("right 1")
        lose(at, after_arrival=True)
        at.page.reload()
        at.is_told("That code has been used")
        at.code.fill("right 2")
        at.button.click()
        at.page.get_by_role("heading", name="Done").wait_for()


@pytest.mark.parametrize("way", ["reload", "restored"])
def test_who_comes_back_without_an_answer_is_told_so(
    browser: Browser, way: str
) -> None:
    """The code may be used up; once, and not on a prompt that is asked for later."""
    with remembering(browser) as other, asked(other, has_clock=False) as at:
        at.code.fill("wrong")
        lose(at, after_arrival=True)
        at.page.go_back(wait_until="commit")
        expect(at.status).to_contain_text(UNANSWERED)
        expect(at.code).to_have_value("")
        if way == "reload":
            at.page.reload()
            expect(at.status).to_have_text("")
        at.code.fill("right")
        at.button.click()
        at.page.get_by_role("heading", name="Done").wait_for()
        assert at.sent == ["wrong", "right"]


def test_who_has_seen_the_answer_is_told_nothing_of_it(browser: Browser) -> None:
    """Neither on a reload of the prompt nor when it is asked for anew."""
    with asked(browser, has_clock=False) as at:
        at.code.fill("wrong")
        at.button.click()
        at.is_told("You have 4 tries left.")
        at.page.goto("/vault")
        expect(at.status).to_have_text("")
        at.page.reload()
        expect(at.status).to_have_text("")


def test_another_prompt_tells_nothing_of_it(browser: Browser) -> None:
    """A page that opened, is reloaded, and asks again has nothing to do with it."""
    with asked(browser, "/account-number", has_clock=False) as at:
        at.code.fill("right")
        at.button.click()
        at.is_told("GB33")
        at.page.context.clear_cookies()
        at.page.goto("/sign-in/alice")
        at.page.goto("/account-number")
        at.page.reload()
        expect(at.code).to_be_visible()
        expect(at.status).to_have_text("")


def test_without_scripts_the_browsers_own_page_tells(browser: Browser) -> None:
    """And what it sends again is tried as any other."""
    with asked(browser, java_script_enabled=False) as at:
        at.code.fill("wrong")
        lose(at, after_arrival=False)
        at.page.reload()
        at.is_told("You have 4 tries left.")
        assert at.sent == ["wrong"]

"""The prompt on real screens: every state, light and dark, wide and narrow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from front_end.chromium import chromium
from front_end.chromium import needs_chromium
from playwright.sync_api import Browser
from playwright.sync_api import expect
from playwright.sync_api import Page
from states import come_to
from states import make_app
from states import STATES

pytestmark = needs_chromium

#: The narrowest that WCAG 2.2 asks for (1.4.10; 640 at 200 % is no wider), a phone, and
#: a desk.
WIDTHS = (320, 390, 1280)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
#: Those that no code can be entered in.
CLOSED = {
    *("locked", "locked-with-a-form", "locked-for-days", "not-enrolled"),
    *("secrets-again", "not-for-you", "signed-out"),
}
#: WCAG 2.0 to 2.2, A and AA, and what axe knows to be good besides.
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
}


@pytest.fixture(name="browser", scope="module")
def _browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def check(page: Page) -> None:
    """axe finds nothing, and all fits."""
    found = Axe().run(page, options=RULES)
    assert found.violations_count == 0, found.generate_report()
    check_fits(page)


def check_fits(page: Page) -> None:
    """Nothing is wider than the screen, or than what it is in."""
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert (
        page.evaluate(
            """[...document.querySelectorAll(".stepup *")].filter(
            (e) => e.scrollWidth > e.clientWidth + 1 && e.clientWidth
                && getComputedStyle(e).display !== "inline" && e.tagName !== "INPUT"
        ).map((e) => e.outerHTML)"""
        )
        == []
    )


@pytest.mark.parametrize("name", STATES)
def test_every_state_is_accessible_on_every_screen(browser: Browser, name: str) -> None:
    """WCAG 2.2 AA as far as axe can tell, and the person is led to what is next."""
    with come_to(name, browser) as page:
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                check(page)
        focused = page.evaluate(
            "document.activeElement.name || document.activeElement.id"
        )
        assert page.locator("h1").count() == page.locator("main").count() == 1
        assert (page.locator("[name=code]").count() == 0) is (name in CLOSED)
        if name not in CLOSED:
            assert focused == "code"


@pytest.mark.parametrize("language", ["ar", "de", "es"])
@pytest.mark.parametrize(
    "name", ["approving", "wrong-code", "locked", "files-not-kept"]
)
def test_other_languages_fit_too(browser: Browser, name: str, language: str) -> None:
    """On the narrowest screen, from the right or the left."""
    with come_to(name, browser, locale=language) as page:
        page.set_viewport_size({"width": 320, "height": 800})
        check(page)
        card = page.locator(".stepup-card").bounding_box()
        heading = page.locator(".stepup-brand svg").bounding_box()
        assert card
        assert heading
        is_right = heading["x"] > card["x"] + card["width"] / 2
        assert is_right is (language == "ar")


def test_a_mistake_is_told_where_it_was_made(browser: Browser) -> None:
    """The input says that it is wrong, and what describes it says why."""
    with come_to("wrong-code", browser) as page:
        code = page.get_by_label("Code", exact=True)
        expect(code).to_be_focused()
        expect(code).to_have_attribute("aria-invalid", "true")
        expect(code).to_have_accessible_description(
            "That code is not right Check your authenticator app and enter the code "
            "that it shows now. You have 4 tries left. The 6 digits in your "
            "authenticator app."
        )
        expect(page.get_by_role("alert").first).to_contain_text("not right")
        assert page.title() == "Error: Confirm it’s you \u2013 Harbour Bank"


@pytest.mark.parametrize("name", ["locked", "not-enrolled"])
def test_where_no_code_is_taken_the_problem_is_read_out(
    browser: Browser, name: str
) -> None:
    """It has the focus, and the next stop is the way on."""
    with come_to(name, browser) as page:
        expect(page.get_by_role("alert")).to_be_focused()
        page.keyboard.press("Tab")
        way_on = {"locked": "Try again", "not-enrolled": "Set up an authenticator app"}
        expect(page.get_by_role("link", name=way_on[name])).to_be_focused()


def test_all_is_done_by_keyboard(browser: Browser) -> None:
    """In the order of the page: code, other kind of code, Confirm, Cancel, help."""
    with come_to("approving", browser) as page:
        expect(page.get_by_label("Code", exact=True)).to_be_focused()
        stops = []
        for _ in range(5):
            stops.append(
                page.evaluate(
                    "document.activeElement.name || document.activeElement.innerText"
                )
            )
            outline = page.evaluate(
                "getComputedStyle(document.activeElement).outlineStyle"
            )
            assert outline == "solid"
            page.keyboard.press("Tab")
        assert stops == ["code", "Use a backup code", "Confirm", "Cancel", "Get help"]
        page.get_by_label("Code", exact=True).focus()
        page.keyboard.type("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_text("You have 4 tries left.")).to_be_visible()


def test_forced_colours_keep_all_in_sight(browser: Browser) -> None:
    """Borders and drawings are there, in the colours of the person."""
    with come_to("wrong-code", browser, forced_colors="active") as page:
        check(page)
        for selector, style in {
            ".stepup-card": "borderTopStyle",
            "[type=submit]": "borderTopStyle",
            "[name=code]": "borderTopStyle",
            ".stepup-problem": "borderInlineStartStyle",
        }.items():
            shown = page.locator(selector).evaluate(
                f"(element) => getComputedStyle(element).{style}"
            )
            assert shown == "solid", selector


def test_nothing_moves(browser: Browser) -> None:
    """Neither for those who want no motion nor for others."""
    with come_to("approving", browser) as page:
        moving = page.evaluate(
            """[...document.querySelectorAll("*")].filter((element) => {
                const { animationName, transitionDuration } = getComputedStyle(element);
                return animationName !== "none" || transitionDuration !== "0s";
            }).length"""
        )
        assert moving == 0


@pytest.mark.parametrize("language", ["en", "de", "ar"])
@pytest.mark.parametrize("name", ["asked", "wrong-code", "locked-with-a-form"])
def test_it_is_small_and_asks_nobody_else(
    browser: Browser, name: str, language: str
) -> None:
    """Under 15 KB in all, uncompressed, and not one request to another host."""
    with come_to(name, browser, locale=language) as page:
        page.wait_for_load_state("networkidle")
        loaded = page.evaluate(
            """performance.getEntriesByType("resource").map(({ name }) => name)"""
        )
        site = page.evaluate("location.origin")
        ours = [url for url in loaded if not url.endswith("/favicon.ico")]
        assert {url.removeprefix(site) for url in ours} == {
            "/stepup/static/stepup.css",
            "/stepup/static/stepup.js",
        }
        assert all(url.startswith(site) for url in loaded)
        sizes = [len(page.request.get(url).body()) for url in ours]
        sizes.append(
            page.evaluate(
                "performance.getEntriesByType('navigation')[0].decodedBodySize"
            )
        )
        assert all(sizes)
        assert sum(sizes) < 15_000, sizes


def test_nothing_is_inline(browser: Browser) -> None:
    """No script, style or handler: the strictest policy can be put on the page."""
    with come_to("wrong-code", browser) as page:
        assert (
            page.evaluate(
                """[...document.querySelectorAll("*")].filter((element) =>
                element.hasAttribute("style") || element.tagName === "STYLE" ||
                (element.tagName === "SCRIPT" && element.textContent) ||
                element.getAttributeNames().some((name) => name.startsWith("on"))
            ).length"""
            )
            == 0
        )


@pytest.mark.parametrize("name", STATES)
def test_every_state_can_be_left_without_scripts(browser: Browser, name: str) -> None:
    """There is a code to enter, or somewhere to go; nothing that only scripts show."""
    with come_to(name, browser, java_script_enabled=False) as page:
        ways = page.locator(".stepup a:visible, .stepup [type=submit]:visible")
        assert ways.count() >= (2 if name not in {"not-for-you", "signed-out"} else 1)
        expect(page.locator(".stepup-switch")).to_have_count(int(name not in CLOSED))
        expect(
            page.locator(".stepup-switch, .stepup-wait").locator("visible=true")
        ).to_have_count(0)


def test_the_states_are_those_of_an_app_without_looks_too(browser: Browser) -> None:
    """What is not set leaves nothing behind."""
    bare = {"STEPUP_APP_NAME": None, "STEPUP_SUPPORT_URL": None}
    with come_to("approving", browser, bare) as page:
        check(page)
        assert page.title() == "Confirm it’s you"
        assert page.locator(".stepup-brand").inner_text() == ""
        expect(page.get_by_text("Get help")).to_have_count(0)


@pytest.mark.parametrize("name", ["wrong-code", "secrets-again", "locked"])
def test_a_page_of_the_apps_own_makes_nothing_unreadable(
    browser: Browser, name: str
) -> None:
    """Whatever its style sheet has for paragraphs, labels and forms."""
    with come_to(name, browser, {"STEPUP_BASE_TEMPLATE": "plain.html"}) as page:
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": 320, "height": 800})
            check(page)
        for form in page.locator(".stepup form").all():
            assert form.evaluate("(e) => getComputedStyle(e).display") == "block"


def test_each_state_is_told_apart() -> None:
    """Each function says in a sentence when it is come to."""
    assert all(reach.__doc__ for reach in STATES.values())
    assert make_app()[0].name == "harbour"

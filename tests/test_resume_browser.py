"""Nothing that was typed is lost: forms through the prompt, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from threading import Event
from typing import Any

import pytest
from flask import Flask
from flask import request
from front_end.chromium import chromium
from front_end.chromium import needs_chromium
from markupsafe import escape
from playwright.sync_api import Browser
from playwright.sync_api import Error as BrowserError
from playwright.sync_api import FilePayload
from playwright.sync_api import Page
from resuming import Bank
from resuming import CSRF
from resuming import LONGEST_WAIT
from resuming import open_bank
from resuming import visiting
from resuming import Visitor
from serving import served
from werkzeug.datastructures import MultiDict

pytestmark = needs_chromium
CONFIRM = "Confirm it\u2019s you"
WITH_OR_WITHOUT_SCRIPTS = pytest.mark.parametrize(
    "scripts", [True, False], ids=["scripts", "no-scripts"]
)


@pytest.fixture(name="browser", scope="module")
def _browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(name="bank")
def _bank() -> Bank:
    bank = open_bank()
    bank.forms["once"] = (
        f'<form method="post" action="/once">{CSRF}'
        '<input name="to"><input name="amount"><textarea name="note"></textarea>'
        "<button>Send</button></form>"
    )
    return bank


@pytest.fixture(name="scripts", params=[True, False], ids=["scripts", "no-scripts"])
def _scripts(request: pytest.FixtureRequest) -> bool:
    """Whether scripts run in the browser."""
    runs: bool = request.param
    return runs


@pytest.fixture(name="visitor")
def _visitor(browser: Browser, bank: Bank, scripts: bool) -> Iterator[Visitor]:
    with visiting(browser, bank, scripts) as visitor:
        yield visitor


# What is typed, and how it comes


#: Names and values, in the order of the page: repeats lie apart.
TYPED = [
    ("a", "1"),
    ("b", "2"),
    ("a", "3"),
    ("empty", ""),
    ("a", ""),
    ("code", "123456"),
    ("challenge", "eyJ.x.y"),
    ("submit", "Send"),
    ("action", "/elsewhere"),
    ("method", "get"),
    ("enctype", "text/plain"),
    ("target", "_blank"),
    ("name", "name"),
    ("elements", "0"),
    ("length", "0"),
    ("dataset", "stepupOnward"),
    ("querySelector", "[type=submit]"),
    ("closest", ".stepup"),
    ("0", "zero"),
    ("id", "stepup-code"),
    ("__proto__", "constructor"),
    ("csrf", "mine"),
    ("_csrf_token", "mine too"),
    ("isindex", "?"),
    ("marks", "\"><script>document.title = 'x'</script><!-- ' ` \\ {{ 7 * 7 }} %s"),
    ("entities", "&amp; &lt;b&gt; &#10; &copy= &notit; %20%0A+ a+b=c;d&e"),
    ("spaces", "  led and followed by spaces, \t tabs too\t "),
    ("hebrew", "\u05e9\u05dc\u05d5\u05dd \u202e1,000\u202c \u200f\u2067x\u2069"),
    ("emoji", "\U0001f469\u200d\U0001f680 \U0001f1fa\U0001f1e6 \u2764\ufe0f"),
    ("combining", "e\u0301 \u00e9 a\u0323\u0307 \u1100\u1161\u11a8 \uac01 \u212b"),
    ("unseen", "\ufeff\u200b\xad\u2060\u2028\u2029\ufeff"),
    ("controls", "\x01\x08\x0b\x1b\x7f\x80\x85\x90\x9f\ufffe\uffff\U0010ffff"),
    ("na\u00efve \u5c71 <name>[] & co.", "\u5c71"),
    ("lines", "one\n\n three\n"),
    ("leading", "\n\nthe third line"),
    ("only", "\n"),
    ("long", "\U0001f600 forty kilobytes, \u00e9\n" * 1_400),
]
QUERY = "?x=a%20b&x=%C3%A9&y=1+2;z&empty=&flag&r=%2F%5B%25%22%ff&c=(a)*~'!$,:@/?"


def controls(typed: list[tuple[str, str]]) -> str:
    """Inputs for this, all of them still empty."""
    return "".join(
        f'<textarea name="{escape(name)}"></textarea>'
        if "\n" in value
        else f'<input name="{escape(name)}">'
        for name, value in typed
    )


def form_of(typed: list[tuple[str, str]], attributes: str, more: str = "") -> str:
    """A form with inputs for this."""
    inputs = controls(typed)
    return f'<form method="post" {attributes}>{CSRF}{inputs}{more}</form>'


def fill(page: Page, typed: list[tuple[str, str]]) -> None:
    """Enter this, control by control; all at once, since each would take a moment."""
    inputs = page.locator("form :is(input:not([type]), textarea)")
    assert inputs.count() == len(typed)
    inputs.evaluate_all(
        "(inputs, values) => inputs.forEach((input, i) => { input.value = values[i] })",
        [value for _, value in typed],
    )


def seen_of(typed: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """What a view sees of it (WHATWG HTML, constructing the entry list), by name."""
    sent = [(name, value.replace("\n", "\r\n")) for name, value in typed]
    return [*MultiDict([("csrf_token", "T"), *sent]).items(multi=True)]


def send(visitor: Visitor, page: str, typed: Any = None, press: str = "button") -> None:
    """Open the page, enter this and press what submits it."""
    visitor.page.goto(page)
    if typed:
        fill(visitor.page, typed)
    visitor.page.locator(f"form {press}").click()


def send_and_be_asked(visitor: Visitor, page: str, typed: Any) -> None:
    """Send it, and wait for the prompt."""
    send(visitor, page, typed)
    visitor.sees(CONFIRM)


def send_and_go_on(visitor: Visitor, page: str, *args: Any) -> None:
    """Send it, be prompted, and go on."""
    send(visitor, page, *args)
    visitor.confirm()
    visitor.go_on()


def send_thrice(visitor: Visitor, page: str, *args: Any) -> None:
    """Do so, and then enter the same once more, uninterrupted."""
    send_and_go_on(visitor, page, *args)
    send(visitor, page, *args)
    visitor.sees("Done")


def assert_nothing_is_lost(bank: Bank) -> None:
    """What was resumed came as it was sent at first, and whatever was sent later."""
    interrupted, resumed, *uninterrupted = bank.transfers
    for post in (interrupted, *uninterrupted):
        assert resumed.comparable() == post.comparable()
    assert_views_see_the_same(bank)


def assert_views_see_the_same(bank: Bank) -> None:
    """The first run was resumed, and the view could not tell."""
    resumed, *uninterrupted = bank.runs
    assert uninterrupted in ([], [resumed])


BUTTON = '<button name="go" value="Send">Send</button>'
FILES = '<input type="file" name="photo"><input type="file" name="cv" multiple>'


@pytest.mark.parametrize(
    ("enctype", "more"),
    [("application/x-www-form-urlencoded", ""), ("multipart/form-data", FILES)],
)
def test_whatever_is_typed_arrives_byte_for_byte(
    bank: Bank, visitor: Visitor, enctype: str, more: str
) -> None:
    """Promise 8: as the same form arrives that nobody has interrupted, through CSRF."""
    action = escape(f"/transfer/7{QUERY}")
    attributes = f'action="{action}" enctype="{enctype}" accept-charset="utf-8"'
    bank.forms["form"] = form_of(TYPED, attributes, BUTTON + more)

    send_thrice(visitor, "/page/form", TYPED)

    assert_nothing_is_lost(bank)
    assert len(bank.runs) == 2
    seen = bank.runs[0]
    assert seen["fields"] == seen_of([*TYPED, ("go", "Send")])
    assert seen["files"] == ([("photo", "", b""), ("cv", "", b"")] if more else [])
    if not more:
        interrupted, resumed, _ = bank.transfers
        assert resumed.body == interrupted.body


CHOICES = """
<input type="checkbox" name="agree" checked>
<input type="checkbox" name="day" value="mon" checked>
<input type="checkbox" name="day" value="tue">
<input type="checkbox" name="day" value="wed" checked>
<input type="radio" name="size" value="s"><input type="radio" name="size" value="l" checked>
<select name="to" multiple>
  <option selected>Zo&euml;<option>Bob<option value="" selected>nobody<option selected>a b
</select>
<select name="account"><option value="7" selected>Current<option value="8">Savings</select>
<select name="none" multiple><option>x</select>
<input type="hidden" name="hidden" value="&#10;kept&#10;">
<input type="hidden" name="" value="nameless"><input type="hidden" value="nameless">
<input type="text" name="disabled" value="not sent" disabled>
<fieldset disabled><input type="text" name="within" value="not sent"></fieldset>
<input type="number" name="amount" value="1e3"><input type="date" name="on">
<input type="color" name="colour" value="#ff0000"><input type="range" name="far" value="30">
<input type="search" name="note" dirname="note.dir" value="x">
<button type="button" name="nothing" value="1">Nothing</button>
<button type="reset" name="reset" value="1">Reset</button>
<button name="go" value="first">First</button>
<button name="go" value="second &amp; last" id="second">Second</button>
<input type="submit" name="go" value="Third" id="third">
<button formaction="/transfer/8?by=button" id="elsewhere">Elsewhere</button>
<button formaction="/transfer/9" formenctype="multipart/form-data" name="go" value="m"
        id="otherwise">Otherwise</button>
<input type="image" name="map" alt="Map" src="/favicon.ico" width="40" height="30" id="map">
<input type="image" alt="Map" src="/favicon.ico" width="40" height="30" id="nameless">
"""  # noqa: E501
CHOSEN = [
    ("agree", "on"),
    ("day", "mon"),
    ("day", "wed"),
    ("size", "l"),
    ("to", "Zo\u00eb"),
    ("to", ""),
    ("to", "a b"),
    ("account", "7"),
    ("hidden", "\nkept\n"),
    ("amount", "1e3"),
    ("on", ""),
    ("colour", "#ff0000"),
    ("far", "30"),
    ("note", "x"),
    ("note.dir", "ltr"),
]


@pytest.mark.parametrize(
    ("press", "arrives", "target", "scripts"),
    [
        ("#second", [("go", "second & last")], "/page/form?tab=%C3%A9", True),
        ("#third", [("go", "Third")], "/page/form?tab=%C3%A9", False),
        ("#elsewhere", [], "/transfer/8?by=button", True),
        ("#otherwise", [("go", "m")], "/transfer/9", False),
        ("#map", [("map.x", "20"), ("map.y", "15")], "/page/form?tab=%C3%A9", True),
        ("#nameless", [("x", "20"), ("y", "15")], "/page/form?tab=%C3%A9", False),
    ],
)
def test_controls_and_buttons_of_every_kind_arrive(
    browser: Browser,
    bank: Bank,
    press: str,
    arrives: list[tuple[str, str]],
    target: str,
    scripts: bool,
) -> None:
    """Promise 8: the button that was pressed too, in its place; without action too."""
    bank.forms["form"] = f'<form method="post">{CSRF}{CHOICES}</form>'

    with visiting(browser, bank, scripts) as visitor:
        send_and_go_on(visitor, "/page/form?tab=\u00e9", None, press)

    assert_nothing_is_lost(bank)
    assert bank.transfers[1].target == target
    assert bank.runs[0]["fields"] == seen_of([*CHOSEN, *arrives])


@pytest.mark.parametrize(
    "target",
    [
        "/transfer/7?page[size]=1|2&x={^}`\\",
        "/page/form?",
    ],
)
def test_the_query_comes_back_as_it_was_sent(
    browser: Browser, bank: Bank, target: str
) -> None:
    """Browsers leave brackets and their like as they are, and so do we."""
    bank.forms["form"] = form_of([], f'action="{target}"', BUTTON)

    with visiting(browser, bank, scripts=False) as visitor:
        send_and_go_on(visitor, "/page/form")

    interrupted, resumed = bank.transfers
    assert resumed.target == interrupted.target.rstrip("?")


def test_a_form_in_another_charset_is_the_same_for_the_view(
    browser: Browser, bank: Bank
) -> None:
    """What is no UTF-8 is shown to views by a stand-in, before and afterwards."""
    typed = [("to", "Zo\u00eb \u5c71"), ("to", "plain")]
    attributes = 'action="/transfer/Zo%C3%AB%5B" accept-charset="iso-8859-1"'
    bank.forms["form"] = form_of(typed, attributes, BUTTON)

    with visiting(browser, bank, scripts=True) as visitor:
        send_thrice(visitor, "/page/form", typed)

    assert b"to=Zo%EB+%26%2323665%3B&to=plain&go=Send" in bank.transfers[0].body
    assert_views_see_the_same(bank)
    assert bank.runs[1]["fields"][1] == ("to", "Zo%EB &#23665;")


# Where it comes from, and where it goes


@WITH_OR_WITHOUT_SCRIPTS
def test_https_makes_no_difference(browser: Browser, bank: Bank, scripts: bool) -> None:
    """Flask-WTF demands a Referer there: prompt and resumed form bring theirs."""
    bank.forms["form"] = form_of(TYPED, f'action="/transfer/7{escape(QUERY)}"', BUTTON)

    with visiting(browser, bank, scripts, partial(served, over_tls=True)) as visitor:
        send_and_go_on(visitor, "/page/form", TYPED)

    assert_nothing_is_lost(bank)
    for post in bank.wire.posts:
        assert post.headers["REFERER"].startswith("https://127.0.0.1:")


def test_what_is_resumed_comes_from_this_site(bank: Bank, visitor: Visitor) -> None:
    """It says so as any post from a page of the app does, and names that page."""
    send_and_go_on(visitor, "/page/once", TRANSFER)

    for post in bank.wire.posts:
        site = f"http://{post.headers['HOST']}"
        assert post.headers["SEC_FETCH_SITE"] == "same-origin"
        assert post.headers["SEC_FETCH_MODE"] == "navigate"
        assert post.headers["ORIGIN"] == site
        assert post.headers["REFERER"].startswith(f"{site}/")
    assert bank.transfers[1].headers["REFERER"].endswith("/stepup/")


def test_the_app_may_send_people_to_another_origin(
    bank: Bank, visitor: Visitor
) -> None:
    """After the view has run: no form-action of ours stands in the way."""
    elsewhere = Flask("elsewhere")
    elsewhere.add_url_rule("/thanks", view_func=lambda: "<h1>Done</h1>")
    elsewhere.add_url_rule("/favicon.ico", "icon", lambda: ("", 204))

    with served(elsewhere) as site:
        bank.after = f"{site}/thanks"
        send_and_go_on(visitor, "/page/once", TRANSFER)

        assert visitor.page.url == bank.after
    assert len(bank.runs) == 1


STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "form-action 'self'; img-src 'self'"
)


@WITH_OR_WITHOUT_SCRIPTS
def test_a_strict_policy_of_the_app_is_met(browser: Browser, scripts: bool) -> None:
    """The browser has nothing to complain of, from the form to the end."""
    bank = open_bank(CONTENT_SECURITY_POLICY=STRICT)
    bank.forms["form"] = form_of(TYPED, 'action="/transfer/7"', BUTTON)

    with visiting(browser, bank, scripts) as visitor:
        send_and_go_on(visitor, "/page/form", TYPED)

    assert_nothing_is_lost(bank)


def test_a_policy_that_forbids_scripts_leaves_the_button(browser: Browser) -> None:
    """The page is the one for browsers in which scripts do not run."""
    bank = open_bank(CONTENT_SECURITY_POLICY="script-src 'none'")
    bank.forms["form"] = form_of(TYPED, 'action="/transfer/7"', BUTTON)

    with visiting(browser, bank, True, complains="script-src") as visitor:
        visitor.scripts = False
        send_and_go_on(visitor, "/page/form", TYPED)

    assert_nothing_is_lost(bank)


# Twice


def transfers(bank: Bank) -> list[tuple[str, str, str]]:
    """What was transferred: to whom, how much, and the note."""
    runs = [dict(run["fields"]) for run in bank.runs]
    return [(run["to"], run["amount"], run["note"]) for run in runs]


TRANSFER = [("to", "Bob"), ("amount", "10"), ("note", "for\nlunch")]
TRANSFERRED = ("Bob", "10", "for\r\nlunch")


def place_of(page: Page, button: str) -> tuple[float, float]:
    """Where it is, for the mouse, which waits for nothing.

    Before the style sheet has come it is elsewhere.
    """
    found = page.get_by_role("button", name=button, exact=True)
    found.wait_for()
    page.wait_for_load_state()
    box = found.bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def press_twice(bank: Bank, page: Page, button: str) -> None:
    """Press it, and again while the first press has led to no answer yet."""
    place, sent = place_of(page, button), len(bank.wire.posts)
    page.mouse.click(*place)
    bank.wire.wait_until(lambda: len(bank.wire.posts) > sent)
    page.mouse.click(*place)


def test_a_double_click_on_confirm_is_one_with_scripts(
    browser: Browser, bank: Bank
) -> None:
    """One code is sent, and one transfer."""
    clicked = Event()
    bank.codes.meanwhile = lambda: clicked.wait(LONGEST_WAIT)
    with visiting(browser, bank, scripts=True) as visitor:
        send_and_be_asked(visitor, "/page/once", TRANSFER)
        visitor.type_code()
        press_twice(bank, visitor.page, "Confirm")
        clicked.set()
        visitor.go_on()

    assert len(bank.attempts) == 1
    assert transfers(bank) == [TRANSFERRED]


@pytest.mark.parametrize("wins", [1, 2])
def test_a_double_click_on_confirm_ends_well_without_scripts(
    browser: Browser, bank: Bank, wins: int
) -> None:
    """Two are sent, and whichever is first: one transfer, and nothing is lost.

    The browser shows the answer to the second, and forgets the first with its cookie.
    """
    wire = bank.wire

    def meanwhile() -> None:
        wire.wait_until(lambda: len(bank.attempts) == 2)
        if request.environ["bank.post"] is not bank.attempts[wins - 1]:
            wire.wait_until(lambda: any(post.is_attempt for post in wire.answered))

    bank.codes.meanwhile = meanwhile
    with visiting(browser, bank, scripts=False) as visitor:
        send_and_be_asked(visitor, "/page/once", TRANSFER)
        visitor.type_code()
        press_twice(bank, visitor.page, "Confirm")
        if wins == 1:
            visitor.sees(CONFIRM)
            visitor.page.get_by_text("That code has been used").wait_for()
            bank.codes.meanwhile = list
            visitor.press("Continue")
            visitor.page.get_by_text("That code has been used").wait_for(state="hidden")
            visitor.confirm()
        visitor.go_on()

    assert bank.attempts[0].body == bank.attempts[1].body
    assert transfers(bank) == [TRANSFERRED]


def test_a_click_while_it_goes_on_by_itself_sends_nothing_more(
    browser: Browser, bank: Bank
) -> None:
    """An impatient person in front of a slow view does not see the prompt again."""
    begun, pressed = Event(), Event()

    def meanwhile() -> None:
        begun.set()
        pressed.wait(LONGEST_WAIT)

    with visiting(browser, bank, scripts=False) as visitor:
        send_and_be_asked(visitor, "/page/once", TRANSFER)
        visitor.confirm()
        place = place_of(visitor.page, "Continue")
        visitor.go_on()
    bank.meanwhile = meanwhile
    with visiting(browser, bank, scripts=True) as visitor:
        send_and_be_asked(visitor, "/page/once", TRANSFER)
        visitor.confirm()
        assert begun.wait(LONGEST_WAIT)
        # More than one: none is taken before the page is painted.
        for _ in range(10):
            visitor.page.mouse.click(*place)
            visitor.page.wait_for_timeout(30)
        pressed.set()
        visitor.sees("Done")

    assert len(bank.transfers) == 4
    assert transfers(bank) == [TRANSFERRED] * 2


def test_a_double_click_on_continue_is_one_transfer_without_scripts(
    browser: Browser, bank: Bank
) -> None:
    """The second asks for a new code, and does not say that nothing has been done."""
    with visiting(browser, bank, scripts=False) as visitor:
        send_and_be_asked(visitor, "/page/once", TRANSFER)
        visitor.confirm()
        both = len(bank.wire.posts) + 2
        bank.meanwhile = lambda: bank.wire.wait_until(
            lambda: len(bank.wire.posts) >= both
        )
        press_twice(bank, visitor.page, "Continue")
        visitor.sees(CONFIRM)

        assert "it may be done by now" in visitor.says
        assert "Nothing has been done yet" not in visitor.says
    assert transfers(bank) == [TRANSFERRED]


SPENT = "This has been confirmed before"


@pytest.mark.parametrize(
    ("page", "scripts", "shows"),
    [
        # The page that goes on by itself is mostly not in the history at all.
        ("once", True, f"{CONFIRM}|{SPENT}"),
        ("once", False, SPENT),
        ("form", False, "Already confirmed"),
    ],
)
def test_going_back_sends_nothing(
    browser: Browser, bank: Bank, page: str, scripts: bool, shows: str
) -> None:
    """Nor does it run anything to call the page before up again, as browsers offer."""
    bank.forms["form"] = form_of(TRANSFER, 'action="/transfer/7"', BUTTON)
    with visiting(browser, bank, scripts) as visitor:
        send_and_go_on(visitor, f"/page/{page}", TRANSFER)
        sent = len(bank.wire.posts)

        with pytest.raises(BrowserError, match="ERR_CACHE_MISS"):
            visitor.page.go_back()
        visitor.page.wait_for_url("chrome-error://**")
        assert len(bank.wire.posts) == sent
        visitor.page.reload()

        visitor.page.get_by_role("heading", name=re.compile(f"^({shows})$")).wait_for()
        assert transfers(bank) == [TRANSFERRED]
        if page == "once":
            if SPENT in visitor.says:
                visitor.press("Continue")
            visitor.confirm()
            visitor.go_on()
            assert transfers(bank) == [TRANSFERRED] * 2


# Side by side


def test_each_tab_approves_its_own(bank: Bank, visitor: Visitor) -> None:
    """Prompts at once, answered in another order: what each shows is what runs."""
    order = (1, 0) if visitor.scripts else (3, 0, 4, 1, 2)
    tabs = [visitor, *(visitor.in_another_tab() for _ in order[1:])]
    for number, tab in enumerate(tabs):
        send_and_be_asked(tab, "/page/once", own(number))

    for number in order:
        assert f"To Person {number} Amount {number}0" in tabs[number].says
        tabs[number].confirm()
        tabs[number].sees("Done" if visitor.scripts else "Confirmed")
    for tab in tabs:
        tab.go_on()

    ran = order if visitor.scripts else range(5)
    assert transfers(bank) == [
        (f"Person {number}", f"{number}0", f"no. {number}") for number in ran
    ]
    assert len(bank.attempts) == len(order)
    assert len(bank.transfers) == 2 * len(order)


def own(number: int) -> list[tuple[str, str]]:
    """A transfer unlike the others."""
    return [
        ("to", f"Person {number}"),
        ("amount", f"{number}0"),
        ("note", f"no. {number}"),
    ]


def test_a_second_post_does_not_take_the_place_of_the_first(
    browser: Browser, bank: Bank
) -> None:
    """Promise 9: whoever posts in the same session has nothing of theirs run."""
    with visiting(browser, bank, scripts=True) as visitor:
        send_and_be_asked(visitor, "/page/once", TRANSFER)
        other = visitor.in_another_tab()
        send_and_be_asked(
            other, "/page/once", [("to", "Mallory"), ("amount", "9999"), ("note", "")]
        )

        visitor.confirm()
        visitor.go_on()

        assert transfers(bank) == [TRANSFERRED]
        other.page.reload()
        other.sees(CONFIRM)
        assert transfers(bank) == [TRANSFERRED]


def test_a_prompt_that_was_met_elsewhere_needs_no_code(
    browser: Browser, bank: Bank
) -> None:
    """Of a standing marker each tab has its use, and nothing goes on unasked."""
    bank.forms["form"] = form_of(TRANSFER, 'action="/transfer/7"', BUTTON)
    with visiting(browser, bank, scripts=True) as visitor:
        other = visitor.in_another_tab()
        for tab in (visitor, other):
            send_and_be_asked(tab, "/page/form", TRANSFER)
        visitor.confirm()
        visitor.go_on()

        other.page.get_by_label("Code", exact=True).fill("wrong")
        other.press("Confirm")
        other.sees("Already confirmed")
        assert len(bank.runs) == 1
        other.press("Continue")
        other.sees("Done")

        assert transfers(bank) == [TRANSFERRED] * 2
        assert len(bank.codes.asked) == 1


@pytest.mark.parametrize(
    ("paths", "told"),
    [
        (["/sign-in/bob"], "Please start again"),
        (["/sign-out"], "Please sign in"),
        (["/sign-out", "/sign-in/alice"], "Please start again"),
    ],
)
def test_what_another_person_or_session_asked_is_not_confirmed(
    browser: Browser, bank: Bank, paths: list[str], told: str
) -> None:
    """Promise 1: a switch, a log-out in between; nothing runs, and the page says so."""
    with visiting(browser, bank, scripts=True) as visitor:
        send_and_be_asked(visitor, "/page/once", TRANSFER)
        other = visitor.in_another_tab()
        for path in paths:
            other.page.goto(path)

        visitor.confirm()

        visitor.sees(told)
    assert bank.runs == []
    assert bank.codes.asked == []


def test_a_confirmed_form_does_not_run_in_another_name(
    browser: Browser, bank: Bank
) -> None:
    """Whoever signs in between code and Continue is asked for a code of their own."""
    bank.forms["form"] = form_of(TRANSFER, 'action="/transfer/7"', BUTTON)
    with visiting(browser, bank, scripts=False) as visitor:
        send_and_be_asked(visitor, "/page/form", TRANSFER)
        visitor.confirm()
        visitor.sees("Confirmed")
        visitor.in_another_tab().page.goto("/sign-in/bob")

        visitor.press("Continue")

        visitor.sees(CONFIRM)
    assert bank.runs == []


# What cannot be kept


@pytest.mark.parametrize(
    ("attributes", "note", "photo", "told"),
    [
        ('enctype="multipart/form-data"', "x", "cat.png", "Files cannot be kept"),
        ("", "x" * 70_000, None, "too large to be kept"),
        ('enctype="multipart/form-data"', "x" * 400_000, None, "too large to be kept"),
        ('enctype="text/plain"', "x", None, "What you sent is not kept"),
    ],
    ids=["file", "size", "huge", "text"],
)
def test_what_has_to_be_sent_again_is_told_before_the_code(
    browser: Browser,
    bank: Bank,
    attributes: str,
    note: str,
    photo: str | None,
    told: str,
) -> None:
    """Promise 8: and the way back is the page with the form."""
    bank.forms["form"] = (
        f'<form method="post" action="/transfer/7" {attributes}>{CSRF}'
        f'<textarea name="note"></textarea>{FILES}{BUTTON}</form>'
    )
    # Nobody finds a token in such a body; the prompt is what this is about.
    bank.app.config["WTF_CSRF_CHECK_DEFAULT"] = "text/plain" not in attributes
    with visiting(browser, bank, scripts=True) as visitor:
        for is_second_time in (False, True):
            visitor.page.goto("/page/form?of=mine")
            visitor.page.locator("textarea").fill(note)
            if photo:
                chosen = FilePayload(name=photo, mimeType="image/png", buffer=b"PNG")
                visitor.page.locator("[name=photo]").set_input_files(chosen)
            visitor.press("Send")
            if not is_second_time:
                visitor.sees(CONFIRM)
                assert "Nothing has been done yet" in visitor.says
                assert told in visitor.says
                visitor.confirm()
                visitor.sees("Transfer")
                assert visitor.page.url.endswith("/page/form?of=mine")
        visitor.sees("Done")

    assert len(bank.runs) == 1
    if photo:
        assert bank.runs[0]["files"][0] == ("photo", "cat.png", b"PNG")


def test_secrets_are_entered_again_and_then_all_is_there(
    bank: Bank, visitor: Visitor
) -> None:
    """In their places between the other fields; nothing goes on without them."""
    form = (
        '<input name="to"><input type="password" name="new_password">'
        '<input type="password" name="otp"><input name="amount">'
        '<input type="password" name="new_password">'
    )
    bank.forms["form"] = (
        f'<form method="post" action="/transfer/7">{CSRF}{form}{BUTTON}</form>'
    )
    secret = ' \u5c71 & "x" '

    visitor.page.goto("/page/form")
    visitor.page.locator("[name=to]").fill("Bob")
    visitor.page.locator("[name=amount]").fill("10")
    for field in visitor.page.locator("[name=new_password]").all():
        field.fill(secret)
    visitor.press("Send")
    visitor.sees(CONFIRM)
    assert "new password" in visitor.says
    assert "\u5c71" not in visitor.page.content()
    visitor.confirm()
    visitor.sees("Confirmed")
    assert bank.runs == []
    for field in visitor.page.locator("[type=password]").all():
        field.fill(secret)
    visitor.press("Continue")
    visitor.sees("Done")

    interrupted, resumed = bank.transfers
    assert resumed.comparable() == interrupted.comparable()
    assert secret in dict(bank.runs[0]["fields"]).values()


FETCH = """async ([method, type, body, token]) => {
  const csrf = {"X-CSRFToken": token};
  const send = () => fetch("/transfer/7",
    {method, body, headers: {"Content-Type": type, ...csrf}});
  const told = await (await send()).json();
  const answer = await fetch(told.verify_url, {
    method: "POST",
    headers: {"Content-Type": "application/json", ...csrf},
    body: JSON.stringify({challenge: told.challenge, code: "right-by-script"}),
  });
  return [told, answer.status, (await send()).status];
}"""


@pytest.mark.parametrize(
    ("method", "kind", "body"),
    [
        ("PUT", "application/x-www-form-urlencoded", "to=Bob"),
        ("POST", "application/json", '{"to": "Bob"}'),
        ("POST", "application/x-www-form-urlencoded", "to=Bob"),
    ],
)
def test_a_script_is_told_and_sends_again_itself(
    browser: Browser, bank: Bank, method: str, kind: str, body: str
) -> None:
    """It gets no page, and nothing that it sent is in the challenge."""
    with visiting(browser, bank, scripts=True) as visitor:
        visitor.page.goto("/page/once")
        token = visitor.page.locator("[name=csrf_token]").input_value()
        told, verified, again = visitor.page.evaluate(
            FETCH, [method, kind, body, token]
        )

    assert told["code"] == "reverification_required"
    assert len(told["challenge"]) < 1_000
    assert (verified, again) == (200, 200)
    assert [run["method"] for run in bank.runs] == [method]

"""The example bank: with a test client, as a process, and in a real browser."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import socket
import sys
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from front_end.chromium import CHROMIUM
from front_end.chromium import chromium
from people import PAGE
from people import Prompt
from playwright.sync_api import Browser
from playwright.sync_api import expect
from playwright.sync_api import Page
from serving import get
from serving import port_in
from serving import read_until
from serving import run
from serving import served
from serving import started
from werkzeug.test import TestResponse

from flask_stepup.sandbox import SandboxUser

BANK = Path(__file__).parent.parent / "examples" / "bank"
SCRIPT = "examples/bank/app.py"

GUARDED = ("/account-numbers", "/payout-address", "/send-money")
PAGES = ("/", *GUARDED)
#: What is only on the pages that a code opens, and the number in full.
BEHIND = {
    "/account-numbers": "Your account numbers",
    "/payout-address": "New address",
    "/send-money": "Amount in pounds",
}
NUMBER = re.compile(r"\d{4} \d{4} \d{4}")


@pytest.fixture(name="bank", scope="module")
def _bank() -> Iterator[Any]:
    """The script ``app.py``, which finds its neighbours as any script does."""
    neighbours = ("accounts", "authenticator", "demo")
    spec = importlib.util.spec_from_file_location("bank_app", BANK / "app.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BANK)
        patch.setitem(sys.modules, "bank_app", module)
        spec.loader.exec_module(module)
        yield module
        for name in neighbours:
            sys.modules.pop(name, None)


@pytest.fixture(name="backend")
def _backend(bank: Any, tmp_path: Path) -> Iterator[Any]:
    """A running sandbox, and a ledger of this test alone."""
    ledger = {"STEPUP_STORAGE_URI": f"sqlite:///{tmp_path}/stepup.db"}
    with bank.demo.sandbox() as backend:
        yield replace(backend, settings=backend.settings | ledger)


@pytest.fixture(name="app")
def _app(bank: Any, backend: Any) -> Iterator[Flask]:
    app = bank.create_app(backend)
    yield app
    app.extensions["stepup"].verifier._api.close()


@dataclass
class Visitor:
    """Somebody in front of the bank, with a browser and an authenticator."""

    app: Flask
    user: SandboxUser

    def __post_init__(self) -> None:
        self.client = self.app.test_client()

    def open(self, path: str, method: str = "GET", **kwargs: Any) -> TestResponse:
        return self.client.open(path, method=method, headers=PAGE, **kwargs)

    def post(self, path: str, **data: str) -> TestResponse:
        return self.open(path, "POST", data=data)

    def sign_in(self) -> TestResponse:
        return self.post("/sign-in", user_id=self.user.user_id)

    def prompted(self, path: str) -> Prompt:
        response = self.open(path)
        assert response.status_code == 303
        assert response.location.startswith("/stepup/?challenge=")
        return Prompt(self.open(response.location))

    def answer(self, prompt: Prompt, code: str) -> TestResponse:
        return self.post("/stepup/", **prompt.fields, code=code)

    def shown(self) -> Any:
        """What the authenticator on the page shows."""
        return self.open("/authenticator").json

    def step_up(self, path: str) -> None:
        """Go through the prompt with a code that is on the page."""
        response = self.answer(self.prompted(path), self.shown()["code"])
        assert (response.status_code, response.location) == (303, path)

    @property
    def account(self) -> Any:
        return self.app.extensions["books"].people[self.user.user_id]

    def says(self, path: str = "/") -> str:
        """What is read on a page."""
        return Prompt(self.open(path)).says


@pytest.fixture(name="alice")
def _alice(app: Flask, backend: Any) -> Visitor:
    visitor = Visitor(app, backend.users[0])
    visitor.sign_in()
    return visitor


@pytest.fixture(name="bob")
def _bob(app: Flask, backend: Any) -> Visitor:
    visitor = Visitor(app, backend.users[1])
    visitor.sign_in()
    return visitor


@pytest.fixture(name="visitor", params=["alice", "bob"])
def _visitor(request: pytest.FixtureRequest) -> Visitor:
    visitor: Visitor = request.getfixturevalue(request.param)
    return visitor


def total(app: Flask) -> int:
    """All the money in the bank, in pence."""
    books = app.extensions["books"]
    everybody = (*books.people.values(), books.lifeboats)
    return sum(a.balance for person in everybody for a in person.accounts)


# Signing in and out


def test_a_stranger_is_sent_to_sign_in(app: Flask, backend: Any) -> None:
    """No page but the sign-in shows itself to nobody in particular."""
    stranger = Visitor(app, backend.users[0])

    for path in PAGES:
        response = stranger.open(path)
        assert response.status_code in (302, 303)
        assert response.location.partition("?")[0] == "/sign-in"
    says = stranger.says("/sign-in")
    assert "Sign in as Alice" in says
    assert "Sign in as Bob" in says
    assert "no passwords" in says
    assert stranger.open("/authenticator").status_code == 401


def test_nobody_else_can_be_signed_in(app: Flask, backend: Any) -> None:
    """A user id that the bank does not know opens no account."""
    stranger = Visitor(app, replace(backend.users[0], user_id="user_mallory"))
    stranger.sign_in()

    assert stranger.open("/").location == "/sign-in"


def test_signing_in_shows_the_accounts(visitor: Visitor) -> None:
    """Balances need no code, account numbers are shown by their last digits only."""
    says = visitor.says()

    assert f"Good to see you, {visitor.user.name}" in says
    assert says.count("Needs a code") == 3
    assert "Confirmed" not in says
    assert not NUMBER.search(says)


def test_after_signing_out_an_old_cookie_opens_nothing(visitor: Visitor) -> None:
    """Promise 3: the cookie of a verified session is put back, and a code is asked."""
    visitor.step_up("/account-numbers")
    cookie = visitor.client.get_cookie("harbour_bank")
    assert cookie

    assert visitor.post("/sign-out").location == "/sign-in"
    assert visitor.open("/").location == "/sign-in"

    visitor.client.set_cookie("harbour_bank", cookie.value)
    visitor.prompted("/account-numbers")


def test_a_code_of_one_person_does_not_serve_the_next(
    alice: Visitor, bob: Visitor
) -> None:
    """Bob signs in with the browser in which Alice has given a code."""
    alice.step_up("/account-numbers")

    alice.post("/sign-in", user_id=bob.user.user_id)

    assert "Good to see you, Bob" in alice.says()
    alice.prompted("/account-numbers")


# What is guarded


@pytest.mark.parametrize("path", GUARDED)
def test_each_guarded_page_asks_first_and_then_opens(
    visitor: Visitor, path: str
) -> None:
    """A wrong code is told, a right one leads to where the person was going."""
    prompt = visitor.prompted(path)
    assert prompt.response.status_code == 200
    assert BEHIND[path] not in prompt.says

    wrong = visitor.answer(prompt, "000000")
    assert wrong.status_code == 422
    assert "That code is not right" in wrong.text

    right = visitor.answer(Prompt(wrong), visitor.user.current_code())
    assert (right.status_code, right.location) == (303, path)
    assert BEHIND[path] in visitor.says(path)


def test_the_prompt_is_a_page_of_the_bank(visitor: Visitor) -> None:
    """It has the bank's head, the reason, and the authenticator of the demo."""
    says = visitor.prompted("/send-money").says

    assert says.startswith("Harbour Bank")
    assert "Confirm it\u2019s you Send money" in says
    assert f"{visitor.user.name}\u2019s authenticator" in says


def test_account_numbers_are_shown_in_full(visitor: Visitor) -> None:
    """Both numbers of the person, and nobody else's."""
    visitor.step_up("/account-numbers")

    shown = NUMBER.findall(visitor.says("/account-numbers"))
    assert shown == [account.number for account in visitor.account.accounts]


def test_a_payout_address_is_changed(visitor: Visitor) -> None:
    """The new address is in the books and on the page, and it is said."""
    visitor.step_up("/payout-address")

    response = visitor.post("/payout-address", address="  2 Pier  Road, <Harbourtown>")

    assert (response.status_code, response.location) == (303, "/")
    assert visitor.account.payout_address == "2 Pier Road, <Harbourtown>"
    says = visitor.says()
    assert "Your payout address has been changed." in says
    assert "2 Pier Road, <Harbourtown>" in says


def test_money_is_sent(alice: Visitor, bob: Visitor) -> None:
    """What leaves one account arrives in the other, and both people can read it."""
    before, all_money = bob.account.everyday.balance, total(alice.app)
    had = alice.account.everyday.balance
    alice.step_up("/send-money")

    response = alice.post(
        "/send-money", to=bob.user.user_id, amount="£1,012.50", reference="Boat"
    )

    assert (response.status_code, response.location) == (303, "/")
    assert alice.account.everyday.balance == had - 101_250
    assert bob.account.everyday.balance == before + 101_250
    assert total(alice.app) == all_money
    says = alice.says()
    assert "£1,012.50 sent to Bob." in says
    assert "To Bob · Boat \N{MINUS SIGN}£1,012.50" in says
    assert "From Alice · Boat +£1,012.50" in bob.says()


@pytest.mark.parametrize(
    ("to", "amount", "message"),
    [
        ("bob", "", "Enter an amount in pounds"),
        ("bob", "ten", "Enter an amount in pounds"),
        ("bob", "-5", "Enter an amount in pounds"),
        ("bob", "1.5", "Enter an amount in pounds"),
        ("bob", "1e3", "Enter an amount in pounds"),
        ("bob", "12,34", "Enter an amount in pounds"),
        ("bob", "٢٥", "Enter an amount in pounds"),
        ("bob", "0.00", "Enter an amount above zero."),
        ("bob", "9999999", "That is more than your everyday account has."),
        ("alice", "5", "Choose who the money is for."),
        ("mallory", "5", "Choose who the money is for."),
    ],
)
def test_what_cannot_be_sent_is_told(
    alice: Visitor, bob: Visitor, to: str, amount: str, message: str
) -> None:
    """The message is tied to its field, what was typed stays, and no money moves."""
    known = {"alice": alice.user.user_id, "bob": bob.user.user_id}
    had, all_money = alice.account.everyday.balance, total(alice.app)
    alice.step_up("/send-money")

    response = alice.post("/send-money", to=known.get(to, to), amount=amount)

    assert response.status_code == 422
    assert message in response.text
    name = re.search(r'id="(\w+)-wrong"', response.text)
    assert name
    assert f'aria-describedby="{name[1]}-' in response.text
    assert f'value="{amount}"' in response.text
    assert alice.account.everyday.balance == had
    assert total(alice.app) == all_money


@pytest.mark.parametrize("address", ["", "   ", "x" * 81])
def test_a_payout_address_that_is_none_is_told(alice: Visitor, address: str) -> None:
    """The old address stays."""
    old = alice.account.payout_address
    alice.step_up("/payout-address")

    response = alice.post("/payout-address", address=address)

    assert response.status_code == 422
    assert 'aria-invalid="true"' in response.text
    assert alice.account.payout_address == old


def test_money_sent_at_the_same_time_adds_up(
    alice: Visitor, bob: Visitor, bank: Any
) -> None:
    """Many transfers at once leave no account below zero and no money lost."""
    books = alice.app.extensions["books"]
    all_money, had = total(alice.app), alice.account.everyday.balance
    attempts = had // 20_000 + 20

    def send(_: int) -> int:
        try:
            books.send(alice.account, bob.user.user_id, "200", "")
        except bank.accounts.Refused:
            return 0
        return 20_000

    with ThreadPoolExecutor(16) as pool:
        sent = sum(pool.map(send, range(attempts)))

    assert sent == had // 20_000 * 20_000
    assert alice.account.everyday.balance == had - sent
    assert total(alice.app) == all_money


def test_a_form_that_is_posted_without_a_code_does_nothing(visitor: Visitor) -> None:
    """The prompt stands in its place and says that nothing has been done."""
    had, address = visitor.account.everyday.balance, visitor.account.payout_address

    for path in ("/send-money", "/payout-address"):
        response = visitor.post(path, to="lifeboats", amount="5", address="Elsewhere")
        assert response.status_code == 403
        assert "Confirm it\u2019s you" in response.text

    assert visitor.account.everyday.balance == had
    assert visitor.account.payout_address == address


def test_a_code_for_the_numbers_does_not_open_payments(visitor: Visitor) -> None:
    """Payments are a scope of their own; the payout address is not."""
    visitor.step_up("/account-numbers")

    says = visitor.says()
    assert (says.count("Confirmed"), says.count("Needs a code")) == (2, 1)
    assert visitor.open("/payout-address").status_code == 200
    visitor.prompted("/send-money")


def test_lock_again_asks_for_a_code_again(visitor: Visitor) -> None:
    """The person stays signed in, and every scope is locked."""
    assert "Lock again" not in visitor.says()
    visitor.step_up("/account-numbers")
    visitor.step_up("/send-money")
    assert "Lock again" in visitor.says()

    assert visitor.post("/lock").location == "/"

    assert visitor.says().count("Needs a code") == 3
    for path in GUARDED:
        visitor.prompted(path)


# The demo's authenticator


def test_the_authenticator_never_shows_a_code_that_is_used(alice: Visitor) -> None:
    """After a code has opened something, the next one is shown, then none for now."""
    first = alice.shown()
    assert 1 <= first["seconds"] <= 30
    alice.step_up("/account-numbers")

    second = alice.shown()
    assert second["code"] != first["code"]
    assert not second["used"]
    alice.step_up("/send-money")

    third = alice.shown()
    assert third["used"] or third["code"] not in (first["code"], second["code"])


def test_a_used_backup_code_is_crossed_out(alice: Visitor, bob: Visitor) -> None:
    """It opens once, and is gone from the panel of its owner only."""
    code = alice.shown()["backup_codes"][0]
    answer = alice.answer(alice.prompted("/account-numbers"), f" {code} ")
    assert answer.location == "/account-numbers"

    left = alice.shown()["backup_codes"]
    assert len(left) == 9
    assert code not in left
    assert code not in alice.open("/").text
    assert len(bob.shown()["backup_codes"]) == 10


def test_with_clerk_there_is_no_authenticator(
    bank: Any, backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alice is the Clerk user, alone, and the same pages show nobody's codes."""
    monkeypatch.setenv("CLERK_SECRET_KEY", backend.settings["STEPUP_CLERK_SECRET_KEY"])
    monkeypatch.setenv("CLERK_USER_ID", backend.users[0].user_id)
    # The one thing that is not as with Clerk itself: where the backend API is.
    settings = {k: v for k, v in backend.settings.items() if "KEY" not in k}
    app = bank.create_app(replace(bank.demo.clerk(), settings=settings))
    alice = Visitor(app, backend.users[0])

    assert "Sign in as Bob" not in alice.says("/sign-in")
    alice.sign_in()
    assert alice.open("/authenticator").status_code == 404
    prompt = alice.prompted("/send-money")
    assert "authenticator.js" not in prompt.text
    assert "\u2019s authenticator" not in prompt.text
    answer = alice.answer(prompt, backend.users[0].current_code())
    assert answer.location == "/send-money"
    assert "Harbour Lifeboats" in alice.says("/send-money")
    app.extensions["stepup"].verifier._api.close()


# What every page is


def test_no_page_needs_anything_but_its_own_origin(visitor: Visitor) -> None:
    """No inline script or style, no address of elsewhere, and a policy that says so."""
    responses = [visitor.open("/sign-in"), visitor.open("/")]
    responses += [visitor.prompted(path).response for path in GUARDED]
    visitor.step_up("/account-numbers")
    visitor.step_up("/send-money")
    responses += [visitor.open(path) for path in PAGES]

    for response in responses:
        assert not re.search(r"<style|\sstyle=|<script(?! src)|\son\w+=", response.text)
        assert not re.search(r'(?:src|href|action)="(?!/[^/])', response.text)
        policies = response.headers.getlist("Content-Security-Policy")
        assert policies[-1].startswith("default-src 'self';")
        assert response.headers["Referrer-Policy"] == "same-origin"
        assert response.headers["Cache-Control"] == "no-store"


def test_the_session_cookie_is_kept_from_scripts_and_other_sites(
    alice: Visitor,
) -> None:
    """HttpOnly, and not sent when another site posts."""
    cookie = alice.client.get_cookie("harbour_bank")

    assert cookie
    assert (cookie.http_only, cookie.same_site) == (True, "Lax")


# As a process


@pytest.fixture(name="environment")
def _environment() -> dict[str, str]:
    here = {k: v for k, v in os.environ.items() if not k.startswith("CLERK_")}
    return here | {"PORT": "0"}  # any that is free


def test_the_script_says_where_it_is_and_ends_well(environment: dict[str, str]) -> None:
    """It prints what to open and where the code is; Ctrl-C ends it with status 0."""
    with started(environment, SCRIPT) as process:
        printed = read_until(process.stdout, "Ctrl-C")
        page = get(port_in(printed), "/sign-in")
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate()

    assert "Alice or Bob" in printed
    assert "code is on the page" in printed
    assert "CLERK_SECRET_KEY=" in printed
    assert len(printed.splitlines()) < 15
    assert "Welcome to Harbour Bank" in page
    assert "closed" in rest
    assert (process.returncode, errors) == (0, "")


def test_the_script_listens_to_this_machine_only(environment: dict[str, str]) -> None:
    """Whoever else is in the network sees no codes."""
    with started(environment, SCRIPT) as process:
        port = port_in(read_until(process.stdout, "Ctrl-C"))
        # As good as any address that is not the one it listens to.
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.2", port), timeout=5).close()


def test_a_busy_port_is_told_in_one_line(environment: dict[str, str]) -> None:
    """It names the port and the way to choose another; there is no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(environment | {"PORT": str(port)}, SCRIPT)

    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert f"Port {port} " in done.stderr
    assert "PORT=" in done.stderr


@pytest.mark.parametrize("port", ["abc", "-1", "65536", "\u0663"])
def test_a_port_that_is_none_is_told_in_one_line(
    environment: dict[str, str], port: str
) -> None:
    """So is anything that is not the number of a port."""
    done = run(environment | {"PORT": port, "PYTHONUTF8": "1"}, SCRIPT)

    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert "PORT=5001" in done.stderr


def test_a_key_of_clerk_asks_for_the_user(environment: dict[str, str]) -> None:
    """With half of what Clerk needs the script says which half is missing."""
    done = run(environment | {"CLERK_SECRET_KEY": "sk_test_x"}, SCRIPT)

    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert "CLERK_USER_ID" in done.stderr
    assert "sk_test_x" not in done.stderr


def test_the_script_runs_with_clerk(environment: dict[str, str]) -> None:
    """With both variables there is no sandbox, and Alice is the only one."""
    clerk = {"CLERK_SECRET_KEY": "sk_test_x", "CLERK_USER_ID": "user_x"}
    with started(environment | clerk, SCRIPT) as process:
        printed = read_until(process.stdout, "Ctrl-C")
        page = get(port_in(printed), "/sign-in")

    assert "Clerk checks it" in printed
    assert "sandbox" not in printed
    assert "Sign in as Alice" in page
    assert "Sign in as Bob" not in page
    assert "sk_test_x" not in printed + page


def test_flask_run_serves_the_bank(environment: dict[str, str]) -> None:
    """``flask --app examples/bank/app.py run`` finds the factory and its neighbours."""
    command = "-m flask --app examples/bank/app.py run --port 0"
    with started(environment, *command.split()) as process:
        page = get(port_in(read_until(process.stderr, "Running on")), "/sign-in")

    assert "Welcome to Harbour Bank" in page


# In a browser


@pytest.fixture(name="browser", scope="module")
def _browser() -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip("missing: chromium (apt-get install chromium)")
    with chromium() as browser:
        yield browser


@pytest.fixture(name="site")
def _site(app: Flask) -> Iterator[str]:
    with served(app) as site:
        yield site


NewPage = Callable[..., Page]


@pytest.fixture(name="new_page")
def _new_page(browser: Browser, site: str) -> Iterator[NewPage]:
    """A function that opens the bank; what the browser complains about is a failure."""
    complaints: list[str] = []
    elsewhere: list[str] = []

    def new_page(*, width: int = 1280, scheme: Any = "light") -> Page:
        page = browser.new_page(
            viewport={"width": width, "height": 800}, color_scheme=scheme
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
    told = "Failed to load resource: the server responded with a status of 4"
    assert [text for text in complaints if not text.startswith(told)] == []
    assert elsewhere == []


def shown_code(page: Page) -> str:
    """The code that the panel shows."""
    code = page.text_content("[data-code]")
    assert code
    return code


def confirm(page: Page, code: str) -> None:
    """Type a code into the prompt and submit it."""
    page.get_by_label("Code", exact=True).fill(code)
    page.get_by_role("button", name="Confirm").click()


def test_alice_reveals_her_account_number(new_page: NewPage, alice: Visitor) -> None:
    """She signs in, is asked, types the code that the panel shows, and reads it."""
    page = new_page()
    page.get_by_role("button", name="Sign in as Alice").click()
    page.get_by_role("link", name="Show account numbers").click()
    assert page.locator("h1").inner_text() == "Confirm it\u2019s you"
    assert page.evaluate("document.activeElement.name") == "code"

    confirm(page, "000 000")
    page.get_by_role("alert").get_by_text("That code is not right").wait_for()
    confirm(page, shown_code(page))

    page.get_by_text(alice.account.everyday.number).wait_for()
    assert urlsplit(page.url).path == "/account-numbers"
    page.get_by_role("link", name="Back to your accounts").click()
    numbers = page.get_by_role("link", name="Show account numbers")
    assert "Confirmed" in numbers.inner_text()


def test_money_is_sent_in_a_browser(new_page: NewPage, bob: Visitor) -> None:
    """The code comes before the form, so nothing has to be typed twice."""
    had = bob.account.everyday.balance
    page = new_page(width=360)
    page.get_by_role("button", name="Sign in as Alice").click()
    page.get_by_role("link", name="Send money").click()
    confirm(page, shown_code(page))

    page.get_by_label("To", exact=True).select_option(label="Bob")
    page.get_by_label("Amount in pounds").fill("12.50")
    page.get_by_label("Reference").fill("Lunch")
    page.get_by_role("button", name="Send").click()

    page.get_by_role("status").get_by_text("£12.50 sent to Bob.").wait_for()
    assert bob.account.everyday.balance == had + 1_250


def test_the_panel_fetches_the_next_code_in_time(new_page: NewPage) -> None:
    """It counts down, and asks once more when the code on it has run out."""
    page = new_page()
    page.clock.install()
    page.get_by_role("button", name="Sign in as Bob").click()
    first = int(page.text_content("[data-left]") or "")
    # It may be the server's: the script counts from when the page has loaded.
    page.wait_for_load_state()

    page.clock.run_for(1_000)
    expect(page.locator("[data-left]")).not_to_have_text(str(first))
    assert int(page.text_content("[data-left]") or "") < first or first == 1
    with page.expect_response("**/authenticator") as answered:
        page.clock.run_for(31_000)

    assert answered.value.ok
    assert re.fullmatch(r"\d{3} \d{3}", shown_code(page))


@pytest.mark.parametrize(("scheme", "width"), [("light", 360), ("dark", 1280)])
def test_every_page_is_accessible(
    new_page: NewPage, scheme: str, width: int, alice: Visitor
) -> None:
    """axe finds no violations on any page, and nothing is wider than the screen."""
    page = new_page(width=width, scheme=scheme)

    def check() -> None:
        results = Axe().run(page)
        assert results.violations_count == 0, f"{page.url}\n{results.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url

    def go(path: str) -> None:
        page.goto(urlsplit(page.url)._replace(path=path, query="").geturl())
        check()

    go("/sign-in")
    page.get_by_role("button", name="Sign in as Alice").click()
    check()
    for path in GUARDED:
        go(path)
    confirm(page, "000000")
    page.get_by_role("alert").wait_for()
    check()
    confirm(page, shown_code(page))
    page.get_by_role("button", name="Send").wait_for()
    go("/send-money")
    page.get_by_label("Amount in pounds").fill("9999999")
    page.get_by_role("button", name="Send").click()
    page.get_by_text("That is more than").wait_for()
    check()
    page.get_by_label("Amount in pounds").fill("1")
    page.get_by_role("button", name="Send").click()
    page.get_by_role("status").wait_for()
    check()
    go("/payout-address")
    confirm(page, alice.user.backup_codes[0])
    page.get_by_label("New address").wait_for()
    page.get_by_text("Use your own phone").click()
    page.get_by_text("Backup codes (9 left)").click()
    check()
    go("/account-numbers")
    go("/stepup/")

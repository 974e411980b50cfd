"""The example bank: with a test client, as a process, and in a real browser."""

from __future__ import annotations

import html
import os
import re
import signal
import socket
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine
from axe_playwright_python.sync_playwright import Axe
from example_scripts import loaded
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

#: Forms, which everybody may look at: a code is asked for when one is sent.
FORMS = {
    "/payout-address": {"address": "2 Pier Road"},
    "/send-money": {"to": "lifeboats", "amount": "5", "reference": "Boat"},
}
PAGES = ("/", "/account-numbers", *FORMS)
NUMBER = re.compile(r"\d{4} \d{4} \d{4}")


@pytest.fixture(name="bank", scope="module")
def _bank() -> Iterator[Any]:
    with loaded(BANK) as module:
        yield module


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
        #: Right ones, each once, whatever the time is.
        self.codes = iter(self.user.backup_codes)

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

    def asked(self, path: str, **data: str) -> Prompt:
        """Send a form where a code is expected to be asked for."""
        response = self.post(path, **data or FORMS[path])
        assert response.status_code == 403
        return Prompt(response)

    def answer(self, prompt: Prompt, code: str) -> TestResponse:
        return self.post("/stepup/", challenge=prompt.challenge, code=code)

    def approve(self, prompt: Prompt) -> Prompt:
        """Give a right code to a form; return the page from which it goes on."""
        response = self.answer(prompt, next(self.codes))
        assert response.status_code == 200
        return Prompt(response)

    def go_on(self, page: Prompt) -> TestResponse:
        """Press the button of that page, as its script does."""
        form = re.search(r'action="([^"]+)" enctype="([^"]+)"', page.text)
        assert form
        return self.open(
            form[1], "POST", data=page.fields, content_type=html.unescape(form[2])
        )

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


def test_the_numbers_ask_first_and_then_open(visitor: Visitor) -> None:
    """A wrong code is told, a right one leads to where the person was going."""
    prompt = visitor.prompted("/account-numbers")
    assert prompt.response.status_code == 200
    assert "Your account numbers" not in prompt.says

    wrong = visitor.answer(prompt, "000000")
    assert wrong.status_code == 422
    assert "That code is not right" in wrong.text

    right = visitor.answer(Prompt(wrong), visitor.user.current_code())
    assert (right.status_code, right.location) == (303, "/account-numbers")
    assert "Your account numbers" in visitor.says("/account-numbers")


@pytest.mark.parametrize("path", FORMS)
def test_a_form_is_shown_without_a_code(visitor: Visitor, path: str) -> None:
    """It says that one will be asked for."""
    response = visitor.open(path)

    assert response.status_code == 200
    assert "confirm it with a code" in Prompt(response).says


@pytest.mark.parametrize("path", FORMS)
def test_nothing_that_was_typed_is_lost(visitor: Visitor, path: str) -> None:
    """Promise 8: after a wrong code and a right one the form goes on by itself."""
    wrong = visitor.answer(visitor.asked(path), "000000")
    assert wrong.status_code == 422
    assert "What you entered is kept." in wrong.text

    page = visitor.approve(Prompt(wrong))

    assert page.fields == FORMS[path]
    assert "data-stepup-onward" in page.text
    assert "stepup.js" in page.text
    response = visitor.go_on(page)
    assert (response.status_code, response.location) == (303, "/")


def test_the_prompt_is_a_page_of_the_bank(visitor: Visitor) -> None:
    """It has the bank's head, the reason, and the authenticator of the demo."""
    says = visitor.asked("/send-money").says

    assert says.startswith("Skip to content Harbour Bank")
    assert "Confirm it\u2019s you Send money" in says
    assert f"{visitor.user.name}\u2019s authenticator" in says


def test_the_prompt_shows_what_is_approved(alice: Visitor, bob: Visitor) -> None:
    """Promise 9: who gets how much, as the bank has understood what was typed."""
    prompt = alice.asked(
        "/send-money", to=bob.user.user_id, amount=" £1,012 ", reference="a \u202e b  c"
    )

    digits = bob.account.everyday.last_digits
    assert (
        f"Send money To Bob, account ending in {digits} Amount £1,012.00 "
        "Reference a [U+202E] b c Nothing has been done yet."
    ) in prompt.says


def test_account_numbers_are_shown_in_full(visitor: Visitor) -> None:
    """Both numbers of the person, and nobody else's."""
    visitor.step_up("/account-numbers")

    shown = NUMBER.findall(visitor.says("/account-numbers"))
    assert shown == [account.number for account in visitor.account.accounts]


def test_a_payout_address_is_changed(visitor: Visitor) -> None:
    """The new address is in the books and on the page, and it is said."""
    prompt = visitor.asked("/payout-address", address="  2 Pier  Road, <Harbourtown>")
    assert "Change your payout address" in prompt.says

    response = visitor.go_on(visitor.approve(prompt))

    assert (response.status_code, response.location) == (303, "/")
    assert visitor.account.payout_address == "2 Pier Road, <Harbourtown>"
    says = visitor.says()
    assert "Your payout address has been changed." in says
    assert "2 Pier Road, <Harbourtown>" in says


def test_a_payout_address_may_be_mended_without_another_code(alice: Visitor) -> None:
    """For it a code serves for five minutes, and the page does not announce one."""
    alice.go_on(alice.approve(alice.asked("/payout-address")))

    assert "with a code" not in alice.says("/payout-address")
    assert alice.post("/payout-address", address="3 Pier Road").status_code == 303
    assert alice.account.payout_address == "3 Pier Road"


def test_money_is_sent(alice: Visitor, bob: Visitor) -> None:
    """What leaves one account arrives in the other, and both people can read it."""
    before, all_money = bob.account.everyday.balance, total(alice.app)
    had = alice.account.everyday.balance
    prompt = alice.asked(
        "/send-money", to=bob.user.user_id, amount="£1,012.50", reference="Boat"
    )

    response = alice.go_on(alice.approve(prompt))

    assert (response.status_code, response.location) == (303, "/")
    assert alice.account.everyday.balance == had - 101_250
    assert bob.account.everyday.balance == before + 101_250
    assert total(alice.app) == all_money
    says = alice.says()
    assert "£1,012.50 sent to Bob." in says
    assert "To Bob · Boat Today \N{MINUS SIGN}£1,012.50" in says
    assert "From Alice · Boat Today +£1,012.50" in bob.says()


def test_what_was_approved_is_what_is_said_to_be_done(
    alice: Visitor, bob: Visitor
) -> None:
    """The page after a transfer repeats the values of the prompt, the title first."""
    for reference, said in ("Boat", " Reference Boat"), ("", ""):
        prompt = alice.asked(
            "/send-money", to=bob.user.user_id, amount="7", reference=reference
        )
        alice.go_on(alice.approve(prompt))

        response = alice.open("/")
        digits = bob.account.everyday.last_digits
        assert (
            f"Sign out £7.00 sent to Bob. To Bob, account ending in {digits} "
            f"Amount £7.00{said} Good to see you"
        ) in Prompt(response).says
        title = response.text.partition("<title>")[2]
        assert title.startswith("£7.00 sent to Bob. Accounts")
        assert "sent to Bob." not in alice.says()


def test_nobody_is_chosen_before_the_sender_chooses(alice: Visitor, app: Flask) -> None:
    """Whoever forgets to say whom the money is for sends it to nobody."""
    all_money = total(app)
    says = alice.says("/send-money")
    assert "To Choose who the money is for Bob Harbour Lifeboats Amount" in says
    assert " selected" not in alice.open("/send-money").text

    assert alice.post("/send-money", to="", amount="5").status_code == 422
    assert total(app) == all_money


@pytest.mark.parametrize(
    "change", [{"amount": "50"}, {"reference": "Boot"}, {"to": "bob"}]
)
def test_a_changed_transfer_asks_for_another_code(
    alice: Visitor, bob: Visitor, change: dict[str, str]
) -> None:
    """Promise 9: an approval is for these values, and stays good for them alone."""
    had = alice.account.everyday.balance
    page = alice.approve(alice.asked("/send-money"))
    if "to" in change:
        change = {"to": bob.user.user_id}

    alice.asked("/send-money", **FORMS["/send-money"] | change)
    assert alice.account.everyday.balance == had

    assert alice.go_on(page).status_code == 303
    assert alice.account.everyday.balance == had - 500


def test_the_same_amount_in_other_words_is_the_same(alice: Visitor) -> None:
    """What is bound is what the bank has understood, and not how it was typed."""
    alice.approve(alice.asked("/send-money"))

    again = FORMS["/send-money"] | {"amount": "£5.00"}
    assert alice.post("/send-money", **again).status_code == 303


def test_a_transfer_that_is_sent_twice_runs_once(alice: Visitor) -> None:
    """The second is asked about anew, and the first code's page says what it was."""
    had, prompt = alice.account.everyday.balance, alice.asked("/send-money")
    page = alice.approve(prompt)
    twice = alice.answer(prompt, next(alice.codes))
    assert twice.status_code == 200
    assert "Already confirmed" in twice.text

    assert alice.go_on(page).status_code == 303
    again = alice.go_on(Prompt(twice))

    assert again.status_code == 403
    assert "Amount £5.00" in Prompt(again).says
    spent = alice.answer(prompt, next(alice.codes))
    assert (spent.status_code, Prompt(spent).fields) == (400, page.fields)
    assert "This has been confirmed before" in spent.text
    assert alice.account.everyday.balance == had - 500


def test_a_transfer_that_is_sent_often_at_once_runs_once(alice: Visitor) -> None:
    """Of sixteen requests at the same time one finds the approval unspent."""
    had = alice.account.everyday.balance
    page = alice.approve(alice.asked("/send-money"))
    cookie = alice.client.get_cookie("harbour_bank")
    assert cookie

    def send(_: int) -> int:
        tab = Visitor(alice.app, alice.user)
        tab.client.set_cookie("harbour_bank", cookie.value)
        return tab.go_on(page).status_code

    with ThreadPoolExecutor(16) as pool:
        answers = sorted(pool.map(send, range(16)))

    assert answers == [303, *[403] * 15]
    assert alice.account.everyday.balance == had - 500


def test_each_of_two_tabs_approves_its_own(alice: Visitor) -> None:
    """A code in one does not send what the other shows."""
    had = alice.account.everyday.balance
    first = alice.asked("/send-money", to="lifeboats", amount="5")
    second = alice.asked("/send-money", to="lifeboats", amount="70")

    assert alice.go_on(alice.approve(second)).status_code == 303
    assert alice.account.everyday.balance == had - 7_000
    alice.asked("/send-money", to="lifeboats", amount="5")

    assert alice.go_on(alice.approve(first)).status_code == 303
    assert alice.account.everyday.balance == had - 7_500


def test_money_that_has_gone_meanwhile_is_told(alice: Visitor) -> None:
    """The balance is looked at again after the code."""
    balance = alice.account.everyday.balance
    amount = f"{balance // 100}.{balance % 100:02}"
    all_of_it = alice.approve(alice.asked("/send-money", to="lifeboats", amount=amount))
    alice.go_on(alice.approve(alice.asked("/send-money")))

    response = alice.go_on(all_of_it)

    assert response.status_code == 422
    assert "That is more than your everyday account has." in response.text
    assert alice.account.everyday.balance == balance - 500


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
    """No code is asked for; the message is at its field, and what was typed stays."""
    known = {"alice": alice.user.user_id, "bob": bob.user.user_id}
    had, all_money = alice.account.everyday.balance, total(alice.app)

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

    response = alice.go_on(
        alice.approve(alice.asked("/payout-address", address=address))
    )

    assert response.status_code == 422
    assert 'aria-invalid="true"' in response.text
    assert alice.account.payout_address == old


def test_an_address_in_lines_is_kept_on_one(alice: Visitor) -> None:
    """A browser that fills in the address writes it as on an envelope."""
    prompt = alice.asked("/payout-address", address=" 2 Pier Road,\r\n\r\nHarbourtown ")
    alice.go_on(alice.approve(prompt))

    assert alice.account.payout_address == "2 Pier Road, Harbourtown"


def test_days_are_read_as_people_say_them(bank: Any) -> None:
    """The last two by their names, others by day and month."""
    days = [date(2026, 3, 1), date(2026, 2, 28), date(2026, 2, 27)]

    with time_machine.travel("2026-03-01 12:00", tick=False):
        said = [bank.accounts.spoken(day) for day in days]

    assert said == ["Today", "Yesterday", "27 February"]


def test_money_sent_at_the_same_time_adds_up(
    alice: Visitor, bob: Visitor, bank: Any
) -> None:
    """Many transfers at once leave no account below zero and no money lost."""
    books = alice.app.extensions["books"]
    all_money, had = total(alice.app), alice.account.everyday.balance
    attempts = had // 20_000 + 20
    transfer = books.draw_up(alice.account, bob.user.user_id, "200", "")

    def send(_: int) -> int:
        try:
            books.carry_out(transfer)
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

    for path in FORMS:
        says = visitor.asked(path).says
        assert "Confirm it\u2019s you" in says
        assert "Nothing has been done yet. What you entered is kept." in says

    assert visitor.account.everyday.balance == had
    assert visitor.account.payout_address == address


def test_a_code_for_the_numbers_does_not_open_payments(visitor: Visitor) -> None:
    """Each transfer needs one of its own; the payout address does not."""
    visitor.step_up("/account-numbers")

    says = visitor.says()
    assert (says.count("Confirmed"), says.count("Needs a code")) == (2, 1)
    assert "Send money To somebody else at this bank Needs a code each time" in says
    assert visitor.post("/payout-address", address="2 Pier Road").status_code == 303
    visitor.asked("/send-money")


def test_a_code_for_a_transfer_opens_nothing_else(visitor: Visitor) -> None:
    """It serves for that one, before it is sent and afterwards."""
    page = visitor.approve(visitor.asked("/send-money"))
    visitor.prompted("/account-numbers")
    visitor.asked("/payout-address")

    visitor.go_on(page)

    assert visitor.says().count("Needs a code") == 3
    visitor.prompted("/account-numbers")
    visitor.asked("/payout-address")


def test_lock_again_asks_for_a_code_again(visitor: Visitor) -> None:
    """The person stays signed in, and nothing that was approved goes on."""
    assert "Lock again" not in visitor.says()
    visitor.step_up("/account-numbers")
    page = visitor.approve(visitor.asked("/send-money"))
    assert "Lock again" in visitor.says()

    assert visitor.post("/lock").location == "/"

    assert visitor.says().count("Needs a code") == 3
    visitor.prompted("/account-numbers")
    visitor.asked("/payout-address")
    assert visitor.go_on(page).status_code == 403


# The demo's authenticator


def test_the_authenticator_never_shows_a_code_that_is_used(alice: Visitor) -> None:
    """After a code has opened something, the next one is shown, then none for now."""
    first = alice.shown()
    assert 1 <= first["seconds"] <= 30
    alice.step_up("/account-numbers")

    second = alice.shown()
    assert second["code"] != first["code"]
    assert not second["used"]
    sent = alice.answer(alice.asked("/send-money"), second["code"])
    assert sent.status_code == 200

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
    prompt = alice.asked("/send-money")
    assert "authenticator.js" not in prompt.text
    assert "\u2019s authenticator" not in prompt.text
    alice.go_on(alice.approve(prompt))
    assert "£5.00 sent to Harbour Lifeboats." in alice.says()
    app.extensions["stepup"].verifier._api.close()


# Where nothing is


@pytest.mark.parametrize(
    ("path", "code", "said"),
    [
        ("/nowhere", 404, "This page is not here"),
        ("/lock", 405, "That did not work"),
        ("/fault", 500, "Something went wrong"),
    ],
)
def test_an_error_is_a_page_of_the_bank(
    app: Flask, backend: Any, path: str, code: int, said: str
) -> None:
    """It says whose fault it is and leads back, whoever asks."""
    app.add_url_rule("/fault", view_func=lambda: [][0])
    visitor = Visitor(app, backend.users[0])

    for _ in range(2):
        response = visitor.open(path)
        assert response.status_code == code
        assert f"<title>{said} | Harbour Bank</title>" in response.text
        says = Prompt(response).says
        assert f"{said} " in says
        assert "Go to your accounts" in says
        assert ("Allow" in response.headers) == (code == 405)
        visitor.sign_in()


# What every page is


def test_no_page_needs_anything_but_its_own_origin(visitor: Visitor) -> None:
    """No inline script or style, no address of elsewhere, and a policy that says so."""
    responses = [visitor.open("/sign-in"), visitor.open("/")]
    prompts = [visitor.prompted("/account-numbers"), *map(visitor.asked, FORMS)]
    responses += [prompt.response for prompt in prompts]
    # A code for the payout address opens the numbers as well.
    responses += [visitor.approve(prompt).response for prompt in prompts[1:]]
    responses += [visitor.open(path) for path in (*PAGES, "/nowhere")]
    assert {response.status_code for response in responses} == {200, 403, 404}

    for response in responses:
        assert not re.search(r"<style|\sstyle=|<script(?! src)|\son\w+=", response.text)
        assert not re.search(r'(?:src|href|action)="(?!/[^/]|#main")', response.text)
        policies = response.headers.getlist("Content-Security-Policy")
        assert policies[-1].startswith("default-src 'self';")
        assert response.headers["Referrer-Policy"] == "same-origin"
        assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/static/bank.css", "no-cache"),
        ("/stepup/static/stepup.css", "no-cache"),
        ("/static/nothing.css", "no-store"),
    ],
)
def test_files_may_be_kept_and_pages_may_not(
    visitor: Visitor, path: str, kept: str
) -> None:
    """The page that stands for a missing file has the authenticator on it."""
    with visitor.open(path) as response:
        assert response.headers["Cache-Control"] == kept


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
    # A test types faster than a page takes the focus.
    told = (
        "Failed to load resource: the server responded with a status of 4",
        "Autofocus processing was blocked",
    )
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


def fill_in(page: Page, amount: str, clicks: int = 1) -> None:
    """Type a transfer to Bob and send it."""
    page.get_by_label("To", exact=True).select_option(label="Bob")
    page.get_by_label("Amount in pounds").fill(amount)
    page.get_by_label("Reference").fill("Lunch")
    page.get_by_role("button", name="Send").click(click_count=clicks)


@pytest.mark.parametrize("scripts", [True, False])
def test_money_is_sent_in_a_browser(
    new_page: NewPage, bob: Visitor, scripts: bool
) -> None:
    """After the code it goes without being typed again; without scripts by a button."""
    had = bob.account.everyday.balance
    page = new_page(width=360, scripts=scripts)
    page.get_by_role("button", name="Sign in as Alice").click()
    page.get_by_role("link", name="Send money").click()
    fill_in(page, "12.50")
    expect(page.locator(".stepup-values")).to_contain_text("£12.50")

    confirm(page, "000 000")
    page.get_by_role("alert").get_by_text("That code is not right").wait_for()
    confirm(page, shown_code(page))
    if not scripts:
        assert page.locator("h1").inner_text() == "Confirmed"
        page.get_by_role("button", name="Continue").click()

    page.get_by_role("status").get_by_text("£12.50 sent to Bob.").wait_for()
    assert bob.account.everyday.balance == had + 1_250


def test_a_double_click_sends_money_once(new_page: NewPage, bob: Visitor) -> None:
    """Both on the button of the form and on the one of the prompt."""
    had = bob.account.everyday.balance
    page = new_page()
    page.get_by_role("button", name="Sign in as Alice").click()
    page.get_by_role("link", name="Send money").click()
    fill_in(page, "3", clicks=2)
    page.get_by_label("Code", exact=True).fill(shown_code(page))
    page.get_by_role("button", name="Confirm").dblclick()

    page.get_by_role("status").get_by_text("£3.00 sent to Bob.").wait_for()
    assert bob.account.everyday.balance == had + 300


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


# Layout is a matter of the width, contrast of the scheme: two runs see all of both.
@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (1280, "dark")])
def test_every_page_is_accessible(
    new_page: NewPage, scheme: str, width: int, alice: Visitor
) -> None:
    """axe finds no violations on any page, and nothing is wider than the screen."""
    page = new_page(width=width, scheme=scheme)

    def check() -> None:
        # A page whose style sheet is on its way has other colours.
        page.wait_for_load_state()
        results = Axe().run(page)
        assert results.violations_count == 0, f"{page.url}\n{results.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url

    def go(path: str) -> None:
        page.goto(urlsplit(page.url)._replace(path=path, query="").geturl())
        check()

    go("/sign-in")
    page.get_by_role("button", name="Sign in as Alice").click()
    check()
    go("/account-numbers")
    confirm(page, "000000")
    page.get_by_role("alert").wait_for()
    check()
    go("/send-money")
    fill_in(page, "9999999")
    page.get_by_text("That is more than").wait_for()
    check()
    fill_in(page, "1")
    page.get_by_label("Code", exact=True).wait_for()
    check()
    confirm(page, shown_code(page))
    page.get_by_role("status").wait_for()
    check()
    go("/payout-address")
    page.get_by_label("New address").fill(" ")
    page.get_by_role("button", name="Change address").click()
    confirm(page, alice.user.backup_codes[0])
    page.get_by_text("Enter the address").wait_for()
    check()
    page.get_by_label("New address").fill("2 Pier Road")
    page.get_by_role("button", name="Change address").click()
    page.get_by_role("status").wait_for()
    page.get_by_text("Things to try").click()
    page.get_by_text("Use your own phone").click()
    page.get_by_text("Backup codes (9 left)").click()
    check()
    go("/account-numbers")
    go("/stepup/")
    go("/nowhere")


@pytest.mark.parametrize(
    "style",
    [
        "html { font-size: 200% }",
        # WCAG 2.2, 1.4.12.
        "* { line-height: 1.5; letter-spacing: 0.12em; word-spacing: 0.16em }",
    ],
)
def test_larger_and_wider_text_fits(new_page: NewPage, style: str) -> None:
    """Nothing is cut off at the side, as wide as a phone or a browser at 200 %."""
    width = 640 if "200%" in style else 320
    page = new_page(width=width)
    page.get_by_role("button", name="Sign in as Alice").click()

    for path in (*PAGES, "/nowhere"):
        page.goto(urlsplit(page.url)._replace(path=path, query="").geturl())
        page.wait_for_load_state()
        # Not by a style element, which the bank's policy would refuse.
        page.evaluate(
            "(css) => { const sheet = new CSSStyleSheet(); sheet.replaceSync(css); "
            "document.adoptedStyleSheets = [sheet]; }",
            style,
        )
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_the_first_key_leads_past_the_head(new_page: NewPage) -> None:
    """Whoever uses the keyboard need not go through the same links on each page."""
    page = new_page()
    page.get_by_role("button", name="Sign in as Alice").click()
    page.get_by_role("heading", level=1).wait_for()

    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to content")
    expect(skip).to_be_focused()
    box = skip.bounding_box()
    assert box
    assert box["height"] >= 24
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")

    expect(page.get_by_role("link", name="Send money")).to_be_focused()

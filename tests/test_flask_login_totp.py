"""The example that keeps TOTP secrets itself: enrol, verify, recover."""

from __future__ import annotations

import base64
import os
import re
import signal
import socket
import sqlite3
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pyotp
import pytest
import time_machine
from dovecote import backup_codes
from dovecote import EXAMPLE
from dovecote import Member
from dovecote import SCRIPT
from example_scripts import loaded
from flask import Flask
from people import Prompt
from serving import get
from serving import port_in
from serving import read_until
from serving import run
from serving import started

#: The beginning of a step.
T0 = 1_800_000_000 // 30 * 30
STEP = 30
NOTICE = "No training on Friday."
NUMBER = "07700 900348"
SIGNED_IN_ONLY = (
    "/",
    "/numbers",
    "/account",
    "/account/email",
    "/account/password",
    "/account/delete",
    "/authenticator",
)


@pytest.fixture(name="dovecote", scope="module")
def _dovecote() -> Iterator[Any]:
    with loaded(EXAMPLE) as module:
        yield module


@pytest.fixture(name="app")
def _app(dovecote: Any, tmp_path: Path) -> Flask:
    app: Flask = dovecote.create_app(tmp_path, STEPUP_STORAGE_TIMEOUT=5)
    return app


@pytest.fixture(name="clock")
def _clock() -> Iterator[time_machine.Coordinates]:
    """The time, which stands still until a test moves it on."""
    with time_machine.travel(T0, tick=False) as clock:
        yield clock


@pytest.fixture(name="newcomer")
def _newcomer(app: Flask, clock: object) -> Member:
    """Somebody who has just signed up."""
    newcomer = Member(app)
    newcomer.sign_up()
    return newcomer


@pytest.fixture(name="alice")
def _alice(newcomer: Member, clock: time_machine.Coordinates) -> Member:
    """Somebody with an authenticator, who has signed in afterwards."""
    newcomer.enrol()
    newcomer.sign_in()
    clock.shift(2 * STEP)
    return newcomer


def stored(app: Flask, query: str, *values: object) -> list[Any]:
    """What is in the database."""
    with closing(sqlite3.connect(app.config["DATABASE"])) as db:
        return db.execute(query, values).fetchall()


# Signing up, in and out


@pytest.mark.parametrize("path", SIGNED_IN_ONLY)
def test_a_stranger_is_sent_to_sign_in(app: Flask, path: str) -> None:
    """With the way back, and whether a page is guarded or not."""
    response = Member(app).open(path)

    assert response.status_code in (302, 303)
    assert response.location.partition("?")[0] == "/sign-in"


def test_whoever_signs_up_is_led_to_an_authenticator(app: Flask, clock: object) -> None:
    """The password is fresh, so that nothing else is asked for."""
    newcomer = Member(app)

    assert newcomer.sign_up().location == "/authenticator"
    assert "Set up an authenticator" in newcomer.says("/authenticator")


@pytest.mark.parametrize(
    ("email", "password", "told"),
    [
        ("alice@example.org", "eleven char", "Use at least 12 characters."),
        ("alice", "correct horse battery", "Enter an e-mail address"),
        ("a@b@example.org", "correct horse battery", "Enter an e-mail address"),
        ("", "correct horse battery", "Enter an e-mail address"),
        ("x" * 251 + "@y.z", "correct horse battery", "Enter an e-mail address"),
        ("BOB@example.ORG", "correct horse battery", "There is an account"),
    ],
)
def test_what_is_no_account_is_told(
    app: Flask, email: str, password: str, told: str
) -> None:
    """At its field, and with what was typed, except for the password."""
    Member(app, "bob@example.org").sign_up()
    stranger = Member(app, email, password)

    response = stranger.sign_up()

    assert response.status_code == 422
    assert told in response.text
    assert f'value="{email}"' in response.text
    assert password not in response.text
    assert len(stored(app, "SELECT * FROM users")) == 1


def test_signing_in_does_not_tell_what_was_wrong(app: Flask) -> None:
    """A wrong password and an unknown address get the same page."""
    Member(app).sign_up()
    wrong = Member(app, password="wrong horse battery").sign_in()
    unknown = Member(app, "nobody@example.org").sign_in()

    assert (wrong.status_code, unknown.status_code) == (422, 422)
    assert Prompt(wrong).says == Prompt(unknown).says
    assert "That address and password do not match." in wrong.text


def test_signing_in_takes_as_long_for_nobody(app: Flask) -> None:
    """A password is hashed where there is no user, which takes most of the time."""
    Member(app).sign_up()
    member, nobody = Member(app, password="wrong"), Member(app, "nobody@example.org")

    def fastest(person: Member) -> float:
        times = []
        for _ in range(4):
            began = time.perf_counter()
            person.sign_in()
            times.append(time.perf_counter() - began)
        return min(times)

    assert fastest(nobody) > fastest(member) / 3


@pytest.mark.parametrize("page", ["/account", "/account/email?from=mail", "/numbers"])
def test_signing_in_leads_to_the_page_that_was_wanted(app: Flask, page: str) -> None:
    """The address comes from Flask-Login or the step-up."""
    Member(app).sign_up()
    stranger = Member(app)

    way = stranger.open(page).location

    assert stranger.sign_in(way).location == page


@pytest.mark.parametrize(
    "page",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example/",
        "/\t/evil.example/",
        "/\n/evil.example",
        "\t//evil.example",
        " //evil.example",
        "javascript:alert(1)",
        "account",
        "/\u2028/evil.example",
        "",
    ],
)
def test_signing_in_leads_nowhere_else(app: Flask, page: str) -> None:
    """Promise 10: in the app's own part of the way."""
    Member(app).sign_up()
    person = Member(app)
    token = re.search(r'csrf_token" value="([^"]+)"', person.text("/sign-in"))
    assert token
    data = {"csrf_token": token[1], "email": person.email, "password": person.password}

    response = person.open("/sign-in", "POST", query_string={"next": page}, data=data)

    assert (response.status_code, response.location) == (303, "/")


def test_signing_out_ends_what_was_proved(alice: Member) -> None:
    """Promise 3: Flask-Login's logout forgets, in every copy of the cookie."""
    assert NUMBER in alice.step_up("/numbers", alice.code()).text
    cookie = alice.cookie()

    assert alice.post("/sign-out").location == "/sign-in"
    assert alice.open("/numbers").location.startswith("/sign-in")

    alice.put_back(cookie)
    alice.prompted("/numbers")


def test_one_person_after_another_in_one_browser(alice: Member) -> None:
    """Nothing of the first is left for the second."""
    alice.step_up("/numbers", alice.code())
    Member(alice.app, "bob@example.org").sign_up()

    alice.post("/sign-in", email="bob@example.org", password=alice.password)

    assert "bob@example.org" in alice.says("/account")
    assert alice.open("/numbers").status_code == 303


def test_a_post_of_another_site_does_nothing(alice: Member) -> None:
    """Without the token of the page it is told that the page is too old."""
    alice.step_up("/numbers", alice.code())
    data = {"email": "mallory@example.org"}

    response = alice.open("/account/email", "POST", data=data)

    assert response.status_code == 400
    assert "This page was open for too long" in response.text
    assert "alice@example.org" in alice.says("/account")
    assert alice.open("/sign-out", "POST").status_code == 400
    assert alice.open("/account").status_code == 200


# Enrol


def test_the_secret_is_on_the_page_and_nowhere_else(newcomer: Member) -> None:
    """As QR code, link and text; the session's cookie, which can be read, has none."""
    secret = newcomer.scan()
    page = newcomer.text("/authenticator")
    uri = re.search(r'href="(otpauth:[^"]+)"', page)
    assert uri

    parsed = pyotp.parse_uri(uri[1].replace("&amp;", "&"))

    assert (parsed.secret, parsed.issuer) == (secret, "Dovecote")
    assert parsed.name == "alice@example.org"
    assert '<svg viewBox="0 0 ' in page
    payload = newcomer.cookie().lstrip(".").split(".")[0] + "==="
    content = base64.urlsafe_b64decode(payload)
    if newcomer.cookie().startswith("."):
        content = zlib.decompress(content)
    assert b"pending" in content
    assert secret.encode() not in content


def test_a_first_code_sets_it_up(newcomer: Member) -> None:
    """The codes for bad days are shown, and this browser needs no other code now."""
    response = newcomer.enrol()

    assert response.status_code == 200
    assert "Your authenticator is set up." in response.text
    assert len(set(newcomer.backup_codes)) == 10
    assert response.headers["Cache-Control"] == "no-store"
    assert NUMBER in newcomer.text("/numbers")
    assert "10 left" in newcomer.says("/account")


def test_a_wrong_first_code_changes_nothing(newcomer: Member) -> None:
    """The same QR code stays, since the phone has it by now."""
    secret = newcomer.scan()

    for wrong in ("000000", "", "12345", "x" * 12, pyotp.TOTP(secret).at(T0 - 90)):
        response = newcomer.post("/authenticator", otp=wrong)
        assert response.status_code == 422
        assert "That is not the code." in response.text

    assert newcomer.scan() == secret
    assert stored(newcomer.app, "SELECT * FROM authenticators") == []
    spelled = pyotp.TOTP(secret).now()
    response = newcomer.post("/authenticator", otp=f" {spelled[:3]} {spelled[3:]} ")
    assert response.status_code == 200


def test_who_has_none_is_not_asked_for_a_code(newcomer: Member) -> None:
    """The prompt leads to where one is set up."""
    prompt = newcomer.prompted("/numbers")

    assert 'name="code"' not in prompt.text
    assert "Lost your phone?" not in prompt.text
    assert 'href="/authenticator">Set up an authenticator</a>' in prompt.text


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_first_authenticator_takes_a_fresh_password(
    newcomer: Member, clock: time_machine.Coordinates, method: str
) -> None:
    """Whoever finds an open session cannot make the account theirs."""
    clock.shift(600 if method == "GET" else 1200)
    way = (
        newcomer.open("/authenticator").location
        if method == "GET"
        else newcomer.post("/authenticator", otp="000000").location
    )

    assert way.partition("?")[0] == "/sign-in"
    assert "Your password, please" in newcomer.says(way)
    newcomer.password = "wrong horse battery"
    assert newcomer.sign_in(way).status_code == 422
    assert newcomer.open("/authenticator").status_code == 303

    newcomer.password = "correct horse battery"
    newcomer.sign_in(way)
    assert newcomer.enrol().status_code == 200


def test_a_qr_code_is_good_for_ten_minutes(
    newcomer: Member, clock: time_machine.Coordinates
) -> None:
    """All of them, even if the password is too old for another one by then."""
    clock.shift(590)
    secret = newcomer.scan()
    clock.shift(590)
    assert newcomer.open("/authenticator").status_code == 303

    response = newcomer.post("/authenticator", otp=pyotp.TOTP(secret).now())
    assert response.status_code == 200


def test_an_old_qr_code_is_none(
    newcomer: Member, clock: time_machine.Coordinates
) -> None:
    """It is told, nothing has changed, and the next one is another."""
    secret = newcomer.scan()
    clock.shift(600)

    response = newcomer.post("/authenticator", otp=pyotp.TOTP(secret).now())

    assert response.location == "/account"
    assert "That QR code is used, or too old." in newcomer.says("/account")
    assert stored(newcomer.app, "SELECT * FROM authenticators") == []
    newcomer.sign_in()
    assert newcomer.scan() != secret
    assert len(stored(newcomer.app, "SELECT * FROM pending_authenticators")) == 1


def test_each_browser_has_a_qr_code_of_its_own(newcomer: Member) -> None:
    """Whoever knows the password cannot lay a secret out for its owner to scan."""
    thief = newcomer.in_another_browser()
    planted = thief.scan()

    assert newcomer.scan() != planted
    response = newcomer.post("/authenticator", otp=pyotp.TOTP(planted).now())
    assert response.status_code == 422


def test_what_is_pending_for_one_person_is_nothing_to_another(
    newcomer: Member,
) -> None:
    """Not even if its name comes into their session."""
    secret = newcomer.scan()
    bob = Member(newcomer.app, "bob@example.org")
    bob.sign_up()
    with newcomer.client.session_transaction() as hers:
        name = hers["pending"]
    with bob.client.session_transaction() as his:
        his["pending"] = name

    response = bob.post("/authenticator", otp=pyotp.TOTP(secret).now())

    assert response.location == "/account"
    assert stored(bob.app, "SELECT * FROM authenticators") == []
    assert bob.scan() != secret
    assert newcomer.scan() == secret


def test_of_two_confirmations_at_once_one_counts(newcomer: Member) -> None:
    """The backup codes that are shown are those that are kept."""
    secret = newcomer.scan()
    code = pyotp.TOTP(secret).now()
    tabs = [newcomer.with_the_same_cookie() for _ in range(4)]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda tab: tab.post("/authenticator", otp=code), tabs))

    shown = [answer for answer in answers if answer.status_code == 200]
    assert len(shown) == 1
    assert len(stored(newcomer.app, "SELECT * FROM backup_codes")) == 10
    newcomer.sign_in()
    newcomer.step_up("/numbers", backup_codes(shown[0])[0])


def test_leave_for_a_first_one_replaces_none(
    dovecote: Any, newcomer: Member, clock: time_machine.Coordinates
) -> None:
    """An authenticator that comes while another is being confirmed stays."""
    authenticators = dovecote.enrolment.authenticators
    newcomer.enrol()
    (user_id,) = stored(newcomer.app, "SELECT id FROM users")[0]

    with newcomer.app.app_context():
        name, _ = authenticators.begin(user_id)
        with dovecote.storage.transaction() as db:
            assert not authenticators.keep(db, name, user_id, None)
            assert not authenticators.keep(db, name, "somebody else", None)
            assert authenticators.secret_of(user_id) == newcomer.secret
            assert authenticators.keep(db, name, user_id, newcomer.secret)


def test_loading_the_page_of_codes_again_shows_none(newcomer: Member) -> None:
    """They are shown once, and stay as they are."""
    newcomer.enrol()
    kept = stored(newcomer.app, "SELECT digest FROM backup_codes ORDER BY digest")

    response = newcomer.post("/authenticator", otp=newcomer.code())

    assert response.status_code in (303, 403)
    assert backup_codes(response) == []
    assert kept == stored(
        newcomer.app, "SELECT digest FROM backup_codes ORDER BY digest"
    )


# Verify


def test_wrong_codes_are_counted(alice: Member) -> None:
    """Promise 4: the sixth is not looked at, and neither is a right one then."""
    prompt = alice.prompted("/numbers")

    answers = [alice.answer(prompt, "000000").status_code for _ in range(5)]
    locked = alice.answer(prompt, alice.code())

    assert answers == [422] * 5
    assert locked.status_code == 429
    assert NUMBER not in alice.text("/numbers")


def test_a_code_is_not_taken_twice(
    alice: Member, clock: time_machine.Coordinates
) -> None:
    """Promise 5: neither in another browser nor in the step after."""
    code = alice.code()
    assert NUMBER in alice.step_up("/numbers", code).text
    other = alice.in_another_browser()

    for _ in range(2):
        again = other.answer(other.prompted("/numbers"), code)
        assert again.status_code == 422
        assert "That code has been used" in again.text
        clock.shift(STEP - 1)


def test_the_code_that_confirms_opens_no_prompt(
    newcomer: Member, clock: time_machine.Coordinates
) -> None:
    """Promise 5: it was checked by the app, and is used up all the same."""
    newcomer.enrol()
    confirming = newcomer.code()
    other = newcomer.in_another_browser()

    again = other.answer(other.prompted("/numbers"), confirming)

    assert again.status_code == 422
    assert "That code has been used" in again.text


def test_what_is_typed_is_carried_through_the_prompt(alice: Member) -> None:
    """Promise 8: with Flask-WTF's token, by which it is taken as any other post."""
    prompt = alice.asked("/account/email", email="new@example.org")
    assert "Change your e-mail address" in prompt.says
    assert "alice@example.org" in alice.says("/account")

    response = alice.go_on(alice.answer(prompt, alice.code()))

    assert (response.status_code, response.location) == (303, "/account")
    says = alice.says("/account")
    assert "has been changed from alice@example.org." in says
    alice.email = "new@example.org"
    assert alice.sign_in().status_code == 303


def test_an_address_of_somebody_else_is_refused(alice: Member) -> None:
    """After the code, and with what was typed."""
    Member(alice.app, "bob@example.org").sign_up()
    prompt = alice.asked("/account/email", email="Bob@Example.org")

    response = alice.go_on(alice.answer(prompt, alice.code()))

    assert response.status_code == 422
    assert "There is an account with this address." in response.text
    assert 'value="Bob@Example.org"' in response.text


def test_a_notice_is_approved_as_it_is_shown(
    alice: Member, clock: time_machine.Coordinates
) -> None:
    """Promise 9: with another text, or a second time, it takes another code."""
    prompt = alice.asked("/", text=f"  {NOTICE}\r\n ")
    assert f"Send a notice To 48 members Notice {NOTICE}" in prompt.says
    approved = alice.answer(prompt, alice.code())

    alice.asked("/", text="No training, ever.")
    assert alice.go_on(approved).status_code == 303

    says = alice.says("/")
    assert "Sent to 48 members." in says
    assert f"Sent {NOTICE}" in says
    assert alice.go_on(approved).status_code == 403
    clock.shift(STEP)
    alice.step_up("/numbers", alice.code())
    alice.asked("/", text=NOTICE)
    assert stored(alice.app, "SELECT text FROM notices") == [(NOTICE,)]


@pytest.mark.parametrize("text", ["", " \n ", "x" * 281])
def test_a_notice_that_is_none_is_told_before_a_code(alice: Member, text: str) -> None:
    """Nobody gives a code for what cannot be done."""
    response = alice.post("/", text=text)

    assert response.status_code == 422
    assert 'aria-invalid="true"' in response.text


def test_notices_are_shown_to_who_sent_them(alice: Member) -> None:
    """And to nobody else."""
    alice.go_on(alice.answer(alice.asked("/", text=NOTICE), alice.code()))
    bob = Member(alice.app, "bob@example.org")
    bob.sign_up()

    assert NOTICE in alice.says("/")
    assert NOTICE not in bob.says("/")


# Passwords, and the end


def test_a_new_password_signs_everybody_else_out(
    alice: Member, clock: time_machine.Coordinates
) -> None:
    """What was proved ends as well, here too, and old cookies are nobody's."""
    other = alice.in_another_browser()
    other.step_up("/numbers", alice.code())
    clock.shift(STEP)
    alice.step_up("/account/password", alice.code())
    old = alice.cookie()

    response = alice.post(
        "/account/password",
        current_password=alice.password,
        new_password="another horse battery",
    )

    assert (response.status_code, response.location) == (303, "/account")
    assert "Your password has been changed." in alice.says("/account")
    alice.prompted("/numbers")
    assert other.open("/numbers").location.startswith("/sign-in")
    thief = Member(alice.app)
    thief.put_back(old)
    assert thief.open("/account").location.startswith("/sign-in")
    assert alice.sign_in().status_code == 422
    alice.password = "another horse battery"
    assert alice.sign_in().status_code == 303


@pytest.mark.parametrize(
    ("current", "new", "told"),
    [
        ("wrong horse battery", "another horse battery", "not your current password"),
        ("correct horse battery", "too short", "Use at least 12 characters."),
    ],
)
def test_a_password_that_is_refused(
    alice: Member, current: str, new: str, told: str
) -> None:
    """The old one stays, and so do all sessions."""
    alice.step_up("/account/password", alice.code())

    response = alice.post(
        "/account/password", current_password=current, new_password=new
    )

    assert response.status_code == 422
    assert told in response.text
    assert alice.open("/account").status_code == 200
    assert alice.sign_in().status_code == 303


def test_a_password_is_not_carried_through_the_prompt(alice: Member) -> None:
    """It is typed again, since the prompt's page could be read."""
    prompt = alice.asked(
        "/account/password",
        current_password=alice.password,
        new_password="another horse battery",
    )
    assert "another horse" not in prompt.text
    approved = alice.answer(prompt, alice.code())
    assert "another horse" not in approved.text

    response = alice.go_on(
        approved,
        current_password=alice.password,
        new_password="another horse battery",
    )

    assert response.location == "/account"


def test_a_password_that_cannot_end_sessions_is_not_changed(
    dovecote: Any, tmp_path: Path, clock: time_machine.Coordinates
) -> None:
    """The ledger and the account change together, or neither does."""
    app = dovecote.create_app(tmp_path, STEPUP_STORAGE_TIMEOUT=0.1)
    alice = Member(app)
    alice.sign_up()
    alice.enrol()
    before = stored(app, "SELECT * FROM users")
    with closing(sqlite3.connect(tmp_path / "stepup.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        response = alice.post(
            "/account/password",
            current_password=alice.password,
            new_password="another horse battery",
        )

    assert response.status_code == 503
    assert stored(app, "SELECT * FROM users") == before
    assert NUMBER in alice.text("/numbers")


def test_deleting_an_account_takes_a_code_for_just_that(
    alice: Member, clock: time_machine.Coordinates
) -> None:
    """One for something else does not do, and afterwards nothing is left of it."""
    alice.step_up("/numbers", alice.code())
    clock.shift(STEP)
    prompt = alice.asked("/account/delete")
    assert "Delete your account" in prompt.says
    cookie = alice.cookie()

    response = alice.go_on(alice.answer(prompt, alice.code()))

    assert response.location == "/sign-in"
    assert "Your account is deleted." in alice.says("/sign-in")
    alice.put_back(cookie)
    assert alice.open("/account").location.startswith("/sign-in")
    for table in ("users", "authenticators", "backup_codes", "pending_authenticators"):
        assert stored(alice.app, f"SELECT * FROM {table}") == []  # noqa: S608
    again = Member(alice.app)
    again.sign_up()
    assert again.prompted("/numbers")


# Recover


def test_a_backup_code_serves_once(alice: Member) -> None:
    """However it is written; the next page tells how many are left."""
    code = alice.backup_codes[0].replace("-", " ").upper()
    assert "You have 9 left." in Prompt(alice.step_up("/numbers", code)).says
    other = alice.in_another_browser()

    again = other.answer(other.prompted("/numbers"), alice.backup_codes[0])

    assert again.status_code == 422
    assert len(stored(alice.app, "SELECT * FROM backup_codes")) == 9


def test_a_used_backup_code_is_told_where_it_is_read(alice: Member) -> None:
    """Not on the page that sends the form on, which nobody has the time to read."""
    approved = alice.answer(alice.asked("/", text=NOTICE), alice.backup_codes[0])
    assert "9 left" not in approved.text

    alice.go_on(approved)

    says = alice.says("/")
    assert "That was a backup code, and is used up. You have 9 left." in says
    assert "Sent to 48 members." in says


def test_a_backup_code_stays_used(
    alice: Member, clock: time_machine.Coordinates
) -> None:
    """When the ledger has forgotten it, the table has too."""
    alice.step_up("/numbers", alice.backup_codes[0])
    clock.shift(86_400)
    other = alice.in_another_browser()

    again = other.answer(other.prompted("/numbers"), alice.backup_codes[0])

    assert "That code is not right" in again.text


def test_of_many_who_use_a_backup_code_at_once_one_does(alice: Member) -> None:
    """Promise 5: with one code, one browser is let in."""
    browsers = [alice.in_another_browser() for _ in range(4)]
    prompts = [browser.prompted("/numbers") for browser in browsers]
    code = alice.backup_codes[0]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda b, p: b.answer(p, code), browsers, prompts))

    assert sorted(answer.status_code for answer in answers) == [303, 422, 422, 422]
    opened = [NUMBER in browser.text("/numbers") for browser in browsers]
    assert sum(opened) == 1


def test_spending_is_one_step(dovecote: Any, alice: Member) -> None:
    """Without the ledger too: the table alone tells True to one of many."""
    (user_id,) = stored(alice.app, "SELECT id FROM users")[0]
    spend = dovecote.enrolment.backup_codes.spend

    def one(_: int) -> Any:
        with alice.app.app_context():
            return spend(user_id, alice.backup_codes[0])

    with ThreadPoolExecutor(16) as pool:
        told = list(pool.map(one, range(16)))

    assert sorted(told) == [False] * 15 + [True]


def test_a_backup_code_of_one_person_is_none_of_another(alice: Member) -> None:
    """Each has a salt of their own, too."""
    bob = Member(alice.app, "bob@example.org")
    bob.sign_up()
    bob.enrol()
    bob.sign_in()

    answer = bob.answer(bob.prompted("/numbers"), alice.backup_codes[0])

    assert answer.status_code == 422
    assert len(stored(alice.app, "SELECT DISTINCT salt FROM backup_codes")) == 2
    assert len(stored(alice.app, "SELECT * FROM backup_codes")) == 20


def test_what_is_kept_tells_no_backup_code_and_no_password(alice: Member) -> None:
    """They are hashed, and the file is its owner's alone."""
    file = Path(alice.app.config["DATABASE"])
    content = file.read_bytes()

    for code in alice.backup_codes:
        assert code.encode() not in content
        assert code.replace("-", "").encode() not in content
    assert alice.password.encode() not in content
    assert file.stat().st_mode & 0o777 == 0o600


def test_few_backup_codes_are_told_on_every_page(alice: Member) -> None:
    """The last one, and that there is none, in other words."""
    told = {}
    for code in alice.backup_codes:
        browser = alice.in_another_browser()
        browser.step_up("/numbers", code)
        left = len(stored(alice.app, "SELECT * FROM backup_codes"))
        found = re.search(r"You have [\w ]+ backup codes?( left)?", browser.says("/"))
        told[left] = found and found[0]

    assert told == {
        **dict.fromkeys(range(4, 10)),
        3: "You have 3 backup codes left",
        2: "You have 2 backup codes left",
        1: "You have 1 backup code left",
        0: "You have no backup codes left",
    }


def test_a_lost_phone(alice: Member, clock: time_machine.Coordinates) -> None:
    """A backup code opens the way to a new authenticator, which ends the old one."""
    lost, old_codes = alice.secret, alice.backup_codes[1:]
    thief = alice.in_another_browser()
    thief.step_up("/numbers", alice.code())
    prompt = alice.prompted("/numbers")
    assert 'href="/lost-phone">Lost your phone?</a>' in prompt.text
    assert 'href="/authenticator">Set up a new one</a>' in alice.text("/lost-phone")
    prompt = alice.prompted("/authenticator")
    assert "Replace your authenticator" in prompt.says
    alice.answer(prompt, alice.backup_codes[0])

    response = alice.enrol()

    assert response.status_code == 200
    assert alice.secret != lost
    assert thief.open("/numbers").location.startswith("/sign-in")
    assert alice.open("/account").status_code == 200
    alice.prompted("/authenticator")  # what was proved by the old one has ended
    clock.shift(STEP)
    browser = alice.in_another_browser()
    for code in (pyotp.TOTP(lost).now(), *old_codes[:3]):
        answer = browser.answer(browser.prompted("/numbers"), code)
        assert answer.status_code == 422
    browser.step_up("/numbers", alice.code())


def test_replacing_takes_a_code_for_just_that(
    alice: Member, clock: time_machine.Coordinates
) -> None:
    """A fresh password does not do, nor a code that opened something else."""
    alice.sign_in()
    alice.prompted("/authenticator")
    alice.step_up("/numbers", alice.code())

    alice.prompted("/authenticator")
    assert alice.asked("/authenticator", otp="000000")


def test_new_backup_codes_take_a_code_each_time(
    alice: Member, clock: time_machine.Coordinates
) -> None:
    """They are shown once, and the old ones have stopped working."""
    prompt = alice.asked("/backup-codes")
    assert "Show new backup codes" in prompt.says

    response = alice.go_on(alice.answer(prompt, alice.code()))

    new = backup_codes(response)
    assert response.status_code == 200
    assert len(set(new)) == 10
    assert response.headers["Cache-Control"] == "no-store"
    assert len(stored(alice.app, "SELECT * FROM backup_codes")) == 10
    alice.asked("/backup-codes")
    old = alice.answer(alice.prompted("/numbers"), alice.backup_codes[0])
    assert old.status_code == 422
    alice.step_up("/numbers", new[0])


def test_support_lets_somebody_start_anew(alice: Member) -> None:
    """Locked out or not: with the password alone, and out of all browsers."""
    prompt = alice.prompted("/numbers")
    for _ in range(6):
        alice.answer(prompt, "000000")
    command = alice.app.test_cli_runner()

    done = command.invoke(args=["remove-authenticator", " Alice@example.org"])

    assert done.exit_code == 0, done.output
    assert "alice@example.org signs in with the password" in done.output
    assert alice.open("/account").location.startswith("/sign-in")
    assert stored(alice.app, "SELECT * FROM backup_codes") == []
    alice.sign_in()
    assert alice.enrol().status_code == 200
    alice.sign_in()
    alice.step_up("/numbers", alice.backup_codes[0])

    nobody = command.invoke(args=["remove-authenticator", "nobody@example.org"])
    assert nobody.exit_code == 1
    assert "nobody has the address nobody@example.org" in nobody.output


# What every page is


def test_no_page_needs_anything_but_its_own_origin(alice: Member) -> None:
    """No script of the app, no inline style, and a policy that says so."""
    pages = ["/sign-in", "/sign-up", "/lost-phone", "/nowhere", *SIGNED_IN_ONLY]
    responses = [alice.open(path) for path in pages]
    responses.append(alice.prompted("/numbers").response)
    responses.append(alice.asked("/", text=NOTICE).response)
    alice.step_up("/account/password", alice.code())
    responses += [alice.open(path) for path in pages]

    for response in responses:
        scripts = re.findall(r"<script[^>]*>", response.text)
        assert len(scripts) == ("stepup-card" in response.text)
        assert not re.search(r"<style|\sstyle=|\son\w+=", response.text)
        assert not re.search(
            r'(?:src|href|action)="(?!/[^/]|#main|otpauth:)', response.text
        )
        policies = response.headers.getlist("Content-Security-Policy")
        assert policies[-1].startswith("default-src 'self';")
        assert response.headers["Referrer-Policy"] == "same-origin"
        assert response.headers["Cache-Control"] == "no-store"


def test_the_session_cookie_is_kept_from_scripts_and_other_sites(
    alice: Member,
) -> None:
    """HttpOnly, and not sent when another site posts."""
    cookie = alice.client.get_cookie("dovecote")

    assert cookie
    assert (cookie.http_only, cookie.same_site) == (True, "Lax")


def test_the_app_itself_shows_nobodys_codes(alice: Member) -> None:
    """The phone beside the page comes with the demo alone."""
    assert "iframe" not in alice.text("/account")
    assert alice.open("/pretend-phone").status_code == 404


# The demo's phone


@pytest.fixture(name="demo")
def _demo(dovecote: Any, app: Flask) -> Flask:
    import pretend_phone

    pretend_phone.add_pretend_phone(app)
    return app


def test_the_pretend_phone_shows_codes_that_open(demo: Flask, alice: Member) -> None:
    """The one of the authenticator, crossed out when it is used, and a pending one."""
    assert '<iframe src="/pretend-phone"' in alice.text("/account")
    screen = alice.open("/pretend-phone")
    assert screen.headers["Refresh"] == "30"
    assert f"{alice.code()[:3]} {alice.code()[3:]}" in screen.text

    alice.step_up("/authenticator", alice.code())
    says = alice.says("/pretend-phone")
    assert "Used: each code works once. The next one comes in 30 s." in says
    new = pyotp.TOTP(alice.scan()).now()
    assert f"Dovecote new {new[:3]} {new[3:]}" in alice.says("/pretend-phone")


def test_the_pretend_phone_is_each_persons_own(demo: Flask, alice: Member) -> None:
    """A stranger sees none, and somebody else another."""
    bob = Member(demo, "bob@example.org")
    assert "Nothing here yet." in bob.says("/pretend-phone")
    bob.sign_up()

    assert "Nothing here yet." in bob.says("/pretend-phone")
    assert alice.code()[:3] in alice.says("/pretend-phone")


# As a process


@pytest.fixture(name="environment")
def _environment() -> dict[str, str]:
    return {**os.environ, "PORT": "0"}  # any that is free


def test_the_script_says_where_it_is_and_ends_well(environment: dict[str, str]) -> None:
    """It prints what to open and what to do there; Ctrl-C ends it with status 0."""
    with started(environment, SCRIPT) as process:
        printed = read_until(process.stdout, "Ctrl-C")
        page = get(port_in(printed), "/sign-in")
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate()

    assert "Sign up with any address" in printed
    assert "pretend phone" in printed
    assert len(printed.splitlines()) < 15
    assert "Short notices to everyone in your club" in page
    assert "Only in this demo" in page
    assert "closed" in rest
    assert (process.returncode, errors) == (0, "")


def test_a_busy_port_is_told_in_one_line(environment: dict[str, str]) -> None:
    """It names the port and the way to choose another; there is no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(environment | {"PORT": str(port)}, SCRIPT)

    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert f"Port {port} " in done.stderr
    assert "PORT=" in done.stderr


def test_flask_run_serves_it_without_the_phone(environment: dict[str, str]) -> None:
    """``flask --app … run`` finds the factory and its neighbours, and is no demo."""
    command = f"-m flask --app {SCRIPT} run --port 0"
    with started(environment, *command.split()) as process:
        page = get(port_in(read_until(process.stderr, "Running on")), "/sign-in")

    assert "Short notices to everyone in your club" in page
    assert "Only in this demo" not in page

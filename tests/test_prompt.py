"""The prompt: what it shows, how it takes codes, and whom it lets on."""

from __future__ import annotations

import re
import secrets
import sqlite3
import time
import unicodedata
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import time_machine
from conftest import MakeApp
from conftest import signed_in
from flask import Flask
from people import Codes
from people import PAGE
from people import Person

from flask_stepup import IncorrectCode
from flask_stepup import NotEnrolled
from flask_stepup import OutcomeUnknown
from flask_stepup import require_reverification
from flask_stepup import StepUp
from flask_stepup import Verification
from flask_stepup import VerifierMisconfigured
from flask_stepup import VerifierUnavailable


def test_the_page_carries_the_headers_that_protect_it(alice: Person) -> None:
    """Not stored, not framed, and no address of it told to another site."""
    headers = alice.prompted().response.headers

    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert headers["X-Frame-Options"] == "DENY"


def test_the_page_has_no_inline_script_or_style(alice: Person) -> None:
    """It works under ``default-src 'self'``: style sheet and script are files."""
    page = alice.prompted()

    assert not re.search(r"<style|style=|\son\w+=|javascript:", page.text)
    assert re.findall(r"<script[^>]*>[^<]*", page.text) == [
        '<script src="/stepup/static/stepup.js" defer>'
    ]
    assert re.findall(r'(?:src|href)="([^"#]+)"', page.text) == [
        "/stepup/static/stepup.css",
        "/stepup/static/stepup.js",
        "/",
    ]
    with alice.open("/stepup/static/stepup.css") as style_sheet:
        assert style_sheet.mimetype == "text/css"
    with alice.open("/stepup/static/stepup.js") as script:
        assert script.mimetype == "text/javascript"


def test_the_prompt_names_what_is_about_to_happen(make_app: MakeApp) -> None:
    """The reason is on the page, escaped, and in the JSON."""
    app = make_app()
    guard = require_reverification(reason="Send <b>money</b> & more")
    app.add_url_rule("/send", view_func=guard(lambda: "sent"))
    alice = Person(app, "alice")

    assert "Send &lt;b&gt;money&lt;/b&gt; &amp; more" in alice.prompted("/send").text
    assert alice.json("/send").json["policy"]["reason"] == "Send <b>money</b> & more"


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("123456", "123456"),
        ("123 456", "123456"),
        ("123-456", "123456"),
        (" 123\u00a0456\n", "123456"),
        ("\u200e123\u3000456\t", "123456"),
        ("１２３４５６", "123456"),  # noqa: RUF001
        ("right-Code", "right-Code"),
        (" ABCD efgh ", "ABCD efgh"),
        ("1234-5678", "1234-5678"),
    ],
)
def test_codes_are_taken_as_people_type_them(
    alice: Person, codes: Codes, typed: str, asked: str
) -> None:
    """Six digits in any grouping and script; backup codes as they are."""
    alice.answer(alice.prompted(), typed)

    assert codes.asked == [("alice", asked)]


@pytest.mark.parametrize("typed", ["", "  ", "x" * 73, "1" * 100_000, "a\0b", "a\nb"])
def test_what_cannot_be_a_code_is_refused_before_anybody_is_asked(
    alice: Person, codes: Codes, typed: str
) -> None:
    """400 with a sentence, no request to the backend, and no attempt used up."""
    prompt = alice.prompted()
    for _ in range(7):
        response = alice.answer(prompt, typed)

        assert response.status_code == 400
        assert "Enter a code" in response.text
    assert codes.asked == []
    assert alice.answer(prompt, "right").status_code == 303


# What may go wrong at verify: the error, the status, the code, and words of the page.
OUTCOMES: list[tuple[Exception, int, str, str]] = [
    (IncorrectCode(), 422, "incorrect_code", "You have 4 tries left"),
    (NotEnrolled(), 403, "not_enrolled", "No authenticator app yet"),
    (VerifierUnavailable(), 503, "verifier_unavailable", "does not count as a try"),
    (VerifierMisconfigured(), 503, "verifier_unavailable", "does not count as a try"),
    (OutcomeUnknown(), 503, "outcome_unknown", "it may be used up now"),
    (ZeroDivisionError(), 503, "verifier_unavailable", "not your fault. Please try"),
]


@pytest.mark.parametrize(("error", "status", "code", "sentence"), OUTCOMES)
def test_every_outcome_has_its_status_and_its_sentence(
    alice: Person,
    codes: Codes,
    error: Exception,
    status: int,
    code: str,
    sentence: str,
) -> None:
    """Page and JSON say the same with the same status, and nothing is opened."""
    codes.raises = error
    prompt = alice.prompted()

    page = alice.answer(prompt, "right")
    data = alice.client.post(
        "/stepup/", json={"challenge": prompt.challenge, "code": "right"}
    )

    assert (page.status_code, data.status_code) == (status, status)
    assert sentence in page.text
    assert data.json["code"] == code
    assert ("Retry-After" in page.headers) is (status == 503)
    assert data.headers.get("Retry-After") == page.headers.get("Retry-After")
    assert alice.open("/vault").status_code == 303


def test_the_prompt_stays_after_a_wrong_code(alice: Person) -> None:
    """The page after a wrong code takes the right one, without a new challenge."""
    again = alice.prompted()
    again.response = alice.answer(again, "wrong")

    assert 'aria-invalid="true"' in again.text
    assert 'role="alert"' in again.text
    assert alice.answer(again, "right").location == "/vault"


def test_attempts_are_counted_down_and_end(alice: Person, codes: Codes) -> None:
    """Five tries, each told how many are left; the sixth asks nobody: 429."""
    prompt = alice.prompted()
    told = [alice.answer(prompt, f"wrong {n}") for n in range(5)]
    locked = alice.answer(prompt, "right")

    said = [re.search(r"now\. (.*?)</p>", response.text) for response in told]
    assert [match and match[1] for match in said] == [
        "You have 4 tries left.",
        "You have 3 tries left.",
        "You have 2 tries left.",
        "You have one try left.",
        "This was your last try for now.",
    ]
    assert locked.status_code == 429
    assert re.search(r"accepted for 5 minutes, until \d\d:\d\d:\d\d UTC\.", locked.text)
    assert 'name="code"' not in locked.text
    assert 'href="/vault">Try again' in locked.text
    assert 295 <= int(locked.headers["Retry-After"]) <= 300
    assert len(codes.asked) == 5


def test_a_right_code_clears_the_attempts(alice: Person) -> None:
    """Who got it right in the end starts anew."""
    prompt = alice.prompted()
    for n in range(4):
        alice.answer(prompt, f"wrong {n}")
    alice.answer(prompt, "right 1")
    other = Person(alice.app, "alice")
    prompt = other.prompted()

    assert "You have 4 tries left" in other.answer(prompt, "wrong").text


def test_an_outage_uses_no_attempt(alice: Person, codes: Codes) -> None:
    """Promise 7: what the verifier could not answer is given back."""
    prompt = alice.prompted()
    for error in (VerifierUnavailable(), OutcomeUnknown(), VerifierMisconfigured()):
        for _ in range(6):
            codes.raises = error
            assert alice.answer(prompt, "right").status_code == 503
    codes.raises = None

    assert "You have 4 tries left" in alice.answer(prompt, "wrong").text


def test_a_code_opens_once(alice: Person, codes: Codes) -> None:
    """Promise 5: the same right code opens nothing in another browser."""
    alice.step_up("right")
    other = Person(alice.app, "alice")

    refused = other.answer(other.prompted(), "right")

    assert refused.status_code == 422
    assert "That code has been used" in refused.text
    assert other.open("/vault").status_code == 303
    assert Person(alice.app, "bob").step_up("right").status_code == 303


def test_who_is_verified_already_is_sent_on_without_a_code(
    alice: Person, codes: Codes
) -> None:
    """A second tab, a double click or the back button need no second code."""
    first, second = alice.prompted(), alice.prompted()
    alice.answer(first, "right")

    assert alice.answer(second, "").location == "/vault"
    assert alice.open(f"/stepup/?challenge={second.challenge}").location == "/vault"
    assert len(codes.asked) == 1


def test_verify_answers_json_to_json(alice: Person) -> None:
    """200 with what was proved and for how long."""
    challenge = alice.json().json["challenge"]

    body = {"challenge": challenge, "code": "right"}
    response = alice.client.post("/stepup/", json=body)

    assert response.status_code == 200
    assert response.json["expires_in"] in (599, 600)
    assert response.json | {"expires_in": 0} == {
        "verified": True,
        "code_type": "backup_code",
        "expires_in": 0,
    }
    assert response.headers["Cache-Control"] == "no-store"
    assert alice.json().text == "the vault is open"
    again = alice.client.post("/stepup/", json=body)
    assert (again.status_code, again.json["code_type"]) == (200, None)


BAD_BODIES: list[dict[str, Any]] = [
    {"json": None},
    {"json": []},
    {"json": {"challenge": 5, "code": ["right"]}},
    {"data": b"[" * 100_000, "content_type": "application/json"},
    {"data": b"{", "content_type": "application/json"},
    {"data": b"\xff\xfe", "content_type": "application/x-www-form-urlencoded"},
    {"data": {}},
    {"data": {"challenge": "x.y.z", "code": "\ud800".encode("utf-8", "surrogatepass")}},
    {"data": {"challenge": "x" * 100_000, "code": "1"}},
]


@pytest.mark.parametrize("body", BAD_BODIES)
def test_no_body_makes_an_error_of_ours(alice: Person, body: dict[str, Any]) -> None:
    """What is no challenge of ours is 400 ``challenge_invalid``, never a 500."""
    response = alice.client.post("/stepup/", **body)

    assert (response.status_code, response.json["code"]) == (400, "challenge_invalid")


def test_a_challenge_of_another_browser_is_refused(alice: Person) -> None:
    """Promise 1: a link to a prompt made elsewhere cannot be answered here."""
    attacker = Person(alice.app, "alice")
    link = attacker.open("/vault").location
    prompt = attacker.prompted()
    alice.prompted()

    assert alice.open(link).status_code == 400
    assert "does not belong to your current session" in alice.open(link).text
    assert alice.answer(prompt, "right").status_code == 400


def test_switching_user_mid_challenge_is_refused(alice: Person, codes: Codes) -> None:
    """Promise 1: the person who answers must be the one who was asked."""
    prompt = alice.prompted()
    alice.client.get("/sign-in/bob")

    assert alice.answer(prompt, "right").status_code == 400
    assert codes.asked == []


def test_a_marker_of_another_user_opens_nothing(alice: Person) -> None:
    """Promise 1: whoever signs in next in this browser is asked."""
    alice.step_up("right")
    alice.client.get("/sign-in/bob")

    assert alice.open("/vault").status_code == 303


def test_an_expired_prompt_is_renewed_and_says_so(alice: Person, codes: Codes) -> None:
    """400, nothing lost: the page has a fresh challenge, and so has the JSON."""
    prompt = alice.prompted("/vault?x=1")
    with time_machine.travel(time.time() + 901):
        page = alice.answer(prompt, "right")
        data = alice.client.post("/stepup/", json=prompt.fields | {"code": "right"})
        shown = alice.open(f"/stepup/?challenge={prompt.challenge}")

        assert (page.status_code, data.status_code) == (400, 400)
        assert (shown.status_code, codes.asked) == (200, [])
        assert "This page was open for too long" in page.text
        assert data.json["code"] == "challenge_expired"
        body = {"challenge": data.json["challenge"], "code": "right"}
        assert alice.client.post("/stepup/", json=body).status_code == 200
        prompt.response = page
        assert alice.answer(prompt, "x").location == "/vault?x=1"


def test_a_prompt_is_not_renewed_for_ever(alice: Person) -> None:
    """A day after its first issue a challenge has to be made anew."""
    prompt = alice.prompted()
    start = time.time()
    with time_machine.travel(start) as clock:
        for minute in range(14, 24 * 60, 14):
            clock.move_to(start + 60 * minute)
            prompt.response = alice.open(f"/stepup/?challenge={prompt.challenge}")
            assert prompt.response.status_code == 200
        clock.move_to(start + 86_400 + 900)

        assert alice.answer(prompt, "right").status_code == 400
        assert "start again" in alice.answer(prompt, "right").text


@pytest.mark.parametrize(
    ("age", "status"), [(-11, 400), (-10, 303), (0, 303), (899, 303), (900, 400)]
)
def test_a_prompt_stays_open_for_its_time(
    make_app: MakeApp, age: int, status: int
) -> None:
    """``-leeway <= age < STEPUP_CHALLENGE_MAX_AGE``, to the second."""
    app = make_app()
    now = int(time.time())
    with time_machine.travel(now, tick=False) as clock:
        alice = Person(app, "alice")
        # The nonce is older than the prompt: Flask's own cookie has no leeway, so a
        # cookie signed later than now would not be read at all.
        alice.prompted()
        clock.move_to(now + 100)
        prompt = alice.prompted()
        clock.move_to(now + 100 + age)

        assert alice.answer(prompt, "right").status_code == status


def test_anonymous_people_are_sent_to_sign_in(make_app: MakeApp) -> None:
    """A page goes to STEPUP_LOGIN_URL with ``next``; without it, 401."""
    with_login = Person(make_app(STEPUP_LOGIN_URL="/login"))

    response = with_login.open("/vault?a=1")

    assert (response.status_code, response.location) == (
        303,
        "/login?next=%2Fvault%3Fa%3D1",
    )
    assert with_login.json().status_code == 401
    assert with_login.open("/stepup/").status_code == 303


def test_anonymous_people_get_401_where_there_is_no_login(app: Flask) -> None:
    """Page and JSON alike."""
    nobody = Person(app)

    assert nobody.open("/vault").status_code == 401
    assert nobody.json().json["code"] == "unauthenticated"
    assert nobody.json("/stepup/", "POST").json["code"] == "unauthenticated"


def test_a_person_without_an_authenticator_is_shown_where_to_get_one(
    make_app: MakeApp, codes: Codes
) -> None:
    """``STEPUP_ENROLL_URL`` is on the page and in the JSON; no code is asked for."""
    alice = Person(make_app(STEPUP_ENROLL_URL="/enroll"), "alice")
    codes.raises = NotEnrolled()
    prompt = alice.prompted()

    page = alice.answer(prompt, "right")
    data = alice.client.post("/stepup/", json=prompt.fields | {"code": "right"})

    assert 'href="/enroll"' in page.text
    assert 'name="code"' not in page.text
    assert data.json["enroll_url"] == "/enroll"


HOSTILE_REFERRERS = [
    "https://evil.example/",
    "http://localhost:81/x",
    "http://localhost@evil.example/",
    "http://localhost//evil.example/",
    "http://localhost/\\evil.example/",
    "http://localhost/\\/evil.example/",
    "http://[::1",
    "javascript:alert(1)",
    "http://localhost/%09/evil.example",
]


@pytest.mark.parametrize("referrer", HOSTILE_REFERRERS)
def test_the_way_back_never_leaves_this_origin(alice: Person, referrer: str) -> None:
    """Promise 10: whatever a Referer says, Cancel and the way back are ours."""
    response = alice.open("/vault", "POST", headers={"Referer": referrer})
    found = re.search(r'href="([^"]*)">Cancel', response.text)

    assert found
    assert re.match(r"/(?![/\\])", found[1])


def test_two_slashes_in_front_are_no_host(make_app: MakeApp) -> None:
    """Promise 10: a path of ours that looks like a host comes back as a path."""
    app = make_app()
    app.url_map.merge_slashes = False
    guarded = require_reverification(lambda rest: "in")
    app.add_url_rule("/<path:rest>", view_func=guarded)
    alice = Person(app, "alice")

    response = alice.client.get(
        "http://localhost/", headers=PAGE, environ_overrides={"PATH_INFO": "//evil/x"}
    )
    page = alice.open(response.location)
    token = re.search(r'name="challenge" value="([^"]*)"', page.text)

    assert token
    data = {"challenge": token[1], "code": "right"}
    assert alice.open("/stepup/", "POST", data=data).location == "/.//evil/x"


def test_the_app_may_be_mounted_below_a_path(make_app: MakeApp) -> None:
    """``script_root`` is part of every address that we make."""
    app = make_app()
    alice = Person(app)
    below = {"environ_overrides": {"SCRIPT_NAME": "/bank"}}
    alice.client.get("/sign-in/alice", **below)  # type: ignore[arg-type]
    response = alice.open("/vault?x=1", **below)

    assert response.location.startswith("/bank/stepup/?challenge=")
    prompt = alice.prompted()
    prompt.response = alice.open(response.location.removeprefix("/bank"), **below)
    assert 'action="/bank/stepup/"' in prompt.text
    assert 'href="/bank/">Cancel' in prompt.text
    assert alice.answer(prompt, "right", **below).location == "/bank/vault?x=1"


def test_the_blueprint_can_be_mounted_elsewhere(make_app: MakeApp) -> None:
    """``STEPUP_URL_PREFIX`` moves all of it."""
    alice = Person(make_app(STEPUP_URL_PREFIX="/account/confirm"), "alice")

    assert alice.open("/vault").location.startswith("/account/confirm/?challenge=")


def test_a_session_without_room_is_told_before_the_code_is_spent(
    make_app: MakeApp, codes: Codes, caplog: pytest.LogCaptureFixture
) -> None:
    """A cookie that browsers would drop is refused, and the log names the mend."""
    alice = Person(make_app(), "alice")
    prompt = alice.prompted()
    with alice.client.session_transaction() as session:
        session["noise"] = secrets.token_hex(2_460)
    assert 3_900 < len(alice.cookie()) < 4_000

    response = alice.answer(prompt, "right")

    assert response.status_code == 503
    assert codes.asked == []
    assert "keep less in the session" in caplog.text


def test_room_is_checked_for_the_scope_that_is_asked_for(
    make_app: MakeApp, codes: Codes
) -> None:
    """A long name of a scope takes room in the cookie too."""
    app = make_app()
    guard = require_reverification(scope="".join(map(chr, range(0x4E00, 0x5E00, 64))))
    app.add_url_rule("/scoped", view_func=guard(lambda: "in"))
    alice = Person(app, "alice")
    prompt = alice.prompted("/scoped")
    with alice.client.session_transaction() as session:
        session["noise"] = secrets.token_hex(2_300)

    assert alice.answer(prompt, "right").status_code == 503
    assert codes.asked == []


@pytest.mark.parametrize("answer", [None, False, True, "raise"])
def test_a_verifier_that_breaks_its_contract_lets_nobody_guess(
    make_app: MakeApp, answer: Any
) -> None:
    """Promise 4: who forgets to raise IncorrectCode still has a limit."""
    asked = []

    def forgetful(user_id: str, code: str) -> Any:
        asked.append(code)
        if code == "right":
            return Verification()
        if answer == "raise":
            raise KeyError(code)
        return answer

    stepup = StepUp(verifier=forgetful, subject_loader=signed_in)
    alice = Person(make_app(stepup=stepup), "alice")
    prompt = alice.prompted()

    statuses = [alice.answer(prompt, f"wrong {n}").status_code for n in range(8)]

    assert statuses == [503] * 5 + [429] * 3
    assert len(asked) == 5


def test_one_code_opens_once_however_it_is_spelled(make_app: MakeApp) -> None:
    """Promise 5: compatibility forms, case and dashes make no new code of it."""
    verifier = Lenient()
    stepup = StepUp(verifier=verifier, subject_loader=signed_in)
    app = make_app(stepup=stepup, STEPUP_ATTEMPT_LIMIT="50 per day")
    spellings = {
        "123456": ["123456", "12345\u2076", "\u2460 23456", "\uff1123456"],
        "abcdefgh": ["abcd-efgh", "ABCDEFGH", "ab cd ef gh"],
    }
    for code, typed in spellings.items():
        verifier.code = code
        people = [Person(app, "alice") for _ in typed]
        statuses = [
            person.answer(person.prompted(), spelled).status_code
            for person, spelled in zip(people, typed, strict=True)
        ]

        assert statuses == [303] + [422] * (len(typed) - 1)


class Lenient:
    """A verifier that passes over all that a verifier might pass over."""

    code = ""

    def verify(self, user_id: str, code: str) -> Verification:
        plain = unicodedata.normalize("NFKC", code).casefold()
        if "".join(filter(str.isalnum, plain)) == self.code:
            return Verification()
        raise IncorrectCode


def test_an_outage_of_the_ledger_is_logged(
    make_app: MakeApp, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The person hears that it is not their fault, and the developer why."""
    app = make_app(STEPUP_STORAGE_URI="sqlite:///stepup.db")
    alice = Person(app, "alice")
    for file in (tmp_path / "instance").glob("stepup.db*"):
        file.unlink()
    (tmp_path / "instance" / "stepup.db").mkdir()

    assert alice.open("/vault").status_code == 503
    assert "unable to open database file" in caplog.text


def test_json_is_answered_with_json_whatever_it_accepts(app: Flask) -> None:
    """Who sends JSON to verify gets JSON, also where a page would be redirected."""
    response = Person(app).open("/stepup/", "POST", json={"challenge": "", "code": ""})

    assert response.json["code"] == "unauthenticated"


def test_a_locked_ledger_keeps_the_prompt_and_serves_who_is_verified(
    make_app: MakeApp, codes: Codes, tmp_path: Path
) -> None:
    """Promise 7: while somebody holds the write lock, no code is sent for nothing."""
    app = make_app(STEPUP_STORAGE_URI="sqlite:///stepup.db", STEPUP_STORAGE_TIMEOUT=0.1)
    alice, bob = Person(app, "alice"), Person(app, "bob")
    alice.step_up("right")
    prompt = bob.prompted()
    with closing(sqlite3.connect(tmp_path / "instance" / "stepup.db")) as other:
        other.execute("BEGIN IMMEDIATE")

        assert alice.open("/vault").status_code == 200
        refused = bob.answer(prompt, "right")
        assert refused.status_code == 503
        assert 'name="code"' in refused.text
    assert [user_id for user_id, _ in codes.asked] == ["alice"]
    assert bob.answer(prompt, "right").status_code == 303

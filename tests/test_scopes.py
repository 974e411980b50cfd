"""Scopes, the room for tokens in a session, and sessions that go on under a new id."""

from __future__ import annotations

import logging
import random
import secrets
import string
import time
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import time_machine
from conftest import MakeApp
from flask import Flask
from flask import Response
from flask.sessions import SecureCookieSessionInterface
from flask.sessions import SessionInterface
from flask.sessions import SessionMixin
from itsdangerous import URLSafeTimedSerializer
from itsdangerous.encoding import base64_decode
from itsdangerous.encoding import base64_encode
from people import Codes
from people import Person
from people import Prompt
from werkzeug.datastructures import CallbackDict
from werkzeug.test import TestResponse

from flask_stepup import ConfigurationError
from flask_stepup import require_reverification
from flask_stepup import StepUp
from flask_stepup import Subject
from flask_stepup.errors import SessionFull
from flask_stepup.session_state import LONGEST_COOKIE
from flask_stepup.session_state import LONGEST_TOKEN

#: Each opens once, so each test takes its own.
_NUMBERS = count()
SCOPES = ("", "payments", "keys")
#: Text that can hardly be compressed: each character takes about a byte of a cookie.
NOISE = "".join(
    random.Random(4).choices(string.ascii_letters + string.digits, k=5_000)  # noqa: S311
)


def right() -> str:
    """A right code that nobody has used."""
    return f"right {next(_NUMBERS)}"


def mount(app: Flask, stepup: StepUp) -> Flask:
    """A standing route and an approved one for each scope, and the app's own grants."""
    for scope in SCOPES:
        view = require_reverification(scope=scope)(lambda: "in")
        app.add_url_rule(f"/in/{scope}", f"in-{scope}", view)
        view = require_reverification(scope=scope, once=True)(lambda **_: "done")
        rule = f"/do/{scope}/<int:number>" if scope else "/do/<int:number>"
        app.add_url_rule(rule, f"do-{scope}", view, methods=["POST"])

    @app.get("/grant/")
    @app.get("/grant/<scope>")
    def grant(scope: str = "") -> str | tuple[str, int]:
        try:
            return str(stepup.grant(scope=scope))
        except SessionFull:
            return "full", 507

    app.add_url_rule("/forget", "forget", lambda: str(stepup.forget()))
    return app


@pytest.fixture(name="app")
def _app(make_app: MakeApp, stepup: StepUp) -> Flask:
    return mount(make_app(stepup=stepup), stepup)


def do(person: Person, number: int, scope: str = "") -> TestResponse:
    """Run what one approval is needed for."""
    return person.open(f"/do/{scope}/{number}".replace("//", "/"), "POST")


def approve(person: Person, number: int, scope: str = "") -> TestResponse:
    """Approve one run, without running it."""
    prompt = do(person, number, scope)
    assert prompt.status_code == 403, prompt.text
    return person.answer(Prompt(prompt), right())


def opens(person: Person) -> list[str]:
    """The scopes whose standing routes are open."""
    return [s for s in SCOPES if person.open(f"/in/{s}").status_code == 200]


def state_of(person: Person) -> dict[str, Any]:
    """All that is in a person's session."""
    with person.client.session_transaction() as state:
        return dict(state)


# Scopes.


@pytest.mark.parametrize("scope", SCOPES)
def test_a_verification_opens_its_own_scope_alone(alice: Person, scope: str) -> None:
    """Promise 1: what was proved for payments opens nothing else, nor the reverse."""
    alice.step_up(right(), f"/in/{scope}")

    assert opens(alice) == [scope]
    assert alice.json("/in/keys").status_code == (200 if scope == "keys" else 403)
    told = [alice.json(f"/stepup/status?scope={s}").json["reverified"] for s in SCOPES]
    assert told == [s == scope for s in SCOPES]


@pytest.mark.parametrize("scope", SCOPES)
def test_an_approval_serves_its_own_scope_alone(alice: Person, scope: str) -> None:
    """Promise 1: the same of approvals, which open no standing route either."""
    approve(alice, 1, scope)

    assert opens(alice) == []
    assert [do(alice, 1, s).status_code for s in SCOPES if s != scope] == [403] * 2
    assert do(alice, 1, scope).text == "done"


def test_scopes_are_proved_and_expire_one_by_one(alice: Person) -> None:
    """A later proof in one scope makes no other fresher."""
    with time_machine.travel(time.time(), tick=False) as clock:
        alice.step_up(right(), "/in/payments")
        clock.shift(300)
        alice.step_up(right(), "/in/keys")
        assert opens(alice) == ["payments", "keys"]
        clock.shift(300)

        assert opens(alice) == ["keys"]
        assert alice.json("/in/payments").json["cause"] == "expired"
        assert alice.json("/in/").json["cause"] == "missing"


def test_a_marker_under_another_scopes_name_opens_nothing(alice: Person) -> None:
    """Promise 1: the scope is signed, and not read off the name in the session."""
    alice.step_up(right(), "/in/payments")
    assert opens(alice) == ["payments"]  # by now its signature is remembered
    token = state_of(alice)["_stepup"]["payments"]
    with alice.client.session_transaction() as state:
        state["_stepup"] = {"": token, "keys": token}

    assert opens(alice) == []


@pytest.mark.parametrize(
    "other",
    ["Payments", "payment", "payments ", " payments", "p\u0430yments", "payments.x"],
)
def test_scopes_that_look_alike_are_others(
    make_app: MakeApp, stepup: StepUp, other: str
) -> None:
    """Scopes are compared as they are written."""
    app = mount(make_app(stepup=stepup), stepup)
    view = require_reverification(scope=other)(lambda: "in")
    app.add_url_rule("/other", "other", view)
    alice = Person(app, "alice")
    alice.step_up(right(), "/in/payments")

    assert alice.json("/other").json["cause"] == "missing"
    alice.step_up(right(), "/other")
    assert alice.open("/other").text == "in"
    assert opens(alice) == ["payments"]


@pytest.mark.parametrize("scope", ["\tid", "a\tb", "a\n", "\x00", "a" * 65, None, 5])
def test_no_scope_can_have_the_name_of_an_approval(scope: Any) -> None:
    """What begins an approval's name in the session is refused in scopes."""
    with pytest.raises(ConfigurationError, match="scope="):
        require_reverification(scope=scope)


def test_a_code_for_one_scope_cannot_be_turned_into_another(alice: Person) -> None:
    """Promise 10: nothing beside the signed challenge chooses the scope."""
    prompt = alice.prompted("/in/payments")
    data = prompt.fields | {"code": right(), "scope": "keys", "policy": "keys"}
    alice.open("/stepup/?scope=keys", "POST", data=data)

    assert opens(alice) == ["payments"]


def test_a_claim_opens_no_scope(codes: Codes, make_app: MakeApp) -> None:
    """What an identity provider says of factors, it says of the default alone."""
    stepup = StepUp(
        verifier=codes, subject_loader=lambda: Subject("alice", "s", (0, 0))
    )
    alice = Person(mount(make_app(stepup=stepup), stepup), "alice")

    assert opens(alice) == [""]


def test_a_scope_is_nothing_that_clerks_modal_could_meet(alice: Person) -> None:
    """Policies with a scope carry no hint for Clerk's front end."""
    assert "clerk_error" in alice.json("/in/").json
    told = alice.json("/in/payments").json
    assert "clerk_error" not in told
    assert told["policy"]["scope"] == "payments"


def test_forgetting_ends_all_scopes(alice: Person) -> None:
    """Promise 3: one sign-out, and every scope and approval is gone for good."""
    for scope in SCOPES:
        alice.step_up(right(), f"/in/{scope}")
    approve(alice, 1, "keys")
    cookie = alice.cookie()
    assert opens(alice) == [*SCOPES]

    alice.open("/forget")

    alice.put_back(cookie)
    assert opens(alice) == []
    alice.put_back(cookie)
    assert do(alice, 1, "keys").status_code == 403


# At most eight tokens.


def test_at_most_eight_tokens_stay_and_the_oldest_go_first(alice: Person) -> None:
    """Standing markers and approvals together are eight at most."""
    with time_machine.travel(time.time(), tick=False) as clock:
        alice.step_up(right(), "/in/payments")
        for number in range(8):
            clock.shift(1)
            approve(alice, number)
        assert opens(alice) == []
        clock.shift(1)
        alice.step_up(right(), "/in/keys")

        assert len(state_of(alice)["_stepup"]) == 8
        answers = [do(alice, number).status_code for number in range(8)]
        assert answers == [403] + [200] * 7
        assert opens(alice) == ["keys"]


def test_spent_approvals_leave_first(alice: Person) -> None:
    """What serves nobody any more takes no room from what does."""
    with time_machine.travel(time.time(), tick=False) as clock:
        for number in range(8):
            approve(alice, number)
            clock.shift(1)
        for number in range(4, 8):
            assert do(alice, number).text == "done"
        approve(alice, 8)

        assert len(state_of(alice)["_stepup"]) == 5
        answers = [do(alice, number).status_code for number in (0, 1, 2, 3, 8)]
        assert answers == [200] * 5


@pytest.mark.parametrize("how", ["by a code", "by the app"])
def test_spent_approvals_leave_for_standing_markers_too(
    alice: Person, how: str
) -> None:
    """A standing marker pushes out what is spent, and not what still serves."""
    with time_machine.travel(time.time(), tick=False) as clock:
        for number in range(8):
            approve(alice, number)
            clock.shift(1)
        for number in range(4, 8):
            do(alice, number)
        if how == "by a code":
            alice.step_up(right(), "/in/payments")
        else:
            alice.open("/grant/payments")

        assert opens(alice) == ["payments"]
        assert [do(alice, number).status_code for number in range(4)] == [200] * 4


def test_revoked_tokens_leave_first(alice: Person, app: Flask, stepup: StepUp) -> None:
    """What was revoked is not carried on beside what is granted anew."""
    alice.step_up(right(), "/in/payments")
    approve(alice, 1)
    with app.app_context():
        stepup.revoke("alice")

    alice.step_up(right(), "/in/keys")

    assert [*state_of(alice)["_stepup"]] == ["keys"]


def test_what_is_not_ours_leaves_with_the_next_grant(alice: Person) -> None:
    """Foreign content under our key does not stay for ever."""
    alice.step_up(right(), "/in/payments")
    with alice.client.session_transaction() as state:
        state["_stepup"] = state["_stepup"] | {"x": "y", "\tz": "w", "keys": 5}

    approve(alice, 1)

    kept = state_of(alice)["_stepup"]
    assert [name for name in kept if not name.startswith("\t")] == ["payments"]
    assert len(kept) == 2


def test_tokens_are_as_small_as_was_reckoned(alice: Person, stepup: StepUp) -> None:
    """Room is checked for the longest token: no approval is longer, ever."""
    with alice.app.app_context():
        stepup.revoke("alice")
    approve(alice, 1, "payments")
    alice.step_up(right(), "/in/payments")

    assert max(map(len, state_of(alice)["_stepup"].values())) <= LONGEST_TOKEN


# Room in the cookie.


def set_cookie(app: Flask, state: dict[str, Any]) -> str:
    """The session cookie of this content, as the app itself would make it."""
    interface = app.session_interface
    assert isinstance(interface, SecureCookieSessionInterface)
    serializer = interface.get_signing_serializer(app)
    assert serializer
    value: str = serializer.dumps(state)
    return value


def size_of(cookie: str) -> int:
    """Bytes of a cookie of the default name."""
    return len("session=") + len(cookie)


def filled(person: Person, size: int, state: dict[str, Any]) -> str:
    """Have the app keep so much that its own cookie has about that many bytes."""
    full: dict[str, Any] = {}
    for length in range(size, 0, -3):
        full = state | {"own": NOISE[:length]}
        if size_of(set_cookie(person.app, full)) <= size:
            break
    person.put_back(set_cookie(person.app, full))
    return person.cookie()


#: Every 50 bytes, and every 5 where it is decided.
SIZES = sorted({*range(3_000, 4_051, 50), *range(3_680, 4_011, 5)})


def check(person: Person, response: TestResponse, before: str) -> bool:
    """Whether there was room; neither way is the cookie too long."""
    if response.status_code in (503, 507):
        assert person.cookie() == before or size_of(person.cookie()) <= LONGEST_COOKIE
        return False
    assert response.status_code in (200, 303, 403), response.text
    assert size_of(person.cookie()) <= LONGEST_COOKIE
    return True


def test_no_cookie_passes_4000_bytes_by_a_challenge(alice: Person) -> None:
    """The nonce fits, or the answer says plainly that there is no room."""
    fits = {}
    for size in SIZES:
        before = filled(alice, size, {"user_id": "alice"})
        response = do(alice, 1)
        fits[size] = check(alice, response, before)
        if not fits[size]:
            assert "not your fault" in response.text
            assert "stepup-code" not in response.text
            assert alice.cookie() == before

    assert (fits[3_000], fits[3_900], fits[4_000]) == (True, True, False)


@pytest.mark.parametrize("kind", ["approval", "marker"])
def test_no_cookie_passes_4000_bytes_by_a_code(
    alice: Person, codes: Codes, kind: str
) -> None:
    """There is room for what a code opens, or the code is not sent at all."""
    prompt = Prompt(do(alice, 1)) if kind == "approval" else alice.prompted("/in/keys")
    state, fits = state_of(alice), {}
    for size in SIZES:
        before = filled(alice, size, state)
        codes.asked.clear()
        response = alice.answer(prompt, right())
        fits[size] = check(alice, response, before)
        assert len(codes.asked) == fits[size]
        if not fits[size]:
            assert "does not count as a try" in response.text
            assert alice.cookie() == before

    assert (fits[3_000], fits[3_600], fits[4_000]) == (True, True, False)


def test_no_cookie_passes_4000_bytes_by_a_grant(alice: Person) -> None:
    """The app is told when its own grant has no room."""
    fits = {}
    for size in SIZES:
        before = filled(alice, size, {"user_id": "alice"})
        fits[size] = check(alice, alice.open("/grant/payments"), before)

    assert (fits[3_000], fits[3_600], fits[4_000]) == (True, True, False)


def test_a_full_session_makes_room_for_the_newest(alice: Person, codes: Codes) -> None:
    """As many of the others stay as have room beside the app's own data."""
    with time_machine.travel(time.time(), tick=False) as clock:
        for number in range(3):
            approve(alice, number)
            clock.shift(1)
        prompt, state, kept = Prompt(do(alice, 9)), state_of(alice), {}
        oldest_first = sorted(state["_stepup"].values(), key=approved_at)
        for size in SIZES:
            before = filled(alice, size, state)
            codes.asked.clear()
            assert check(alice, alice.answer(prompt, right()), before)
            tokens = {*state_of(alice)["_stepup"].values()}
            others = tokens & {*oldest_first}
            kept[size] = len(others)
            assert len(tokens) == 1 + len(others)
            assert others == {*oldest_first[3 - len(others) :]}

        assert (kept[3_000], kept[3_900], kept[4_050]) == (3, 2, 1)
        assert do(alice, 9).text == "done"


def approved_at(token: str) -> str:
    """The time of an approval, which anybody can read in its token."""
    origin_and_time = base64_decode(token.partition(".")[0]).decode()
    return origin_and_time.split(",")[1]


class Wide(URLSafeTimedSerializer):
    """Does not compress, unlike Flask's own."""

    def dump_payload(self, obj: Any) -> bytes:
        return base64_encode(self.serializer.dumps(obj))


class WideSessions(SecureCookieSessionInterface):
    """An app's own sessions, in a cookie all the same."""

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        kwargs = {"key_derivation": self.key_derivation}
        return Wide(
            app.secret_key or "",
            salt=self.salt,
            serializer=self.serializer,
            signer_kwargs=kwargs,
        )


@pytest.mark.parametrize(("sessions", "fits"), [(None, True), (WideSessions(), False)])
def test_room_is_measured_with_the_apps_own_serializer(
    make_app: MakeApp,
    stepup: StepUp,
    codes: Codes,
    sessions: SessionInterface | None,
    fits: bool,
) -> None:
    """What compresses well has room for more, unless the app does not compress."""
    app = mount(make_app(stepup=stepup), stepup)
    app.session_interface = sessions or app.session_interface
    alice = Person(app, "alice")
    prompt = Prompt(do(alice, 1))
    with alice.client.session_transaction() as state:
        state["own"] = "a" * 2_800

    assert (alice.answer(prompt, right()).status_code == 200) is fits
    assert len(codes.asked) == fits


def test_the_name_of_the_cookie_takes_room_too(
    make_app: MakeApp, stepup: StepUp
) -> None:
    """Browsers count it, so it counts."""
    fits = []
    for name in ("session", "s" * 250):
        app = mount(make_app(stepup=stepup, SESSION_COOKIE_NAME=name), stepup)
        alice = Person(app)
        cookie = set_cookie(app, {"user_id": "alice", "own": NOISE[:3_700]})
        assert 3_700 < len(cookie) < 3_900
        alice.client.set_cookie(name, cookie)
        fits.append(do(alice, 1).status_code)

    assert fits == [403, 503]


# Sessions that are kept on the server.


class Kept(CallbackDict[str, Any], SessionMixin):
    """A session that is kept on the server, and its id."""

    def __init__(self, content: dict[str, Any], sid: str) -> None:
        self.sid, self.modified = sid, False
        super().__init__(content, self._notice)

    def _notice(self, _changed: object) -> None:
        self.modified = True


class KeptSessions(SessionInterface):
    """Sessions kept on the server, which can go on under a new id."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}

    def open_session(self, app: Flask, request: Any) -> Kept:
        sid = request.cookies.get(self.get_cookie_name(app), "")
        if sid in self.kept:
            return Kept(self.kept[sid].copy(), sid)
        return Kept({}, secrets.token_urlsafe(16))

    def save_session(self, app: Flask, session: Any, response: Response) -> None:
        if session.modified:
            self.kept[session.sid] = dict(session)
            response.set_cookie(self.get_cookie_name(app), session.sid)

    def regenerate(self, session: Kept) -> None:
        self.kept.pop(session.sid, None)
        session.sid, session.modified = secrets.token_urlsafe(16), True


class BrokenSessions(KeptSessions):
    """Sessions whose store fails when it matters."""

    def regenerate(self, session: Kept) -> None:
        raise ConnectionError(f"cannot rename {session.sid}")


@pytest.fixture(name="kept")
def _kept(app: Flask) -> KeptSessions:
    app.session_interface = KeptSessions()
    return app.session_interface


@pytest.fixture(name="flask_session")
def _flask_session(app: Flask, tmp_path: Path) -> Flask:
    """The app with sessions of Flask-Session, in files."""
    flask_session = pytest.importorskip(
        "flask_session", reason="missing: flask-session[cachelib]"
    )
    cachelib = pytest.importorskip("cachelib", reason="missing: cachelib")
    app.config.update(
        SESSION_TYPE="cachelib",
        SESSION_CACHELIB=cachelib.FileSystemCache(str(tmp_path / "sessions")),
    )
    flask_session.Session(app)
    return app


def test_sessions_on_the_server_are_not_measured(
    kept: KeptSessions, alice: Person
) -> None:
    """However much the app keeps there, there is room for what is granted."""
    kept.kept[alice.cookie()]["own"] = secrets.token_hex(100_000)
    approve(alice, 1)
    alice.step_up(right(), "/in/payments")

    assert len(alice.cookie()) < 50
    assert do(alice, 1).text == "done"
    assert opens(alice) == ["payments"]


def granted(person: Person, how: str) -> None:
    """Have something granted, in one of three ways."""
    if how == "a code":
        person.step_up(right(), "/in/payments")
    elif how == "an approval":
        assert approve(person, 1).status_code == 200
    else:
        assert person.open("/grant/payments").status_code == 200


@pytest.mark.parametrize("how", ["a code", "an approval", "the app"])
def test_a_grant_renews_the_id_of_the_session(
    kept: KeptSessions, alice: Person, how: str
) -> None:
    """Who knew the old id does not get what was proved since (ASVS 7.2.4)."""
    alice.step_up(right(), "/in/keys")
    nonce, old = kept.kept[alice.cookie()]["_stepup_sid"], alice.cookie()

    granted(alice, how)

    assert alice.cookie() != old
    assert [*kept.kept] == [alice.cookie()]
    assert kept.kept[alice.cookie()]["_stepup_sid"] == nonce
    assert "keys" in opens(alice)
    assert do(alice, 1).status_code == (200 if how == "an approval" else 403)
    thief = Person(alice.app)
    thief.put_back(old)
    assert thief.json("/in/keys").status_code == 401


def test_an_open_prompt_outlives_the_renewal(kept: KeptSessions, alice: Person) -> None:
    """The nonce stays, so that other tabs are answered as before."""
    waiting, other = Prompt(do(alice, 1)), alice.prompted("/in/keys")
    alice.step_up(right(), "/in/payments")

    assert alice.answer(waiting, right()).status_code == 200
    assert alice.answer(other, right()).status_code == 303
    assert do(alice, 1).text == "done"
    assert opens(alice) == ["payments", "keys"]


def test_nothing_but_a_grant_renews_the_id(kept: KeptSessions, alice: Person) -> None:
    """Not a prompt, a wrong code, a guarded route or a run: tabs would be lost."""
    approve(alice, 1)
    alice.step_up(right(), "/in/payments")
    before = alice.cookie()

    prompt = Prompt(do(alice, 2))
    alice.answer(prompt, "wrong")
    assert do(alice, 1).text == "done"
    assert opens(alice) == ["payments"]

    assert alice.cookie() == before


def test_a_session_that_cannot_be_renewed_keeps_its_grant(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    """The code is spent by then: it is logged, without what the error tells."""
    caplog.set_level(logging.DEBUG, "flask_stepup")
    app.session_interface = BrokenSessions()
    alice = Person(app, "alice")

    approve(alice, 1)
    assert do(alice, 1).text == "done"
    alice.step_up(right(), "/in/payments")

    assert opens(alice) == ["payments"]
    assert "could not be renewed: ConnectionError" in caplog.text
    assert alice.cookie() not in caplog.text


def test_an_app_without_renewal_is_served(alice: Person) -> None:
    """Flask's own sessions have no id: there is nothing to renew."""
    for how in ("a code", "an approval", "the app"):
        granted(alice, how)

    assert opens(alice) == ["payments"]


@pytest.mark.parametrize("how", ["a code", "an approval", "the app"])
def test_flask_session_is_renewed(flask_session: Flask, how: str) -> None:
    """With the real Flask-Session the id changes, and all that was in it stays."""
    alice = Person(flask_session, "alice")
    alice.step_up(right(), "/in/keys")
    waiting, old = Prompt(do(alice, 2)), alice.cookie()

    granted(alice, how)

    assert alice.cookie() != old
    assert "keys" in opens(alice)
    assert alice.answer(waiting, right()).status_code == 200
    assert [do(alice, 2).status_code for _ in range(2)] == [200, 403]
    thief = Person(flask_session)
    thief.put_back(old)
    assert thief.json("/in/keys").status_code == 401


def test_flask_session_forgets(flask_session: Flask) -> None:
    """Promise 3: an id of before the sign-out opens nothing, nor does it after."""
    alice = Person(flask_session, "alice")
    alice.step_up(right(), "/in/keys")
    approve(alice, 1)
    cookie = alice.cookie()

    alice.open("/forget")
    alice.put_back(cookie)

    assert opens(alice) == []
    assert do(alice, 1).status_code == 403

"""Real situations, one for each kind of record that the log may have.

``SITUATIONS`` has them by the record. A situation brings about what the record tells,
by requests and real servers, and names in ``world.secrets`` what it has typed, sent or
been given that no log may have.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from contextlib import ExitStack
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import time_machine
from conftest import MakeApp
from conftest import signed_in
from flask import Flask
from flask import session
from flask.sessions import SecureCookieSessionInterface
from flask_login import login_user
from flask_login import LoginManager
from flask_login import logout_user
from flask_login import UserMixin
from hostile import answer
from hostile import HostileServer
from hostile import Script
from people import Codes
from people import PAGE
from people import Person
from people import Prompt
from valkey_server import running

from flask_stepup import records
from flask_stepup import require_reverification
from flask_stepup import StepUp
from flask_stepup import Subject
from flask_stepup import VerifierUnavailable
from flask_stepup.clerk.breaker import Breaker
from flask_stepup.clerk.breaker import FAILURES
from flask_stepup.clerk.breaker import PAUSE
from flask_stepup.sandbox import Sandbox
from flask_stepup.sandbox import SandboxUser

CLERK_KEY = "sk_test_Vw9hQyKmZr7uXs3tGp"
#: Codes that are typed: the verifier of the tests takes what begins with ``right``.
RIGHT, WRONG = "right geheim 4711", "wrong geheim 4712"
#: Of a ledger's address.
PASSWORD = "geheim-4713"
ALICE = SandboxUser("alice", "Alice", "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U")
TRACE = "0af7651916cd43dd8448eb211c80319c"


@dataclass
class World:
    """What situations are made of.

    :param open_until_end: what is closed when the test is over.
    """

    make_app: MakeApp
    codes: Codes
    folder: Path
    patch: pytest.MonkeyPatch
    fixture: Callable[[str], Any]
    open_until_end: ExitStack
    secrets: list[str] = field(default_factory=list)

    def stepup(self, **arguments: Any) -> StepUp:
        """One with the usual verifier and subjects."""
        given = {"verifier": self.codes, "subject_loader": signed_in} | arguments
        return StepUp(**given)

    def app(self, stepup: StepUp | None = None, **config: Any) -> Flask:
        app = self.make_app(stepup=stepup or self.stepup(), **config)
        self.secrets.append(app.config["SECRET_KEY"])
        return app

    def of_clerk(self, script: Script, **arguments: Any) -> Flask:
        """An app that asks a backend, which plays a script."""
        server = self.open_until_end.enter_context(HostileServer(script))
        self.secrets.append(CLERK_KEY)
        return self.app(
            StepUp(**arguments),
            STEPUP_CLERK_API_URL=server.url,
            STEPUP_CLERK_SECRET_KEY=CLERK_KEY,
        )

    def with_tokens(self, sandbox: Sandbox) -> Flask:
        """An app that takes the session tokens of a sandbox."""
        stepup = StepUp(verifier=self.codes)
        return self.app(stepup, STEPUP_CLERK_JWT_KEY=sandbox.jwt_key)

    def on_disk(self, stepup: StepUp | None = None, **config: Any) -> Flask:
        """An app whose ledger can be broken, by :meth:`break_ledger`."""
        return self.app(stepup, STEPUP_STORAGE_URI="sqlite:///stepup.db", **config)

    def break_ledger(self) -> None:
        """Put a folder in the place of the file."""
        folder = self.folder / "instance"
        for file in folder.glob("stepup.db*"):
            file.unlink()
        (folder / "stepup.db").mkdir()

    def answer(self, person: Person, prompt: Prompt, code: str) -> None:
        """Have somebody type a code: a secret, as is all that it comes with."""
        self.secrets += [prompt.challenge, code]
        person.answer(prompt, code)
        self.secrets.append(person.cookie())

    def opens(self, app: Flask, **cookies: str) -> None:
        """Have a browser with these cookies go to a guarded page."""
        browser = Person(app)
        for name, value in cookies.items():
            browser.client.set_cookie(name, value)
            self.secrets.append(value)
        browser.json("/vault")

    def tries(self, app: Flask, code: str, path: str = "/vault") -> Person:
        """Have Alice go to a guarded page and try a code."""
        alice = Person(app, "alice")
        self.answer(alice, alice.prompted(path), code)
        return alice


def right_code(world: World) -> None:
    world.tries(world.app(), RIGHT)


def wrong_code(world: World) -> None:
    world.tries(world.app(), WRONG)


def last_try(world: World) -> None:
    world.tries(world.app(STEPUP_ATTEMPT_LIMIT="1 per 5 minutes"), WRONG)


def backend_that_is_down(world: World) -> None:
    body = json.dumps({"clerk_trace_id": TRACE})
    world.tries(world.of_clerk(answer(503, body), subject_loader=signed_in), "123456")


def key_that_is_refused(world: World) -> None:
    world.tries(world.of_clerk(answer(401), subject_loader=signed_in), "123456")


def revocation(world: World) -> None:
    stepup = world.stepup()
    with world.app(stepup).app_context():
        stepup.revoke("alice")


def unlocking(world: World) -> None:
    stepup = world.stepup()
    with world.app(stepup).app_context():
        stepup.unlock("alice")


def ledger_that_is_gone(world: World) -> None:
    alice = Person(world.on_disk(), "alice")
    world.break_ledger()
    assert alice.open("/vault").status_code == 503


def ledger_that_is_locked(world: World) -> None:
    file = world.folder / "locked.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("BEGIN IMMEDIATE")
        world.app(STEPUP_STORAGE_URI=f"sqlite:///{file}", STEPUP_STORAGE_TIMEOUT=0.1)


def server_that_evicts(world: World) -> None:
    options = ("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
    world.secrets.append(PASSWORD)
    with running(world.folder / "valkey", *options) as server:
        uri = server.uri().replace("127.0.0.1", f"default:{PASSWORD}@127.0.0.1")
        app = world.app(STEPUP_STORAGE_URI=uri)
        app.extensions["stepup"].ledger.close()


def two_ledgers(world: World) -> None:
    alice = world.tries(world.app(), RIGHT)
    elsewhere = Person(world.app())
    elsewhere.put_back(alice.cookie())
    elsewhere.open("/vault")


def refund_that_fails(world: World) -> None:
    app = world.on_disk()
    world.codes.raises = VerifierUnavailable("away")
    world.codes.meanwhile = world.break_ledger
    world.tries(app, WRONG)


def void_that_fails(world: World) -> None:
    app = world.on_disk(STEPUP_ATTEMPT_LIMIT="1 per 5 minutes")
    closing_view = require_reverification(once=True)(lambda: "closed")
    app.add_url_rule("/close", "close", closing_view, methods=["POST"])
    alice = Person(app, "alice")
    prompt = Prompt(alice.open("/close", "POST", data={"account": "7"}))
    world.codes.meanwhile = world.break_ledger
    world.answer(alice, prompt, WRONG)


def logout_without_ledger(world: World) -> None:
    app = Flask("logins", instance_path=str(world.folder / "instance"))
    app.config.update(SECRET_KEY="k" * 32)
    manager = LoginManager(app)
    manager.user_loader(User)
    StepUp(app, verifier=world.codes)
    sign_in = app.route("/sign-in/<user_id>", endpoint="sign-in")
    sign_in(lambda user_id: str(login_user(User(user_id))))
    app.add_url_rule("/logout", "logout", lambda: str(logout_user()), methods=["POST"])
    vault = require_reverification(lambda: "open")
    app.add_url_rule("/vault", "vault", vault)
    alice = world.tries(app, RIGHT)
    world.break_ledger()
    assert alice.open("/logout", "POST").status_code == 200


def clocks_apart(world: World) -> None:
    uri = world.fixture("valkey").uri(secrets.token_hex(4))
    app = world.app(STEPUP_STORAGE_URI=uri)
    with time_machine.travel(time.time() + 3_600):
        Person(app, "alice").open("/vault")
    app.extensions["stepup"].ledger.close()


def clock_set_back(world: World) -> None:
    app = world.on_disk()
    Person(app, "alice").open("/vault")
    with time_machine.travel(time.time() - 3_600):
        Person(app, "alice").open("/vault")


def marker_of_tomorrow(world: World) -> None:
    uri = world.fixture("valkey").uri(secrets.token_hex(4))
    app = world.app(STEPUP_STORAGE_URI=uri)
    with time_machine.travel(time.time() + 3_600):
        alice = Person(app, "alice")
        alice.open("/vault")
        world.answer(alice, alice.prompted(), RIGHT)
        with alice.client.session_transaction() as state:
            tomorrow = dict(state)
    with alice.client.session_transaction() as state:
        state.update(tomorrow)
    assert alice.open("/vault").status_code == 303
    app.extensions["stepup"].ledger.close()


def failures_in_a_row(world: World) -> None:
    app = world.of_clerk(answer(500), subject_loader=signed_in)
    for _ in range(FAILURES):
        world.tries(app, "123456")


def backend_that_is_back(world: World) -> None:
    now = [0.0]
    breaker = Breaker(1.0, lambda: now[0])
    for _ in range(FAILURES):
        with suppress(VerifierUnavailable), breaker.call():
            raise VerifierUnavailable
    now[0] += PAUSE
    with breaker.call():
        pass


def keys_that_cannot_be_had(world: World) -> None:
    app = world.of_clerk(answer(500), verifier=world.codes)
    world.opens(app, __session=Sandbox([ALICE]).session_token("alice"))


def crowd_of_tokens(world: World) -> None:
    app = world.with_tokens(Sandbox([ALICE]))
    world.opens(app, **{f"__session_{n}": f"geheim.{n}.x" for n in range(9)})


def tokens_of_two(world: World) -> None:
    sandbox = Sandbox([ALICE])
    mine, other = (sandbox.session_token(user_id) for user_id in ("alice", "mallory"))
    world.opens(world.with_tokens(sandbox), __session=mine, __session_x=other)


def forged_token(world: World) -> None:
    forged = Sandbox([ALICE]).session_token("alice")
    world.opens(world.with_tokens(Sandbox([ALICE])), __session=forged)


def session_without_room(world: World) -> None:
    alice = Person(world.app(), "alice")
    prompt = alice.prompted()
    with alice.client.session_transaction() as state:
        state["noise"] = secrets.token_hex(2_460)
    world.answer(alice, prompt, RIGHT)


def session_that_is_not_renewed(world: World) -> None:
    app = world.app()
    app.session_interface = BrokenSessions()
    world.secrets.append("geheim-4717")
    world.tries(app, RIGHT)


def bearer_of_no_session(world: World) -> None:
    app = world.app(world.stepup(subject_loader=lambda: Subject("alice")))
    bearer = {"Authorization": "Bearer geheim-4714"}
    client = app.test_client(use_cookies=False)
    challenge = client.get("/vault", headers=bearer).json["challenge"]
    world.secrets += [challenge, RIGHT, "geheim-4714"]
    asked = {"challenge": challenge, "code": RIGHT}
    assert client.post("/stepup/", headers=bearer, json=asked).status_code == 503


def sign_in_that_nobody_told_of(world: World) -> None:
    app = world.app()
    both = require_reverification("strict_mfa")(lambda: "open")
    app.add_url_rule("/both", "both", both)
    Person(app, "alice").open("/both")


def htmx_without_prompt(world: World) -> None:
    app = world.app()
    pay = require_reverification(bind=("to", "note"))(lambda: "paid")
    app.add_url_rule("/pay", "pay", pay, methods=["POST"])
    values = {name: chinese(490) for name in ("to", "note")}
    world.secrets += values.values()
    headers = {"HX-Request": "true", "HX-Current-URL": "http://localhost/"}
    Person(app, "alice").client.post("/pay", data=values, headers=headers)


def form_of_another_site(world: World) -> None:
    headers = {"Origin": "https://evil.example"}
    alice = Person(world.app(), "alice")
    without = {name: value for name, value in PAGE.items() if "Sec-" not in name}
    alice.client.post("/vault", headers=without | headers, data={"to": "geheim-4718"})
    world.secrets.append("geheim-4718")


def question_that_raises(world: World) -> None:
    stepup = world.stepup()
    app = world.app(stepup)
    look = partial(stepup.is_reverified, bind=raise_of("geheim-4715"))
    app.add_url_rule("/look", "look", lambda: str(look()), methods=["POST"])
    world.secrets.append("geheim-4715")
    assert Person(app, "alice").open("/look", "POST").text == "False"


def reason_that_raises(world: World) -> None:
    app = world.app()
    world.secrets.append("geheim-4716")
    view = require_reverification(reason=raise_of("geheim-4716"))(lambda: "open")
    app.add_url_rule("/reason", "reason", view)
    Person(app, "alice").open("/reason")


def leaving_that_nobody_knows(world: World) -> None:
    stepup = world.stepup(subject_loader=lambda: session["user_id"])
    app = world.app(stepup)
    app.add_url_rule("/forget", "forget", lambda: str(stepup.forget()))
    assert Person(app).open("/forget").status_code == 200


def sandbox_that_is_asked(world: World) -> None:
    sandbox = Sandbox([ALICE])
    code = ALICE.current_code()
    world.secrets += [sandbox.secret_key, code]
    app = world.app(
        StepUp(subject_loader=signed_in),
        STEPUP_CLERK_API_URL=world.open_until_end.enter_context(sandbox.serve()),
        STEPUP_CLERK_SECRET_KEY=sandbox.secret_key,
    )
    world.tries(app, code)


def sandbox_without_library(world: World) -> None:
    sandbox = Sandbox([ALICE])
    world.patch.setitem(sys.modules, "jwt", None)
    world.patch.setitem(sys.modules, "jwt.algorithms", None)
    import httpx

    headers = {"Authorization": f"Bearer {sandbox.secret_key}"}
    transport = httpx.WSGITransport(sandbox)
    with httpx.Client(transport=transport, base_url="http://sandbox/v1") as client:
        assert client.get("/jwks", headers=headers).status_code == 500
    world.secrets.append(sandbox.secret_key)


def raise_of(secret: str) -> Callable[[], Any]:
    """A function of an app that fails, and names in its error what it should not."""

    def fail() -> Any:
        raise ValueError(secret)

    return fail


def chinese(length: int) -> str:
    """Text that does not compress."""
    letters = (0x4E00 + secrets.randbelow(0x5000) for _ in range(length))
    return "山" + "".join(map(chr, letters))


class User(UserMixin):
    """A user of Flask-Login."""

    def __init__(self, user_id: str) -> None:
        self.id = user_id


class BrokenSessions(SecureCookieSessionInterface):
    """Sessions whose store fails when it matters."""

    def regenerate(self, session: Any) -> None:
        raise ConnectionError("cannot rename geheim-4717")


SITUATIONS: dict[type[records.Record], Callable[[World], None]] = {
    records.ReverificationSucceeded: right_code,
    records.ReverificationFailed: wrong_code,
    records.AttemptsExhausted: last_try,
    records.VerifierUnavailable: backend_that_is_down,
    records.VerifierMisconfigured: key_that_is_refused,
    records.ElevationRevoked: revocation,
    records.LockOutLifted: unlocking,
    records.LedgerUnavailable: ledger_that_is_gone,
    records.LedgerBusy: ledger_that_is_locked,
    records.LedgerEvicts: server_that_evicts,
    records.OtherLedger: two_ledgers,
    records.AttemptNotRefunded: refund_that_fails,
    records.OperationNotVoided: void_that_fails,
    records.LogoutNotRecorded: logout_without_ledger,
    records.LedgerClockApart: clocks_apart,
    records.ClockSetBack: clock_set_back,
    records.MarkerFromFuture: marker_of_tomorrow,
    records.BreakerOpened: failures_in_a_row,
    records.BreakerClosed: backend_that_is_back,
    records.SessionKeysUnavailable: keys_that_cannot_be_had,
    records.TooManySessionTokens: crowd_of_tokens,
    records.SessionTokensDisagree: tokens_of_two,
    records.SessionTokenRefused: forged_token,
    records.SessionFull: session_without_room,
    records.SessionNotRenewed: session_that_is_not_renewed,
    records.BearerWithoutSession: bearer_of_no_session,
    records.FirstFactorLacking: sign_in_that_nobody_told_of,
    records.HtmxPromptTooLong: htmx_without_prompt,
    records.OriginNotOurs: form_of_another_site,
    records.IsReverifiedFailed: question_that_raises,
    records.ReasonFailed: reason_that_raises,
    records.LeavingUnknown: leaving_that_nobody_knows,
    records.SandboxAnswered: sandbox_that_is_asked,
    records.SandboxLacksLibrary: sandbox_without_library,
}

"""The recipes of ``docs/revocation.md``, run as they stand there."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import closing
from contextlib import contextmanager
from datetime import datetime
from datetime import timedelta
from datetime import UTC
from pathlib import Path
from secrets import token_hex
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request
from urllib.request import urlopen

import click
import flask
import pytest
from flask import Flask
from flask import session
from people import Codes
from people import Person
from people import Prompt
from serving import served
from svix.webhooks import Webhook
from werkzeug.test import TestResponse

from flask_stepup import require_reverification
from flask_stepup import StepUp
from flask_stepup.sandbox import Sandbox

PAGE = (Path(__file__).parent.parent / "docs" / "revocation.md").read_text()
SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
TABLES = """
CREATE TABLE users (id TEXT PRIMARY KEY, password TEXT, totp TEXT, epoch INTEGER);
INSERT INTO users VALUES ('alice', 'old', 'old', 0), ('bob', 'old', 'old', 0);
CREATE TABLE clerk_messages (id TEXT PRIMARY KEY);
CREATE TABLE clerk_users (id TEXT PRIMARY KEY, factors TEXT);
"""


def recipes(heading: str) -> str:
    """The Python under a heading of the page."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return "\n".join(re.findall(r"```python\n(.*?)```", section, re.DOTALL))


def right() -> str:
    """A right code that nobody has used."""
    return "right " + token_hex(4)


class Database:
    """What the page leaves to its reader: a database of the app's own.

    :param meanwhile: called when a transaction has written something.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.meanwhile: Callable[[], object] = list
        with closing(sqlite3.connect(path)) as db:
            db.executescript(TABLES)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    def set_password(self, db: sqlite3.Connection, user_id: str, password: str) -> None:
        db.execute("UPDATE users SET password = ? WHERE id = ?", (password, user_id))
        self.meanwhile()

    def enrol(self, db: sqlite3.Connection, user_id: str) -> None:
        db.execute("UPDATE users SET totp = 'new' WHERE id = ?", (user_id,))

    def user(self, user_id: str) -> tuple[Any, ...]:
        """Password, secret and epoch."""
        with closing(sqlite3.connect(self.path)) as db:
            found = db.execute("SELECT * FROM users WHERE id = ?", (user_id,))
            return tuple(found.fetchone()[1:])


@contextmanager
def without_ledger(app: Flask) -> Iterator[None]:
    """Nobody can write to the ledger while another process has its lock."""
    with closing(sqlite3.connect(Path(app.instance_path) / "stepup.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@pytest.fixture(name="database")
def _database(tmp_path: Path) -> Database:
    return Database(tmp_path / "app.db")


def app_with(stepup: StepUp, database: Database, *recipes: str, **config: Any) -> Flask:
    """An app with these recipes, and a vault that they close."""
    app = Flask("recipes", instance_path=str(database.path.parent / "instance"))
    app.config.update(SECRET_KEY="k" * 32, STEPUP_STORAGE_TIMEOUT=0.1, **config)
    stepup.init_app(app)
    app.add_url_rule("/vault", view_func=require_reverification(lambda: "in"))
    names = vars(flask) | {"app": app, "stepup": stepup, "click": click}
    names |= {
        "require_reverification": require_reverification,
        "transaction": database.transaction,
        "set_password": database.set_password,
        "enrol": database.enrol,
    }
    for recipe in recipes:
        assert recipe
        exec(recipe, names)  # noqa: S102 (our own page)
    return app


# --- accounts of the app's own ---


PASSWORD = recipes("A password is changed")


def bank(codes: Codes, database: Database, change: str = PASSWORD) -> Flask:
    """An app that keeps its users itself, with all recipes for such."""
    app = app_with(
        StepUp(verifier=codes),
        database,
        recipes("One step"),
        change,
        recipes("Sign out everywhere"),
        recipes("An authenticator is replaced"),
    )

    @app.get("/sign-in/<user_id>")
    def sign_in(user_id: str) -> str:
        session["user_id"], session["epoch"] = user_id, database.user(user_id)[2]
        return "signed in"

    return app


@pytest.fixture(name="app")
def _app(codes: Codes, database: Database) -> Flask:
    return bank(codes, database)


def verified(app: Flask, user_id: str = "alice") -> Person:
    """Somebody in a browser, who has just given a code."""
    person = Person(app, user_id)
    person.step_up(right())
    assert person.open("/vault").text == "in"
    return person


def approved(person: Person, path: str, **form: str) -> TestResponse:
    """Post a form, give the code that it asks for, and post it again."""
    asked = person.open(path, "POST", data=form)
    assert asked.status_code == 403
    assert person.answer(Prompt(asked), right()).status_code == 200
    return person.open(path, "POST", data=form)


def cause_after_signing_in_again(person: Person, cookie: str) -> str:
    """Why a code is asked for with an old cookie, in which somebody signs in again."""
    person.put_back(cookie)
    assert person.json().status_code == 401
    person.open("/sign-in/alice")
    return str(person.json().json["cause"])


def test_a_new_password_ends_everything_but_this_browser(
    app: Flask, database: Database
) -> None:
    """Promise 3: old cookies are nobody's, and what was proved in them is revoked."""
    here, there, bob = verified(app), verified(app), verified(app, "bob")
    cookies = [here.cookie(), there.cookie()]

    changed = approved(here, "/password", new_password="new")

    assert (changed.status_code, changed.location) == (303, "/profile")
    assert database.user("alice") == ("new", "old", 1)
    assert here.open("/vault").text == "in"
    assert bob.open("/vault").text == "in"
    assert there.json().status_code == 401
    causes = [cause_after_signing_in_again(there, cookie) for cookie in cookies]
    assert causes == ["revoked", "revoked"]


def test_without_the_grant_this_browser_is_asked_too(
    codes: Codes, database: Database
) -> None:
    """The page says which line to leave out."""
    recipe, left_out = re.subn(r"\n    stepup\.grant\(\).*", "", PASSWORD)
    app = bank(codes, database, recipe)
    here = verified(app)

    approved(here, "/password", new_password="new")

    assert left_out == 1
    assert here.json().json["cause"] == "revoked"


def test_a_password_needs_a_code_of_its_own(app: Flask, database: Database) -> None:
    """Whoever has got hold of a verified session does not change it."""
    thief = verified(app)

    refused = thief.open("/password", "POST", data={"new_password": "mine"})

    assert refused.status_code == 403
    assert database.user("alice") == ("old", "old", 0)


def test_without_a_ledger_the_password_stays(app: Flask, database: Database) -> None:
    """What cannot be ended everywhere is not begun: 503, and all is as before."""
    here, there = verified(app), verified(app)
    with closing(sqlite3.connect(Path(app.instance_path) / "stepup.db")) as other:
        database.meanwhile = lambda: other.execute("BEGIN IMMEDIATE")
        failed = approved(here, "/password", new_password="new")

    assert failed.status_code == 503
    assert "Retry-After" in failed.headers
    assert database.user("alice") == ("old", "old", 0)
    assert [p.open("/vault").text for p in (here, there)] == ["in", "in"]
    database.meanwhile = list
    assert approved(here, "/password", new_password="new").status_code == 303
    assert database.user("alice") == ("new", "old", 1)


def test_signing_out_everywhere(app: Flask, database: Database) -> None:
    """Promise 3: no browser is signed in any more, and no old cookie opens the gate."""
    here, there, bob = verified(app), verified(app), verified(app, "bob")
    cookies = [here.cookie(), there.cookie()]

    assert here.open("/sign-out-everywhere", "POST").location == "/"

    assert here.client.get_cookie("session") is None
    assert [p.json().status_code for p in (here, there, bob)] == [401, 401, 200]
    causes = [cause_after_signing_in_again(here, cookie) for cookie in cookies]
    assert causes == ["revoked", "revoked"]
    assert database.user("alice") == ("old", "old", 1)


def test_signing_out_everywhere_needs_a_code(app: Flask, database: Database) -> None:
    """A stolen session that was not verified does not sign its owner out."""
    thief, owner = Person(app, "alice"), verified(app)

    assert thief.open("/sign-out-everywhere", "POST").status_code == 403

    assert owner.open("/vault").text == "in"


def test_a_new_authenticator_ends_what_the_old_one_proved(
    app: Flask, database: Database
) -> None:
    """Promise 3: also here, where the old one has just approved it."""
    here, there, bob = verified(app), verified(app), verified(app, "bob")
    cookie = there.cookie()

    assert approved(here, "/authenticator").location == "/profile"

    assert database.user("alice") == ("old", "new", 0)
    assert here.json().json["cause"] == "revoked"
    assert there.json().json["cause"] == "revoked"
    there.step_up(right())
    there.put_back(cookie)
    assert there.json().json["cause"] == "revoked"
    assert bob.open("/vault").text == "in"


def test_support_ends_what_a_lost_authenticator_proved(app: Flask) -> None:
    """One command, which lifts a lock-out as well."""
    here, thief = verified(app), Person(app, "alice")
    cookie, prompt = here.cookie(), thief.prompted()
    for number in range(6):
        locked = thief.answer(prompt, f"wrong {number}")
    assert locked.status_code == 429

    done = app.test_cli_runner().invoke(args=["factor-replaced", "alice"])

    assert (done.exit_code, done.output) == (0, "")
    here.put_back(cookie)
    assert here.json().json["cause"] == "revoked"
    here.step_up(right())
    assert here.open("/vault").text == "in"


# --- accounts at Clerk ---

#: Of the example of ``user.updated`` in Clerk's document, what concerns us.
USER: dict[str, Any] = {
    "object": "user",
    "id": "alice",
    "first_name": "Alice",
    "two_factor_enabled": True,
    "totp_enabled": True,
    "backup_code_enabled": False,
    "mfa_enabled_at": 1_716_883_200_000,
    "mfa_disabled_at": None,
}


@pytest.fixture(name="sandbox")
def _sandbox() -> Sandbox:
    return Sandbox([])


@pytest.fixture(name="clerk_app")
def _clerk_app(codes: Codes, database: Database, sandbox: Sandbox) -> Flask:
    app = app_with(
        StepUp(verifier=codes),
        database,
        recipes("Clerk's webhooks"),
        STEPUP_CLERK_JWT_KEY=sandbox.jwt_key,
        CLERK_WEBHOOK_SIGNING_SECRET=SECRET,
    )
    # As Clerk has said before what factors the users have.
    for user_id in ("alice", "bob"):
        assert deliver(app, "user.created", USER | {"id": user_id}).status_code == 204
    return app


def clerks_user(app: Flask, sandbox: Sandbox, user_id: str = "alice") -> Person:
    """Somebody who is signed in at Clerk, and has just given us a code."""
    person = Person(app)
    person.client.set_cookie(
        "__session", sandbox.session_token(user_id, session_id=f"sess_{user_id}")
    )
    person.step_up(right())
    assert person.open("/vault").text == "in"
    return person


def message(kind: str, data: dict[str, Any]) -> str:
    """A webhook's body."""
    event = {"object": "event", "type": kind, "data": data, "instance_id": "ins_1"}
    return json.dumps(event)


def signed(body: str, message_id: str, at: datetime | None = None) -> dict[str, str]:
    """The headers with which Clerk delivers it."""
    at = at or datetime.now(UTC)
    return {
        "Content-Type": "application/json",
        "svix-id": message_id,
        "svix-timestamp": str(int(at.timestamp())),
        "svix-signature": Webhook(SECRET).sign(message_id, at, body),
    }


def deliver(
    app: Flask, kind: str, data: dict[str, Any], message_id: str = ""
) -> TestResponse:
    """Deliver a message as Clerk does; without an id it is a new one."""
    body = message(kind, data)
    headers = signed(body, message_id or f"msg_{token_hex(8)}")
    return app.test_client().post("/webhooks/clerk", data=body, headers=headers)


SESSION = {"object": "session", "id": "sess_alice", "user_id": "alice"}
ENDINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "ended": ("session.ended", SESSION | {"status": "ended"}),
    "removed": ("session.removed", SESSION | {"status": "removed"}),
    "revoked": ("session.revoked", SESSION | {"status": "revoked"}),
    "deleted": ("user.deleted", {"object": "user", "id": "alice", "deleted": True}),
    "no totp": ("user.updated", USER | {"totp_enabled": False}),
    "another totp": ("user.updated", USER | {"mfa_enabled_at": 1_716_999_999_000}),
    "no factor": ("user.updated", USER | {"two_factor_enabled": False}),
    "backup codes": ("user.updated", USER | {"backup_code_enabled": True}),
    "disabled": ("user.updated", USER | {"mfa_disabled_at": 1_716_999_999_000}),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_ends_at_clerk_ends_here(
    clerk_app: Flask, sandbox: Sandbox, ending: str
) -> None:
    """Promise 3: the cookie of before the webhook, put back, opens nothing."""
    alice, bob = (clerks_user(clerk_app, sandbox, name) for name in ("alice", "bob"))
    cookie = alice.cookie()

    assert deliver(clerk_app, *ENDINGS[ending]).status_code == 204

    assert alice.json().json["cause"] == "revoked"
    alice.step_up(right())
    assert alice.open("/vault").text == "in"
    alice.put_back(cookie)
    assert alice.json().json["cause"] == "revoked"
    assert bob.open("/vault").text == "in"


NOTHING: dict[str, tuple[str, dict[str, Any]]] = {
    "another name": ("user.updated", USER | {"first_name": "Alicia"}),
    "the same again": ("user.created", USER),
    "a new session": ("session.created", SESSION | {"status": "active"}),
    "something else": ("organization.created", {"id": "org_1", "user_id": "alice"}),
}


@pytest.mark.parametrize("event", NOTHING)
def test_what_ends_nothing_at_clerk_ends_nothing_here(
    clerk_app: Flask, sandbox: Sandbox, event: str
) -> None:
    """A new picture is no reason to ask for a code."""
    alice = clerks_user(clerk_app, sandbox)

    assert deliver(clerk_app, *NOTHING[event]).status_code == 204

    assert alice.open("/vault").text == "in"


def test_factors_that_come_and_go_are_noticed_each_time(
    clerk_app: Flask, sandbox: Sandbox
) -> None:
    """What counts is what Clerk has said last, and not what it said at first."""
    alice = clerks_user(clerk_app, sandbox)
    without, with_it = USER | {"totp_enabled": False}, USER

    causes = []
    for user in (without, without, with_it, with_it, without):
        assert deliver(clerk_app, "user.updated", user).status_code == 204
        answer = alice.json()
        causes.append(answer.json["cause"] if answer.status_code == 403 else None)
        if answer.status_code == 403:
            alice.step_up(right())

    assert causes == ["revoked", None, "revoked", None, "revoked"]


def test_a_message_that_comes_twice_counts_once(
    clerk_app: Flask, sandbox: Sandbox
) -> None:
    """Clerk delivers at least once: what was proved in between stays."""
    alice = clerks_user(clerk_app, sandbox)
    for kind, data in ENDINGS.values():
        message_id = f"msg_{token_hex(8)}"
        assert deliver(clerk_app, kind, data, message_id).status_code == 204
        alice.step_up(right())

        assert deliver(clerk_app, kind, data, message_id).status_code == 204

        assert alice.open("/vault").text == "in", kind


def test_somebody_nobody_has_told_of_counts_as_changed(
    clerk_app: Flask, sandbox: Sandbox
) -> None:
    """One prompt too many, and never one too few."""
    carol = clerks_user(clerk_app, sandbox, "carol")
    updated = USER | {"id": "carol"}

    assert deliver(clerk_app, "user.updated", updated).status_code == 204
    assert carol.json().json["cause"] == "revoked"
    carol.step_up(right())
    assert deliver(clerk_app, "user.updated", updated).status_code == 204

    assert carol.open("/vault").text == "in"


def test_without_a_ledger_the_message_is_delivered_again(
    clerk_app: Flask, sandbox: Sandbox
) -> None:
    """503 has Clerk try once more, and then it is done, whatever it is."""
    alice = clerks_user(clerk_app, sandbox)
    for kind, data in ENDINGS.values():
        message_id = f"msg_{token_hex(8)}"
        with without_ledger(clerk_app):
            refused = deliver(clerk_app, kind, data, message_id)
            assert alice.open("/vault").text == "in"

        assert refused.status_code == 503
        assert deliver(clerk_app, kind, data, message_id).status_code == 204
        assert alice.json().json["cause"] == "revoked", kind
        alice.step_up(right())


BODY = message(*ENDINGS["ended"])
GOOD = "msg_good"
OLD, EARLY = timedelta(minutes=-6), timedelta(minutes=6)
FORGED: dict[str, Callable[[], tuple[Any, dict[str, str]]]] = {
    "no headers": lambda: (BODY, {}),
    "no signature": lambda: (BODY, signed(BODY, GOOD) | {"svix-signature": ""}),
    "no id": lambda: (BODY, signed(BODY, GOOD) | {"svix-id": ""}),
    "no time": lambda: (BODY, signed(BODY, GOOD) | {"svix-timestamp": ""}),
    "time is no number": lambda: (BODY, signed(BODY, GOOD) | {"svix-timestamp": "x"}),
    "time is no time": lambda: (BODY, signed(BODY, GOOD) | {"svix-timestamp": "nan"}),
    "another id": lambda: (BODY, signed(BODY, GOOD) | {"svix-id": "msg_other"}),
    "another body": lambda: (BODY + " ", signed(BODY, GOOD)),
    "another secret": lambda: (
        BODY,
        signed(BODY, GOOD)
        | {"svix-signature": Webhook("c2VjcmV0").sign(GOOD, datetime.now(UTC), BODY)},
    ),
    "old": lambda: (BODY, signed(BODY, GOOD, datetime.now(UTC) + OLD)),
    "early": lambda: (BODY, signed(BODY, GOOD, datetime.now(UTC) + EARLY)),
    "no version": lambda: (BODY, signed(BODY, GOOD) | {"svix-signature": "x"}),
    "another version": lambda: (
        BODY,
        signed(BODY, GOOD)
        | {"svix-signature": "v2," + signed(BODY, GOOD)["svix-signature"][3:]},
    ),
    "no base64": lambda: (BODY, signed(BODY, GOOD) | {"svix-signature": "v1,="}),
    "half of it": lambda: (BODY, signed(BODY, GOOD) | {"svix-signature": "v1,abc"}),
    "no UTF-8": lambda: (b"\xff" + BODY.encode(), signed(BODY, GOOD)),
    "no body": lambda: (b"", signed(BODY, GOOD)),
}


@pytest.mark.parametrize("fault", FORGED)
def test_what_clerk_has_not_signed_is_refused(
    clerk_app: Flask, sandbox: Sandbox, fault: str
) -> None:
    """400, whatever a stranger makes of it, and nothing has ended or is remembered."""
    alice = clerks_user(clerk_app, sandbox)
    body, headers = FORGED[fault]()

    client = clerk_app.test_client()
    refused = client.post("/webhooks/clerk", data=body, headers=headers)

    assert refused.status_code == 400
    assert alice.open("/vault").text == "in"
    assert deliver(clerk_app, *ENDINGS["ended"], GOOD).status_code == 204
    assert alice.json().json["cause"] == "revoked"


def test_over_http_it_is_the_same(clerk_app: Flask, sandbox: Sandbox) -> None:
    """A real request, with headers and body as they arrive: signed 204, forged 400."""
    alice = clerks_user(clerk_app, sandbox)
    with served(clerk_app) as address:

        def status(body: str) -> int:
            headers = signed(BODY, GOOD)
            url = f"{address}/webhooks/clerk"
            try:
                with urlopen(
                    Request(url, body.encode(), headers), timeout=30
                ) as answer:
                    return int(answer.status)
            except HTTPError as error:
                with error:
                    return error.code

        assert status(BODY.replace("alice", "bob")) == 400
        assert status(BODY) == 204

    assert alice.json().json["cause"] == "revoked"

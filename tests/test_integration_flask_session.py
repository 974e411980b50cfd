"""Flask-Session on a real Valkey, with the ledger beside it."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import msgspec
import pytest
import redis
from approving import approve
from approving import with_bank
from conftest import MakeApp
from conftest import signed_in
from flask import Flask
from flask import session
from flask_session import Session
from flask_wtf import FlaskForm
from many import at_once
from many import CLIENTS
from people import Codes
from people import Person
from people import Prompt
from test_resume import Resumption
from valkey_server import Valkey
from wtforms import StringField

from flask_stepup import require_reverification
from flask_stepup import StepUp

MakeSessionApp = Callable[..., Flask]
#: Seconds that a thread is waited for on a busy machine.
PATIENCE = 20


class Transfer(FlaskForm):
    """With a CSRF token of its own, where the app has no CSRFProtect."""

    to = StringField()


class Store:
    """The sessions as they lie on the server."""

    def __init__(self, server: Valkey, prefix: str) -> None:
        self.prefix = prefix
        self.server = redis.Redis(port=server.port)

    def ids(self) -> set[str]:
        keys = self.server.keys(f"{self.prefix}*")
        return {key.decode().removeprefix(self.prefix) for key in keys}

    def raw(self, sid: str) -> bytes:
        value: bytes = self.server.get(self.prefix + sid)
        return value

    def put(self, sid: str, value: bytes) -> None:
        self.server.set(self.prefix + sid, value)


@pytest.fixture(name="store")
def _store(valkey: Valkey, tmp_path: Path) -> Store:
    return Store(valkey, f"{tmp_path}:")


@pytest.fixture(name="make")
def _make(
    make_app: MakeApp, store: Store, valkey: Valkey, codes: Codes
) -> MakeSessionApp:
    """A worker: several share sessions and ledger."""

    def make(**config: Any) -> Flask:
        stepup = StepUp(verifier=codes, subject_loader=signed_in)
        app = make_app(
            stepup=stepup,
            STEPUP_STORAGE_URI=valkey.uri(store.prefix.replace("/", "-")),
            SESSION_TYPE="redis",
            SESSION_REDIS=store.server,
            SESSION_KEY_PREFIX=store.prefix,
            **config,
        )
        Session(app)

        @app.post("/logout")
        def logout() -> str:
            try:
                stepup.forget()
            finally:
                session.clear()
            return "out"

        return with_bank(app, stepup)

    return make


@pytest.fixture(name="app", params=["msgpack", "json"])
def _app(make: MakeSessionApp, request: pytest.FixtureRequest) -> Flask:
    return make(SESSION_SERIALIZATION_FORMAT=request.param)


def elsewhere(person: Person, app: Flask) -> Person:
    """The same browser in front of another worker."""
    other = Person(app)
    other.put_back(person.cookie())
    return other


def test_a_page_is_opened_by_all_workers(
    app: Flask, make: MakeSessionApp, alice: Person
) -> None:
    """From the challenge on one worker to the view on a third."""
    prompt = alice.prompted()
    second = elsewhere(alice, make())
    assert second.answer(prompt, "right").location == "/vault"

    third = elsewhere(second, make())
    assert third.open("/vault").text == "the vault is open"


def test_a_step_up_renews_the_id(store: Store, alice: Person) -> None:
    """What had the old one is dead, on the server and in a browser."""
    prompt, old = alice.prompted(), alice.cookie()
    assert store.ids() == {old}

    alice.answer(prompt, "right")

    assert store.ids() == {alice.cookie()}
    assert alice.cookie() != old
    thief = Person(alice.app)
    thief.put_back(old)
    assert thief.json().status_code == 401


def test_what_is_kept_is_text_in_any_format(store: Store, alice: Person) -> None:
    """A nonce, and markers by their names: nothing that needs pickle."""
    alice.step_up("right")
    approve(alice, "/send", {"to": "bob", "amount": "10"})
    raw = store.raw(alice.cookie())
    kind = msgspec.json if raw.startswith(b"{") else msgspec.msgpack
    kept = kind.decode(raw)

    assert isinstance(kept["_stepup_sid"], str)
    assert len(kept["_stepup"]) == 2
    for name, token in kept["_stepup"].items():
        assert isinstance(name, str)
        assert isinstance(token, str)
        assert len(token) < 170


def test_a_form_comes_back_to_its_own_csrf_token(app: Flask) -> None:
    """The token is in the session, which goes on under another id."""

    @app.route("/form", methods=["GET", "POST"])
    @require_reverification(methods={"POST"})
    def form() -> str:
        form = Transfer()
        return "sent" if form.validate_on_submit() else f"{form.csrf_token}"

    alice = Person(app, "alice")
    token = re.search('value="([^"]+)"', alice.open("/form").text)
    assert token
    typed = {"to": "bob", "csrf_token": token[1]}
    page = alice.answer(Prompt(alice.open("/form", "POST", data=typed)), "right")

    assert Resumption(page).send(alice).text == "sent"


def test_a_logout_ends_it_though_the_store_is_put_back(
    store: Store, alice: Person
) -> None:
    """Promise 3: an old id opens nothing, and neither does an old copy of the store."""
    alice.step_up("right")
    cookie, kept = alice.cookie(), store.raw(alice.cookie())
    assert alice.open("/logout", "POST").text == "out"
    thief = Person(alice.app)
    thief.put_back(cookie)
    assert thief.json().status_code in (401, 403)

    store.put(cookie, kept)
    thief.put_back(cookie)

    assert thief.json().json["cause"] == "revoked"


def test_of_32_resumes_at_once_one_runs(
    app: Flask, make: MakeSessionApp, alice: Person
) -> None:
    """Promise 9: on two workers, with one session between them."""
    approve(alice, "/pay")
    other = make()
    line = [elsewhere(alice, each) for each in (app, other) * (CLIENTS // 2)]

    statuses = at_once(lambda n: line[n].open("/pay", "POST").status_code)

    assert sorted(statuses) == [200] + [403] * (CLIENTS - 1)
    assert app.extensions["runs"] + other.extensions["runs"] == ["pay"]


def slow(app: Flask) -> tuple[Event, Event]:
    """Add a view that takes its time: begun, and may go on."""
    begun, may_go_on = Event(), Event()

    @app.get("/slow")
    def wait() -> str:
        assert session["user_id"]
        begun.set()
        assert may_go_on.wait(PATIENCE)
        return "slow"

    return begun, may_go_on


@pytest.mark.parametrize("refreshes", [True, False])
def test_a_request_that_was_under_way_opens_nothing(
    make: MakeSessionApp, refreshes: bool
) -> None:
    """It may bring the old id back, with what was in it before: no marker."""
    app = make(SESSION_REFRESH_EACH_REQUEST=refreshes)
    begun, may_go_on = slow(app)
    alice = Person(app, "alice")
    prompt = alice.prompted()
    tab, old = elsewhere(alice, app), alice.cookie()
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(tab.open, "/slow")
        assert begun.wait(PATIENCE)
        alice.answer(prompt, "right")
        may_go_on.set()
        answer = under_way.result()

    tab.put_back(old)
    assert tab.json().status_code == (403 if refreshes else 401)
    # As docs/integrations.md says: with the default this answer leads the browser back
    # to the old id, in which nothing was proved.
    assert ("Set-Cookie" in answer.headers) is refreshes
    assert alice.open("/vault").text == "the vault is open"


def test_what_is_not_ours_in_the_store_opens_nothing(
    app: Flask, alice: Person, store: Store
) -> None:
    """Whoever wrote it there."""
    alice.step_up("right")
    for odd in ({"user_id": "alice", "_stepup": ["x"], "_stepup_sid": 5}, {}):
        store.put(alice.cookie(), msgspec.msgpack.encode(odd))
        assert elsewhere(alice, app).json().status_code in (401, 403)

"""Promise 7 with a real ledger on a server: down, slow, full, read-only, emptied.

What the ledger itself does is in ``test_ledger_redis``; here it is what people see.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import closing
from contextlib import contextmanager
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import MakeApp
from flask import Flask
from people import Codes
from people import Person
from valkey_server import running
from valkey_server import Valkey
from werkzeug.test import TestResponse
from wire import wire_to

from flask_stepup import StepUp
from flask_stepup.errors import LedgerUnavailable

#: Seconds that the ledger may take, and what a busy machine may add to them.
TIMEOUT = 0.3
GRACE = 1.0

#: What is done to the server, and what ends it.
Fault = Callable[[Valkey], object]
FAULTS: dict[str, tuple[Fault, Fault]] = {
    "down": (Valkey.kill, Valkey.start),
    "slow": (Valkey.pause, Valkey.resume),
    "answering errors": (
        lambda server: tell(server, "ACL", "SETUSER", "default", "-@scripting"),
        lambda server: tell(server, "ACL", "SETUSER", "default", "+@all"),
    ),
}
#: Those with which looking up goes on, and writing does not.
WRITE_FAULTS: dict[str, tuple[Fault, Fault]] = {
    "full": (
        lambda server: tell(server, "CONFIG", "SET", "maxmemory", "1"),
        lambda server: tell(server, "CONFIG", "SET", "maxmemory", "0"),
    ),
    "read-only": (
        lambda server: tell(server, "REPLICAOF", "127.0.0.1", "1"),
        lambda server: tell(server, "REPLICAOF", "NO", "ONE"),
    ),
    "without a replica": (
        lambda server: tell(server, "CONFIG", "SET", "min-replicas-to-write", "1"),
        lambda server: tell(server, "CONFIG", "SET", "min-replicas-to-write", "0"),
    ),
}
faults = pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
write_faults = pytest.mark.parametrize("fault", WRITE_FAULTS.values(), ids=WRITE_FAULTS)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Valkey]:
    """A server that keeps what it acknowledged."""
    options = ("--appendonly", "yes", "--appendfsync", "always")
    with running(tmp_path / "valkey", *options) as server:
        yield server


@pytest.fixture
def app(make_app: MakeApp, server: Valkey, stepup: StepUp) -> Flask:
    config = {"STEPUP_STORAGE_URI": server.uri(), "STEPUP_STORAGE_TIMEOUT": TIMEOUT}
    app = make_app(stepup=stepup, **config)

    @app.post("/sign-out")
    def sign_out() -> str:
        with suppress(LedgerUnavailable):
            stepup.forget()
        return "signed out"

    return app


def tell(server: Valkey, *words: str) -> None:
    with closing(server.client()) as client:
        client.execute_command(*words)


@contextmanager
def under(fault: tuple[Fault, Fault], server: Valkey) -> Iterator[None]:
    begin, end = fault
    begin(server)
    try:
        yield
    finally:
        end(server)


def in_time(request: Callable[[], TestResponse]) -> TestResponse:
    before = time.monotonic()
    response = request()
    assert time.monotonic() - before < TIMEOUT + GRACE
    return response


@faults
def test_while_the_ledger_is_away_nothing_opens_and_nothing_is_lost(
    alice: Person, codes: Codes, server: Valkey, fault: tuple[Fault, Fault]
) -> None:
    """Promise 7: 503 in time; no code is asked for; afterwards all is as it was."""
    prompt = alice.prompted()
    bob = Person(alice.app, "bob")
    bob.step_up("right")
    asked = list(codes.asked)
    with under(fault, server):
        answers = [
            in_time(lambda: bob.open("/vault")),
            in_time(lambda: bob.json("/vault")),
            in_time(lambda: alice.open("/vault")),
            in_time(lambda: alice.answer(prompt, "right 2")),
            in_time(lambda: bob.open("/stepup/status")),
        ]
        assert [answer.status_code for answer in answers] == [503] * 5
        assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers)
        assert in_time(lambda: bob.open("/open")).status_code == 200
        assert Person(alice.app).json("/vault").status_code == 401

    assert codes.asked == asked
    assert bob.open("/vault").status_code == 200
    assert alice.answer(prompt, "right 2").status_code == 303
    assert alice.open("/vault").status_code == 200


@faults
def test_people_can_leave_while_the_ledger_is_away(
    alice: Person, server: Valkey, fault: tuple[Fault, Fault]
) -> None:
    """Promise 7: their browser keeps nothing, whatever the ledger does."""
    alice.step_up("right")
    with under(fault, server):
        assert in_time(lambda: alice.open("/sign-out", "POST")).status_code == 200
    assert alice.json("/vault").status_code == 403


@write_faults
def test_who_is_verified_goes_on_while_nothing_can_be_written(
    alice: Person, codes: Codes, server: Valkey, fault: tuple[Fault, Fault]
) -> None:
    """Promise 7: look-ups are answered, and nobody's code is sent for nothing."""
    alice.step_up("right")
    bob = Person(alice.app, "bob")
    prompt = bob.prompted()
    asked = list(codes.asked)
    with under(fault, server):
        assert alice.open("/vault").status_code == 200
        assert in_time(lambda: bob.answer(prompt, "right 2")).status_code == 503
        assert codes.asked == asked
    assert bob.answer(prompt, "right 2").status_code == 303


@faults
def test_a_ledger_that_fails_after_the_verdict_is_no_wrong_code(
    alice: Person, codes: Codes, server: Valkey, fault: tuple[Fault, Fault]
) -> None:
    """Promise 7: the code may be spent, which is said; the next one opens."""
    prompt = alice.prompted()
    codes.meanwhile = lambda: fault[0](server)
    page = in_time(lambda: alice.answer(prompt, "right"))
    codes.meanwhile = list
    fault[1](server)

    assert page.status_code == 503
    assert "may be used up" in page.text
    assert alice.json("/vault").json["code"] == "reverification_required"
    assert alice.answer(prompt, "right 2").status_code == 303
    assert alice.open("/vault").status_code == 200


def test_a_wrong_code_counts_whatever_becomes_of_the_ledger(
    alice: Person, codes: Codes, server: Valkey
) -> None:
    """Promise 4: what was reserved outlives a crash in the middle of each attempt."""
    prompt = alice.prompted()

    def crash() -> None:
        server.kill()
        server.start()

    codes.meanwhile = crash
    statuses = [alice.answer(prompt, f"wrong {n}").status_code for n in range(7)]

    assert statuses == [422] * 5 + [429] * 2
    assert len(codes.asked) == 5


def test_a_connection_that_flaps_costs_nobody_anything(
    make_app: MakeApp, server: Valkey, stepup: StepUp
) -> None:
    """Promise 7: what was cut between two requests is opened anew for the second."""
    with wire_to(server.port) as wire:
        uri = f"redis://127.0.0.1:{wire.port}"
        app = make_app(stepup=stepup, STEPUP_STORAGE_URI=uri)
        alice = Person(app, "alice")
        alice.step_up("right")
        statuses = []
        for _ in range(10):
            wire.cut()
            time.sleep(0.02)
            statuses.append(alice.open("/vault").status_code)
        app.extensions["stepup"].ledger.close()

    assert statuses == [200] * 10


def test_a_guarded_request_asks_the_ledger_once_and_a_verification_thrice(
    make_app: MakeApp, server: Valkey, stepup: StepUp
) -> None:
    """Round trips, counted on the wire."""
    with wire_to(server.port) as wire:
        uri = f"redis://127.0.0.1:{wire.port}"
        app = make_app(stepup=stepup, STEPUP_STORAGE_URI=uri)
        alice = Person(app, "alice")
        # A server is sent its scripts with their first use.
        alice.step_up("right")
        bob = Person(app, "bob")
        prompt = bob.prompted()
        counts = []
        for answer in (
            lambda: alice.open("/vault"),
            lambda: bob.answer(prompt, "wrong"),
            lambda: bob.answer(prompt, "right 2"),
        ):
            wire.heard.clear()
            status = answer().status_code
            counts.append((status, len(wire.heard)))
        app.extensions["stepup"].ledger.close()

    assert counts == [(200, 1), (422, 2), (303, 3)]


@pytest.mark.parametrize("kind", ["sqlite", "valkey"])
def test_an_emptied_ledger_has_people_asked_once_and_no_more(
    make_app: MakeApp, server: Valkey, tmp_path: Path, kind: str
) -> None:
    """Promise 3: what was revoked is forgotten, so that nothing made before counts.

    And what is made afterwards does, in every worker, with no restart.
    """
    uri = server.uri() if kind == "valkey" else "sqlite:///stepup.db"
    one, two = (Person(make_app(STEPUP_STORAGE_URI=uri), "alice") for _ in range(2))
    one.step_up("right")
    old, prompt = one.cookie(), one.prompted("/vault?")
    with one.app.app_context():
        StepUp().revoke("alice")
    one.step_up("right 2")
    if kind == "valkey":
        tell(server, "FLUSHALL")
    else:
        for file in (tmp_path / "instance").glob("stepup.db*"):
            file.unlink()

    assert one.json("/vault").json["cause"] == "missing"
    one.step_up("right 3")
    assert one.open("/vault").status_code == 200
    two.put_back(one.cookie())
    assert two.open("/vault").status_code == 200
    two.put_back(old)
    assert two.open("/vault").status_code == 303
    assert prompt.response.status_code == 200


def test_a_prompt_of_before_the_ledger_was_emptied_asks_to_start_again(
    alice: Person, codes: Codes, server: Valkey
) -> None:
    """Promise 1: no code is sent for what another ledger asked."""
    prompt = alice.prompted()
    tell(server, "FLUSHALL")
    page = alice.answer(prompt, "right")

    assert page.status_code == 400
    assert "Please start again" in page.text
    assert codes.asked == []
    alice.step_up("right")
    assert alice.open("/vault").status_code == 200

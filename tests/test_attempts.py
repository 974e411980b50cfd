"""Promise 4: the cap holds exactly, however many ask at once, however served."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import time_machine
from conftest import MakeApp
from flask import Flask
from flask import session
from many import at_once
from many import Browser
from many import PATIENCE
from many import workers
from people import Codes
from people import Person
from serving import served
from valkey_server import running

from flask_stepup import IncorrectCode
from flask_stepup import require_reverification
from flask_stepup import StepUp
from flask_stepup import Verification
from flask_stepup import VerifierUnavailable
from flask_stepup.signals import attempts_exhausted

LIMIT = 5


class Witness:
    """A verifier that writes down whom it was asked about, for all processes to see.

    A code that begins with ``wrong`` is wrong, and with ``away`` there is no verdict.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = journal

    def verify(self, user_id: str, code: str) -> Verification:
        self.write("asked", user_id=user_id)
        if code.startswith("away"):
            raise VerifierUnavailable
        if code.startswith("wrong"):
            raise IncorrectCode
        return Verification("totp")

    def write(self, what: str, **facts: Any) -> None:
        with self._journal.open("a") as journal:
            journal.write(json.dumps({"what": what} | facts) + "\n")


def guarded_app(folder: Path, ledger: str) -> Flask:
    """The app of one worker."""
    app = Flask("bank", instance_path=str(folder / "instance"))
    app.config.update(
        SECRET_KEY="k" * 32,
        STEPUP_STORAGE_URI=ledger,
        STEPUP_STORAGE_TIMEOUT=PATIENCE,
        STEPUP_ATTEMPT_LIMIT=f"{LIMIT} per 5 minutes; 7 per day",
    )
    witness = Witness(folder / "journal")
    StepUp(app, verifier=witness, subject_loader=lambda: session.get("user_id"))

    def tell(sender: Flask, **facts: Any) -> None:
        witness.write("exhausted", **facts)

    attempts_exhausted.connect(tell, app, weak=False)

    @app.get("/sign-in/<user_id>")
    def sign_in(user_id: str) -> str:
        session["user_id"] = user_id
        return "signed in"

    @app.post("/vault")
    @require_reverification
    def vault() -> str:
        return "open"

    return app


#: Threads with each ledger, and processes with each that they can share.
WAYS = ("memory", "sqlite", "valkey", "workers-sqlite", "workers-valkey")


@pytest.fixture(params=WAYS)
def addresses(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[str]]:
    """Where the app is served, by 32 threads or by four processes."""
    *way, kind = request.param.split("-")
    with ExitStack() as stack:
        uris = {"memory": "memory://", "sqlite": "sqlite:///stepup.db"}
        if kind == "valkey":
            uris["valkey"] = stack.enter_context(running(tmp_path / "valkey")).uri()
        if way:
            app = "test_attempts:guarded_app"
            yield stack.enter_context(workers(app, tmp_path, uris[kind]))
        else:
            app = guarded_app(tmp_path, uris[kind])
            yield [stack.enter_context(served(app))]


def journal(folder: Path, what: str) -> list[dict[str, Any]]:
    """What has been written down of this kind."""
    path = folder / "journal"
    lines = path.read_text().splitlines() if path.exists() else []
    return [fact for line in lines if (fact := json.loads(line))["what"] == what]


def asked(browser: Browser) -> dict[str, str]:
    """The fields of the prompt that a guarded view answers with."""
    prompt = browser.send("/vault", {"x": "1"})
    assert prompt.status == 403
    browser.cookie = prompt.cookie
    return prompt.fields


def test_of_32_wrong_codes_at_once_five_are_asked_about(
    addresses: list[str], tmp_path: Path
) -> None:
    """Promise 4: others are told how long to wait, and the lock-out is told once."""
    browser = Browser(addresses)
    fields = asked(browser)

    answers = at_once(
        lambda n: browser.send("/stepup/", fields | {"code": f"wrong {n}"})
    )

    assert sorted(a.status for a in answers) == [422] * LIMIT + [429] * (32 - LIMIT)
    assert len(journal(tmp_path, "asked")) == LIMIT
    (told,) = journal(tmp_path, "exhausted")
    assert told["user_id"] == "alice"
    left = sorted(a.text.count("tries left") for a in answers if a.status == 422)
    assert left == [0, 0, 1, 1, 1]  # the last says so, and the one before has one try


def test_others_are_not_locked_out(addresses: list[str], tmp_path: Path) -> None:
    """Attempts are counted by user, and a right code clears one's own alone."""
    alice, bob = Browser(addresses), Browser(addresses, "bob")
    of_alice, of_bob = asked(alice), asked(bob)
    at_once(lambda n: alice.send("/stepup/", of_alice | {"code": f"wrong {n}"}))

    assert bob.send("/stepup/", of_bob | {"code": "right"}).status == 200
    assert alice.send("/stepup/", of_alice | {"code": "right"}).status == 429


def test_of_32_outages_at_once_none_counts(
    addresses: list[str], tmp_path: Path
) -> None:
    """Promise 7: what was reserved meanwhile is given back, and no more than that."""
    browser = Browser(addresses)
    fields = asked(browser)

    answers = at_once(
        lambda n: browser.send("/stepup/", fields | {"code": f"away {n}"})
    )

    assert {answer.status for answer in answers} <= {503, 429}
    statuses = [
        browser.send("/stepup/", fields | {"code": f"wrong {n}"}).status
        for n in range(LIMIT + 1)
    ]
    assert statuses == [422] * LIMIT + [429]


def test_a_longer_limit_holds_when_the_shorter_one_is_over(
    make_app: MakeApp, codes: Codes
) -> None:
    """Several limits hold at once, each by itself; and unlock lifts all of them."""
    stepup = StepUp(verifier=codes, subject_loader=lambda: session.get("user_id"))
    limit = "2 per minute; 3 per day"
    app = make_app(stepup=stepup, STEPUP_ATTEMPT_LIMIT=limit)
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        alice = Person(app, "alice")
        prompt = alice.prompted()
        got = []
        for seconds in (0, 10, 20, 40, 1):
            clock.shift(seconds)
            answer = alice.answer(prompt, f"wrong {seconds}")
            got.append((answer.status_code, answer.headers.get("Retry-After")))
        with app.app_context():
            stepup.unlock("alice")
        assert alice.answer(prompt, "right").status_code == 303

    assert got == [
        (422, None),
        (422, None),
        (429, "30"),
        (422, None),
        (429, "86329"),
    ]

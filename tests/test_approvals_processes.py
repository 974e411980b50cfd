"""Approvals at once: in threads, and in worker processes that share one ledger.

All of it over HTTP, from 32 clients that start at the same moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from flask import Flask
from flask import request
from flask import session
from many import Answer
from many import at_once
from many import Browser
from many import CLIENTS
from many import PATIENCE
from many import workers
from people import Codes
from serving import served
from valkey_server import running

from flask_stepup import require_reverification
from flask_stepup import StepUp

MONEY = {"to": "bob", "amount": "10"}


def bank(folder: Path, ledger: str) -> Flask:
    """The app of one worker. Its transfers are written down for all to see."""
    app = Flask("bank", instance_path=str(folder / "instance"))
    app.config.update(
        SECRET_KEY="k" * 32,
        STEPUP_STORAGE_URI=ledger,
        STEPUP_STORAGE_TIMEOUT=PATIENCE,
        STEPUP_ATTEMPT_LIMIT="1000 per 5 minutes",
    )
    StepUp(app, verifier=Codes(), subject_loader=lambda: session.get("user_id"))

    @app.get("/sign-in/<user_id>")
    def sign_in(user_id: str) -> str:
        session["user_id"] = user_id
        return "signed in"

    @app.post("/send")
    @require_reverification(bind=("to", "amount"))
    def send() -> str:
        with (folder / "transfers").open("a") as transfers:
            transfers.write(f"{request.form['to']}\n")
        return "sent"

    return app


class Payer(Browser):
    """A person who sends money."""

    def __init__(self, addresses: list[str], folder: Path) -> None:
        self._transfers = folder / "transfers"
        super().__init__(addresses)

    def asked(self) -> Answer:
        """Post a transfer for which a code is asked."""
        prompt = self.send("/send", MONEY)
        assert prompt.status == 403, prompt.text
        self.cookie = prompt.cookie
        return prompt

    def approve(self, code: str) -> None:
        """Have one transfer approved."""
        answer = self.send("/stepup/", self.asked().fields | {"code": code})
        assert answer.status == 200, answer.text
        self.cookie = answer.cookie

    @property
    def transfers(self) -> int:
        """How many transfers have been carried out."""
        lines = self._transfers.read_text() if self._transfers.exists() else ""
        return len(lines.splitlines())


#: Threads with either ledger, and processes with each that they can share.
ALL_WAYS = ["memory://", "sqlite:///stepup.db", "workers", "workers on a server"]
in_all_ways = pytest.mark.parametrize("browser", ALL_WAYS, indirect=True)


@pytest.fixture(name="browser", params=["sqlite:///stepup.db"])
def _browser(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Payer]:
    """In front of threads with this ledger, or of four processes."""
    with ExitStack() as stack:
        if request.param.startswith("workers"):
            uri = "sqlite:///stepup.db"
            if request.param == "workers on a server":
                uri = stack.enter_context(running(tmp_path / "valkey")).uri()
            app = "test_approvals_processes:bank"
            addresses = stack.enter_context(workers(app, tmp_path, uri))
        else:
            app = bank(tmp_path, request.param)
            addresses = [stack.enter_context(served(app))]
        yield Payer(addresses, tmp_path)


@in_all_ways
def test_of_32_resumes_of_one_approval_one_runs(browser: Payer) -> None:
    """Promises 5 and 9: a double click, or thirty-two, carry out one transfer.

    Nothing is lost: the others are asked for a code, and have their form with them.
    """
    browser.approve("right 1")

    answers = at_once(lambda _: browser.send("/send", MONEY))

    assert sorted(a.status for a in answers) == [200] + [403] * (CLIENTS - 1)
    assert browser.transfers == 1
    refused = [answer for answer in answers if answer.status == 403]
    assert all("What you entered is kept" in answer.text for answer in refused)
    resume = browser.send("/stepup/", refused[-1].fields | {"code": "right 2"})
    assert (resume.status, resume.fields) == (200, MONEY)
    browser.cookie = resume.cookie
    assert browser.send("/send", MONEY).text == "sent"
    assert browser.transfers == 2


def test_of_32_resumes_of_two_approvals_two_run(browser: Payer) -> None:
    """Who loses the race for one approval gets the other, and nobody gets a third."""
    prompts = [browser.asked(), browser.asked()]
    for number, prompt in enumerate(prompts):
        data = prompt.fields | {"code": f"right {number}"}
        browser.cookie = browser.send("/stepup/", data).cookie

    answers = at_once(lambda _: browser.send("/send", MONEY))

    assert sorted(a.status for a in answers) == [200] * 2 + [403] * (CLIENTS - 2)
    assert browser.transfers == 2


@in_all_ways
def test_of_32_submissions_of_one_code_one_opens(browser: Payer) -> None:
    """Promise 5: one click of many succeeds, and just one transfer can follow.

    The others are told that the code was used, and can go on with the form.
    """
    data = browser.asked().fields | {"code": "right 1"}
    before = browser.cookie

    answers = at_once(lambda _: browser.send("/stepup/", data))

    (opened,) = [answer for answer in answers if answer.status == 200]
    others = [answer for answer in answers if answer is not opened]
    assert {answer.status for answer in others} == {422}
    assert {answer.cookie for answer in others} == {before}
    assert all("Continue" in answer.text for answer in others)
    assert all(answer.fields.items() >= MONEY.items() for answer in others)
    browser.cookie = opened.cookie
    resumed = at_once(lambda _: browser.send("/send", MONEY))
    assert sorted(a.status for a in resumed) == [200] + [403] * (CLIENTS - 1)
    assert browser.transfers == 1


def test_one_code_opens_one_of_32_challenges(browser: Payer) -> None:
    """Promise 5: as many tabs, one code, one transfer."""
    prompts = [browser.asked() for _ in range(CLIENTS)]

    answers = at_once(
        lambda number: browser.send(
            "/stepup/", prompts[number].fields | {"code": "right 1"}
        )
    )

    assert sorted(a.status for a in answers) == [200] + [422] * (CLIENTS - 1)


def test_however_many_codes_approve_a_challenge_one_runs(browser: Payer) -> None:
    """A challenge is one operation: other right codes give no other run of it."""
    fields = browser.asked().fields
    answers = at_once(
        lambda number: browser.send("/stepup/", fields | {"code": f"right {number}"})
    )
    assert {answer.status for answer in answers} == {200}

    resumed = at_once(
        lambda number: browser.send("/send", MONEY, cookie=answers[number].cookie)
    )

    assert sorted(a.status for a in resumed) == [200] + [403] * (CLIENTS - 1)
    assert browser.transfers == 1

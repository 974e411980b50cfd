"""Approvals at once: in threads, and in worker processes that share one ledger.

All of it over HTTP, from 32 clients that start at the same moment.
"""

from __future__ import annotations

import html
import os
import re
import sys
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from contextlib import contextmanager
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import cycle
from pathlib import Path
from threading import Barrier
from typing import TypeVar
from urllib.parse import urlencode
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask import request
from flask import session
from people import Codes
from people import PAGE
from serving import port_in
from serving import read_until
from serving import ROOT
from serving import served
from serving import started
from werkzeug.serving import make_server

from flask_stepup import require_reverification
from flask_stepup import StepUp

#: Clients that come at once, and workers that serve them.
CLIENTS = 32
WORKERS = 4
#: Seconds that one of them may take on a busy machine.
PATIENCE = 50.0
MONEY = {"to": "bob", "amount": "10"}

T = TypeVar("T")


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


def work() -> None:
    """Be one worker process until it is ended."""
    app = bank(Path(sys.argv[1]), "sqlite:///stepup.db")
    server = make_server("127.0.0.1", 0, app, threaded=True)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


@contextmanager
def workers(folder: Path) -> Iterator[list[str]]:
    """Addresses of workers that share the ledger in the folder."""
    script = "from test_approvals_processes import work; work()"
    env = os.environ | {"PYTHONPATH": f"{ROOT / 'tests'}{os.pathsep}{ROOT}"}
    with ExitStack() as stack:
        processes = [
            stack.enter_context(started(env, "-c", script, str(folder)))
            for _ in range(WORKERS)
        ]
        ports = [port_in(read_until(each.stdout, "http://")) for each in processes]
        yield [f"http://127.0.0.1:{port}" for port in ports]


@dataclass(frozen=True)
class Answer:
    """What one client got, and the session cookie that it has afterwards."""

    status: int
    text: str
    cookie: str

    @property
    def fields(self) -> dict[str, str]:
        found = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', self.text)
        return {name: html.unescape(value) for name, value in found}


class Browser:
    """One person's browser; its requests go to one worker after the other."""

    def __init__(self, addresses: list[str], folder: Path) -> None:
        self._addresses = cycle(addresses)
        self._transfers = folder / "transfers"
        self.cookie = ""
        self.cookie = self.send("/sign-in/alice", method="GET").cookie

    def send(
        self,
        path: str,
        data: dict[str, str] | None = None,
        method: str = "POST",
        cookie: str = "",
    ) -> Answer:
        """Send a form with this cookie, or the browser's, which stays as it is."""
        host = urlsplit(next(self._addresses)).netloc
        sent = cookie or self.cookie
        headers = PAGE | {
            "Cookie": sent,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        with closing(HTTPConnection(host, timeout=PATIENCE)) as connection:
            connection.request(method, path, urlencode(data or {}), headers)
            answer = connection.getresponse()
            cookie = answer.headers.get("Set-Cookie", sent).partition(";")[0]
            return Answer(answer.status, answer.read().decode(), cookie)

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


def at_once(run: Callable[[int], T], clients: int = CLIENTS) -> list[T]:
    """What that many clients get that start at the same moment."""
    line = Barrier(clients)

    def start(number: int) -> T:
        line.wait(PATIENCE)
        return run(number)

    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(start, range(clients)))


#: Threads with either ledger, and processes with the one that they can share.
ALL_WAYS = ["memory://", "sqlite:///stepup.db", "workers"]
in_all_ways = pytest.mark.parametrize("browser", ALL_WAYS, indirect=True)


@pytest.fixture(name="browser", params=["sqlite:///stepup.db"])
def _browser(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Browser]:
    """In front of threads with this ledger, or of four processes."""
    if request.param == "workers":
        with workers(tmp_path) as addresses:
            yield Browser(addresses, tmp_path)
    else:
        with served(bank(tmp_path, request.param)) as address:
            yield Browser([address], tmp_path)


@in_all_ways
def test_of_32_resumes_of_one_approval_one_runs(browser: Browser) -> None:
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


def test_of_32_resumes_of_two_approvals_two_run(browser: Browser) -> None:
    """Who loses the race for one approval gets the other, and nobody gets a third."""
    prompts = [browser.asked(), browser.asked()]
    for number, prompt in enumerate(prompts):
        data = prompt.fields | {"code": f"right {number}"}
        browser.cookie = browser.send("/stepup/", data).cookie

    answers = at_once(lambda _: browser.send("/send", MONEY))

    assert sorted(a.status for a in answers) == [200] * 2 + [403] * (CLIENTS - 2)
    assert browser.transfers == 2


@in_all_ways
def test_of_32_submissions_of_one_code_one_opens(browser: Browser) -> None:
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


def test_one_code_opens_one_of_32_challenges(browser: Browser) -> None:
    """Promise 5: as many tabs, one code, one transfer."""
    prompts = [browser.asked() for _ in range(CLIENTS)]

    answers = at_once(
        lambda number: browser.send(
            "/stepup/", prompts[number].fields | {"code": "right 1"}
        )
    )

    assert sorted(a.status for a in answers) == [200] + [422] * (CLIENTS - 1)


def test_however_many_codes_approve_a_challenge_one_runs(browser: Browser) -> None:
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

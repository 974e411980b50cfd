"""gunicorn with gevent: one worker, many greenlets, and a backend that is slow."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from threading import Event

import pytest
from hostile import HostileServer
from hostile import PATIENCE
from hostile import Pause
from hostile import raw
from hostile import Request
from hostile import Script
from hostile import Send
from hostile import Wire
from many import at_once
from soak.browser import Browser
from soak.cluster import cluster
from test_clerk import certificate
from test_clerk import needs_openssl
from test_clerk import tls
from valkey_server import Valkey

pytest.importorskip("gevent", reason="missing: gevent")
pytest.importorskip("gunicorn", reason="missing: gunicorn")
pytestmark = needs_openssl

SLOW, WRONG = "000111", "123456"
RIGHT = Send(raw(200, '{"verified": true, "code_type": "totp"}'))
INCORRECT = Send(raw(422, '{"errors": [{"code": "form_code_incorrect"}]}'))
GREENLETS, LIMIT = 32, 5
#: How the app gets into the worker, by an option and by its module.
IN_WORKER = ("", "soak.app:make_app()")
PRELOADED = ("--preload", "soak.app:make_app()")
PATCHED_FIRST = ("--preload", "greenlets:make_app()")


@dataclass
class Backend:
    """Says nothing about the slow code until it is told to."""

    may_answer: Event = field(default_factory=Event)

    def __call__(self, request: Request) -> Script:
        if SLOW.encode() in request.body:
            return (self, RIGHT)
        # Long enough for all others to come.
        return (Pause(0.2), INCORRECT)

    def play(self, wire: Wire) -> None:
        assert self.may_answer.wait(PATIENCE)


@dataclass
class Bank:
    """The worker's port, and what stands behind it."""

    port: int
    backend: Backend
    server: HostileServer
    log: Path

    @contextmanager
    def browser(self, user: str) -> Iterator[Browser]:
        """Somebody who has signed in."""
        with Browser(self.port, [], user) as browser:
            assert browser.sign_in()
            yield browser


@pytest.fixture(
    name="bank",
    params=[
        (*IN_WORKER, "sqlite", "http"),
        (*IN_WORKER, "valkey", "https"),
        (*PRELOADED, "sqlite", "https"),
        (*PRELOADED, "valkey", "http"),
        (*PATCHED_FIRST, "sqlite", "http"),
        (*PATCHED_FIRST, "valkey", "https"),
    ],
    ids=lambda param: "-".join(filter(None, param)),
)
def _bank(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    valkey: Valkey,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Bank]:
    option, app, ledger, scheme = request.param
    path = certificate(tmp_path, "IP:127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    monkeypatch.setenv("GUNICORN_CMD_ARGS", option)
    backend = Backend()
    uris = {"sqlite": "sqlite:///ledger.db", "valkey": valkey.uri(tmp_path.name)}
    config = {
        "FOLDER": str(tmp_path),
        "SECRET_KEY": secrets.token_hex(),
        "STEPUP_ATTEMPT_LIMIT": f"{LIMIT} per 5 minutes",
        "STEPUP_CLERK_SECRET_KEY": "sk_test_x",
        "STEPUP_CLERK_TIMEOUT": str(2 * PATIENCE),
        "STEPUP_STORAGE_TIMEOUT": str(PATIENCE),
        "STEPUP_STORAGE_URI": uris[ledger],
    }
    context = tls(path) if scheme == "https" else None
    with HostileServer(backend, tls=context) as server:
        config["STEPUP_CLERK_API_URL"] = server.url
        with cluster("gevent", tmp_path, config, app=app, workers=1) as running:
            yield Bank(running.port, backend, server, tmp_path / "log")
            backend.may_answer.set()


def meanwhile(bank: Bank, act: Callable[[], None]) -> int:
    """Submit a code, act while the backend thinks, and return the answer's status."""
    with bank.browser("user_slow") as browser, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(browser.verify, browser.vault().challenge, SLOW)
        try:
            bank.server.wait_until(lambda server: server.posts == 1)
            act()
            assert not waiting.done()
        finally:
            bank.backend.may_answer.set()
        return waiting.result().status


def test_while_one_code_is_checked_the_worker_serves_others(bank: Bank) -> None:
    """Open routes, guarded ones, prompts and codes of other people."""
    statuses = []

    def others() -> None:
        with bank.browser("user_other") as other:
            statuses.append(other.vault().status)
            statuses.append(other.verify(other.vault().challenge, WRONG).status)

    assert meanwhile(bank, others) == 200
    assert statuses == [403, 422]


def test_the_cap_holds_with_32_greenlets(bank: Bank) -> None:
    """Promise 4: not one guess more reaches the backend, and nobody waits for ever."""
    with bank.browser("user_guessed") as browser:
        challenge = browser.vault().challenge
        copies = [browser.copy() for _ in range(GREENLETS)]
        for copy in copies:
            copy.connect()
        statuses = at_once(
            lambda n: copies[n].verify(challenge, f"1234{n:02}").status, GREENLETS
        )
        for copy in copies:
            copy.__exit__()

    assert sorted(statuses) == [422] * LIMIT + [429] * (GREENLETS - LIMIT)
    assert bank.server.posts == LIMIT
    log = bank.log.read_text()
    assert "Traceback" not in log
    assert "1234" not in log

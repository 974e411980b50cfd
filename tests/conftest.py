"""Fixtures: apps to guard, and people who use them with a browser or a program."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from collections.abc import Generator
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask import session
from people import Codes
from people import Person
from valkey_server import running
from valkey_server import Valkey

from flask_stepup import require_reverification
from flask_stepup import StepUp

STRICT = os.environ.get("STEPUP_STRICT") == "1"

# A shell has what it starts in the background ignore Ctrl-C, and children inherit that:
# those that tests start, to end them by Ctrl-C, would never end well.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    """With ``STEPUP_STRICT=1``, what is skipped because something is missing fails.

    Such a skip says ``missing: …``. CI has, or installs, all of it. Other skips are of
    what cannot be at all where the tests run, such as a folder that root may not use.
    """
    report = yield
    if STRICT and report.skipped and "missing: " in str(report.longrepr):
        report.outcome = "failed"
    return report


MakeApp = Callable[..., Flask]


@pytest.fixture(name="codes")
def _codes() -> Codes:
    return Codes()


@pytest.fixture(name="stepup")
def _stepup(codes: Codes) -> StepUp:
    """For apps that ask for it in their views."""
    return StepUp(verifier=codes, subject_loader=signed_in)


@pytest.fixture(name="make_app")
def _make_app(tmp_path: Path, codes: Codes) -> MakeApp:
    """A function that makes an app: ``make_app(STEPUP_PRESET="lax")``."""

    def make_app(*, stepup: StepUp | None = None, **config: Any) -> Flask:
        app = Flask("bank", instance_path=str(tmp_path / "instance"))
        app.config.update(SECRET_KEY="k" * 32, STEPUP_STORAGE_URI="memory://")
        app.config.update(config)
        stepup = stepup or StepUp(verifier=codes, subject_loader=signed_in)
        stepup.init_app(app)
        _mount(app)
        return app

    return make_app


@pytest.fixture(name="app")
def _app(make_app: MakeApp) -> Flask:
    return make_app()


@pytest.fixture(name="alice")
def _alice(app: Flask) -> Person:
    return Person(app, "alice")


@pytest.fixture(name="valkey", scope="session")
def _valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A server for tests that do it no harm, each with a prefix of its own."""
    with running(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture(name="valkey_with_clock", scope="session")
def _valkey_with_clock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """The same with a clock that tests set."""
    folder = tmp_path_factory.mktemp("valkey")
    with running(folder, has_own_clock=True) as server:
        yield server


def signed_in() -> str | None:
    """The subject loader of the test apps."""
    return session.get("user_id")


def _mount(app: Flask) -> None:
    app.extensions["runs"] = runs = []

    @app.get("/sign-in/<user_id>")
    def sign_in(user_id: str) -> str:
        session["user_id"] = user_id
        return "signed in"

    @app.route("/vault", methods=["GET", "POST", "OPTIONS"])
    @require_reverification
    def vault() -> str:
        runs.append("vault")
        return "the vault is open"

    @app.get("/open")
    def open_to_all() -> str:
        return "open to all"

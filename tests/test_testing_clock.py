"""``Clock``: ages are what a test says."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import datetime
from datetime import timedelta
from datetime import UTC
from typing import Any

import pytest
from conftest import MakeApp
from flask import Flask
from flask.testing import FlaskClient

from flask_stepup import ConfigurationError
from flask_stepup.sandbox import demo_users
from flask_stepup.testing import assert_requires_reverification
from flask_stepup.testing import Clock
from flask_stepup.testing import enter_code
from flask_stepup.testing import FakeVerifier
from flask_stepup.testing import reverify
from flask_stepup.testing import use_verifier


@pytest.fixture(name="client")
def _client(app: Flask) -> FlaskClient:
    client = app.test_client()
    client.get("/sign-in/alice")
    return client


def test_time_stands_still_until_it_is_moved() -> None:
    """By seconds or a timedelta, to the very second; afterwards it is right again."""
    before = time.time()
    with Clock() as clock:
        start = time.time()
        clock.forward(90)
        clock.forward(timedelta(minutes=1))
        clock.forward(0.5)
        clock.forward(0)
        moved = time.time() - start

    assert moved == pytest.approx(150.5, abs=1e-3)
    assert start - before < 60
    assert time.time() - before < 60


def test_a_clock_is_set() -> None:
    """To seconds since the epoch, or to a datetime, in whatever zone."""
    with Clock() as clock:
        clock.set(datetime(2030, 1, 1, tzinfo=UTC))
        assert datetime.now(UTC) == datetime(2030, 1, 1, tzinfo=UTC)
        clock.set(2_000_000_000)
        assert time.time() == 2_000_000_000
        clock.set(1.5)
        assert time.time() == 1.5
        clock.forward(1)
        assert time.time() == 2.5


@pytest.mark.parametrize("by", [-1, timedelta(seconds=-1), "10", None, True])
def test_time_goes_forward_alone(by: Any) -> None:
    """And by numbers: what is meant otherwise is told."""
    with Clock() as clock, pytest.raises(ConfigurationError, match="time that goes by"):
        clock.forward(by)


@pytest.mark.parametrize("by", [float("nan"), float("inf")])
def test_time_goes_by_numbers_that_are_some(by: float) -> None:
    """Neither for ever nor by nothing that can be counted."""
    with Clock() as clock:
        with pytest.raises(ConfigurationError, match="no time that goes by"):
            clock.forward(by)
        with pytest.raises(ConfigurationError, match="no moment"):
            clock.set(by)


@pytest.mark.parametrize("to", [datetime(2030, 1, 1), "2030-01-01", None, True])
def test_a_moment_has_a_time_zone(to: Any) -> None:
    """What each machine would understand in its own way is refused."""
    with Clock() as clock, pytest.raises(ConfigurationError, match="a time zone"):
        clock.set(to)


def test_a_clock_that_is_not_in_use() -> None:
    """It moves nothing, before and after; and one that is, is not taken twice."""
    clock = Clock()
    with pytest.raises(ConfigurationError, match="stepup_clock"):
        clock.forward(1)
    with clock:
        with pytest.raises(ConfigurationError, match="make another"):
            clock.__enter__()
        with Clock() as inner:
            inner.forward(5)
        clock.forward(1)
    with pytest.raises(ConfigurationError, match="stepup_clock"):
        clock.set(1)
    with clock:
        clock.forward(1)


def test_a_marker_expires_at_its_age_and_not_before(client: FlaskClient) -> None:
    """Promise 2: seen by a test that waits for nothing."""
    with Clock() as clock:
        reverify(client)
        clock.forward(599)
        assert client.get("/vault").status_code == 200
        clock.forward(1)
        problem = assert_requires_reverification(client, "/vault")

    assert problem["cause"] == "expired"


def test_a_lock_out_ends(app: Flask, client: FlaskClient) -> None:
    """With the ledger in memory, which goes by the clock of the process."""
    with Clock() as clock, use_verifier(app, FakeVerifier()):
        problem = assert_requires_reverification(client, "/vault")
        wrong = [enter_code(client, problem, "000000") for _ in range(6)]
        locked = enter_code(client, problem)
        clock.forward(timedelta(minutes=5))
        after = enter_code(client, problem)

    assert [answer.status_code for answer in wrong] == [422] * 5 + [429]
    assert (locked.status_code, after.status_code) == (429, 200)


def test_a_clock_that_is_set_back_ends_sessions(client: FlaskClient) -> None:
    """Flask takes no session of the future, so that a test has to sign in again."""
    with Clock() as clock:
        clock.forward(3_600)
        reverify(client)
        clock.set(time.time() - 3_600)
        assert client.get("/vault").status_code == 401
        client.get("/sign-in/alice")
        assert client.get("/vault").status_code == 403
        reverify(client)
        assert client.get("/vault").status_code == 200


def test_an_app_that_outlives_a_clock_notices(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    """Its ledger has seen a later time: markers are void, it is logged, it goes on."""
    client = app.test_client()
    with Clock() as clock:
        clock.forward(3_600)
        client.get("/sign-in/alice")
        reverify(client)
    later = app.test_client()
    later.get("/sign-in/alice")

    reverify(later)

    assert later.get("/vault").status_code == 200
    assert client.get("/vault").status_code == 401
    assert "the clock of this machine was set back" in caplog.text


def test_codes_of_authenticator_apps_go_with_it(make_app: MakeApp) -> None:
    """And whatever else in the process reads the time of day."""
    alice = demo_users()[0]
    with Clock() as clock:
        before = alice.current_code()
        clock.forward(90)
        assert alice.current_code() != before


def test_time_machine_is_missing() -> None:
    """The error names the extra, and comes when the clock is used and not before."""
    program = """if True:
        import sys
        sys.modules["time_machine"] = None
        from flask_stepup.testing import Clock
        try:
            Clock().__enter__()
        except Exception as error:
            print(type(error).__name__, error)
    """
    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout

    assert printed == (
        "ConfigurationError Clock needs time-machine: run pip install "
        "'flask-stepup[testing]'\n"
    )

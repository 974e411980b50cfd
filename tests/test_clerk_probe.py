"""A probe of the backend API: one call that changes nothing, over real HTTP."""

from __future__ import annotations

import json
import time
from contextlib import closing
from email.utils import formatdate

import pytest
from hostile import answer
from hostile import Hang
from hostile import HostileServer
from hostile import Pause
from hostile import raw
from hostile import REFUSED
from hostile import Request
from hostile import Script
from hostile import Send

from flask_stepup.clerk import ClerkBackendAPI
from flask_stepup.clerk import Probe
from flask_stepup.errors import VerifierError
from flask_stepup.errors import VerifierMisconfigured
from flask_stepup.errors import VerifierUnavailable
from flask_stepup.sandbox import demo_users
from flask_stepup.sandbox import Sandbox

SECRET_KEY = "sk_test_0123456789abcdefghij"
KEYS = json.dumps(
    {"keys": [{"kty": "RSA", "kid": "one"}, {"kty": "RSA", "kid": "two"}]}
)


def probe(url: str, timeout: float = 5.0, key: str = SECRET_KEY) -> Probe:
    with closing(ClerkBackendAPI(key, base_url=url, timeout=timeout)) as api:
        return api.probe()


def dated(seconds: float, **headers: str) -> Script:
    """An answer whose Date is so many seconds from now."""
    date = formatdate(time.time() + seconds, usegmt=True)
    return answer(200, KEYS, {"Date": date, **headers})


def test_the_sandbox_answers_a_probe() -> None:
    """It takes the key, publishes one of its own, and tells the same time as we."""
    sandbox = Sandbox(demo_users())
    with sandbox.serve() as url:
        found = probe(url, key=sandbox.secret_key)

    assert found.clock_ahead == 0
    assert 0 < found.seconds < 5
    assert [key["kty"] for key in found.keys] == ["RSA"]


def test_a_probe_is_one_get_with_the_key() -> None:
    """Nothing is submitted by it."""
    with HostileServer(dated(0)) as server:
        found = probe(server.url)

    [request] = server.requests
    assert (request.method, request.target, request.body) == ("GET", "/v1/jwks", b"")
    assert request.values("Authorization") == [f"Bearer {SECRET_KEY}"]
    assert [key["kid"] for key in found.keys] == ["one", "two"]


@pytest.mark.parametrize("seconds", [100, -100])
def test_how_far_the_clocks_are_apart(seconds: int) -> None:
    """It is told at the least: a date has no fractions, and a call takes its time."""
    with HostileServer(lambda _: dated(seconds)) as server:
        ahead = probe(server.url).clock_ahead

    assert ahead is not None
    assert abs(seconds) - 3 <= abs(ahead) <= abs(seconds)
    assert (ahead > 0) is (seconds > 0)


def test_clocks_that_may_agree_do() -> None:
    """A date of the same second is no difference, however late in it we are."""
    with HostileServer(lambda _: dated(0)) as server:
        assert probe(server.url).clock_ahead == 0


@pytest.mark.parametrize("later", [0, 2])
def test_a_slow_answer_makes_no_difference_of_clocks(later: float) -> None:
    """It may have been told at any time of the call, its end included."""

    def slowly(_: Request) -> Script:
        date = formatdate(time.time() + later, usegmt=True)
        return Pause(2), Send(raw(200, KEYS, {"Date": date}))

    with HostileServer(slowly) as server:
        found = probe(server.url, timeout=20)

    assert found.clock_ahead == 0
    assert found.seconds >= 2


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Date": ""},
        {"Date": "yesterday"},
        {"Date": "Mon, 01 Jan 99999 00:00:00 GMT"},
        {"Date": "Mon, 01 Jan 2001 00:00:00 GMT", "Age": "3600"},
    ],
)
def test_no_time_is_told(headers: dict[str, str]) -> None:
    """What is no date, or lay in a cache, says nothing of the backend's clock."""
    with HostileServer(answer(200, KEYS, headers)) as server:
        assert probe(server.url).clock_ahead is None


def test_an_answer_that_is_fresh_from_a_cache_tells_the_time() -> None:
    """An Age of zero is that of an answer that was made just now."""
    with HostileServer(dated(0, Age="0")) as server:
        assert probe(server.url).clock_ahead == 0


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (answer(401, "{}"), VerifierMisconfigured),
        (answer(403, "{}"), VerifierMisconfigured),
        (answer(404, "{}"), VerifierMisconfigured),
        (answer(429, "{}"), VerifierUnavailable),
        (answer(500, "{}"), VerifierUnavailable),
        (answer(200, '{"keys": []}'), VerifierUnavailable),
        (answer(200, "<html>"), VerifierUnavailable),
        (REFUSED, VerifierUnavailable),
        ((Hang(),), VerifierUnavailable),
    ],
)
def test_what_a_probe_raises(script: Script, expected: type[VerifierError]) -> None:
    """A key that is refused is told apart from a backend that is not there."""
    with HostileServer(script) as server:
        with pytest.raises(VerifierError) as caught:
            probe(server.url, timeout=0.3 if script == (Hang(),) else 5.0)

    assert type(caught.value) is expected
    assert SECRET_KEY not in str(caught.value)

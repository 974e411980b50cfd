"""The keys that Clerk publishes: got over real HTTP, and asked for with restraint."""

from __future__ import annotations

import json
import logging
import math
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import httpx
import pytest
from hostile import answer
from hostile import Close
from hostile import Drip
from hostile import Hang
from hostile import HostileServer
from hostile import Pause
from hostile import raw
from hostile import REFUSED
from hostile import Request
from hostile import Reset
from hostile import Script
from hostile import Send
from naming import repr_of

from flask_stepup.clerk import ClerkBackendAPI
from flask_stepup.clerk import PublishedKeys
from flask_stepup.clerk.published_keys import FRESH
from flask_stepup.clerk.published_keys import LEAST_PAUSE
from flask_stepup.clerk.published_keys import LONGEST_LIFE
from flask_stepup.clerk.published_keys import MOST_UNKNOWN
from flask_stepup.errors import VerifierError
from flask_stepup.errors import VerifierMisconfigured
from flask_stepup.errors import VerifierUnavailable

SECRET_KEY = "sk_test_0123456789abcdefghij"
#: Seconds: for calls that are to run into it, for those that are not, and what a busy
#: machine may add.
SHORT, LONG, SLACK = 0.3, 5.0, 1.0


def jwk(kid: object, **more: object) -> dict[str, object]:
    return {"kty": "RSA", "kid": kid, "n": "AQAB", "e": "AQAB", **more}


def keys(*kids: object) -> Script:
    """An answer that publishes keys of these names."""
    return answer(200, json.dumps({"keys": [jwk(kid) for kid in kids]}))


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def wrapper(url: str, timeout: float = LONG) -> Iterator[ClerkBackendAPI]:
    with closing(ClerkBackendAPI(SECRET_KEY, base_url=url, timeout=timeout)) as api:
        yield api


@contextmanager
def cache(
    server: HostileServer, timeout: float = LONG
) -> Iterator[tuple[PublishedKeys, Clock]]:
    """Keys that the server publishes, and the clock that they go by."""
    clock = Clock()
    with wrapper(server.url, timeout) as api:
        yield PublishedKeys(api, clock=clock), clock


def at_once(threads: int, run: Callable[[int], Any]) -> list[Any]:
    """What ``run(number)`` returns in so many threads that start at one moment."""
    together = threading.Barrier(threads)

    def start(number: int) -> Any:
        together.wait(LONG)
        return run(number)

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(start, range(threads)))


def told(error: BaseException) -> str:
    """All that an error and those behind it would write into a log."""
    texts = ["".join(traceback.format_exception(error))]
    link: BaseException | None = error
    while link:
        texts += [str(link), repr(link), repr(vars(link))]
        link = link.__cause__ or link.__context__
    return "".join(texts)


# -- One request


def test_the_request_is_exactly_this() -> None:
    """One GET with the secret key, and the keys come as they were sent."""
    with HostileServer(keys("ins_1", "ins_2")) as server, wrapper(server.url) as api:
        got = api.jwks()

    [request] = server.requests
    assert got == [jwk("ins_1"), jwk("ins_2")]
    assert (request.method, request.target, request.body) == ("GET", "/v1/jwks", b"")
    assert {name.lower(): value for name, value in request.headers} == {
        "host": f"127.0.0.1:{server.port}",
        "authorization": f"Bearer {SECRET_KEY}",
        "accept": "application/json",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "clerk-api-version": "2026-05-12",
        "user-agent": f"flask-stepup/{version('flask-stepup')}",
    }
    assert len(request.headers) == 7


ECHO = json.dumps({"errors": [{"code": SECRET_KEY}], "clerk_trace_id": SECRET_KEY})
WHOLE = json.dumps({"keys": [jwk("ins_1")]})
#: What the backend does, what it comes to, and how many timeouts that may take.
ANSWERS: dict[str, tuple[Script, type[VerifierError], int]] = {
    "empty": (answer(200), VerifierUnavailable, 0),
    "no JSON": (answer(200, "<html>"), VerifierUnavailable, 0),
    "a list": (answer(200, json.dumps([jwk("a")])), VerifierUnavailable, 0),
    "a key alone": (answer(200, json.dumps(jwk("a"))), VerifierUnavailable, 0),
    "no keys": (answer(200, "{}"), VerifierUnavailable, 0),
    "an empty set": (keys(), VerifierUnavailable, 0),
    "keys is null": (answer(200, '{"keys":null}'), VerifierUnavailable, 0),
    "keys is an object": (answer(200, '{"keys":{"a":{}}}'), VerifierUnavailable, 0),
    "keys is text": (answer(200, '{"keys":"abc"}'), VerifierUnavailable, 0),
    "a key is text": (answer(200, '{"keys":[{},"a"]}'), VerifierUnavailable, 0),
    "deep": (answer(200, '{"keys":' + "[" * 60_000), VerifierUnavailable, 0),
    "a huge number": (answer(200, '{"keys":' + "9" * 60_000), VerifierUnavailable, 0),
    "not UTF-8": (answer(200, b'{"keys":["\xff"]}'), VerifierUnavailable, 0),
    "too long": (
        answer(200, json.dumps({"keys": [jwk("a", x="x" * 65_536)]})),
        VerifierUnavailable,
        0,
    ),
    "cut off": ((Send(raw(200, WHOLE, length=999)), Close()), VerifierUnavailable, 0),
    "204": (answer(204), VerifierUnavailable, 0),
    "302": (answer(302, "", {"Location": "/v1/jwks"}), VerifierUnavailable, 0),
    "307": (answer(307, "", {"Location": "/v1/jwks"}), VerifierUnavailable, 0),
    "400": (answer(400, ECHO), VerifierMisconfigured, 0),
    "401": (answer(401, ECHO), VerifierMisconfigured, 0),
    "403": (answer(403, ECHO), VerifierMisconfigured, 0),
    "404": (answer(404, ECHO), VerifierMisconfigured, 0),
    "409": (answer(409, ECHO), VerifierUnavailable, 0),
    "422": (answer(422, ECHO), VerifierUnavailable, 0),
    "429": (answer(429, ECHO, {"Retry-After": "7"}), VerifierUnavailable, 0),
    "500": (answer(500, ECHO), VerifierUnavailable, 0),
    "503 with keys": (answer(503, WHOLE), VerifierUnavailable, 0),
    "404 with keys": (answer(404, WHOLE), VerifierMisconfigured, 0),
    "refused": (REFUSED, VerifierUnavailable, 0),
    "hangs up": ((Close(),), VerifierUnavailable, 0),
    "resets": ((Reset(),), VerifierUnavailable, 0),
    "rubbish": ((Send(b"\0" * 99), Close()), VerifierUnavailable, 0),
    "hangs": ((Hang(),), VerifierUnavailable, 1),
    "drips": ((Drip(raw(200, WHOLE)),), VerifierUnavailable, 1),
    "drips its body": (
        (Send(raw(200, length=999)), Drip(b" " * 999)),
        VerifierUnavailable,
        1,
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_each_answer_has_its_meaning(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What is no key set is an error of ours, in time, without a secret, once asked."""
    script, expected, timeouts = ANSWERS[name]
    caplog.set_level(logging.DEBUG)
    timeout = SHORT if timeouts else LONG
    with HostileServer(script) as server, wrapper(server.url, timeout) as api:
        start = time.monotonic()
        with pytest.raises(VerifierError) as raised:
            api.jwks()
        seconds = time.monotonic() - start

    assert type(raised.value) is expected
    assert seconds <= timeouts * timeout + SLACK
    assert len(server.requests) == (0 if script is REFUSED else 1)
    assert SECRET_KEY not in told(raised.value) + caplog.text


def test_an_address_that_is_none_is_told() -> None:
    """A 404 points to the setting with the address in it."""
    with HostileServer(answer(404)) as server, wrapper(server.url) as api:
        with pytest.raises(VerifierMisconfigured, match="STEPUP_CLERK_API_URL"):
            api.jwks()


def test_keys_and_codes_go_by_one_connection() -> None:
    """Keys are asked for by the pool that codes go through."""
    right = answer(200, '{"verified": true}')
    with HostileServer(keys("a"), right, keys("b")) as server:
        with wrapper(server.url) as api:
            api.jwks()
            api.verify_totp("user_1", "123456")
            assert api.jwks() == [jwk("b")]

    assert server.connections == 1


# -- What is known


def test_a_known_key_costs_no_request() -> None:
    """Keys are fetched when they are first needed, and then once in five minutes."""
    with HostileServer(keys("a", "b")) as server, cache(server) as (published, clock):
        assert server.requests == []
        for _ in range(50):
            assert published.find("a") == jwk("a")
            assert published.find("b") == jwk("b")
            clock.now += FRESH / 51
        assert len(server.requests) == 1

        clock.now += FRESH
        assert published.find("a") == jwk("a")
        assert published.find("b") == jwk("b")
    assert len(server.requests) == 2


def test_many_threads_at_the_start_make_one_request() -> None:
    """Who needs a key while it is fetched waits for it, and does not fetch it too."""
    slowly = (Pause(0.2), *keys("a"))
    with HostileServer(slowly) as server, cache(server) as (published, _):
        found = at_once(32, lambda _: published.find("a"))

    assert found == [jwk("a")] * 32
    assert len(server.requests) == 1


@pytest.mark.parametrize("moment", range(1, 8))
def test_a_key_that_another_thread_brings_is_not_missed(moment: int) -> None:
    """At whichever moment of a look-up the answer to another thread comes."""

    def backend(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"keys": [jwk("a")]})

    readings: list[None] = []

    def clock() -> float:
        # A look-up reads it at each of its steps.
        readings.append(None)
        if len(readings) == moment:
            with ThreadPoolExecutor(1) as pool:
                pool.submit(published.find, "a").result()
        return 0.0

    # Which bounds the wait of the other thread, where this one has its turn.
    api = ClerkBackendAPI(
        SECRET_KEY, timeout=0.05, transport=httpx.MockTransport(backend)
    )
    published = PublishedKeys(api, clock=clock)

    assert published.find("a") == jwk("a")


def test_one_thread_refreshes_while_the_others_go_on() -> None:
    """With a known key nobody waits but the thread that asks for newer ones."""
    released = threading.Event()

    def later(request: Request) -> Script:
        assert released.wait(LONG)
        return keys("a", "b")

    with HostileServer(keys("a"), later) as server, cache(server) as (p, clock):
        assert p.find("a")
        clock.now += FRESH
        with ThreadPoolExecutor(1) as pool:
            asking = pool.submit(p.find, "a")
            server.wait_until(lambda server: len(server.requests) == 2)
            found = [p.find("a") for _ in range(100)]
            is_waiting = not asking.done()
            released.set()

        assert is_waiting
        assert found == [jwk("a")] * 100
        assert asking.result() == jwk("a")
        assert p.find("b") == jwk("b")
    assert len(server.requests) == 2


def test_a_key_that_replaces_another_is_taken() -> None:
    """What is published anew under an old name is seen with the next refresh."""
    anew = answer(200, json.dumps({"keys": [jwk("a", n="Aw")]}))
    with HostileServer(keys("a"), anew) as server, cache(server) as (published, clock):
        assert published.find("a") == jwk("a")
        clock.now += FRESH
        assert published.find("a") == jwk("a", n="Aw")


def test_a_key_that_is_withdrawn_is_gone() -> None:
    """With the next refresh what is not published any more opens nothing."""
    with HostileServer(keys("a", "b"), keys("b")) as server:
        with cache(server) as (published, clock):
            assert published.find("a")
            clock.now += FRESH
            assert published.find("b")
            assert published.find("a") is None


# -- What is not known


def test_a_new_key_is_fetched_at_once() -> None:
    """A rotation is seen with the first token that is signed with the new key."""
    with HostileServer(keys("old"), keys("old", "new")) as server:
        with cache(server) as (published, _):
            assert published.find("old")
            assert at_once(16, lambda _: published.find("new")) == [jwk("new")] * 16
            assert published.find("old")
    assert len(server.requests) == 2


def test_an_unknown_key_is_asked_for_once() -> None:
    """A name that is not published costs one request, and no other until it is."""
    scripts = [keys("a"), keys("a"), keys("a"), keys("a", "z")]
    with HostileServer(*scripts) as server, cache(server) as (published, clock):
        assert published.find("a")
        for _ in range(20):
            clock.now += LEAST_PAUSE
            assert published.find("z") is None
        assert len(server.requests) == 2

        # Nor after keys came for another reason.
        assert published.find("y") is None
        clock.now += LEAST_PAUSE
        assert published.find("z") is None
        assert len(server.requests) == 3

        clock.now += FRESH
        assert published.find("z") == jwk("z")
    assert len(server.requests) == 4


def test_forged_names_cannot_make_us_hammer() -> None:
    """However many names are made up, there is one request in ten seconds."""
    with HostileServer(keys("a")) as server, cache(server) as (published, clock):
        assert published.find("a")
        for number in range(200):
            assert published.find(f"forged-{number}") is None
        # The first keys, and one look whether there are newer ones.
        assert len(server.requests) == 2

        for tick in range(100):
            clock.now += 0.5
            at_once(2, lambda number: published.find(f"forged-{tick}-{number}"))  # noqa: B023
            assert published.find("a")
        assert len(server.requests) == 2 + 100 * 0.5 / LEAST_PAUSE


def test_many_threads_with_forged_names_make_two_requests() -> None:
    """Threads that meet different unknown names at once share the answers."""
    slowly = (Pause(0.2), *keys("a"))
    with HostileServer(slowly) as server, cache(server) as (published, _):
        found = at_once(32, lambda n: published.find(f"forged-{n}"))
        assert published.find("a")

    assert found == [None] * 32
    assert len(server.requests) == 2


@pytest.mark.parametrize("kid", ["", "k" * 201, "k" * 8_000, "\ud800", "\0", "../a"])
def test_a_name_may_be_anything(kid: str) -> None:
    """What a stranger calls a key is looked up and nothing else."""
    with HostileServer(keys("a")) as server, cache(server) as (published, _):
        assert published.find(kid) is None
        assert published.find("a")

    assert {request.target for request in server.requests} == {"/v1/jwks"}


def test_a_name_that_is_too_long_is_not_asked_for() -> None:
    """Nor remembered: names have to fit into memory."""
    with HostileServer(keys("k" * 201)) as server, cache(server) as (published, _):
        assert published.find("k" * 201) is None

    assert server.requests == []


def test_names_that_are_no_text_are_passed_over() -> None:
    """A key without a name of its own can be asked for by none."""
    script = keys(None, 1, ["a"], {"a": 1}, True, "a")
    with HostileServer(script) as server, cache(server) as (published, _):
        assert published.find("a") == jwk("a")
        assert published.find("1") is None


def test_the_first_of_two_keys_of_one_name_counts() -> None:
    """Which key a name means does not depend on what is appended to the set."""
    both = [jwk("a"), jwk("a", n="Aw")]
    script = answer(200, json.dumps({"keys": both}))
    with HostileServer(script) as server, cache(server) as (published, _):
        assert published.find("a") == jwk("a")


def test_unknown_names_are_not_remembered_without_end() -> None:
    """After so many others, a name may cost one more request."""
    asked: list[str] = []

    def backend(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, json={"keys": [jwk("a")]})

    clock = Clock()
    api = ClerkBackendAPI(SECRET_KEY, transport=httpx.MockTransport(backend))
    published = PublishedKeys(api, clock=clock)

    def costs(kid: str) -> int:
        before = len(asked)
        clock.now += LEAST_PAUSE
        assert published.find(kid) is None
        return len(asked) - before

    # Once in FRESH seconds any name does, so each has two chances to cost nothing.
    assert [costs(f"forged-{n}") for n in range(MOST_UNKNOWN)] == [1] * MOST_UNKNOWN
    assert costs("forged-0") + costs("forged-0") <= 1
    for number in range(MOST_UNKNOWN):
        costs(f"others-{number}")
    assert costs("forged-0") == 1


# -- Outages


def test_known_keys_serve_on_through_an_outage(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """For an hour since they last came, and then nobody is let in by them."""
    with HostileServer(keys("a"), answer(503)) as server, cache(server) as (p, clock):
        assert p.find("a")
        for seconds in range(0, int(LONGEST_LIFE), 60):
            clock.now = 1_000.0 + seconds
            assert p.find("a") == jwk("a"), seconds
        clock.now = 1_000.0 + LONGEST_LIFE - 1
        assert p.find("a")
        clock.now += 1
        assert p.find("a") is None

        errors = [record for record in caplog.records if record.levelname == "ERROR"]
        assert len(errors) == len(server.requests) - 1
        # Every minute once they are five minutes old, and at the very end.
        assert 55 <= len(errors) <= 57


def test_what_comes_after_an_outage_is_taken() -> None:
    """The first answer after an outage, however long, lets people in again."""
    with HostileServer(keys("a"), answer(500), keys("a")) as server:
        with cache(server) as (published, clock):
            assert published.find("a")
            clock.now += LONGEST_LIFE
            assert published.find("a") is None
            assert published.find("a") is None
            clock.now += LEAST_PAUSE
            assert published.find("a") == jwk("a")
    assert len(server.requests) == 3


@pytest.mark.parametrize("script", [answer(500), (Close(),), (Hang(),)], ids=repr_of)
def test_a_dead_backend_does_not_cost_every_request_its_timeout(
    script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    """After a failure nobody asks, or waits, for ten seconds; and it is logged once."""
    with HostileServer(script) as server, cache(server, SHORT) as (published, clock):
        assert published.find("a") is None
        start = time.monotonic()
        for number in range(200):
            assert published.find("a") is None
            assert published.find(f"forged-{number}") is None
        seconds = time.monotonic() - start
        assert len(server.requests) == 1

        clock.now += LEAST_PAUSE - 0.1
        assert published.find("a") is None
        assert len(server.requests) == 1
        clock.now += 0.1
        assert published.find("a") is None
        assert len(server.requests) == 2

    assert seconds < SLACK
    errors = [record for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 2
    assert {record.name for record in errors} == {"flask_stepup"}
    assert SECRET_KEY not in caplog.text


def test_the_pause_begins_when_the_answer_came() -> None:
    """A request that took long is not followed by the next one at once."""
    clock = Clock()

    def backend(request: httpx.Request) -> httpx.Response:
        clock.now += 60
        asked.append(clock.now)
        return httpx.Response(500)

    asked: list[float] = []
    api = ClerkBackendAPI(SECRET_KEY, transport=httpx.MockTransport(backend))
    published = PublishedKeys(api, clock=clock)

    assert published.find("a") is None
    assert published.find("a") is None
    assert len(asked) == 1


def test_a_refresh_that_failed_has_said_nothing_about_a_name() -> None:
    """A new key is asked for again after an outage, and not only in five minutes."""
    with HostileServer(keys("a"), answer(500), keys("a", "new")) as server:
        with cache(server) as (published, clock):
            assert published.find("a")
            clock.now += LEAST_PAUSE
            assert published.find("new") is None
            clock.now += LEAST_PAUSE
            assert published.find("new") == jwk("new")


def test_nobody_waits_longer_than_a_call_may_take() -> None:
    """Threads that wait for a backend that never answers give up with the caller."""
    with HostileServer((Hang(),)) as server, cache(server, SHORT) as (published, _):
        start = time.monotonic()
        found = at_once(16, lambda n: published.find(f"kid-{n}"))
        seconds = time.monotonic() - start

    assert found == [None] * 16
    assert seconds < SHORT + SLACK
    assert len(server.requests) == 1


def test_an_empty_set_takes_no_key_away() -> None:
    """A backend that says that there are no keys at all is mistaken."""
    with HostileServer(keys("a"), keys()) as server, cache(server) as (p, clock):
        assert p.find("a")
        clock.now += FRESH
        assert p.find("a") == jwk("a")
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "failure",
    [RuntimeError(SECRET_KEY), httpx.ReadError(SECRET_KEY), KeyError(SECRET_KEY)],
    ids=repr_of,
)
def test_no_failure_is_raised_or_told_in_full(
    failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a transport raises is logged by its name, without what it says."""

    def backend(request: httpx.Request) -> httpx.Response:
        raise failure

    api = ClerkBackendAPI(SECRET_KEY, transport=httpx.MockTransport(backend))
    published = PublishedKeys(api)

    assert published.find("a") is None
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert type(failure).__name__ in record.getMessage()
    assert SECRET_KEY not in caplog.text
    assert not record.exc_info


def test_an_interrupted_refresh_leaves_nothing_locked() -> None:
    """A worker that is told to stop in the middle passes that on, and lets go."""
    interrupts = [True]

    def backend(request: httpx.Request) -> httpx.Response:
        if interrupts:
            interrupts.pop()
            raise KeyboardInterrupt
        return httpx.Response(200, json={"keys": [jwk("a")]})

    clock = Clock()
    api = ClerkBackendAPI(SECRET_KEY, transport=httpx.MockTransport(backend))
    published = PublishedKeys(api, clock=clock)

    with pytest.raises(KeyboardInterrupt):
        published.find("a")
    clock.now += LEAST_PAUSE
    assert published.find("a") == jwk("a")


def test_keys_outlive_a_clock_that_is_set_back_in_an_outage() -> None:
    """What is known serves on while nobody gives newer ones."""
    with HostileServer(keys("a"), answer(500)) as server, cache(server) as found:
        published, clock = found
        assert published.find("a")
        clock.now -= 500
        assert published.find("a")
        assert published.find("a")


def test_a_clock_that_is_set_back_has_keys_asked_for_again() -> None:
    """Nobody knows how old they are then, nor when they were asked for."""
    with HostileServer(keys("a")) as server, cache(server) as (published, clock):
        assert published.find("a")
        clock.now -= 500
        assert published.find("a")
        assert published.find("a")
    assert len(server.requests) == 2


def test_a_clock_may_begin_anywhere() -> None:
    """Nothing is taken for fresh, or for just asked, because a machine just booted."""
    for start in (0.0, -1e9, 1e12):
        with HostileServer(keys("a")) as server, cache(server) as (published, clock):
            clock.now = start
            assert published.find("a") == jwk("a")
    assert math.isfinite(FRESH + LEAST_PAUSE + LONGEST_LIFE)


# -- Processes


def test_a_fork_during_a_refresh_leaves_no_lock_behind() -> None:
    """A child made while another thread asks for keys can ask for them itself."""
    program = f"""
import os, sys, threading
from flask_stepup.clerk import ClerkBackendAPI, PublishedKeys

api = ClerkBackendAPI({SECRET_KEY!r}, base_url=sys.argv[1], timeout=8)
published = PublishedKeys(api)
thread = threading.Thread(target=published.find, args=("a",))
thread.start()
# Answered once the thread has been heard: it holds the lock now.
ClerkBackendAPI({SECRET_KEY!r}, base_url=sys.argv[1]).verify_totp("ready", "1")
child = os.fork()
if not child:
    print("child", published.find("a")["kid"], flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
ClerkBackendAPI({SECRET_KEY!r}, base_url=sys.argv[1]).verify_totp("release", "1")
thread.join()
print("parent", published.find("a")["kid"])
"""
    right = answer(200, '{"verified": true}')

    def seen(text: str, times: int = 1) -> Callable[[HostileServer], bool]:
        return lambda server: (
            sum(text in request.target for request in server.requests) >= times
        )

    def script(request: Request) -> Script:
        if "ready" in request.target:
            server.wait_until(seen("jwks"))
            return right
        if "release" in request.target:
            return right
        if not seen("jwks", 2)(server):
            server.wait_until(seen("release"))
        return keys("a")

    with HostileServer(script) as server:
        warnings = ["-W", "error", "-W", "ignore:This process"]
        ended = subprocess.run(
            [sys.executable, *warnings, "-c", program, server.url],
            capture_output=True,
            text=True,
            timeout=20,
        )

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.split() == ["child", "a", "parent", "a"]


def test_gevent_may_come_after_the_app() -> None:
    """Greenlets that want a key at once wait for each other, and stop nobody."""
    program = f"""
import sys
from flask_stepup.clerk import ClerkBackendAPI, PublishedKeys

published = PublishedKeys(ClerkBackendAPI({SECRET_KEY!r}, base_url=sys.argv[1]))
from gevent import joinall, monkey, spawn
monkey.patch_all()
found = joinall([spawn(published.find, "a") for _ in range(3)])
print(*[greenlet.value["kid"] for greenlet in found])
"""

    with HostileServer((Pause(SHORT), *keys("a"))) as server:
        ended = subprocess.run(
            [sys.executable, "-c", program, server.url],
            capture_output=True,
            text=True,
            timeout=20,
        )

    assert (ended.returncode, ended.stdout) == (0, "a a a\n"), ended.stderr
    assert len(server.requests) == 1


def test_a_child_keeps_what_its_parent_knew() -> None:
    """Keys that were fetched before a fork are not fetched again by each worker."""
    program = f"""
import os, sys
from flask_stepup.clerk import ClerkBackendAPI, PublishedKeys

published = PublishedKeys(ClerkBackendAPI({SECRET_KEY!r}, base_url=sys.argv[1]))
assert published.find("a")
for _ in range(3):
    child = os.fork()
    if not child:
        os._exit(0 if published.find("a") else 1)
    assert os.waitpid(child, 0)[1] == 0
"""
    with HostileServer(keys("a")) as server:
        ended = subprocess.run(
            [sys.executable, "-c", program, server.url],
            capture_output=True,
            text=True,
            timeout=20,
        )

    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(server.requests) == 1

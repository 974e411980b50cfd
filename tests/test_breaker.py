"""The breaker: a backend that is dead does not cost every worker its timeout."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from contextlib import contextmanager
from contextlib import suppress
from threading import Thread

import pytest
from hostile import answer
from hostile import Close
from hostile import Hang
from hostile import HostileServer
from hostile import raw
from hostile import REFUSED
from hostile import Script
from hostile import Send
from naming import repr_of

from flask_stepup import IncorrectCode
from flask_stepup import NotEnrolled
from flask_stepup import OutcomeUnknown
from flask_stepup import Verification
from flask_stepup import VerifierMisconfigured
from flask_stepup import VerifierUnavailable
from flask_stepup.clerk import ClerkBackendAPI
from flask_stepup.clerk.breaker import Breaker
from flask_stepup.clerk.breaker import FAILURES
from flask_stepup.clerk.breaker import PAUSE
from flask_stepup.errors import VerifierError

RIGHT = answer(200, '{"verified": true, "code_type": "totp"}')
DEAD: dict[str, Script] = {
    "hangs": (Hang(),),
    "drops": (Close(),),
    "half an answer": (Send(raw(200, "{", length=9)), Close()),
    "500": answer(500),
    "503 with a pause": answer(503, headers={"Retry-After": "60"}),
    "599": answer(599),
}
ALIVE: dict[str, Script] = {
    "right": RIGHT,
    "429": answer(429, headers={"Retry-After": "1"}),
    "422": answer(422),
    "404": answer(404),
    "400": answer(400),
    "401": answer(401),
    "403": answer(403),
    "409": answer(409),
    "302": answer(302, headers={"Location": "/"}),
    "200 without a verdict": answer(200, "{}"),
    "200 not verified": answer(200, '{"verified": false}'),
}


class Hand:
    """A clock that is moved by hand."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def api_of(server: HostileServer, timeout: float = 0.3) -> Iterator[ClerkBackendAPI]:
    url = f"http://127.0.0.1:{server.port}"
    with closing(ClerkBackendAPI("sk_test_x", base_url=url, timeout=timeout)) as api:
        yield api


def outcome(api: ClerkBackendAPI) -> type[VerifierError] | None:
    """What comes of one call."""
    try:
        api.verify_totp("user_1", "123456")
    except VerifierError as error:
        return type(error)
    return None


@pytest.mark.parametrize("script", DEAD.values(), ids=DEAD)
def test_a_dead_backend_is_asked_no_more_for_a_while(script: Script) -> None:
    """After three failures in a row calls fail at once, with nothing sent."""
    with HostileServer(script) as server, api_of(server) as api:
        for _ in range(FAILURES):
            assert outcome(api) in (OutcomeUnknown, VerifierUnavailable)
        before = time.monotonic()
        for _ in range(20):
            with pytest.raises(VerifierUnavailable) as refusal:
                api.verify_totp("user_1", "123456")
            assert refusal.value.retry_after in range(1, int(PAUSE) + 1)
            assert refusal.value.status is None
        assert time.monotonic() - before < 0.3 * 20

    assert len(server.requests) == FAILURES


def test_a_port_where_nobody_listens_counts() -> None:
    """A refused connection is a failure as any other."""
    with HostileServer(REFUSED) as server:
        port = server.port
    url = f"http://127.0.0.1:{port}"
    with closing(ClerkBackendAPI("sk_test_x", base_url=url)) as api:
        for _ in range(FAILURES):
            assert outcome(api) is VerifierUnavailable
        with pytest.raises(VerifierUnavailable, match="was not asked"):
            api.verify_totp("user_1", "123456")


@pytest.mark.parametrize("script", ALIVE.values(), ids=ALIVE)
def test_a_backend_that_answers_is_asked_every_time(script: Script) -> None:
    """No 4xx, 429 included, keeps the next call from being made."""
    with HostileServer(script) as server, api_of(server) as api:
        for _ in range(4 * FAILURES):
            outcome(api)

    assert len(server.requests) == 4 * FAILURES


@pytest.mark.parametrize("script", ALIVE.values(), ids=ALIVE)
def test_one_answer_among_failures_starts_the_count_anew(script: Script) -> None:
    """Only failures in a row open the breaker."""
    rounds = (answer(500), answer(500), script) * 3
    with HostileServer(*rounds) as server, api_of(server) as api:
        for _ in rounds:
            outcome(api)

    assert len(server.requests) == len(rounds)


def test_a_user_id_that_cannot_be_sent_says_nothing_of_the_backend() -> None:
    """What is wrong here is no failure there."""
    with HostileServer(RIGHT) as server, api_of(server) as api:
        for _ in range(2 * FAILURES):
            with pytest.raises(VerifierMisconfigured):
                api.verify_totp("..", "123456")
        assert api.verify_totp("user_1", "123456") == Verification("totp")


def test_keys_are_asked_for_all_the_same() -> None:
    """Those have a restraint of their own, and sign people in."""
    keys = answer(200, '{"keys": [{"kid": "a"}]}')
    with (
        HostileServer(*[answer(500)] * FAILURES, keys) as server,
        api_of(server) as api,
    ):
        for _ in range(FAILURES):
            outcome(api)
        assert api.jwks() == [{"kid": "a"}]


def fail(breaker: Breaker, error: VerifierError) -> None:
    with pytest.raises(type(error)), breaker.call():
        raise error


def opened(clock: Hand, longest_call: float = 1.0) -> Breaker:
    breaker = Breaker(longest_call, clock)
    for _ in range(FAILURES):
        fail(breaker, OutcomeUnknown())
    return breaker


def is_shut_out(breaker: Breaker) -> bool:
    """Whether a call is not let through; it fails if it is."""
    let_through = []
    try:
        with breaker.call():
            let_through.append(1)
            raise OutcomeUnknown
    except VerifierError:
        return not let_through


def test_after_the_pause_one_call_finds_out() -> None:
    """Others fail at once meanwhile; if it fails too, so does everybody for as long."""
    clock = Hand()
    breaker = opened(clock)
    clock.now += PAUSE - 0.01
    assert is_shut_out(breaker)
    clock.now += 0.01
    meanwhile = []
    with suppress(OutcomeUnknown), breaker.call():
        meanwhile.append(is_shut_out(breaker))
        raise OutcomeUnknown
    assert meanwhile == [True]
    clock.now += PAUSE - 0.01
    assert is_shut_out(breaker)
    clock.now += 0.01
    assert not is_shut_out(breaker)


def test_it_is_three_failures_and_five_seconds() -> None:
    """As the documents say."""
    clock = Hand()
    breaker = Breaker(1.0, clock)
    assert [is_shut_out(breaker) for _ in range(4)] == [False, False, False, True]
    clock.now += 4.9
    assert is_shut_out(breaker)
    clock.now += 0.1
    assert not is_shut_out(breaker)


@pytest.mark.parametrize(
    "word", [None, IncorrectCode(status=422), NotEnrolled(status=404)], ids=repr_of
)
def test_a_backend_that_is_back_serves_all_at_once(word: VerifierError | None) -> None:
    """The first answer ends it, whatever it says."""
    clock = Hand()
    breaker = opened(clock)
    clock.now += PAUSE
    if word:
        fail(breaker, word)
    else:
        with breaker.call():
            pass
    assert not any(is_shut_out(breaker) for _ in range(FAILURES))
    assert is_shut_out(breaker)


def test_a_call_that_takes_long_keeps_the_others_waiting_no_longer() -> None:
    """Nobody is let through beside it; if it never returns, somebody is at last."""
    clock = Hand()
    breaker = opened(clock, longest_call=30.0)
    clock.now += PAUSE
    with breaker.call():
        clock.now += 29.9
        assert is_shut_out(breaker)
        clock.now += 0.1
        assert not is_shut_out(breaker)


def test_a_failure_from_before_the_last_answer_is_old_news() -> None:
    """A backend that is back serves all, whatever calls from before come to."""
    clock = Hand()
    breaker = Breaker(1.0, clock)
    pending = [breaker.call() for _ in range(FAILURES)]
    for call in pending:
        call.__enter__()
    clock.now += 0.5
    with breaker.call():
        pass
    for call in pending:
        error = OutcomeUnknown()
        with suppress(OutcomeUnknown):
            call.__exit__(type(error), error, None)
    assert [is_shut_out(breaker) for _ in range(FAILURES + 1)] == [False] * 3 + [True]


def test_the_wait_is_told_in_whole_seconds() -> None:
    """Rounded up, so that whoever waits as long is let through."""
    clock = Hand()
    breaker = opened(clock)
    told = []
    for _ in range(5):
        with pytest.raises(VerifierUnavailable) as refusal, breaker.call():
            pass
        told.append(refusal.value.retry_after)
        clock.now += 0.9
    assert told == [5, 5, 4, 3, 2]


def test_workers_behind_a_dead_backend_wait_once() -> None:
    """Many threads that come while it hangs are through in a few timeouts together."""
    with HostileServer((Hang(),)) as server, api_of(server, timeout=0.5) as api:
        for _ in range(FAILURES):
            outcome(api)
        threads = [Thread(target=outcome, args=(api,)) for _ in range(32)]
        before = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert time.monotonic() - before < 0.5 * len(threads)

    assert len(server.requests) == FAILURES

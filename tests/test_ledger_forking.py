"""A fork and connections that are in use: it waits for them, and they for it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flask_stepup.ledger.sqlite.forking import Fork

#: Seconds after which nothing comes any more.
PATIENCE = 10.0


class Tickets(set[object]):
    """Tells when somebody came in for the first time."""

    def __init__(self) -> None:
        self.came = threading.Event()

    def add(self, ticket: object) -> None:
        super().add(ticket)
        self.came.set()


class Lender:
    """Lends nothing, and notes how many had something when it was closed."""

    def __init__(self) -> None:
        self.lent: set[object] = Tickets()
        self.closed: list[int] = []

    def close(self) -> None:
        self.closed.append(len(self.lent))


@pytest.fixture
def lender() -> Lender:
    return Lender()


@pytest.fixture
def fork(lender: Lender) -> Fork:
    """What happens around a fork, that nobody but a test causes."""
    fork = Fork()
    fork.pools.add(lender)
    return fork


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_everybody_has_a_ticket_of_their_own(fork: Fork, lender: Lender) -> None:
    """Whoever gives one back takes nobody else's away."""
    first, second = fork.enter(lender, object()), fork.enter(lender, object())
    assert lender.lent == {first, second}
    assert first is not second


def test_a_fork_waits_for_who_is_in(
    fork: Fork, lender: Lender, thread: ThreadPoolExecutor
) -> None:
    """It begins when the last one has left, and what is idle is closed then."""
    tickets = [fork.enter(lender, object()) for _ in range(2)]
    forking = thread.submit(fork.before)
    for ticket in tickets:
        time.sleep(0.05)
        assert not forking.done()
        lender.lent.discard(ticket)
    forking.result(PATIENCE)
    fork.after()
    assert lender.closed == [0]


def test_a_fork_begins_soon_after_the_last_has_left(
    fork: Fork, lender: Lender, thread: ThreadPoolExecutor
) -> None:
    """It looks often. The quickest of three is asked, since machines may be slow."""

    def seconds() -> float:
        ticket = fork.enter(lender, object())
        forking = thread.submit(fork.before)
        time.sleep(0.02)
        began = time.monotonic()
        lender.lent.discard(ticket)
        forking.result(PATIENCE)
        fork.after()
        return time.monotonic() - began

    assert min(seconds() for _ in range(3)) < 0.5


def test_a_fork_does_not_wait_for_ever(fork: Fork, lender: Lender) -> None:
    """Who is stuck holds it up for some seconds, and the next one is no worse off."""
    stuck = fork.enter(lender, object())
    began = time.monotonic()
    fork.before()
    assert time.monotonic() - began > 4
    fork.after()
    assert lender.closed == [1]
    lender.lent.discard(stuck)
    fork.before()
    fork.after()
    assert lender.closed == [1, 0]


def test_who_comes_during_a_fork_waits_outside(
    fork: Fork, lender: Lender, thread: ThreadPoolExecutor
) -> None:
    """They hold it up no longer, and are in as soon as it is over."""
    assert isinstance(lender.lent, Tickets)
    fork.before()
    late: Future[object] = thread.submit(fork.enter, lender, object())
    try:
        assert lender.lent.came.wait(PATIENCE)
        time.sleep(0.05)
        assert not late.done()
        assert lender.lent == set()
    finally:
        fork.after()
    assert lender.lent == {late.result(PATIENCE)}


def test_in_a_child_nobody_is_in(fork: Fork, lender: Lender) -> None:
    """Threads of the parent have not come along: nobody waits for them."""
    fork.before()
    lender.lent.add("somebody on the way in")
    fork.after_in_child()
    assert lender.lent == set()
    ticket = fork.enter(lender, object())
    assert lender.lent == {ticket}


FORK_DURING_A_STEP = """
import os, sqlite3, sys, threading, time
from flask_stepup.ledger import open_ledger

connect = sqlite3.connect
inside, go_on = threading.Event(), threading.Event()

def stop(statement):
    if "INTO revocations" in statement:
        inside.set()
        go_on.wait(20)

def watched(*args, **options):
    connection = connect(*args, **options)
    connection.set_trace_callback(stop)
    return connection

sqlite3.connect = watched
ledger = open_ledger("sqlite:///ledger.db", 5.0, sys.argv[1], "bank")
thread = threading.Thread(target=ledger.revoke_session, args=("s",))
thread.start()
inside.wait(20)
threading.Timer(0.5, go_on.set).start()
pid = os.fork()
if pid == 0:
    # As it was when the fork came.
    waited = go_on.is_set()
    os._exit(0 if waited and ledger.standing("u", "s").session_revoked else 1)
_, status = os.waitpid(pid, 0)
thread.join()
print(status, ledger.standing("u", "s").session_revoked)
began = time.monotonic()
pid = os.fork()
if pid == 0:
    os._exit(0)
os.waitpid(pid, 0)
print(time.monotonic() - began < 4)
ledger.close()
"""


def test_a_fork_waits_for_a_step_that_is_under_way(tmp_path: Path) -> None:
    """A real one, of a process that writes: the child finds what was written.

    Another one, when the step is over, waits for nobody.
    """
    done = subprocess.run(
        # Python 3.12 warns of any fork beside threads.
        [sys.executable, "-W", "ignore", "-c", FORK_DURING_A_STEP, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["0", "True", "True"]

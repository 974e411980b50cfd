"""What tests of ledgers share: kinds of ledgers, clocks that stand still, and races."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextlib import suppress
from typing import Any

import time_machine
from valkey_server import Valkey

from flask_stepup.ledger import Exhausted
from flask_stepup.ledger import Ledger
from flask_stepup.ledger import Limit
from flask_stepup.ledger import Ticket

#: Seconds that the ledger may take where many wait for it on a slow machine.
PATIENT = 20.0
START = 1_800_000_000
FIVE = (Limit(5, 300),)

Opener = Callable[[], Ledger]


def race(count: int, run: Callable[[int], Any]) -> list[Any]:
    """Run in that many threads, all let go at the same moment."""
    line = threading.Barrier(count)

    def start(number: int) -> Any:
        line.wait(PATIENT)
        return run(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(start, range(count)))


def remaining(ledger: Ledger, user: str, *limits: Limit) -> int:
    """Reserve an attempt and return how many are left, as a caller learns it."""
    reserved = ledger.reserve(user, limits)
    assert isinstance(reserved, Ticket)
    return reserved.remaining


def retry_after(ledger: Ledger, user: str, *limits: Limit) -> int:
    """Be refused an attempt, and return for how long."""
    reserved = ledger.reserve(user, limits)
    assert isinstance(reserved, Exhausted)
    return reserved.retry_after


class Late(Exception):
    """Too much time has gone by."""


@contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """Interrupt what is done after so many seconds, wherever it is."""

    def ring(*_: object) -> None:
        raise Late

    before = signal.signal(signal.SIGALRM, ring)
    with suppress(Late):
        try:
            signal.setitimer(signal.ITIMER_REAL, seconds)
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


class Clock:
    """The clock of this host and, where there is one, of the ledger's server.

    :param traveller: has this process believe in another time.
    """

    def __init__(
        self, traveller: time_machine.Traveller, server: Valkey | None
    ) -> None:
        self._traveller = traveller
        self._server = server
        self._moves = 0
        self.move_to(START)

    def move_to(self, seconds: float) -> None:
        self._traveller.move_to(seconds)
        self._seconds = seconds
        self._moves += 1
        if self._server:
            # More than it may be off by: no span is shorter than it is said to be.
            self._server.set_time(seconds + 0.002 * self._moves)

    def shift(self, seconds: float) -> None:
        self.move_to(self._seconds + seconds)

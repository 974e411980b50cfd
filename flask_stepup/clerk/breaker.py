"""A breaker: a backend that is dead does not cost every worker its timeout."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager

from .. import records
from ..errors import VerifierError
from ..errors import VerifierUnavailable

#: Calls in a row that got no answer, or one of 500 and above, until others fail at
#: once.
FAILURES = 3
#: Seconds for which they do. Then one call finds out how things are.
PAUSE = 5.0


class Breaker:
    """Lets calls through while they are answered; safe between threads and forks.

    It has no lock, which a fork could copy while it is held. What threads can do to
    each other by that is to let one call more through than there need be.

    :param longest_call: seconds that one call takes at the most.
    :param clock: seconds, by a clock that nobody sets.
    """

    def __init__(
        self, longest_call: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._longest_call = longest_call
        self._clock = clock
        self._failures = 0
        self._open_until = -math.inf
        self._answered_at = -math.inf

    @contextmanager
    def call(self) -> Iterator[None]:
        """Make one call inside of this.

        :raises VerifierUnavailable: it is not made, and can be tried again when its
            ``retry_after`` is over.
        """
        self._admit()
        began_at = self._clock()
        try:
            yield
        except VerifierError as error:
            # Every status but these is the word of a backend that is there: what it
            # says of codes and of keys, and that it wants to be asked less often.
            if error.status is None or error.status >= 500:
                self._failed(began_at)
            else:
                self._answered()
            raise
        self._answered()

    def _answered(self) -> None:
        if self._failures >= FAILURES:
            records.BreakerClosed(failures=self._failures).log()
        self._failures = 0
        self._answered_at = self._clock()

    def _failed(self, began_at: float) -> None:
        # What began earlier than another was answered tells nothing of how things are.
        if began_at >= self._answered_at:
            self._open_until = self._clock() + PAUSE
            self._failures += 1
            if self._failures == FAILURES:
                records.BreakerOpened(failures=FAILURES, seconds=PAUSE).log()

    def _admit(self) -> None:
        if self._failures < FAILURES:
            return
        now = self._clock()
        if now < self._open_until:
            raise VerifierUnavailable(
                "the backend API was not asked: it has failed again and again just now",
                retry_after=math.ceil(self._open_until - now),
            )
        # This call finds out, and others go on failing at once until it has.
        self._open_until = now + max(PAUSE, self._longest_call)

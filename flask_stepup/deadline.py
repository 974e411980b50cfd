"""One deadline for all that a context does on the network.

Timeouts of sockets are per operation: a server that sends one byte a second holds a
caller for ever, whatever they are set to. Here every operation gets what is left of the
whole step's time, and not a second more.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_deadline: ContextVar[float] = ContextVar("flask_stepup.deadline")


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Whatever this context does on the network ends within so many seconds."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def time_left() -> float:
    """Return the seconds that are left, more than none.

    :raises TimeoutError: there are none.
    """
    left = _deadline.get() - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time of the step is up")
    return left

"""``Clock``: the time of day, moved by a test. time-machine does the work."""

from __future__ import annotations

import math
import time
from datetime import datetime
from datetime import timedelta
from typing import Any

from ..errors import ConfigurationError


class Clock:
    """The clock of this process, which stands still until it is moved.

    ::

        with Clock() as clock:
            reverify(client)
            clock.forward(timedelta(minutes=10))

    It moves ``time.time()`` and ``datetime.now()`` for everything in this process, and
    afterwards they are right again. It does not move ``time.monotonic()``, other
    processes, or the clock of a Redis or Valkey server, by which attempts and
    revocations are counted there.

    :raises ConfigurationError: on entering, where time-machine is missing.
    """

    def __init__(self) -> None:
        self._travel: Any = None
        self._traveller: Any = None

    def __enter__(self) -> Clock:
        if self._travel is not None:
            raise ConfigurationError("this clock is in use: make another Clock()")
        # Frozen, so that an age is what a test says, and not a moment more.
        travel = _time_machine().travel(time.time(), tick=False)
        self._traveller = travel.start()
        self._travel = travel
        return self

    def __exit__(self, *_: object) -> None:
        travel, self._travel, self._traveller = self._travel, None, None
        travel.stop()

    def forward(self, by: float | timedelta) -> None:
        """Let time go by.

        :param by: seconds, or a timedelta.
        :raises ConfigurationError: it is neither, or below 0.
        """
        seconds = by.total_seconds() if isinstance(by, timedelta) else by
        if not _is_number(seconds) or not 0 <= seconds:
            raise ConfigurationError(
                f"{by!r} is no time that goes by: use seconds, or a timedelta; "
                "set() can set a clock back"
            )
        self._started().shift(seconds)

    def set(self, to: float | datetime) -> None:
        """Set the clock. One that is set back ends sessions and voids markers.

        :param to: seconds since the epoch, or a datetime with a time zone.
        :raises ConfigurationError: it is neither.
        """
        is_moment = isinstance(to, datetime) and to.tzinfo is not None
        if not is_moment and not _is_number(to):
            raise ConfigurationError(
                f"{to!r} is no moment that everybody understands alike: use seconds "
                "since the epoch, or a datetime with a time zone, as in "
                "datetime(2030, 1, 1, tzinfo=UTC)"
            )
        self._started().move_to(to.timestamp() if isinstance(to, datetime) else to)

    def _started(self) -> Any:
        if self._traveller is None:
            raise ConfigurationError(
                "this clock is not in use: write `with Clock() as clock:`, or take the "
                "fixture stepup_clock"
            )
        return self._traveller


def _is_number(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return math.isfinite(value)


def _time_machine() -> Any:
    try:
        import time_machine
    except ImportError:
        raise ConfigurationError(
            "Clock needs time-machine: run pip install 'flask-stepup[testing]'"
        ) from None
    return time_machine

"""Spans of time and moments, as people are told of them."""

from __future__ import annotations

import math
from datetime import datetime
from datetime import timedelta
from datetime import UTC

#: Seconds from which on a moment needs a date.
_FAR_OFF = 43_200


def span_of(seconds: int) -> str:
    """Return a span of time in words, never shorter than it is."""
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= 2 * length:
            return f"{-(-seconds // length)} {unit}s"
    return "1 second" if seconds == 1 else f"{seconds} seconds"


def moment_of(at: float, seconds: int) -> str:
    """Return a moment in words, never earlier than it is; nobody tells us a time zone.

    :param at: seconds since the epoch.
    :param seconds: from now until then: what is far off has a date, and whole minutes.
    """
    moment = datetime.fromtimestamp(math.ceil(at), UTC)
    if seconds < _FAR_OFF:
        return f"{moment:%H:%M:%S} UTC"
    moment += timedelta(seconds=-moment.second % 60)
    return f"{moment:%H:%M} UTC on {moment:%B} {moment.day}"

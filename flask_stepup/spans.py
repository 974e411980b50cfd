"""Spans of time and moments, as people are told of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from datetime import timedelta
from datetime import UTC

from .languages import translate_plural

#: Seconds from which on a moment needs a date.
_FAR_OFF = 43_200


def span_of(seconds: int) -> str:
    """Return a span of time in words, never shorter than it is."""
    if seconds >= 2 * 86_400:
        return translate_plural("%(num)s day", "%(num)s days", -(-seconds // 86_400))
    if seconds >= 2 * 3_600:
        return translate_plural("%(num)s hour", "%(num)s hours", -(-seconds // 3_600))
    if seconds >= 2 * 60:
        return translate_plural("%(num)s minute", "%(num)s minutes", -(-seconds // 60))
    return translate_plural("%(num)s second", "%(num)s seconds", seconds)


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment in UTC, in figures: nobody tells us a time zone, or a calendar.

    A page with scripts shows it by the person's clock.

    :param text: for people.
    :param iso: the same for programs (ISO 8601).
    """

    text: str
    iso: str


def moment_of(at: float, seconds: int) -> Moment:
    """Return a moment, never earlier than it is.

    :param at: seconds since the epoch.
    :param seconds: from now until then: what is far off has a date, and whole minutes.
    """
    moment = datetime.fromtimestamp(math.ceil(at), UTC)
    text = f"{moment:%H:%M:%S} UTC"
    if seconds >= _FAR_OFF:
        moment += timedelta(seconds=-moment.second % 60)
        text = f"{moment:%Y-%m-%d %H:%M} UTC"
    return Moment(text, f"{moment:%Y-%m-%dT%H:%M:%SZ}")

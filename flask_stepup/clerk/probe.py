"""What a call that changes nothing tells of the backend API: is it there, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from .answer import Answer
from .answer import key_set


@dataclass(frozen=True, slots=True)
class Probe:
    """The backend API is there, and accepts the secret key.

    :param seconds: that the call took, connecting included.
    :param clock_ahead: seconds that the backend's clock is ahead of ours at the least;
        below zero it is behind, at zero the two may agree, since a date in a header has
        no fractions. None where it told no time.
    :param keys: the JSON Web Keys that it publishes.
    """

    seconds: float
    clock_ahead: float | None
    keys: tuple[dict[str, Any], ...]


def probe_of(
    answer: Answer, sent_at: float, seconds: float, secrets: tuple[str, ...]
) -> Probe:
    """Return what an answer with a key set tells.

    :param sent_at: seconds since the epoch, by our clock.
    :raises VerifierError: it has no key set, as :func:`key_set` does.
    """
    keys = key_set(answer, secrets)
    return Probe(seconds, _clock_ahead(answer, sent_at, seconds), tuple(keys))


def _clock_ahead(answer: Answer, sent_at: float, seconds: float) -> float | None:
    # What a cache has kept for a while tells when it was made (RFC 9111, 5.1).
    if answer.headers.get("Age", "0").strip() != "0":
        return None
    try:
        date = parsedate_to_datetime(answer.headers.get("Date", ""))
        told = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    # It was told at some time of that second, and of our call.
    too_early = sent_at - (told + 1)
    too_late = told - (sent_at + seconds)
    return max(too_late, 0.0) - max(too_early, 0.0)

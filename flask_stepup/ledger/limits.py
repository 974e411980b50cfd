"""How many attempts there are: limits, read from ``STEPUP_ATTEMPT_LIMIT``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import ConfigurationError

_UNITS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}
_LIMIT = re.compile(
    r"\s*(\d{1,4})\s+per\s+(?:(\d{1,6})\s+)?(second|minute|hour|day)s?\s*"
)


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``count`` attempts in any ``seconds`` (a moving window)."""

    count: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> tuple[Limit, ...]:
        """Read ``"5 per 5 minutes; 100 per 30 days"``.

        :raises ConfigurationError: it is not written like that.
        """
        matches = [_LIMIT.fullmatch(part) for part in text.split(";")]
        limits = tuple(
            cls(int(match[1]), int(match[2] or 1) * _UNITS[match[3]])
            for match in matches
            if match
        )
        if len(limits) < len(matches) or not all(
            limit.count and limit.seconds for limit in limits
        ):
            raise ConfigurationError(
                f"{text!r} is not a list of limits: write, for example, "
                "'5 per 5 minutes; 100 per 30 days'"
            )
        return limits

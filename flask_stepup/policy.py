"""What a route demands, and whether given factor ages meet it: pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from typing import NamedTuple

from .errors import ConfigurationError

Level = Literal["first_factor", "second_factor", "multi_factor"]
Cause = Literal["missing", "expired", "revoked"]

#: Which factors, by their place in a marker, each level asks for.
LEVELS: dict[str, tuple[int, ...]] = {
    "first_factor": (0,),
    "second_factor": (1,),
    "multi_factor": (0, 1),
}
#: The longest that any proof may serve, in seconds.
LONGEST_MAX_AGE = 86_400
LONGEST_REASON = 200
LONGEST_SCOPE = 64
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


class Shortfall(NamedTuple):
    """Which factor (0 or 1) is the first that a policy lacks, and why."""

    factor: int
    cause: Cause


@dataclass(frozen=True, slots=True)
class Policy:
    """What a route demands.

    :param level: ``first_factor``, ``second_factor`` or ``multi_factor`` (both).
    :param max_age: whole seconds that a proof serves, above 0 and at most 86,400. A
        demand may give a ``timedelta``.
    :param scope: a proof for one scope opens no other.
    :param reason: what the person is about to do, for the prompt; at most 200
        characters.
    :param methods: the HTTP methods that the policy guards; None guards all.
    :raises ConfigurationError: a value is none of these.
    """

    level: Level = "second_factor"
    max_age: int = 600
    scope: str = ""
    reason: str | None = None
    methods: frozenset[str] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.level, str) or self.level not in LEVELS:
            raise ConfigurationError(
                f"level={self.level!r} is not a level: use {listed(LEVELS)}"
            )
        object.__setattr__(self, "max_age", _checked_max_age(self.max_age))
        object.__setattr__(self, "methods", _checked_methods(self.methods))
        _check_text("scope", self.scope, LONGEST_SCOPE)
        if self.reason is not None:
            _check_text("reason", self.reason, LONGEST_REASON)

    def guards(self, method: str) -> bool:
        """Whether a request with this method must meet the policy.

        ``OPTIONS`` is exempt, since browsers send CORS preflights without
        credentials, and ``HEAD`` is as ``GET``.
        """
        if method == "OPTIONS":
            return False
        return self.methods is None or (
            ("GET" if method == "HEAD" else method) in self.methods
        )

    def shortfall(
        self, proved_at: Sequence[int | None], now: float, leeway: float
    ) -> Shortfall | None:
        """Return what these proofs lack for the policy to be met, None when it is.

        :param proved_at: when the first and second factor were proved, in seconds
            since the epoch; None where that factor was not.
        """
        for factor in LEVELS[self.level]:
            at = proved_at[factor]
            if at is None:
                return Shortfall(factor, "missing")
            if not is_current(now - at, self.max_age, leeway):
                return Shortfall(factor, "expired")
        return None

    def expires_in(self, proved_at: Sequence[int | None], now: float) -> int:
        """Return for how many seconds these proofs still meet the policy."""
        eldest = min(proved_at[factor] or 0 for factor in LEVELS[self.level])
        return max(0, int(eldest + self.max_age - now))


def is_current(age: float, max_age: float, leeway: float) -> bool:
    """Whether a signed time lies in ``-leeway <= age < max_age``.

    Hosts' clocks disagree by a second now and then: without leeway below zero each
    such second would send a person round the prompt again. What lies further in the
    future was made by a broken clock and is refused.
    """
    return -leeway <= age < max_age


def _checked_max_age(value: object) -> int:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if (
        isinstance(seconds, bool)
        or not isinstance(seconds, int | float)
        or not 0 < seconds <= LONGEST_MAX_AGE
        or seconds != int(seconds)
    ):
        raise ConfigurationError(
            f"max_age={value!r} is not an age: use whole seconds, or a timedelta, "
            f"above 0 and at most {LONGEST_MAX_AGE} (24 hours)"
        )
    return int(seconds)


def _checked_methods(value: object) -> frozenset[str] | None:
    if value is None:
        return None
    if isinstance(value, str) or not isinstance(value, set | frozenset | tuple | list):
        raise ConfigurationError(
            f"methods={value!r} is not a set of HTTP methods: use {{'POST'}}"
        )
    methods = frozenset(str(method).upper() for method in value)
    if not methods or not methods <= set(_METHODS):
        raise ConfigurationError(
            f"methods={value!r}: use one or more of {listed(_METHODS)}"
        )
    return methods | {"GET"} if "HEAD" in methods else methods


def _check_text(name: str, value: object, longest: int) -> None:
    if not isinstance(value, str) or len(value) > longest or not value.isprintable():
        raise ConfigurationError(
            f"{name}={value!r} is not text: use at most {longest} printable characters"
        )


def listed(names: Iterable[str]) -> str:
    """Names as an error message lists them."""
    return ", ".join(repr(name) for name in names)

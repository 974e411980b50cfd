"""What a route demands, and whether given proofs meet it: pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from typing import NamedTuple

from .errors import ConfigurationError
from .proofs import FIRST
from .proofs import Proofs
from .proofs import SECOND

Level = Literal["first_factor", "second_factor", "multi_factor"]
Cause = Literal["missing", "expired", "revoked"]

#: Which factors each level asks for.
LEVELS: dict[str, tuple[int, ...]] = {
    "first_factor": (FIRST,),
    "second_factor": (SECOND,),
    "multi_factor": (FIRST, SECOND),
}
#: The longest that any proof may serve, in seconds.
LONGEST_MAX_AGE = 86_400
LONGEST_REASON = 200
LONGEST_SCOPE = 64
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


class Shortfall(NamedTuple):
    """What a policy lacks.

    :param factor: the first that is lacking, 0 or 1.
    :param cause: why it is.
    :param code_helps: whether a code, which proves the second factor, brings the policy
        nearer.
    """

    factor: int
    cause: Cause
    code_helps: bool = True


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
        if not is_scope(self.scope):
            raise _no_text("scope", self.scope, LONGEST_SCOPE)
        if self.reason is not None and not _is_text(self.reason, LONGEST_REASON):
            raise _no_text("reason", self.reason, LONGEST_REASON)

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

    @property
    def is_claimable(self) -> bool:
        """Whether an identity provider's claim can meet it.

        What a claim proves, it proves for everything: it opens no scope.
        """
        return not self.scope

    def shortfall(self, proofs: Proofs, now: float, leeway: float) -> Shortfall | None:
        """Return what these proofs lack for the policy to be met, None when it is."""
        lacking = [
            (factor, cause)
            for factor in self._counting(proofs)
            if (cause := self._cause(proofs[factor], now, leeway))
        ]
        if not lacking:
            return None
        code_helps = SECOND in LEVELS[self.level] and bool(
            self._cause(proofs.second, now, leeway)
        )
        return Shortfall(*lacking[0], code_helps)

    def verified_at(self, proofs: Proofs) -> float | None:
        """Return since when these proofs may have met the policy, if they ever did."""
        times = [proofs[factor] for factor in self._counting(proofs)]
        return None if None in times else min(at for at in times if at is not None)

    def expires_in(self, proofs: Proofs, now: float) -> int:
        """Return for how many seconds these proofs still meet the policy."""
        verified_at = self.verified_at(proofs)
        if verified_at is None:
            return 0
        return max(0, int(self.max_age - (now - verified_at)))

    def _counting(self, proofs: Proofs) -> tuple[int, ...]:
        """The factors whose proofs count for this policy."""
        if proofs.first_stands_in:
            return (FIRST,)
        return LEVELS[self.level]

    def _cause(self, at: float | None, now: float, leeway: float) -> Cause | None:
        if at is None:
            return "missing"
        return None if is_current(now - at, self.max_age, leeway) else "expired"


def is_current(age: float, max_age: float, leeway: float) -> bool:
    """Whether a signed time lies in ``-leeway <= age < max_age``.

    Hosts' clocks disagree by a second now and then: without leeway below zero each
    such second would send a person round the prompt again. What lies further in the
    future was made by a broken clock and is refused.
    """
    return -leeway <= age < max_age


def is_scope(value: object) -> bool:
    """Whether a policy may have this scope."""
    return _is_text(value, LONGEST_SCOPE)


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


def _is_text(value: object, longest: int) -> bool:
    return isinstance(value, str) and len(value) <= longest and value.isprintable()


def _no_text(name: str, value: object, longest: int) -> ConfigurationError:
    return ConfigurationError(
        f"{name}={value!r} is not text: use at most {longest} printable characters"
    )


def listed(names: Iterable[str]) -> str:
    """Names as an error message lists them."""
    return ", ".join(repr(name) for name in names)

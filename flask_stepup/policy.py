"""What a route demands, and whether given proofs meet it: pure functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from typing import Any
from typing import Literal
from typing import NamedTuple

from .errors import ConfigurationError
from .policy_fields import Bind
from .policy_fields import checked_bind
from .policy_fields import checked_max_age
from .policy_fields import checked_methods
from .policy_fields import checked_reason
from .policy_fields import is_scope
from .policy_fields import listed
from .policy_fields import LONGEST_SCOPE
from .policy_fields import no_text
from .policy_fields import SAFE_METHODS
from .proofs import FIRST
from .proofs import Proofs
from .proofs import SECOND

Level = Literal["first_factor", "second_factor", "multi_factor"]
Cause = Literal["missing", "expired", "spent", "revoked"]

#: Which factors each level asks for.
LEVELS: dict[str, tuple[int, ...]] = {
    "first_factor": (FIRST,),
    "second_factor": (SECOND,),
    "multi_factor": (FIRST, SECOND),
}


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
    :param once: a code approves one run of the view, with the arguments it had.
    :param bind: the same, and with these values alone, which the prompt shows: names
        to look up in view arguments, query, form and JSON, or a function that returns
        a mapping. A demand may give a mapping.
    :param reason: what the person is about to do, for the prompt; or a function that
        returns it, called when it is needed. It may hold what somebody has typed:
        control characters are dropped, and what is longer than 200 characters is cut.
    :param methods: the HTTP methods that the policy guards; None guards all.
    :raises ConfigurationError: a value is none of these.
    """

    level: Level = "second_factor"
    max_age: int = 600
    scope: str = ""
    once: bool = False
    bind: Bind | None = field(default=None, repr=False)
    reason: str | Callable[[], Any] | None = None
    methods: frozenset[str] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.level, str) or self.level not in LEVELS:
            raise ConfigurationError(
                f"level={self.level!r} is not a level: use {listed(LEVELS)}"
            )
        object.__setattr__(self, "max_age", checked_max_age(self.max_age))
        object.__setattr__(self, "methods", checked_methods(self.methods))
        object.__setattr__(self, "bind", checked_bind(self.bind))
        if not is_scope(self.scope):
            raise no_text("scope", self.scope, LONGEST_SCOPE)
        object.__setattr__(self, "reason", checked_reason(self.reason))
        if not isinstance(self.once, bool):
            raise ConfigurationError(f"once={self.once!r} must be True or False")
        if self.needs_approval:
            self._check_approvable()

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

        What a claim proves, it proves for everything: it opens no scope, and approves
        no single run.
        """
        return not self.scope and not self.needs_approval

    @property
    def needs_approval(self) -> bool:
        """Whether a proof serves one run of one view, and is spent by it."""
        return self.once or self.bind is not None

    def shortfall(self, proofs: Proofs, now: float, leeway: float) -> Shortfall | None:
        """Return what these proofs lack for the policy to be met, None when it is."""
        for factor in self._counting(proofs):
            if cause := self._cause(proofs[factor], now, leeway):
                code_helps = SECOND in LEVELS[self.level] and bool(
                    self._cause(proofs.second, now, leeway)
                )
                return Shortfall(factor, cause, code_helps)
        return None

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

    def _check_approvable(self) -> None:
        if self.level != "second_factor":
            raise ConfigurationError(
                f"once and bind are approved by a code, which proves no {self.level}: "
                "use level='second_factor'"
            )
        if self.methods and self.methods & SAFE_METHODS:
            raise unsafe_only()

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


def unsafe_only() -> ConfigurationError:
    """The error of an approval that would be spent by looking at a page."""
    return ConfigurationError(
        "once and bind are for methods that change something, since a mere preview of "
        "a link would spend the approval: guard those alone, with methods={'POST'}"
    )

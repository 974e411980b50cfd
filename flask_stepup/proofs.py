"""When which factor was proved: what a claim says, what a marker says, and both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple
from typing import TypeGuard

FIRST, SECOND = 0, 1
#: In a claim: a factor that is not enrolled.
NOT_ENROLLED = -1
_MINUTE = 60


class Proofs(NamedTuple):
    """When the factors were proved.

    :param first: seconds since the epoch; None where the first factor was not proved.
    :param second: the same for the second factor.
    :param without_second: the identity provider says that the person has no second
        factor, and the app lets the first stand in for it.
    """

    first: float | None = None
    second: float | None = None
    without_second: bool = False

    @property
    def first_stands_in(self) -> bool:
        """Whether the first factor counts where the second is asked for."""
        return self.without_second and (self.second or 0) <= (self.first or 0)

    def older_by(self, seconds: float) -> Proofs:
        """The same, as proved so many seconds earlier."""
        if not seconds:
            return self
        first, second = (None if at is None else at - seconds for at in self[:2])
        return self._replace(first=first, second=second)

    def or_fresher(self, other: Proofs) -> Proofs:
        """Both together: factor by factor, the fresher of the two."""
        return Proofs(
            _fresher(self.first, other.first),
            _fresher(self.second, other.second),
            self.without_second or other.without_second,
        )


NOTHING_PROVED = Proofs()


def claimed(
    ages: object, now: float, *, stated_at: float, since: float, downgrade: bool
) -> Proofs:
    """Return what an identity provider's claim of factor ages proves.

    It is read as Clerk reads ``fva``, the factor verification ages of a session token
    (https://clerk.com/docs/guides/secure/reverification), and proves nothing where
    it is missing or of another shape.

    :param ages: whole minutes since the first and the second factor were proved; -1 is
        a factor that is not enrolled.
    :param now: seconds since the epoch.
    :param stated_at: when the ages were stated, from which they are reckoned.
    :param since: of the last revocation. An age of m minutes is up to a minute more,
        so it counts only if that is later.
    :param downgrade: whether the first factor stands in for one that is not enrolled.
    """
    if not _is_claim(ages):
        return NOTHING_PROVED
    stated_at = min(stated_at, now)
    first, second = (
        stated_at - age * _MINUTE
        if age != NOT_ENROLLED and stated_at - (age + 1) * _MINUTE > since
        else None
        # Floats, since a whole number of JSON may be beyond what can be reckoned with.
        for age in map(float, ages)
    )
    # Where the first does not count, what was said of the second is as old.
    stands_in = downgrade and first is not None and ages[SECOND] == NOT_ENROLLED
    return Proofs(first, second, stands_in)


def _is_claim(ages: object) -> TypeGuard[Sequence[float]]:
    return isinstance(ages, list | tuple) and len(ages) == 2 and all(map(_is_age, ages))


def _is_age(age: object) -> bool:
    # True is an int to Python, and no age to anybody.
    if isinstance(age, bool) or not isinstance(age, int | float):
        return False
    try:
        return math.isfinite(age) and (age == NOT_ENROLLED or age >= 0)
    except OverflowError:  # an int beyond all floats
        return False


def _fresher(one: float | None, other: float | None) -> float | None:
    times = [at for at in (one, other) if at is not None]
    return max(times, default=None)

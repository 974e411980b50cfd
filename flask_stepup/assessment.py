"""Whether a policy is met: by the marker, by the claim, factor by factor."""

from __future__ import annotations

import math
import time
from collections.abc import Collection
from operator import attrgetter
from typing import NamedTuple

from .ledger import Standing
from .marker import Marker
from .policy import Cause
from .policy import Policy
from .policy import Shortfall
from .proofs import claimed
from .proofs import NOTHING_PROVED
from .proofs import Proofs
from .settings import Settings
from .subject import Subject

#: Before every revocation.
_EVER = -math.inf
_LATEST = attrgetter("latest")


class Assessment(NamedTuple):
    """Whether a policy is met, and by what.

    :param shortfall: what is lacking; None where it is met.
    :param proofs: what was proved, as far as it has not been revoked.
    :param standing: what has been revoked.
    """

    shortfall: Shortfall | None
    proofs: Proofs
    standing: Standing


def assess(
    policy: Policy,
    subject: Subject,
    markers: Collection[Marker],
    standing: Standing,
    settings: Settings,
) -> Assessment:
    """Return whether the policy is met.

    :param markers: of this person, session and ledger that could meet it: standing
        ones of its scope, or approvals.
    :param standing: of this person and session, and of these approvals.
    """
    now, leeway = time.time(), settings.clock_leeway
    stamped, ended_by = _stamped(markers, standing)
    stamped = stamped.older_by(standing.ahead_of(now, leeway))
    # Nor does a claim count in a session that was ended: an old cookie is back.
    counts_claim = (
        subject.factor_ages is not None
        and policy.is_claimable
        and not standing.session_revoked
    )

    def proved(since: float) -> Proofs:
        return stamped.or_fresher(_claimed(subject, settings, now, since=since))

    proofs = stamped
    if counts_claim:
        proofs = proved(_revoked_at(subject, standing, now))
    shortfall = policy.shortfall(proofs, now, leeway)
    # Whether it was met but for the revocation is asked of those alone who are refused.
    if shortfall and counts_claim and not policy.shortfall(proved(_EVER), now, leeway):
        ended_by = "revoked"
    if shortfall and ended_by:
        shortfall = shortfall._replace(cause=ended_by)
    return Assessment(shortfall, proofs, standing)


def _stamped(
    markers: Collection[Marker], standing: Standing
) -> tuple[Proofs, Cause | None]:
    """What the newest marker proves that still can, and what ended the others."""
    if standing.session_revoked:
        return NOTHING_PROVED, "revoked"
    origin = standing.origin
    valid = [m for m in markers if m.origin == origin]
    if not valid:
        return NOTHING_PROVED, "revoked" if markers else None
    valid.sort(key=_LATEST, reverse=True)
    if not valid[0].is_spent(standing):
        return valid[0].proofs, None
    serving = [m for m in valid if not m.is_spent(standing)]
    return serving[0].proofs if serving else NOTHING_PROVED, "spent"


def _revoked_at(subject: Subject, standing: Standing, now: float) -> float:
    """When the last revocation was, by the clock by which the claim counts its ages."""
    if subject.stated_at is not None:
        return standing.revoked_at
    # Counted from now, which is this host's word: its clock may disagree with the one
    # of the ledger, and both differences are of one clock each.
    return now - standing.revoked_for


def _claimed(
    subject: Subject, settings: Settings, now: float, *, since: float
) -> Proofs:
    return claimed(
        subject.factor_ages,
        now,
        stated_at=now if subject.stated_at is None else subject.stated_at,
        since=since,
        downgrade=settings.factor_downgrade,
    )

"""Whether a policy is met: by the marker, by the claim, factor by factor."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from .ledger import Standing
from .marker import Marker
from .policy import Policy
from .policy import Shortfall
from .proofs import claimed
from .proofs import NOTHING_PROVED
from .proofs import Proofs
from .settings import Settings
from .subject import Subject

#: Before every revocation.
_EVER = -math.inf


@dataclass(frozen=True, slots=True)
class Assessment:
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
    marker: Marker | None,
    standing: Standing,
    settings: Settings,
) -> Assessment:
    """Return whether the policy is met.

    :param marker: of this person, session and scope, if there is one.
    :param standing: of this person and session.
    """
    now, leeway = time.time(), settings.clock_leeway
    stamped, is_revoked = _stamped(marker, standing)
    # Nor does a claim count in a session that was ended: an old cookie is back.
    counts_claim = policy.is_claimable and not standing.session_revoked

    def proved(since: float) -> Proofs:
        if not counts_claim or subject.factor_ages is None:
            return stamped
        return stamped.or_fresher(_claimed(subject, settings, now, since=since))

    proofs = proved(standing.revoked_at)
    shortfall = policy.shortfall(proofs, now, leeway)
    # Whether it was met but for the revocation is asked of those alone who are refused.
    if shortfall and (is_revoked or not policy.shortfall(proved(_EVER), now, leeway)):
        shortfall = shortfall._replace(cause="revoked")
    return Assessment(shortfall, proofs, standing)


def _stamped(marker: Marker | None, standing: Standing) -> tuple[Proofs, bool]:
    """What the marker proves, and whether that was revoked."""
    if standing.session_revoked:
        return NOTHING_PROVED, True
    if marker is None:
        return NOTHING_PROVED, False
    if marker.generation != standing.generation:
        return NOTHING_PROVED, True
    return marker.proofs, False


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

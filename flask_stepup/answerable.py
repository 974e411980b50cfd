"""Whether a challenge may still be answered."""

from __future__ import annotations

import time
from contextlib import suppress

from .approvals import name_of_void
from .assessment import Assessment
from .challenge import Challenge
from .errors import InvalidToken
from .errors import LedgerUnavailable
from .errors import OperationSpent
from .errors import OperationVoided
from .errors import TokenExpired
from .gate import Gate
from .policy import is_current
from .reservation import reserve
from .subject import Subject


def assess_challenge(gate: Gate, subject: Subject, challenge: Challenge) -> Assessment:
    """Return whether a code is needed any more.

    :raises InvalidToken: made with another ledger; or the session has ended since, and
        its questions with it.
    :raises OperationOver: what it asked for is approved no more.
    """
    assessment = gate.assess(
        challenge.policy, subject, challenge.operation, tells_spent=True
    )
    standing = assessment.standing
    if not gate.keeping.is_of(challenge.ledger_id, standing.ledger_id):
        raise InvalidToken("made with another ledger")
    if assessment.shortfall and standing.session_revoked:
        raise InvalidToken("the session was ended after the challenge was made")
    if challenge.id in standing.spent:
        raise OperationSpent("its approval is spent")
    if assessment.shortfall and name_of_void(challenge.id) in standing.spent:
        raise OperationVoided("there were too many wrong codes")
    return assessment


def kept_open(
    gate: Gate, subject: Subject, challenge: Challenge, token: str
) -> tuple[Challenge, str]:
    """Return a challenge and its token, renewed where it is too old."""
    try:
        check_age(gate, challenge)
    except TokenExpired:
        renewed = challenge.renewed()
        # Where it cannot be, what there is is kept: it can be renewed later.
        with suppress(LedgerUnavailable):
            return renewed, renewed.seal(gate, subject)
    return challenge, token


def check_age(gate: Gate, challenge: Challenge) -> None:
    """Return if the challenge may still be answered.

    :raises TokenExpired: it may not.
    """
    age = time.time() - challenge.issued_at
    settings = gate.settings
    if not is_current(age, settings.challenge_max_age, settings.clock_leeway):
        raise TokenExpired(f"issued {age:.0f} s ago")


def check_open(gate: Gate, subject: Subject) -> None:
    """Return if the person may try a code now; no attempt is used up.

    :raises TooManyAttempts: they may not.
    :raises LedgerUnavailable: it cannot be known.
    """
    gate.ledger.refund(reserve(gate, subject, submission="", code=""))

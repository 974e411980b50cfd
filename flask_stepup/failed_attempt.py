"""What the log tells of a code that opened nothing."""

from __future__ import annotations

from . import records
from .errors import IncorrectCode
from .errors import LedgerUnavailable
from .errors import NotEnrolled
from .errors import OutcomeUnknown
from .errors import StepUpError
from .errors import VerifierError
from .errors import VerifierMisconfigured

#: What a verifier says of a code, and not of itself.
VERDICTS = (IncorrectCode, NotEnrolled)


def record_of(error: StepUpError, user_id: str, scope: str) -> records.Record:
    """Return the record of it: what people bring about is told apart from outages."""
    # Where the ledger fails behind a right code, the verifier is well.
    outage = error.__cause__ if isinstance(error, OutcomeUnknown) else error
    if isinstance(outage, LedgerUnavailable):
        return records.LedgerUnavailable(reason=outage.reason)
    kind, reason = type(error).__name__, str(error)
    if not isinstance(error, VerifierError) or isinstance(error, VERDICTS):
        return records.ReverificationFailed(
            user_id=user_id, scope=scope, error=kind, reason=reason
        )
    is_unavailable = not isinstance(error, VerifierMisconfigured)
    of_verifier: type[records.VerifierUnavailable | records.VerifierMisconfigured]
    of_verifier = (
        records.VerifierUnavailable if is_unavailable else records.VerifierMisconfigured
    )
    return of_verifier(
        user_id=user_id,
        scope=scope,
        error=kind,
        reason=reason,
        status=error.status,
        trace_id=error.trace_id,
    )

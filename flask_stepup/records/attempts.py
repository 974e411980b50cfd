"""Codes that were tried, and what begins or ends by them."""

from __future__ import annotations

from logging import ERROR
from logging import INFO
from logging import WARNING

from .record import Record


class ReverificationSucceeded(Record):
    """A right code opened the gate.

    Nothing. `code_type` tells with which factor: `totp`, `backup_code`, or what your
    verifier says.
    """

    name = "reverification_succeeded"
    level = INFO
    message = "user %(user_id)r was verified by a code (%(code_type)s)"

    user_id: str
    scope: str
    code_type: str


class ReverificationFailed(Record):
    """A code was tried and opened nothing, as people bring it about.

    Nothing, for a single one. `error` is `IncorrectCode`, `NotEnrolled`,
    `CodeAlreadyUsed`, `TooManyAttempts`, or `InvalidToken` where the elevation was
    ended meanwhile.
    """

    name = "reverification_failed"
    level = INFO
    message = "no marker for user %(user_id)r: %(error)s: %(reason)s"

    user_id: str
    scope: str
    error: str
    reason: str


class AttemptsExhausted(Record):
    """A user has no tries left until then, in seconds since the epoch.

    Ask whether it was they. If not, somebody else is signed in as them: revoke their
    sessions. If it was, `stepup.unlock` lets them try again at once.
    """

    name = "attempts_exhausted"
    level = WARNING
    message = "user %(user_id)r has no tries left until %(until).0f (Unix time)"

    user_id: str
    until: float


class VerifierUnavailable(Record):
    """The verifier gave no verdict on a code, or none arrived (`OutcomeUnknown`).

    A single one is nothing. Many: see whether the backend is down, by `status` where it
    answered; quote `trace_id` to its support.
    """

    name = "verifier_unavailable"
    level = WARNING
    message = "no marker for user %(user_id)r: %(error)s: %(reason)s"

    user_id: str
    scope: str
    error: str
    reason: str
    status: int | None
    trace_id: str | None


class VerifierMisconfigured(Record):
    """The verifier cannot give a verdict, or broke its contract (`VerifierFault`).

    Mend key, URL or verifier: `reason` names it. Until then nobody can step up.
    """

    name = "verifier_misconfigured"
    level = ERROR
    message = "no marker for user %(user_id)r: %(error)s: %(reason)s"

    user_id: str
    scope: str
    error: str
    reason: str
    status: int | None
    trace_id: str | None


class ElevationRevoked(Record):
    """Elevation was ended: of a user everywhere, or (`user_id` is None) of one session.

    Nothing.
    """

    name = "elevation_revoked"
    level = INFO
    message = "elevation was ended, of user %(user_id)r (None: of this session)"

    user_id: str | None


class LockOutLifted(Record):
    """`stepup.unlock` gave a user all tries back.

    Nothing; your own log should say who asked for it.
    """

    name = "lock_out_lifted"
    level = INFO
    message = "user %(user_id)r has all tries again"

    user_id: str

"""Everything a person or client may be told: code, status and sentence of each."""

from __future__ import annotations

from dataclasses import replace

from .errors import CodeAlreadyUsed
from .errors import CodeMissing
from .errors import ImpersonationRefused
from .errors import IncorrectCode
from .errors import InvalidToken
from .errors import LedgerUnavailable
from .errors import NotEnrolled
from .errors import OperationSpent
from .errors import OperationVoided
from .errors import OutcomeUnknown
from .errors import SessionFull
from .errors import StepUpError
from .errors import TokenExpired
from .errors import TooManyAttempts
from .errors import Unauthenticated
from .errors import ValueRefused
from .errors import VerifierError
from .errors import VerifierFault
from .problem import Problem
from .spans import moment_of
from .spans import span_of

#: Seconds to wait where nobody knows better.
RETRY_AFTER = 30

_NOT_YOUR_FAULT = "This is not your fault. Please try again in a moment."
_OUTAGE = Problem(
    "verifier_unavailable",
    503,
    "Codes cannot be checked right now",
    "This is not your fault, and it does not count as a try. "
    "Please try again in a moment.",
    {"retry_after": RETRY_AFTER},
)
_PROBLEMS: dict[type[StepUpError], Problem] = {
    Unauthenticated: Problem(
        "unauthenticated",
        401,
        "Please sign in",
        "You have to be signed in to go on.",
    ),
    ImpersonationRefused: Problem(
        "impersonation_refused",
        403,
        "Not in another person's name",
        "This needs a code that only the owner of the account has.",
    ),
    ValueRefused: Problem(
        "value_refused",
        400,
        "Something is missing or unclear",
        "What you are about to confirm has to be clear.",
    ),
    CodeMissing: Problem(
        "code_missing",
        400,
        "Enter a code",
        "Enter the 6 digits that your authenticator app shows, or a backup code.",
    ),
    CodeAlreadyUsed: Problem(
        "code_already_used",
        422,
        "That code has been used",
        "Each code works once. Wait for your authenticator app to show the next one.",
    ),
    IncorrectCode: Problem(
        "incorrect_code",
        422,
        "That code is not right",
        "Check your authenticator app and enter the code that it shows now.",
    ),
    InvalidToken: Problem(
        "challenge_invalid",
        400,
        "Please start again",
        "This page does not belong to your current session. Nothing has been done: go "
        "back to what you wanted to do and try again.",
    ),
    OperationSpent: Problem(
        "challenge_invalid",
        400,
        "This has been confirmed before",
        "Your code has been used, and is good for one time. Look whether what you "
        "wanted is done; to do it again, you will be asked for a new code.",
    ),
    OperationVoided: Problem(
        "challenge_invalid",
        400,
        "Please start again",
        "There were too many tries without a right code, so this request was "
        "withdrawn. Nothing has been done.",
    ),
    TokenExpired: Problem(
        "challenge_expired",
        400,
        "This page was open for too long",
        "Nothing is lost. Enter the code that your authenticator app shows now.",
    ),
    TooManyAttempts: Problem(
        "too_many_attempts",
        429,
        "Too many tries",
        "To protect your account, no code is accepted",
    ),
    NotEnrolled: Problem(
        "not_enrolled",
        403,
        "No authenticator app yet",
        "This needs a code from an authenticator app, and your account has none.",
    ),
    VerifierError: _OUTAGE,
    VerifierFault: replace(_OUTAGE, detail=_NOT_YOUR_FAULT),
    LedgerUnavailable: replace(_OUTAGE, detail=_NOT_YOUR_FAULT),
    SessionFull: replace(
        _OUTAGE,
        detail="This is not your fault, and it does not count as a try. Please sign "
        "out and in again; if that does not help, tell us.",
    ),
    OutcomeUnknown: Problem(
        "outcome_unknown",
        503,
        "No answer came",
        "Your code was sent, but we do not know what became of it. If it was a backup "
        "code, it may be used up now: take another one. Otherwise wait for the next "
        "code.",
        {"retry_after": RETRY_AFTER},
    ),
}


def problem_of(error: StepUpError, enroll_url: str | None = None) -> Problem:
    """Return what is told about an error.

    :param enroll_url: where a person without an authenticator can get one.
    """
    # A verifier may raise classes of its own below ours.
    known = next(_PROBLEMS[k] for k in type(error).__mro__ if k in _PROBLEMS)
    if isinstance(error, IncorrectCode) and error.attempts_remaining is not None:
        left = error.attempts_remaining
        tries = {0: "This was your last try for now.", 1: "You have one try left."}
        tail = tries.get(left, f"You have {left} tries left.")
        told = replace(known, detail=f"{known.detail} {tail}")
        return told.plus(attempts_remaining=left)
    if isinstance(error, TooManyAttempts):
        seconds = error.retry_after
        span, until = span_of(seconds), moment_of(error.until, seconds)
        told = replace(known, detail=f"{known.detail} for {span}, until {until}.")
        return told.plus(retry_after=error.retry_after)
    if isinstance(error, ValueRefused):
        told = replace(known, status=error.code, detail=str(error.description))
        return told.plus(name=error.name_of_value)
    if isinstance(error, NotEnrolled):
        return known.plus(enroll_url=enroll_url)
    if isinstance(error, VerifierError) and error.retry_after is not None:
        return known.plus(retry_after=error.retry_after)
    return known

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
from .languages import marked
from .problem import Problem

#: Seconds to wait where nobody knows better.
RETRY_AFTER = 30

_NOT_YOUR_FAULT = marked("This is not your fault. Please try again in a moment.")
_OUTAGE = Problem(
    "verifier_unavailable",
    503,
    marked("Codes cannot be checked right now"),
    marked(
        "This is not your fault, and it does not count as a try. "
        "Please try again in a moment."
    ),
    {"retry_after": RETRY_AFTER},
)
#: As they are written here, in English; see :func:`~flask_stepup.problems.problem_of`.
PROBLEMS: dict[type[StepUpError], Problem] = {
    Unauthenticated: Problem(
        "unauthenticated",
        401,
        marked("Please sign in"),
        marked("You have to be signed in to go on."),
    ),
    ImpersonationRefused: Problem(
        "impersonation_refused",
        403,
        marked("Not in another person’s name"),
        marked("This needs a code that only the owner of the account has."),
    ),
    ValueRefused: Problem(
        "value_refused",
        400,
        marked("Something is missing or unclear"),
        marked("What you are about to confirm has to be clear."),
    ),
    CodeMissing: Problem(
        "code_missing",
        400,
        marked("Enter a code"),
        marked(
            "Enter the 6 digits that your authenticator app shows, or a backup code."
        ),
    ),
    CodeAlreadyUsed: Problem(
        "code_already_used",
        422,
        marked("That code has been used"),
        marked(
            "Each code works once. Wait for your authenticator app to show the next "
            "one."
        ),
    ),
    IncorrectCode: Problem(
        "incorrect_code",
        422,
        marked("That code is not right"),
        marked("Check your authenticator app and enter the code that it shows now."),
    ),
    InvalidToken: Problem(
        "challenge_invalid",
        400,
        marked("Please start again"),
        marked(
            "This page does not belong to your current session. Nothing has been done: "
            "go back to what you wanted to do and try again."
        ),
    ),
    OperationSpent: Problem(
        "challenge_invalid",
        400,
        marked("This has been confirmed before"),
        marked(
            "Your code has been used, and is good for one time. Look whether what you "
            "wanted is done; to do it again, you will be asked for a new code."
        ),
    ),
    OperationVoided: Problem(
        "challenge_invalid",
        400,
        marked("Please start again"),
        marked(
            "There were too many tries without a right code, so this request was "
            "withdrawn. Nothing has been done."
        ),
    ),
    TokenExpired: Problem(
        "challenge_expired",
        400,
        marked("This page was open for too long"),
        marked(
            "Nothing is lost. Enter the code that your authenticator app shows now."
        ),
    ),
    TooManyAttempts: Problem(
        "too_many_attempts",
        429,
        marked("Too many tries"),
        marked(
            "To protect your account, no code is accepted for %(span)s, until "
            "%(until)s."
        ),
    ),
    NotEnrolled: Problem(
        "not_enrolled",
        403,
        marked("No authenticator app yet"),
        marked(
            "This needs a code from an authenticator app, and your account has none."
        ),
    ),
    VerifierError: _OUTAGE,
    VerifierFault: replace(_OUTAGE, detail=_NOT_YOUR_FAULT),
    LedgerUnavailable: replace(_OUTAGE, detail=_NOT_YOUR_FAULT),
    SessionFull: replace(
        _OUTAGE,
        detail=marked(
            "This is not your fault, and it does not count as a try. Please sign "
            "out and in again; if that does not help, tell us."
        ),
    ),
    OutcomeUnknown: Problem(
        "outcome_unknown",
        503,
        marked("No answer came"),
        marked(
            "Your code was sent, but we do not know what became of it. If it was a "
            "backup code, it may be used up now: take another one. Otherwise wait for "
            "the next code."
        ),
        {"retry_after": RETRY_AFTER},
    ),
}

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
from .languages import translate
from .languages import translate_plural
from .problem import Problem
from .spans import moment_of
from .spans import span_of

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
_PROBLEMS: dict[type[StepUpError], Problem] = {
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


def problem_of(error: StepUpError, enroll_url: str | None = None) -> Problem:
    """Return what is told about an error, in the language of the person.

    :param enroll_url: where a person without an authenticator can get one.
    """
    # A verifier may raise classes of its own below ours.
    known = next(_PROBLEMS[k] for k in type(error).__mro__ if k in _PROBLEMS)
    if isinstance(error, TooManyAttempts):
        seconds = error.retry_after
        span, until = span_of(seconds), moment_of(error.until, seconds)
        told = _in_words(known, span=span, until=until.text)
        return replace(told, until=until).plus(retry_after=seconds)
    known = _in_words(known)
    if isinstance(error, IncorrectCode) and error.attempts_remaining is not None:
        left = error.attempts_remaining
        told = replace(known, detail=f"{known.detail} {_tries_left(left)}")
        return told.plus(attempts_remaining=left)
    if isinstance(error, ValueRefused):
        told = replace(known, status=error.code, detail=_fault_of(error))
        return told.plus(name=error.name_of_value)
    if isinstance(error, NotEnrolled):
        return known.plus(enroll_url=enroll_url)
    if isinstance(error, VerifierError) and error.retry_after is not None:
        return known.plus(retry_after=error.retry_after)
    return known


def _in_words(problem: Problem, **values: object) -> Problem:
    title, detail = translate(problem.title), translate(problem.detail, **values)
    return replace(problem, title=title, detail=detail)


def _tries_left(left: int) -> str:
    if left == 0:
        return translate("This was your last try for now.")
    return translate_plural(
        "You have one try left.", "You have %(num)s tries left.", left
    )


def _fault_of(error: ValueRefused) -> str:
    fault = translate(error.fault)
    return translate("“%(name)s” %(fault)s.", name=error.name_of_value, fault=fault)

"""What a person or client is told about an error, in their language."""

from __future__ import annotations

from dataclasses import replace

from .errors import IncorrectCode
from .errors import NotEnrolled
from .errors import StepUpError
from .errors import TooManyAttempts
from .errors import ValueRefused
from .errors import VerifierError
from .languages import translate
from .languages import translate_plural
from .problem import Problem
from .problem_table import PROBLEMS
from .spans import moment_of
from .spans import span_of


def problem_of(error: StepUpError, enroll_url: str | None = None) -> Problem:
    """Return what is told about an error, in the language of the person.

    :param enroll_url: where a person without an authenticator can get one.
    """
    # A verifier may raise classes of its own below ours.
    known = next(PROBLEMS[k] for k in type(error).__mro__ if k in PROBLEMS)
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

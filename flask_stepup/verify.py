"""The endpoint that takes a code, and sends the person on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from flask import request
from flask import Response

from . import records
from .answer import json_answer
from .answer import problem_answer
from .answer import problem_json
from .answer import redirect
from .answerable import assess_challenge
from .answerable import check_age
from .answerable import check_open
from .answerable import kept_open
from .app_gate import current_gate
from .assessment import Assessment
from .attempt import Attempt
from .attempt import Success
from .challenge import Challenge
from .challenge import open_challenge
from .client import is_bearer
from .client import is_htmx
from .client import is_page
from .cross_site import comes_across_sites
from .errors import InvalidToken
from .errors import LedgerUnavailable
from .errors import OperationOver
from .errors import OperationVoided
from .errors import Refusal
from .errors import Rejection
from .errors import StepUpError
from .errors import TokenExpired
from .errors import TooManyAttempts
from .errors import Unauthenticated
from .errors import VerifierError
from .field_order import reading_the_body
from .gate import Gate
from .pages import prompt_page
from .pages import resume_page
from .policy import Policy
from .problems import problem_of
from .proofs import Proofs
from .refusal import answer_refusal
from .subject import Subject


def verify() -> Response:
    """Try a code, and on success send the person on."""
    gate = current_gate()
    token, *submitted = _submitted()
    try:
        subject, challenge = _answering(gate, token)
        if challenge.form and comes_across_sites():
            # Another site would choose what is confirmed.
            raise InvalidToken("a form is not carried across sites")
        return _answered(gate, subject, challenge, token, submitted)
    except (InvalidToken, Refusal) as error:
        if _wants_json():
            return problem_json(problem_of(error))
        if isinstance(error, Refusal):
            return answer_refusal(error)
        return problem_answer(problem_of(error))


def _answered(
    gate: Gate,
    subject: Subject,
    challenge: Challenge,
    token: str,
    submitted: Sequence[str],
) -> Response:
    success = None
    try:
        assessment = assess_challenge(gate, subject, challenge)
    except LedgerUnavailable as error:
        records.LedgerUnavailable(reason=error.reason).log()
        return _ask_again(error, challenge, token)
    except OperationOver as error:
        try:
            if isinstance(error, OperationVoided):
                check_open(gate, subject)
        except (LedgerUnavailable, TooManyAttempts) as locked:
            return _ask_again(locked, challenge, token)
        if _wants_json() or not challenge.form:
            raise
        # The form can be sent once more, for which a new code will be asked.
        return resume_page(challenge, at_once=False, problem=problem_of(error))
    if assessment.shortfall:
        policy, standing = challenge.policy, assessment.standing
        try:
            check_age(gate, challenge)
            attempt = Attempt(gate, subject, policy, standing, challenge.operation)
            success = attempt.run(*submitted)
        except (LedgerUnavailable, Rejection, TokenExpired, VerifierError) as error:
            return _ask_again(error, *kept_open(gate, subject, challenge, token))
    if _wants_json():
        return json_answer(_told(challenge.policy, assessment, success))
    if challenge.form:
        return resume_page(challenge, at_once=success is not None)
    return redirect(challenge.way_back)


def _answering(gate: Gate, token: str) -> tuple[Subject, Challenge]:
    """Return who answers which challenge.

    A session token of Clerk's lives for a minute, and the prompt does not renew it.
    What an expired one says of a person is believed here alone, where the challenge
    says the same and a code is asked for.

    :raises Refusal: nobody does.
    :raises InvalidToken: somebody does, and it is another's.
    """
    try:
        subject = gate.subject()
    except Unauthenticated as nobody:
        subject = gate.expired_subject(gate.settings.challenge_max_age)
        try:
            return subject, open_challenge(gate, subject, token)
        except InvalidToken:
            raise nobody from None
    return subject, open_challenge(gate, subject, token)


def _ask_again(error: StepUpError, challenge: Challenge, token: str) -> Response:
    problem = problem_of(error, current_gate().settings.enroll_url)
    if not _wants_json():
        return prompt_page(challenge, token, problem=problem)
    if isinstance(error, TokenExpired):
        problem = problem.plus(challenge=token)
    return problem_json(problem)


def _told(
    policy: Policy, assessment: Assessment, success: Success | None
) -> dict[str, Any]:
    """What a program gets for a right code, and where none was needed."""
    now, proofs = time.time(), assessment.proofs
    told: dict[str, Any] = {"verified": True, "code_type": None}
    if success:
        told["code_type"] = success.code_type
        # In whole seconds, as markers have it.
        proofs = proofs.or_fresher(Proofs(second=int(now)))
    told["expires_in"] = policy.expires_in(proofs, now)
    if success and success.marker:
        told["marker"] = success.marker
    return told


def _submitted() -> list[str]:
    """Challenge, code and the submission's name; empty what is missing or no text.

    :raises ClientDisconnected: 400 where the body ends too early.
    """
    source: Any = None
    with reading_the_body():
        if not request.is_json:
            source = request.form
        elif request.get_data(cache=True):
            with suppress(RecursionError):
                source = request.get_json(silent=True)
    if not isinstance(source, Mapping):
        source = {}
    values = (source.get(name) for name in ("challenge", "code", "submission"))
    return [value if isinstance(value, str) else "" for value in values]


def _wants_json() -> bool:
    return request.is_json or is_htmx() or is_bearer() or not is_page()

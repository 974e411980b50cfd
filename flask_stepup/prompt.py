"""The endpoints of the prompt: the page that asks for a code, and its verification."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from flask import Blueprint
from flask import request
from flask import Response

from .answer import json_answer
from .answer import problem_answer
from .answer import problem_json
from .answer import redirect
from .assessment import Assessment
from .attempt import Attempt
from .attempt import Success
from .challenge import Challenge
from .challenge import check_age
from .challenge import open_challenge
from .client import is_bearer
from .client import is_htmx
from .client import is_page
from .errors import InvalidToken
from .errors import LedgerUnavailable
from .errors import Refusal
from .errors import Rejection
from .errors import StepUpError
from .errors import TokenExpired
from .errors import Unauthenticated
from .errors import VerifierError
from .gate import current_gate
from .gate import Gate
from .policy import Policy
from .problem import problem_of
from .proofs import Proofs
from .refusal import answer_refusal
from .refusal import prompt_page
from .status import status
from .subject import Subject


def prompt_blueprint() -> Blueprint:
    """Return the blueprint ``stepup``: prompt, verify, status and the style sheet."""
    blueprint = Blueprint(
        "stepup", __name__, template_folder="templates", static_folder="static"
    )
    blueprint.add_url_rule("/", view_func=prompt, methods=["GET"])
    blueprint.add_url_rule("/", view_func=verify, methods=["POST"])
    blueprint.add_url_rule("/status", view_func=status, methods=["GET"])
    return blueprint


def prompt() -> Response:
    """Show the page that asks for a code."""
    gate = current_gate()
    token = request.args.get("challenge", "")
    try:
        subject = gate.subject()
        challenge = open_challenge(gate, subject, token)
        if _assess(gate, subject, challenge).shortfall is None:
            return redirect(challenge.way_back)
        return prompt_page(*_kept_open(gate, subject, challenge, token))
    except Refusal as refusal:
        return answer_refusal(refusal)
    except InvalidToken as error:
        return problem_answer(problem_of(error))


def verify() -> Response:
    """Try a code, and on success send the person on."""
    gate = current_gate()
    token, typed = _submitted()
    success = None
    try:
        subject, challenge = _answering(gate, token)
        assessment = _assess(gate, subject, challenge)
        if assessment.shortfall:
            try:
                check_age(gate, challenge)
                attempt = Attempt(gate, subject, challenge.policy, assessment.standing)
                success = attempt.run(typed)
            except (LedgerUnavailable, Rejection, TokenExpired, VerifierError) as error:
                return _ask_again(error, *_kept_open(gate, subject, challenge, token))
    except (InvalidToken, Refusal) as error:
        if _wants_json():
            return problem_json(problem_of(error))
        if isinstance(error, Refusal):
            return answer_refusal(error)
        return problem_answer(problem_of(error))
    if _wants_json():
        return json_answer(_told(challenge.policy, assessment, success))
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


def _assess(gate: Gate, subject: Subject, challenge: Challenge) -> Assessment:
    """Return whether a code is needed any more.

    :raises InvalidToken: the session has ended since, and its questions with it.
    """
    assessment = gate.assess(challenge.policy, subject)
    if assessment.shortfall and assessment.standing.session_revoked:
        raise InvalidToken("the session was ended after the challenge was made")
    return assessment


def _ask_again(error: StepUpError, challenge: Challenge, token: str) -> Response:
    problem = problem_of(error, current_gate().settings.enroll_url)
    if not _wants_json():
        return prompt_page(challenge, token, problem=problem)
    if isinstance(error, TokenExpired):
        problem = problem.plus(challenge=token)
    return problem_json(problem)


def _kept_open(
    gate: Gate, subject: Subject, challenge: Challenge, token: str
) -> tuple[Challenge, str]:
    """Return the challenge and its token, renewed where it is too old."""
    try:
        check_age(gate, challenge)
    except TokenExpired:
        challenge = challenge.renewed()
        return challenge, challenge.seal(gate, subject)
    return challenge, token


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


def _submitted() -> tuple[str, str]:
    """Challenge and code, empty where they are missing or no text."""
    source: Any = request.form
    if request.is_json:
        try:
            source = request.get_json(silent=True)
        except RecursionError:
            source = None
    if not isinstance(source, Mapping):
        return "", ""
    challenge, code = source.get("challenge"), source.get("code")
    return (
        challenge if isinstance(challenge, str) else "",
        code if isinstance(code, str) else "",
    )


def _wants_json() -> bool:
    return request.is_json or is_htmx() or is_bearer() or not is_page()

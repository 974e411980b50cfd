"""The endpoints of the prompt: the page that asks for a code, and its verification."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from flask import Blueprint
from flask import request
from flask import Response

from .answer import is_page
from .answer import json_answer
from .answer import problem_answer
from .answer import problem_json
from .answer import redirect
from .attempt import Attempt
from .challenge import Challenge
from .challenge import check_age
from .challenge import open_challenge
from .errors import InvalidToken
from .errors import LedgerUnavailable
from .errors import Refusal
from .errors import Rejection
from .errors import StepUpError
from .errors import TokenExpired
from .errors import VerifierError
from .gate import current_gate
from .gate import Gate
from .problem import problem_of
from .refusal import answer_refusal
from .refusal import prompt_page
from .subject import Subject


def prompt_blueprint() -> Blueprint:
    """Return the blueprint ``stepup``: prompt, verify and the style sheet."""
    blueprint = Blueprint(
        "stepup", __name__, template_folder="templates", static_folder="static"
    )
    blueprint.add_url_rule("/", view_func=prompt, methods=["GET"])
    blueprint.add_url_rule("/", view_func=verify, methods=["POST"])
    return blueprint


def prompt() -> Response:
    """Show the page that asks for a code."""
    gate = current_gate()
    token = request.args.get("challenge", "")
    try:
        subject = gate.subject()
        challenge = open_challenge(gate, subject, token)
        if _is_met(gate, subject, challenge):
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
    code_type = None
    try:
        subject = gate.subject()
        challenge = open_challenge(gate, subject, token)
        if not _is_met(gate, subject, challenge):
            try:
                check_age(gate, challenge)
                attempt = Attempt(gate, subject, challenge.policy)
                code_type = attempt.run(typed).code_type
            except (LedgerUnavailable, Rejection, TokenExpired, VerifierError) as error:
                return _ask_again(error, *_kept_open(gate, subject, challenge, token))
    except (InvalidToken, Refusal) as error:
        if _wants_json():
            return problem_json(problem_of(error))
        if isinstance(error, Refusal):
            return answer_refusal(error)
        return problem_answer(problem_of(error))
    if _wants_json():
        return json_answer(_success(gate, subject, challenge, code_type))
    return redirect(challenge.way_back)


def _is_met(gate: Gate, subject: Subject, challenge: Challenge) -> bool:
    """Whether no code is needed any more.

    :raises InvalidToken: the session has ended since, and its questions with it.
    """
    shortfall = gate.shortfall(challenge.policy, subject)
    revoked = shortfall is not None and shortfall.cause == "revoked"
    if revoked and gate.standing(subject).session_revoked:
        raise InvalidToken("the session was ended after the challenge was made")
    return shortfall is None


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


def _success(
    gate: Gate, subject: Subject, challenge: Challenge, code_type: str | None
) -> dict[str, Any]:
    policy = challenge.policy
    marker = gate.elevation.marker(subject, policy.scope)
    expires_in = policy.expires_in(marker.proved_at, time.time()) if marker else 0
    return {"verified": True, "code_type": code_type, "expires_in": expires_in}


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
    return request.is_json or not is_page()

"""An unmet policy, told to programs: as a problem, a hint to Clerk, and a header."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Response

from .answer import problem_json
from .app_gate import current_gate
from .challenge import new_challenge
from .demand import PRESETS
from .languages import marked
from .languages import translate
from .policy import Policy
from .problem import Problem
from .proofs import FIRST
from .required import ReverificationRequired
from .way_back import address_of

_NAMES = {(p.level, p.max_age): name for name, p in PRESETS.items()}


def unmet_problem(required: ReverificationRequired) -> Problem:
    """Return an unmet policy as a problem, without a challenge."""
    policy = required.policy
    facts: dict[str, Any] = {"cause": required.cause, "policy": _as_json(required)}
    if policy.is_claimable:
        facts["clerk_error"] = _clerk_error(policy)
    needs_sign_in = required.shortfall.factor == FIRST
    detail = (
        marked("This needs a sign-in that is more recent than yours.")
        if needs_sign_in
        else marked("Confirm with a code from your authenticator app that it is you.")
    )
    return Problem(
        "reverification_required",
        403,
        translate("Reverification required"),
        translate(detail),
        facts,
    )


def challenge_json(required: ReverificationRequired) -> Response:
    """Return an unmet policy as JSON, with a challenge where a code helps.

    :raises LedgerUnavailable: no challenge can be made.
    """
    return problem_json(_challenging(required))


def challenge_bearer(required: ReverificationRequired) -> Response:
    """Return the same as an answer to a bearer token (RFC 9470, 3).

    :raises LedgerUnavailable: no challenge can be made.
    """
    response = problem_json(replace(_challenging(required), status=401))
    response.headers["WWW-Authenticate"] = (
        'Bearer error="insufficient_user_authentication", error_description='
        '"A more recent authentication is required", '
        f'max_age="{required.policy.max_age}"'
    )
    return response


def _challenging(required: ReverificationRequired) -> Problem:
    problem = unmet_problem(required)
    if not required.shortfall.code_helps:
        return problem
    gate = current_gate()
    challenge = new_challenge(gate, required)
    token = challenge.seal(gate, required.subject, required.told)
    return problem.plus(challenge=token, verify_url=address_of("stepup.verify"))


def _clerk_error(policy: Policy) -> dict[str, Any]:
    """Return what has Clerk's front end open its modal and try again.

    It reads a preset's name or an object in camel case, and nothing else
    (https://clerk.com/docs/guides/secure/reverification).
    """
    minutes = policy.max_age / 60
    custom = {
        "level": policy.level,
        "afterMinutes": int(minutes) if minutes.is_integer() else minutes,
    }
    config = _NAMES.get((policy.level, policy.max_age), custom)
    return {
        "type": "forbidden",
        "reason": "reverification-error",
        "metadata": {"reverification": config},
    }


def _as_json(required: ReverificationRequired) -> dict[str, Any]:
    policy, action = required.policy, required.action
    facts: dict[str, Any] = {
        "level": policy.level,
        "max_age": policy.max_age,
        "scope": policy.scope,
    }
    more = {
        "once": action is not None,
        "bind": action.values if action else None,
        "reason": policy.reason,
    }
    return facts | {name: fact for name, fact in more.items() if fact}

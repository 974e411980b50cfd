"""The endpoint that tells a program where the signed-in person stands."""

from __future__ import annotations

import time
from dataclasses import replace

from flask import request
from flask import Response

from .answer import json_answer
from .answer import problem_json
from .errors import ConfigurationError
from .errors import Refusal
from .gate import current_gate
from .gate import Gate
from .problem import problem_of
from .proofs import NOTHING_PROVED
from .subject import Subject


def status() -> Response:
    """Tell whether the default policy is met in the scope that was asked for."""
    gate = current_gate()
    try:
        return _status(gate, gate.subject(), request.args.get("scope", ""))
    except Refusal as refusal:
        return problem_json(problem_of(refusal))


def _status(gate: Gate, subject: Subject, scope: str) -> Response:
    policy, is_met, proofs = gate.settings.preset, False, NOTHING_PROVED
    try:
        policy = replace(policy, scope=scope)
    except ConfigurationError:
        pass  # no policy can have this scope, so nothing was ever proved in it
    else:
        assessment = gate.assess(policy, subject)
        is_met, proofs = assessment.shortfall is None, assessment.proofs
    verified_at = policy.verified_at(proofs)
    return json_answer(
        {
            "reverified": is_met,
            "level": policy.level,
            "verified_at": None if verified_at is None else int(verified_at),
            "expires_in": policy.expires_in(proofs, time.time()),
        }
    )

"""The endpoint that tells a program where the signed-in person stands."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace

from flask import Response

from . import records
from .answer import json_answer
from .answer import problem_json
from .app_gate import current_gate
from .errors import ImpersonationRefused
from .errors import LedgerUnavailable
from .errors import Refusal
from .gate import Gate
from .look_up import in_query
from .policy_fields import is_scope
from .problems import problem_of
from .proofs import NOTHING_PROVED


def status() -> Response:
    """Tell whether the default policy is met in the scope that was asked for."""
    gate = current_gate()
    try:
        return _status(gate, in_query("scope"))
    except Refusal as refusal:
        if isinstance(refusal, LedgerUnavailable):
            records.LedgerUnavailable(reason=refusal.reason).log()
        return problem_json(problem_of(refusal))


def _status(gate: Gate, scope: str | None) -> Response:
    policy, met, proofs = gate.settings.preset, False, NOTHING_PROVED
    # Who acts in another's name meets no policy, and where no policy can have such a
    # scope, nobody ever met one.
    with suppress(ImpersonationRefused):
        subject = gate.subject()
        if scope is not None and is_scope(scope):
            policy = replace(policy, scope=scope)
            assessment = gate.assess(policy, subject)
            met, proofs = assessment.shortfall is None, assessment.proofs
    verified_at = policy.verified_at(proofs)
    return json_answer(
        {
            "reverified": met,
            "level": policy.level,
            "verified_at": None if verified_at is None else int(verified_at),
            "expires_in": policy.expires_in(proofs, time.time()),
        }
    )

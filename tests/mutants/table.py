"""Which files are mutated, and which tests speak for each of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """Files that the same tests speak for.

    :param files: inside of ``flask_stepup``; a folder stands for all in it.
    :param stages: arguments of pytest, the quickest first; whatever lives through one
        meets the next.
    """

    files: tuple[str, ...]
    stages: tuple[str, ...]


#: Tests of the ledger that every change of it may break.
_CONTRACT = "test_ledger_contract.py -k {}"
_IN_MEMORY = (
    "test_ledger_contract.py test_timekeeping.py -k 'not sqlite and not valkey'"
)

#: Those of a server that nobody ill-treats, which would take its time.
_AT_EASE = "test_ledger_redis.py -k 'not hangs and not drips and not gone and not lost'"

PARTS: dict[str, Part] = {
    "signing": Part(("signing.py",), ("test_signing.py", "test_keys.py")),
    "marker": Part(
        ("marker.py",),
        (
            "test_marker.py test_passing.py",
            "test_elevation.py test_scopes.py",
            "test_approvals.py",
        ),
    ),
    "policy": Part(
        ("policy.py",),
        ("test_policy.py", "test_claims.py", "test_guard.py", "test_approvals.py"),
    ),
    "proofs": Part(
        ("proofs.py",),
        ("test_policy.py test_assessment.py test_claims.py", "test_clocks.py"),
    ),
    "assessment": Part(
        ("assessment.py",),
        (
            "test_assessment.py",
            "test_elevation.py test_claims.py test_clocks.py",
            "test_scopes.py test_approvals.py test_clerk_app.py",
        ),
    ),
    "gate": Part(
        ("gate.py",),
        (
            "test_gate.py test_passing.py",
            "test_elevation.py",
            "test_guard.py test_status.py test_answers.py",
            "test_scopes.py test_approvals.py test_attempts.py test_extension.py",
            "test_observability_records.py",
        ),
    ),
    "keeping": Part(
        ("keeping.py",),
        (
            "test_keeping.py",
            "test_elevation.py test_scopes.py",
            "test_clocks.py test_bearer.py",
            "test_approvals.py test_attacks.py",
        ),
    ),
    "inquiry": Part(("inquiry.py",), ("test_inquiry.py", "test_approvals.py")),
    "passing": Part(("passing.py",), ("test_passing.py", "test_gate.py")),
    "challenge": Part(
        ("challenge.py", "challenge_value.py"),
        (
            "test_challenge.py",
            "test_prompt.py",
            "test_approval_challenges.py",
            "test_answers.py test_resume.py",
            "test_approvals.py test_attacks.py test_htmx.py",
        ),
    ),
    "answerable": Part(
        ("answerable.py",),
        (
            "test_challenge.py",
            "test_prompt.py",
            "test_approval_challenges.py test_attempts.py",
            "test_approvals.py test_attacks.py test_outages.py test_resume.py",
        ),
    ),
    "verifiers": Part(
        ("verifiers",),
        (
            "test_totp.py test_verifiers.py",
            "test_verifier_contract.py",
            "test_attempts.py test_extension.py",
        ),
    ),
    "breaker": Part(("clerk/breaker.py",), ("test_breaker.py", "test_clerk.py")),
    "reservation": Part(
        ("reservation.py",), ("test_submissions.py", "test_attempts.py")
    ),
    "limits": Part(
        ("ledger/limits.py", "ledger/owed.py"),
        ("test_ledger_opening.py test_owed.py",),
    ),
    "keys": Part(
        ("ledger/keys.py", "ledger/values.py"),
        (_IN_MEMORY, "test_marker.py test_assessment.py test_keeping.py"),
    ),
    "opening": Part(
        ("ledger/opening.py", "ledger/redis/address.py"),
        (
            "test_ledger_address.py test_ledger_opening.py",
            "test_ledger_redis.py",
            "test_settings.py",
        ),
    ),
    "sqlite": Part(
        ("ledger/sqlite",),
        (
            _IN_MEMORY,
            _CONTRACT.format("sqlite"),
            "test_ledger_sqlite.py test_ledger_locking.py",
            "test_ledger_forking.py",
            "test_ledger_processes.py -k 'not valkey'",
        ),
    ),
    "redis": Part(
        (
            "ledger/redis/connections.py",
            "ledger/redis/ledger.py",
            "ledger/redis/scripts.py",
            "ledger/redis/server.py",
            "ledger/redis/standings.py",
        ),
        (_CONTRACT.format("valkey"), _AT_EASE, "test_ledger_redis.py"),
    ),
    "lua": Part(("ledger/redis/lua",), (_CONTRACT.format("valkey"), _AT_EASE)),
}

"""A policy in a few words, for people who look at routes."""

from __future__ import annotations

from ..demand import PRESETS
from ..policy import Policy

_UNITS = ((3_600, "h"), (60, "min"), (1, "s"))
_LEVELS = {
    "first_factor": "first factor",
    "second_factor": "second factor",
    "multi_factor": "both factors",
}


def policy_words(policy: Policy) -> str:
    """Return what a policy asks for: ``strict, scope payments``."""
    words = [preset_name(policy) or asked_for(policy)]
    if policy.scope:
        words.append(f"scope {policy.scope}")
    if isinstance(policy.bind, tuple):
        words.append(f"bind ({', '.join(policy.bind)})")
    elif policy.bind:
        words.append("bind")
    elif policy.once:
        words.append("once")
    return ", ".join(words)


def asked_for(policy: Policy) -> str:
    """Return which factors a policy asks for, and how old they may be."""
    return f"{_LEVELS[policy.level]}, {_age(policy.max_age)}"


def preset_name(policy: Policy) -> str | None:
    """Return which of Clerk's presets has this level and age, if one has."""
    for name, preset in PRESETS.items():
        if (preset.level, preset.max_age) == (policy.level, policy.max_age):
            return name
    return None


def _age(seconds: int) -> str:
    size, unit = next(pair for pair in _UNITS if seconds % pair[0] == 0)
    return f"{seconds // size} {unit}"

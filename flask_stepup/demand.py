"""A policy as a developer writes it: Clerk's presets, and what is given beside them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from difflib import get_close_matches
from typing import Any
from typing import TypedDict
from typing import Unpack

from .errors import ConfigurationError
from .policy import Level
from .policy import listed
from .policy import Policy

#: Clerk's reverification presets (https://clerk.com/docs/guides/secure/reverification).
PRESETS: dict[str, Policy] = {
    "strict_mfa": Policy("multi_factor", 600),
    "strict": Policy("second_factor", 600),
    "moderate": Policy("second_factor", 3_600),
    "lax": Policy("second_factor", 86_400),
}


def preset(name: object) -> Policy:
    """Return Clerk's preset of that name.

    :raises ConfigurationError: there is none.
    """
    if not isinstance(name, str) or name not in PRESETS:
        near = get_close_matches(str(name), PRESETS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigurationError(
            f"{name!r} is not a preset: use {listed(PRESETS)}{hint}"
        )
    return PRESETS[name]


class Demands(TypedDict, total=False):
    """The keywords of a demand: the fields of :class:`Policy`."""

    level: Level
    max_age: int | timedelta
    scope: str
    reason: str | None
    methods: Collection[str] | None


class Demand:
    """A policy as it was written, which each app's default preset completes.

    :param name: of a preset; None leaves the choice to the app.
    :raises ConfigurationError: no such preset, field or value.
    """

    def __init__(self, name: str | None = None, **demands: Unpack[Demands]) -> None:
        for demand in demands:
            if demand not in Demands.__annotations__:
                raise ConfigurationError(
                    f"{demand}= is no part of a policy: "
                    f"use {listed(Demands.__annotations__)}"
                )
        given: dict[str, Any] = {**demands}
        bases = PRESETS.values() if name is None else [preset(name)]
        self._policies = {base: replace(base, **given) for base in bases}

    def policy(self, default: Policy) -> Policy:
        """Return the whole policy.

        :param default: the app's default preset.
        """
        if len(self._policies) == 1:
            return next(iter(self._policies.values()))
        return self._policies[default]

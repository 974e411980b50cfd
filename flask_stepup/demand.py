"""A policy as a developer writes it: Clerk's presets, and what is given beside them."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from difflib import get_close_matches
from typing import Any
from typing import TypedDict
from typing import Unpack

from .errors import ConfigurationError
from .policy import Level
from .policy import Policy
from .policy_fields import listed

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
    once: bool
    bind: Sequence[str] | Mapping[str, Any] | Callable[[], Mapping[str, Any]]
    reason: str | Callable[[], Any] | None
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
        if "bind" in demands and demands["bind"] is None:
            raise ConfigurationError(
                "bind=None binds nothing, so that any marker would do: leave it out, "
                "or give what is to be approved"
            )
        self._given: dict[str, Any] = {**demands}
        self._preset = None if name is None else preset(name)
        self._policies: dict[Policy, Policy] = {}
        # Of the app that asked last, which mostly is the only one: to look a policy up
        # by its value would take longer than to weigh a marker.
        self._last: tuple[Policy, Policy] | None = None
        # A mistake is told now, and not at the first request. Whatever "strict" does
        # not allow, no other preset does.
        self.policy(PRESETS["strict"])

    def policy(self, default: Policy) -> Policy:
        """Return the whole policy.

        :param default: the app's default preset.
        :raises ConfigurationError: what was given does not go with it.
        """
        last = self._last
        if last is not None and last[0] is default:
            return last[1]
        preset = self._preset or default
        if preset not in self._policies:
            self._policies[preset] = replace(preset, **self._given)
        self._last = default, self._policies[preset]
        return self._policies[preset]

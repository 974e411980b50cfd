"""The policy that a test expects of a route, compared with the one it has."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from typing import TypedDict

from ..errors import ConfigurationError
from ..policy import Level
from ..policy import Policy


class Expected(TypedDict, total=False):
    """What may be expected of a policy; what is not given is not looked at."""

    level: Level | None
    max_age: int | timedelta | None
    scope: str | None
    once: bool | None
    bind: Mapping[str, Any] | Sequence[str] | None


def checked_expectation(expected: Expected) -> dict[str, Any]:
    """Return what is expected, in the form in which a problem tells of a policy.

    :raises ConfigurationError: no policy can be like that.
    """
    given: dict[str, Any] = {
        name: value for name, value in expected.items() if value is not None
    }
    bind = given.pop("bind", None)
    if bind is not None:
        if isinstance(bind, str) or not isinstance(bind, Mapping | Sequence):
            raise ConfigurationError(
                f"bind={bind!r} names no values: expect a mapping of names and values, "
                "or the names alone, as in ('to', 'amount')"
            )
        given["bind"] = dict(bind) if isinstance(bind, Mapping) else sorted(bind)
    # Tells of a mistake in the test what it tells of one in the app.
    policy = Policy(**{k: v for k, v in given.items() if k not in ("once", "bind")})
    if "max_age" in given:
        given["max_age"] = policy.max_age
    return given


def differences(expected: Mapping[str, Any], policy: Mapping[str, Any]) -> list[str]:
    """Return how the policy of a problem differs from what is expected, in words."""
    found = {"once": False, "bind": {}, **policy}
    if isinstance(expected.get("bind"), list):
        # JSON keeps no order of names.
        found["bind"] = sorted(found["bind"])
    return [
        f"{name} is {found.get(name)!r}, not {value!r}"
        for name, value in expected.items()
        if found.get(name) != value
    ]

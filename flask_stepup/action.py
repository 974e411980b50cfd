"""What one run of one view would do: what a person approves, and its digest."""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import current_app
from flask import request

from .approvable import read_argument
from .approvable import read_value
from .approvable import shown
from .errors import ConfigurationError
from .errors import ValueRefused
from .legible import visible
from .look_up import look_up
from .policy import Policy
from .policy_fields import Bind
from .policy_fields import is_name
from .policy_fields import LONGEST_SCOPE
from .policy_fields import MOST_VALUES
from .signing import Signer

#: Characters of base64 (132 bits): half of a hash is enough (RFC 2104, 5).
DIGEST_LENGTH = 22


@dataclass(frozen=True, slots=True)
class Action:
    """One run of one view, with these values.

    :param digest: keyed, so that it tells nobody what it is of.
    :param values: what the person is shown, as JSON knows it, in the order of ``bind``;
        empty for ``once``.
    """

    digest: str
    values: dict[str, Any]

    @property
    def shown(self) -> list[tuple[str, str]]:
        """Names and values as a page shows them, with nothing hidden in them."""
        return [(visible(name), shown(value)) for name, value in self.values.items()]


def current_action(
    policy: Policy, signer: Signer, is_secret: Callable[[str], bool]
) -> Action:
    """Return what the current request would do.

    :param is_secret: whether a form field of this name must never be shown.
    :raises ValueRefused: a value that was to be approved is unclear.
    :raises ConfigurationError: the policy binds what cannot be shown.
    """
    readings = {
        name: read_value(name, value)
        for name, value in _bound(policy.bind, is_secret).items()
    }
    if isinstance(policy.bind, tuple):
        for name, reading in readings.items():
            _check_no_secrets(name, reading.plain, is_secret)
    done = {
        "scope": policy.scope,
        "method": request.method,
        "endpoint": request.endpoint,
        "address": _address(),
        "arguments": {
            name: read_argument(value) for name, value in _arguments().items()
        },
        "values": {name: reading.typed for name, reading in readings.items()},
        # With values those are what counts; without, it is the request as it was.
        "query": "" if policy.bind else request.query_string.decode("latin-1"),
    }
    # The same names and values in another order are the same action.
    digest = signer.digest("action", json.dumps(done, sort_keys=True))
    return Action(
        digest[:DIGEST_LENGTH],
        {name: reading.plain for name, reading in readings.items()},
    )


def _arguments() -> Mapping[str, Any]:
    return request.view_args or {}


def _address() -> list[str]:
    """What the view's arguments were made of.

    A converter of the app's may make objects of it that nothing tells apart, and
    Flask's URL processors take arguments out. The host only counts where it can hold
    arguments as well: behind some proxies it is not always the same.
    """
    names_host = current_app.url_map.host_matching or current_app.subdomain_matching
    path = [request.script_root, request.path]
    return [*path, request.host if names_host else ""]


def _bound(bind: Bind | None, is_secret: Callable[[str], bool]) -> Mapping[str, Any]:
    """The names and values that a policy binds."""
    if bind is None:
        return {}
    if not isinstance(bind, tuple):
        return _checked(bind())
    for name in filter(is_secret, bind):
        raise ConfigurationError(
            f"bind={name!r} would show what STEPUP_SECRET_FIELDS keeps secret: bind "
            "other values, or change that setting"
        )
    return look_up(bind)


def _check_no_secrets(name: str, value: Any, is_secret: Callable[[str], bool]) -> None:
    """Return if no key within the value, which may be JSON, is that of a secret."""
    if isinstance(value, dict) and any(map(is_secret, value)):
        raise ValueRefused(name, "holds what must not be shown")
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            _check_no_secrets(name, inner, is_secret)


def _checked(values: object) -> Mapping[str, Any]:
    """What a function has returned, if it is what it had to be."""
    if not isinstance(values, Mapping) or not 0 < len(values) <= MOST_VALUES:
        raise ConfigurationError(
            f"the function in bind= must return a mapping of up to {MOST_VALUES} names "
            f"and values; it returned a {type(values).__name__} that is not one"
        )
    if not all(map(is_name, values)):
        raise ConfigurationError(
            "the function in bind= must name its values by at most "
            f"{LONGEST_SCOPE} printable characters"
        )
    return {str(name): values[name] for name in values}

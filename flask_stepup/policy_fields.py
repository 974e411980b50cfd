"""What the fields of a policy may hold."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from inspect import iscoroutinefunction
from typing import Any

from .errors import ConfigurationError
from .legible import one_line

#: Names of values in the request, or a function that returns names and values.
Bind = tuple[str, ...] | Callable[[], Mapping[str, Any]]

#: The longest that any proof may serve, in seconds.
LONGEST_MAX_AGE = 86_400
LONGEST_REASON = 200
LONGEST_SCOPE = 64
#: More values than these nobody reads before approving them.
MOST_VALUES = 16
#: Links and images send these of themselves, so nothing may be spent by them.
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def is_scope(value: object) -> bool:
    """Whether a policy may have this scope."""
    return _is_text(value, LONGEST_SCOPE)


def is_name(value: object) -> bool:
    """Whether a value that is bound may have this name."""
    return _is_text(value, LONGEST_SCOPE) and value != ""


def checked_max_age(value: object) -> int:
    """Return an age as a policy has it, in whole seconds."""
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if (
        isinstance(seconds, bool)
        or not isinstance(seconds, int | float)
        or not 0 < seconds <= LONGEST_MAX_AGE
        or seconds != int(seconds)
    ):
        raise ConfigurationError(
            f"max_age={value!r} is not an age: use whole seconds, or a timedelta, "
            f"above 0 and at most {LONGEST_MAX_AGE} (24 hours)"
        )
    return int(seconds)


def checked_methods(value: object) -> frozenset[str] | None:
    """Return methods as a policy has them."""
    if value is None:
        return None
    if isinstance(value, str) or not isinstance(value, set | frozenset | tuple | list):
        raise ConfigurationError(
            f"methods={value!r} is not a set of HTTP methods: use {{'POST'}}"
        )
    methods = frozenset(str(method).upper() for method in value)
    if not methods or not methods <= set(_METHODS):
        raise ConfigurationError(
            f"methods={value!r}: use one or more of {listed(_METHODS)}"
        )
    return methods | {"GET"} if "HEAD" in methods else methods


def checked_bind(value: object) -> Bind | None:
    """Return what is bound as a policy has it."""
    if isinstance(value, Mapping):
        # Before what is a collection too: its names alone would bind nothing.
        return partial(dict, value)
    if value is None or (callable(value) and not iscoroutinefunction(value)):
        return value
    if not isinstance(value, tuple | list) or not 0 < len(value) <= MOST_VALUES:
        raise _no_bind(value)
    if not all(map(is_name, value)) or len(set(value)) < len(value):
        raise _no_bind(value)
    return tuple(value)


def _no_bind(value: object) -> ConfigurationError:
    return ConfigurationError(
        f"bind={value!r} names no values: use a tuple of up to {MOST_VALUES} different "
        "names, ('to', 'amount'), or a plain function that returns a mapping"
    )


def checked_reason(value: object) -> str | Callable[[], Any] | None:
    """Return a reason as a policy has it."""
    if isinstance(value, str):
        return one_line(value, LONGEST_REASON)
    if value is None or (callable(value) and not iscoroutinefunction(value)):
        return value
    if hasattr(value, "isprintable"):
        # Lazy text, as of Flask-Babel: looked up in the language of each request.
        return partial(str, value)
    raise ConfigurationError(
        f"reason={value!r} is no reason: use text, or a plain function that returns it"
    )


def _is_text(value: object, longest: int) -> bool:
    return isinstance(value, str) and len(value) <= longest and value.isprintable()


def no_text(name: str, value: object, longest: int) -> ConfigurationError:
    """The error of a value that is no text, or too long."""
    return ConfigurationError(
        f"{name}={value!r} is not text: use at most {longest} printable characters"
    )


def listed(names: Iterable[str]) -> str:
    """Names as an error message lists them."""
    return ", ".join(repr(name) for name in names)

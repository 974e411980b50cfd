"""What a single ``STEPUP_*`` value may be: each function reads one kind of value.

All take the name of the key, for the message, and raise ``ConfigurationError`` where
the value cannot work.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .errors import ConfigurationError

#: A scheme and an authority. Extensions of browsers have origins too.
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[!-.0-~]+")


def text(name: str, value: Any) -> str:
    """Text that may be shown in a message."""
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"{name}={value!r} must be text")
    return value


def secret(name: str, value: Any) -> str:
    """Text that no message shows."""
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"{name} must be text, and not empty")
    return value


def address(name: str, value: Any) -> str:
    """Where a browser can be sent."""
    url = text(name, value)
    if not re.fullmatch(r"(/(?![/\\])|https?://)[!-~]*", url) or "#" in url:
        raise ConfigurationError(
            f"{name}={value!r} must be a path such as '/login', or an http(s) URL, "
            "without a fragment"
        )
    return url


def contact(name: str, value: Any) -> str:
    """Where a person finds help: an address, or somebody to write to or to call."""
    url = text(name, value)
    if re.fullmatch(r"(mailto|tel):[!-~]+", url):
        return url
    try:
        return address(name, value)
    except ConfigurationError as error:
        raise ConfigurationError(f"{error}, or begin with mailto: or tel:") from None


def flag(name: str, value: Any) -> bool:
    """True or False, and nothing that merely looks like it."""
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name}={value!r} must be True or False")
    return value


def origins(name: str, value: Any) -> tuple[str, ...]:
    """A list of web origins."""
    if isinstance(value, str):  # as it comes from the environment
        value = re.split(r"[\s,]+", value.strip())
    found = _items(value)
    if not all(isinstance(item, str) and _ORIGIN.fullmatch(item) for item in found):
        raise ConfigurationError(
            f"{name}={value!r} must be a list of origins, with no slash at their end, "
            "such as ['https://app.example.com']"
        )
    return tuple(found)


def field_names(name: str, value: Any) -> tuple[str, ...]:
    """A list of names of form fields; sorted where it comes as a set."""
    if isinstance(value, str):
        raise ConfigurationError(f"{name}={value!r} must be a list: [{value!r}]")
    found = _items(value)
    if not all(isinstance(item, str) and item for item in found):
        raise ConfigurationError(
            f"{name}={value!r} must be a list of names of form fields, such as "
            "['pin', '*password*']"
        )
    return tuple(sorted(found) if isinstance(value, set | frozenset) else found)


def number(
    least: float, most: float, kind: type, unit: str = "seconds"
) -> Callable[[str, Any], Any]:
    """A reader of numbers from ``least`` to ``most``, both included."""

    def read(name: str, value: Any) -> Any:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not least <= value <= most or kind(value) != value:
            raise ConfigurationError(
                f"{name}={value!r} must be {'whole ' if kind is int else ''}{unit} "
                f"between {least} and {most}"
            )
        return kind(value)

    return read


def mount_point(name: str, value: Any) -> str:
    """A path to mount something at."""
    path = text(name, value)
    if not re.fullmatch(r"(/[A-Za-z0-9_~-]+)+", path):
        raise ConfigurationError(f"{name}={value!r} must look like '/stepup'")
    return path


def _items(value: Any) -> list[Any]:
    # What is no list holds nothing that could be right.
    return list(value) if isinstance(value, list | tuple | set | frozenset) else [None]

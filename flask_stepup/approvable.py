"""Values that a person can approve: which there are, and what tells them apart."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from collections.abc import Mapping
from datetime import date
from datetime import time
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from typing import NamedTuple
from uuid import UUID

from .errors import ConfigurationError
from .errors import ValueRefused
from .legible import visible

#: Characters: more than these nobody reads before approving them.
LONGEST_VALUE = 500
#: Containers within each other, for the same reason.
DEEPEST_VALUE = 16
#: Enough bits for an int of so many digits; Python writes out no endless ones.
_LONGEST_INT = LONGEST_VALUE * 4
#: The first that fits counts, since a bool is an int too. A datetime is a date, and
#: its text says that it is more.
_KINDS: dict[type, Callable[[Any], Any]] = {
    type(None): lambda _: None,
    str: str,
    bool: bool,
    int: int,
    float: float,
    **dict.fromkeys((Decimal, UUID, date, time, timedelta), str),
}


class Reading(NamedTuple):
    """A value as it was read.

    :param typed: JSON that no other value has, be it as alike as ``1`` and ``"1"``.
    :param plain: JSON for people and programs, which says no more than needed.
    """

    typed: Any
    plain: Any


def read_value(name: str, value: object) -> Reading:
    """Read a value that a person is to approve.

    :param name: for messages, which never tell the value.
    :raises ConfigurationError: it is of a type that has no text of its own.
    :raises ValueRefused: 422 where it is too long to be read by a person, or holds
        half of a surrogate pair; 400 where it is infinite or not a number.
    """
    reading = _Reader(name, LONGEST_VALUE).read(value)
    if _is_container(reading.plain) and len(_json(reading.plain)) > LONGEST_VALUE:
        raise _too_long(name)
    return reading


def read_argument(value: object) -> Any:
    """Return what tells an argument of a view from others, which nobody has to read.

    :returns: as :class:`Reading` has it; None where there is nothing of the kind.
    """
    try:
        return _Reader("", math.inf).read(value).typed
    except (ConfigurationError, ValueRefused):
        return None


def shown(plain: Any) -> str:
    """Return a value as a page shows it, from what :class:`Reading` has for that."""
    if plain is None:
        return "none"
    if isinstance(plain, bool):
        return "yes" if plain else "no"
    return visible(_json(plain) if _is_container(plain) else str(plain))


class _Reader:
    """Reads one value, and stops where it becomes too long: it may be endless."""

    def __init__(self, name: str, longest: float) -> None:
        self._name = name
        self._left = longest

    def read(self, value: object, depth: int = 0) -> Reading:
        if depth > DEEPEST_VALUE:
            raise _too_long(self._name)
        if isinstance(value, Mapping):
            return self._mapping(value, depth + 1)
        if isinstance(value, list | tuple):
            items = [self._item(item, depth + 1) for item in value]
            return Reading([i.typed for i in items], [i.plain for i in items])
        return self._single(value)

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> Reading:
        items = {self._key(key): self._item(value[key], depth) for key in value}
        return Reading(
            {key: item.typed for key, item in items.items()},
            {key: item.plain for key, item in items.items()},
        )

    def _key(self, key: object) -> str:
        if not isinstance(key, str):
            raise self._unreadable(key)
        return self._text(str(key))

    def _item(self, value: object, depth: int) -> Reading:
        self._shorten(1)
        return self.read(value, depth)

    def _single(self, value: object) -> Reading:
        if isinstance(value, Enum):
            kind = type(value)
            plain = self._text(value.name or str(value.value))
            return Reading([f"{kind.__module__}.{kind.__qualname__}", plain], plain)
        for kind, plainly in _KINDS.items():
            if isinstance(value, kind):
                self._check_number(value)
                plain = plainly(value)
                return Reading([kind.__name__, self._text(str(plain))], plain)
        raise self._unreadable(value)

    def _check_number(self, value: object) -> None:
        if isinstance(value, int) and value.bit_length() > _LONGEST_INT:
            raise _too_long(self._name)
        if isinstance(value, Decimal) and not value.is_finite():
            raise ValueRefused(self._name, "is not a finite number")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueRefused(self._name, "is not a finite number")

    def _text(self, text: str) -> str:
        self._shorten(len(text))
        # No error is caught here: the text would be in it.
        if text.encode(errors="ignore").decode() != text:
            raise ValueRefused(self._name, "is not valid text", 422)
        return text

    def _shorten(self, by: int) -> None:
        self._left -= by
        if self._left < 0:
            raise _too_long(self._name)

    def _unreadable(self, value: object) -> ConfigurationError:
        return ConfigurationError(
            f"what is bound as {self._name!r} holds a {type(value).__name__}, of which "
            "there is no text to approve: use text, a number, a bool, None, a Decimal, "
            "a UUID, a date or time, an Enum, or lists and mappings of these by text"
        )


def _too_long(name: str) -> ValueRefused:
    return ValueRefused(name, "is too long to be read and approved", 422)


def _is_container(plain: object) -> bool:
    return isinstance(plain, list | dict)


def _json(plain: object) -> str:
    # Sorted, since whoever passes values on as JSON may sort them too.
    return json.dumps(plain, ensure_ascii=False, sort_keys=True)

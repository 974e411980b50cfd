"""Shapes of JSON values: what is signed may still be of another version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

#: Whole numbers from here on are not told exactly by every JSON (RFC 8259, 6).
MOST = 2**53


@dataclass(frozen=True, slots=True)
class Maybe:
    """The shape of what may be missing."""

    shape: Any


def fits(value: Any, shape: Any) -> bool:
    """Whether a value has a shape.

    :param shape: a type, for just that (``int`` for times and counts, ``object`` for
        anything); a list with the shape of each item, a tuple with one shape for each,
        a mapping of names to shapes (others are not looked at), or :class:`Maybe`.
    """
    if isinstance(shape, Maybe):
        return value is None or fits(value, shape.shape)
    if isinstance(shape, list):
        return isinstance(value, list) and all(fits(item, shape[0]) for item in value)
    if isinstance(shape, tuple):
        is_list = isinstance(value, list) and len(value) == len(shape)
        return is_list and all(map(fits, value, shape))
    if isinstance(shape, dict):
        is_object = isinstance(value, dict)
        return is_object and all(fits(value.get(n), s) for n, s in shape.items())
    if shape is int:
        # True is an int to Python, and no number to anybody.
        return type(value) is int and 0 <= value < MOST
    return shape is object or type(value) is shape

"""Names of parametrized tests: the same in every process that runs some of them."""

from __future__ import annotations

import re

#: What differs from one process to the next: addresses, and random keys.
_CHANGING = re.compile(r" at 0x[0-9a-f]+|[\w-]{60,}")


def repr_of(value: object) -> str:
    """The value as it is written, in plain text and without what changes."""
    if isinstance(value, set | frozenset):
        value = sorted(value, key=repr)
    return _CHANGING.sub("", ascii(value))

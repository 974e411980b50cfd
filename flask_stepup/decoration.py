"""What a decorated function calls, as far as that can be seen from outside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from types import FunctionType


def called_by(function: object) -> Iterator[object]:
    """Return the function, and what it calls in turn: decorators first, the view last.

    ``functools.wraps`` tells what a function was made to look like, and not that it
    calls it. So that is believed only where the function has a hold of it as well.
    """
    seen: set[int] = set()
    while function is not None and id(function) not in seen:
        seen.add(id(function))
        yield function
        wrapped = getattr(function, "__wrapped__", None)
        is_held = any(held is wrapped for held in held_by(function))
        function = wrapped if is_held else None


def held_by(function: object) -> Iterator[object]:
    """Return what a function can call without looking it up anywhere else."""
    for cell in getattr(function, "__closure__", None) or ():
        # One that is empty yet is of a function that was not defined.
        with suppress(ValueError):
            yield cell.cell_contents
    if isinstance(function, FunctionType):
        # Its attributes are what functools.wraps has copied.
        yield from function.__defaults__ or ()
        yield from (function.__kwdefaults__ or {}).values()
    else:
        attributes = getattr(function, "__dict__", {})
        yield from (held for n, held in attributes.items() if n != "__wrapped__")

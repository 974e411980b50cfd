"""A line of the log: a sentence for people, a name and fields for programs."""

from __future__ import annotations

import logging
from inspect import get_annotations
from typing import ClassVar
from typing import dataclass_transform


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Record:
    """Something that happened, to be written into the log.

    A subclass declares one kind of it; its annotations are the fields, so that mypy
    knows of a field that is missing. Alerts rely on ``name`` and fields, which stay as
    they are; messages are for people. The docstring says when it is written and, after
    an empty line, what to do: ``docs/observability.md`` has its tables from here.
    """

    logger: ClassVar[str] = "flask_stepup"
    name: ClassVar[str]
    level: ClassVar[int]
    #: Filled in with the fields, by name.
    message: ClassVar[str]

    _fields: ClassVar[frozenset[str]]

    def __init_subclass__(cls) -> None:
        # Not by dataclass, which would compile code for each of them at every start.
        cls._fields = frozenset(get_annotations(cls))

    def __init__(self, **fields: object) -> None:
        if fields.keys() != self._fields:
            raise TypeError(f"{type(self).__name__} has {sorted(self._fields)}")
        vars(self).update(fields)

    def log(self) -> None:
        """Write it; the place that it names is the caller's."""
        logger = logging.getLogger(self.logger)
        if not logger.isEnabledFor(self.level):
            return
        fields = vars(self)
        shown = {n: _Shown(v) if isinstance(v, str) else v for n, v in fields.items()}
        logger.log(
            self.level,
            self.message,
            # Filled in by logging itself: what groups lines does so by the message
            # without values. It takes no empty mapping for one.
            *([shown] if shown else []),
            extra={
                "stepup_event": self.name,
                **{f"stepup_{name}": value for name, value in fields.items()},
            },
            stacklevel=2,
        )


class _Shown(str):
    """Text as a message shows it: on one line, so that nobody can forge another."""

    __slots__ = ()

    def __str__(self) -> str:
        return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in self)

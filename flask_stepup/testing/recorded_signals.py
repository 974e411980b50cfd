"""The signals that an app has sent, in order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import ExitStack
from functools import partial
from typing import Any
from typing import NamedTuple

from flask import Flask

from .. import signals
from ..errors import ConfigurationError
from ..policy_fields import listed

#: By the names that they have in ``flask_stepup.signals``.
_SIGNALS = {
    name: found
    for name, found in vars(signals).items()
    if name[0] != "_" and hasattr(found, "connected_to")
}


class SentSignal(NamedTuple):
    """One signal.

    :param name: as in ``flask_stepup.signals``.
    :param arguments: that it came with; see there.
    """

    name: str
    arguments: dict[str, Any]


class RecordedSignals(list[SentSignal]):
    """The signals that were sent since the recording began, the oldest first."""

    @property
    def names(self) -> list[str]:
        """Their names alone, which most tests ask for."""
        return [sent.name for sent in self]

    def of(self, name: str) -> list[dict[str, Any]]:
        """The arguments of all with this name.

        :raises ConfigurationError: no signal has it, so that none ever would be here.
        """
        if name not in _SIGNALS:
            raise ConfigurationError(
                f"{name!r} is none of our signals: use {listed(_SIGNALS)}"
            )
        return [sent.arguments for sent in self if sent.name == name]


@contextmanager
def record_signals(app: Flask) -> Iterator[RecordedSignals]:
    """Record what this app sends while the context lasts."""
    recorded = RecordedSignals()

    def record(name: str, _: Flask, **arguments: Any) -> None:
        recorded.append(SentSignal(name, arguments))

    with ExitStack() as stack:
        for name, signal in _SIGNALS.items():
            stack.enter_context(signal.connected_to(partial(record, name), app))
        yield recorded

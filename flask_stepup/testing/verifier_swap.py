"""Another verifier for an app that is set up already, and the old one back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from flask import Flask

from ..app_gate import gate_of
from ..verifiers import as_verifier

V = TypeVar("V")


@contextmanager
def use_verifier(app: Flask, verifier: V) -> Iterator[V]:
    """Have the app ask this verifier while the context lasts, and yield it.

    ::

        with use_verifier(app, FakeVerifier()) as verifier:
            ...

    :param verifier: what ``StepUp(verifier=)`` takes.
    :raises ConfigurationError: it is no verifier, or the app has no StepUp.
    """
    gate = gate_of(app)
    before, gate.verifier = gate.verifier, as_verifier(verifier)
    try:
        yield verifier
    finally:
        gate.verifier = before

"""The gate of an app, found where the extension has put it."""

from __future__ import annotations

from flask import Flask

from .current import real_app
from .errors import ConfigurationError
from .gate import Gate


def current_gate() -> Gate:
    """Return the gate of the current app.

    :raises ConfigurationError: the app has none.
    """
    return gate_of(real_app())


def gate_of(app: Flask) -> Gate:
    """Return the gate of an app.

    :raises ConfigurationError: it has none.
    """
    gate = app.extensions.get("stepup")
    if not isinstance(gate, Gate):
        raise ConfigurationError(
            "this app has no StepUp: call StepUp(app), or stepup.init_app(app)"
        )
    return gate

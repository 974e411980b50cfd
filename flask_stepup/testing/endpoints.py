"""Where our endpoints are, as a test client has to ask for them."""

from __future__ import annotations

from flask import Flask
from werkzeug.test import Client

from ..app_gate import gate_of


def path_of(client: Client, endpoint: str, usual: str) -> str:
    """Return the path of an endpoint, below the one that the app is mounted at.

    :param usual: for an app that is wrapped so that it cannot be asked.
    :raises ConfigurationError: the app has no StepUp.
    """
    app = client.application
    if not isinstance(app, Flask):
        return usual
    gate_of(app)
    return next(app.url_map.iter_rules(endpoint)).rule

"""Who sends signals: the app itself."""

from __future__ import annotations

from flask import current_app
from flask import Flask


def real_app() -> Flask:
    """The app itself: a signal sent with the proxy as sender reaches nobody."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    return app

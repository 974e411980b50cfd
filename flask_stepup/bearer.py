"""Markers of clients without cookies: given in an answer, sent back in a header."""

from __future__ import annotations

from flask import request

from .session_state import MOST_TOKENS

#: One marker, or several with commas between them, one for each scope.
MARKER_HEADER = "Stepup-Marker"


def sent_markers() -> list[str]:
    """The markers that came with this request."""
    sent = request.headers.get(MARKER_HEADER, "")
    return [token for token in map(str.strip, sent.split(",")) if token][:MOST_TOKENS]

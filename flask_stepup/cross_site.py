"""Posts that come from another site; and those that a proxy makes look so."""

from __future__ import annotations

from flask import request

from . import records
from .client import is_cross_site

#: Characters; no real origin is longer, and it is for whoever sends it to choose.
_LONGEST_ORIGIN = 300


def comes_across_sites() -> bool:
    """Whether another site made the browser send this request, which is logged.

    A browser that does not say so itself is judged by its ``Origin``, and a proxy that
    replaces the host has all of that look foreign: whoever runs the app shall know.
    """
    if not is_cross_site():
        return False
    origin = request.headers.get("Origin", "")[:_LONGEST_ORIGIN]
    if "Sec-Fetch-Site" not in request.headers:
        records.OriginNotOurs(origin=origin, host=request.host).log()
    return True

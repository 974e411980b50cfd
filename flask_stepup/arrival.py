"""What is done when a request arrives, before anything of the app's looks at it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from flask import Flask
from flask import request

from .app_gate import current_gate
from .field_order import keep_order_of_fields
from .policy_fields import SAFE_METHODS

#: What JSON and base64 make of a byte at most, compression aside.
_SWELLING = 8
#: Bytes of what else is in a challenge, addresses above all, and around it.
_BESIDE = 131_072


def prepare_arrivals(app: Flask, at_first: Callable[[Flask], None]) -> None:
    """Be first to see each request.

    :param at_first: called before all else of the first.
    """
    waiting = [app]

    def prepare() -> None:
        # Called first and struck off afterwards: another thread may be here too, and
        # nobody goes on before it was called. To be called twice does no harm.
        if waiting:
            at_first(app)
            waiting.clear()
        if request.method not in SAFE_METHODS:
            _prepare()

    # One function for both: of each, Flask asks at each request how it is to be called.
    app.before_request_funcs.setdefault(None, []).insert(0, prepare)


def _prepare() -> None:
    keep_order_of_fields()
    if request.endpoint == "stepup.verify":
        # The app's own limits are for its own forms; ours may have one of them within,
        # and are never larger than such.
        limit = current_gate().settings.resume_max_bytes * _SWELLING + _BESIDE
        # A request class of the app's own may not let anybody choose.
        with suppress(AttributeError):
            request.max_content_length = request.max_form_memory_size = limit

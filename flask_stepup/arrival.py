"""What is done when requests arrive, before anything of the app's looks at them.

An app with Flask's own class of requests pays for it when the first one comes, and for
posts: otherwise a route that is not guarded is as quick as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from flask import Flask
from flask import Request

from .app_gate import current_gate
from .current import real_request
from .field_order import keep_order_of_fields
from .field_order import OrderKeepingRequest

#: What JSON and base64 make of a byte at most, compression aside.
_SWELLING = 8
#: Bytes of what else is in a challenge, addresses above all, and around it.
_BESIDE = 131_072


def prepare_arrivals(app: Flask, at_first: Callable[[Flask], None]) -> None:
    """Have the order of fields kept in each request, and be first to see the first.

    :param at_first: called before all else of the first.
    """
    # An app's own class, and one that it chooses before its first request, may do
    # anything: it is left alone, and each request is looked at when it comes.
    if app.request_class is Request:
        with suppress(AttributeError):
            app.request_class = OrderKeepingRequest
    # These Flask calls before all that is to be called before a request.
    preprocessors = app.url_value_preprocessors
    waiting = [app]

    def prepare(*_: object) -> None:
        # Called first and struck off afterwards: another thread may be here too, and
        # nobody goes on before it was called. To be called twice does no harm.
        if waiting:
            at_first(app)
            waiting.clear()
        keep_order_of_fields()
        if _all_keep_order(app):
            # By another list, since Flask is on its way through this one.
            others = [other for other in preprocessors[None] if other is not prepare]
            preprocessors[None] = others

    preprocessors.setdefault(None, []).insert(0, prepare)


def _all_keep_order(app: Flask) -> bool:
    # Flask makes them all of this very class, and so does nobody else.
    makes = getattr(app.request_context, "__func__", None)
    return app.request_class is OrderKeepingRequest and makes is Flask.request_context


def make_room(endpoint: str | None, _: dict[str, Any] | None) -> None:
    """Let the prompt's own post be as large as it has to be."""
    if endpoint == "stepup.verify":
        # The app's own limits are for its own forms; ours may have one of them within,
        # and are never larger than such.
        limit = current_gate().settings.resume_max_bytes * _SWELLING + _BESIDE
        # A request class of the app's own may not let anybody choose.
        with suppress(AttributeError):
            request = real_request()
            request.max_content_length = request.max_form_memory_size = limit

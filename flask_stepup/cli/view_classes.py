"""Views that are classes: which one a view function runs, and by which method."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView
from flask.views import View

from ..decoration import called_by
from ..decoration import held_by


def view_class_of(view: object) -> type[View] | None:
    """The class that a view runs; one that is merely named by it runs nothing."""
    named = getattr(view, "view_class", None)
    if not isinstance(named, type) or not issubclass(named, View):
        return None
    for held in (held for part in called_by(view) for held in held_by(part)):
        if isinstance(held, named) or getattr(held, "view_class", None) is named:
            return named
    return None


def handler_of(view_class: type[View], method: str) -> object:
    """The method of a class that answers an HTTP method; None where none is sure to."""
    if not _dispatches_by_method(view_class):
        return None
    handler = getattr(view_class, method.lower(), None)
    if handler is None and method == "HEAD":
        return getattr(view_class, "get", None)
    return handler


def _dispatches_by_method(view_class: type[View]) -> bool:
    """Whether its methods are called by their names, as Flask does that."""
    if not issubclass(view_class, MethodView):
        return False
    parts = list(called_by(view_class.dispatch_request))
    if MethodView.dispatch_request in parts:
        return True
    # Or it is overridden, and calls ``super()``.
    code: Any = getattr(parts[-1], "__code__", None)
    return bool(
        code and "__class__" in code.co_freevars and "dispatch_request" in code.co_names
    )

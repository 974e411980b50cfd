"""The fields of a form in the order in which they came, which Werkzeug forgets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress
from functools import cached_property
from io import BytesIO
from typing import Any

from flask import Request
from flask import request
from werkzeug.datastructures import FileStorage
from werkzeug.datastructures import iter_multi_items
from werkzeug.exceptions import ClientDisconnected
from werkzeug.exceptions import HTTPException

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"

Fields = list[tuple[str, str]]
Files = list[tuple[str, FileStorage]]


def fields_in_order(enctype: str) -> tuple[Fields | None, Files]:
    """Return the fields and files; no fields where there is a body but nothing in it.

    It is malformed then, or somebody used it up before it was parsed.
    """
    if not is_parsed():
        keep_order_of_fields()
        _parse_and_keep_body()
    fields, files = _made_of(request.form), _made_of(request.files)
    # A multipart body that holds nothing has a boundary all the same.
    is_read = fields is not None and enctype == MULTIPART
    # Where nobody could remember them, fields are grouped by name: what is made of them
    # in that order is equal to what the view would have seen.
    fields = _named(request.form if fields is None else fields)
    files = _named(request.files if files is None else files)
    is_read = is_read or bool(fields or files) or not request.content_length
    return fields if is_read else None, files


def _parse_and_keep_body() -> None:
    """Parse the form, after which the view may read the body in its own way."""
    with reading_the_body():
        body = request.get_data(cache=True)
    try:
        _ = request.form
    finally:
        request.__dict__["stream"] = BytesIO(body)


@contextmanager
def reading_the_body() -> Iterator[None]:
    """Have what a server raises, where a body ends too early, be an answer.

    Each has errors of its own for a client that is gone and for a chunk that is none.
    Werkzeug knows some of them, and not where the server tells it when a body ends.
    """
    try:
        yield
    except HTTPException:
        raise
    except Exception as error:
        raise ClientDisconnected from error


def _made_of(parameters: Any) -> Any:
    kind: Any = request.parameter_storage_class
    return kind.made_of(parameters) if isinstance(kind, _InOrder) else None


def _named(parameters: Any) -> list[tuple[str, Any]]:
    # A part of a multipart body need not have a name.
    return [(name or "", value) for name, value in iter_multi_items(parameters)]


def is_parsed() -> bool:
    """Whether somebody has read the form already."""
    return "form" in request.__dict__


def keep_order_of_fields() -> None:
    """Have the current request remember its fields in the order in which they come.

    Werkzeug groups them by name, and who reads the form first, as protection against
    CSRF does, uses the body up. So this has to be called before everything else, for a
    request that is none of :class:`OrderKeepingRequest`.
    """
    if request.method != "POST":
        return
    kind: Any = request.parameter_storage_class
    if not isinstance(kind, _InOrder):
        stand_in: Any = _InOrder(kind)
        # A request class of the app's own may not let anybody choose.
        with suppress(AttributeError):
            request.parameter_storage_class = stand_in


class OrderKeepingRequest(Request):
    """Flask's request, that does so by itself, when its form is read."""

    @cached_property
    def parameter_storage_class(self) -> Any:  # type: ignore[override]
        kind = super().parameter_storage_class
        return _InOrder(kind) if self.method == "POST" else kind


class _InOrder:
    """Stands in for a request's class of parameters, and remembers what it was given.

    What it makes is of exactly that class: nobody who gets a form can tell.
    """

    def __init__(self, kind: Any) -> None:
        self._kind = kind
        self._made: list[tuple[Any, list[tuple[str, str]]]] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        made = self._kind(*args, **kwargs)
        # Werkzeug passes nothing where a body cannot be parsed.
        if args and isinstance(args[0], list):
            self._made.append((made, args[0]))
        return made

    def made_of(self, parameters: Any) -> list[tuple[str, str]] | None:
        """Return what these parameters were made of, if they were made here."""
        return next((pairs for made, pairs in self._made if made is parameters), None)

"""Where a name that is bound is looked up: in all that a view may read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest

from .errors import ValueRefused
from .field_order import MULTIPART
from .field_order import reading_the_body
from .field_order import URLENCODED


def look_up(names: tuple[str, ...]) -> dict[str, Any]:
    """Return the values of these names in the current request, in their order.

    :raises ValueRefused: 400 where one is not there just once.
    :raises ClientDisconnected: 400 where the body ends too early.
    """
    if _query() is None:
        raise ValueRefused(names[0], "is unclear: the address is not in UTF-8")
    with reading_the_body():
        _ = request.get_data(cache=True) if request.is_json else request.form
    body = _json_object(names[0])
    return {name: _only_value(name, body) for name in names}


def in_query(name: str) -> str | None:
    """Return the value of this name in the query, empty where there is none.

    :returns: None where the query cannot be read.
    """
    query = _query()
    return None if query is None else query.get(name, "")


def _query() -> MultiDict[str, str] | None:
    """The query; None for one that Werkzeug cannot read, and raises at."""
    try:
        return request.args
    except UnicodeDecodeError:
        # Browsers encode what is in an address. Here bytes came as they are.
        return None


def _only_value(name: str, body: Mapping[str, Any]) -> Any:
    """The value of that name, if the request has just one."""
    if name in request.files:
        raise ValueRefused(name, "is missing, since a file is not a value")
    arguments = request.view_args or {}
    found = [
        *([arguments[name]] if name in arguments else []),
        *request.args.getlist(name),
        *request.form.getlist(name),
        *([body[name]] if name in body else []),
    ]
    if not found:
        raise ValueRefused(name, "is missing")
    if len(found) > 1:
        raise ValueRefused(name, "was sent more than once")
    if name in request.args and _has_odd_body():
        # A view that reads it as JSON all the same would do what nobody was shown.
        raise ValueRefused(name, "is unclear, as the body is neither a form nor JSON")
    return found[0]


def _has_odd_body() -> bool:
    has_body = request.content_length or "Transfer-Encoding" in request.headers
    if request.mimetype in (URLENCODED, MULTIPART):
        # JSON that calls itself a form is read as one field, with a name like no other.
        return next(iter(request.form), "").startswith(("{", "["))
    return bool(has_body) and not request.is_json


def _json_object(name: str) -> Mapping[str, Any]:
    """The names and values of a JSON body, as the view will see them.

    :param name: that is looked for, to tell what is unclear.
    """
    # Parsed twice, as only a parse of our own shows a repeated key: of its values one
    # parser takes the first, another the last (RFC 8259, 4).
    if not request.is_json or not (body := request.get_data(cache=True)):
        return {}
    try:
        json.loads(body, object_pairs_hook=_once_each, parse_constant=_no_constant)
        found = request.get_json()
    except (ValueError, RecursionError, BadRequest):
        found = None
    if not isinstance(found, Mapping):
        raise ValueRefused(
            name, "is unclear: the body must be a JSON object, with each key once"
        )
    return found


def _once_each(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a key is repeated")


def _no_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")

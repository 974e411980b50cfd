"""A request of a test client's, with a look from within."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from typing import Generic
from typing import TypeVar

from flask import after_this_request
from flask import request
from flask import request_started
from flask import Response
from werkzeug.test import Client
from werkzeug.test import TestResponse

#: Tells our request from those that other threads serve at the same time. No client
#: can send such a key: headers come as ``HTTP_…``.
_KEY = "flask_stepup.testing.visit"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Visit(Generic[T]):
    """What came of the request.

    :param seen: what the look from within returned; None where the app never saw the
        request, since something in front of it had answered.
    """

    answer: TestResponse
    seen: T | None


def visit(
    client: Client, path: str, look: Callable[[Response], T], **sent: Any
) -> Visit[T]:
    """Send a request, and call ``look`` in its context when its answer is there.

    It is a request like all others of this client, with its cookies, headers and host,
    and it goes through all that the app does with each: so the subject loader finds
    what it is made for, ``g`` included, and the session is saved as always.

    :param look: gets the answer, before the session is saved into it.
    :param sent: what the client's ``open`` takes.
    :raises Exception: what ``look`` raises.
    """
    __tracebackhide__ = True
    ours, seen, errors = object(), list[T](), list[Exception]()

    def look_within(response: Response) -> Response:
        __tracebackhide__ = True
        try:
            seen.append(look(response))
        except Exception as error:
            # Raised here it would be answered by the app, as an error of its own.
            errors.append(error)
        return response

    def arrive(_: Any, **__: Any) -> None:
        if request.environ.get(_KEY) is ours:
            after_this_request(look_within)

    overrides = {**(sent.pop("environ_overrides", None) or {}), _KEY: ours}
    with request_started.connected_to(arrive):
        answer = client.open(
            path, environ_overrides=overrides, follow_redirects=False, **sent
        )
    if errors:
        raise errors[0]
    return Visit(answer, seen[0] if seen else None)

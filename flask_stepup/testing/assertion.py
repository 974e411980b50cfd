"""``assert_requires_reverification``: this request is met by our challenge."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from flask import Flask
from werkzeug.datastructures import Headers
from werkzeug.test import Client
from werkzeug.test import TestResponse

from ..errors import ConfigurationError
from ..policy import Level
from ..signals import reverification_required
from .expected_policy import checked_expectation
from .expected_policy import differences
from .explanation import explained
from .insight import insight
from .visit import visit

#: Of a challenge: 401 is for a bearer token (RFC 9470).
_STATUSES = (401, 403)


def assert_requires_reverification(
    client: Client,
    path: str,
    *,
    method: str = "GET",
    level: Level | None = None,
    max_age: int | timedelta | None = None,
    scope: str | None = None,
    once: bool | None = None,
    bind: Mapping[str, Any] | Sequence[str] | None = None,
    **sent: Any,
) -> dict[str, Any]:
    """Send a request, and assert that it is answered by our challenge.

    So the view has not run, or no further than to its ``stepup.require``. The client
    has to be signed in, and not reverified. It asks as a program does, by
    ``Accept: application/json``.

    :param level: that is expected of the policy, as are the four after it; ``bind``
        takes names and values, or the names alone. What is not given is not looked at.
    :param sent: what goes with the request: ``data``, ``json``, ``headers``, and
        whatever else the client's ``open`` takes.
    :returns: the answer's JSON: ``cause``, ``policy``, and the ``challenge``, to which
        :func:`enter_code` sends a code.
    :raises AssertionError: it was answered in another way; the message tells why, as
        far as can be seen, and what to do.
    """
    __tracebackhide__ = True
    expected = checked_expectation(
        {
            "level": level,
            "max_age": max_age,
            "scope": scope,
            "once": once,
            "bind": bind,
        }
    )
    problem = _challenge(client, path, method, sent)
    wrong = differences(expected, problem.get("policy", {}))
    if wrong:
        raise AssertionError(
            f"{method} {path} has another policy than expected: {'; '.join(wrong)}"
        )
    return problem


def _challenge(
    client: Client, path: str, method: str, sent: dict[str, Any]
) -> dict[str, Any]:
    __tracebackhide__ = True
    if method.upper() == "HEAD":
        raise ConfigurationError(
            "an answer to HEAD has no body to look at: ask with GET, which is guarded "
            "in the same way"
        )
    refused: list[object] = []

    def note(_: Flask, **__: Any) -> None:
        refused.append(None)

    headers = Headers(sent.get("headers"))
    headers["Accept"] = "application/json"
    sent = {**sent, "headers": headers, "method": method}
    with reverification_required.connected_to(note):
        visited = visit(client, path, insight, **sent)
    # One that our gate has not made may be a copy, or another app's: the view has run.
    problem = _challenge_in(visited.answer) if refused else None
    if problem is None:
        why = explained(visited.answer, visited.seen, was_refused=bool(refused))
        raise AssertionError(f"{method} {path} is not met by a challenge: {why}")
    return problem


def _challenge_in(answer: TestResponse) -> dict[str, Any] | None:
    told = answer.get_json(silent=True) if answer.is_json else None
    is_ours = isinstance(told, dict) and told.get("code") == "reverification_required"
    return told if is_ours and answer.status_code in _STATUSES else None

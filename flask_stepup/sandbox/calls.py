"""The calls of the API that a sandbox knows, and which of them a request asks for."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass

from werkzeug import Request

from .answers import ErrorAnswer


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the API.

    :param method: the one that it takes.
    :param path: each ``{name}`` stands for one segment.
    :param answer: takes the request, and the segments by their names; returns the body
        of a 200, or raises an :class:`ErrorAnswer`.
    :param outcome: what the log says of a 200.
    """

    method: str
    path: str
    answer: Callable[..., object]
    outcome: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def segments(self, path: str) -> dict[str, str] | None:
        """Return what the names stand for in this path; None if it is another one."""
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path)
        match = re.fullmatch(pattern, path)
        return match.groupdict() if match else None


def call_asked(request: Request, calls: Sequence[Call]) -> tuple[Call, dict[str, str]]:
    """Return the call that a request asks for, with the segments of its path.

    :raises ErrorAnswer: there is none, or it takes another method.
    """
    for call in calls:
        segments = call.segments(request.path)
        if segments is None:
            continue
        if request.method != call.method:
            raise ErrorAnswer(
                405,
                "method_not_allowed",
                "method not allowed",
                f"This call is a {call.method}",
                allow=call.method,
            )
        return call, segments
    raise ErrorAnswer(
        404,
        "resource_not_found",
        "not found",
        f"The sandbox answers {' and '.join(map(str, calls))} alone: does "
        "STEPUP_CLERK_API_URL end in /v1?",
    )

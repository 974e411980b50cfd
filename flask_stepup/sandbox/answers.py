"""What the sandbox answers to a call that fails: one error of Clerk's catalogue."""

from __future__ import annotations

import secrets
from typing import Any


class ErrorAnswer(Exception):
    """The request is answered by this error.

    :param status: HTTP status.
    :param code: Clerk's machine-readable name of the error
        (https://github.com/clerk/clerk-docs, data/api_errors.json).
    :param message: what is wrong, in a few words.
    :param long_message: a sentence, for whoever reads the answer.
    :param allow: the method that a 405 asks for (RFC 9110, 15.5.6).
    :param meta: more facts, such as ``param_name``.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        long_message: str,
        allow: str | None = None,
        **meta: str,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message
        self.long_message = long_message
        self.headers = {"Allow": allow} if allow else {}
        self.meta = meta

    @property
    def body(self) -> dict[str, Any]:
        """The schema ``ClerkErrors``: one error, and a trace id of its own."""
        error: dict[str, Any] = {
            "message": self.message,
            "long_message": self.long_message,
            "code": self.code,
        }
        if self.meta:
            error["meta"] = self.meta
        return {"errors": [error], "clerk_trace_id": secrets.token_hex(16)}


def bad_parameter(code: str, name: str, message: str, long_message: str) -> ErrorAnswer:
    """A field of the body is wrong: 422, and ``meta`` names it."""
    return ErrorAnswer(422, code, message, long_message, param_name=name)

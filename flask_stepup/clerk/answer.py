"""What an answer of the backend API means: status first, error code second."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any

from ..errors import IncorrectCode
from ..errors import NotEnrolled
from ..errors import VerifierError
from ..errors import VerifierMisconfigured
from ..errors import VerifierUnavailable
from ..verification import Verification

#: Seconds; a backend that asks for more has made a mistake.
LONGEST_RETRY_AFTER = 3_600

# Statuses that say all by themselves. The document of the API gives no body for
# 400, 404 and 422, so that none is expected.
_BY_STATUS: dict[int, tuple[type[VerifierError], str]] = {
    401: (VerifierMisconfigured, "the backend API refuses the secret key"),
    403: (VerifierMisconfigured, "the backend API forbids this call"),
    404: (NotEnrolled, "the backend API does not know this user"),
    409: (VerifierUnavailable, "the backend API is busy with this user"),
    422: (IncorrectCode, "the code is wrong"),
    429: (VerifierUnavailable, "the backend API asks to slow down"),
}
_UNEXPECTED = (VerifierUnavailable, "the backend API gave an unexpected answer")
_WORD = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, with its body as far as it was read."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @cached_property
    def data(self) -> dict[str, Any]:
        """The JSON object in the body; empty for anything else."""
        try:
            data = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return data if isinstance(data, dict) else {}

    @cached_property
    def code(self) -> object:
        """The machine-readable code of the first error."""
        errors = self.data.get("errors")
        first = errors[0] if isinstance(errors, list) and errors else None
        return first.get("code") if isinstance(first, dict) else None

    @property
    def retry_after(self) -> int | None:
        """Seconds to wait: ``Retry-After`` as a number or a date (RFC 9110, 10.2.3)."""
        text = self.headers.get("Retry-After", "").strip()
        if text.isascii() and text.isdigit():
            return min(int(text[:9]), LONGEST_RETRY_AFTER)
        try:
            date = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        if date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
        seconds = (date - datetime.now(UTC)).total_seconds()
        return min(max(0, round(seconds)), LONGEST_RETRY_AFTER)


def verdict(answer: Answer, secrets: tuple[str, ...]) -> Verification:
    """Return the verification that the answer is, or raise what it means.

    :param secrets: what was sent; an answer that echoes it brings it into no error.
    """
    if answer.status == 200 and answer.data.get("verified") is True:
        code_type = _word(answer.data.get("code_type"), secrets)
        return Verification(code_type or "unknown")
    raise _error(*_meaning(answer), answer, secrets)


def key_set(answer: Answer, secrets: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the keys of the JWK set that the answer is (RFC 7517, 5), or raise.

    An instance has a key at any time: a set without one is a mistake of the backend,
    and not the end of all sessions.
    """
    keys = answer.data.get("keys") if answer.status == 200 else None
    if isinstance(keys, list) and keys and all(isinstance(key, dict) for key in keys):
        return keys
    raise _error(*_meaning_of_no_keys(answer.status), answer, secrets)


def _meaning_of_no_keys(status: int) -> tuple[type[VerifierError], str]:
    if status == 200:
        return VerifierUnavailable, "the backend API answered 200 without a key set"
    if status in (400, 404):
        return VerifierMisconfigured, (
            "the backend API does not know this address: look at STEPUP_CLERK_API_URL"
        )
    # The table's 409 and 422 speak of a user and of a code.
    return _BY_STATUS[status] if status in (401, 403, 429) else _UNEXPECTED


def _error(
    kind: type[VerifierError], message: str, answer: Answer, secrets: tuple[str, ...]
) -> VerifierError:
    return kind(
        message,
        status=answer.status,
        code=_word(answer.code, secrets),
        trace_id=_word(answer.data.get("clerk_trace_id"), secrets)
        or _word(answer.headers.get("CF-Ray"), secrets),
        retry_after=answer.retry_after,
    )


def _meaning(answer: Answer) -> tuple[type[VerifierError], str]:
    if answer.status == 200:
        if answer.data.get("verified") is False:
            return IncorrectCode, "the backend API says that the code is not verified"
        return VerifierUnavailable, "the backend API answered 200 without a verdict"
    if answer.status == 400:
        if answer.code == "totp_disabled":
            return NotEnrolled, "the user has no authenticator"
        return VerifierMisconfigured, "the backend API does not accept the request"
    if answer.status == 404 and answer.code != "resource_not_found":
        return NotEnrolled, (
            "the backend API does not know this user, or this address: look at "
            "STEPUP_CLERK_API_URL"
        )
    return _BY_STATUS.get(answer.status, _UNEXPECTED)


def _word(value: object, secrets: tuple[str, ...]) -> str | None:
    """What may go into an error and so into a log: one plain word, and no secret."""
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        return None
    return None if any(s in value or value in s for s in secrets) else value

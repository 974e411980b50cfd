"""Clerk: its backend API, and the session tokens that it signs."""

from __future__ import annotations

from logging import DEBUG
from logging import ERROR
from logging import INFO
from logging import WARNING

from .record import Record


class BreakerOpened(Record):
    """The backend API failed again and again; for seconds at a time nobody asks it.

    See whether Clerk is down, or unreachable from here. One call at a time finds out,
    and `breaker_closed` says when it is back. Each worker has a breaker of its own.
    """

    name = "breaker_opened"
    level = ERROR
    message = (
        "the backend API failed %(failures)d times in a row, and is asked by one call "
        "at a time, at most every %(seconds).0f s, until it answers"
    )

    failures: int
    seconds: float


class BreakerClosed(Record):
    """The backend API answers again.

    Nothing.
    """

    name = "breaker_closed"
    level = INFO
    message = "the backend API answers again, after %(failures)d failures in a row"

    failures: int


class SessionKeysUnavailable(Record):
    """The keys that Clerk publishes could not be fetched.

    Those that are known serve for an hour, then nobody is signed in. Mend key, URL or
    network, or set `STEPUP_CLERK_JWT_KEY`, which needs none.
    """

    name = "session_keys_unavailable"
    level = ERROR
    message = "the keys of session tokens cannot be had: %(reason)s"

    reason: str


class TooManySessionTokens(Record):
    """One request had more session tokens than any browser has; it is nobody's.

    Find out who sets cookies for your domain: another app on it can.
    """

    name = "too_many_session_tokens"
    level = WARNING
    message = "%(count)d session tokens came in one request"

    count: int


class SessionTokensDisagree(Record):
    """One request had session tokens of different people; it is nobody's.

    As above. Somebody may try to have people act in a session of theirs.
    """

    name = "session_tokens_disagree"
    level = WARNING
    message = "session tokens of different people came in one request"


class SessionTokenRefused(Record):
    """A session token proves nothing: expired, forged, or made for somebody else.

    Nothing in operation; in development, `reason` says why nobody is signed in.
    """

    name = "session_token_refused"
    level = DEBUG
    message = "a session token is not good: %(reason)s"

    reason: str

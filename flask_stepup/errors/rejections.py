"""Codes that opened nothing, whatever a verifier would say of them."""

from __future__ import annotations

from .root import StepUpError


class Rejection(StepUpError):
    """A submitted code opened nothing, before or after the verifier was asked."""


class CodeMissing(Rejection):
    """Nothing was sent that could be a code; nobody was asked."""


class SessionFull(Rejection):
    """The session cookie has no room for a marker; nobody was asked."""


class CodeAlreadyUsed(Rejection):
    """The code was right, but it has opened once before (RFC 6238, 5.2)."""


class TooManyAttempts(Rejection):
    """The limit of attempts is reached.

    :param retry_after: whole seconds until the next attempt is possible.
    :param until: the same in seconds since the epoch.
    """

    def __init__(self, retry_after: int, until: float) -> None:
        super().__init__(f"locked for {retry_after} s")
        self.retry_after = retry_after
        self.until = until

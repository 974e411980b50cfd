"""HTTP answers instead of the view."""

from __future__ import annotations

from werkzeug.exceptions import HTTPException

from .root import StepUpError


class Refusal(StepUpError, HTTPException):
    """The request is answered by an HTTP error instead of the view."""


class Unauthenticated(Refusal):
    """Nobody is signed in."""

    code: int = 401
    description: str = "Sign in to go on."


class ImpersonationRefused(Refusal):
    """The session acts in another person's name, who alone could prove a factor."""

    code: int = 403
    description: str = "This cannot be done while acting in another person's name."


class LedgerUnavailable(Refusal):
    """The ledger cannot answer, so nothing can be opened safely.

    :param reason: for the log, without secrets.
    :param is_busy: whether it is there, and just has no time to answer.
    """

    code: int = 503
    description: str = "This cannot be checked at the moment. Try again shortly."

    def __init__(self, reason: str = "", *, is_busy: bool = False) -> None:
        super().__init__()
        self.reason = reason
        self.is_busy = is_busy

    def __str__(self) -> str:
        return f"the ledger cannot answer: {self.reason or 'no reason given'}"


class ValueRefused(Refusal):
    """A value that a person was to approve is missing, ambiguous or too long.

    :param name: of the value.
    :param fault: what is wrong with it, for people and logs; never the value itself.
    :param code: 400, or 422 where it is a single value that cannot be shown whole.
    """

    code: int = 400

    def __init__(self, name: str, fault: str, code: int = 400) -> None:
        super().__init__(f"“{name}” {fault}.")
        self.name_of_value = name
        self.fault = fault
        self.code = code

"""What a verifier may raise."""

from __future__ import annotations

from .root import StepUpError


class VerifierError(StepUpError):
    """A verifier did not confirm the code.

    :param message: for the log; never shown to the person, never with a secret.
    :param status: the HTTP status of the backend API, where it answered.
    :param code: its machine-readable error code, where it gave one.
    :param trace_id: its trace id, to quote to its support.
    :param retry_after: seconds that the backend asks to wait.
    """

    def __init__(
        self,
        message: str = "",
        *,
        status: int | None = None,
        code: str | None = None,
        trace_id: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.trace_id = trace_id
        self.retry_after = retry_after

    def __str__(self) -> str:
        facts = {
            "status": self.status,
            "code": self.code,
            "trace": self.trace_id,
            "retry after": self.retry_after,
        }
        known = ", ".join(f"{k} {v}" for k, v in facts.items() if v is not None)
        message = super().__str__() or type(self).__name__
        return f"{message} ({known})" if known else message


class IncorrectCode(VerifierError):
    """The code is wrong."""

    #: Attempts that are left; set where they are counted, which no verifier does.
    attempts_remaining: int | None = None


class NotEnrolled(VerifierError):
    """The user has no authenticator, or is unknown to the verifier."""


class VerifierUnavailable(VerifierError):
    """The verifier gave no verdict; asking again later may help."""


class OutcomeUnknown(VerifierError):
    """The code was sent and no answer came: a backup code may be spent."""


class VerifierMisconfigured(VerifierError):
    """The verifier gives no verdict until a developer mends key, URL or code."""


class VerifierFault(VerifierMisconfigured):
    """The verifier answered with something that it may neither return nor raise.

    What it does may depend on the code, so that this is no outage: an attempt is used
    up, or whoever forgets to raise IncorrectCode would let codes be guessed for ever.
    """

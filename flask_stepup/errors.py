"""Everything that can go wrong, as one tree.

::

    StepUpError
    ├── ConfigurationError         the developer's mistake; the message names the mend
    ├── InvalidToken               not signed by this app for this person and session
    │   └── OperationSpent         its one approval has been given and used
    ├── TokenExpired               the right one, but too long ago
    ├── Refusal                    an HTTP answer instead of the view
    │   ├── Unauthenticated        401, nobody is signed in
    │   ├── ImpersonationRefused   403, somebody acts in another person's name
    │   ├── LedgerUnavailable      503, the ledger cannot answer
    │   ├── ValueRefused           400 or 422, what was to be approved is unclear
    │   └── ReverificationRequired 403, the policy is not met (in ``required``: it
    │                              carries the policy)
    ├── Rejection                  a submitted code that opened nothing
    │   ├── CodeMissing            nothing that could be a code was sent
    │   ├── SessionFull            the session has no room for a marker
    │   ├── CodeAlreadyUsed        right, but it has opened once before
    │   └── TooManyAttempts        locked until a time
    └── VerifierError              what a verifier may raise
        ├── IncorrectCode          the code is wrong
        ├── NotEnrolled            the user has no authenticator
        ├── VerifierUnavailable    no verdict, and no harm done
        ├── OutcomeUnknown         no verdict, and the code may be spent
        └── VerifierMisconfigured  no verdict until a developer acts
            └── VerifierFault      it broke its contract: anything may have happened

Wrong, unavailable and misconfigured are kept apart on purpose: an outage must
never be told to a person as a wrong code. No message or repr carries a code, a
key or a marker.
"""

from __future__ import annotations

from werkzeug.exceptions import HTTPException


class StepUpError(Exception):
    """The root of all errors of this package."""


class ConfigurationError(StepUpError, ValueError):
    """A setting, argument or callback is wrong; the message says how to mend it."""


class InvalidToken(StepUpError):
    """A token is not what it has to be: not ours, of another person, or of no one."""


class OperationSpent(InvalidToken):
    """What this challenge could approve has been approved, and was carried out."""


class TokenExpired(StepUpError):
    """A challenge was signed by us for this person, but too long ago."""


class Refusal(StepUpError, HTTPException):
    """The request is answered by an HTTP error instead of the view."""


class Unauthenticated(Refusal):
    """Nobody is signed in."""

    code = 401
    description = "Sign in to go on."


class ImpersonationRefused(Refusal):
    """The session acts in another person's name, who alone could prove a factor."""

    code = 403
    description = "This cannot be done while acting in another person's name."


class LedgerUnavailable(Refusal):
    """The ledger cannot answer, so nothing can be opened safely.

    :param reason: for the log, without secrets.
    """

    code = 503
    description = "This cannot be checked at the moment. Try again shortly."

    def __init__(self, reason: str = "") -> None:
        super().__init__()
        self.reason = reason

    def __str__(self) -> str:
        return f"the ledger cannot answer: {self.reason or 'no reason given'}"


class ValueRefused(Refusal):
    """A value that a person was to approve is missing, ambiguous or too long.

    :param name: of the value.
    :param fault: what is wrong with it, for people and logs; never the value itself.
    :param code: 400, or 422 where it is a single value that cannot be shown whole.
    """

    code = 400

    def __init__(self, name: str, fault: str, code: int = 400) -> None:
        super().__init__(f"“{name}” {fault}.")
        self.name_of_value = name
        self.fault = fault
        self.code = code


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
    """

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"locked for {retry_after} s")
        self.retry_after = retry_after


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

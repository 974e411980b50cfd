"""How a code is tried: reserve, ask, settle, grant; and what is given back."""

from __future__ import annotations

from dataclasses import dataclass

from . import records
from .binding import Binding
from .code_use import use_code
from .current import real_app
from .errors import CodeAlreadyUsed
from .errors import IncorrectCode
from .errors import InvalidToken
from .errors import LedgerUnavailable
from .errors import OutcomeUnknown
from .errors import SessionFull
from .errors import StepUpError
from .errors import VerifierError
from .errors import VerifierFault
from .failed_attempt import record_of
from .failed_attempt import VERDICTS
from .gate import Gate
from .keeping import name_of_approval
from .ledger import Standing
from .ledger import Ticket
from .marker import Operation
from .policy import Policy
from .reservation import reserve
from .session_state import check_room
from .signals import attempts_exhausted
from .signals import code_reused
from .signals import reverification_failed
from .signals import reverification_succeeded
from .signals import verifier_failed
from .subject import Subject
from .verification import read_code
from .verification import Verification
from .verifiers import ask


@dataclass(frozen=True, slots=True)
class Success:
    """A right code opened the gate.

    :param marker: for a client that has to keep it itself.
    """

    code_type: str
    marker: str | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One code, submitted by one person for one policy.

    :param standing: what had been revoked before the code was looked at.
    :param operation: that the code is to approve, where the policy needs that.
    """

    gate: Gate
    subject: Subject
    policy: Policy
    standing: Standing
    operation: Operation | None = None

    def run(self, typed: str, submission: str = "") -> Success:
        """Try the code as it was typed; on return the marker is in the session.

        :param submission: names it, where the client does: the same code with the same
            name is the same attempt, which a browser or a bad network has repeated.
        :raises Rejection: not a code, used before, no room, or too many attempts.
        :raises VerifierError: what the verifier said instead of yes.
        :raises InvalidToken: the elevation was ended meanwhile.
        :raises LedgerUnavailable: nobody was asked.
        """
        code, binding = read_code(typed), self.gate.elevation.binding(self.subject)
        self._check_room(binding)
        try:
            ticket = reserve(self.gate, self.subject, submission, code)
            verification = self._ask(ticket, code)
            self._settle(ticket, code, binding)
        except StepUpError as error:
            self._tell_of_failure(error)
            raise
        token, code_type = self._grant(), verification.code_type
        records.ReverificationSucceeded(
            user_id=self.subject.user_id, scope=self.policy.scope, code_type=code_type
        ).log()
        reverification_succeeded.send(
            real_app(),
            user_id=self.subject.user_id,
            policy=self.policy,
            code_type=code_type,
        )
        return Success(code_type, token)

    def _check_room(self, binding: Binding) -> None:
        # Before the code is sent: a right one would be spent for nothing.
        if not binding.can_be_kept:
            records.BearerWithoutSession(user_id=binding.user_id).log()
            raise SessionFull("no session to bind a marker to")
        if binding.nonce is not None:
            operation = self.operation
            check_room(name_of_approval(operation) if operation else self.policy.scope)

    def _grant(self) -> str | None:
        elevation, standing = self.gate.elevation, self.standing
        if self.operation:
            return elevation.approve(self.subject, self.operation, standing)
        scope = self.policy.scope
        return elevation.grant(self.subject, "second_factor", scope, standing)

    def _ask(self, ticket: Ticket, code: str) -> Verification:
        user_id = self.subject.user_id
        try:
            return ask(self.gate.verifier, user_id, code)
        except VerifierError as error:
            if isinstance(error, IncorrectCode):
                error.attempts_remaining = ticket.remaining
            is_verdict = isinstance(error, VERDICTS)
            if is_verdict or isinstance(error, VerifierFault):
                self._tell_if_exhausted(ticket)
                self._void_if_exhausted(ticket)
            else:
                # An outage must not lock people out.
                self._refund(ticket)
            if not is_verdict:
                verifier_failed.send(real_app(), user_id=user_id, error=error)
            raise

    def _settle(self, ticket: Ticket, code: str, binding: Binding) -> None:
        user_id = self.subject.user_id
        try:
            settlement = use_code(self.gate, self.subject, binding, code, ticket)
        except LedgerUnavailable as error:
            # The verifier has said yes, and so has spent the code if it was a
            # backup code: to say "try again" would not be the truth.
            raise OutcomeUnknown(str(error)) from error
        if not settlement.first_use:
            # Of two clicks the first has cleared the attempts of both.
            if settlement.is_counted:
                self._tell_if_exhausted(ticket)
            code_reused.send(real_app(), user_id=user_id)
            raise CodeAlreadyUsed("this code has opened once before")
        if settlement.standing != self.standing:
            raise InvalidToken("the elevation was ended while the code was checked")

    def _refund(self, ticket: Ticket) -> None:
        try:
            self.gate.ledger.refund(ticket)
        except LedgerUnavailable as error:
            user_id, reason = self.subject.user_id, error.reason
            records.AttemptNotRefunded(user_id=user_id, reason=reason).log()

    def _tell_if_exhausted(self, ticket: Ticket) -> None:
        if ticket.remaining == 0:
            user_id, until = self.subject.user_id, ticket.locked_until
            records.AttemptsExhausted(user_id=user_id, until=until).log()
            attempts_exhausted.send(real_app(), user_id=user_id, until=until)

    def _void_if_exhausted(self, ticket: Ticket) -> None:
        if self.operation and ticket.remaining == 0:
            binding = self.gate.elevation.binding(self.subject)
            self.gate.approvals.void(binding, self.operation, self.standing)

    def _tell_of_failure(self, error: StepUpError) -> None:
        user_id = self.subject.user_id
        record_of(error, user_id, self.policy.scope).log()
        reverification_failed.send(
            real_app(), user_id=user_id, policy=self.policy, error=error
        )

"""How a code is tried: reserve, ask, settle, grant; and what is given back."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from .errors import CodeAlreadyUsed
from .errors import IncorrectCode
from .errors import InvalidToken
from .errors import LedgerUnavailable
from .errors import NotEnrolled
from .errors import OutcomeUnknown
from .errors import SessionFull
from .errors import StepUpError
from .errors import TooManyAttempts
from .errors import VerifierError
from .gate import Gate
from .gate import real_app
from .ledger import Exhausted
from .ledger import Settlement
from .ledger import Ticket
from .policy import Policy
from .session_state import cookie_size_with_marker
from .session_state import read_nonce
from .signals import attempts_exhausted
from .signals import code_reused
from .signals import reverification_failed
from .signals import reverification_succeeded
from .signals import verifier_failed
from .subject import Subject
from .verification import read_code
from .verification import Verification
from .verifiers import ask

log = logging.getLogger("flask_stepup")

#: Bytes; browsers count name, value and attributes, and end at 4,096.
LONGEST_COOKIE = 4_000


@dataclass(frozen=True, slots=True)
class Attempt:
    """One code, submitted by one person for one policy."""

    gate: Gate
    subject: Subject
    policy: Policy

    def run(self, typed: str) -> Verification:
        """Try the code as it was typed; on return the marker is in the session.

        :raises Rejection: not a code, used before, no room, or too many attempts.
        :raises VerifierError: what the verifier said instead of yes.
        :raises InvalidToken: the session was ended meanwhile.
        :raises LedgerUnavailable: nobody was asked.
        """
        code = read_code(typed)
        _check_room()
        ticket = self._reserve()
        try:
            verification = self._ask(ticket, code)
            settlement = self._settle(code)
        except StepUpError as error:
            self._tell_of_failure(ticket, error)
            raise
        if settlement.standing.session_revoked:
            raise InvalidToken("the session was ended while the code was checked")
        self.gate.elevation.grant(
            self.subject, "second_factor", self.policy.scope, settlement.standing
        )
        reverification_succeeded.send(
            real_app(),
            user_id=self.subject.user_id,
            policy=self.policy,
            code_type=verification.code_type,
        )
        return verification

    def _reserve(self) -> Ticket:
        # Before the verifier is asked: whoever tests first and counts later lets
        # parallel guesses through.
        limits = self.gate.settings.attempt_limit
        reserved = self.gate.ledger.reserve(self.subject.user_id, limits)
        if isinstance(reserved, Exhausted):
            raise TooManyAttempts(reserved.retry_after)
        return reserved

    def _ask(self, ticket: Ticket, code: str) -> Verification:
        try:
            return ask(self.gate.verifier, self.subject.user_id, code)
        except (IncorrectCode, NotEnrolled) as error:
            # A verdict: the attempt is spent.
            if isinstance(error, IncorrectCode):
                error.attempts_remaining = ticket.remaining
            raise
        except VerifierError:
            # No verdict: an outage must not lock people out.
            self._refund(ticket)
            raise

    def _settle(self, code: str) -> Settlement:
        user_id = self.subject.user_id
        digest = self.gate.signer.digest("used code", user_id, code)
        try:
            settlement = self.gate.ledger.settle(user_id, read_nonce(), digest)
        except LedgerUnavailable as error:
            # The verifier has said yes, and so has spent the code if it was a
            # backup code: to say "try again" would not be the truth.
            raise OutcomeUnknown(str(error)) from error
        if not settlement.first_use:
            raise CodeAlreadyUsed("this code has opened once before")
        return settlement

    def _refund(self, ticket: Ticket) -> None:
        try:
            self.gate.ledger.refund(ticket)
        except LedgerUnavailable as error:
            log.error("an attempt could not be given back: %s", error)

    def _tell_of_failure(self, ticket: Ticket, error: StepUpError) -> None:
        app, user_id = real_app(), self.subject.user_id
        verdict = isinstance(error, IncorrectCode | NotEnrolled | CodeAlreadyUsed)
        log.log(
            logging.INFO if verdict else logging.ERROR,
            "no marker for user %r: %s: %s",
            user_id,
            type(error).__name__,
            error,
        )
        reverification_failed.send(
            app, user_id=user_id, policy=self.policy, error=error
        )
        if isinstance(error, CodeAlreadyUsed):
            code_reused.send(app, user_id=user_id)
        elif not verdict:
            verifier_failed.send(app, user_id=user_id, error=error)
        if verdict and ticket.remaining == 0:
            attempts_exhausted.send(app, user_id=user_id, until=ticket.locked_until)


def _check_room() -> None:
    # Before the code is sent: a right one would be spent for nothing.
    size = cookie_size_with_marker()
    if size > LONGEST_COOKIE:
        log.error(
            "the session cookie has no room for a marker: it would have %d bytes, and "
            "browsers drop more than 4,096; keep less in the session, or use one that "
            "is kept on the server",
            size,
        )
        raise SessionFull("no room for a marker")

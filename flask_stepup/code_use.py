"""A right code opens once, whoever has checked it: it is written down for its user."""

from __future__ import annotations

from .binding import Binding
from .current import real_app
from .errors import CodeAlreadyUsed
from .errors import ConfigurationError
from .errors import SessionFull
from .gate import Gate
from .ledger import Settlement
from .ledger import Ticket
from .policy import Level
from .session_state import check_room
from .signals import code_reused
from .subject import Subject
from .verification import folded


def use_code(
    gate: Gate,
    subject: Subject,
    binding: Binding,
    code: str,
    ticket: Ticket | None = None,
) -> Settlement:
    """Write a right code down, by every key of a rotation; one round trip.

    :param ticket: of the attempt, where one was taken.
    :raises LedgerUnavailable: it is not known whether it was used before.
    """
    user_id, nonce = subject.user_id, binding.nonce or ""
    digests = gate.signer.digests("used code", user_id, folded(code))
    return gate.ledger.settle(user_id, nonce, digests, binding.session_id, ticket)


def grant_for_code(gate: Gate, level: Level, scope: str, code: str) -> str | None:
    """Stamp a factor for a code that the app itself has checked, if it is new.

    A right code gives the user's attempts back, as at the prompt.

    :returns: as :meth:`Gate.grant` does.
    :raises ConfigurationError: it is no code.
    :raises CodeAlreadyUsed: it has opened once before (RFC 6238, 5.2).
    :raises Refusal: nobody is signed in, or the ledger cannot answer.
    :raises SessionFull: the session's cookie has no room for a marker, or a bearer
        token names no session.
    """
    if not isinstance(code, str) or not code:
        raise ConfigurationError(
            f"code= is what the person has typed, as text, not {type(code).__name__}"
        )
    subject = gate.subject()
    binding = gate.elevation.bind(subject)
    # Before the code is used up for nothing.
    if not binding.can_be_kept:
        raise SessionFull("no session to bind a marker to")
    if binding.nonce is not None:
        check_room(scope)
    if not use_code(gate, subject, binding, code).first_use:
        code_reused.send(real_app(), user_id=subject.user_id)
        raise CodeAlreadyUsed("this code has opened once before")
    return gate.grant(level, scope)

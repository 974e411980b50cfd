"""The marker: signed proof of when which factor was proved, a few dozen bytes."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import InvalidToken
from .ledger import LEDGER_ID_LENGTH
from .proofs import Proofs
from .signing import Signer


@dataclass(frozen=True, slots=True)
class Binding:
    """What every marker and challenge is bound to, computed anew for each request.

    :param nonce: of the session in this browser; None for a client that keeps none.
    :param session_id: the identity provider's session, where there is one.
    """

    user_id: str
    nonce: str | None
    session_id: str | None = None

    @property
    def can_be_kept(self) -> bool:
        """Whether it names a session, without which nothing may be granted."""
        return self.nonce is not None or self.session_id is not None

    def parts(self, *more: str) -> tuple[str | None, ...]:
        """The binding as text, with whatever else a token is bound to."""
        return (self.user_id, self.nonce, self.session_id, *more)


@dataclass(frozen=True, slots=True)
class Marker:
    """When the factors were proved, and under which ledger and generation.

    :param ledger_id: of the ledger that it was made with, six characters.
    :param generation: of the user in that ledger.
    :param proved_at: seconds since the epoch for the first and second factor; None
        where that factor was not proved.
    """

    ledger_id: str
    generation: str
    proved_at: tuple[int | None, int | None]

    @property
    def proofs(self) -> Proofs:
        """What it proves; a factor that is not in it was not proved."""
        return Proofs(*self.proved_at)

    @property
    def latest(self) -> int:
        """When a factor was last proved, in seconds since the epoch."""
        return max(at or 0 for at in self.proved_at)

    def seal(self, signer: Signer, binding: Binding, scope: str) -> str:
        """Return the token for the session, good for this binding and scope alone."""
        value = [self.ledger_id + self.generation, *(at or 0 for at in self.proved_at)]
        return signer.dumps("marker", binding.parts(scope), value)


def open_marker(signer: Signer, token: str, binding: Binding, scope: str) -> Marker:
    """Return the marker in a token.

    :raises InvalidToken: made for somebody else, another session or scope, or with a
        key that is not ours any more.
    """
    value = signer.loads("marker", binding.parts(scope), token)
    try:
        origin, first, second = value
        return Marker(
            origin[:LEDGER_ID_LENGTH],
            origin[LEDGER_ID_LENGTH:],
            (int(first) or None, int(second) or None),
        )
    except (TypeError, ValueError) as error:
        raise InvalidToken("a marker of another version") from error

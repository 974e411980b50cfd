"""Markers: signed proof of when a factor was proved, a few dozen bytes each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from .binding import Binding
from .errors import InvalidToken
from .ledger import LEDGER_ID_LENGTH
from .ledger import Standing
from .proofs import Proofs
from .shapes import fits
from .shapes import Maybe
from .signing import Signer


@dataclass(frozen=True, slots=True)
class Marker:
    """A standing marker: it serves every run in its scope until it is too old.

    :param ledger_id: of the ledger that it was made with, six characters.
    :param generation: of the user in that ledger.
    :param proved_at: seconds since the epoch for the first and second factor; None
        where that factor was not proved.
    """

    ledger_id: str
    generation: str
    proved_at: tuple[int | None, int | None]

    @property
    def origin(self) -> str:
        """The ledger and generation that it is of; see :attr:`Standing.origin`."""
        return self.ledger_id + self.generation

    @property
    def proofs(self) -> Proofs:
        """What it proves; a factor that is not in it was not proved."""
        return Proofs(*self.proved_at)

    @property
    def latest(self) -> int:
        """When a factor was last proved, in seconds since the epoch."""
        first, second = self.proved_at
        return max(first or 0, second or 0)

    def counts_under(self, standing: Standing) -> bool:
        """Whether it is of this ledger, and nothing that it proves was revoked."""
        return self.origin == standing.origin and not standing.session_revoked

    def is_spent(self, standing: Standing) -> bool:
        """Whether it has served already: a standing marker never has."""
        return False

    def seal(self, signer: Signer, binding: Binding, scope: str) -> str:
        """Return the token for the session, good for this binding and scope alone."""
        value = [self.origin, *(at or 0 for at in self.proved_at)]
        return signer.dumps("marker", binding.parts(scope), value)


class Operation(NamedTuple):
    """One run of one view, to be approved by one code.

    :param id: by which the ledger knows that it is spent.
    :param action: digest of scope, view, arguments and values.
    :param tie: digest of the form, which has to be the same; empty where no form could
        be kept, nor can be; None where the request is not tied to any.
    """

    id: str
    action: str
    tie: str | None = None


@dataclass(frozen=True, slots=True)
class Approval(Marker):
    """A marker that serves one run of one view.

    :param operation: that it approves.
    """

    operation: Operation

    def is_spent(self, standing: Standing) -> bool:
        """Whether its one run was taken, as far as the standing tells."""
        return self.operation.id in standing.spent

    def seal(self, signer: Signer, binding: Binding, scope: str = "") -> str:
        """Return the token, good for this binding; the action has the scope in it."""
        value = [self.origin, self.latest, *self.operation]
        return signer.dumps("approval", binding.parts(), value)


def open_marker(signer: Signer, token: str, binding: Binding, scope: str) -> Marker:
    """Return the standing marker in a token.

    :raises InvalidToken: made for somebody else, another session or scope, or with a
        key that is not ours any more.
    """
    value = signer.loads("marker", binding.parts(scope), token)
    if not fits(value, _MARKER):
        raise InvalidToken("a marker of another version")
    origin, first, second = value
    return Marker(*_origin(origin), (first or None, second or None))


def open_approval(signer: Signer, token: str, binding: Binding) -> Approval:
    """Return the approval in a token.

    :raises InvalidToken: made for somebody else or another session, or with a key that
        is not ours any more.
    """
    value = signer.loads("approval", binding.parts(), token)
    if not fits(value, _APPROVAL):
        raise InvalidToken("an approval of another version")
    origin, at, *operation = value
    return Approval(*_origin(origin), (None, at), Operation(*operation))


#: Origin, and when each factor was proved, 0 for never.
_MARKER = (str, int, int)
#: Origin, when it was approved, and the operation.
_APPROVAL = (str, int, str, str, Maybe(str))


def _origin(text: str) -> tuple[str, str]:
    return text[:LEDGER_ID_LENGTH], text[LEDGER_ID_LENGTH:]

"""The values that go in and out of a ledger, and for how long it remembers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from dataclasses import field

#: Seconds that a used code is remembered. A TOTP code lives 30 s, and servers accept
#: a step or two around it: RFC 6238, 5.2 wants each to open once.
USED_CODE_KEPT = 180
#: Seconds that the name of an attempt is remembered, at the least: in which somebody
#: comes out of a tunnel, and has the browser send the same again.
NAME_KEPT = 3_600
#: Seconds that a revocation is remembered: longer than any marker (24 h) lives and
#: any challenge (24 h from its first issue) can be renewed.
REVOCATION_KEPT = 2 * 86_400
#: Seconds that a spent approval is remembered: longer than it could serve. Its
#: challenge can be renewed for 24 h from its first issue and then be open for 24 h, and
#: the approval lives 24 h, with a clock leeway of at most 300 s. The rest is spare.
SPENT_KEPT = 4 * 86_400

#: Characters of a ledger's id: enough to tell two ledgers of one app apart.
LEDGER_ID_LENGTH = 6


@dataclass(frozen=True, slots=True)
class Standing:
    """What has been revoked, for one user and one session, and what is spent.

    :param ledger_id: names the ledger that tells this; see :class:`Ledger`.
    :param generation: changes with each revocation of the user, and of the user's
        session at the identity provider; a marker of another generation is refused. A
        random value, no time and no count: clocks that disagree leave no hole, and no
        revocation brings back what an earlier one ended.
    :param revoked_at: when the last of these was, in seconds since the epoch, by the
        clock of the ledger: claims, which have no generation, count from then on.
    :param session_revoked: whether elevation was ended in this browser's session.
    :param spent: which of the approvals that were asked about are spent. No part of
        the comparison, by which callers learn whether anything was revoked meanwhile.
    :param told_at: when the ledger told this, by its own clock; no part of it either.
    :param holds: by which a ledger knows whether this is still so: how many steps had
        written, and until when; None where others write, too. No part of it either.
    """

    ledger_id: str = ""
    generation: str = ""
    revoked_at: float = -math.inf
    session_revoked: bool = False
    spent: frozenset[str] = field(default=frozenset(), compare=False)
    told_at: float = field(default=0.0, compare=False)
    holds: tuple[int, float] | None = field(default=None, compare=False)

    @property
    def origin(self) -> str:
        """What a token has to be of to count: this ledger, and this generation."""
        return self.ledger_id + self.generation

    def ahead_of(self, now: float, leeway: float) -> float:
        """Return by how many seconds, and not just the leeway, a host's clock lags.

        A host whose clock is slow, or was set back, would let markers serve for longer
        than they may: they are as old as the later of the two clocks says.

        :param now: what the host's clock says.
        """
        return max(0.0, self.told_at - leeway - now)

    @property
    def revoked_for(self) -> float:
        """Seconds since the last revocation: no clock but the ledger's is in it."""
        return self.told_at - self.revoked_at


@dataclass(frozen=True, slots=True)
class Ticket:
    """An attempt that is reserved, to be refunded by this very ticket.

    :param user_id: whose attempt it is.
    :param id: given once: another attempt has another one, whatever its name.
    :param remaining: attempts that are left after this one.
    :param locked_until: where none is left, when the next one will be possible, in
        seconds since the epoch, by the clock of the ledger.
    """

    user_id: str
    id: str
    remaining: int
    locked_until: float


@dataclass(frozen=True, slots=True)
class Repeated:
    """The very same attempt is reserved already, and is not counted twice."""


@dataclass(frozen=True, slots=True)
class Exhausted:
    """No attempt is left.

    :param retry_after: whole seconds until one is.
    :param until: the same in seconds since the epoch, by the clock of the ledger.
    """

    retry_after: int
    until: float


@dataclass(frozen=True, slots=True)
class Settlement:
    """A right code was written down.

    :param first_use: False when the same code had opened before.
    :param is_counted: whether the attempt still counts: nobody has cleared it since.
    """

    first_use: bool
    standing: Standing
    is_counted: bool = False


@dataclass(frozen=True, slots=True)
class Spending:
    """The one run was taken that an approval serves, or none was there to take.

    :param standing: as it was before; ``spent`` names those of the given approvals
        that had been spent already.
    :param approval: the id of the one that is spent now.
    """

    standing: Standing
    approval: str | None

"""What the ledger is asked about whom tokens are bound to."""

from __future__ import annotations

import time
from collections.abc import Collection
from collections.abc import Mapping
from dataclasses import dataclass

from . import records
from .binding import Binding
from .ledger import Ledger
from .ledger import Spending
from .ledger import Standing


@dataclass(slots=True)
class Inquiry:
    """Asks the ledger about a person in a session.

    :param leeway: seconds by which its clock and this host's may disagree.
    """

    ledger: Ledger
    leeway: float
    _told_of_clocks: bool = False

    def standing(self, binding: Binding, approvals: Collection[str] = ()) -> Standing:
        """Return what has been revoked, and which approvals are spent.

        :raises LedgerUnavailable: it cannot be known.
        """
        nonce, session_id = binding.nonce or "", binding.session_id
        asked_at = time.time()
        told = self.ledger.standing(binding.user_id, nonce, session_id, approvals)
        self._compare_clocks(told, asked_at)
        return told

    def spend(self, binding: Binding, approvals: Mapping[str, str]) -> Spending:
        """Spend the first approval that can be; see :meth:`Ledger.spend`.

        :raises LedgerUnavailable: none is spent.
        """
        nonce, session_id = binding.nonce or "", binding.session_id
        return self.ledger.spend(binding.user_id, nonce, approvals, session_id)

    def _compare_clocks(self, told: Standing, asked_at: float) -> None:
        # Told in between: what that took, or this host's clock did, is no matter.
        now = time.time()
        ahead = told.told_at - max(asked_at, now)
        behind = min(asked_at, now) - told.told_at
        if max(ahead, behind) > self.leeway and not self._told_of_clocks:
            # Once per app and process, as with another ledger's tokens.
            self._told_of_clocks = True
            seconds, direction = max((ahead, "ahead of"), (behind, "behind"))
            records.LedgerClockApart(seconds=seconds, direction=direction).log()

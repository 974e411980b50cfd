"""What the ledger is asked about whom tokens are bound to."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping
from dataclasses import dataclass

from .binding import Binding
from .ledger import Ledger
from .ledger import Spending
from .ledger import Standing


@dataclass(slots=True)
class Inquiry:
    """Asks the ledger about a person in a session."""

    ledger: Ledger

    def standing(self, binding: Binding, approvals: Collection[str] = ()) -> Standing:
        """Return what has been revoked, and which approvals are spent.

        :raises LedgerUnavailable: it cannot be known.
        """
        nonce, session_id = binding.nonce or "", binding.session_id
        return self.ledger.standing(binding.user_id, nonce, session_id, approvals)

    def spend(self, binding: Binding, approvals: Mapping[str, str]) -> Spending:
        """Spend the first approval that can be; see :meth:`Ledger.spend`.

        :raises LedgerUnavailable: none is spent.
        """
        nonce, session_id = binding.nonce or "", binding.session_id
        return self.ledger.spend(binding.user_id, nonce, approvals, session_id)

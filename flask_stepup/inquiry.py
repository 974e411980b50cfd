"""What the ledger is asked of a person, for as long as the clock can be trusted."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from collections.abc import Mapping

from .binding import Binding
from .ledger import Ledger
from .ledger import Spending
from .ledger import Standing

log = logging.getLogger("flask_stepup")

#: Seconds by which clocks are moved, beside the leeway, without anybody setting them:
#: and markers are stamped in whole ones.
SLACK = 2.0


class Inquiry:
    """Asks the ledger, and notices when the clock of this host was set back.

    A marker is as old as the clock says: with one that was set back it would serve for
    longer than it may, or once more. So all that was made before is void then, by the
    ledger's taking another id.

    :param leeway: seconds that clocks may disagree, and so be set back by, too.
    """

    def __init__(self, ledger: Ledger, leeway: float) -> None:
        self._ledger = ledger
        self._least_step = leeway + SLACK
        self._latest = time.time()

    def standing(self, binding: Binding, approvals: Collection[str] = ()) -> Standing:
        """Return what has been revoked, and which approvals are spent.

        :raises LedgerUnavailable: it cannot be known.
        """
        self._watch()
        nonce, session_id = binding.nonce or "", binding.session_id
        return self._ledger.standing(binding.user_id, nonce, session_id, approvals)

    def spend(self, binding: Binding, approvals: Mapping[str, str]) -> Spending:
        """Spend the first approval that can be; see :meth:`Ledger.spend`.

        :raises LedgerUnavailable: none is spent.
        """
        self._watch()
        nonce, session_id = binding.nonce or "", binding.session_id
        return self._ledger.spend(binding.user_id, nonce, approvals, session_id)

    def _watch(self) -> None:
        now = time.time()
        back = self._latest - now
        if back > self._least_step:
            self._ledger.rename(self._ledger.id)
            log.error(
                "the clock of this host was set back by %d s: all markers and prompts "
                "are void, since nobody can tell how old they are",
                back,
            )
        if back < 0 or back > self._least_step:
            # Threads may be here together: what one of them misses, the next sees.
            self._latest = now

"""What opens once: used codes and spent approvals, claimed for as long as they live."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from collections.abc import Sequence

from ..keys import approval_key
from ..keys import code_key
from ..values import SPENT_KEPT
from ..values import Standing
from ..values import USED_CODE_KEPT


def claim_code(connection: sqlite3.Connection, digests: Sequence[str]) -> bool:
    """Claim a right code, by each of its digests; whether nobody had by any."""
    claimed = [_claim(connection, code_key(d), USED_CODE_KEPT) for d in digests]
    return all(claimed)


def spend_first(
    connection: sqlite3.Connection, approvals: Mapping[str, str], standing: Standing
) -> str | None:
    """Claim the first approval that may still be; in a transaction that writes."""
    if standing.session_revoked:
        return None
    for approval, origin in approvals.items():
        current = origin == standing.origin
        # The claim itself is asked, and not what the standing tells: that was read at
        # another moment of the clock.
        if current and _claim(connection, approval_key(approval), SPENT_KEPT):
            return approval
    return None


def _claim(connection: sqlite3.Connection, key: str, seconds: float) -> bool:
    # A claim that nobody has swept away yet, but is over, is taken anew.
    now = time.time()
    claimed = connection.execute(
        "INSERT INTO claims (key, expires) VALUES (?, ?) ON CONFLICT (key)"
        " DO UPDATE SET expires = excluded.expires WHERE expires <= ?",
        (key, now + seconds, now),
    )
    return claimed.rowcount == 1

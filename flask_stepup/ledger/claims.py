"""What opens once: used codes and spent approvals, claimed for as long as they live."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping

from .protocol import SPENT_KEPT
from .protocol import Standing
from .protocol import USED_CODE_KEPT


def claim_code(connection: sqlite3.Connection, digest: str) -> bool:
    """Claim a right code; whether nobody had."""
    return _claim(connection, f"code:{digest}", USED_CODE_KEPT)


def spend_first(
    connection: sqlite3.Connection, approvals: Mapping[str, str], standing: Standing
) -> str | None:
    """Claim the first approval that may still be; in a transaction that writes."""
    if standing.session_revoked:
        return None
    for approval, generation in approvals.items():
        current = generation == standing.generation
        # The claim itself is asked, and not what the standing tells: that was read at
        # another moment of the clock.
        if current and _claim(connection, approval_key(approval), SPENT_KEPT):
            return approval
    return None


def approval_key(approval: str) -> str:
    """Return the key of an approval's claim."""
    return f"approval:{approval}"


def _claim(connection: sqlite3.Connection, key: str, seconds: float) -> bool:
    # A claim that nobody has swept away yet, but is over, is taken anew.
    now = time.time()
    claimed = connection.execute(
        "INSERT INTO claims (key, expires) VALUES (?, ?) ON CONFLICT (key)"
        " DO UPDATE SET expires = excluded.expires WHERE expires <= ?",
        (key, now + seconds, now),
    )
    return claimed.rowcount == 1

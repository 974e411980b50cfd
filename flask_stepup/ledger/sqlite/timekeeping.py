"""The newest time that a ledger has seen, by which it notices a clock that is set back.

Markers are as old as the clock says, and so is all that the ledger remembers: with a
clock that was set back markers would serve for longer than they may, or once more, and
what was swept away too early would be forgotten. So everything that was made before is
void then, by the ledger's taking another id.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from dataclasses import dataclass

from ... import records
from .schema import read_identity

#: Seconds by which clocks move, beside the leeway, without anybody's setting them.
SLACK = 2.0
#: Seconds that may go by before a look-up writes down how late it is.
PERIOD = 10.0


@dataclass(frozen=True, slots=True)
class Timekeeping:
    """What a clock may do.

    :param leeway: seconds that clocks may disagree, and so be set back by, too.
    """

    leeway: float

    def is_up_to_date(self, newest: float, now: float) -> bool:
        """Whether nothing has to be done about either."""
        return now - newest <= PERIOD and not self.is_set_back(newest, now)

    def is_set_back(self, newest: float, now: float) -> bool:
        """Whether a clock that says now has said something much later before."""
        return newest - now > self.leeway + SLACK

    def keep(self, connection: sqlite3.Connection) -> str:
        """Write down how late it is; in a transaction that writes.

        :returns: the id of the ledger, which may be another one now.
        """
        now = time.time()
        ledger_id, newest = read_identity(connection)
        if self.is_set_back(newest, now):
            records.ClockSetBack(seconds=newest - now).log()
            ledger_id = secrets.token_urlsafe(4)
            # What has not been yet would count until its time has come.
            for table in ("attempts", "revocations"):
                connection.execute(
                    f"UPDATE {table} SET at = ?1 WHERE at > ?1",  # noqa: S608
                    (now,),
                )
        elif now <= newest:
            return ledger_id
        kept = ledger_id, now
        connection.execute("UPDATE identity SET id = ?, newest = ?", kept)
        return ledger_id

"""The ledger in a SQLite file: all workers of one machine, and across restarts."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path

from ... import records
from ...errors import ConfigurationError
from ...errors import LedgerUnavailable
from ..keys import session_key
from ..keys import user_key
from ..limits import Limit
from ..owed import Owed
from ..values import Exhausted
from ..values import Repeated
from ..values import Settlement
from ..values import Spending
from ..values import Standing
from ..values import Ticket
from .attempts import clear
from .attempts import is_counted
from .attempts import refund
from .attempts import reserve
from .claims import claim_code
from .claims import spend_first
from .database import Database
from .standings import Asked
from .standings import read_standing
from .standings import revoke


class SQLiteLedger:
    """See :class:`~flask_stepup.ledger.Ledger`.

    :param path: the file, made with owner-only permissions; None keeps the ledger in
        the memory of this process.
    :param timeout: seconds to wait for a lock.
    :param leeway: seconds that clocks may disagree.
    :raises ConfigurationError: the file cannot be made, read or written.
    """

    def __init__(self, path: Path | None, timeout: float, *, leeway: float) -> None:
        self._owed = Owed()
        try:
            self._database = Database(path, timeout, leeway)
            with self._database.step():
                pass
        except LedgerUnavailable as error:
            if error.is_busy:
                # Whoever holds the lock can write, and so will this process.
                place, reason = str(path), error.reason
                records.LedgerBusy(ledger=place, reason=reason).log()
                return
            raise ConfigurationError(
                f"the ledger {path or 'in memory'} cannot be opened for writing "
                f"({error.reason}): mend its permissions, move the file away if it is "
                "no SQLite database, or point STEPUP_STORAGE_URI elsewhere"
            ) from error

    @property
    def id(self) -> str:
        return self._database.id

    def standing(
        self,
        user_id: str,
        nonce: str,
        session_id: str | None = None,
        approvals: Collection[str] = (),
    ) -> Standing:
        return self._database.look_up(Asked(user_id, nonce, session_id, approvals))

    def still_tells(self, standing: Standing, now: float) -> bool:
        return self._database.still_tells(standing, now)

    def reserve(
        self, user_id: str, limits: Sequence[Limit], name: str = ""
    ) -> Ticket | Repeated | Exhausted:
        owed = self._owed.take(user_id)
        try:
            with self._database.step() as connection:
                refund(connection, user_id, owed)
                return reserve(connection, user_id, limits, name)
        except BaseException:
            self._owed.add(user_id, owed)
            raise

    def refund(self, ticket: Ticket) -> None:
        try:
            with self._database.step() as connection:
                refund(connection, ticket.user_id, [ticket.id])
        except BaseException:
            self._owed.add(ticket.user_id, [ticket.id])
            raise

    def settle(
        self,
        user_id: str,
        nonce: str,
        code_digests: Sequence[str],
        session_id: str | None = None,
        ticket: Ticket | None = None,
    ) -> Settlement:
        with self._database.step() as connection:
            first_use = claim_code(connection, code_digests)
            if first_use:
                clear(connection, user_id)
            asked = Asked(user_id, nonce, session_id)
            standing, _ = read_standing(connection.cursor(), asked)
            return Settlement(first_use, standing, is_counted(connection, ticket))

    def spend(
        self,
        user_id: str,
        nonce: str,
        approvals: Mapping[str, str],
        session_id: str | None = None,
    ) -> Spending:
        if not approvals:
            return Spending(self.standing(user_id, nonce, session_id), None)
        asked = Asked(user_id, nonce, session_id, approvals)
        with self._database.step() as connection:
            standing, _ = read_standing(connection.cursor(), asked)
            return Spending(standing, spend_first(connection, approvals, standing))

    def clear(self, user_id: str) -> None:
        with self._database.step() as connection:
            clear(connection, user_id)

    def revoke_session(self, nonce: str) -> None:
        with self._database.step() as connection:
            revoke(connection, session_key(nonce))

    def revoke_user(self, user_id: str, session_id: str | None = None) -> None:
        with self._database.step() as connection:
            revoke(connection, user_key(user_id, session_id))

    def close(self) -> None:
        self._database.close()

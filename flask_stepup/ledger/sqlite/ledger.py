"""The ledger in a SQLite file: all workers of one machine, and across restarts.

SQLite makes each step atomic: a step that writes takes the file's one write lock
first (``BEGIN IMMEDIATE``), so that what it reads is still true when it writes.
Readers of a write-ahead log wait for nobody, and so guarded routes go on while a
writer is stuck. Every commit reaches the disk (``synchronous`` stays ``FULL``): a
revocation outlives a power cut.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path

from ...errors import ConfigurationError
from ...errors import LedgerUnavailable
from ..keys import session_key
from ..keys import user_key
from ..limits import Limit
from ..values import Exhausted
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
from .locking import is_busy
from .locking import patiently
from .locking import transaction
from .pool import FilePool
from .pool import MemoryPool
from .pool import Pool
from .schema import drop_expired
from .schema import found
from .schema import read_id
from .schema import rename
from .standings import read_standing
from .standings import revoke

log = logging.getLogger("flask_stepup")


class SQLiteLedger:
    """See :class:`~flask_stepup.ledger.Ledger`.

    :param path: the file, made with owner-only permissions; None keeps the ledger in
        the memory of this process.
    :param timeout: seconds to wait for a lock.
    :raises ConfigurationError: the file cannot be made, read or written.
    """

    def __init__(self, path: Path | None, timeout: float) -> None:
        self._timeout = timeout
        self.id = ""
        try:
            self._pool: Pool = (
                FilePool(path, timeout, self._prepare)
                if path
                else MemoryPool(timeout, self._prepare)
            )
            with self._step():
                pass
        except LedgerUnavailable as error:
            if error.is_busy:
                # Whoever holds the lock can write, and so will this process.
                log.error("the ledger %s is busy: %s", path, error.reason)
                return
            raise ConfigurationError(
                f"the ledger {path or 'in memory'} cannot be opened for writing "
                f"({error.reason}): mend its permissions, move the file away if it is "
                "no SQLite database, or point STEPUP_STORAGE_URI elsewhere"
            ) from error

    def standing(
        self,
        user_id: str,
        nonce: str,
        session_id: str | None = None,
        approvals: Collection[str] = (),
    ) -> Standing:
        # Without the ceremony of a step that writes: each guarded request comes here.
        asked = user_id, nonce, session_id, approvals
        try:
            with self._pool.connection() as connection:
                standing = patiently(
                    lambda: read_standing(connection, *asked), self._timeout
                )
        except _FAILURES as error:
            raise _unavailable(error) from error
        self.id = standing.ledger_id
        return standing

    def reserve(self, user_id: str, limits: Sequence[Limit]) -> Ticket | Exhausted:
        with self._step() as connection:
            return reserve(connection, user_id, limits)

    def refund(self, ticket: Ticket) -> None:
        with self._step() as connection:
            refund(connection, ticket)

    def settle(
        self,
        user_id: str,
        nonce: str,
        code_digests: Sequence[str],
        session_id: str | None = None,
        ticket: Ticket | None = None,
    ) -> Settlement:
        with self._step() as connection:
            first_use = claim_code(connection, code_digests)
            if first_use:
                clear(connection, user_id)
            standing = read_standing(connection, user_id, nonce, session_id)
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
        with self._step() as connection:
            standing = read_standing(connection, user_id, nonce, session_id, approvals)
            return Spending(standing, spend_first(connection, approvals, standing))

    def clear(self, user_id: str) -> None:
        with self._step() as connection:
            clear(connection, user_id)

    def revoke_session(self, nonce: str) -> None:
        with self._step() as connection:
            revoke(connection, session_key(nonce))

    def revoke_user(self, user_id: str, session_id: str | None = None) -> None:
        with self._step() as connection:
            revoke(connection, user_key(user_id, session_id))

    def rename(self, ledger_id: str) -> None:
        with self._step() as connection:
            rename(connection, ledger_id)
            self.id = read_id(connection)

    def close(self) -> None:
        self._pool.close()

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Found the ledger in a new file; take its id from one that is there."""
        patiently(lambda: self._found(connection), self._timeout)

    def _found(self, connection: sqlite3.Connection) -> None:
        # A copy of the file, such as a restored one, does not keep the mode.
        if connection.execute("PRAGMA journal_mode").fetchone()[0] == "delete":
            connection.execute("PRAGMA journal_mode = WAL")
        try:
            self.id = read_id(connection)
        except sqlite3.OperationalError:
            with transaction(connection, self._timeout):
                found(connection)
            self.id = read_id(connection)

    @contextmanager
    def _step(self) -> Iterator[sqlite3.Connection]:
        """One atomic step that writes: all of it happens, or nothing and it raises."""
        try:
            with (
                self._pool.connection() as connection,
                transaction(connection, self._timeout),
            ):
                yield connection
                drop_expired(connection)
        except _FAILURES as error:
            raise _unavailable(error) from error


#: What a step may fail with; text that is no Unicode is among it.
_FAILURES = (sqlite3.Error, OSError, UnicodeError)


def _unavailable(error: Exception) -> LedgerUnavailable:
    return LedgerUnavailable(f"SQLite: {error}", is_busy=is_busy(error))

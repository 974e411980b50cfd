"""The ledger in a SQLite file: all workers of one machine, and across restarts.

SQLite makes each step atomic: a step that writes takes the file's one write lock
first (``BEGIN IMMEDIATE``), so that what it reads is still true when it writes.
Readers of a write-ahead log wait for nobody, and so guarded routes go on while a
writer is stuck. Every commit reaches the disk (``synchronous`` stays ``FULL``): a
revocation outlives a power cut.
"""

from __future__ import annotations

import math
import secrets
import sqlite3
import time
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path

from ..errors import ConfigurationError
from ..errors import LedgerUnavailable
from .attempts import clear
from .attempts import reserve
from .pool import FilePool
from .pool import MemoryPool
from .pool import Pool
from .protocol import Exhausted
from .protocol import Limit
from .protocol import REVOCATION_KEPT
from .protocol import Settlement
from .protocol import Standing
from .protocol import Ticket
from .protocol import USED_CODE_KEPT
from .schema import drop_expired
from .schema import found
from .schema import read_id


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
            raise ConfigurationError(
                f"the ledger {path or 'in memory'} cannot be opened for writing "
                f"({error.reason}): mend its permissions, move the file away if it is "
                "no SQLite database, or point STEPUP_STORAGE_URI elsewhere"
            ) from error

    def standing(
        self, user_id: str, nonce: str, session_id: str | None = None
    ) -> Standing:
        # Without the ceremony of a step that writes: each guarded request comes here.
        try:
            with self._pool.connection() as connection:
                return _standing(connection, user_id, nonce, session_id)
        except _FAILURES as error:
            raise LedgerUnavailable(f"SQLite: {error}") from error

    def reserve(self, user_id: str, limits: Sequence[Limit]) -> Ticket | Exhausted:
        with self._step() as connection:
            return reserve(connection, user_id, limits)

    def refund(self, ticket: Ticket) -> None:
        with self._step() as connection:
            connection.execute("DELETE FROM attempts WHERE ticket = ?", (ticket.id,))

    def settle(
        self, user_id: str, nonce: str, code_digest: str, session_id: str | None = None
    ) -> Settlement:
        with self._step() as connection:
            now = time.time()
            claimed = connection.execute(
                "INSERT INTO claims (key, expires) VALUES (?, ?) ON CONFLICT (key)"
                " DO UPDATE SET expires = excluded.expires WHERE expires <= ?",
                (f"code:{code_digest}", now + USED_CODE_KEPT, now),
            )
            first_use = claimed.rowcount == 1
            if first_use:
                clear(connection, user_id)
            standing = _standing(connection, user_id, nonce, session_id)
            return Settlement(first_use, standing)

    def clear(self, user_id: str) -> None:
        with self._step() as connection:
            clear(connection, user_id)

    def revoke_session(self, nonce: str) -> None:
        self._revoke(_session_key(nonce))

    def revoke_user(self, user_id: str, session_id: str | None = None) -> None:
        self._revoke(_user_key(user_id, session_id))

    def close(self) -> None:
        self._pool.close()

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Found the ledger in a new file; take its id from one that is there."""
        # A copy of the file, such as a restored one, does not keep the mode.
        if connection.execute("PRAGMA journal_mode").fetchone()[0] == "delete":
            self._switch_to_wal(connection)
        try:
            self.id = read_id(connection)
        except sqlite3.OperationalError:
            connection.execute("BEGIN IMMEDIATE")
            found(connection)
            connection.execute("COMMIT")
            self.id = read_id(connection)

    def _switch_to_wal(self, connection: sqlite3.Connection) -> None:
        # When several workers found a ledger at once, SQLite tells all but one that
        # the file is locked, without waiting as it does everywhere else.
        patience = time.monotonic() + self._timeout
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > patience:
                    raise
                time.sleep(0.005)

    def _revoke(self, key: str) -> None:
        with self._step() as connection:
            now = time.time()
            connection.execute(
                "INSERT OR REPLACE INTO revocations VALUES (?, ?, ?, ?)",
                (key, secrets.token_urlsafe(4), now, now + REVOCATION_KEPT),
            )

    @contextmanager
    def _step(self) -> Iterator[sqlite3.Connection]:
        """One atomic step that writes: all of it happens, or nothing and it raises."""
        try:
            with self._pool.connection() as connection:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                    drop_expired(connection)
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
        except _FAILURES as error:
            raise LedgerUnavailable(f"SQLite: {error}") from error


#: What a step may fail with; text that is no Unicode is among it.
_FAILURES = (sqlite3.Error, OSError, UnicodeError)


def _user_key(user_id: str, session_id: str | None = None) -> str:
    if session_id is None:
        return f"user:{user_id}"
    # With its length, so that no two pairs make one key.
    return f"login:{len(user_id)}:{user_id}:{session_id}"


def _session_key(nonce: str) -> str:
    return f"session:{nonce}"


def _standing(
    connection: sqlite3.Connection, user_id: str, nonce: str, session_id: str | None
) -> Standing:
    session, user = _session_key(nonce), _user_key(user_id)
    login = user if session_id is None else _user_key(user_id, session_id)
    rows = connection.execute(
        "SELECT key, generation, at FROM revocations WHERE key IN (?, ?, ?)",
        (session, user, login),
    ).fetchall()
    if not rows:
        return Standing()
    ended = {key: generation for key, generation, _ in rows}
    return Standing(
        "".join(ended.get(key, "") for key in {user: 0, login: 0}),
        max((at for key, _, at in rows if key != session), default=-math.inf),
        session in ended,
    )

"""The file, asked for one step at a time, each of which is atomic.

A step that writes takes the file's one write lock first (``BEGIN IMMEDIATE``), so that
what it reads is still true when it writes. Readers of a write-ahead log wait for
nobody, and so guarded routes go on while a writer is stuck. Every commit reaches the
disk (``synchronous`` stays ``FULL``): a revocation outlives a power cut.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ...errors import LedgerUnavailable
from ..values import Standing
from .locking import is_busy
from .locking import patiently
from .locking import transaction
from .pool import FilePool
from .pool import MemoryPool
from .pool import Pool
from .schema import drop_expired
from .schema import found
from .schema import read_identity
from .standings import Asked
from .standings import read_standing
from .standings import Reading
from .timekeeping import PERIOD
from .timekeeping import Timekeeping

#: What a step may fail with; text that is no Unicode is among it.
_FAILURES = (sqlite3.Error, OSError, UnicodeError)


class Database:
    """A ledger's tables.

    :param path: the file, made with owner-only permissions; None keeps the tables in
        the memory of this process.
    :param timeout: seconds to wait for a lock.
    :param leeway: seconds that clocks may disagree.
    """

    def __init__(self, path: Path | None, timeout: float, leeway: float) -> None:
        self._timeout = timeout
        self._timekeeping = Timekeeping(leeway)
        #: The ledger's, as it was told last.
        self.id = ""
        #: That have begun to write.
        self._steps = 0
        self._is_ours_alone = path is None
        self._pool: Pool = (
            FilePool(path, timeout, self._prepare)
            if path
            else MemoryPool(timeout, self._prepare)
        )

    @contextmanager
    def step(self, patience: float | None = None) -> Iterator[sqlite3.Connection]:
        """One step that writes: all of it happens, or nothing and it raises.

        :param patience: seconds to wait for the lock, if not those of the timeout.
        :raises LedgerUnavailable: nothing happened.
        """
        timeout = self._timeout if patience is None else patience
        try:
            with (
                self._pool.cursor() as cursor,
                transaction(connection := cursor.connection, timeout),
            ):
                self._steps += 1
                self.id = self._timekeeping.keep(connection)
                yield connection
                drop_expired(connection)
        except _FAILURES as error:
            raise _unavailable(error) from error

    def look_up(self, asked: Asked) -> Standing:
        """Return a standing, and write down now and then how late it is.

        :raises LedgerUnavailable: it cannot be known.
        """
        standing, newest = self._read(asked)
        if not self._timekeeping.is_up_to_date(newest, standing.told_at):
            standing = self._keep_time(asked, standing, newest)
        self.id = standing.ledger_id
        return standing

    def still_tells(self, standing: Standing, now: float) -> bool:
        """Whether a look-up would tell the very same, but for the time."""
        steps, until = standing.holds or (None, 0.0)
        return steps == self._steps and standing.told_at <= now <= until

    def close(self) -> None:
        """Give back connections; later ones are opened anew."""
        self._pool.close()

    def _keep_time(self, asked: Asked, standing: Standing, newest: float) -> Standing:
        if self._timekeeping.is_set_back(newest, standing.told_at):
            with self.step():
                pass
            return self._read(asked).standing
        # Who is verified goes on while somebody else keeps the file locked.
        with suppress(LedgerUnavailable), self.step(patience=0):
            pass
        return standing

    def _read(self, asked: Asked) -> Reading:
        # Without the ceremony of a step that writes: each guarded request comes here.
        try:
            with self._pool.cursor() as cursor:
                steps = self._steps
                reading = patiently(self._timeout, read_standing, cursor, asked)
        except _FAILURES as error:
            raise _unavailable(error) from error
        if self._is_ours_alone:
            holds = steps, reading.newest + PERIOD
            return reading._replace(standing=replace(reading.standing, holds=holds))
        return reading

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Found the ledger in a new file; take its id from one that is there."""
        patiently(self._timeout, self._found, connection)

    def _found(self, connection: sqlite3.Connection) -> None:
        # A copy of the file, such as a restored one, does not keep the mode.
        if connection.execute("PRAGMA journal_mode").fetchone()[0] == "delete":
            connection.execute("PRAGMA journal_mode = WAL")
        try:
            self.id, _ = read_identity(connection)
        except sqlite3.OperationalError:
            with transaction(connection, self._timeout):
                found(connection)
            self.id, _ = read_identity(connection)


def _unavailable(error: Exception) -> LedgerUnavailable:
    return LedgerUnavailable(f"SQLite: {error}", is_busy=is_busy(error))

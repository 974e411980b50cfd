"""SQLite connections, lent to one thread at a time and never taken across a fork.

Each is lent as a cursor of it, which was made once: to make one for each look-up would
take longer than the look-up.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from .forking import fork
from .locking import LONGEST_BLOCK

#: Called with each new connection before it is used.
Prepare = Callable[[sqlite3.Connection], None]
#: Which file a path leads to: device and inode.
File = tuple[int, int]


class Pool(Protocol):
    """Lends cursors of connections in autocommit mode."""

    def cursor(self) -> AbstractContextManager[sqlite3.Cursor]:
        """Lend one."""
        ...

    def close(self) -> None:
        """Close those that nobody has; later ones are opened anew."""
        ...


class FilePool:
    """Opens connections to a file as they are needed and keeps them for the next user.

    :param path: the file; made, with its folder, for the owner alone.
    :param timeout: seconds to wait for the file's locks.
    """

    def __init__(self, path: Path, timeout: float, prepare: Prepare) -> None:
        self._folder = path.parent
        #: As text: a path is made into it each time that it is looked for.
        self._path = str(path)
        self._timeout = timeout
        self._prepare = prepare
        self._idle: list[tuple[sqlite3.Cursor, File]] = []
        self.lent: set[object] = set()
        fork.pools.add(self)
        weakref.finalize(self, _close_all, self._idle)

    def cursor(self) -> _Loan:
        return _Loan(self)

    def close(self) -> None:
        _close_all(self._idle)

    def take(self) -> tuple[sqlite3.Cursor, File]:
        """Return a cursor, and the file that it reads."""
        # A file that was deleted or replaced lives on for those who have it open, who
        # then would write where no other worker looks.
        try:
            file = _file_at(self._path)
        except OSError:
            file = None
        while True:
            # pop and append are atomic: a guarded request waits for no lock of ours.
            try:
                cursor, opened = self._idle.pop()
            except IndexError:
                return self._open()
            if opened == file:
                return cursor, opened
            cursor.connection.close()

    def give_back(self, cursor: sqlite3.Cursor, file: File) -> None:
        """Keep a cursor for the next user."""
        self._idle.append((cursor, file))

    def _open(self) -> tuple[sqlite3.Cursor, File]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Left to itself SQLite makes a file that others may read; its companions, -wal
        # and -shm, take over the permissions of the file. Never open a file that is
        # there: on POSIX the close would give up all locks that SQLite has on it.
        with suppress(FileExistsError):
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
            os.close(os.open(self._path, flags, 0o600))
        file = _file_at(self._path)
        connection = _connect(self._path, self._timeout)
        try:
            self._prepare(connection)
            if _file_at(self._path) != file:
                raise sqlite3.OperationalError("the file was replaced meanwhile")
            return connection.cursor(), file
        except BaseException:
            connection.close()
            raise


class _Loan:
    """One cursor, and the ticket that keeps forks waiting until it is back.

    A class, since each guarded request comes here: a generator takes thrice as long.
    """

    __slots__ = ("_cursor", "_file", "_pool")

    def __init__(self, pool: FilePool) -> None:
        self._pool = pool

    def __enter__(self) -> sqlite3.Cursor:
        try:
            # In here: a signal may raise as soon as the ticket is taken.
            fork.enter(self._pool, self)
            self._cursor, self._file = self._pool.take()
            return self._cursor
        except BaseException:
            self._pool.lent.discard(self)
            raise

    def __exit__(self, _: object, error: object, __: object) -> None:
        try:
            cursor = self._cursor
            connection = cursor.connection
            # A full disk or a lock passes. A corrupt file has to be replaced, and what
            # this connection has read of it is no longer true. One that a signal left
            # half-way holds the lock that all others want, or reads what has been.
            passes = error is None or isinstance(error, sqlite3.OperationalError)
            if error:
                # It may be half-way through what it reads, and keep that in use.
                with suppress(sqlite3.ProgrammingError):
                    cursor.close()
            if passes and not connection.in_transaction:
                cursor = connection.cursor() if error else cursor
                self._pool.give_back(cursor, self._file)
            else:
                connection.close()
        finally:
            self._pool.lent.discard(self)


class MemoryPool:
    """A database that lives in its one connection, so that threads take turns.

    :param timeout: seconds to wait for one's turn.
    """

    def __init__(self, timeout: float, prepare: Prepare) -> None:
        self._timeout = timeout
        self._turn = threading.Lock()
        connection = _connect(":memory:", timeout)
        self._cursor = connection.cursor()
        prepare(connection)
        weakref.finalize(self, connection.close)

    def cursor(self) -> MemoryPool:
        return self

    def __enter__(self) -> sqlite3.Cursor:
        if not self._turn.acquire(timeout=self._timeout):
            raise sqlite3.OperationalError("timed out waiting for the ledger in memory")
        return self._cursor

    def __exit__(self, *_: object) -> None:
        self._turn.release()

    def close(self) -> None:
        """Keep the connection: it is the database. It ends with this object."""


def _close_all(idle: list[tuple[sqlite3.Cursor, File]]) -> None:
    while idle:
        idle.pop()[0].connection.close()


def _connect(database: str, timeout: float) -> sqlite3.Connection:
    return sqlite3.connect(
        database,
        timeout=min(timeout, LONGEST_BLOCK),
        isolation_level=None,
        check_same_thread=False,
    )


def _file_at(path: str) -> File:
    stat = os.stat(path)
    return stat.st_dev, stat.st_ino

"""SQLite connections, lent to one thread at a time and never taken across a fork."""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import AbstractContextManager
from contextlib import contextmanager
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
    """Lends connections in autocommit mode."""

    def connection(self) -> AbstractContextManager[sqlite3.Connection]:
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
        self._path = path
        self._timeout = timeout
        self._prepare = prepare
        self._idle: list[tuple[sqlite3.Connection, File]] = []
        self.lent: set[object] = set()
        fork.pools.add(self)
        weakref.finalize(self, _close_all, self._idle)

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        ticket = object()
        try:
            # In here: a signal may raise as soon as the ticket is taken.
            fork.enter(self, ticket)
            connection, file = self._take()
            useful = True
            try:
                yield connection
            except sqlite3.DatabaseError as error:
                # A full disk or a lock passes. A corrupt file has to be replaced, and
                # what this connection has read of it is no longer true.
                useful = isinstance(error, sqlite3.OperationalError)
                raise
            finally:
                # One that a signal left half-way holds the lock that all others want.
                if useful and not connection.in_transaction:
                    self._idle.append((connection, file))
                else:
                    connection.close()
        finally:
            self.lent.discard(ticket)

    def close(self) -> None:
        _close_all(self._idle)

    def _take(self) -> tuple[sqlite3.Connection, File]:
        # A file that was deleted or replaced lives on for those who have it open, who
        # then would write where no other worker looks.
        try:
            file = _file_at(self._path)
        except OSError:
            file = None
        while True:
            # pop and append are atomic: a guarded request waits for no lock of ours.
            try:
                connection, opened = self._idle.pop()
            except IndexError:
                return self._open()
            if opened == file:
                return connection, opened
            connection.close()

    def _open(self) -> tuple[sqlite3.Connection, File]:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Left to itself SQLite makes a file that others may read; its companions, -wal
        # and -shm, take over the permissions of the file. Never open a file that is
        # there: on POSIX the close would give up all locks that SQLite has on it.
        with suppress(FileExistsError):
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
            os.close(os.open(self._path, flags, 0o600))
        file = _file_at(self._path)
        connection = _connect(str(self._path), self._timeout)
        try:
            self._prepare(connection)
            if _file_at(self._path) != file:
                raise sqlite3.OperationalError("the file was replaced meanwhile")
            return connection, file
        except BaseException:
            connection.close()
            raise


class MemoryPool:
    """A database that lives in its one connection, so that threads take turns.

    :param timeout: seconds to wait for one's turn.
    """

    def __init__(self, timeout: float, prepare: Prepare) -> None:
        self._timeout = timeout
        self._turn = threading.Lock()
        self._connection = _connect(":memory:", timeout)
        prepare(self._connection)
        weakref.finalize(self, self._connection.close)

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        if not self._turn.acquire(timeout=self._timeout):
            raise sqlite3.OperationalError("timed out waiting for the ledger in memory")
        try:
            yield self._connection
        finally:
            self._turn.release()

    def close(self) -> None:
        """Keep the connection: it is the database. It ends with this object."""


def _close_all(idle: list[tuple[sqlite3.Connection, File]]) -> None:
    while idle:
        idle.pop()[0].close()


def _connect(database: str, timeout: float) -> sqlite3.Connection:
    return sqlite3.connect(
        database,
        timeout=min(timeout, LONGEST_BLOCK),
        isolation_level=None,
        check_same_thread=False,
    )


def _file_at(path: Path) -> File:
    stat = os.stat(path)
    return stat.st_dev, stat.st_ino

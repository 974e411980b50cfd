"""SQLite connections, lent to one thread at a time and never taken across a fork."""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol


class Pool(Protocol):
    """Lends connections in autocommit mode."""

    def connection(self) -> AbstractContextManager[sqlite3.Connection]: ...

    def close(self) -> None: ...


class FilePool:
    """Opens connections to a file as they are needed and keeps them for the next user.

    :param path: the file; made, with its folder, for the owner alone.
    :param timeout: seconds to wait for the file's locks.
    """

    def __init__(self, path: Path, timeout: float) -> None:
        self._path = path
        self._timeout = timeout
        self._idle: list[sqlite3.Connection] = []
        _pools.add(self)

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        # pop and append are atomic: a guarded request waits for no lock of ours.
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._open()
        try:
            yield connection
        except sqlite3.Error:
            # Whatever is wrong, the file may be another one by the next time.
            connection.close()
            raise
        except BaseException:
            self._idle.append(connection)
            raise
        self._idle.append(connection)

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Left to itself SQLite makes a file that others may read. Its companions,
        # -wal and -shm, take over the permissions of the file.
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        return _connect(str(self._path), self._timeout)


class MemoryPool:
    """A database that lives in its one connection, so that threads take turns.

    :param timeout: seconds to wait for one's turn.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._turn = threading.Lock()
        self._connection = _connect(":memory:", timeout)

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


def _connect(database: str, timeout: float) -> sqlite3.Connection:
    return sqlite3.connect(
        database, timeout=timeout, isolation_level=None, check_same_thread=False
    )


#: A SQLite connection must not cross a fork, so what lies idle is closed before one.
_pools: weakref.WeakSet[FilePool] = weakref.WeakSet()


def _close_before_fork() -> None:
    for pool in list(_pools):
        pool.close()


os.register_at_fork(before=_close_before_fork)

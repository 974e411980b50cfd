"""Locks of the file: waited for in a way that lets others of this process go on.

SQLite waits in C: a worker that serves many requests by turns in one thread, as those
of gevent do, would serve nobody meanwhile. So SQLite waits for moments, and the rest of
the waiting is here.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar
from typing import TypeVarTuple

#: Seconds for which SQLite itself may wait.
LONGEST_BLOCK = 0.02
#: Seconds between two tries.
PAUSE = 0.005

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


def patiently(timeout: float, run: Callable[[*Ts], T], *args: *Ts) -> T:
    """Run something until nobody else holds the lock that it needs.

    :param timeout: seconds to wait for that.
    :raises sqlite3.OperationalError: somebody still does, or it failed otherwise.
    """
    patience = time.monotonic() + timeout
    while True:
        try:
            return run(*args)
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > patience:
                raise
        time.sleep(PAUSE)


@contextmanager
def transaction(connection: sqlite3.Connection, timeout: float) -> Iterator[None]:
    """Hold the one lock to write: all of what is done happens, or nothing.

    :param timeout: seconds to wait for the lock.
    """
    try:
        # In here: a signal may raise as soon as the lock is held.
        patiently(timeout, connection.execute, "BEGIN IMMEDIATE")
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def is_busy(error: BaseException) -> bool:
    """Whether somebody else holds a lock, and so it may work later."""
    code = getattr(error, "sqlite_errorcode", None)
    # The low byte is the kind of error, the rest says more of it.
    return code is not None and code & 0xFF == sqlite3.SQLITE_BUSY

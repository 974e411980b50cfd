"""A fork waits until nobody uses a connection to the ledger, and takes none along."""

from __future__ import annotations

import os
import threading
import time
import weakref
from typing import Protocol

#: Seconds that a fork waits for connections in use.
LONGEST_WAIT = 5.0


class ForkSafe(Protocol):
    """Lends what must not cross a fork.

    :param lent: one ticket for each that is in use.
    """

    lent: set[object]

    def close(self) -> None:
        """Close what is not in use."""
        ...


class Fork:
    """Keeps connections out of children, where SQLite would take them for their own.

    A child gets SQLite's notes of the locks that the parent's connections hold, but
    not the locks, and waits for them for ever. So a fork waits until nobody uses a
    connection, and closes all of them.
    """

    def __init__(self) -> None:
        self.pools: weakref.WeakSet[ForkSafe] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._under_way = False

    def enter(self, pool: ForkSafe, ticket: object) -> object:
        """Put a ticket into ``pool.lent``, which the caller discards when it is done.

        To enter first and look afterwards leaves no gap: whoever forks raises the flag
        first and looks who is in afterwards.
        """
        pool.lent.add(ticket)
        while self._under_way:
            pool.lent.discard(ticket)
            with self._lock:
                pool.lent.add(ticket)
        return ticket

    def before(self) -> None:
        self._lock.acquire()
        self._under_way = True
        patience = time.monotonic() + LONGEST_WAIT
        for pool in list(self.pools):
            while pool.lent and time.monotonic() < patience:
                time.sleep(0.001)
            pool.close()

    def after(self) -> None:
        self._under_way = False
        self._lock.release()

    def after_in_child(self) -> None:
        # Whoever was on the way in has not come along.
        for pool in list(self.pools):
            pool.lent = set()
        self.after()


fork = Fork()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=fork.before,
        after_in_parent=fork.after,
        after_in_child=fork.after_in_child,
    )

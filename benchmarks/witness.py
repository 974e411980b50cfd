"""What a call does that time does not show: cookies, connections, statements."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from typing import Any


@dataclass
class Seen:
    """What was seen while somebody looked.

    :param connections: events of sockets that reach for somebody.
    :param statements: of SQLite, as they were run.
    """

    connections: list[str] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """Transactions of SQLite: each ``BEGIN``, and what is run outside of any."""
        inside, steps = False, 0
        for statement in self.statements:
            word = statement.split()[0].upper()
            steps += not inside
            inside = (inside or word == "BEGIN") and word not in ("COMMIT", "ROLLBACK")
        return steps


_watching: list[Seen] = []
_REACHING = ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo")


@contextmanager
def witnessed() -> Iterator[Seen]:
    """Look at what is done meanwhile, on connections made before it as after it."""
    seen = Seen()
    _watching.append(seen)
    try:
        yield seen
    finally:
        _watching.remove(seen)


def _look(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _REACHING:
        for seen in _watching:
            seen.connections.append(event)


def _trace(statement: str) -> None:
    for seen in _watching:
        seen.statements.append(statement)


def watch() -> None:
    """Begin, before any connection is made; there is no end to it."""
    sys.addaudithook(_look)
    connect: Any = sqlite3.connect

    def connect_traced(*args: Any, **kwargs: Any) -> Any:
        connection = connect(*args, **kwargs)
        connection.set_trace_callback(_trace)
        return connection

    setattr(sqlite3, "connect", connect_traced)  # noqa: B010 (of another type)

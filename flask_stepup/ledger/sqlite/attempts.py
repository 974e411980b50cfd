"""Attempts in moving windows: a log of times, from which each window is read."""

from __future__ import annotations

import math
import secrets
import sqlite3
import time
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

from ..keys import attempt_key
from ..limits import Limit
from ..values import Exhausted
from ..values import NAME_KEPT
from ..values import Repeated
from ..values import Ticket


def reserve(
    connection: sqlite3.Connection,
    user_id: str,
    limits: Sequence[Limit],
    name: str,
) -> Ticket | Repeated | Exhausted:
    """Take one attempt from every limit, or none; in a transaction that writes."""
    now = time.time()
    # Each window's newest attempts. Where they fill it, or this one will, the oldest
    # of them has to leave before another may come.
    windows = [(limit, _newest(connection, user_id, limit, now)) for limit in limits]
    if full := [w for w in windows if len(w[1]) == w[0].count]:
        until = _free_again(full, now)
        return Exhausted(math.ceil(until - now), until)
    remaining = min(limit.count - len(at) for limit, at in windows) - 1
    filled = [w for w in windows if len(w[1]) == w[0].count - 1]
    if any(_of_that_name(connection, user_id, name)):
        return Repeated()
    expires = now + max(limit.seconds for limit in limits)
    # Not by the row's own number: in another file that may be of another attempt.
    ticket = Ticket(
        user_id, str(secrets.randbits(63)), remaining, _free_again(filled, now)
    )
    connection.execute(
        "INSERT INTO attempts (ticket, user_id, at, expires) VALUES (?, ?, ?, ?)",
        (ticket.id, user_id, now, expires),
    )
    if name:
        connection.execute(
            "INSERT INTO claims VALUES (?, ?)",
            (attempt_key(name, ticket.id), now + NAME_KEPT),
        )
    return ticket


def refund(
    connection: sqlite3.Connection, user_id: str, ticket_ids: Iterable[str]
) -> None:
    """Give attempts back, those that still count."""
    connection.executemany(
        "DELETE FROM attempts WHERE ticket = ? AND user_id = ?",
        [(ticket_id, user_id) for ticket_id in ticket_ids],
    )


def clear(connection: sqlite3.Connection, user_id: str) -> None:
    """Forget the user's attempts."""
    connection.execute("DELETE FROM attempts WHERE user_id = ?", (user_id,))


def is_counted(connection: sqlite3.Connection, ticket: Ticket | None) -> bool:
    """Whether an attempt was neither given back nor cleared."""
    return ticket is not None and _counts(connection, ticket.user_id, ticket.id)


def _counts(connection: sqlite3.Connection, user_id: str, ticket_id: str) -> bool:
    found = connection.execute(
        "SELECT 1 FROM attempts WHERE ticket = ? AND user_id = ?", (ticket_id, user_id)
    )
    return found.fetchone() is not None


def _of_that_name(
    connection: sqlite3.Connection, user_id: str, name: str
) -> Iterator[bool]:
    """For each attempt that had this name, whether it still counts."""
    prefix = attempt_key(name, "")
    rows = connection.execute(
        "SELECT key FROM claims WHERE key > ? AND key < ?", (prefix, prefix + ":")
    )
    for (key,) in rows.fetchall():
        yield _counts(connection, user_id, str(key).removeprefix(prefix))


def _newest(
    connection: sqlite3.Connection, user_id: str, limit: Limit, now: float
) -> list[float]:
    rows = connection.execute(
        "SELECT at FROM attempts WHERE user_id = ? AND at > ? ORDER BY at DESC LIMIT ?",
        (user_id, now - limit.seconds, limit.count),
    )
    return [at for (at,) in rows]


def _free_again(windows: list[tuple[Limit, list[float]]], now: float) -> float:
    return max((min([*at, now]) + limit.seconds for limit, at in windows), default=now)

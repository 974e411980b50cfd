"""The tables of the SQLite ledger: made when it is founded, swept with each write."""

from __future__ import annotations

import secrets
import sqlite3
import time
from contextlib import suppress

_SCHEMA = """
CREATE TABLE IF NOT EXISTS identity (id TEXT NOT NULL, newest REAL NOT NULL);
CREATE TABLE IF NOT EXISTS attempts (
    ticket INTEGER PRIMARY KEY,
    user_id TEXT NOT NULL, at REAL NOT NULL, expires REAL NOT NULL);
CREATE INDEX IF NOT EXISTS attempts_by_user ON attempts (user_id, at);
CREATE INDEX IF NOT EXISTS attempts_by_expiry ON attempts (expires);
CREATE TABLE IF NOT EXISTS claims (
    key TEXT PRIMARY KEY, expires REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS claims_by_expiry ON claims (expires);
CREATE TABLE IF NOT EXISTS revocations (
    key TEXT PRIMARY KEY, generation TEXT NOT NULL, at REAL NOT NULL,
    expires REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS revocations_by_expiry ON revocations (expires);
"""


def found(connection: sqlite3.Connection) -> None:
    """Make what is not there yet, and give the ledger an id, in one transaction.

    Another one, where there was one: of a file that has lost a table nobody knows what
    was in it.
    """
    with suppress(sqlite3.OperationalError):
        # Another worker has been quicker.
        read_identity(connection)
        return
    for statement in _SCHEMA.split(";"):
        connection.execute(statement)
    connection.execute("DELETE FROM identity")
    named = secrets.token_urlsafe(4), time.time()
    connection.execute("INSERT INTO identity VALUES (?, ?)", named)


def read_identity(connection: sqlite3.Connection) -> tuple[str, float]:
    """Return the ledger's id, and the newest time that it has seen.

    :raises sqlite3.OperationalError: no ledger has been founded in this file, or one
        with other tables.
    """
    for table in ("attempts", "claims"):
        connection.execute(f"SELECT expires FROM {table} LIMIT 0")  # noqa: S608
    connection.execute("SELECT at FROM revocations LIMIT 0")
    row = connection.execute("SELECT id, newest FROM identity").fetchone()
    if row is None:
        raise sqlite3.OperationalError("the ledger has no id")
    return str(row[0]), float(row[1])


def drop_expired(connection: sqlite3.Connection) -> None:
    """Delete some of what nobody asks for any more."""
    # A bounded number with each write: more leave than come, and no single request
    # pays for a backlog.
    for table, key in (
        ("attempts", "ticket"),
        ("claims", "key"),
        ("revocations", "key"),
    ):
        connection.execute(
            f"DELETE FROM {table} WHERE {key} IN"  # noqa: S608 (names from above)
            f" (SELECT {key} FROM {table} WHERE expires <= ? LIMIT 32)",
            (time.time(),),
        )

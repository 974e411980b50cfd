"""The database: SQLite of the standard library, in the instance folder."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from contextlib import contextmanager
from pathlib import Path

from flask import current_app
from flask import Flask
from flask import g

# Secrets of authenticators are in here as they are: codes are computed from them, so
# that they cannot be hashed as passwords are. Whoever reads this file, or a copy of it,
# has everybody's second factor. To encrypt them takes a key that is *not* beside it (of
# a key service, or at least of the environment), authenticated encryption with the user
# id as associated data, and the number of the key in the row, for when keys change.
# docs/totp.md has it in full.
TABLES = """
CREATE TABLE IF NOT EXISTS users (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL UNIQUE COLLATE NOCASE,
    password_hash TEXT NOT NULL,
    session_key TEXT NOT NULL UNIQUE
);
CREATE TABLE IF NOT EXISTS authenticators (
    user_id TEXT PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    secret TEXT NOT NULL,
    since INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS pending_authenticators (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
    secret TEXT NOT NULL,
    made_at INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS backup_codes (
    user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
    salt BLOB NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (user_id, digest)
);
CREATE TABLE IF NOT EXISTS notices (
    id INTEGER PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
    text TEXT NOT NULL,
    sent_at INTEGER NOT NULL
);
"""


def init_app(app: Flask) -> None:
    """Make the database where there is none, and close connections after requests."""
    folder = Path(app.instance_path)
    folder.mkdir(parents=True, exist_ok=True)
    app.config.setdefault("DATABASE", str(folder / "dovecote.db"))
    # Secrets are in it: nobody else on this machine has to read them.
    Path(app.config["DATABASE"]).touch(mode=0o600)
    with closing(_connected(app.config["DATABASE"])) as new:
        new.executescript(TABLES)
    app.teardown_appcontext(_close)


def db() -> sqlite3.Connection:
    """Return this request's connection, on which each statement stands for itself."""
    if "db" not in g:
        g.db = _connected(current_app.config["DATABASE"])
    connection: sqlite3.Connection = g.db
    return connection


def row_of(query: str, *values: object) -> sqlite3.Row | None:
    """Return the first row that a query finds, None where it finds none."""
    row: sqlite3.Row | None = db().execute(query, values).fetchone()
    return row


@contextmanager
def transaction() -> Iterator[sqlite3.Connection]:
    """All of what is done meanwhile is kept, or, where something raises, none of it."""
    connection = db()
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _connected(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _close(_: BaseException | None) -> None:
    connection = g.pop("db", None)
    if connection:
        connection.close()

"""Ledgers filled with people, by copies of what real calls have written of one.

To call a ledger a million times would take an hour. So one person is revoked, tries a
code in vain, and uses one; then what is there of that person is copied, under other
names, by the database itself.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import redis

from benchmarks.valkey import client_of
from flask_stepup.ledger import Ledger
from flask_stepup.ledger import Limit
from flask_stepup.ledger import open_ledger

#: Whose rows are copied; the copies have a number behind it.
MODEL = "user_model"
APP_NAME = "bank"
LIMITS = Limit.parse("5 per 5 minutes; 100 per 30 days")
#: Copied at once: servers serve nobody else meanwhile.
AT_ONCE = 50_000

_COPIES = """
WITH RECURSIVE copies(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < {n})
INSERT INTO {table} SELECT {columns} FROM copies, {table} WHERE {is_model}
"""
_TABLES = {
    # The model's own rows, told by their keys, and what is another in each copy.
    "attempts": (
        "user_id = '{model}'",
        {"ticket": "random()", "user_id": "user_id || n"},
    ),
    "revocations": ("key = 'user:{model}'", {"key": "key || n"}),
    "claims": ("key LIKE 'code:{model}%'", {"key": "key || n"}),
}
_COPY_KEY = """
local dump, ttl = redis.call('DUMP', KEYS[1]), redis.call('PTTL', KEYS[1])
for n = ARGV[1], ARGV[2] do redis.call('RESTORE', KEYS[1] .. n, ttl, dump) end
"""


def fill_file(path: Path, users: int) -> None:
    """Fill a ledger in a file with so many people."""
    ledger = open_ledger(f"sqlite:///{path}", 5.0, "/", APP_NAME)
    live_through(ledger)
    ledger.close()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    for table, (is_model, others) in _TABLES.items():
        _copy(connection, table, is_model.format(model=MODEL), others, users - 1)
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def fill_server(uri: str, prefix: str, users: int) -> None:
    """Fill a ledger on a server with so many people, under a prefix of its own."""
    ledger = open_ledger(f"{uri}?prefix={prefix}", 5.0, "/", APP_NAME)
    live_through(ledger)
    ledger.close()
    with client_of(uri) as client:
        for kind in ("user", "attempts"):
            _copy_key(client, f"{{stepup:{prefix}}}:{kind}:{MODEL}", users - 1)


def live_through(ledger: Ledger, user_id: str = MODEL) -> None:
    """Leave what a person leaves: a used code, a revocation, an attempt in vain."""
    ledger.reserve(user_id, LIMITS)
    ledger.settle(user_id, "nonce", [user_id])
    ledger.revoke_user(user_id)
    ledger.reserve(user_id, LIMITS)


def _copy(
    connection: sqlite3.Connection,
    table: str,
    is_model: str,
    others: dict[str, str],
    copies: int,
) -> None:
    if not copies:
        return
    names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    columns = ", ".join(others.get(name, name) for name in names)
    connection.execute(
        _COPIES.format(n=copies, table=table, columns=columns, is_model=is_model)
    )


def _copy_key(client: redis.Redis, key: str, copies: int) -> None:
    for first in range(1, copies + 1, AT_ONCE):
        last = min(first + AT_ONCE - 1, copies)
        client.eval(_COPY_KEY, 1, key, str(first), str(last))

"""Standings: revocations written down, and read together with what is spent."""

from __future__ import annotations

import math
import secrets
import sqlite3
import time
from collections.abc import Collection
from typing import Any
from typing import NamedTuple

from ..keys import approval_key
from ..keys import session_key
from ..keys import user_key
from ..values import REVOCATION_KEPT
from ..values import Standing

#: One row at least: what the ledger is called is known also where nothing is revoked.
_REVOCATIONS = (
    "SELECT id, newest, key, generation, at FROM identity"
    " LEFT JOIN revocations ON key IN (?, ?, ?)"
)
#: Whether anything is: mostly nothing. By three look-ups: for IN, or a join, SQLite
#: would build an index in memory each time, which takes three times as long.
_ANY_REVOKED = (
    "SELECT id, newest,"
    " EXISTS (SELECT 1 FROM revocations WHERE key = ?),"
    " EXISTS (SELECT 1 FROM revocations WHERE key = ?),"
    " EXISTS (SELECT 1 FROM revocations WHERE key = ?)"
    " FROM identity"
)
_SPENT = (
    "SELECT id, newest, key, '', 0 FROM identity, claims"
    " WHERE expires > ? AND key IN ({})"
)


class Asked(NamedTuple):
    """Whom, and what, is asked about.

    :param session_id: of the person, at the identity provider.
    :param approvals: of which it is asked whether they are spent.
    """

    user_id: str
    nonce: str
    session_id: str | None = None
    approvals: Collection[str] = ()


class Reading(NamedTuple):
    """A standing, and the newest time that the ledger had seen before."""

    standing: Standing
    newest: float


def revoke(connection: sqlite3.Connection, key: str) -> None:
    """Write down that what the key names was revoked just now."""
    now = time.time()
    connection.execute(
        "INSERT OR REPLACE INTO revocations VALUES (?, ?, ?, ?)",
        (key, secrets.token_urlsafe(4), now, now + REVOCATION_KEPT),
    )


def read_standing(cursor: sqlite3.Cursor, asked: Asked) -> Reading:
    """Read what has been revoked, and which of the approvals are spent."""
    user_id, nonce, session_id, approvals = asked
    session, user = session_key(nonce), user_key(user_id)
    login = user if session_id is None else user_key(user_id, session_id)
    now = time.time()
    if not approvals:
        told = cursor.execute(_ANY_REVOKED, (session, user, login)).fetchall()
        if told and not any(told[0][2:]):
            return Reading(Standing(told[0][0], told_at=now), told[0][1])
    rows = _rows(cursor, (session, user, login), approvals, now)
    if not rows:
        raise sqlite3.OperationalError("the ledger has no id")
    ledger_id, newest, *_ = rows[0]
    # Keys of revocations and of approvals begin differently: one mapping has room.
    known = {key: generation for _, _, key, generation, _ in rows}
    revoked = (at for _, _, key, _, at in rows if key in (user, login))
    standing = Standing(
        ledger_id,
        "".join(known.get(key, "") for key in {user: 0, login: 0}),
        max(revoked, default=-math.inf),
        session in known,
        frozenset(a for a in approvals if approval_key(a) in known),
        now,
    )
    return Reading(standing, newest)


def _rows(
    cursor: sqlite3.Cursor,
    revocations: tuple[str, str, str],
    approvals: Collection[str],
    now: float,
) -> list[Any]:
    if not approvals:
        return cursor.execute(_REVOCATIONS, revocations).fetchall()
    # One statement sees one state of the file: what is revoked goes with what is spent.
    spent = _SPENT.format(", ".join("?" * len(approvals)))
    return cursor.execute(
        f"{_REVOCATIONS} UNION ALL {spent}",
        (*revocations, now, *map(approval_key, approvals)),
    ).fetchall()

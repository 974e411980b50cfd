"""Backup codes: for the day on which the phone is lost. Each works once."""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from dataclasses import dataclass

from storage import db
from storage import row_of

COUNT = 10
#: From here on people are told that their codes run low.
LOW = 3
#: Without what is easily mistaken: i, l, o, 0, 1. Ten of them have 49 bits.
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
LENGTH = 10


@dataclass(frozen=True)
class Sheet:
    """Codes that are shown once, and what is kept of them.

    All have one salt, so that to look a code up takes one slow hash and not ten.
    """

    codes: tuple[str, ...]
    salt: bytes
    digests: tuple[bytes, ...]

    def keep(self, db: sqlite3.Connection, user_id: str) -> None:
        """Put these codes in the place of all that the user had."""
        remove(db, user_id)
        db.executemany(
            "INSERT INTO backup_codes VALUES (?, ?, ?)",
            [(user_id, self.salt, digest) for digest in self.digests],
        )


def new_sheet() -> Sheet:
    """Draw codes. It takes a moment: do it before a transaction, and not in it."""
    codes = tuple(_draw() for _ in range(COUNT))
    salt = secrets.token_bytes(16)
    digests = tuple(_digest(code, salt) for code in codes)
    return Sheet(tuple(f"{code[:5]}-{code[5:]}" for code in codes), salt, digests)


def spend(user_id: str, code: str) -> bool:
    """Spend a code, and tell whether it was one; of two at once, one is told so."""
    # As people write it down: in capitals, with the dash in another place, or none.
    plain = "".join(filter(str.isalnum, code.casefold()))
    row = row_of("SELECT salt FROM backup_codes WHERE user_id = ? LIMIT 1", user_id)
    if row is None or len(plain) != LENGTH:
        return False
    # One statement, and what it says it has done decides: there is no moment between
    # looking and deleting in which another request could find the code too.
    deleted = db().execute(
        "DELETE FROM backup_codes WHERE user_id = ? AND digest = ?",
        (user_id, _digest(plain, row["salt"])),
    )
    return deleted.rowcount == 1


def left(user_id: str) -> int:
    """Return how many codes somebody has left."""
    row = row_of("SELECT count(*) FROM backup_codes WHERE user_id = ?", user_id)
    return int(row[0]) if row else 0


def remove(db: sqlite3.Connection, user_id: str) -> None:
    """Void all codes of a user."""
    db.execute("DELETE FROM backup_codes WHERE user_id = ?", (user_id,))


def _draw() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def _digest(code: str, salt: bytes) -> bytes:
    return hashlib.scrypt(code.encode(), salt=salt, n=2**14, r=8, p=1)

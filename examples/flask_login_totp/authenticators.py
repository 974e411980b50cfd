"""Authenticators: the secrets that people's phones share with us.

A new one is pending until a code of it has been typed. Until then it is kept here and
not in the session: Flask's cookie is signed, but everybody who has it can read it.
"""

from __future__ import annotations

import secrets
import sqlite3
import time

import pyotp
import segno
from markupsafe import Markup
from storage import row_of
from storage import transaction

ISSUER = "Dovecote"
#: Seconds that a QR code is good: long enough to find the phone.
PENDING_FOR = 600


def secret_of(user_id: str) -> str | None:
    """Return the secret of somebody's authenticator, None where they have none."""
    row = row_of("SELECT secret FROM authenticators WHERE user_id = ?", user_id)
    return row["secret"] if row else None


def begin(user_id: str) -> tuple[str, str]:
    """Make a secret that is pending; return its name, for the session, and the secret.

    The name is of one browser. Were it the user's, somebody who knows the password
    could open this page first, and read the secret that its owner scans a moment later.
    """
    name, secret = secrets.token_urlsafe(), pyotp.random_base32()
    with transaction() as db:
        db.execute(
            "DELETE FROM pending_authenticators WHERE made_at <= ?", (_oldest(),)
        )
        db.execute(
            "INSERT INTO pending_authenticators VALUES (?, ?, ?, ?)",
            (name, user_id, secret, int(time.time())),
        )
    return name, secret


def pending(name: str | None, user_id: str) -> str | None:
    """Return the secret that is pending under a name, None where none is any more."""
    row = row_of(
        "SELECT secret FROM pending_authenticators"
        " WHERE id = ? AND user_id = ? AND made_at > ?",
        *(name, user_id, _oldest()),
    )
    return row["secret"] if row else None


def keep(
    db: sqlite3.Connection, name: str | None, user_id: str, old: str | None
) -> bool:
    """Put a pending secret in the place of the old one; of two at once, one does.

    :param old: what it was when leave was given: a password that may set up a first
        authenticator replaces none that has come meanwhile.
    """
    if secret_of(user_id) != old:
        return False
    row = db.execute(
        "DELETE FROM pending_authenticators"
        " WHERE id = ? AND user_id = ? AND made_at > ? RETURNING secret",
        (name, user_id, _oldest()),
    ).fetchone()
    if row is None:
        return False
    db.execute(
        "INSERT INTO authenticators VALUES (?, ?, ?) ON CONFLICT (user_id)"
        " DO UPDATE SET secret = excluded.secret, since = excluded.since",
        (user_id, row["secret"], int(time.time())),
    )
    return True


def remove(db: sqlite3.Connection, user_id: str) -> None:
    """Forget somebody's authenticator, and what was to become one."""
    db.execute("DELETE FROM authenticators WHERE user_id = ?", (user_id,))
    db.execute("DELETE FROM pending_authenticators WHERE user_id = ?", (user_id,))


def otpauth_uri(secret: str, email: str) -> str:
    """Return what authenticator apps read: the secret, and how they are to name it."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=ISSUER)


def qr_code(uri: str) -> Markup:
    """Return it as a QR code, in SVG that stands in the page itself.

    No address leads to it: pictures that have one are kept by browsers and proxies.
    """
    drawing = segno.make(uri, error="m", micro=False)
    svg = drawing.svg_inline(border=4, omitsize=True, light="#fff", svgclass="qr")
    return Markup(svg)  # noqa: S704 (drawn by us)


def _oldest() -> int:
    return int(time.time()) - PENDING_FOR

"""What Flask's session keeps for us: a nonce, and at most eight small tokens."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from flask import session

#: The keys of the session that are ours.
NONCE_KEY = "_stepup_sid"
TOKENS_KEY = "_stepup"
#: Cookie sessions end at some 4,000 bytes, which the app needs for itself.
MOST_TOKENS = 8


def read_nonce() -> str:
    """Return the session's nonce, empty where none was made."""
    nonce = session.get(NONCE_KEY)
    return nonce if isinstance(nonce, str) else ""


def ensure_nonce() -> str:
    """Return the session's nonce, and make one where there is none."""
    nonce = read_nonce()
    if not nonce:
        nonce = session[NONCE_KEY] = secrets.token_urlsafe(16)
    return nonce


def read_tokens() -> dict[str, str]:
    """Return a copy of the session's tokens."""
    tokens = session.get(TOKENS_KEY)
    return dict(tokens) if isinstance(tokens, dict) else {}


def write_tokens(tokens: Mapping[str, str]) -> None:
    """Replace the tokens: a session does not notice when a value in it is mutated."""
    session[TOKENS_KEY] = dict(tokens)


def drop() -> str:
    """Leave nothing of ours in the session; return the nonce that was there."""
    nonce = read_nonce()
    for key in (NONCE_KEY, TOKENS_KEY):
        # A pop marks the session as modified, and so sends a cookie, even when there
        # is nothing to pop.
        if key in session:
            del session[key]
    return nonce

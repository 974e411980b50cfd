"""What Flask's session keeps for us: a nonce, and at most eight small tokens."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from flask import current_app
from flask import request
from flask import session

#: The keys of the session that are ours.
NONCE_KEY = "_stepup_sid"
TOKENS_KEY = "_stepup"
#: Cookie sessions end at some 4,000 bytes, which the app needs for itself.
MOST_TOKENS = 8
LONGEST_MARKER = 100


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


def cookie_size_with_marker(name: str) -> int:
    """Return how many bytes the session's cookie would have with one more marker.

    :param name: under which the marker would be kept.

    0 where the session is kept on the server. Browsers drop a cookie of more than
    4,096 bytes without a word, and with it the sign-in.
    """
    app = current_app
    make_serializer = getattr(app.session_interface, "get_signing_serializer", None)
    serializer = make_serializer and make_serializer(app)
    if not serializer:
        return 0
    # Random, as signatures are: anything else would compress.
    marker = secrets.token_urlsafe(LONGEST_MARKER)[:LONGEST_MARKER]
    grown = {**session, TOKENS_KEY: read_tokens() | {name: marker}}
    value: str = serializer.dumps(grown)
    return len(app.session_interface.get_cookie_name(app)) + 1 + len(value)


def nonce_as_sent() -> str:
    """Return the nonce in the session as the browser sent it, whatever came since.

    An app may have cleared the session before it tells us that somebody signs out.
    """
    sent = current_app.session_interface.open_session(current_app, request)
    nonce = sent.get(NONCE_KEY) if sent else None
    return nonce if isinstance(nonce, str) else ""


def drop() -> str:
    """Leave nothing of ours in the session; return the nonce that was there."""
    nonce = read_nonce()
    for key in (NONCE_KEY, TOKENS_KEY):
        # A pop marks the session as modified, and so sends a cookie, even when there
        # is nothing to pop.
        if key in session:
            del session[key]
    return nonce

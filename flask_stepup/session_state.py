"""What Flask's session keeps for us: a nonce, and at most eight small tokens."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from . import records
from .current import real_app
from .current import real_request
from .current import real_session
from .errors import SessionFull

#: The keys of the session that are ours.
NONCE_KEY = "_stepup_sid"
TOKENS_KEY = "_stepup"
#: Cookie sessions end at some 4,000 bytes, which the app needs for itself.
MOST_TOKENS = 8
LONGEST_TOKEN = 170
#: Bytes; browsers count name, value and attributes, and end at 4,096.
LONGEST_COOKIE = 4_000


def read_nonce() -> str:
    """Return the session's nonce, empty where none was made."""
    return read_nonce_and_token("")[0]


def ensure_nonce() -> str:
    """Return the session's nonce, and make one where there is none.

    :raises SessionFull: its cookie would be too long.
    """
    nonce = read_nonce()
    if not nonce:
        nonce = secrets.token_urlsafe(16)
        _check_size({NONCE_KEY: nonce})
        real_session()[NONCE_KEY] = nonce
    return nonce


def read_tokens() -> dict[str, str]:
    """Return a copy of the session's tokens."""
    tokens = real_session().get(TOKENS_KEY)
    if not isinstance(tokens, dict):
        return {}
    # A session that is kept on the server may hold what no JSON can.
    return {name: token for name, token in tokens.items() if isinstance(name, str)}


def read_nonce_and_token(name: str) -> tuple[str, str]:
    """Return both at once, as each guarded request needs them, empty if not there."""
    session = real_session()
    nonce, tokens = session.get(NONCE_KEY), session.get(TOKENS_KEY)
    token = tokens.get(name) if isinstance(tokens, dict) else None
    return (
        nonce if isinstance(nonce, str) and nonce.isascii() else "",
        token if isinstance(token, str) else "",
    )


def write_tokens(newest_first: Mapping[str, str]) -> None:
    """Replace the tokens, and leave out the oldest where they are too many or too long.

    :raises SessionFull: not even the newest has room in the cookie.
    """
    tokens = dict(list(newest_first.items())[:MOST_TOKENS])
    while len(tokens) > 1 and _cookie_size({TOKENS_KEY: tokens}) > LONGEST_COOKIE:
        tokens.popitem()
    _check_size({TOKENS_KEY: tokens})
    # Replaced: a session does not notice when a value in it is mutated.
    real_session()[TOKENS_KEY] = tokens


def check_room(name: str) -> None:
    """Return if there is room for one more token, at the cost of others if need be.

    :param name: under which it would be kept.
    :raises SessionFull: there is none.
    """
    # Random, as signatures are: anything else would compress.
    token = secrets.token_urlsafe(LONGEST_TOKEN)[:LONGEST_TOKEN]
    _check_size({TOKENS_KEY: {name: token}})


def renew_id() -> None:
    """Have the session go on under a new id, where its interface can do that.

    Whoever knew the old one does not get what was proved since (ASVS 7.2.4).
    """
    regenerate = getattr(real_app().session_interface, "regenerate", None)
    if regenerate is None:
        return
    try:
        regenerate(real_session())
    except Exception as error:
        # The code is spent by now: to fail would have the person enter another one.
        records.SessionNotRenewed(error=type(error).__name__).log()


def nonce_as_sent() -> str:
    """Return the nonce in the session as the browser sent it, whatever came since.

    An app may have cleared the session before it tells us that somebody signs out.
    """
    app = real_app()
    sent = app.session_interface.open_session(app, real_request())
    nonce = sent.get(NONCE_KEY) if sent else None
    return nonce if isinstance(nonce, str) else ""


def drop() -> str:
    """Leave nothing of ours in the session; return the nonce that was there."""
    nonce, session = read_nonce(), real_session()
    for key in (NONCE_KEY, TOKENS_KEY):
        # A pop marks the session as modified, and so sends a cookie, even when there
        # is nothing to pop.
        if key in session:
            del session[key]
    return nonce


def _check_size(more: Mapping[str, Any]) -> None:
    size = _cookie_size(more)
    if size > LONGEST_COOKIE:
        records.SessionFull(size=size).log()
        raise SessionFull("no room in the session cookie")


def _cookie_size(more: Mapping[str, Any]) -> int:
    """Return how many bytes the session's cookie would have with these items.

    0 where the session is kept on the server. Browsers drop a cookie of more than
    4,096 bytes without a word, and with it the sign-in.
    """
    app = real_app()
    make_serializer = getattr(app.session_interface, "get_signing_serializer", None)
    serializer = make_serializer and make_serializer(app)
    if not serializer:
        return 0
    value: str = serializer.dumps({**real_session(), **more})
    return len(app.session_interface.get_cookie_name(app)) + 1 + len(value)

"""Who is signed in at Clerk, by the session token of the current request."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from typing import Any

from flask import request

from .clerk import ClerkBackendAPI
from .clerk import PublishedKeys
from .client import is_bearer
from .errors import ConfigurationError
from .errors import InvalidToken
from .session_token import LONGEST_TOKEN
from .session_token import SessionTokens
from .settings import Settings
from .subject import Subject

log = logging.getLogger("flask_stepup")

#: Clerk's cookie, and the same with a suffix that stands for the instance where several
#: share a host.
_COOKIE = re.compile(r"__session(_[A-Za-z0-9_-]+)?")
#: Three parts (RFC 7515, 7.1); what is anything else was never a token.
_SHAPE = re.compile(rf"(?=.{{5,{LONGEST_TOKEN}}}$)[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
#: Tokens of one request that are looked at.
MOST_TOKENS = 8


class ClerkSession:
    """A subject loader: reads Clerk's session token.

    A bearer token decides alone, good or bad. Without one it is the cookies: of several
    that are good, the one issued last, unless they name different people, one of whom
    somebody else has put there.

    :param tokens: tells which tokens are authentic.
    """

    def __init__(self, tokens: SessionTokens) -> None:
        self._tokens = tokens

    def __call__(self) -> Subject | None:
        """Return who is signed in; None for nobody, and for a token that is no good."""
        return _subject(self._latest(_tokens()))

    def expired_subject(self, max_age: float) -> Subject | None:
        """Return who was signed in until lately, by an expired cookie of Clerk's.

        Clerk's JavaScript renews the cookie every minute, on pages that it runs on.

        :param max_age: seconds since the cookie may have expired.
        :returns: a subject without factor ages; None where a bearer token came, or a
            cookie that is still good.
        """
        if is_bearer() or self():
            return None
        claims = self._latest(_tokens(), expired_for=max_age)
        return _subject(claims and {**claims, "fva": None})

    def _latest(
        self, tokens: Iterable[str], expired_for: float = 0
    ) -> dict[str, Any] | None:
        good = []
        for token in tokens:
            try:
                good.append(self._tokens.read(token, expired_for=expired_for))
            except InvalidToken as error:
                log.debug("a session token is not good: %s", error)
        if len({claims["sub"] for claims in good}) > 1:
            log.warning("session tokens of different people came in one request")
            return None
        return max(good, key=lambda claims: claims.get("iat", 0), default=None)


def clerk_session(settings: Settings, api: ClerkBackendAPI | None) -> ClerkSession:
    """Return the subject loader of an app.

    :param api: where the keys are published, for when there is no PEM.
    :raises ConfigurationError: there is neither, the PEM cannot be used, or PyJWT is
        missing.
    """
    keys = settings.clerk_jwt_key or (api and PublishedKeys(api))
    if not keys:
        raise ConfigurationError(
            "nothing can verify the session tokens of Clerk: set STEPUP_CLERK_JWT_KEY, "
            "or STEPUP_CLERK_SECRET_KEY to have the keys fetched"
        )
    return ClerkSession(
        SessionTokens(
            keys,
            authorized_parties=settings.clerk_authorized_parties,
            leeway=settings.clock_leeway,
        )
    )


def _tokens() -> list[str]:
    """The tokens of the current request, each once."""
    if is_bearer():
        bearer = request.authorization
        return [bearer.token] if bearer and bearer.token else []
    # The plain name sorts first: it is never crowded out by what others have put there.
    names = sorted(filter(_COOKIE.fullmatch, request.cookies))
    values = (value for name in names for value in request.cookies.getlist(name))
    # Clerk sets both cookies, and to the same token.
    return list(dict.fromkeys(filter(_SHAPE.fullmatch, values)))[:MOST_TOKENS]


def _subject(claims: dict[str, Any] | None) -> Subject | None:
    if claims is None:
        return None
    ages = claims.get("fva")
    return Subject(
        claims["sub"],
        session_id=claims["sid"],
        factor_ages=tuple(ages) if isinstance(ages, list) else None,
        impersonated=claims.get("act") is not None,
        stated_at=claims.get("iat"),
    )

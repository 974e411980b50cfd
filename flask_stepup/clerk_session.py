"""Who is signed in at Clerk, by the session token of the current request."""

from __future__ import annotations

import re
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any
from typing import TYPE_CHECKING

from flask import request

from . import records
from .client import is_bearer
from .errors import ConfigurationError
from .errors import InvalidToken
from .session_token import LONGEST_TOKEN
from .session_token import SessionTokens
from .settings import Settings
from .subject import Subject

if TYPE_CHECKING:
    from .clerk import ClerkBackendAPI
    from .clerk import PublishedKeys

#: Clerk's cookie, and the same with a suffix that stands for the instance where several
#: share a host.
_COOKIE = re.compile(r"__session(_[A-Za-z0-9_-]+)?")
#: Three parts (RFC 7515, 7.1); what is anything else was never a token.
_SHAPE = re.compile(rf"(?=.{{5,{LONGEST_TOKEN}}}$)[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
#: Tokens of one request. With more of them nobody is signed in: somebody has put them
#: there, to crowd out the one that counts.
MOST_TOKENS = 8


class ClerkSession:
    """A subject loader: reads Clerk's session token.

    A bearer token decides alone, good or bad. Without one it is the cookies: of several
    that are good, the one issued last. Where they name different people it is nobody:
    one of them was put there by somebody else.

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

    def named_subjects(self, max_age: float) -> list[Subject]:
        """Return all whom authentic tokens of the request name, expired ones too.

        :param max_age: seconds since they may have expired.
        """
        named = (_subject(claims) for claims in self._good(_all_tokens(), max_age))
        return [subject for subject in named if subject]

    def _latest(
        self, tokens: Collection[str], expired_for: float = 0
    ) -> dict[str, Any] | None:
        if len(tokens) > MOST_TOKENS:
            records.TooManySessionTokens(count=len(tokens)).log()
            return None
        good = list(self._good(tokens, expired_for))
        if len({claims["sub"] for claims in good}) > 1:
            records.SessionTokensDisagree().log()
            return None
        return max(good, key=lambda claims: claims.get("iat", 0), default=None)

    def _good(
        self, tokens: Iterable[str], expired_for: float
    ) -> Iterator[dict[str, Any]]:
        for token in tokens:
            try:
                yield self._tokens.read(token, expired_for=expired_for)
            except InvalidToken as error:
                records.SessionTokenRefused(reason=str(error)).log()


def clerk_session(settings: Settings, api: ClerkBackendAPI | None) -> ClerkSession:
    """Return the subject loader of an app.

    :param api: where the keys are published, for when there is no PEM.
    :raises ConfigurationError: there is neither, the PEM cannot be used, or PyJWT is
        missing.
    """
    keys = settings.clerk_jwt_key or (api and _published_keys(api))
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


def _published_keys(api: ClerkBackendAPI) -> PublishedKeys:
    from .clerk import PublishedKeys

    return PublishedKeys(api)


def _tokens() -> list[str]:
    """The tokens that tell who is signed in."""
    return _bearer_tokens() if is_bearer() else _cookie_tokens()


def _all_tokens() -> list[str]:
    return [*_bearer_tokens(), *_cookie_tokens()]


def _bearer_tokens() -> list[str]:
    bearer = request.authorization if is_bearer() else None
    return [bearer.token] if bearer and bearer.token else []


def _cookie_tokens() -> list[str]:
    names = filter(_COOKIE.fullmatch, request.cookies)
    values = (value for name in names for value in request.cookies.getlist(name))
    # Each once: Clerk sets both cookies, and to the same token.
    return list(dict.fromkeys(filter(_SHAPE.fullmatch, values)))


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

"""Which subject loader an app has: its own, Clerk's session token, or Flask-Login."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from flask import Flask

from .clerk_session import clerk_session
from .clerk_session import ClerkSession
from .errors import ConfigurationError
from .settings import Settings
from .subject import FlaskLogin
from .subject import SubjectLoader

if TYPE_CHECKING:
    from .clerk import ClerkBackendAPI

FindLoader = Callable[[], SubjectLoader]


def loader_finder(
    app: Flask,
    settings: Settings,
    api: ClerkBackendAPI | None,
    own: Callable[[], SubjectLoader | None],
) -> FindLoader:
    """Return a function that finds the loader.

    It is asked at each request: a loader of the app's own, and Flask-Login, may be set
    up after us.

    :param api: Clerk's backend, where there is a key for it.
    :param own: finds the app's own loader, which goes before all others.
    :raises ConfigurationError: session tokens of Clerk are wanted and cannot be read.
    """

    # No lock: in a process that was forked meanwhile it would be held by nobody. Two
    # threads at once may make two, of which one is kept.
    @cache
    def clerk() -> ClerkSession:
        return clerk_session(settings, api)

    is_wanted = bool(settings.clerk_jwt_key or settings.clerk_authorized_parties)

    def is_asked() -> bool:
        # With nothing but a secret key, Clerk may be there to check codes alone.
        return is_wanted or (api is not None and not hasattr(app, "login_manager"))

    if is_asked() and own() is None:
        # Now rather than in a request: what is wrong is told at once, and a fork cannot
        # come in the middle of importing PyJWT.
        try:
            clerk()
        except ConfigurationError:
            if is_wanted:
                raise

    login = FlaskLogin()

    def find() -> SubjectLoader:
        loader = own()
        if loader is not None:
            return loader
        return clerk() if is_asked() else login

    return find

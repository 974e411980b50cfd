"""Which subject loader an app has: its own, Clerk's session token, or Flask-Login."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from flask import Flask

from .clerk import ClerkBackendAPI
from .clerk_session import clerk_session
from .clerk_session import ClerkSession
from .settings import Settings
from .subject import SubjectLoader

FindLoader = Callable[[], SubjectLoader | None]


def loader_finder(
    app: Flask, settings: Settings, api: ClerkBackendAPI | None, own: FindLoader
) -> FindLoader:
    """Return a function that finds the loader; None from it is Flask-Login.

    It is asked at each request: a loader of the app's own, and Flask-Login, may be set
    up after us.

    :param api: Clerk's backend, where there is a key for it.
    :param own: finds the app's own loader, which goes before all others.
    :raises ConfigurationError: session tokens of Clerk are wanted and cannot be read.
    """

    # Two threads at once may make two of it, each with keys of its own, one of which is
    # kept. A lock could be held by nobody in a process that was forked meanwhile.
    @cache
    def clerk() -> ClerkSession:
        return clerk_session(settings, api)

    is_wanted = settings.clerk_jwt_key or settings.clerk_authorized_parties
    if is_wanted and not own():
        clerk()  # to fail at once, if at all

    def find() -> SubjectLoader | None:
        if loader := own():
            return loader
        # With nothing but a secret key, Clerk may be there to check codes alone.
        is_likely = api and not hasattr(app, "login_manager")
        return clerk() if is_wanted or is_likely else None

    return find

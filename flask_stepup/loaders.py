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


def loader_finder(app: Flask, settings: Settings, own: FindLoader) -> FindLoader:
    """Return a function that finds the loader; None from it is Flask-Login.

    It is asked at each request: a loader of the app's own, and Flask-Login, may be set
    up after us.

    :param own: finds the app's own loader, which goes before all others.
    :raises ConfigurationError: session tokens of Clerk are wanted and cannot be read.
    """

    @cache
    def clerk() -> ClerkSession:
        return clerk_session(settings, _backend_api(settings))

    is_wanted = settings.clerk_jwt_key or settings.clerk_authorized_parties
    if is_wanted and not own():
        clerk()  # to fail at once, if at all

    def find() -> SubjectLoader | None:
        if loader := own():
            return loader
        # With nothing but a secret key, Clerk may be there to check codes alone.
        is_likely = settings.clerk_secret_key and not hasattr(app, "login_manager")
        return clerk() if is_wanted or is_likely else None

    return find


def _backend_api(settings: Settings) -> ClerkBackendAPI | None:
    if settings.clerk_jwt_key or not settings.clerk_secret_key:
        return None
    return ClerkBackendAPI(
        settings.clerk_secret_key,
        base_url=settings.clerk_api_url,
        timeout=settings.clerk_timeout,
    )

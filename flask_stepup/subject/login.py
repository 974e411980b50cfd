"""Flask-Login's user as the subject."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import current_app
from flask import Flask
from flask import session

from ..client import keeps_cookies
from ..errors import ConfigurationError
from .subject import Subject


class FlaskLogin:
    """A subject loader: takes the person whom Flask-Login has signed in.

    Without any loader this is how it goes; give it where the verifier knows people by
    another name than Flask-Login does::

        StepUp(app, subject_loader=FlaskLogin(attribute="clerk_id"))

    :param attribute: of ``current_user``, or a method, that has the user id as the
        verifier knows it; None takes ``get_id()``.
    """

    def __init__(self, attribute: str | None = None) -> None:
        if attribute is not None and not (
            isinstance(attribute, str) and attribute.isidentifier()
        ):
            raise ConfigurationError(
                f"attribute={attribute!r} names no attribute of a user: use a name "
                "such as 'clerk_id'"
            )
        self._attribute = attribute

    def __call__(self) -> Subject | None:
        """Return who is signed in, None for nobody.

        :raises ConfigurationError: the app has no Flask-Login, or the user no such
            attribute, or nothing in it.
        """
        if not hasattr(current_app, "login_manager"):
            raise ConfigurationError(
                "nobody can tell who is signed in: pass subject_loader= to StepUp, "
                "register one with @stepup.subject_loader, set Flask-Login up, or have "
                "the session tokens of Clerk read by setting STEPUP_CLERK_JWT_KEY"
            )
        from flask_login import current_user

        if not current_user.is_authenticated:
            return None
        # Flask-Login's id of the sign-in: another one follows when the person signs in
        # again from another browser or address. It names no session that could bind
        # what has no nonce: all sign-ins from one browser have the same.
        session_id = session.get("_id") if keeps_cookies() else None
        # An app may keep something else under that name.
        is_its = isinstance(session_id, str)
        return Subject(self._user_id(current_user), session_id if is_its else None)

    def _user_id(self, user: Any) -> Any:
        if self._attribute is None:
            return user.get_id()
        value = getattr(user, self._attribute, None)
        user_id = value() if callable(value) else value
        # Not nobody: a person who is signed in would be sent to sign in for ever.
        if user_id is None or user_id == "":
            raise ConfigurationError(
                f"the user {user.get_id()!r} is signed in and has no "
                f"{self._attribute}, by which the verifier would know them: let every "
                "user have one before they reach a guarded view, or mend attribute= of "
                "FlaskLogin"
            )
        return user_id


def follow_logout(app: Flask, receiver: Callable[..., None]) -> None:
    """Have ``receiver`` called when Flask-Login signs somebody out of the app."""
    from flask_login import user_logged_out

    user_logged_out.connect(receiver, app)

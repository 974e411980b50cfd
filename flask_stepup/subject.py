"""Who is asking: a subject, from a callable or from Flask-Login's current user."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import Any
from typing import Protocol
from typing import runtime_checkable
from typing import TypeVar

from flask import current_app
from flask import Flask
from flask import session

from .client import keeps_cookies
from .errors import ConfigurationError


@dataclass(frozen=True, slots=True, init=False)
class Subject:
    """A signed-in person.

    :param user_id: as the verifier knows the person; an int becomes text.
    :param session_id: the identity provider's session, where there is one. Markers
        and challenges are bound to it, and ``forget`` ends what claims prove in it.
    :param factor_ages: whole minutes since the first and second factor were proved
        to the identity provider; -1 is a factor that is not enrolled.
    :param impersonated: somebody else acts in this person's name.
    :param stated_at: when the identity provider stated the factor ages, in seconds
        since the epoch; None is now.
    """

    user_id: str
    session_id: str | None
    factor_ages: Sequence[int] | None
    impersonated: bool
    stated_at: float | None

    def __init__(
        self,
        user_id: str | int,
        session_id: str | None = None,
        factor_ages: Sequence[int] | None = None,
        impersonated: bool = False,
        stated_at: float | None = None,
    ) -> None:
        # Written out, so that an int is accepted and text is what comes out.
        object.__setattr__(self, "user_id", _checked_user_id(user_id))
        object.__setattr__(self, "session_id", _checked_session_id(session_id))
        object.__setattr__(self, "factor_ages", factor_ages)
        object.__setattr__(self, "impersonated", impersonated)
        object.__setattr__(self, "stated_at", _checked_time(stated_at))


#: What a subject loader may return; None is nobody.
Loaded = Subject | str | int | None
SubjectLoader = Callable[[], Loaded]


@runtime_checkable
class RemembersExpired(Protocol):
    """A subject loader whose proof of who is asking expires while a prompt is open."""

    def expired_subject(self, max_age: float) -> Subject | None:
        """Return whom an expired proof names, none older than ``max_age`` seconds.

        Such a subject has no factor ages: only who it was is believed.
        """
        ...

    def named_subjects(self, max_age: float) -> list[Subject]:
        """Return all whom authentic proofs in the request name, expired ones too."""
        ...


F = TypeVar("F", bound=Callable[..., Any])


def checked_loader(loader: F) -> F:
    """Return the callable.

    :raises ConfigurationError: it is none that can be called at each request.
    """
    if not callable(loader) or iscoroutinefunction(loader):
        raise ConfigurationError(
            "subject_loader must be a plain function, which returns a Subject, a user "
            "id, or None for nobody"
        )
    return loader


def load_subject(loader: SubjectLoader | None) -> Subject | None:
    """Return who is asking, None for nobody.

    :param loader: your callable; without one Flask-Login is asked.
    :raises ConfigurationError: neither is there, or the callable returned something
        that names nobody.
    """
    if loader is None:
        return _flask_login_subject()
    loaded = loader()
    if loaded is None or isinstance(loaded, Subject):
        return loaded
    return Subject(loaded)


def follow_logout(app: Flask, receiver: Callable[..., None]) -> None:
    """Have ``receiver`` called when Flask-Login signs somebody out of the app."""
    from flask_login import user_logged_out

    user_logged_out.connect(receiver, app)


def _flask_login_subject() -> Subject | None:
    if not hasattr(current_app, "login_manager"):
        raise ConfigurationError(
            "nobody can tell who is signed in: pass subject_loader= to StepUp, "
            "register one with @stepup.subject_loader, set Flask-Login up, or have the "
            "session tokens of Clerk read by setting STEPUP_CLERK_JWT_KEY"
        )
    from flask_login import current_user

    if not current_user.is_authenticated:
        return None
    # Flask-Login's id of the sign-in: another one follows when the person signs in
    # again from another browser or address. It names no session that could bind what
    # has no nonce: all sign-ins from one browser have the same.
    session_id = session.get("_id") if keeps_cookies() else None
    # An app may keep something else under that name.
    is_its = isinstance(session_id, str)
    return Subject(current_user.get_id(), session_id if is_its else None)


def _checked_user_id(user_id: object) -> str:
    if isinstance(user_id, bool) or not isinstance(user_id, str | int):
        raise ConfigurationError(
            f"a user id must be text or a whole number, not {type(user_id).__name__}: "
            "let the subject_loader return that, a Subject, or None for nobody"
        )
    if user_id == "":
        raise ConfigurationError(
            "a user id cannot be empty: let the subject_loader return None for nobody"
        )
    return str(user_id)


def _checked_session_id(session_id: object) -> str | None:
    if session_id is not None and not isinstance(session_id, str):
        raise ConfigurationError(
            f"session_id must be text or None, not {type(session_id).__name__}"
        )
    return session_id or None


def _checked_time(at: object) -> float | None:
    if at is None:
        return None
    if isinstance(at, int | float) and not isinstance(at, bool) and 0 <= at < 2**53:
        return at
    raise ConfigurationError(
        "stated_at must be seconds since the epoch, or None for now, "
        f"not {type(at).__name__}"
    )

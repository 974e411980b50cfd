"""Who is asking: one signed-in person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import ConfigurationError


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

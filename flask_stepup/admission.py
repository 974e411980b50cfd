"""Who is let near the gate at all: people who are signed in, in their own name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import records
from .errors import ImpersonationRefused
from .errors import Unauthenticated
from .policy_fields import LONGEST_MAX_AGE
from .subject import FlaskLogin
from .subject import load_subject
from .subject import RemembersExpired
from .subject import Subject
from .subject import SubjectLoader


@dataclass(frozen=True, slots=True)
class Admission:
    """Who is asking, and whether they may.

    :param find_loader: asked at each request: a loader may be registered after the app.
    :param allow_impersonation: whether somebody may act in another person's name.
    """

    find_loader: Callable[[], SubjectLoader]
    allow_impersonation: bool

    def subject(self) -> Subject:
        """Return who is asking.

        :raises Unauthenticated: nobody is signed in.
        :raises ImpersonationRefused: somebody is, in another person's name.
        """
        return self._admitted(load_subject(self.find_loader()))

    def expired_subject(self, max_age: float) -> Subject:
        """Return who was asking until lately, where the loader remembers.

        :param max_age: seconds since the proof of who it is may have expired.
        :raises Refusal: as :meth:`subject` does.
        """
        loader = self.find_loader()
        if not isinstance(loader, RemembersExpired):
            raise Unauthenticated
        return self._admitted(loader.expired_subject(max_age))

    def leaving(self) -> list[Subject]:
        """All whom the request names: whoever sent a proof of who it is may end it."""
        loader = self.find_loader()
        if isinstance(loader, FlaskLogin):
            # With Flask-Login all that was proved is bound to the session's nonce.
            return []
        try:
            if isinstance(loader, RemembersExpired):
                return loader.named_subjects(LONGEST_MAX_AGE)
            subject = load_subject(loader)
            return [subject] if subject else []
        except Exception as error:
            # The app has signed the person out by now, for which its loader may not be
            # made. That must not keep anybody from leaving.
            records.LeavingUnknown(error=type(error).__name__).log()
            return []

    def _admitted(self, subject: Subject | None) -> Subject:
        if subject is None:
            raise Unauthenticated
        if subject.impersonated and not self.allow_impersonation:
            raise ImpersonationRefused
        return subject

"""Per-app state: is the policy met, and what begins or ends elevation."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field

from flask import current_app
from flask import Flask
from flask import has_request_context

from .assessment import assess
from .assessment import Assessment
from .elevation import Elevation
from .errors import ConfigurationError
from .errors import ImpersonationRefused
from .errors import Unauthenticated
from .ledger import Ledger
from .ledger import Standing
from .marker import Binding
from .policy import Level
from .policy import LONGEST_MAX_AGE
from .policy import Policy
from .required import ReverificationRequired
from .settings import Settings
from .signals import elevation_revoked
from .signals import reverification_required
from .signing import Signer
from .subject import load_subject
from .subject import RemembersExpired
from .subject import Subject
from .subject import SubjectLoader
from .verification import Verifier

log = logging.getLogger("flask_stepup")


@dataclass
class Gate:
    """What one app resolved from its configuration, and what is decided with it."""

    settings: Settings
    signer: Signer
    ledger: Ledger
    verifier: Verifier
    #: Asked at each request: a loader may be registered after the app.
    find_loader: Callable[[], SubjectLoader | None]
    elevation: Elevation = field(init=False)

    def __post_init__(self) -> None:
        leeway = self.settings.clock_leeway
        self.elevation = Elevation(self.signer, self.ledger, leeway)

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
        return self._admitted(_expired_subject(self.find_loader(), max_age))

    def require(self, policy: Policy) -> None:
        """Return if the person meets the policy.

        :raises Refusal: what to answer instead.
        """
        subject = self.subject()
        shortfall = self.assess(policy, subject).shortfall
        if shortfall:
            reverification_required.send(
                real_app(),
                user_id=subject.user_id,
                policy=policy,
                cause=shortfall.cause,
            )
            raise ReverificationRequired(policy, shortfall, subject)

    def assess(self, policy: Policy, subject: Subject) -> Assessment:
        """Return whether the policy is met, and by what. One ledger look-up.

        :raises LedgerUnavailable: it cannot be known.
        """
        binding = self.elevation.binding(subject)
        standing = self._standing(binding)
        marker = self.elevation.marker(binding, policy.scope)
        return assess(policy, subject, marker, standing, self.settings)

    def standing(self, subject: Subject) -> Standing:
        """Return what has been revoked for this person and session.

        :raises LedgerUnavailable: it cannot be known.
        """
        return self._standing(self.elevation.binding(subject))

    def grant(self, level: Level, scope: str) -> str | None:
        """Stamp factors that the app itself has just checked.

        :returns: as :meth:`Elevation.grant` does.
        :raises Refusal: nobody is signed in, or the ledger cannot answer.
        """
        subject = self.subject()
        self.elevation.bind(subject)
        return self.elevation.grant(subject, level, scope, self.standing(subject))

    def forget(self) -> None:
        """End this session's elevation; see :meth:`Elevation.forget`."""
        if has_request_context() and self.elevation.forget(self._leaving()):
            elevation_revoked.send(real_app(), user_id=None)

    def revoke(self, user_id: str | int) -> None:
        """End this user's elevation everywhere.

        :raises LedgerUnavailable: it has not ended.
        """
        user_id = Subject(user_id).user_id
        self.ledger.revoke_user(user_id)
        elevation_revoked.send(real_app(), user_id=user_id)

    def unlock(self, user_id: str | int) -> None:
        """Lift this user's lock-out.

        :raises LedgerUnavailable: it has not been lifted.
        """
        self.ledger.clear(Subject(user_id).user_id)

    def _standing(self, binding: Binding) -> Standing:
        nonce = binding.nonce or ""
        return self.ledger.standing(binding.user_id, nonce, binding.session_id)

    def _admitted(self, subject: Subject | None) -> Subject:
        if subject is None:
            raise Unauthenticated
        if subject.impersonated and not self.settings.allow_impersonation:
            raise ImpersonationRefused
        return subject

    def _leaving(self) -> list[Subject]:
        """All whom the request names: whoever sent a proof of who it is may end it."""
        loader = self.find_loader()
        if loader is None:
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
            log.info("nobody to forget but a session: %s", type(error).__name__)
            return []


def real_app() -> Flask:
    """The app itself: a signal sent with the proxy as sender reaches nobody."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    return app


def current_gate() -> Gate:
    """Return the gate of the current app.

    :raises ConfigurationError: the app has none.
    """
    gate = current_app.extensions.get("stepup")
    if not isinstance(gate, Gate):
        raise ConfigurationError(
            "this app has no StepUp: call StepUp(app), or stepup.init_app(app)"
        )
    return gate


def _expired_subject(loader: SubjectLoader | None, max_age: float) -> Subject | None:
    if isinstance(loader, RemembersExpired):
        return loader.expired_subject(max_age)
    return None

"""Per-app state: is the policy met, and what begins or ends elevation."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace

from flask import has_request_context

from . import records
from .admission import Admission
from .approvals import Approvals
from .assessment import assess
from .assessment import Assessment
from .current import real_app
from .elevation import Elevation
from .inquiry import Inquiry
from .keeping import Keeping
from .ledger import Ledger
from .ledger import Standing
from .marker import Operation
from .passing import Passing
from .policy import Level
from .policy import Policy
from .reason import reason_text
from .required import ReverificationRequired
from .settings import Settings
from .signals import elevation_revoked
from .signals import reverification_required
from .signing import Signer
from .subject import Subject
from .verification import Verifier


@dataclass
class Gate:
    """What one app resolved from its configuration, and what is decided with it."""

    settings: Settings
    signer: Signer
    ledger: Ledger
    verifier: Verifier
    admission: Admission
    inquiry: Inquiry = field(init=False)
    keeping: Keeping = field(init=False)
    elevation: Elevation = field(init=False)
    approvals: Approvals = field(init=False)
    passing: Passing = field(init=False)

    def __post_init__(self) -> None:
        leeway = self.settings.clock_leeway
        self.inquiry = Inquiry(self.ledger, leeway)
        self.keeping = Keeping(self.signer, leeway)
        self.elevation = Elevation(self.keeping, self.inquiry, self.ledger)
        self.approvals = Approvals(
            self.keeping, self.inquiry, self.signer, self.settings
        )
        self.passing = Passing(self.inquiry, leeway)

    def subject(self) -> Subject:
        """Return who is asking.

        :raises Unauthenticated: nobody is signed in.
        :raises ImpersonationRefused: somebody is, in another person's name.
        """
        return self.admission.subject()

    def expired_subject(self, max_age: float) -> Subject:
        """Return who was asking until lately, where the loader remembers.

        :param max_age: seconds since the proof of who it is may have expired.
        :raises Refusal: as :meth:`subject` does.
        """
        return self.admission.expired_subject(max_age)

    def require(self, policy: Policy) -> None:
        """Return if the person meets the policy, by spending an approval if need be.

        :raises Refusal: what to answer instead.
        """
        subject, action, told = self.admission.subject(), None, None
        if policy.needs_approval:
            binding = self.elevation.binding(subject)
            action, shortfall = self.approvals.spend(policy, subject, binding)
        elif self.passing.lets_by(policy, subject):
            return
        else:
            binding = self.elevation.binding(subject)
            shortfall, _, standing = self.assess(policy, subject)
            told = binding, standing
        if shortfall:
            if callable(policy.reason):
                policy = replace(policy, reason=reason_text(policy.reason))
            reverification_required.send(
                real_app(),
                user_id=subject.user_id,
                policy=policy,
                cause=shortfall.cause,
            )
            refusal = ReverificationRequired(policy, shortfall, subject, action)
            refusal.told = told
            raise refusal

    def is_met(self, policy: Policy) -> bool:
        """Whether the person meets the policy; nothing is spent.

        :raises Refusal: it cannot be known, or nobody is signed in.
        """
        subject = self.subject()
        if policy.needs_approval:
            binding = self.elevation.binding(subject)
            return self.approvals.is_approved(policy, subject, binding)
        if self.passing.lets_by(policy, subject):
            return True
        return self.assess(policy, subject).shortfall is None

    def assess(
        self,
        policy: Policy,
        subject: Subject,
        operation: Operation | None = None,
        *,
        tells_spent: bool = False,
    ) -> Assessment:
        """Return whether the policy is met, and by what. One ledger look-up.

        :param operation: that is to be approved, where the policy needs that.
        :param tells_spent: whether the standing tells which approvals of the session
            are spent, which those who grant want to know.
        :raises LedgerUnavailable: it cannot be known.
        """
        binding = self.elevation.binding(subject)
        if operation:
            return self.approvals.assess(policy, subject, binding, operation)
        ids = self.approvals.ids(binding) if tells_spent else ()
        standing = self.inquiry.standing(binding, ids)
        markers = self.keeping.of_ledger(
            self.keeping.markers(binding, policy.scope), standing.ledger_id
        )
        assessment = assess(policy, subject, markers, standing, self.settings)
        if not assessment.shortfall:
            self.passing.remember(binding, policy.scope, markers, standing)
        return assessment

    def standing(self, subject: Subject) -> Standing:
        """Return what has been revoked for this person and session.

        :raises LedgerUnavailable: it cannot be known.
        """
        binding = self.elevation.binding(subject)
        return self.inquiry.standing(binding, self.approvals.ids(binding))

    def grant(self, level: Level, scope: str) -> str | None:
        """Stamp factors that the app itself has just checked.

        :returns: as :meth:`Elevation.grant` does.
        :raises Refusal: nobody is signed in, or the ledger cannot answer.
        :raises SessionFull: the session's cookie has no room for a marker.
        """
        subject = self.subject()
        self.elevation.bind(subject)
        return self.elevation.grant(subject, level, scope, self.standing(subject))

    def forget(self) -> None:
        """End this session's elevation; see :meth:`Elevation.forget`."""
        if has_request_context() and self.elevation.forget(self.admission.leaving()):
            records.ElevationRevoked(user_id=None).log()
            elevation_revoked.send(real_app(), user_id=None)

    def revoke(self, user_id: str | int) -> None:
        """End this user's elevation everywhere.

        :raises LedgerUnavailable: it has not ended.
        """
        user_id = Subject(user_id).user_id
        self.ledger.revoke_user(user_id)
        records.ElevationRevoked(user_id=user_id).log()
        elevation_revoked.send(real_app(), user_id=user_id)

    def unlock(self, user_id: str | int) -> None:
        """Lift this user's lock-out.

        :raises LedgerUnavailable: it has not been lifted.
        """
        user_id = Subject(user_id).user_id
        self.ledger.clear(user_id)
        records.LockOutLifted(user_id=user_id).log()

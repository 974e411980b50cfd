"""Approvals: which serve what is about to be done, and that each does so once."""

from __future__ import annotations

import time
from collections.abc import Collection

from flask import request

from . import records
from .action import Action
from .action import current_action
from .assessment import assess
from .assessment import Assessment
from .binding import Binding
from .errors import ConfigurationError
from .errors import LedgerUnavailable
from .inquiry import Inquiry
from .keeping import Keeping
from .ledger import Standing
from .marker import Approval
from .marker import Operation
from .policy import is_current
from .policy import Policy
from .policy import Shortfall
from .policy import unsafe_only
from .policy_fields import SAFE_METHODS
from .proofs import SECOND
from .settings import Settings
from .signing import Signer
from .subject import Subject
from .suspension import suspend
from .suspension import tie_of

#: On the request, and with it at an end: what this run has spent.
_SPENT = "_stepup_spent"


def name_of_void(operation_id: str) -> str:
    """What is spent in the ledger to void an operation; no approval has such an id."""
    return f"{operation_id}!"


class Approvals:
    """The approvals of the current request's session."""

    def __init__(
        self, keeping: Keeping, inquiry: Inquiry, signer: Signer, settings: Settings
    ) -> None:
        self._signer = signer
        self._keeping = keeping
        self._inquiry = inquiry
        self._settings = settings

    def spend(
        self, policy: Policy, subject: Subject, binding: Binding
    ) -> tuple[Action, Shortfall | None]:
        """Spend one approval of what is about to be done, for the run that follows.

        :returns: that action, and what is lacking; None where it is approved.
        :raises ValueRefused: a value to be approved is unclear.
        :raises LedgerUnavailable: it cannot be known.
        """
        if request.method in SAFE_METHODS:
            raise unsafe_only()
        action = self._action(policy)
        # One run is one approval, however often its view asks for it.
        spent = request.__dict__.setdefault(_SPENT, {})
        serving = spent.get((subject.user_id, action.digest))
        if serving:
            is_current = self._is_current(serving, policy)
            return action, None if is_current else Shortfall(SECOND, "expired")
        approval, shortfall = self._spend(policy, subject, binding, action.digest)
        if approval:
            spent[subject.user_id, action.digest] = approval
        elif spent:
            raise ConfigurationError(
                "this run of the view has spent an approval, and now asks for another, "
                "so that both can never be had: ask for one, with all that it binds"
            )
        return action, shortfall

    def is_approved(self, policy: Policy, subject: Subject, binding: Binding) -> bool:
        """Whether there is an approval of what is about to be done; none is spent.

        :raises Refusal: it cannot be known.
        """
        if request.method in SAFE_METHODS:
            return False
        serving = self._serving(binding, self._action(policy).digest)
        standing = self._inquiry.standing(binding, self.ids(binding))
        return self._assess(policy, subject, serving, standing).shortfall is None

    def assess(
        self, policy: Policy, subject: Subject, binding: Binding, operation: Operation
    ) -> Assessment:
        """Return whether the approval of just this operation is there, and not spent.

        :raises LedgerUnavailable: it cannot be known.
        """
        ids = self.ids(binding) | {operation.id, name_of_void(operation.id)}
        approvals = self._keeping.approvals(binding)
        serving = [a for a in approvals if a.operation == operation]
        standing = self._inquiry.standing(binding, ids)
        return self._assess(policy, subject, serving, standing)

    def void(self, binding: Binding, operation: Operation, standing: Standing) -> None:
        """Have nobody approve this operation any more; it has to be asked for anew.

        After too many failures nothing goes on from where it was (OWASP, Transaction
        Authorization, 2.4).
        """
        try:
            self._inquiry.spend(binding, {name_of_void(operation.id): standing.origin})
        except LedgerUnavailable as error:
            user_id, reason = binding.user_id, error.reason
            records.OperationNotVoided(user_id=user_id, reason=reason).log()

    def ids(self, binding: Binding) -> set[str]:
        """The ids of all approvals of the session, spent ones too."""
        return {a.operation.id for a in self._keeping.approvals(binding)}

    def _action(self, policy: Policy) -> Action:
        return current_action(policy, self._signer, self._settings.is_secret)

    def _spend(
        self,
        policy: Policy,
        subject: Subject,
        binding: Binding,
        action: str,
    ) -> tuple[Approval | None, Shortfall | None]:
        approvals = self._serving(binding, action)
        # To look first and spend afterwards would let parallel requests through: it is
        # one step of the ledger.
        spending = self._inquiry.spend(
            binding,
            {
                approval.operation.id: approval.origin
                for approval in approvals
                if self._is_current(approval, policy)
            },
        )
        for approval in approvals:
            if approval.operation.id == spending.approval:
                if self._is_current(approval, policy, spending.standing):
                    return approval, None
        lacking = self._assess(policy, subject, approvals, spending.standing).shortfall
        # What no approval was spent for does not run, whatever the clock says by now.
        return None, lacking or Shortfall(SECOND, "expired")

    def _assess(
        self,
        policy: Policy,
        subject: Subject,
        approvals: Collection[Approval],
        standing: Standing,
    ) -> Assessment:
        ours = self._keeping.of_ledger(approvals, standing.ledger_id)
        return assess(policy, subject, ours, standing, self._settings)

    def _serving(self, binding: Binding, action: str) -> list[Approval]:
        """The approvals that are of the current request, the most exact ones first.

        Where no values are bound, what is in a form was not shown to anybody: who
        approved the form of one tab has not approved that of another.
        """
        approvals = [
            approval
            for approval in self._keeping.approvals(binding)
            if approval.operation.action == action
        ]
        ties = {approval.operation.tie for approval in approvals}
        if ties - {None}:
            tie = tie_of(suspend(self._settings), self._signer)
            approvals = [a for a in approvals if a.operation.tie in (None, tie)]
        return sorted(approvals, key=lambda a: (a.operation.tie is None, a.latest))

    def _is_current(
        self, approval: Approval, policy: Policy, standing: Standing | None = None
    ) -> bool:
        now, leeway = time.time(), self._settings.clock_leeway
        age = now - approval.latest
        if standing:
            age += standing.ahead_of(now, leeway)
        return is_current(age, policy.max_age, leeway)

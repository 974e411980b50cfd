"""Whom the gate has let pass before, and lets pass again, with little ado.

Nothing is decided here that was not decided before: this marker, of this person, in
this session and scope, has met a policy. What may have changed is looked at each time:
how old the marker is by now, and what the ledger says has been revoked.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import NamedTuple

from . import session_state
from .binding import Binding
from .client import is_bearer
from .inquiry import Inquiry
from .ledger import Standing
from .marker import Marker
from .policy import is_current
from .policy import LEVELS
from .policy import Policy
from .subject import Subject

#: Markers remembered per app; each is some hundred bytes.
REMEMBERED = 1_024


class _Passed(NamedTuple):
    """A marker that was good for something, and for what."""

    binding: Binding
    scope: str
    marker: Marker
    latest: int
    standing: Standing


class Passing:
    """Remembers the markers in browsers' sessions by which policies were met.

    Whatever is out of the ordinary is not known here, and has to be assessed: clients
    that keep no cookies, and people of whom an identity provider claims something.

    :param leeway: seconds that hosts' clocks may disagree.
    """

    def __init__(self, inquiry: Inquiry, leeway: float) -> None:
        self._ledger = inquiry.ledger
        self._inquiry = inquiry
        self._leeway = leeway
        #: By their tokens. Keys do not change while the app runs.
        self._passed: dict[str, _Passed] = {}

    def lets_by(self, policy: Policy, subject: Subject) -> bool:
        """Whether a marker meets the policy that did before; False: that is not known.

        :raises LedgerUnavailable: it cannot be known.
        """
        if is_bearer():
            return False
        nonce, token = session_state.read_nonce_and_token(policy.scope)
        passed = self._passed.get(token)
        if (
            passed is None
            or passed.binding != (subject.user_id, nonce, subject.session_id)
            or passed.scope != policy.scope
            or subject.factor_ages is not None
        ):
            return False
        now = time.time()
        return self._is_current(passed, policy, now) and (
            self._ledger.still_tells(passed.standing, now)
            or self._still_counts(passed, policy, token)
        )

    def remember(
        self,
        binding: Binding,
        scope: str,
        markers: Collection[Marker],
        standing: Standing,
    ) -> None:
        """Remember the marker in this session, by which a policy of this scope is met.

        :param markers: of that scope. Where there are several, none is remembered.
        :param standing: of this person and session.
        """
        if not binding.nonce or len(markers) != 1:
            return
        _, token = session_state.read_nonce_and_token(scope)
        (marker,) = markers
        if marker.counts_under(standing):
            passed = _Passed(binding, scope, marker, marker.latest, standing)
            self._remember(token, passed)

    def _is_current(
        self, passed: _Passed, policy: Policy, now: float, lag: float = 0.0
    ) -> bool:
        """Whether all factors that count are young enough.

        :param lag: seconds by which this host's clock is slow.
        """
        leeway = self._leeway
        for factor in LEVELS[policy.level]:
            at = passed.marker.proved_at[factor]
            if at is None or not is_current(now + lag - at, policy.max_age, leeway):
                return False
        # A factor that does not count here may have been proved in the future.
        return passed.latest - now <= leeway

    def _still_counts(self, passed: _Passed, policy: Policy, token: str) -> bool:
        told = self._inquiry.standing(passed.binding)
        if not passed.marker.counts_under(told):
            self._passed.pop(token, None)
            return False
        if told.holds:
            self._remember(token, passed._replace(standing=told))
        # By the time that it is now: the ledger may have taken some.
        now = time.time()
        lag = told.ahead_of(now, self._leeway)
        return self._is_current(passed, policy, now, lag)

    def _remember(self, token: str, passed: _Passed) -> None:
        if len(self._passed) >= REMEMBERED:
            self._passed.clear()
        self._passed[token] = passed

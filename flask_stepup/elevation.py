"""Elevation of a session: begun by a factor that was proved, and ended."""

from __future__ import annotations

import time
from collections.abc import Collection

from . import session_state
from .binding import Binding
from .client import keeps_cookies
from .inquiry import Inquiry
from .keeping import Keeping
from .keeping import name_of_approval
from .ledger import Ledger
from .ledger import Standing
from .marker import Approval
from .marker import Marker
from .marker import Operation
from .policy import Level
from .policy import LEVELS
from .proofs import FIRST
from .proofs import SECOND
from .subject import Subject


class Elevation:
    """What begins and ends elevation in the session of the current request."""

    def __init__(self, keeping: Keeping, inquiry: Inquiry, ledger: Ledger) -> None:
        self._keeping = keeping
        self._inquiry = inquiry
        self._ledger = ledger

    def binding(self, subject: Subject) -> Binding:
        """Return what tokens of this person in this session are bound to."""
        nonce = session_state.read_nonce() if keeps_cookies() else None
        return Binding(subject.user_id, nonce, subject.session_id)

    def bind(
        self, subject: Subject, told: tuple[Binding, Standing] | None = None
    ) -> Binding:
        """Return what a token made now is bound to; a new session gets its nonce.

        A revoked nonce, which an old cookie brought back, is replaced.

        :param told: what the ledger has told of whom in this request; it is asked
            where that was another session.
        :raises LedgerUnavailable: it cannot be known whether it is revoked.
        :raises SessionFull: the session's cookie has no room for a nonce.
        """
        binding = self.binding(subject)
        if binding.nonce:
            told_of, standing = told or (None, None)
            if standing is None or told_of != binding:
                standing = self._inquiry.standing(binding)
            if not standing.session_revoked:
                return binding
            session_state.drop()
            # Whoever ended it may not have known of the login: it is known now.
            self._end_login(subject)
        return self._ready(subject)

    def grant(
        self, subject: Subject, level: Level, scope: str, standing: Standing
    ) -> str | None:
        """Stamp the factors of ``level`` as proved now, under what is revoked so far.

        A factor proved earlier in this scope keeps its time.

        :returns: the marker's token for a client that has to keep it itself; None where
            the session keeps it, and where there is no session to bind it to.
        :raises SessionFull: the session's cookie has no room for it.
        """
        binding = self._ready(subject)
        current = [
            marker
            for marker in self._keeping.markers(binding, scope)
            if marker.origin == standing.origin
        ]
        old = max(current, key=lambda marker: marker.latest, default=None)
        before = old.proved_at if old else (None, None)
        now = int(time.time())
        first, second = (
            now if factor in LEVELS[level] else before[factor]
            for factor in (FIRST, SECOND)
        )
        marker = Marker(standing.ledger_id, standing.generation, (first, second))
        return self._keeping.keep(binding, scope, marker, standing)

    def approve(
        self, subject: Subject, operation: Operation, standing: Standing
    ) -> str | None:
        """Stamp one operation as approved now; otherwise as :meth:`grant`."""
        proved_at = (None, int(time.time()))
        of_ledger, generation = standing.ledger_id, standing.generation
        approval = Approval(of_ledger, generation, proved_at, operation)
        name = name_of_approval(operation)
        return self._keeping.keep(self._ready(subject), name, approval, standing)

    def forget(self, subjects: Collection[Subject]) -> bool:
        """End this session's elevation in every copy of its cookie and token.

        :param subjects: all whom the request names. What claims and bearers' markers
            prove ends in the sessions at the identity provider that they name.
        :returns: whether there was anything to end.
        :raises LedgerUnavailable: this browser's session is cleared all the same, but
            an old copy of its cookie may still open the gate.
        """
        nonces = {session_state.drop(), session_state.nonce_as_sent()} - {""}
        for nonce in nonces:
            self._ledger.revoke_session(nonce)
        ended = [self._end_login(subject) for subject in subjects]
        return bool(nonces) or any(ended)

    def _end_login(self, subject: Subject) -> bool:
        # A claim that names no session can only be ended everywhere.
        has_login = subject.session_id is not None or subject.factor_ages is not None
        if has_login:
            self._ledger.revoke_user(subject.user_id, subject.session_id)
        return has_login

    def _ready(self, subject: Subject) -> Binding:
        if keeps_cookies():
            session_state.ensure_nonce()
        return self.binding(subject)

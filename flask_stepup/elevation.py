"""The markers of a session: stamped, found again, and ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from functools import lru_cache
from functools import partial

from . import session_state
from .bearer import sent_markers
from .client import keeps_cookies
from .errors import InvalidToken
from .ledger import Ledger
from .ledger import Standing
from .marker import Binding
from .marker import Marker
from .marker import open_marker
from .policy import Level
from .policy import LEVELS
from .proofs import FIRST
from .proofs import SECOND
from .signing import Signer
from .subject import Subject

log = logging.getLogger("flask_stepup")

#: Signature checks remembered per app; each is a few hundred bytes.
REMEMBERED_MARKERS = 1_024


class Elevation:
    """The markers that this app made for its ledger, in sessions or kept by bearers."""

    def __init__(self, signer: Signer, ledger: Ledger, leeway: float) -> None:
        self._signer = signer
        self._ledger = ledger
        self._leeway = leeway
        # By token *and* all that it is bound to: what is remembered is for the same
        # person and session only. Keys do not change while the app runs, and times
        # and revocation are looked at each time.
        self._open = lru_cache(REMEMBERED_MARKERS)(partial(open_marker, signer))
        self._told_of_other_ledger = False

    def marker(self, binding: Binding, scope: str) -> Marker | None:
        """Return what was proved last in this scope, however old or revoked it is."""
        newest = None
        for token in _tokens(binding, scope):
            try:
                marker = self._open(token, binding, scope)
            except InvalidToken:
                continue
            if self.is_ours(marker.ledger_id) and not self._is_ahead(marker):
                newest = max(newest or marker, marker, key=lambda found: found.latest)
        return newest

    def binding(self, subject: Subject) -> Binding:
        """Return what tokens of this person in this session are bound to."""
        nonce = session_state.read_nonce() if keeps_cookies() else None
        return Binding(subject.user_id, nonce, subject.session_id)

    def bind(self, subject: Subject) -> Binding:
        """Return what a token made now is bound to; a new session gets its nonce.

        A revoked nonce, which an old cookie brought back, is replaced.

        :raises LedgerUnavailable: it cannot be known whether it is revoked.
        """
        if not keeps_cookies():
            return self.binding(subject)
        nonce = session_state.read_nonce()
        if nonce and self._ledger.standing(subject.user_id, nonce).session_revoked:
            session_state.drop()
            # Whoever ended it may not have known of the login: it is known now.
            self._end_login(subject)
        session_state.ensure_nonce()
        return self.binding(subject)

    def grant(
        self, subject: Subject, level: Level, scope: str, standing: Standing
    ) -> str | None:
        """Stamp the factors of ``level`` as proved now, under what is revoked so far.

        A factor proved earlier in this scope keeps its time.

        :returns: the marker's token for a client that has to keep it itself; None where
            the session keeps it, and where there is no session to bind it to.
        """
        if keeps_cookies():
            session_state.ensure_nonce()
        binding = self.binding(subject)
        old = self.marker(binding, scope)
        is_current = old and old.generation == standing.generation
        before = old.proved_at if old and is_current else (None, None)
        now = int(time.time())
        first, second = (
            now if factor in LEVELS[level] else before[factor]
            for factor in (FIRST, SECOND)
        )
        marker = Marker(self._ledger.id, standing.generation, (first, second))
        if binding.nonce is None:
            sealed = marker.seal(self._signer, binding, scope)
            return sealed if binding.can_be_kept else None
        self._keep(binding, scope, marker)
        return None

    def _keep(self, binding: Binding, scope: str, marker: Marker) -> None:
        """Put a marker into the session, where others stay as long as there is room."""
        others = {
            name: other
            for name in session_state.read_tokens()
            if name != scope
            and (other := self.marker(binding, name))
            and other.generation == marker.generation
        }
        newest_first = sorted(others.items(), key=lambda item: -item[1].latest)
        markers = dict(newest_first[: session_state.MOST_TOKENS - 1])
        markers[scope] = marker
        session_state.write_tokens(
            {name: m.seal(self._signer, binding, name) for name, m in markers.items()}
        )

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

    def _is_ahead(self, marker: Marker) -> bool:
        """Whether a clock that is wrong made it: it proves nothing, not even that."""
        ahead = marker.latest - time.time()
        if ahead > self._leeway:
            log.error(
                "a marker was refused that lies %d s in the future: set your hosts' "
                "clocks",
                ahead,
            )
        return ahead > self._leeway

    def is_ours(self, ledger_id: str) -> bool:
        """Whether a token was made with our ledger; if not, a developer is told.

        It is told once per app and process: requests that hit another worker come by
        the hundred.
        """
        if ledger_id != self._ledger.id and not self._told_of_other_ledger:
            self._told_of_other_ledger = True
            log.error(
                "a token was made with another ledger, so people are asked for codes "
                "again and again: point STEPUP_STORAGE_URI of all workers at the same "
                "one (memory:// is private to each process)"
            )
        return ledger_id == self._ledger.id


def _tokens(binding: Binding, scope: str) -> list[str]:
    # Who has no nonce is not a browser: whatever its session holds is not looked at.
    if binding.nonce is None:
        return sent_markers()
    token = session_state.read_tokens().get(scope)
    return [token] if isinstance(token, str) else []

"""The markers of a session: stamped, found again, and ended."""

from __future__ import annotations

import logging
import time
from functools import lru_cache
from functools import partial

from flask import has_request_context

from . import session_state
from .errors import InvalidToken
from .ledger import Ledger
from .ledger import Standing
from .marker import Binding
from .marker import Marker
from .marker import open_marker
from .policy import Level
from .policy import LEVELS
from .signing import Signer
from .subject import Subject

log = logging.getLogger("flask_stepup")

#: Signature checks remembered per app; each is a few hundred bytes.
REMEMBERED_MARKERS = 1_024


class Elevation:
    """The markers that this app made for its ledger, in the session of a request."""

    def __init__(self, signer: Signer, ledger: Ledger) -> None:
        self._signer = signer
        self._ledger = ledger
        # By token *and* all that it is bound to: what is remembered is for the same
        # person and session only. Keys do not change while the app runs, and times
        # and revocation are looked at each time.
        self._open = lru_cache(REMEMBERED_MARKERS)(partial(open_marker, signer))
        self._told_of_other_ledger = False

    def marker(self, subject: Subject, scope: str) -> Marker | None:
        """Return what was proved in this scope, however old or revoked it is."""
        token = session_state.read_tokens().get(scope)
        if not isinstance(token, str):
            return None
        try:
            marker = self._open(token, self.binding(subject), scope)
        except InvalidToken:
            return None
        return marker if self.is_ours(marker.ledger_id) else None

    def binding(self, subject: Subject) -> Binding:
        """Return what tokens of this person in this session are bound to."""
        nonce = session_state.read_nonce()
        return Binding(subject.user_id, nonce, subject.session_id)

    def bind(self, subject: Subject) -> Binding:
        """Return what a token made now is bound to; a new session gets its nonce.

        A revoked nonce, which an old cookie brought back, is replaced.

        :raises LedgerUnavailable: it cannot be known whether it is revoked.
        """
        nonce = session_state.read_nonce()
        if nonce and self._ledger.standing(subject.user_id, nonce).session_revoked:
            session_state.drop()
        session_state.ensure_nonce()
        return self.binding(subject)

    def grant(
        self, subject: Subject, level: Level, scope: str, standing: Standing
    ) -> None:
        """Stamp the factors of ``level`` as proved now, under what is revoked so far.

        A factor proved earlier in this scope keeps its time, and markers of other
        scopes stay as long as there is room.
        """
        markers = {
            name: marker
            for name in session_state.read_tokens()
            if (marker := self.marker(subject, name))
            and marker.generation == standing.generation
        }
        old = markers.pop(scope, None)
        now = int(time.time())
        first, second = (
            now if place in LEVELS[level] else old.proved_at[place] if old else None
            for place in (0, 1)
        )
        newest_first = sorted(markers.items(), key=lambda item: -item[1].latest)
        markers = dict(newest_first[: session_state.MOST_TOKENS - 1])
        markers[scope] = Marker(self._ledger.id, standing.generation, (first, second))
        session_state.ensure_nonce()
        binding = self.binding(subject)
        session_state.write_tokens(
            {name: m.seal(self._signer, binding, name) for name, m in markers.items()}
        )

    def forget(self) -> bool:
        """End this session's elevation in every copy of its cookie.

        :returns: whether there was anything to end.
        :raises LedgerUnavailable: this browser's session is cleared all the same, but
            an old copy of its cookie may still open the gate.
        """
        if not has_request_context():
            return False
        nonces = {session_state.drop(), session_state.nonce_as_sent()} - {""}
        for nonce in nonces:
            self._ledger.revoke_session(nonce)
        return bool(nonces)

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

"""Where markers are kept: in the session, or by a client that has none."""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Iterable
from functools import lru_cache
from functools import partial
from typing import TypeVar

from . import records
from . import session_state
from .bearer import sent_markers
from .binding import Binding
from .errors import InvalidToken
from .ledger import Standing
from .marker import Approval
from .marker import Marker
from .marker import open_approval
from .marker import open_marker
from .marker import Operation
from .signing import Signer

M = TypeVar("M", bound=Marker)

#: Signature checks remembered per app; each is a few hundred bytes.
REMEMBERED_MARKERS = 1_024
#: Begins the names of approvals in the session, as no scope can.
_APPROVAL = "\t"


class Keeping:
    """The markers that this app made.

    :param leeway: seconds that hosts' clocks may disagree.
    """

    def __init__(self, signer: Signer, leeway: float) -> None:
        self._signer = signer
        self._leeway = leeway
        # By token *and* all that it is bound to: what is remembered is for the same
        # person and session only. Keys do not change while the app runs, and times
        # and revocation are looked at each time.
        self._open_marker = lru_cache(REMEMBERED_MARKERS)(partial(open_marker, signer))
        self._open_approval = lru_cache(REMEMBERED_MARKERS)(
            partial(open_approval, signer)
        )
        self._told_of_other_ledger = False

    def markers(self, binding: Binding, scope: str) -> list[Marker]:
        """Return what was proved in this scope, however old or revoked it is."""
        tokens = _tokens(scope) if _is_in_session(binding) else sent_markers()
        return [
            marker
            for token in tokens
            if (marker := self._opened(self._open_marker, token, binding, scope))
        ]

    def approvals(self, binding: Binding) -> list[Approval]:
        """Return all approvals, however old, revoked or spent they are."""
        return [
            approval
            for token in _tokens_of_approvals(binding)
            if (approval := self._opened(self._open_approval, token, binding))
        ]

    def keep(
        self, binding: Binding, name: str, marker: Marker, standing: Standing
    ) -> str | None:
        """Put a marker into the session, where others stay as long as there is room.

        :param name: its scope, or :func:`name_of_approval`.
        :param standing: of this person and session: what is revoked or spent leaves.
        :returns: its token, for a client that has to keep it itself; None for one that
            names no session to bind it to.
        :raises SessionFull: there is no room for it.
        """
        if not _is_in_session(binding):
            token = marker.seal(self._signer, binding, name)
            return token if binding.can_be_kept else None
        others = {
            other: kept
            for other in session_state.read_tokens()
            if other != name and (kept := self._in_session(binding, other))
        }
        newest_first = {name: marker} | {
            other: kept
            for other, kept in sorted(others.items(), key=lambda item: -item[1].latest)
            if _can_serve(kept, standing)
        }
        session_state.write_tokens(
            {n: m.seal(self._signer, binding, n) for n, m in newest_first.items()}
        )
        session_state.renew_id()
        return None

    def of_ledger(self, markers: Iterable[M], ledger_id: str) -> list[M]:
        """Return those markers that were made with this ledger.

        :param ledger_id: as the standing of this request tells it.
        """
        return [m for m in markers if self.is_of(m.ledger_id, ledger_id)]

    def is_of(self, made_with: str, ledger_id: str) -> bool:
        """Whether a token was made with this ledger; if not, a developer is told.

        It is told once per app and process: requests that hit another worker come by
        the hundred.
        """
        if made_with == ledger_id:
            return True
        if not self._told_of_other_ledger:
            self._told_of_other_ledger = True
            records.OtherLedger().log()
        return False

    def _in_session(self, binding: Binding, name: str) -> Marker | None:
        token = session_state.read_tokens()[name]
        if name.startswith(_APPROVAL):
            return self._opened(self._open_approval, token, binding)
        return self._opened(self._open_marker, token, binding, name)

    def _opened(
        self, opener: Callable[..., M], token: object, *bound_to: Binding | str
    ) -> M | None:
        """The marker in a token; None where it is none of ours, or proves nothing."""
        if not isinstance(token, str):
            return None
        try:
            marker = opener(token, *bound_to)
        except InvalidToken:
            return None
        return None if self._is_ahead(marker) else marker

    def _is_ahead(self, marker: Marker) -> bool:
        """Whether a clock that is wrong made it: it proves nothing, not even that."""
        ahead = marker.latest - time.time()
        if ahead <= self._leeway:
            return False
        records.MarkerFromFuture(seconds=ahead).log()
        return True


def name_of_approval(operation: Operation) -> str:
    """Return the name of an approval in the session, which no scope can have."""
    return _APPROVAL + operation.id


def _can_serve(marker: Marker, standing: Standing) -> bool:
    return marker.origin == standing.origin and not marker.is_spent(standing)


def _is_in_session(binding: Binding) -> bool:
    # Who has no nonce is not a browser: whatever its session holds is not looked at.
    return binding.nonce is not None


def _tokens(scope: str) -> list[str]:
    _, token = session_state.read_nonce_and_token(scope)
    return [token] if token else []


def _tokens_of_approvals(binding: Binding) -> list[str]:
    """The tokens that may be approvals."""
    if not _is_in_session(binding):
        return sent_markers()
    tokens = session_state.read_tokens()
    return [token for name, token in tokens.items() if name.startswith(_APPROVAL)]

"""What a ledger can do."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Protocol

from .limits import Limit
from .values import Exhausted
from .values import Repeated
from .values import Settlement
from .values import Spending
from .values import Standing
from .values import Ticket


class Ledger(Protocol):
    """Shared memory of attempts, used codes, spent approvals and revocations.

    Each method is one atomic step and one round trip, safe across threads, processes
    and fork, and raises :class:`~flask_stepup.errors.LedgerUnavailable` when it cannot
    answer within the configured time. All arguments are plain text here: a ``nonce``
    names the session of a browser, a ``session_id`` one at the identity provider.
    """

    @property
    def id(self) -> str:
        """Names this ledger, in ``LEDGER_ID_LENGTH`` characters, in every token.

        Tokens of another ledger must be refused, and of one that was emptied and has
        forgotten what is revoked, or whose clock was set back. This is what the last
        step has told; what counts for a request is what its own standing tells.
        """
        ...

    def standing(
        self,
        user_id: str,
        nonce: str,
        session_id: str | None = None,
        approvals: Collection[str] = (),
    ) -> Standing:
        """Return what has been revoked: the look-up of a guarded request.

        :param approvals: ids, to learn which of them are spent.
        """
        ...

    def still_tells(self, standing: Standing, now: float) -> bool:
        """Whether the ledger would tell the very same now, but for the time.

        Never True of one that others can write to: it has to be asked again.

        :param standing: that it told about no approvals.
        :param now: what the host's clock says.
        """
        ...

    def reserve(
        self, user_id: str, limits: Sequence[Limit], name: str = ""
    ) -> Ticket | Repeated | Exhausted:
        """Take one attempt from every limit, or none at all.

        :param name: of the attempt: while one of this name counts, it is not taken
            again. A hash, or nothing, for one that has no name.
        """
        ...

    def refund(self, ticket: Ticket) -> None:
        """Give an attempt back to the windows it was taken from, once."""
        ...

    def settle(
        self,
        user_id: str,
        nonce: str,
        code_digests: Sequence[str],
        session_id: str | None = None,
        ticket: Ticket | None = None,
    ) -> Settlement:
        """Write a right code down; on its first use clear the user's attempts.

        :param code_digests: of the one code, by different keys. It was used before if
            any of them was written down.
        :param ticket: of the attempt, to be told whether it still counts.
        """
        ...

    def spend(
        self,
        user_id: str,
        nonce: str,
        approvals: Mapping[str, str],
        session_id: str | None = None,
    ) -> Spending:
        """Spend the first approval of the current origin that is not spent yet.

        None is spent in a revoked session. A spent one is spent for every user.

        :param approvals: ids, in order of preference, and the :attr:`Standing.origin`
            that each was made under.
        """
        ...

    def clear(self, user_id: str) -> None:
        """Forget the user's attempts."""
        ...

    def revoke_session(self, nonce: str) -> None:
        """End what was granted to this browser's session, for ever."""
        ...

    def revoke_user(self, user_id: str, session_id: str | None = None) -> None:
        """End what was granted to this user so far.

        :param session_id: end it in this session at the identity provider alone.
        """
        ...

    def close(self) -> None:
        """Give back connections; the ledger opens them again when it is used."""
        ...

"""What tokens are bound to: one person, in one session."""

from __future__ import annotations

from typing import NamedTuple


class Binding(NamedTuple):
    """What every marker and challenge is bound to, computed anew for each request.

    :param nonce: of the session in this browser; None for a client that keeps none.
    :param session_id: the identity provider's session, where there is one.
    """

    user_id: str
    nonce: str | None
    session_id: str | None = None

    @property
    def can_be_kept(self) -> bool:
        """Whether it names a session, without which nothing may be granted."""
        return self.nonce is not None or self.session_id is not None

    def parts(self, *more: str) -> tuple[str | None, ...]:
        """The binding as text, with whatever else a token is bound to."""
        return (self.user_id, self.nonce, self.session_id, *more)

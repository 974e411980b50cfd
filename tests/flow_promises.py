"""The promises, checked by nothing but what has been seen.

They hold even where an app and its model should agree on an error.
"""

from __future__ import annotations

from flow_model import Challenge
from flow_model import fold
from flow_model import LIMITS
from flow_model import Session
from flow_model import View


class Seen:
    """What has happened, written down without any rules but the promises.

    Times are seconds that have passed, whatever clocks have said; but how old a proof
    is nobody knows except by the clock of the ledger.
    """

    def __init__(self) -> None:
        self.dead: set[str] = set()
        self.proofs: list[tuple[str | None, str, float]] = []
        self.codes: dict[tuple[str, str], float] = {}
        self.tries: list[tuple[str, float]] = []
        self.approved = self.spent = 0

    def forgot(self, nonce: int, cookies: dict[str, Session]) -> None:
        """Promise 3: whatever was in a cookie of this session, it never opens again."""
        self.dead |= {c for c, content in cookies.items() if content.nonce == nonce}

    def revoked(self, user: str, cookies: dict[str, Session]) -> None:
        """The same, for this person's sessions."""
        self.dead |= {c for c, content in cookies.items() if content.user == user}

    def cleared(self, user: str) -> None:
        self.tries = [(who, at) for who, at in self.tries if who != user]

    def proved(self, user: str | None, scope: str, at: float) -> None:
        self.proofs.append((user, scope, at))

    def tried(self, user: str, at: float) -> None:
        """Promise 4: a verifier is asked no more often than the limits allow."""
        self.tries.append((user, at))
        for most, seconds in LIMITS:
            lately = [who for who, then in self.tries if at - then < seconds]
            assert lately.count(user) <= most

    def opened(self, challenge: Challenge, code: str, at: float, now: float) -> None:
        """Promise 5: a code opens once, however it is spelled."""
        key = challenge.user, fold(code)
        assert key not in self.codes or at - self.codes[key] >= 180
        self.codes[key] = at
        self.cleared(challenge.user)
        if challenge.action is None:
            self.proved(challenge.user, challenge.view.scope, now)
        else:
            self.approved += 1

    def ran(self, user: str | None, view: View, cookie: str | None, now: float) -> None:
        """Promises 2, 3 and 9: for who has proved it, lately, once each."""
        assert user is not None
        assert cookie not in self.dead
        if view.approves is None:
            assert any(
                (user, view.scope) == (who, scope) and now - proved < view.max_age
                for who, scope, proved in self.proofs
            )
        else:
            self.spent += 1
            assert self.spent <= self.approved

"""A session at the stand-in: who is signed in, and when which factor was proved."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from dataclasses import field

from flask_stepup.sandbox import Sandbox
from flask_stepup.sandbox import SandboxUser

#: Seconds since the sign-in that a demo starts with: too long ago for any policy here.
SIGNED_IN_AGO = 61 * 60


def _at_sign_in() -> float:
    return time.time() - SIGNED_IN_AGO


@dataclass
class Session:
    """One sign-in, with both factors, an hour ago.

    :param actor: the user id of support, acting in this person's name.
    """

    user: SandboxUser
    actor: str | None = None
    session_id: str = field(default_factory=lambda: f"sess_{secrets.token_hex(13)}")
    first: float = field(default_factory=_at_sign_in)
    second: float = field(default_factory=_at_sign_in)

    def prove(self, level: str) -> None:
        """Take a right code for the second factor, and for a password if need be."""
        if level != "first_factor":
            self.second = time.time()
        if level != "second_factor":
            self.first = time.time()

    def token(self, sandbox: Sandbox, origin: str) -> str:
        """Return a session token of this moment, good for a minute."""
        now = time.time()
        return sandbox.session_token(
            self.user.user_id,
            session_id=self.session_id,
            factor_ages=[int((now - at) // 60) for at in (self.first, self.second)],
            authorized_party=origin,
            act=self.actor and {"sub": self.actor},
        )

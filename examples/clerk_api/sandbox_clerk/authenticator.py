"""Somebody's authenticator app: what would be on a phone is on the page."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from flask_stepup.sandbox import SandboxUser

#: Seconds that a code is shown (RFC 6238, 5.2).
STEP = 30


@dataclass
class Authenticator:
    """One person's phone."""

    user: SandboxUser
    #: Codes that the API has taken, which it does only once.
    used: deque[str] = field(default_factory=lambda: deque(maxlen=3))

    def shown(self) -> dict[str, Any]:
        """Return the code of the moment, or the next one where that has been used.

        A phone would let you wait. The sandbox takes the next code early.
        """
        step = 1 if self.user.current_code() in self.used else 0
        code = self.user.current_code(step)
        return {
            "code": f"{code[:3]} {code[3:]}",
            "used": code in self.used,
            "seconds": STEP * (step + 1) - int(time.time()) % STEP,
        }

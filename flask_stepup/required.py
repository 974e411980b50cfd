"""The refusal that an unmet policy is, until it is answered."""

from __future__ import annotations

from werkzeug.exceptions import Forbidden

from .errors import Refusal
from .policy import Cause
from .policy import Policy
from .policy import Shortfall
from .subject import Subject


class ReverificationRequired(Refusal, Forbidden):
    """403: the person has to prove a factor first.

    :param policy: what was demanded.
    :param shortfall: the first factor that is lacking, and why.
    :param subject: who is asking.
    """

    description = "Confirm with a code that it is you."

    def __init__(self, policy: Policy, shortfall: Shortfall, subject: Subject) -> None:
        super().__init__()
        self.policy = policy
        self.shortfall = shortfall
        self.subject = subject

    @property
    def cause(self) -> Cause:
        """``missing``, ``expired`` or ``revoked``."""
        return self.shortfall.cause

"""The refusal that an unmet policy is, until it is answered."""

from __future__ import annotations

from werkzeug.exceptions import Forbidden

from .action import Action
from .binding import Binding
from .errors import Refusal
from .ledger import Standing
from .policy import Cause
from .policy import Policy
from .policy import Shortfall
from .subject import Subject


class ReverificationRequired(Refusal, Forbidden):
    """403: the person has to prove a factor first.

    :param policy: what was demanded, with its reason as text.
    :param action: what is to be approved, where a standing marker does not do.
    :param shortfall: the first factor that is lacking, and why.
    :param subject: who is asking.
    """

    description: str = "Confirm with a code that it is you."
    # What the ledger has told of whom, so that it need not be asked again.
    told: tuple[Binding, Standing] | None = None

    def __init__(
        self,
        policy: Policy,
        shortfall: Shortfall,
        subject: Subject,
        action: Action | None = None,
    ) -> None:
        super().__init__()
        self.policy = policy
        self.shortfall = shortfall
        self.subject = subject
        self.action = action

    @property
    def cause(self) -> Cause:
        """``missing``, ``expired``, ``spent`` or ``revoked``."""
        return self.shortfall.cause

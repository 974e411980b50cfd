"""The signed token that carries an unmet policy and the way back through the prompt."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from dataclasses import replace
from typing import Literal

from flask import request

from .action import Action
from .binding import Binding
from .challenge_value import packed
from .challenge_value import unpacked
from .errors import InvalidToken
from .gate import Gate
from .ledger import Standing
from .marker import Operation
from .policy import Policy
from .policy_fields import SAFE_METHODS
from .required import ReverificationRequired
from .signing import Signer
from .subject import Subject
from .suspension import NotKept
from .suspension import SuspendedForm
from .suspension import tie_of
from .way_back import current_path
from .way_back import path_of_form
from .way_back import referring_path

#: Seconds from its first issue in which an expired challenge may be renewed.
LONGEST_LIFE = 86_400


@dataclass(frozen=True, slots=True)
class Challenge:
    """A question put to one person in one session.

    It is at once the prompt's protection against cross-site requests, the proof that
    the way back is ours, and where an interrupted form is kept. Nothing of it is in the
    session, so that two tabs cannot overwrite each other's.

    :param id: names the one approval that it can give.
    :param action: what is to be approved; None where a standing marker is asked for.
    :param form: that was interrupted, and is sent again afterwards.
    :param not_kept: why there is none, where something was sent.
    :param tie: of the operation to the form; see :class:`Operation`.
    :param again: whether the same was approved before, and may be done by now.
    :param method: of the request that met the unmet policy.
    :param path: of that request, with ``script_root`` and query, percent-encoded.
    :param came_from: the page that led to it: where "Cancel" goes, and where a person
        goes on whose request cannot simply be repeated.
    :param issued_at: seconds since the epoch; ``first_issued_at`` before renewals.
    """

    id: str
    policy: Policy
    method: str
    path: str
    came_from: str
    ledger_id: str
    issued_at: int
    first_issued_at: int
    action: Action | None = None
    form: SuspendedForm | None = None
    not_kept: NotKept | None = None
    again: Literal[True] | None = None
    tie: str | None = None

    @property
    def repeats_itself(self) -> bool:
        """Whether following a link is all it takes to repeat the request."""
        return self.method in SAFE_METHODS

    @property
    def way_back(self) -> str:
        """Where the person goes on after a right code."""
        return self.path if self.repeats_itself else self.came_from

    def seal(
        self,
        gate: Gate,
        subject: Subject,
        told: tuple[Binding, Standing] | None = None,
    ) -> str:
        """Return the token, good for this person in this session alone.

        :param told: see :meth:`Elevation.bind`.
        :raises LedgerUnavailable: it cannot be known whether the session is revoked.
        """
        parts = gate.elevation.bind(subject, told).parts()
        return gate.signer.dumps("challenge", parts, packed(self))

    @property
    def operation(self) -> Operation | None:
        """What a code approves, where the policy needs that."""
        if self.action is None:
            return None
        return Operation(self.id, self.action.digest, self.tie)

    def led_back_to(self, page: str) -> Challenge:
        """The same question, after which the person goes on from that page."""
        return replace(self, path=page, came_from=page)

    def keeping(self, kept: SuspendedForm | NotKept, signer: Signer) -> Challenge:
        """The same question, with the form that it interrupted."""
        shows_values = bool(self.action and self.action.values)
        # What was not shown is approved as it was sent: see Approvals.
        tie = None if shows_values else tie_of(kept, signer)
        challenge = replace(self, came_from=path_of_form(), tie=tie)
        if not isinstance(kept, SuspendedForm):
            again = self.again if shows_values else None
            return replace(challenge, not_kept=kept, again=again)
        return replace(challenge, form=kept)

    def renewed(self) -> Challenge:
        """The same question, asked now.

        :raises InvalidToken: it was first asked too long ago.
        """
        now = int(time.time())
        if not now - self.first_issued_at < LONGEST_LIFE:
            raise InvalidToken("first issued more than a day ago")
        return replace(self, issued_at=now)


def new_challenge(gate: Gate, required: ReverificationRequired) -> Challenge:
    """Return the challenge that the current request gets."""
    now = int(time.time())
    return Challenge(
        id=secrets.token_urlsafe(9),
        # Methods and names of values are the route's business: what has become of
        # them is in the action.
        policy=replace(
            required.policy, methods=None, bind=None, once=bool(required.action)
        ),
        action=required.action,
        again=True if required.cause == "spent" else None,
        method=request.method,
        path=current_path(),
        came_from=referring_path(),
        ledger_id=gate.ledger.id,
        issued_at=now,
        first_issued_at=now,
    )


def open_challenge(gate: Gate, subject: Subject, token: str) -> Challenge:
    """Return the challenge in a token.

    :raises InvalidToken: not made for this person in this session by this app.
    """
    parts = gate.elevation.binding(subject).parts()
    value = gate.signer.loads("challenge", parts, token)
    try:
        return Challenge(**unpacked(value))
    except (TypeError, ValueError) as error:
        raise InvalidToken("a challenge of another version") from error

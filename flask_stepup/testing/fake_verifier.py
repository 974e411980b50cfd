"""``FakeVerifier``: says of codes what a test wants it to say."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from ..errors import ConfigurationError
from ..errors import IncorrectCode
from ..errors import VerifierError
from ..verification import Verification

#: What it may be told to do: return this, or raise that.
Outcome = Verification | VerifierError | type[VerifierError]


class Call(NamedTuple):
    """A question that was asked; equal to the pair ``(user_id, code)``."""

    user_id: str
    code: str

    def __repr__(self) -> str:
        return f"Call(user_id={self.user_id!r}, code=…)"


class FakeVerifier:
    """A verifier for tests: one code is right, and whatever else a script says.

    ::

        FakeVerifier()                                   # "123456" is right
        FakeVerifier(VerifierUnavailable(retry_after=5)) # first an outage

    The rest is as it is with every verifier: attempts are counted, and a code opens
    once for its user. For a second one set ``right_code``, or script a
    ``Verification``, which takes any code.

    :param outcomes: see :meth:`script`.
    :param right_code: that is verified where no script says otherwise.
    :param code_type: of the verification that it gets.
    """

    def __init__(
        self,
        *outcomes: Outcome,
        right_code: str = "123456",
        code_type: str = "totp",
    ) -> None:
        self.right_code = right_code
        self.code_type = code_type
        #: Who was asked for which code, in order.
        self.calls: list[Call] = []
        self._script: deque[Outcome] = deque()
        self.script(*outcomes)

    def script(self, *outcomes: Outcome) -> None:
        """Say what comes of the next calls, one each, after what is scripted already.

        :param outcomes: a ``Verification`` is returned, a ``VerifierError`` or class of
            such is raised.
        :raises ConfigurationError: one is something else, which no verifier may do.
        """
        for outcome in outcomes:
            _check(outcome)
        self._script.extend(outcomes)

    def verify(self, user_id: str, code: str) -> Verification:
        """Do what the script says; without one, tell whether it is the right code.

        :raises VerifierError: as scripted, or IncorrectCode.
        """
        self.calls.append(Call(user_id, code))
        try:
            outcome = self._script.popleft()
        except IndexError:
            outcome = IncorrectCode
            if code == self.right_code:
                outcome = Verification(self.code_type)
        if isinstance(outcome, Verification):
            return outcome
        raise outcome

    def __repr__(self) -> str:
        asked, left = len(self.calls), len(self._script)
        return f"<FakeVerifier: asked {asked} times, {left} outcomes scripted>"


def _check(outcome: object) -> None:
    is_kind = isinstance(outcome, type) and issubclass(outcome, VerifierError)
    if is_kind or isinstance(outcome, Verification | VerifierError):
        return
    # Its type alone: a code may have been passed by mistake.
    name = f"the class {outcome.__name__}" if isinstance(outcome, type) else None
    raise ConfigurationError(
        f"{name or type(outcome).__name__} is no outcome that a verifier can have: "
        "script a Verification(), or IncorrectCode, NotEnrolled, VerifierUnavailable, "
        "OutcomeUnknown or VerifierMisconfigured"
    )

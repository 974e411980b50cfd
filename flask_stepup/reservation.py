"""An attempt is taken before the verifier is asked, and once for each submission.

Whoever tests first and counts later lets parallel guesses through.
"""

from __future__ import annotations

from .errors import CodeAlreadyUsed
from .errors import TooManyAttempts
from .gate import Gate
from .ledger import Exhausted
from .ledger import Repeated
from .ledger import Ticket
from .subject import Subject
from .verification import folded


def reserve(gate: Gate, subject: Subject, submission: str, code: str) -> Ticket:
    """Take one attempt.

    :param submission: its name, empty where the client gives it none. The same code
        with the same name is the same attempt, which a browser or a bad network has
        repeated.
    :raises CodeAlreadyUsed: that attempt counts already, and nobody is asked again.
    :raises TooManyAttempts: none is left.
    :raises LedgerUnavailable: nobody is asked.
    """
    user_id, name = subject.user_id, ""
    if submission:
        name = gate.signer.digest("submission", submission, folded(code))
    reserved = gate.ledger.reserve(user_id, gate.settings.attempt_limit, name)
    if isinstance(reserved, Repeated):
        raise CodeAlreadyUsed("one submission has sent this code twice")
    if isinstance(reserved, Exhausted):
        raise TooManyAttempts(reserved.retry_after, reserved.until)
    return reserved

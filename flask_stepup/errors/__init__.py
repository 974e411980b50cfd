"""Everything that can go wrong, as one tree.

::

    StepUpError
    ├── ConfigurationError         the developer's mistake; the message names the mend
    ├── InvalidToken               not signed by this app for this person and session
    │   └── OperationOver          its one approval cannot be used any more
    │       ├── OperationSpent     it was, by one run of the view
    │       └── OperationVoided    there were too many wrong codes
    ├── TokenExpired               the right one, but too long ago
    ├── Refusal                    an HTTP answer instead of the view
    │   ├── Unauthenticated        401, nobody is signed in
    │   ├── ImpersonationRefused   403, somebody acts in another person's name
    │   ├── LedgerUnavailable      503, the ledger cannot answer
    │   ├── ValueRefused           400 or 422, what was to be approved is unclear
    │   └── ReverificationRequired 403, the policy is not met (in ``required``: it
    │                              carries the policy)
    ├── Rejection                  a submitted code that opened nothing
    │   ├── CodeMissing            nothing that could be a code was sent
    │   ├── SessionFull            the session has no room for a marker
    │   ├── CodeAlreadyUsed        right, but it has opened once before
    │   └── TooManyAttempts        locked until a time
    └── VerifierError              what a verifier may raise
        ├── IncorrectCode          the code is wrong
        ├── NotEnrolled            the user has no authenticator
        ├── VerifierUnavailable    no verdict, and no harm done
        ├── OutcomeUnknown         no verdict, and the code may be spent
        └── VerifierMisconfigured  no verdict until a developer acts
            └── VerifierFault      it broke its contract: anything may have happened

Wrong, unavailable and misconfigured are kept apart on purpose: an outage must
never be told to a person as a wrong code. No message or repr carries a code, a
key or a marker.
"""

from __future__ import annotations

from .refusals import ImpersonationRefused as ImpersonationRefused
from .refusals import LedgerUnavailable as LedgerUnavailable
from .refusals import Refusal as Refusal
from .refusals import Unauthenticated as Unauthenticated
from .refusals import ValueRefused as ValueRefused
from .rejections import CodeAlreadyUsed as CodeAlreadyUsed
from .rejections import CodeMissing as CodeMissing
from .rejections import Rejection as Rejection
from .rejections import SessionFull as SessionFull
from .rejections import TooManyAttempts as TooManyAttempts
from .root import ConfigurationError as ConfigurationError
from .root import StepUpError as StepUpError
from .tokens import InvalidToken as InvalidToken
from .tokens import OperationOver as OperationOver
from .tokens import OperationSpent as OperationSpent
from .tokens import OperationVoided as OperationVoided
from .tokens import TokenExpired as TokenExpired
from .verifier import IncorrectCode as IncorrectCode
from .verifier import NotEnrolled as NotEnrolled
from .verifier import OutcomeUnknown as OutcomeUnknown
from .verifier import VerifierError as VerifierError
from .verifier import VerifierFault as VerifierFault
from .verifier import VerifierMisconfigured as VerifierMisconfigured
from .verifier import VerifierUnavailable as VerifierUnavailable

"""What is written into the log: each kind of record, with its name and its fields.

``records.LedgerBusy(ledger=…, reason=…).log()`` is how the package logs; nothing in it
calls a logger itself.
"""

from __future__ import annotations

from .app import BearerWithoutSession as BearerWithoutSession
from .app import FirstFactorLacking as FirstFactorLacking
from .app import HtmxPromptTooLong as HtmxPromptTooLong
from .app import IsReverifiedFailed as IsReverifiedFailed
from .app import LeavingUnknown as LeavingUnknown
from .app import OriginNotOurs as OriginNotOurs
from .app import ReasonFailed as ReasonFailed
from .app import SessionFull as SessionFull
from .app import SessionNotRenewed as SessionNotRenewed
from .attempts import AttemptsExhausted as AttemptsExhausted
from .attempts import ElevationRevoked as ElevationRevoked
from .attempts import LockOutLifted as LockOutLifted
from .attempts import ReverificationFailed as ReverificationFailed
from .attempts import ReverificationSucceeded as ReverificationSucceeded
from .attempts import VerifierMisconfigured as VerifierMisconfigured
from .attempts import VerifierUnavailable as VerifierUnavailable
from .clerk import BreakerClosed as BreakerClosed
from .clerk import BreakerOpened as BreakerOpened
from .clerk import SessionKeysUnavailable as SessionKeysUnavailable
from .clerk import SessionTokenRefused as SessionTokenRefused
from .clerk import SessionTokensDisagree as SessionTokensDisagree
from .clerk import TooManySessionTokens as TooManySessionTokens
from .ledger import AttemptNotRefunded as AttemptNotRefunded
from .ledger import ClockSetBack as ClockSetBack
from .ledger import LedgerBusy as LedgerBusy
from .ledger import LedgerClockApart as LedgerClockApart
from .ledger import LedgerEvicts as LedgerEvicts
from .ledger import LedgerUnavailable as LedgerUnavailable
from .ledger import LogoutNotRecorded as LogoutNotRecorded
from .ledger import MarkerFromFuture as MarkerFromFuture
from .ledger import OperationNotVoided as OperationNotVoided
from .ledger import OtherLedger as OtherLedger
from .record import Record as Record
from .sandbox import SandboxAnswered as SandboxAnswered
from .sandbox import SandboxLacksLibrary as SandboxLacksLibrary

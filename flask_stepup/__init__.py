"""Step-up re-verification for Flask: a second factor before the routes that matter."""

from __future__ import annotations

from .errors import ConfigurationError as ConfigurationError
from .errors import IncorrectCode as IncorrectCode
from .errors import NotEnrolled as NotEnrolled
from .errors import OutcomeUnknown as OutcomeUnknown
from .errors import VerifierMisconfigured as VerifierMisconfigured
from .errors import VerifierUnavailable as VerifierUnavailable
from .extension import StepUp as StepUp
from .guard import require_reverification as require_reverification
from .policy import Policy as Policy
from .required import ReverificationRequired as ReverificationRequired
from .subject import Subject as Subject
from .verification import Verification as Verification
from .verification import Verifier as Verifier
from .verifiers import TOTPVerifier as TOTPVerifier

__all__ = [
    "ConfigurationError",
    "IncorrectCode",
    "NotEnrolled",
    "OutcomeUnknown",
    "Policy",
    "ReverificationRequired",
    "StepUp",
    "Subject",
    "TOTPVerifier",
    "Verification",
    "Verifier",
    "VerifierMisconfigured",
    "VerifierUnavailable",
    "require_reverification",
]

"""A test kit for apps that are guarded by flask-stepup.

Nothing here is imported by the package itself, and nothing of the package looks at
``app.testing``: what passes in a test passes by a real marker.
"""

from __future__ import annotations

from .assertion import assert_requires_reverification as assert_requires_reverification
from .clock import Clock as Clock
from .code_entry import enter_code as enter_code
from .fake_verifier import FakeVerifier as FakeVerifier
from .recorded_signals import record_signals as record_signals
from .recorded_signals import RecordedSignals as RecordedSignals
from .reverification import reverify as reverify
from .verifier_swap import use_verifier as use_verifier

__all__ = [
    "Clock",
    "FakeVerifier",
    "RecordedSignals",
    "assert_requires_reverification",
    "enter_code",
    "record_signals",
    "reverify",
    "use_verifier",
]

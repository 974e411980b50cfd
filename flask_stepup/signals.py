"""What the outside may observe.

Every signal is sent with the real app as sender, so connect with
``signal.connect(receiver, app)``. None carries a code, a key or a marker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from blinker import Namespace

if TYPE_CHECKING:
    from blinker import NamedSignal

_signals = Namespace()

#: A policy was not met and the person was asked for a code. Arguments: ``user_id``,
#: ``policy``, ``cause`` (``missing``, ``expired``, ``spent`` or ``revoked``).
reverification_required: NamedSignal = _signals.signal("reverification-required")

#: A right code stamped a marker. Arguments: ``user_id``, ``policy``, ``code_type``.
reverification_succeeded: NamedSignal = _signals.signal("reverification-succeeded")

#: A code was tried and opened nothing. Arguments: ``user_id``, ``policy``, ``error``
#: (the exception).
reverification_failed: NamedSignal = _signals.signal("reverification-failed")

#: The attempt just rejected was the last one for now. Arguments: ``user_id``,
#: ``until`` (seconds since the epoch).
attempts_exhausted: NamedSignal = _signals.signal("attempts-exhausted")

#: A right code was sent that had opened once before: a double click, or somebody
#: who looked over a shoulder. Arguments: ``user_id``.
code_reused: NamedSignal = _signals.signal("code-reused")

#: The verifier could not answer. Arguments: ``user_id``, ``error`` (the exception).
verifier_failed: NamedSignal = _signals.signal("verifier-failed")

#: Elevation was ended by ``forget`` (``user_id`` is None: the session may not know
#: it any more) or ``revoke``. Arguments: ``user_id``.
elevation_revoked: NamedSignal = _signals.signal("elevation-revoked")

"""What a person is told to be about to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import records


def reason_text(reason: str | Callable[[], Any] | None) -> str | None:
    """Return the reason as text, which a policy makes fit.

    :param reason: a function is called now; where it fails, the prompt names no reason,
        since nobody should be kept from what they want to do for want of a sentence.
    """
    if callable(reason):
        try:
            made = reason()
            reason = None if made is None else str(made)
        except Exception as error:
            records.ReasonFailed(error=type(error).__name__).log()
            return None
    return reason

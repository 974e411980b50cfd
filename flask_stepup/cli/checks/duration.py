"""How long something took, as people read it."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Return ``12 ms`` or ``1.4 s``."""
    if seconds < 0.001:
        return "less than 1 ms"
    return f"{seconds * 1_000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"

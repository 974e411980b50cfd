"""One run of the benchmark: where it writes, and how long it measures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.rounds import Effort


@dataclass(frozen=True)
class Run:
    """What all subjects of a run share.

    :param folder: on a real disk; it is gone afterwards.
    """

    folder: Path
    effort: Effort

"""A finding: what is right, risky or wrong with an app, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple


class Verdict(StrEnum):
    """What a reviewer makes of something."""

    RIGHT = "right"
    RISKY = "risky"
    WRONG = "wrong"


class Finding(NamedTuple):
    """One thing that was looked at.

    :param says: what it is like, and what follows from that; never with a secret.
    :param mend: what to do about it; code has lines of its own.
    """

    verdict: Verdict
    says: str
    mend: str = ""


Findings = Iterator[Finding]


def right(says: str) -> Finding:
    """Nothing is to be done about it."""
    return Finding(Verdict.RIGHT, says)


def risky(says: str, mend: str) -> Finding:
    """It works, and weakens something."""
    return Finding(Verdict.RISKY, says, mend)


def wrong(says: str, mend: str = "") -> Finding:
    """It does not work, or protects nobody.

    :param mend: left out where what is said names the mend, as our errors do.
    """
    return Finding(Verdict.WRONG, says, mend)

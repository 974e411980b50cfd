"""Findings as a report: a line for each, aligned, and one that sums up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import click

from .checks import Finding
from .checks import Verdict
from .lines import say
from .lines import side_by_side
from .lines import width
from .lines import wrapped

_COLOURS = {Verdict.RIGHT: "green", Verdict.RISKY: "yellow", Verdict.WRONG: "red"}
#: Of the columns to the left.
_VERDICT, _ABOUT, _GAP = 5, 7, 2


def tell(found: Iterable[tuple[str, Finding]]) -> Counter[Verdict]:
    """Write each finding as soon as it is there; return how many of each there are."""
    counted: Counter[Verdict] = Counter()
    for about, finding in found:
        _tell_one(about, finding)
        counted[finding.verdict] += 1
    return counted


def sum_up(counted: Counter[Verdict], *, is_strict: bool) -> None:
    """Write the last line."""
    worst = max(counted, key=[*Verdict].index, default=Verdict.RIGHT)
    numbers = ", ".join(f"{counted[verdict]} {verdict}" for verdict in Verdict)
    fails = is_strict and worst is Verdict.RISKY
    end = "; with --strict, risky fails too" if fails else ""
    say()
    say(click.style(f"{numbers}{end}", fg=_COLOURS[worst], bold=True))


def _tell_one(about: str, finding: Finding) -> None:
    columns = width() - _VERDICT - _ABOUT - 2 * _GAP
    text = [*wrapped(finding.says, columns), *_mend(finding.mend, columns)]
    labels = ([finding.verdict.value], _VERDICT), ([about], _ABOUT)
    for verdict, subject, line in side_by_side(*labels, (text, 0)):
        label = click.style(verdict, fg=_COLOURS[finding.verdict], bold=True)
        gap = " " * _GAP
        say(f"{label if verdict.strip() else verdict}{gap}{subject}{gap}{line}")


def _mend(mend: str, columns: int) -> list[str]:
    first, rest = "-> ", "   "
    lines = [
        line
        for part in mend.splitlines()
        for line in wrapped(part, columns - len(first))
    ]
    return [(rest if number else first) + line for number, line in enumerate(lines)]

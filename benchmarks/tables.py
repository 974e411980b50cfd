"""Tables of results, for a terminal and as Markdown, and targets."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field

MISSING = "–"  # noqa: RUF001 (a dash: nothing was measured)


@dataclass(frozen=True)
class Target:
    """What must be reached.

    :param text: in words, with the bound.
    :param found: what was measured; None where it could not be.
    :param bound: the most that it may be.
    """

    text: str
    found: float | None
    bound: float
    unit: str = ""

    @property
    def verdict(self) -> str:
        """In one word."""
        if self.found is None:
            return "not measured"
        return "reached" if self.found <= self.bound else "missed"


@dataclass(frozen=True)
class Table:
    """One subject's results.

    :param notes: lines below it.
    :param targets: that it tells about.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    targets: Sequence[Target] = field(default_factory=tuple)


#: Characters of a cell in a terminal; what is longer runs over the edge of its column.
WIDEST = 60


def as_text(table: Table) -> str:
    """Return a table for a terminal."""
    lines = [list(table.columns), *(list(row) for row in table.rows)]
    columns = list(zip(*lines, strict=True))
    widths = [min(WIDEST, max(map(_width, column))) for column in columns]
    # Figures are read from the right, words from the left.
    are_words = [
        place == 0 or not _are_figures(column) for place, column in enumerate(columns)
    ]
    shown = [
        "  ".join(
            _padded(cell, width, left=is_word)
            for cell, width, is_word in zip(line, widths, are_words, strict=True)
        ).rstrip()
        for line in lines
    ]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    body = [table.title, rule, shown[0], rule, *shown[1:]]
    return "\n".join([*body, *(f"  {note}" for note in table.notes), ""])


def as_markdown(table: Table) -> str:
    """Return a table as Markdown."""
    rule = ["---", *["---:"] * (len(table.columns) - 1)]
    rows = [list(table.columns), rule, *(list(row) for row in table.rows)]
    body = ["| " + " | ".join(row) + " |" for row in rows]
    notes = ["", *(f"- {note}" for note in table.notes)] if table.notes else []
    return "\n".join([f"### {table.title}", "", *body, *notes, ""])


def table_of_targets(targets: Sequence[Target]) -> Table:
    """Return what must be reached, and whether it was."""
    rows = [
        (
            target.text,
            f"{target.bound:g}{target.unit}",
            MISSING if target.found is None else f"{target.found:.4g}{target.unit}",
            target.verdict,
        )
        for target in targets
    ]
    columns = ("what must be reached (medians)", "at most", "found", "")
    return Table("Targets", columns, rows)


def _are_figures(column: Sequence[str]) -> bool:
    return all(cell[:1].isdigit() or cell[:1] in ("-", MISSING) for cell in column[1:])


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _padded(text: str, width: int, *, left: bool) -> str:
    space = " " * (width - _width(text))
    return text + space if left else space + text

"""Lines that read well on a terminal, in a pipe and in the log of a CI job."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from textwrap import wrap

import click

#: Columns of what is no terminal, and the most that an eye follows on one.
PLAIN, WIDEST = 80, 100


def width() -> int:
    """How many columns there are."""
    if not sys.stdout.isatty():
        return PLAIN
    return max(40, min(WIDEST, shutil.get_terminal_size((PLAIN, 24)).columns - 1))


def wrapped(text: str, columns: int) -> list[str]:
    """Text in lines of so many columns; what has no space in it stays whole."""
    lines = wrap(text, columns, break_long_words=False, break_on_hyphens=False)
    return lines or [""]


def side_by_side(*columns: tuple[list[str], int]) -> Iterator[list[str]]:
    """Rows of cells that are as wide as their columns.

    :param columns: the lines of each, and its width.
    """
    for row in range(max(len(lines) for lines, _ in columns)):
        yield [
            (lines[row] if row < len(lines) else "").ljust(size)
            for lines, size in columns
        ]


def say(line: str = "") -> None:
    """Write a line; what the output cannot show is written as an escape."""
    encoding = sys.stdout.encoding or "ascii"
    shown = line.rstrip().encode(encoding, "backslashreplace").decode(encoding)
    click.echo(shown)

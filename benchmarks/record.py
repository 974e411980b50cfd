"""The last full result, kept in ``benchmarks/README.md``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.tables import as_markdown
from benchmarks.tables import Table

README = Path(__file__).parent / "README.md"
#: What follows is written by a run.
MARK = "<!-- what follows is written by: make bench RECORD=1 -->\n"


def recorded(readme: str, tables: Sequence[Table]) -> str:
    """Return the page with these results in place of those that it had."""
    text, mark, _ = readme.partition(MARK)
    if not mark:
        raise ValueError("the page has no place for results")
    return text + mark + "\n" + "\n".join(map(as_markdown, tables))

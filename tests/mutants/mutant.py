"""One change to one file, named by what it changes and not by a line number."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path


@dataclass(frozen=True)
class Mutant:
    """A file with one change.

    :param file: inside of ``flask_stepup``.
    :param where: the function, or class, that is changed; empty outside of all.
    :param change: lines that went, after ``-``, and that came, after ``+``.
    :param text: the whole file as it is then.
    """

    file: str
    where: str
    change: str
    text: str = field(repr=False, compare=False)

    @property
    def key(self) -> tuple[str, str, str]:
        """By which it is found again when lines have moved."""
        return self.file, self.where, self.change

    def __str__(self) -> str:
        return f"{self.file}: {self.where}\n{self.change}"


def change_between(before: str, after: str) -> str:
    """Return the lines that went and came, without their indentation."""
    old, new = before.splitlines(), after.splitlines()
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    lines = []
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag != "equal":
            lines += [f"- {line.strip()}" for line in old[i:j]]
            lines += [f"+ {line.strip()}" for line in new[k:m]]
    return "\n".join(lines)


def unlike(mutants: list[Mutant], original: Path) -> list[Mutant]:
    """Those that are changed and are not twice the same."""
    seen, kept = {original.read_text()}, []
    for mutant in mutants:
        if mutant.text not in seen:
            seen.add(mutant.text)
            kept.append(mutant)
    return kept

"""Mutants of what is no Python: the scripts in Lua, and SQL in strings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mutant import change_between
from mutant import Mutant

_NUMBER = (r"(?<![\w.'%])(\d+)(?![\w.'])", lambda m: str(int(m[1]) + 1))
#: What is replaced by what, wherever it is found.
_LUA = (
    _NUMBER,
    (r" < ", " <= "),
    (r" > ", " >= "),
    (r" >= ", " > "),
    (r" == ", " ~= "),
    (r" ~= ", " == "),
    (r" and ", " or "),
    (r" or ", " and "),
    (r"\bnot ", ""),
    (r" \+ ", " - "),
    (r" - ", " + "),
    (r" / ", " * "),
    (r"math\.min", "math.max"),
    (r"math\.max", "math.min"),
    (r"math\.ceil", "math.floor"),
    (r"math\.huge", "0"),
    (r"'\('", "''"),
    (r"\+inf", "-inf"),
    (r"'-inf", "'+inf"),
    (r", 'NX'", ""),
    (r", 'EX', ARGV\[\d\]", ""),
    (r"\bfalse\b", "true"),
    (r"\bnil\b", "0"),
    (r"\.\. ' ' ", ""),
    (r"\^", ""),
    (r"%\.6f", "%.0f"),
)
#: Constraints of columns stay: what they forbid is written by nobody.
_SQL = (
    _NUMBER,
    (r" < ", " <= "),
    (r" <= ", " < "),
    (r" > ", " >= "),
    (r" = (?=\?)", " <> "),
    (r" AND ", " OR "),
    (r" DESC", " ASC"),
    (r"OR REPLACE ", "OR IGNORE "),
    (r"IF NOT EXISTS ", ""),
    (r"(?<!IF )NOT EXISTS", "EXISTS"),
    (r"LEFT JOIN", "JOIN"),
    (r"UNION ALL", "UNION"),
    (r" AUTOINCREMENT", ""),
    (r" PRIMARY KEY", ""),
    (r" ORDER BY at DESC", ""),
    (r" LIMIT \?", " LIMIT ? + 1"),
    (r" IMMEDIATE", ""),
    (r"CREATE INDEX[^;]*;", ""),
)
_IS_SQL = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|CREATE|BEGIN|JOIN|UNION)\b")
#: Lines of Lua that can go without breaking the grammar.
_STATEMENT = re.compile(r"\s+\w.*[)\]\w]$|redis\.call.*\)$|\w+(\[.*\])? = .*[)\w]$")
_STRUCTURE = re.compile(
    r"\s*(local function|function|if|for|while|else|end|--|return \{)"
)


def mutants_of_lua(folder: Path, file: str) -> Iterator[Mutant]:
    """Yield the script with something else in the place of one thing each."""
    text = (folder / file).read_text()
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        for changed in _changed_lua(line):
            after = "".join([*lines[:number], changed, *lines[number + 1 :]])
            where = _function_at(lines, number)
            yield Mutant(file, where, change_between(text, after), after)


def changed_sql(literal: str) -> Iterator[str]:
    """Yield a literal of SQL, changed; nothing where it is none."""
    if _IS_SQL.search(literal):
        yield from _replaced(literal, _SQL)


def _changed_lua(line: str) -> Iterator[str]:
    if line.lstrip().startswith("--"):
        return
    yield from _replaced(line, _LUA)
    if _STATEMENT.match(line.rstrip("\n")) and not _STRUCTURE.match(line):
        yield "\n"


def _replaced(text: str, table: tuple) -> Iterator[str]:
    for pattern, replacement in table:
        for found in re.finditer(pattern, text):
            new = (
                found.expand(replacement)
                if isinstance(replacement, str)
                else (replacement(found))
            )
            yield text[: found.start()] + new + text[found.end() :]


def _function_at(lines: list[str], number: int) -> str:
    for line in reversed(lines[: number + 1]):
        if found := re.match(r"local function (\w+)", line):
            return found[1]
        if line.startswith("end"):
            return ""
    return ""

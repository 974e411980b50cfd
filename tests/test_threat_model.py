"""The threat model names promises, tests and clauses as they are."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TESTS = ROOT / "tests"
README = (ROOT / "README.md").read_text()
PAGE = (ROOT / "docs" / "threat-model.md").read_text()
#: By their number, as the README has them.
PROMISES = {
    int(number): title
    for number, title in re.findall(r"^(\d+)\. \*\*(.+?)\.?\*\*", README, re.MULTILINE)
}
#: The tables that say of each clause how it is met.
MAPPINGS = (
    "OWASP ASVS 5.0",
    "NIST SP 800-63B-4",
    "OWASP Transaction Authorization Cheat Sheet",
    "RFCs",
)
STATES = {"met", "in part", "yours", "not met"}


@cache
def docstrings_of(file: str) -> dict[str, str]:
    """The tests of a file, in classes too, and their docstrings."""
    tree = ast.parse((TESTS / file).read_text())
    return {
        node.name: ast.get_docstring(node) or ""
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def all_tests() -> Iterator[tuple[str, str, str]]:
    for path in sorted(TESTS.rglob("test_*.py")):
        if "node_modules" not in path.parts:
            file = str(path.relative_to(TESTS))
            for name, docstring in docstrings_of(file).items():
                yield file, name, docstring


def named_in(text: str) -> list[tuple[str, str]]:
    """The tests that a text names, as file and function."""
    return re.findall(r"`([\w/]+\.py)::(\w+)`", text)


def section(heading: str) -> str:
    """What is under a heading of the page, up to the next of its level or above."""
    level = heading.split()[0]
    begun = PAGE.partition(f"\n{heading}\n")[2]
    assert begun, f"no heading {heading!r}"
    return re.split(rf"^#{{2,{len(level)}}} ", begun, flags=re.MULTILINE)[0]


def promises_of(docstring: str) -> list[int]:
    """The numbers with which a docstring begins: "Promise 5:", "Promises 5 and 9:"."""
    begun = re.match(r"Promises? ([\d, and]+):", docstring)
    return [int(number) for number in re.findall(r"\d+", begun[1])] if begun else []


def rows(mapping: str) -> list[list[str]]:
    """The rows of a table, cell by cell."""
    lines = [x for x in section(f"### {mapping}").splitlines() if x.startswith("|")]
    return [[cell.strip() for cell in x.strip("|").split("|")] for x in lines[2:]]


def test_the_readme_has_eleven_promises() -> None:
    """They are numbered from one, and each has a title."""
    assert list(PROMISES) == list(range(1, 12))


def test_the_page_has_each_promise_once_and_in_order() -> None:
    """Under the title that the README gives it."""
    found = re.findall(r"^### (\d+)\. (.+)$", PAGE, re.MULTILINE)

    assert [(int(number), title) for number, title in found] == [*PROMISES.items()]


@pytest.mark.parametrize("number", PROMISES)
def test_each_promise_names_the_tests_that_hold_it(number: int) -> None:
    """Two at least, each once, and one of them says in its docstring that it does."""
    named = named_in(section(f"### {number}. {PROMISES[number]}"))

    assert 2 <= len(named) <= 6
    assert len(set(named)) == len(named)
    told = [docstrings_of(file).get(test, "") for file, test in named]
    assert any(number in promises_of(docstring) for docstring in told)


def test_every_test_that_is_named_is_there() -> None:
    """In its file, by its name; a test that was renamed or moved is told here."""
    named = named_in(PAGE)
    missing = [
        f"{file}::{test}"
        for file, test in named
        if not (TESTS / file).exists() or test not in docstrings_of(file)
    ]

    assert missing == []
    assert len(named) == PAGE.count("::test_")


def test_every_test_of_a_promise_is_of_one_that_there_is() -> None:
    """Whatever begins with "Promise" names numbers of the README, and a colon."""
    wrong = [
        f"{file}::{name}"
        for file, name, docstring in all_tests()
        if docstring.startswith(("Promise ", "Promises "))
        and not (promises_of(docstring) and set(promises_of(docstring)) <= {*PROMISES})
    ]

    assert wrong == []


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_no_clause_comes_twice(mapping: str) -> None:
    """Of each there is one answer, and clauses are in the order of their numbers."""
    clauses = [row[0] for row in rows(mapping)]

    assert clauses
    assert len(set(clauses)) == len(clauses)
    numbers = [[int(n) for n in re.findall(r"\d+", clause)] for clause in clauses]
    if mapping != "RFCs":
        assert numbers == sorted(numbers)
    assert all(numbers)


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_each_clause_has_a_state_and_its_reason(mapping: str) -> None:
    """Met, in part, yours or not met; and nothing is met by nothing."""
    for clause, asked, state, by in rows(mapping):
        assert state in STATES, clause
        assert asked, clause
        assert by, clause


@pytest.mark.parametrize("page", ["docs/threat-model.md", "SECURITY.md"])
def test_links_within_the_page_lead_somewhere(page: str) -> None:
    """Each anchor of the threat model that is linked to is a heading of it."""
    text = (ROOT / page).read_text()
    headings = re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}
    pattern = r"\]\(#([^)]+)\)" if "docs/" in page else r"threat-model\.md#([^)]+)\)"
    linked = re.findall(pattern, text)

    assert linked
    assert set(linked) <= anchors

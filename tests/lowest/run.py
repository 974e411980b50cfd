"""Run the tests that touch other libraries, with the lowest versions of them."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest
from bounds import declared

TESTS = Path(__file__).parent.parent
#: What is the same with any version: our own files and tools, and the ledger in SQLite;
#: and what takes long, of which the other tests have a part.
LEFT_OUT = (
    *("architecture", "docs", "documentation*", "main_job", "meta", "transcripts"),
    *("threat_model", "typing", "wheel", "legible", "policy", "signing"),
    *("ledger_[!r]*", "flow_model", "fuzz_*", "many*", "soak*", "owed"),
    *("approvals_processes", "bank", "revocation_recipes"),
)
#: Faults of the lowest versions themselves, in which we have no part.
THEIRS = (
    # Werkzeug 3.1.0 raises for a Host that is none, where TRUSTED_HOSTS is set.
    "tests/test_misuse_addresses.py"
    "::test_no_address_is_one_however_an_app_is_set_up[trusting]",
)


def files() -> list[str]:
    """Return the files of tests for which all is installed that they import."""
    left_out = {path for name in LEFT_OUT for path in TESTS.glob(f"test_{name}.py")}
    return [
        str(path)
        for path in sorted(set(TESTS.glob("test_*.py")) - left_out)
        if all(map(is_there, imported(path)))
    ]


def is_there(module: str) -> bool:
    """Whether a module can be imported, and all that it imports at its top."""
    for own in (
        TESTS / f"{module.replace('.', '/')}.py",
        TESTS / module / "__init__.py",
    ):
        if own.exists():
            return all(map(is_there, imported(own)))
    return find_spec(module.partition(".")[0]) is not None


@cache
def imported(path: Path) -> frozenset[str]:
    """Return the modules that a file imports at its top."""
    return frozenset(_imported(ast.parse(path.read_text()), path))


def _imported(tree: ast.Module, path: Path) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield f"{path.parent.name}.{node.module}"
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


if __name__ == "__main__":
    found = {name: version(name) for name in ("werkzeug", "httpcore", *declared())}
    print(*(f"{name} {found[name]}" for name in sorted(found)), sep=", ")
    sys.path.insert(0, str(TESTS))
    options = ["-q", "-n", "auto", "--dist", "loadfile"]
    options += [f"--deselect={test}" for test in THEIRS]
    sys.exit(pytest.main([*options, *sys.argv[1:], *files()]))

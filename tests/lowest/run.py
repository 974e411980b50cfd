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
#: Where other libraries have most to say, the main job, and each use that is ours.
TOUCHED = (
    *(
        "answers",
        "cli*",
        "clerk",
        "clerk_session",
        "companions",
        "field_order",
        "guard",
    ),
    *("integration_*", "keys", "languages", "ledger_redis", "misuse_addresses"),
    *("prompt", "published_keys", "resume", "sandbox*", "scopes", "session_token"),
    *("signing", "suspension", "testing_*", "totp*", "verifiers"),
)
#: Faults of the lowest versions themselves, in which we have no part.
THEIRS = (
    # Werkzeug 3.1.0 raises for a Host that is none, where TRUSTED_HOSTS is set.
    "tests/test_misuse_addresses.py"
    "::test_no_address_is_one_however_an_app_is_set_up[trusting]",
)


def files() -> list[str]:
    """Return the files of tests for which all is installed that they import."""
    touched = {path for name in TOUCHED for path in TESTS.glob(f"test_{name}.py")}
    return [str(path) for path in sorted(touched) if all(map(is_there, imported(path)))]


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
    # redis-py 5.0 leaves a socket that did not connect to the garbage collector.
    options += ["-W", "ignore::pytest.PytestUnraisableExceptionWarning"]
    options += [f"--deselect={test}" for test in THEIRS]
    sys.exit(pytest.main([*options, *sys.argv[1:], *files()]))

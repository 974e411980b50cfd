"""Nothing of the package looks at ``app.testing``, and nobody else loads the kit."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import MakeApp
from flask import Flask
from people import PAGE
from people import Person

import flask_stepup
from flask_stepup import IncorrectCode
from flask_stepup import VerifierUnavailable
from flask_stepup.testing import Clock

PACKAGE = Path(flask_stepup.__file__).parent
#: For developers: they may tell that an app is being debugged.
ASIDE = {"testing", "cli"}
FLAGS = {"testing", "TESTING", "debug", "DEBUG"}


def looked_at(tree: ast.AST) -> set[str]:
    """The flags that a module reads: as an attribute, or by a name in quotes."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in FLAGS:
            # What a log is told is no flag.
            if not (isinstance(node.value, ast.Name) and node.value.id == "log"):
                found.add(node.attr)
        elif isinstance(node, ast.Constant) and node.value in FLAGS:
            found.add(node.value)
    return found


def test_no_module_looks_at_a_flag() -> None:
    """No check is skipped in a test: one setting too many, and all would be open."""
    wrong = {
        str(path.relative_to(PACKAGE)): flags
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).parts[0] not in ASIDE
        if (flags := looked_at(ast.parse(path.read_text())))
    }

    assert wrong == {}
    assert looked_at(ast.parse("app.testing; app.config['DEBUG']")) == {
        "testing",
        "DEBUG",
    }


def walk(app: Flask, codes: Any) -> list[tuple[Any, ...]]:
    """Go through all that can become of a person, and return what was answered."""
    told: list[tuple[Any, ...]] = []

    def tell(response: Any) -> None:
        problem = response.get_json() if response.is_json else None
        facts = problem and {**problem, "challenge": None}
        told.append((response.status_code, response.mimetype, facts))

    nobody, alice = Person(app), Person(app, "alice")
    for person in (nobody, alice):
        for method in ("GET", "POST"):
            tell(person.json("/vault", method))
            tell(person.open("/vault", method))
        tell(person.json("/stepup/status"))
    prompt = alice.prompted()
    tell(alice.client.post("/stepup/", data={"challenge": prompt.challenge}))
    tell(alice.client.post("/stepup/", headers=PAGE, data={"challenge": "forged"}))
    codes.raises = VerifierUnavailable(retry_after=3)
    tell(alice.answer(prompt, "right"))
    codes.raises = IncorrectCode()
    for number in range(6):
        tell(alice.answer(prompt, f"{number}"))
    codes.raises = None
    tell(alice.answer(prompt, "right"))
    bob = Person(app, "bob")
    tell(bob.answer(bob.prompted(), "right"))
    tell(bob.open("/vault"))
    with app.app_context():
        app.extensions["stepup"].revoke("bob")
    tell(bob.json("/vault"))
    return told


@pytest.mark.parametrize("flag", ["TESTING", "DEBUG"])
def test_a_flag_changes_no_answer(make_app: MakeApp, codes: Any, flag: str) -> None:
    """Codes, limits and refusals are those of production, word for word."""
    with Clock():
        in_production = walk(make_app(), codes)
        with_flag = walk(make_app(**{flag: True}), codes)

    assert with_flag == in_production
    statuses = {status for status, *_ in in_production}
    assert statuses >= {200, 303, 400, 401, 403, 422, 429, 503}


def test_the_kit_is_loaded_by_those_alone_who_ask_for_it() -> None:
    """And pytest and time-machine by those alone who use them."""
    program = """if True:
        import sys
        import flask_stepup
        assert "flask_stepup.testing" not in sys.modules
        import flask_stepup.testing
        assert "flask_stepup.testing.clock" in sys.modules
        print({"pytest", "time_machine", "_pytest"} & {*sys.modules})
    """
    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout

    assert printed == "set()\n"


def test_what_the_kit_exports() -> None:
    """All names are there, sorted, and say what they are."""
    from flask_stepup import testing

    assert testing.__all__ == sorted(testing.__all__)
    for name in testing.__all__:
        assert getattr(testing, name).__doc__

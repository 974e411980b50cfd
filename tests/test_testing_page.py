"""The page on testing: its code is run by pytest, as its readers run it."""

from __future__ import annotations

import re

import pytest
from documented import blocks
from documented import DOCS
from plugged import Project

from flask_stepup import testing

pytest_plugins = ["pytester"]

PAGE = "testing.md"


@pytest.fixture(name="project")
def _project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The page's tests in a project, each block a module."""
    project = Project(pytester, monkeypatch)
    conftest, *modules = blocks(PAGE)
    assert conftest.startswith("# conftest.py\n")
    project.write(
        conftest=conftest, **{f"test_{n}": text for n, text in enumerate(modules)}
    )
    return project


def test_every_test_of_the_page_passes(project: Project) -> None:
    """With the app of its reader, and no warning."""
    result = project.run("-q")

    tests = re.findall(r"^ *def test_", "".join(blocks(PAGE)), re.MULTILINE)
    result.assert_outcomes(passed=len(tests))
    assert len(tests) >= 12


def test_no_test_of_the_page_passes_whatever_the_app_does(project: Project) -> None:
    """Without its guards, each fails: these tests are worth something."""
    bank = (project.folder / "bank.py").read_text()
    project.write(bank=re.sub(r"    @require_reverification\(.*\)\n", "", bank))

    result = project.run("-q")

    outcomes = result.parseoutcomes()
    reached_without = {"test_the_account_number", "test_the_cookie_of_clerk"}
    reached_without |= {"test_a_bearer_token"}
    assert outcomes["passed"] == len(reached_without)
    for name in reached_without:
        assert not re.search(rf"FAILED .*::{name}\b", result.stdout.str())


def test_the_message_of_the_page_is_the_one_that_is_shown(project: Project) -> None:
    """Line for line, but for where the lines end."""
    project.write(
        test_message=(
            "from flask_stepup.testing import assert_requires_reverification\n"
            "def test_it(client):\n"
            "    assert_requires_reverification(client, '/statement')\n"
        )
    )

    result = project.run("-q", "test_message.py")

    (shown,) = blocks(PAGE, "text")
    said = " ".join(line.removeprefix("E ").strip() for line in result.outlines)
    assert " ".join(shown.split()) in " ".join(said.split())


def test_all_of_the_kit_is_on_the_page() -> None:
    """Whatever is exported is explained."""
    text = (DOCS / PAGE).read_text()

    assert [name for name in testing.__all__ if name not in text] == ["RecordedSignals"]

"""Which ``pyproject.toml`` has the allow list, and what may stand in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command_line import good_app
from command_line import invoke
from flask import Flask

HEAD = "[tool.flask-stepup]\n"


@pytest.fixture(name="app")
def _app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """An app with two unguarded views, and a folder to run in."""
    folder = tmp_path / "project" / "src"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    app = good_app(tmp_path)
    app.add_url_rule("/in", "auth.sign_in", lambda: "", methods=["POST"])
    app.add_url_rule("/out", "auth.sign_out", lambda: "", methods=["POST"])
    return app


def status(app: Flask, *options: str) -> int:
    return invoke(app, "routes", "--fail-unguarded", *options).exit_code


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ('["auth.sign_in", "auth.sign_out"]', 0),
        ('["auth.*"]', 0),
        ('["auth.sign_??", "auth.sign_[o]ut"]', 0),
        ('["auth.sign_in"]', 1),
        ('["auth"]', 1),
        ("[]", 1),
    ],
)
def test_entries(app: Flask, entries: str, expected: int) -> None:
    """They are endpoints, whole, or with the wildcards of a shell."""
    Path("pyproject.toml").write_text(f"{HEAD}unguarded = {entries}")

    assert status(app) == expected


def test_it_is_searched_upward(app: Flask) -> None:
    """The nearest that has our table counts, and others are passed over."""
    Path("pyproject.toml").write_text("[tool.ruff]\nline-length = 88")
    Path("../pyproject.toml").write_text(f'{HEAD}unguarded = ["auth.*"]')
    Path("../../pyproject.toml").write_text(f'{HEAD}unguarded = ["none"]')

    assert status(app) == 0
    assert " allowed by ../pyproject.toml." in invoke(app, "routes").output


def test_without_any(app: Flask) -> None:
    """Nothing is allowed then."""
    assert status(app) == 1


def test_one_that_is_named(app: Flask) -> None:
    """It goes before the nearest, and may have any name."""
    Path("pyproject.toml").write_text(f'{HEAD}unguarded = ["none"]')
    Path("other.toml").write_text(f'{HEAD}unguarded = ["auth.*"]')

    assert status(app) == 1
    assert status(app, "--pyproject", "other.toml") == 0


def test_one_that_is_not_there(app: Flask) -> None:
    """A path that is given has to be a file."""
    result = invoke(app, "routes", "--pyproject", "gone.toml")

    assert result.exit_code == 2
    assert "File 'gone.toml' does not exist" in result.output


@pytest.mark.parametrize(
    ("text", "mend"),
    [
        ("[tool.flask-stepup", "cannot be read: Expected"),
        ("[tool]\nflask-stepup = 3", "must be a table, \\[tool.flask-stepup\\]"),
        (f"{HEAD}ungarded = []", "knows no 'ungarded'; did you mean 'unguarded'\\?"),
        (f'{HEAD}unguarded = "auth.*"', 'must be a list of endpoints: \\["sign_in'),
        (f"{HEAD}unguarded = [3]", "must be a list of endpoints"),
        (f'{HEAD}unguarded = [" "]', "must be a list of endpoints"),
    ],
)
def test_malformed(app: Flask, text: str, mend: str) -> None:
    """It is one line that names the file and the mend, with or without the option."""
    Path("pyproject.toml").write_text(text)
    result = invoke(app, "routes")
    named = invoke(app, "routes", "--pyproject", "pyproject.toml")

    assert (result.exit_code, named.exit_code) == (1, 1)
    assert re.fullmatch(f"Error: .*pyproject.toml.*{mend}.*\n", result.output)
    assert re.search(mend, named.output)


def test_bytes_that_are_no_text(app: Flask) -> None:
    """TOML is UTF-8."""
    Path("pyproject.toml").write_bytes(b"\xff")
    result = invoke(app, "routes")

    assert result.exit_code == 1
    assert re.fullmatch("Error: .*pyproject.toml cannot be read: .*\n", result.output)


def test_a_named_one_without_the_table(app: Flask) -> None:
    """Whoever names it expects one in it."""
    Path("other.toml").write_text("[project]")
    result = invoke(app, "routes", "--pyproject", "other.toml")

    assert result.exit_code == 1
    assert "other.toml has no table [tool.flask-stepup]" in result.output

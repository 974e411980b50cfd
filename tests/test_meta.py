"""Code, README, CHANGELOG and examples say the same."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from people import Person

import flask_stepup
from flask_stepup import signals
from flask_stepup.errors import StepUpError
from flask_stepup.problems import problem_of
from flask_stepup.sandbox import demo_users
from flask_stepup.sandbox import Sandbox
from flask_stepup.sandbox import SandboxUser
from flask_stepup.settings import Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
#: Settings whose default stands elsewhere.
ELSEWHERE = {
    "STEPUP_CLERK_SECRET_KEY": "`CLERK_SECRET_KEY` of the environment",
    "STEPUP_CLERK_JWT_KEY": "`CLERK_JWT_KEY` of the environment",
    "STEPUP_SECRET_FIELDS": "(flask_stepup/secret_fields.py)",
}


def test_the_exports_are_the_public_names() -> None:
    """``__all__`` is sorted, complete, and what the design promises."""
    public = {
        name
        for name, value in vars(flask_stepup).items()
        if not name.startswith("_") and callable(value)
    }

    assert sorted(flask_stepup.__all__) == flask_stepup.__all__
    assert set(flask_stepup.__all__) == public
    assert public >= {
        "StepUp",
        "require_reverification",
        "Policy",
        "Subject",
        "Verification",
        "Verifier",
        "ReverificationRequired",
        "ConfigurationError",
        "IncorrectCode",
        "NotEnrolled",
        "VerifierUnavailable",
        "OutcomeUnknown",
        "VerifierMisconfigured",
    }


def test_the_signals_are_those_of_the_design() -> None:
    """Each under its own name, with a dash for an underscore."""
    found = {
        name: value.name
        for name, value in vars(signals).items()
        if hasattr(value, "connect")
    }

    assert found == {name: name.replace("_", "-") for name in found}
    assert set(found) == {
        "reverification_required",
        "reverification_succeeded",
        "reverification_failed",
        "attempts_exhausted",
        "code_reused",
        "verifier_failed",
        "elevation_revoked",
    }


def test_the_readme_lists_every_setting_with_its_default() -> None:
    """The table has a row for each field of ``Settings``, and no other."""
    rows = dict(re.findall(r"^\| `(STEPUP_\w+)` \| (.+?) \|", README, re.MULTILINE))
    defaults = {f"STEPUP_{f.name.upper()}": f.default for f in fields(Settings)}

    assert list(rows) == list(defaults)
    for name, default in defaults.items():
        shown = rows[name].strip("`").strip('"')
        if name not in ELSEWHERE:
            assert shown == str(default), name
    assert ELSEWHERE.keys() <= defaults.keys()
    for name, place in ELSEWHERE.items():
        assert place in rows[name]


def test_every_setting_is_documented_in_the_design_of_the_code() -> None:
    """None of ours is read anywhere but in ``settings``."""
    used = set()
    for path in (ROOT / "flask_stepup").rglob("*.py"):
        if path.name != "settings.py":
            read = r"config(?:\.get\(|\[)\"(STEPUP_\w+)\""
            used |= set(re.findall(read, path.read_text()))

    assert used == set()


def test_every_error_of_the_prompt_has_its_words() -> None:
    """Whatever the prompt catches can be told."""

    def leaves(kind: type) -> Iterator[type]:
        for sub in kind.__subclasses__():
            yield from leaves(sub)
        if not kind.__subclasses__():
            yield kind

    arguments = {"TooManyAttempts": (5, 0.0), "ValueRefused": ("to", "is missing")}
    silent = {"ConfigurationError", "ReverificationRequired", "ErrorAnswer"}
    told = {kind for kind in leaves(StepUpError) if kind.__name__ not in silent}
    for kind in told:
        if kind.__module__.startswith("flask_stepup"):
            error: Any = kind(*arguments.get(kind.__name__, ()))
            problem = problem_of(error)
            assert 400 <= problem.status < 600
            assert problem.title
            assert problem.detail.endswith(".")


def test_every_promise_has_a_test_that_names_it() -> None:
    """A promise of the design without a test would be a wish."""
    tests = "".join(path.read_text() for path in (ROOT / "tests").glob("test_*.py"))

    for number in range(1, 12):
        assert f"Promise {number}:" in tests, number


def test_the_package_says_what_it_needs() -> None:
    """Flask, httpx and itsdangerous; everything else is an extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = {re.split("[>=<]", name)[0] for name in project["dependencies"]}

    assert required == {"flask", "httpx", "itsdangerous"}


def test_no_file_names_a_registry() -> None:
    """Lock files with addresses stay out of the repository."""
    addresses = re.compile(r"pypi\.org|pythonhosted|npmjs|registry\.\w+\.\w+")
    for path in ROOT.glob("*.*"):
        if path.is_file() and path.suffix in {".md", ".toml", ".lock", ".json"}:
            assert not addresses.search(path.read_text()), path


@pytest.fixture(name="user")
def _user() -> SandboxUser:
    return demo_users()[0]


def test_the_readmes_program_does_what_its_transcript_says(
    user: SandboxUser, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The first block of the README is run, and each line of the second is true."""
    program, transcript = re.findall(r"```(?:python)?\n(.*?)```", README, re.DOTALL)[:2]
    sandbox = Sandbox([user])
    with sandbox.serve() as url:
        monkeypatch.setenv("FLASK_SECRET_KEY", "k" * 32)
        monkeypatch.setenv("FLASK_STEPUP_CLERK_API_URL", url)
        monkeypatch.setenv("FLASK_STEPUP_CLERK_SECRET_KEY", sandbox.secret_key)
        monkeypatch.setenv("FLASK_STEPUP_STORAGE_URI", f"sqlite:///{tmp_path}/l.db")
        names: dict[str, Any] = {"__name__": "readme"}
        exec(program, names)  # noqa: S102 (our own README)
        app: Flask = names["app"]
        person = Person(app)
        with person.client.session_transaction() as session:
            session["user_id"] = user.user_id
        first = person.open("/account-number")
        prompt = person.prompted("/account-number")
        wrong = person.answer(prompt, "000000")
        right = person.answer(prompt, user.current_code())
        last = person.open("/account-number")
        app.extensions["stepup"].verifier._api.close()

    lines = [line.split() for line in transcript.strip().splitlines()]
    statuses = [
        next(int(w) for w in line if re.fullmatch(r"\d{3}", w)) for line in lines[:2]
    ]
    assert statuses == [first.status_code, prompt.response.status_code]
    assert "422" in lines[2]
    assert wrong.status_code == 422
    assert "That code is not right" in transcript
    assert "That code is not right" in wrong.text
    assert "You have 4 tries left." in wrong.text
    assert right.location == "/account-number"
    assert last.text in transcript
    assert len(program.strip().splitlines()) <= 12


def test_the_readmes_api_behind_clerk_needs_nothing_else(
    user: SandboxUser, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the settings that it names, an old token gets the hint, a fresh one in."""
    section = README.partition("## Behind a Clerk front end")[2]
    program = re.findall(r"```python\n(.*?)```", section, re.DOTALL)[0]
    sandbox = Sandbox([user])
    monkeypatch.setenv("FLASK_SECRET_KEY", "k" * 32)
    monkeypatch.setenv("CLERK_SECRET_KEY", sandbox.secret_key)
    monkeypatch.setenv("CLERK_JWT_KEY", sandbox.jwt_key)
    monkeypatch.setenv("FLASK_STEPUP_STORAGE_URI", f"sqlite:///{tmp_path}/l.db")
    names: dict[str, Any] = {"__name__": "readme", "Flask": Flask}
    names |= {name: getattr(flask_stepup, name) for name in flask_stepup.__all__}
    exec(program, names)  # noqa: S102 (our own README)
    app: Flask = names["app"]

    def delete(*factor_ages: int) -> Any:
        token = sandbox.session_token(user.user_id, factor_ages=factor_ages)
        headers = {"Authorization": f"Bearer {token}"}
        return app.test_client().delete("/api/keys/5", headers=headers).json

    assert delete(30, 30)["clerk_error"]["metadata"] == {"reverification": "strict"}
    assert delete(30, 0) == {"deleted": "5", "by": user.user_id}
    app.extensions["stepup"].verifier._api.close()

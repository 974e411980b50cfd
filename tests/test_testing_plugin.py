"""The pytest plugin, in projects as users write them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from plugged import DECLARED
from plugged import Project

pytest_plugins = ["pytester"]

APP = """
import pytest
from bank import create_app

@pytest.fixture
def app():
    return create_app({"STEPUP_STORAGE_URI": "memory://"})
"""
CLIENT = """
@pytest.fixture
def client(app):
    client = app.test_client()
    client.post("/sign-in", data={"name": "alice"})
    return client
"""


@pytest.fixture(name="project")
def _project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    project = Project(pytester, monkeypatch)
    project.write(conftest=APP + CLIENT)
    return project


def test_the_plugin_is_declared() -> None:
    """By the one line that has every pytest find it."""
    assert DECLARED["entry-points"]["pytest11"] == {
        "flask_stepup": "flask_stepup.testing.plugin"
    }


def test_its_fixtures_are_listed_with_what_they_are(project: Project) -> None:
    """All begin with the same word, and ``pytest --fixtures`` explains them."""
    listed = project.run("--fixtures").stdout.str()

    ours = listed.partition("fixtures defined from flask_stepup.testing.plugin")[2]
    found = re.findall(r"^(stepup_\w+) .*\n    (\S.*)$", ours, re.MULTILINE)
    assert dict(found) == {
        "stepup_app": (
            "The app under test: your fixture `app`, if you do not override this one."
        ),
        "stepup_verifier": (
            'A FakeVerifier in place of the app\'s own; "123456" is right.'
        ),
        "stepup_signals": (
            "The signals that the app has sent during this test, in order."
        ),
        "stepup_clock": (
            "The time of day, which stands still until the test moves it."
        ),
    }


def test_each_test_has_its_own_verifier(project: Project) -> None:
    """Of an app that all tests share, too: the app's own is back in between."""
    project.write(
        conftest=APP.replace("fixture", 'fixture(scope="module")') + CLIENT,
        test_it="""
from flask_stepup import IncorrectCode
from flask_stepup.testing import assert_requires_reverification, enter_code
import pytest

@pytest.fixture(autouse=True, scope="module")
def own(app):
    before = app.extensions["stepup"].verifier
    yield before
    assert app.extensions["stepup"].verifier is before

@pytest.mark.parametrize("code", ["111111", "222222"])
def test_one(client, stepup_verifier, stepup_signals, code):
    assert stepup_verifier.calls == []
    assert stepup_signals == []
    stepup_verifier.script(IncorrectCode)
    stepup_verifier.right_code = code
    problem = assert_requires_reverification(client, "/account-number")
    assert enter_code(client, problem, code).status_code == 422
    assert enter_code(client, problem, code).status_code == 200

def test_another(app, own):
    assert app.extensions["stepup"].verifier is own
""",
    )

    project.run().assert_outcomes(passed=3)


def test_an_app_by_another_name(project: Project) -> None:
    """One fixture is overridden, and all others follow."""
    project.write(
        conftest=APP.replace("def app", "def bank"),
        test_it="""
import pytest
from flask_stepup.testing import assert_requires_reverification

@pytest.fixture
def stepup_app(bank):
    return bank

def test_it(bank, stepup_verifier, stepup_signals):
    client = bank.test_client()
    client.post("/sign-in", data={"name": "alice"})
    assert_requires_reverification(client, "/account-number")
    assert stepup_signals.names == ["reverification_required"]
""",
    )

    project.run().assert_outcomes(passed=1)


def test_no_app_at_all(project: Project) -> None:
    """The error is pytest's own, and names the fixture that is missing."""
    project.write(conftest="", test_it="def test_it(stepup_verifier): ...")

    result = project.run()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines("*fixture 'app' not found*")


def test_flask_login_with_its_own_client(project: Project) -> None:
    """As its documentation writes such tests, with ours in the middle."""
    project.write(
        conftest="""
import pytest
from flask import Flask
from flask_login import FlaskLoginClient, LoginManager, UserMixin, login_required
from flask_stepup import StepUp, TOTPVerifier, require_reverification

class User(UserMixin):
    def __init__(self, id):
        self.id = id

@pytest.fixture
def app():
    app = Flask("bank")
    app.config.update(SECRET_KEY="k" * 32, STEPUP_STORAGE_URI="memory://", TESTING=True)
    LoginManager(app).user_loader(User)
    StepUp(app, verifier=TOTPVerifier(lambda user_id: None))
    app.test_client_class = FlaskLoginClient

    @app.get("/vault")
    @login_required
    @require_reverification
    def vault():
        return "in"

    return app

@pytest.fixture
def client(app):
    return app.test_client(user=User("alice"), fresh_login=True)
""",
        test_it="""
from flask_stepup.testing import assert_requires_reverification, enter_code, reverify
import pytest

def test_guarded(client):
    assert_requires_reverification(client, "/vault")

def test_behind(client):
    reverify(client, user_id="alice")
    assert [client.get("/vault").text for _ in range(3)] == ["in"] * 3

def test_not_enrolled(client):
    problem = assert_requires_reverification(client, "/vault")
    assert enter_code(client, problem).json["code"] == "not_enrolled"

def test_with_a_fake(client, stepup_verifier, stepup_clock):
    problem = assert_requires_reverification(client, "/vault")
    assert enter_code(client, problem).status_code == 200
    assert client.get("/vault").text == "in"
    stepup_clock.forward(600)
    assert assert_requires_reverification(client, "/vault")["cause"] == "expired"

def test_nobody(app):
    with pytest.raises(AssertionError, match="Nobody is signed in"):
        assert_requires_reverification(app.test_client(), "/vault")
""",
    )

    project.run().assert_outcomes(passed=5)


def test_within_a_context_of_the_users(project: Project) -> None:
    """pytest-flask pushes one around every test; ours are within that."""
    project.write(
        test_it="""
import pytest
from flask import request, session
from flask_stepup.testing import assert_requires_reverification, reverify

@pytest.fixture(autouse=True)
def pushed(app):
    with app.test_request_context("/pushed"):
        yield

def test_it(client, stepup_verifier):
    assert_requires_reverification(client, "/account-number")
    reverify(client)
    assert client.get("/account-number").status_code == 200
    assert request.path == "/pushed"
    assert "_stepup" not in session
"""
    )

    project.run().assert_outcomes(passed=1)


def test_whoever_uses_no_fixture_pays_for_none(project: Project) -> None:
    """Beside the package itself, pytest's start loads the kit's own modules alone."""
    project.write(
        conftest="",
        test_it="""
import sys

def test_it():
    assert "flask_stepup.testing.plugin" in sys.modules
    assert not {"time_machine", "pyotp", "jwt", "flask_login"} & {*sys.modules}
    assert not {"flask_stepup.sandbox", "flask_stepup.cli"} & {*sys.modules}
""",
    )

    project.run("-p", "no:time_machine").assert_outcomes(passed=1)


def test_a_frame_of_the_kit_is_never_shown(project: Project) -> None:
    """A failure points at the test's own line, with one message below it."""
    project.write(
        test_it="""
from flask_stepup.testing import assert_requires_reverification, reverify

def test_assert(client):
    assert_requires_reverification(client, "/statement")

def test_reverify(app):
    reverify(app.test_client())
"""
    )

    result = project.run()

    result.assert_outcomes(failed=2)
    shown = result.stdout.str()
    assert "flask_stepup/testing" not in shown
    assert "test_it.py:5: AssertionError" in shown
    assert re.search(r"test_it.py:8: \S*ConfigurationError", shown)


def test_the_package_is_measured_as_before(project: Project, tmp_path: Path) -> None:
    """By coverage, which begins before pytest does: what a plugin loads counts."""
    (project.folder / ".coveragerc").write_text(
        f"[run]\nsource = flask_stepup\ndata_file = {tmp_path / 'measured'}\n"
    )
    project.write(test_it="def test_it(client): assert client.get('/statement').text")

    ran = project.pytester.runpython_c(
        "import sys; from coverage.cmdline import main;"
        "sys.exit(main(['run', '--rcfile=.coveragerc', '-m', 'pytest', '-q',"
        " '-p', 'no:cacheprovider', '-p', 'no:xdist']))"
    )
    report = project.pytester.runpython_c(
        "from coverage.cmdline import main;"
        "main(['report', '--rcfile=.coveragerc', '--include=*/flask_stepup/policy.py',"
        " '--show-missing'])"
    )

    assert ran.ret == 0
    line = next(line for line in report.outlines if "policy.py" in line)
    # The first lines of a module are the ones that a plugin that came too soon loses.
    missing = line.rpartition("%")[2].split(",")
    assert all(int(part.strip().partition("-")[0]) > 60 for part in missing if part)

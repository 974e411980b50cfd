"""``flask stepup …`` as tests run it: in this process, and as a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import NamedTuple

from click.testing import Result
from flask import Flask
from people import Codes
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_stepup import StepUp
from flask_stepup.cli import stepup

SECRET_KEY = "f0c3a9e1b7d2486508ac9d3e4b1f7260"
#: Seconds after which a process that should have ended is given up.
PATIENCE = 60
#: With these nothing is risky.
GOOD = {
    "SECRET_KEY": SECRET_KEY,
    "SESSION_COOKIE_SECURE": True,
    "SESSION_COOKIE_SAMESITE": "Lax",
    "PREFERRED_URL_SCHEME": "https",
    "STEPUP_LOGIN_URL": "/login",
    "STEPUP_ENROLL_URL": "/security",
}


class Line(NamedTuple):
    """A finding, as it is read."""

    verdict: str
    about: str
    says: str
    mend: str


def nobody() -> None:
    """A subject loader: nobody is signed in."""


def good_app(folder: Path, stepup: StepUp | None = None, **config: Any) -> Flask:
    """An app of which all is right, but for what is given."""
    app = bare_app(folder, **config)
    stepup = stepup or StepUp(verifier=Codes(), subject_loader=nobody)
    stepup.init_app(app)
    return app


def bare_app(folder: Path, **config: Any) -> Flask:
    """The same without StepUp."""
    app = Flask("bank", root_path=str(folder), instance_path=str(folder / "instance"))
    app.config.update(GOOD | config)
    app.wsgi_app = ProxyFix(app.wsgi_app, x_host=1)  # type: ignore[method-assign]
    return app


def invoke(app: Flask, *arguments: str, env: Mapping[str, str] | None = None) -> Result:
    """Run a command for an app that is here."""
    runner = app.test_cli_runner()
    result = runner.invoke(stepup, arguments, env=env)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert SECRET_KEY not in result.output
    return result


def lines(output: str) -> list[Line]:
    """The findings of a report."""
    text = output.rpartition("\n\n")[0]
    found = []
    for entry in re.split(r"\n(?=\S)", text.strip("\n")):
        verdict, about, rest = re.split(" +", " ".join(entry.split()), maxsplit=2)
        says, _, mend = rest.partition(" -> ")
        found.append(Line(verdict, about, says, mend))
    return found


def checked(
    app: Flask, about: str, env: Mapping[str, str] | None = None
) -> list[tuple[str, str]]:
    """Run ``check``; the verdicts of one subject, with what is said."""
    result = invoke(app, "check", env=env)
    found = lines(result.output)
    assert result.exit_code == any(line.verdict == "wrong" for line in found)
    for line in found:
        assert line.verdict in ("right", "risky", "wrong")
        assert line.verdict != "risky" or line.mend, line
    return [(line.verdict, line.says) for line in found if line.about == about]


def environment(**more: str) -> dict[str, str]:
    """Ours, without what would speak for another app, or of a terminal."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FLASK_", "CLERK_"))
        and name not in ("NO_COLOR", "COLUMNS", "FORCE_COLOR")
    }
    return {**kept, "PYTHONIOENCODING": "utf-8", **more}


def run(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run ``flask …`` in a folder, as people do."""
    return subprocess.run(
        [sys.executable, "-m", "flask", *arguments],
        cwd=folder, env=environment(**more), capture_output=True, text=True,
        timeout=PATIENCE, stdin=subprocess.DEVNULL, encoding="utf-8",
    )  # fmt: skip

"""The wheel: complete, and the main job runs from it in an empty environment."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

STRANGER = """
import re
from pathlib import Path
from flask import Flask
import flask_stepup
from flask_stepup import StepUp, require_reverification
from flask_stepup.sandbox import Sandbox, demo_users

assert "site-packages" in flask_stepup.__file__, flask_stepup.__file__
alice = demo_users()[0]
sandbox = Sandbox([alice])
with sandbox.serve() as url:
    app = Flask(__name__, instance_path=str(Path("instance").resolve()))
    app.config.update(
        SECRET_KEY="k" * 32,
        STEPUP_CLERK_SECRET_KEY=sandbox.secret_key,
        STEPUP_CLERK_API_URL=url,
    )
    StepUp(app, subject_loader=lambda: alice.user_id)
    app.add_url_rule("/vault", view_func=require_reverification(lambda: "open"))
    client = app.test_client()
    page = {"Accept": "text/html"}
    prompt = client.get("/vault", headers=page, follow_redirects=True)
    assert client.get("/stepup/static/stepup.css").status_code == 200
    challenge = re.search(r'name="challenge" value="([^"]+)"', prompt.text)[1]
    form = {"challenge": challenge, "code": alice.current_code()}
    answer = client.post("/stepup/", data=form, headers=page)
    assert answer.location == "/vault", answer.status
    print(client.get("/vault", headers=page).text)
"""


@pytest.fixture(name="wheel", scope="module")
def _wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation"]
    subprocess.run(
        [*command, "--outdir", str(folder), str(ROOT)], check=True, capture_output=True
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    """Templates, style sheet and ``py.typed`` too, and nothing of the tests."""
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    package = ROOT / "flask_stepup"
    source = {
        str(path.relative_to(ROOT))
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert packed == source
    assert "flask_stepup/py.typed" in packed
    assert "flask_stepup/templates/stepup/prompt.html" in packed
    assert "flask_stepup/templates/stepup/default/prompt.html" in packed
    assert "flask_stepup/static/stepup.css" in packed


def test_the_main_job_runs_from_the_wheel_in_an_empty_environment(
    wheel: Path, tmp_path: Path
) -> None:
    """Installed with what it asks for and no more, it does what it is for."""
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    install = [python, "-m", "pip", "install", "-q", f"{wheel}[sandbox]"]
    subprocess.run(install, check=True, capture_output=True)
    (tmp_path / "stranger.py").write_text(STRANGER)

    done = subprocess.run(
        [python, "-W", "error::SyntaxWarning", "stranger.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert (done.stdout.strip(), done.returncode) == ("open", 0), done.stderr

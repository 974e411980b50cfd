"""A user's program under the type checkers that its author may use."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from front_end.node import needs_node
from front_end.node import needs_packages
from front_end.node import NODE
from front_end.node import NODE_MODULES

import flask_stepup

ROOT = Path(__file__).parent.parent
PROGRAM = "tests/typing"
#: What an editor shows of the package, and where it is defined.
PUBLIC = (
    "clerk.backend_api.",
    "errors.",
    "extension.StepUp",
    "guard.require_reverification",
    "policy.Policy",
    "required.ReverificationRequired",
    "signals.",
    "subject.",
    "testing.",
    "verification.Verif",
    "verifiers.totp.TOTPVerifier",
)


def pyright(*options: str, cwd: Path = ROOT, path: str = "") -> Any:
    """What pyright says, as JSON."""
    script = NODE_MODULES / "pyright" / "index.js"
    done = subprocess.run(
        [str(NODE), script, "--outputjson", "--pythonpath", sys.executable, *options],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    return json.loads(done.stdout)


def test_a_users_program_under_mypy() -> None:
    """Strict, and what is wrong in it is found: no ignore is without use."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-incremental", PROGRAM],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout


@needs_node
@needs_packages
def test_a_users_program_under_pyright() -> None:
    """The same program, strict."""
    found = pyright("-p", PROGRAM)

    assert found["generalDiagnostics"] == []
    assert found["summary"]["filesAnalyzed"] >= 1


@needs_node
@needs_packages
def test_pyright_finds_what_is_wrong(tmp_path: Path) -> None:
    """Decorators keep signatures: wrong arguments and policies are found."""
    shutil.copy(ROOT / PROGRAM / "pyrightconfig.json", tmp_path)
    program = (ROOT / PROGRAM / "program.py").read_text()
    wrong = program.count("# type: ignore")
    (tmp_path / "program.py").write_text(program.replace("# type: ignore", "# "))

    found = pyright("-p", ".", cwd=tmp_path, path=str(ROOT))

    kinds = [one["rule"] for one in found["generalDiagnostics"]]
    assert len(kinds) == wrong > 0
    assert set(kinds) <= {"reportArgumentType", "reportCallIssue"}


@needs_node
@needs_packages
def test_all_that_is_public_has_types(tmp_path: Path) -> None:
    """An editor need not infer any of it."""
    shutil.copytree(Path(flask_stepup.__file__).parent, tmp_path / "flask_stepup")
    (tmp_path / "elsewhere").mkdir()

    found = pyright(
        "--ignoreexternal", "--verifytypes", "flask_stepup",
        cwd=tmp_path / "elsewhere", path=str(tmp_path),
    )  # fmt: skip

    symbols = found["typeCompleteness"]["symbols"]
    public = [
        symbol
        for symbol in symbols
        if symbol["name"].removeprefix("flask_stepup.").startswith(PUBLIC)
    ]
    unknown = [symbol["name"] for symbol in public if not symbol["isTypeKnown"]]
    assert unknown == []
    assert len(public) > 50

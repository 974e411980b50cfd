"""The quickstart is done as a stranger does it: an empty folder, processes, curl."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import ExitStack
from pathlib import Path

import pytest
from documented import blocks
from documented import DOCS

from flask_stepup.sandbox import demo_users
from flask_stepup.sandbox import Sandbox

SANDBOX_APP, LOGIN_APP, CLERK_APP = blocks("quickstart.md")
CONSOLE = blocks("quickstart.md", "console")
ADDRESS = "http://127.0.0.1:5000"
#: The only thing that the page has and a test may not: a port that others may use.
SANDBOX_ADDRESS = "http://127.0.0.1:5055/v1"

needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="missing: curl")


def commands(block: str) -> list[str]:
    """What is typed, each with the lines that it goes on in."""
    found: list[str] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append(line[2:])
        elif line.startswith("    ") and found:
            found[-1] += f"\n{line}"
    return found


@contextmanager
def running(*command: str, folder: Path, **more: str) -> Iterator[tuple[str, str]]:
    """Run a server of the page; yield its address, and what it has said until then."""
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("CLERK", "FLASK"))},
        "PYTHONUNBUFFERED": "1",
        **more,
    }
    with subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout
        said = ""
        try:
            for line in process.stdout:
                said += line
                if line.startswith(("Ctrl-C stops", " * Running on")):
                    break
            address = re.findall(r"http://127\.0\.0\.1:\d+(?:/v1)?", said)
            assert address, said
            yield address[-1], said
        finally:
            process.terminate()


def type_in(text: str, folder: Path) -> str:
    """Type into a shell, and return what it shows."""
    python = str(Path(sys.executable).parent)
    done = subprocess.run(
        ["bash", "-ec", text],
        cwd=folder,
        env={"PATH": f"{python}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def go_through(address: str, code: str, folder: Path) -> None:
    """Type the page's last two blocks, and see what it shows."""
    first, second = CONSOLE[-2:]
    first, second = (block.replace(ADDRESS, address) for block in (first, second))
    refused = type_in("\n".join(commands(first)), folder)
    assert "HTTP/1.1 403 FORBIDDEN" in refused
    assert "Content-Type: application/problem+json" in refused
    shown = re.search(r"^\{.*\}$", first, re.MULTILINE)
    assert shown
    body = refused.splitlines()[-1]
    assert re.fullmatch(".*".join(map(re.escape, shown[0].split("…"))), body)

    answers = type_in("\n".join(commands(second)).replace("123456", code), folder)
    expected = [line for line in second.splitlines() if line[0] not in "$ "]
    # A busy machine takes a second, or a few.
    answers = re.sub(r'("expires_in":)(29\d|300)\b', r"\g<1>300", answers)
    assert answers.split() == " ".join(expected).split()
    assert (folder / "instance" / "stepup.db").exists()


@needs_curl
def test_with_nothing_but_a_sandbox(tmp_path: Path) -> None:
    """Two terminals, one file, and the account number after Alice's code."""
    sandbox_command = commands(CONSOLE[1])[1].removeprefix("flask ").split()
    assert sandbox_command[2:4] == ["--port", "5055"]
    sandbox_command[3] = "0"
    assert SANDBOX_ADDRESS in SANDBOX_APP

    with ExitStack() as stack:
        backend, said = stack.enter_context(
            running("flask", *sandbox_command, folder=tmp_path)
        )
        alice = re.search(r"code now +(\d{6})", said)
        assert alice
        program = SANDBOX_APP.replace(SANDBOX_ADDRESS, backend)
        (tmp_path / "app.py").write_text(program)
        address, _ = stack.enter_context(
            running("flask", "run", "--port", "0", folder=tmp_path)
        )
        go_through(address, alice[1], tmp_path)


@needs_curl
def test_with_flask_login_and_secrets_of_ones_own(tmp_path: Path) -> None:
    """The code is the one that the page has pyotp print, and signing out ends it."""
    (tmp_path / "app.py").write_text(LOGIN_APP)
    [print_code] = commands(CONSOLE[4])

    with running("flask", "run", "--port", "0", folder=tmp_path) as (address, _):
        go_through(address, type_in(print_code, tmp_path).strip(), tmp_path)
        for path in ("sign-out", "sign-in"):
            type_in(f"curl -s -b jar -c jar {address}/{path}", tmp_path)
        again = type_in(f"curl -s -b jar {address}/account-number", tmp_path)

    assert json.loads(again)["cause"] == "missing"


@needs_curl
def test_with_clerk(tmp_path: Path) -> None:
    """An old session token gets the hint for Clerk's modal, a fresh one gets in."""
    exports = re.findall(r"export (\w+)=", CONSOLE[5])
    assert exports == ["FLASK_SECRET_KEY", "CLERK_SECRET_KEY", "CLERK_JWT_KEY"]
    sandbox = Sandbox(demo_users())
    values = ("k" * 32, sandbox.secret_key, sandbox.jwt_key)
    keys = dict(zip(exports, values, strict=True))
    (tmp_path / "app.py").write_text(CLERK_APP)

    def get(address: str, *factor_ages: int) -> dict[str, object]:
        token = sandbox.session_token("user_2Alice", factor_ages=factor_ages)
        command = f"curl -s {address}/account-number -H 'Authorization: Bearer {token}'"
        answer: dict[str, object] = json.loads(type_in(command, tmp_path))
        return answer

    with running("flask", "run", "--port", "0", folder=tmp_path, **keys) as (url, _):
        assert "clerk_error" in get(url, 30, 30)
        assert get(url, 0, 0) == {"number": "GB33 BUKB 2020 1555 5555 55"}


def test_what_is_installed_is_what_there_is() -> None:
    """Each extra that the page installs exists, and no other is on it."""
    project = (DOCS.parent / "pyproject.toml").read_text()
    text = (DOCS / "quickstart.md").read_text()
    extras = re.findall(r"flask-stepup\[(\w+)\]", text)

    assert extras == ["sandbox", "totp", "clerk"]
    for extra in extras:
        assert re.search(rf"^{extra} = \[", project, re.MULTILINE)

"""``docs/command-line.md``: its app is run, and its transcripts are what is shown.

``STEPUP_WRITE_DOCS=1`` writes them anew.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from command_line import run
from documented import blocks

PAGE = Path(__file__).parent.parent / "docs" / "command-line.md"
ALLOWED = '[tool.flask-stepup]\nunguarded = ["sign_in", "log_in"]\n'
KEY = "5f0c1e7a94b2d863a7c9f1e05d2b48639e7f1a20c4d6b8e05a3f7c9b1d2e4f60"
#: By the name of the transcript, in the order of the page: what is typed, what is set
#: in the environment, and the exit status.
STEPS: dict[str, tuple[str, dict[str, str], int]] = {
    "check": ("flask --app shop stepup check", {}, 1),
    "check-live": (
        "flask --app shop stepup check --strict",
        {"SHOP": "live", "SHOP_KEY": KEY},
        0,
    ),
    "routes": ("flask --app shop stepup routes", {}, 0),
    "routes-fail": ("flask --app shop stepup routes --fail-unguarded", {}, 1),
    "unlock": ("flask --app shop stepup unlock alice", {}, 0),
    "revoke": ("flask --app shop stepup revoke alice", {}, 0),
}


def shown(folder: Path, name: str) -> str:
    """Type a command, and return what a reader sees."""
    command, settings, status = STEPS[name]
    done = run(folder, *command.split()[1:], **settings)
    assert (done.returncode, done.stderr) == (status, "")
    # A busy machine takes its time.
    output = re.sub(r"answers in \d+ ms", "answers in less than 1 ms", done.stdout)
    left = "" if name != "routes-fail" else "  # exit status 1"
    if name == "routes-fail":
        # What changes, without the table once more.
        output = output.partition("\n\n")[2].partition("\n\n")[2]
    return f"```console\n$ {command}{left}\n{output.rstrip()}\n```"


def test_the_transcripts_are_what_is_shown(tmp_path: Path) -> None:
    """Each command of the page is run with its app, and what it shows is there."""
    page = PAGE.read_text()
    (tmp_path / "shop.py").write_text(blocks("command-line.md")[0])
    seen = {}
    for name in STEPS:
        if name == "routes-fail":
            (tmp_path / "pyproject.toml").write_text(ALLOWED)
        seen[name] = shown(tmp_path, name)
    found = re.compile(r"(<!-- transcript: ([\w-]+) -->)\n.*?<!-- end -->", re.DOTALL)
    now = found.sub(lambda m: f"{m[1]}\n{seen[m[2]]}\n<!-- end -->", page)

    assert [match[2] for match in found.finditer(page)] == [*STEPS]
    if os.environ.get("STEPUP_WRITE_DOCS") == "1":
        PAGE.write_text(now)
    else:
        assert page == now

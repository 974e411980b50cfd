"""The transcripts of ``docs/clients.md``: real ``curl`` against a real server.

``make transcripts`` writes them anew.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flask_stepup.sandbox import demo_users
from flask_stepup.sandbox import Sandbox

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "clients.md"
APP = ROOT / "tests" / "transcript_app.py"
#: Headers that matter to a reader.
SHOWN = ("content-type", "hx-redirect", "retry-after", "www-authenticate")
VERIFY = """curl -i $API/stepup/ -b cookies -c cookies \\
    --json '{"challenge": "'$CHALLENGE'", "code": "'$CODE'"}'"""
PAYOUT = '{"to": "bob", "amount": 25}'
BEARER = '-H "Authorization: Bearer $TOKEN"'
#: By the name of the transcript, in the order of the page: what is typed, and members
#: of the answer that the shell keeps for later.
STEPS: dict[str, list[tuple[str, dict[str, str]]]] = {
    "cookie": [
        (
            "curl -i $API/account-numbers -b cookies -c cookies",
            {"challenge": "CHALLENGE"},
        )
    ],
    "cookie-verify": [(VERIFY.replace("'$CODE'", "000 000"), {}), (VERIFY, {})],
    "cookie-after": [
        ("curl $API/account-numbers -b cookies", {}),
        ("curl $API/stepup/status -b cookies", {}),
        ('curl "$API/stepup/status?scope=payments" -b cookies', {}),
    ],
    "approval": [
        (
            f"curl -i $API/payouts -b cookies -c cookies --json '{PAYOUT}'",
            {"challenge": "CHALLENGE"},
        ),
    ],
    "approval-verify": [
        (VERIFY.replace("$CODE", "$OTHER_BACKUP_CODE"), {}),
        (f"curl -i $API/payouts -b cookies -c cookies --json '{PAYOUT}'", {}),
        (f"curl $API/payouts -b cookies -c cookies --json '{PAYOUT}'", {}),
    ],
    "clerk": [
        (
            f"curl -i $API/account-numbers {BEARER}  # both factors 30 minutes ago",
            {},
        ),
        (
            "curl -i $API/account-numbers "
            f"{BEARER.replace('TOKEN', 'FRESH')}  # and just now",
            {},
        ),
    ],
    "bearer": [
        (f"curl -i -X POST $API/transfers {BEARER}", {"challenge": "CHALLENGE"}),
    ],
    "bearer-verify": [
        (
            f"curl -i $API/stepup/ {BEARER} \\\n"
            """    --json '{"challenge": "'$CHALLENGE'", "code": "'$BACKUP_CODE'"}'""",
            {"marker": "MARKER"},
        ),
        (
            f"curl -i -X POST $API/transfers {BEARER} \\\n"
            '    -H "Stepup-Marker: $MARKER"',
            {},
        ),
    ],
    "htmx": [
        (
            "curl -i -X POST $API/transfers -b cookies -c cookies \\\n"
            '    -H "HX-Request: true" -H "HX-Current-URL: $API/pay?step=2"',
            {},
        ),
    ],
}


@contextmanager
def served(environment: dict[str, str]) -> Iterator[str]:
    """Run the app of the page as anybody would, and yield its address."""
    command = [sys.executable, "-m", "flask", "--app", str(APP), "run", "--port", "0"]
    with subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        try:
            line = next(line for line in process.stderr if "Running on" in line)
            yield line.rpartition(" ")[2].strip()
        finally:
            process.terminate()


def shell_of(sandbox: Sandbox, url: str, folder: Path) -> dict[str, str]:
    """The variables that the commands use, and a jar with Clerk's cookie."""
    alice = sandbox.users[0]
    stale = sandbox.session_token(alice.user_id, factor_ages=(30, 30))
    jar = ("127.0.0.1", "FALSE", "/", "FALSE", "0", "__session", stale)
    (folder / "cookies").write_text("# Netscape HTTP Cookie File\n" + "\t".join(jar))
    return {
        "PATH": os.environ["PATH"],
        "API": url,
        "CODE": alice.current_code(),
        "BACKUP_CODE": alice.backup_codes[0],
        "OTHER_BACKUP_CODE": alice.backup_codes[1],
        "TOKEN": stale,
        "FRESH": sandbox.session_token(alice.user_id, factor_ages=(0, 0)),
    }


def run(command: str, shell: dict[str, str], folder: Path) -> str:
    """Type a command and return what it prints."""
    quiet = command.replace("curl ", "curl -sS ", 1)
    done = subprocess.run(
        ["bash", "-c", quiet], env=shell, cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def laid_out(output: str) -> str:
    """What a reader sees of an answer: the status, some headers, and its body."""
    head, _, body = output.replace("\r", "").rpartition("\n\n")
    status, *headers = head.splitlines() or [""]
    shown = [h for h in headers if h.partition(":")[0].lower() in SHOWN]
    parts = [status.strip(), *shown, ""] if status else []
    return "\n".join([*parts, json.dumps(json.loads(body), indent=2)])


def at_once(match: re.Match[str]) -> str:
    # A busy machine takes a second, or a few.
    return match[1] + str(-(-int(match[2]) // 300) * 300)


def without_chance(text: str, url: str) -> str:
    """What differs from run to run made the same: tokens, times and the address."""
    text = re.sub(r'("challenge": "|"marker": "|challenge=)[\w.-]+', r"\1eyJ…", text)
    text = re.sub(r'("verified_at": )\d+', r"\g<1>1795000000", text)
    text = re.sub(r'("expires_in": )(\d+)', at_once, text)
    return text.replace(url, "http://localhost:5000")


def transcripts(folder: Path) -> dict[str, str]:
    """Run all commands, in the order of the page, and return what is seen of them."""
    sandbox = Sandbox(demo_users())
    seen = {"app": f"```python\n{APP.read_text()}```"}
    with sandbox.serve() as backend:
        environment = os.environ | {
            "FLASK_SECRET_KEY": "k" * 32,
            "FLASK_STEPUP_CLERK_API_URL": backend,
            "FLASK_STEPUP_CLERK_SECRET_KEY": sandbox.secret_key,
            "FLASK_STEPUP_CLERK_JWT_KEY": sandbox.jwt_key,
            "FLASK_STEPUP_STORAGE_URI": f"sqlite:///{folder}/stepup.db",
        }
        with served(environment) as url:
            shell = shell_of(sandbox, url, folder)
            for name, steps in STEPS.items():
                lines = []
                for command, kept in steps:
                    output = run(command, shell, folder)
                    lines += [f"$ {command}", laid_out(output), ""]
                    body = json.loads(output.replace("\r", "").rpartition("\n\n")[2])
                    shell |= {var: body[member] for member, var in kept.items()}
                text = without_chance("\n".join(lines).rstrip(), url)
                seen[name] = f"```console\n{text}\n```"
    return seen


def with_transcripts(page: str, seen: dict[str, str]) -> str:
    """The page, with what was seen in its places."""

    def place(match: re.Match[str]) -> str:
        return f"{match[1]}\n{seen[match[2]]}\n<!-- end -->"

    found = re.compile(r"(<!-- transcript: ([\w-]+) -->)\n.*?<!-- end -->", re.DOTALL)
    assert [m[2] for m in found.finditer(page)] == [*STEPS, "app"]
    return found.sub(place, page)


def test_the_transcripts_are_what_curl_shows(tmp_path: Path) -> None:
    """Each command of the page is run, and what it shows is on the page."""
    if not shutil.which("curl"):
        pytest.skip("missing: curl")
    page = PAGE.read_text()
    now = with_transcripts(page, transcripts(tmp_path))
    if os.environ.get("STEPUP_WRITE_DOCS") == "1":
        PAGE.write_text(now)
    else:
        assert page == now

"""``flask stepup check``: its report, its exit status, and what it leaves alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import bare_app
from command_line import environment
from command_line import good_app
from command_line import invoke
from command_line import lines
from command_line import PATIENCE
from command_line import run
from command_line import SECRET_KEY
from jinja2 import BaseLoader
from people import Codes

from flask_stepup import StepUp

SHOP = f'''
from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix
from flask_stepup import StepUp

app = Flask(__name__)
app.config.update(
    SECRET_KEY="{SECRET_KEY}",
    SESSION_COOKIE_SECURE=True,
    SESSION_COOKIE_SAMESITE="Lax",
    PREFERRED_URL_SCHEME="https",
    STEPUP_LOGIN_URL="/login",
    STEPUP_ENROLL_URL="/security",
)
app.config.from_prefixed_env()
app.wsgi_app = ProxyFix(app.wsgi_app, x_host=1)
StepUp(app, verifier=lambda user_id, code: None, subject_loader=lambda: None)
'''
CHECK = ("--app", "shop", "stepup", "check")


@pytest.fixture(name="shop")
def _shop(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(SHOP)
    return tmp_path


def test_all_is_right(shop: Path) -> None:
    """Each subject has its line, nothing is said on stderr, and the end sums up."""
    done = run(shop, *CHECK, "--strict")
    found = lines(done.stdout)

    assert (done.returncode, done.stderr) == (0, "")
    assert {line.verdict for line in found} == {"right"}
    assert list(dict.fromkeys(line.about for line in found)) == [
        "keys", "cookie", "proxy", "ledger", "backend", "session", "policy", "looks",
    ]  # fmt: skip
    assert done.stdout.endswith(f"\n\n{len(found)} right, 0 risky, 0 wrong\n")


@pytest.mark.parametrize(
    ("settings", "options", "status", "end"),
    [
        ({"FLASK_STEPUP_CLOCK_LEEWAY": "120"}, [], 0, "1 risky, 0 wrong"),
        (
            {"FLASK_STEPUP_CLOCK_LEEWAY": "120"},
            ["--strict"],
            1,
            "1 risky, 0 wrong; with --strict, risky fails too",
        ),
        ({"FLASK_SECRET_KEY": "dev"}, [], 1, "0 risky, 1 wrong"),
        ({"FLASK_SECRET_KEY": "dev"}, ["--strict"], 1, "0 risky, 1 wrong"),
    ],
)
def test_exit_status(
    shop: Path, settings: dict[str, str], options: list[str], status: int, end: str
) -> None:
    """Wrong fails, and risky does with ``--strict``; the last line says which."""
    done = run(shop, *CHECK, *options, **settings)

    assert done.returncode == status
    assert done.stdout.endswith(f" right, {end}\n")


@pytest.mark.parametrize(
    ("settings", "mend"),
    [
        ({"FLASK_STEPUP_PRESETT": "lax"}, "did you mean STEPUP_PRESET?"),
        ({"FLASK_STEPUP_STORAGE_URI": "redis://127.0.0.1:1/0"}, "start it, mend its"),
    ],
)
def test_an_app_that_cannot_start(
    shop: Path, settings: dict[str, str], mend: str
) -> None:
    """What ``init_app`` refuses is one wrong line with its message, no traceback."""
    done = run(shop, *CHECK, **settings)
    [line] = lines(done.stdout)

    assert (done.returncode, done.stderr) == (1, "")
    assert (line.verdict, line.about) == ("wrong", "start")
    assert mend in line.says
    assert done.stdout.endswith("\n\n0 right, 0 risky, 1 wrong\n")


def test_an_app_without_stepup(tmp_path: Path) -> None:
    """The mend is told, too, where it was never set up."""
    result = invoke(bare_app(tmp_path), "check")

    assert result.exit_code == 1
    assert "call StepUp(app)" in lines(result.output)[0].says


@pytest.mark.parametrize("command", ["check", "routes", "unlock alice", "revoke alice"])
def test_no_app(tmp_path: Path, command: str) -> None:
    """Where there is no app, it is told as flask tells it, with its exit status."""
    done = run(tmp_path, "stepup", *command.split())

    assert (done.returncode, done.stdout) == (2, "")
    assert "Error: Could not locate a Flask application." in done.stderr


def test_an_app_that_cannot_be_imported(tmp_path: Path) -> None:
    """This, too, is told as flask tells it."""
    (tmp_path / "shop.py").write_text("import there_is_no_such_module")
    done = run(tmp_path, *CHECK)

    assert done.returncode == 2
    assert "Error: While importing 'shop', an ImportError was raised" in done.stderr


def test_what_is_said_at_start_is_in_the_report(shop: Path) -> None:
    """A ledger that is busy is told in a line, and not somewhere in front of them."""
    lock = (
        "import sqlite3, sys; c = sqlite3.connect('instance/stepup.db');"
        "c.execute('BEGIN EXCLUSIVE'); print('locked', flush=True); sys.stdin.read()"
    )
    assert run(shop, *CHECK).returncode == 0
    # Not in WAL mode, in which readers wait for nobody.
    unlogged = "import sqlite3; sqlite3.connect('instance/stepup.db').execute("
    subprocess.run(
        [sys.executable, "-c", unlogged + "'PRAGMA journal_mode = DELETE')"],
        cwd=shop, check=True,
    )  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-c", lock],
        cwd=shop, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as holder:  # fmt: skip
        assert holder.stdout
        assert holder.stdin
        holder.stdout.readline()
        done = run(shop, *CHECK, FLASK_STEPUP_STORAGE_TIMEOUT="0.2")
        holder.stdin.close()
    found = lines(done.stdout)

    assert (done.returncode, done.stderr) == (1, "")
    assert found[0][:2] == ("wrong", "start")
    assert re.match("while it started: the ledger .* is busy", found[0].says)
    assert [line.about for line in found][-1] == "looks"


class Broken(BaseLoader):
    """Templates that are kept somewhere that is out of order."""

    def get_source(self, *_: object) -> tuple[str, None, None]:
        raise RuntimeError("sk_live_secret")


def test_a_check_that_fails_ends_no_other(tmp_path: Path) -> None:
    """It has a wrong line, without what the error says, and the others their own."""
    app = good_app(tmp_path)
    app.jinja_env.loader = Broken()
    result = invoke(app, "check")
    *others, last = lines(result.output)

    assert result.exit_code == 1
    assert {line.verdict for line in others} == {"right"}
    assert last[:3] == ("wrong", "looks", "this could not be looked at: RuntimeError")
    assert "sk_live_secret" not in result.output


def test_no_code_is_tried(tmp_path: Path) -> None:
    """A verifier of the app's own is not called, and no attempt is reserved."""
    codes = Codes()
    app = good_app(tmp_path, StepUp(verifier=codes, subject_loader=lambda: None))
    sent: list[object] = []
    app.before_request(lambda: sent.append("a request"))
    invoke(app, "check")

    assert codes.asked == sent == []


def test_plain_in_a_pipe(shop: Path) -> None:
    """A pipe gets ASCII of at most 80 columns, without colours, and aligned."""
    done = run(shop, *CHECK, COLUMNS="200", FLASK_SECRET_KEY="dev")
    rows = done.stdout.splitlines()[:-2]

    assert done.stdout.isascii()
    assert "\x1b" not in done.stdout
    # What has no space in it stays whole, so that it can be copied.
    assert max(len(row) for row in rows if "/" not in row) <= 80
    for row in rows:
        assert re.match(r"(right|risky|wrong)  [a-z]+ +\S| {16}(-> |   )?\S", row)
        assert row[14:16] == "  "
        assert row[16] != " " or row[16:19] == "   "


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_what_cannot_be_shown_is_escaped(shop: Path, encoding: str) -> None:
    """Names of the app's own may hold what an old terminal cannot show."""
    (shop / "templates").mkdir()
    settings = {"FLASK_STEPUP_BASE_TEMPLATE": "\u0411.html"}
    done = run(shop, *CHECK, PYTHONIOENCODING=encoding, **settings)

    assert "the template \\u0411.html is not there" in " ".join(done.stdout.split())
    assert done.stderr == ""


def on_terminal(folder: Path, *arguments: str, columns: int, **more: str) -> str:
    """Run ``flask …`` on a terminal; what it shows."""
    import fcntl
    import struct
    import termios

    controller, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "flask", *arguments],
        cwd=folder, env=environment(**more), stdin=terminal, stdout=terminal,
        stderr=terminal,
    )  # fmt: skip
    os.close(terminal)
    shown = b""
    with open(controller, "rb", buffering=0) as screen, process:
        while True:
            try:
                read = screen.read(65_536)
            except OSError:  # the other end is closed
                break
            if not read:
                break
            shown += read
        process.wait(PATIENCE)
    return shown.decode().replace("\r\n", "\n")


@pytest.mark.skipif(sys.platform == "win32", reason="has no pseudo-terminals")
def test_colours_on_a_terminal(shop: Path) -> None:
    """Green, yellow and red, as wide as the terminal but no wider than reads well."""
    bad = {"FLASK_SECRET_KEY": "dev", "FLASK_STEPUP_CLOCK_LEEWAY": "120"}
    shown = on_terminal(shop, *CHECK, columns=200, **bad)
    plain = re.sub(r"\x1b\[\d+m", "", shown)

    assert "\x1b[31m\x1b[1mwrong\x1b[0m  keys" in shown
    assert "\x1b[33m\x1b[1mrisky\x1b[0m  policy" in shown
    assert "\x1b[32m\x1b[1mright\x1b[0m  cookie" in shown
    assert re.search(r"\x1b\[31m\x1b\[1m\d+ right, 1 risky, 1 wrong\x1b\[0m\n$", shown)
    assert 80 < max(map(len, plain.splitlines())) <= 100


@pytest.mark.skipif(sys.platform == "win32", reason="has no pseudo-terminals")
def test_a_narrow_terminal_without_colours(shop: Path) -> None:
    """``NO_COLOR`` is respected, and 60 columns are enough."""
    shown = on_terminal(shop, *CHECK, columns=60, NO_COLOR="1")

    assert "\x1b" not in shown
    assert max(len(line) for line in shown.splitlines() if "/" not in line) < 60
    assert shown.endswith(" right, 0 risky, 0 wrong\n")


def test_help() -> None:
    """``--help`` teaches: what it is for, examples, and every exit status."""
    done = run(Path.cwd(), "stepup", "check", "--help")

    assert "  flask --app bank stepup check --strict" in done.stdout
    assert "Exit status: 0 when nothing is wrong, 1 when" in done.stdout
    listed = run(Path.cwd(), "stepup", "--help").stdout
    for command in ("check", "revoke", "routes", "sandbox", "unlock"):
        assert re.search(rf"^  {command} +[A-Z]", listed, re.MULTILINE)

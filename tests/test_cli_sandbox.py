"""``flask stepup sandbox``, run as people run it: as a process of its own."""

from __future__ import annotations

import ast
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import pytest
from click.testing import CliRunner

from flask_stepup.clerk import ClerkBackendAPI
from flask_stepup.cli import stepup
from flask_stepup.errors import IncorrectCode

COMMAND = [sys.executable, "-m", "flask", "stepup", "sandbox"]
#: Seconds after which a process that should have ended or spoken is given up.
PATIENCE = 60


@contextmanager
def running(
    directory: Path, *options: str, **streams: int
) -> Iterator[subprocess.Popen[str]]:
    # A child starts with what its parent ignores, and CI often ignores SIGINT.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [*COMMAND, *options],
        cwd=directory,
        env=environment(),
        text=True,
        encoding="utf-8",
        **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, **streams},
        stderr=subprocess.PIPE,
    )
    signal.signal(signal.SIGINT, before)
    watchdog = Timer(PATIENCE, process.kill)
    watchdog.start()
    try:
        yield process
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()


def environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("FLASK_")}
    return {**kept, "PYTHONIOENCODING": "utf-8"}


def introduction(process: subprocess.Popen[str]) -> str:
    """What is printed before the server waits, each line of which was flushed."""
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "Ctrl-C" in line:
            break
    return "".join(lines)


def settings_in(text: str) -> dict[str, str]:
    found = re.findall(r"^(STEPUP_\w+) = (.+)$", text, re.MULTILINE)
    return {name: ast.literal_eval(value) for name, value in found}


def row(text: str, label: str) -> list[str]:
    return re.findall(rf"^  {label} +(.+)$", text, re.MULTILINE)


def test_sandbox_command(tmp_path: Path) -> None:
    """What it prints is what its server answers to, and Ctrl-C ends it cleanly."""
    with running(tmp_path, "--port", "0") as process:
        text = introduction(process)
        settings = settings_in(text)
        alice, bob, carol = row(text, "user id")
        code, _ = row(text, "code now")
        with closing(
            ClerkBackendAPI(
                settings["STEPUP_CLERK_SECRET_KEY"],
                base_url=settings["STEPUP_CLERK_API_URL"],
            )
        ) as api:
            totp = api.verify_totp(alice, code[:6])
            backup = api.verify_totp(bob, row(text, "backup codes")[1][:8])
        process.send_signal(signal.SIGINT)
        rest, log = process.communicate()

    assert (totp.code_type, backup.code_type) == ("totp", "backup_code")
    assert carol == "user_2Carol000000000000000000000"
    assert process.returncode == 0
    assert rest == "\nThe sandbox has stopped.\n"
    assert [line.split("  ", 1)[1] for line in log.splitlines()] == [
        f"POST /v1/users/{alice}/verify_totp -> 200 verified",
        f"POST /v1/users/{bob}/verify_totp -> 200 verified",
    ]


def test_plain_in_a_pipe(tmp_path: Path) -> None:
    """A pipe gets plain lines: no colours, no QR codes, nothing about Enter."""
    with running(tmp_path) as process:
        text = introduction(process)

    assert text.isascii()
    assert "\x1b" not in text
    assert "Enter" not in text
    assert text.startswith("The sandbox listens on http://127.0.0.1:")


def test_what_is_told_of_each(tmp_path: Path) -> None:
    """Secret, otpauth URI and ten backup codes are told of each enrolled user."""
    with running(tmp_path) as process:
        text = introduction(process)

    secrets = row(text, "TOTP secret")
    assert len(secrets) == 2
    for secret, uri in zip(secrets, row(text, "otpauth URI"), strict=True):
        assert uri.startswith("otpauth://totp/flask-stepup:")
        assert f"secret={secret}&" in uri
    assert len(re.findall(r"\b[a-z0-9]{8}\b(?= |$)", text, re.MULTILINE)) >= 20
    assert re.search("^Carol\n.*\n  no authenticator enrolled", text, re.MULTILINE)


def test_chosen_settings(tmp_path: Path) -> None:
    """Port and key may be chosen, so that settings outlive the sandbox."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with running(
        tmp_path, "--port", str(port), "--secret-key", "sk_test_local"
    ) as process:
        settings = settings_in(introduction(process))

    assert settings == {
        "STEPUP_CLERK_API_URL": f"http://127.0.0.1:{port}/v1",
        "STEPUP_CLERK_SECRET_KEY": "sk_test_local",
    }


def test_qr_codes(tmp_path: Path) -> None:
    """With ``--qr``, a QR code is drawn for each enrolled user, into a pipe too."""
    with running(tmp_path, "--qr") as process:
        text = introduction(process)

    assert len(re.findall("^  \u2588+$", text, re.MULTILINE)) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="has no pseudo-terminals")
def test_on_a_terminal(tmp_path: Path) -> None:
    """On a terminal, QR codes are drawn, and Enter shows the codes of the moment."""
    controller, terminal = os.openpty()
    with (
        open(controller, "rb", buffering=0) as screen,
        running(tmp_path, stdin=terminal, stdout=terminal) as process,
    ):
        os.close(terminal)
        text = _read_until(screen.fileno(), "Ctrl-C stops the sandbox.")
        os.write(controller, b"\n")
        codes = _read_until(screen.fileno(), "good for")
        settings = settings_in(text.replace("\r", ""))
        code = re.findall(r"Bob (\d{6})", codes)
        bob = re.findall(r"user_2Bob\w+", text)
        with closing(
            ClerkBackendAPI(
                settings["STEPUP_CLERK_SECRET_KEY"],
                base_url=settings["STEPUP_CLERK_API_URL"],
            )
        ) as api:
            api.verify_totp(bob[0], code[0])
            with pytest.raises(IncorrectCode):
                api.verify_totp(bob[0], "")
        process.send_signal(signal.SIGINT)
        _read_until(screen.fileno(), "The sandbox has stopped.")
        status = process.wait()

    assert status == 0
    assert "\u2588" * 10 in text
    assert "\x1b[1mAlice" in text


@pytest.mark.skipif(sys.platform == "win32", reason="has no pseudo-terminals")
def test_end_of_input(tmp_path: Path) -> None:
    """On a terminal, Ctrl-D ends it as well."""
    controller, terminal = os.openpty()
    with (
        open(controller, "rb", buffering=0) as screen,
        running(tmp_path, "--no-qr", stdin=terminal, stdout=terminal) as process,
    ):
        os.close(terminal)
        text = _read_until(screen.fileno(), "Ctrl-C stops the sandbox.")
        os.write(controller, b"\x04")
        _read_until(screen.fileno(), "The sandbox has stopped.")
        status = process.wait()

    assert status == 0
    assert "\u2588" not in text


@pytest.mark.parametrize(
    ("options", "mend"),
    [
        (["--host", "0.0.0.0"], "use 127.0.0.1"),  # noqa: S104 (refused)
        (["--host", "example.com"], "use 127.0.0.1"),
        (["--secret-key", "sk_live_example"], "leave the key out"),
    ],
)
def test_refused_options(options: list[str], mend: str) -> None:
    """An option that cannot work ends in one line that names the mend."""
    result = CliRunner().invoke(stepup, ["sandbox", *options])

    assert result.exit_code == 1
    assert result.stdout == ""
    assert re.fullmatch(f"Error: .*{re.escape(mend)}.*\n", result.stderr)
    assert "sk_live_example" not in result.stderr


def test_busy_port(tmp_path: Path) -> None:
    """A port that is taken ends in one line that names the mend."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [*COMMAND, "--port", str(port)],
            cwd=tmp_path, env=environment(), capture_output=True, text=True,
            timeout=PATIENCE,
        )  # fmt: skip

    assert done.returncode == 1
    assert done.stdout == ""
    assert re.fullmatch("Error: .*choose another port, or 0 .*\n", done.stderr)


@pytest.mark.parametrize("missing", ["pyotp", "segno"])
def test_without_the_extra(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the packages of the extra, what to install is said in one line."""
    monkeypatch.setitem(sys.modules, missing, None)

    result = CliRunner().invoke(stepup, ["sandbox", "--qr"])

    assert result.exit_code == 1
    assert result.stdout == ""
    assert re.fullmatch(
        r"Error: .*pip install 'flask-stepup\[sandbox\]'.*\n", result.stderr
    )


def test_qr_in_latin_1(tmp_path: Path) -> None:
    """Where the output has no characters to draw with, one line names the mend."""
    done = subprocess.run(
        [*COMMAND, "--qr"],
        cwd=tmp_path, env={**environment(), "PYTHONIOENCODING": "latin-1"},
        capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip

    assert done.returncode == 1
    assert done.stdout == ""
    assert re.fullmatch("Error: .*add --no-qr, or set PYTHONUTF8=1\n", done.stderr)


def test_broken_app_is_not_loaded(tmp_path: Path) -> None:
    """It needs no app: not even one that cannot be imported is in its way."""
    (tmp_path / "app.py").write_text("raise RuntimeError('loaded')", encoding="utf-8")
    with running(tmp_path) as process:
        text = introduction(process)

    assert settings_in(text)


def test_help() -> None:
    """``--help`` says what it is for, and how settings are kept."""
    listed = CliRunner().invoke(stepup, ["--help"]).stdout
    told = CliRunner().invoke(stepup, ["sandbox", "--help"]).stdout

    assert "Run a local server that answers like Clerk's backend API." in listed
    assert "  flask stepup sandbox --port 5055 --secret-key sk_test_local\n" in told
    for option in ("--host", "--port", "--secret-key", "--qr / --no-qr"):
        assert option in told


def _read_until(descriptor: int, end: str) -> str:
    """What a terminal shows, up to and with ``end``."""
    shown = b""
    while end.encode() not in shown:
        shown += os.read(descriptor, 65_536)
    return shown.decode(errors="ignore")

"""``flask stepup unlock`` and ``revoke``: what a person is told, and what it does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import good_app
from command_line import invoke
from command_line import run
from command_line import SECRET_KEY
from flask import Flask
from flask import session
from people import Codes
from people import Person
from people import Prompt
from valkey_server import running
from valkey_server import Valkey

from flask_stepup import require_reverification
from flask_stepup import StepUp
from flask_stepup.signals import elevation_revoked

#: The app as the command's own process loads it.
BANK = f'''
from flask import Flask
from flask_stepup import StepUp

app = Flask("bank", instance_path="{{folder}}/instance")
app.config.update(SECRET_KEY="{SECRET_KEY}")
app.config.from_prefixed_env()
StepUp(app, verifier=lambda user_id, code: None, subject_loader=lambda: None)
'''
COMMAND = ("--app", "bank", "stepup")


@pytest.fixture(name="bank")
def _bank(tmp_path: Path) -> Path:
    (tmp_path / "bank.py").write_text(BANK.format(folder=tmp_path))
    return tmp_path


def people_app(folder: Path, **config: object) -> Flask:
    """The same app as it serves people."""
    stepup = StepUp(verifier=Codes(), subject_loader=lambda: session.get("user_id"))
    app = good_app(folder, stepup, SESSION_COOKIE_SECURE=False, **config)

    @app.get("/sign-in/<user_id>")
    def sign_in(user_id: str) -> str:
        session["user_id"] = user_id
        return "signed in"

    @app.get("/vault")
    @require_reverification
    def vault() -> str:
        return "the vault is open"

    return app


def locked_out(alice: Person) -> Prompt:
    """Try so many codes that none is taken any more."""
    prompt = alice.prompted()
    for number in range(5):
        assert alice.answer(prompt, f"wrong {number}").status_code == 422
    assert alice.answer(prompt, "right").status_code == 429
    return prompt


def test_unlock(bank: Path) -> None:
    """Another process lifts the lock-out of one person, and says what follows."""
    app = people_app(bank)
    alice, bob = Person(app, "alice"), Person(app, "bob")
    prompt, other = locked_out(alice), locked_out(bob)
    done = run(bank, *COMMAND, "unlock", "alice")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "alice is unlocked: attempts that were counted are forgotten.\n"
        "Codes of this user are taken again, at once and in every worker.\n"
        "Ledger: instance/stepup.db\n"
    )
    assert alice.answer(prompt, "right").status_code == 303
    assert bob.answer(other, "right").status_code == 429


def test_revoke(bank: Path) -> None:
    """Another process ends what one person has proved, and says what follows."""
    app = people_app(bank)
    alice, bob = Person(app, "alice"), Person(app, "bob")
    for person in (alice, bob):
        person.step_up("right")
        assert person.open("/vault").status_code == 200
    done = run(bank, *COMMAND, "revoke", "alice")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "alice is revoked: what was proved until now opens nothing any more.\n"
        "Guarded routes ask this user for a new code, in every browser and client.\n"
        "Nobody is signed out by this: end sessions where they are kept, too.\n"
        "Ledger: instance/stepup.db\n"
    )
    assert alice.open("/vault").status_code == 303
    assert bob.open("/vault").status_code == 200


def test_a_server(bank: Path, valkey: Valkey) -> None:
    """On Valkey it is the same, and the ledger is told without its password."""
    uri = valkey.uri("people")
    alice = Person(people_app(bank, STEPUP_STORAGE_URI=uri), "alice")
    alice.step_up("right")
    done = run(bank, *COMMAND, "revoke", "alice", FLASK_STEPUP_STORAGE_URI=uri)

    assert done.stdout.endswith(
        f"\nLedger: valkey://127.0.0.1:{valkey.port} (database 0), prefix people\n"
    )
    assert alice.open("/vault").status_code == 303


def test_the_signal_is_sent(tmp_path: Path) -> None:
    """As by the call in Python: with the app itself as sender."""
    app = people_app(tmp_path)
    told: list[object] = []

    def note(sender: Flask, user_id: str | None) -> None:
        told.append((sender, user_id))

    with elevation_revoked.connected_to(note):
        invoke(app, "unlock", "alice")
        invoke(app, "revoke", "alice")

    assert told == [(app, "alice")]


@pytest.mark.parametrize("command", ["unlock", "revoke"])
def test_a_ledger_in_memory_is_refused(bank: Path, command: str) -> None:
    """This process has one of its own, of which the app would not know."""
    done = run(bank, *COMMAND, command, "alice", FLASK_STEPUP_STORAGE_URI="memory://")

    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(
        "Error: the ledger is memory://, .*Set STEPUP_STORAGE_URI to .*\n", done.stderr
    )


@pytest.mark.parametrize("command", ["unlock", "revoke"])
def test_a_ledger_that_is_locked(bank: Path, command: str) -> None:
    """One line says that nothing is done, and what to do."""
    assert run(bank, *COMMAND, "unlock", "nobody").returncode == 0
    lock = (
        "import sqlite3, sys; c = sqlite3.connect('instance/stepup.db');"
        "c.execute('BEGIN IMMEDIATE'); print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", lock],
        cwd=bank, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as holder:  # fmt: skip
        assert holder.stdout
        assert holder.stdin
        holder.stdout.readline()
        settings = {"FLASK_STEPUP_STORAGE_TIMEOUT": "0.2"}
        done = run(bank, *COMMAND, command, "alice", **settings)
        holder.stdin.close()

    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(
        "Error: the ledger cannot answer: SQLite: database is locked: nothing is "
        r"done\. .*\n",
        done.stderr,
    )


@pytest.mark.parametrize("command", ["unlock", "revoke"])
def test_a_ledger_that_went_down(tmp_path: Path, command: str) -> None:
    """A server that is gone by then is told in one line, too."""
    with running(tmp_path / "valkey") as server:
        app = people_app(tmp_path, STEPUP_STORAGE_URI=server.uri("gone"))
    result = invoke(app, command, "alice")

    assert result.exit_code == 1
    assert re.fullmatch(
        r"Error: the ledger cannot answer: Redis: .*: nothing is done\. .*\n",
        result.output,
    )


def test_a_ledger_that_is_not_there(bank: Path) -> None:
    """One that cannot be opened keeps the app from starting, in one line."""
    settings = {"FLASK_STEPUP_STORAGE_URI": "redis://127.0.0.1:1/0"}
    done = run(bank, *COMMAND, "unlock", "alice", **settings)

    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch("Error: the ledger at .* cannot be used .*\n", done.stderr)


def test_no_user(bank: Path) -> None:
    """An empty id names nobody, and none at all is a mistake of use."""
    empty = run(bank, *COMMAND, "unlock", "")
    missing = run(bank, *COMMAND, "unlock")

    assert empty.returncode == 1
    assert empty.stderr.startswith("Error: a user id cannot be empty")
    assert missing.returncode == 2


def test_ids_of_any_script(bank: Path) -> None:
    """They are told where they can be shown, and escaped where they cannot."""
    done = run(bank, *COMMAND, "unlock", "\u0410\u043b\u0438\u0441\u0430")
    plain = run(bank, *COMMAND, "unlock", "\u0410\u043b", PYTHONIOENCODING="ascii")

    assert done.stdout.startswith("\u0410\u043b\u0438\u0441\u0430 is unlocked")
    assert (plain.returncode, plain.stderr) == (0, "")
    assert plain.stdout.startswith("\\u0410\\u043b is unlocked")


@pytest.mark.parametrize("command", ["unlock", "revoke"])
def test_help(command: str) -> None:
    """``--help`` teaches: what for, an example, and every exit status."""
    told = run(Path.cwd(), "stepup", command, "--help").stdout

    assert f"  flask --app bank stepup {command} user_2Alice\n" in told
    assert "Exit status: 0 when it is" in told

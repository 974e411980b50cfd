"""How a ledger in a SQLite file waits for locks, and for whom it does not."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from contextlib import contextmanager
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import time_machine
from ledgers import alarm
from ledgers import FIVE
from ledgers import remaining
from ledgers import START

from flask_stepup.errors import LedgerUnavailable
from flask_stepup.ledger import Ledger
from flask_stepup.ledger import Limit
from flask_stepup.ledger import open_ledger
from flask_stepup.ledger import Ticket


@contextmanager
def opened(folder: Path, timeout: float) -> Iterator[Ledger]:
    ledger = open_ledger("sqlite:///ledger.db", timeout, str(folder), "bank")
    with closing(ledger):
        yield ledger


@contextmanager
def write_lock(folder: Path) -> Iterator[sqlite3.Connection]:
    """Hold the file's one write lock."""
    path = folder / "ledger.db"
    free = {"isolation_level": None, "check_same_thread": False}
    with closing(sqlite3.connect(path, **free)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other


def watch(monkeypatch: pytest.MonkeyPatch, note: Callable[[str], None]) -> None:
    """Be told of each statement of the connections that are opened later."""
    connect = sqlite3.connect

    def watched(*args: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **options)
        connection.set_trace_callback(note)
        return connection

    monkeypatch.setattr(sqlite3, "connect", watched)


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each try to begin a step or to look up, by connections that are opened later."""
    tries: list[str] = []

    def note(statement: str) -> None:
        if statement.startswith(("BEGIN", "SELECT id, newest, key")):
            tries.append(statement)

    watch(monkeypatch, note)
    return tries


def test_a_writer_tries_again_and_again(tmp_path: Path, tries: list[str]) -> None:
    """SQLite itself waits for moments only, and we do between them."""
    with opened(tmp_path, 1.0) as ledger, write_lock(tmp_path):
        del tries[:]
        with pytest.raises(LedgerUnavailable, match="locked"):
            ledger.clear("u")
        # Some forty; fewer where a machine is slow.
        assert len(tries) > 4


def test_whoever_is_interrupted_leaves_no_lock_behind(tmp_path: Path) -> None:
    """By an alarm, say, that comes at the very moment when the lock is there."""
    with opened(tmp_path, 1.0) as ledger:
        for number in range(40):
            with write_lock(tmp_path) as other:
                timer = threading.Timer(0.01, other.execute, ("COMMIT",))
                timer.start()
                with suppress(LedgerUnavailable), alarm(0.006 + 0.0002 * number):
                    ledger.reserve("u", (Limit(1_000, 300),))
                timer.join()
            with closing(sqlite3.connect(tmp_path / "ledger.db")) as other:
                # Nobody holds it: SQLite itself would wait for nothing.
                other.execute("PRAGMA busy_timeout = 0")
                other.execute("BEGIN IMMEDIATE")


class Unlucky(sqlite3.Connection):
    """Is interrupted when a step ends, and once more when it is undone."""

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        if sql in ("COMMIT", "ROLLBACK"):
            raise KeyboardInterrupt
        return super().execute(sql, *args)


def test_whoever_is_interrupted_twice_leaves_no_lock_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be undone is undone with its connection."""
    with opened(tmp_path, 1.0) as ledger:
        ledger.close()
        connect = sqlite3.connect
        with monkeypatch.context() as unlucky:
            unlucky.setattr(sqlite3, "connect", partial(connect, factory=Unlucky))
            with pytest.raises(KeyboardInterrupt):
                ledger.revoke_session("s")
        with write_lock(tmp_path):
            assert not ledger.standing("u", "s").session_revoked


def test_a_refund_that_fails_is_made_good_later(tmp_path: Path) -> None:
    """Nobody is locked out by an outage of the verifier and a lock at once."""
    with opened(tmp_path, 0.05) as ledger:
        for _ in range(6):
            ticket = ledger.reserve("u", FIVE)
            assert isinstance(ticket, Ticket)
            with write_lock(tmp_path), pytest.raises(LedgerUnavailable):
                ledger.refund(ticket)
        with write_lock(tmp_path), pytest.raises(LedgerUnavailable):
            ledger.reserve("u", FIVE)
        assert remaining(ledger, "u", *FIVE) == 4


def test_a_file_that_is_replaced_while_it_is_opened_is_not_used(tmp_path: Path) -> None:
    """What would be written to it nobody else would ever see."""
    with opened(tmp_path, 5.0) as ledger:
        ledger.close()
        path = tmp_path / "ledger.db"
        # A copy that is locked as long as it takes to put another one in its place.
        with write_lock(tmp_path) as other, ThreadPoolExecutor(1) as pool:
            other.execute("DROP TABLE identity")
            other.execute("COMMIT")
            other.execute("BEGIN IMMEDIATE")
            waiting = pool.submit(ledger.revoke_session, "s")
            time.sleep(0.1)
            for file in tmp_path.glob("ledger.db*"):
                file.unlink()
            with opened(tmp_path, 5.0) as anew:
                other.execute("COMMIT")
                with pytest.raises(LedgerUnavailable, match="replaced"):
                    waiting.result()
                ledger.revoke_session("s")
                assert anew.standing("u", "s").session_revoked
                assert path.exists()


def test_a_look_up_tries_once_to_write_how_late_it_is(
    tmp_path: Path, tries: list[str]
) -> None:
    """Who is verified waits for nobody: the next look-up tries again."""
    with (
        time_machine.travel(START, tick=False) as clock,
        opened(tmp_path, 5.0) as ledger,
        write_lock(tmp_path),
    ):
        clock.shift(60)
        del tries[:]
        assert ledger.standing("u", "s").told_at == START + 60
        # Twice where the clock of the machine is a coarse one.
        assert tries.count("BEGIN IMMEDIATE") in (1, 2)


def test_what_is_no_lock_is_not_waited_for(tmp_path: Path, tries: list[str]) -> None:
    """Whoever asks a ledger that is broken learns so at the first try."""
    with opened(tmp_path, 1.0) as ledger:
        with closing(sqlite3.connect(tmp_path / "ledger.db")) as other:
            other.execute("DELETE FROM identity")
            other.commit()
        del tries[:]
        with pytest.raises(LedgerUnavailable, match="no id"):
            ledger.standing("u", "s")
        assert len(tries) == 1


def test_a_new_file_that_is_locked_is_founded_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is known until the lock is given back, and then the ledger works."""
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    with write_lock(tmp_path) as other, opened(tmp_path, 0.1) as ledger:
        told = [(each.name, each.message) for each in caplog.records]
        reason = "SQLite: database is locked"
        path = tmp_path / "ledger.db"
        assert told == [("flask_stepup", f"the ledger {path} is busy: {reason}")]
        for step in (lambda: ledger.standing("u", "s"), lambda: ledger.clear("u")):
            with pytest.raises(LedgerUnavailable, match="locked"):
                step()
        other.execute("ROLLBACK")
        assert remaining(ledger, "u", *FIVE) == 4


def test_in_memory_nobody_waits_for_longer_than_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Threads take turns, and whose turn does not come in time learns so."""
    refusals: list[Any] = []
    armed: list[str] = []

    def meanwhile(statement: str) -> None:
        if armed and statement.startswith("COMMIT"):
            armed.clear()
            # Another thread would be told the same.
            with pytest.raises(LedgerUnavailable, match="timed out") as refusal:
                ledger.clear("v")
            refusals.append(refusal)

    watch(monkeypatch, meanwhile)
    with closing(open_ledger("memory://", 0.1, "", "bank")) as ledger:
        armed.append("now")
        ledger.revoke_session("s")
        assert len(refusals) == 1
        assert ledger.standing("u", "s").session_revoked


TURNS = """
from gevent import monkey
monkey.patch_all()
import sqlite3, sys
import gevent
from flask_stepup.errors import LedgerUnavailable
from flask_stepup.ledger import open_ledger

ledger = open_ledger("sqlite:///ledger.db", 1.0, sys.argv[1], "bank")
other = sqlite3.connect(sys.argv[1] + "/ledger.db", isolation_level=None)
other.execute("BEGIN IMMEDIATE")

def write():
    try:
        ledger.clear("u")
    except LedgerUnavailable:
        return "refused"

waiting, turns = gevent.spawn(write), 0
while not waiting.ready():
    ledger.standing("u", "s")
    turns += 1
    gevent.sleep(0.001)
print(waiting.value, turns > 4)
other.close()
ledger.close()
"""


@pytest.mark.skipif(not find_spec("gevent"), reason="missing: gevent")
def test_who_waits_lets_others_of_the_thread_go_on(tmp_path: Path) -> None:
    """A worker of gevent serves guarded requests while one request waits to write."""
    done = subprocess.run(
        [sys.executable, "-c", TURNS, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "refused True\n", "")

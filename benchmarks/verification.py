"""What one verification costs: the call to the backend, and the whole attempt."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping

from benchmarks.backend import backend
from benchmarks.backend import BackendProcess
from benchmarks.figures import Figure
from benchmarks.rounds import Entry
from benchmarks.rounds import interleaved
from benchmarks.rounds import process
from benchmarks.run import Run
from benchmarks.tables import Table
from benchmarks.tables import Target
from benchmarks.valkey import valkey
from benchmarks.wire import counting

LIMIT = "limit: http.client, kept alive"
HTTPX = "httpx.Client, pooled"
OURS = "flask-stepup, ClerkBackendAPI"
SDK = "clerk-backend-api, reused"
SDK_PER_CALL = "clerk-backend-api, one per call"
CALLERS: Mapping[str, tuple[str, Mapping[str, object]]] = {
    LIMIT: ("callers:standard_library", {}),
    HTTPX: ("callers:httpx_pooled", {}),
    OURS: ("callers:ours", {}),
    SDK: ("callers:sdk", {"reused": True}),
    SDK_PER_CALL: ("callers:sdk", {"reused": False}),
}
#: Attempts of which requests and round trips are counted.
COUNTED = 20

Counts = Mapping[str, tuple[float, float]]


def measure(run: Run) -> Iterator[Table]:
    """Time all callers over HTTP and HTTPS, and whole attempts on each ledger."""
    for over_tls in (False, True):
        with backend(run.folder, over_tls=over_tls) as server:
            entries = {name: _caller(name, server) for name in CALLERS}
            counts = {name: _requests(entries[name], server) for name in entries}
            times = interleaved(entries, run.effort)
        found = {name: timed["verify"] for name, timed in times.items()}
        yield _calls("HTTPS" if over_tls else "HTTP", found, counts)
    yield _attempts(run)


def _caller(name: str, server: BackendProcess) -> Entry:
    factory, options = CALLERS[name]
    return Entry(factory, {"url": server.url, **options}, server.env)


def _requests(entry: Entry, server: BackendProcess) -> tuple[float, float]:
    """Requests, and new connections, per verification."""
    with process(entry) as running:
        before = server.counted()
        running.run("verify", COUNTED)
        after = server.counted()
    requests, connections = (
        (b - a) / COUNTED for a, b in zip(before, after, strict=True)
    )
    return requests, connections


def _calls(scheme: str, times: Mapping[str, Figure], counts: Counts) -> Table:
    rows = [
        (
            name,
            time.told(),
            time.over(times[HTTPX]).told(),
            f"{counts[name][0]:g}",
            f"{counts[name][1]:g}",
        )
        for name, time in times.items()
    ]
    columns = ("caller", "µs", "ratio to httpx", "requests", "new connections")
    targets = [
        Target(
            f"ours / pooled httpx.Client, {scheme}",
            times[OURS].over(times[HTTPX]).median,
            1.1,
        ),
        Target(
            f"ours / official SDK reused, {scheme}",
            times[OURS].over(times[SDK]).median,
            0.4,
        ),
        Target(f"requests per verification, {scheme}", counts[OURS][0], 1),
    ]
    return Table(f"Verification over {scheme}", columns, rows, (), targets)


def _attempts(run: Run) -> Table:
    with backend(run.folder) as server, valkey(run.folder) as uri:
        ledgers = {
            "memory://": "memory://",
            "SQLite": "sqlite:///stepup.db",
            "Valkey": uri,
        }
        entries = {
            f"POST /stepup/, {name}": _attempt(ledger, server)
            for name, ledger in ledgers.items()
        }
        entries["verify_totp alone"] = _caller(OURS, server)
        on_sqlite, on_valkey = _steps_on_sqlite(server), _trips_on_valkey(server, uri)
        times = interleaved(entries, run.effort)
    rows = [(name, *map(Figure.told, timed.values())) for name, timed in times.items()]
    notes = [
        f"round trips to the ledger per attempt: SQLite {on_sqlite:g} (transactions, "
        f"and look-ups outside of any), Valkey {on_valkey:g} (counted on the wire)",
        "on SQLite two of them write, and wait until the disk has it",
    ]
    targets = [
        Target("ledger round trips per verification, SQLite", on_sqlite, 3),
        Target("ledger round trips per verification, Valkey", on_valkey, 3),
    ]
    columns = ("a whole attempt, over HTTP", "µs")
    return Table("Whole attempt", columns, rows, notes, targets)


def _attempt(ledger: str, server: BackendProcess) -> Entry:
    return Entry("attempts:attempting", {"storage_uri": ledger, "url": server.url})


def _steps_on_sqlite(server: BackendProcess) -> float:
    entry = _attempt("sqlite:///stepup.db", server)
    with process(entry, mode="watched") as running:
        running.run("attempt", COUNTED)
        return running.run("attempt", COUNTED)["steps"] / COUNTED


def _trips_on_valkey(server: BackendProcess, uri: str) -> float:
    with (
        counting(uri) as (proxied, counter),
        process(_attempt(proxied, server)) as ours,
    ):
        before = counter.round_trips
        ours.run("attempt", COUNTED)
        return (counter.round_trips - before) / COUNTED

"""What a guard costs a request that it lets through."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping

from benchmarks.figures import Figure
from benchmarks.instructions import counted
from benchmarks.instructions import NOT_COUNTED
from benchmarks.rounds import Effort
from benchmarks.rounds import Entry
from benchmarks.rounds import interleaved
from benchmarks.rounds import process
from benchmarks.run import Run
from benchmarks.tables import MISSING
from benchmarks.tables import Table
from benchmarks.tables import Target
from benchmarks.valkey import valkey

FLOOR = "floor: unsigned time in the session"
LIMIT = "limit: hmac.digest, no ledger"
ROW = "floor: one row of a SQLite file, and no more"
MEMORY = "flask-stepup, memory://"
SQLITE = "flask-stepup, SQLite"
VALKEY = "flask-stepup, Valkey"
LOGIN = "Flask-Login, login_required"
FRESH_LOGIN = "Flask-Login, fresh_login_required"
SECURITY = "Flask-Security, within=10, dictionary"
SECURITY_SQLITE = "Flask-Security, within=10, SQLite"
ALLAUTH = "django-allauth, reauthentication_required"

#: What is done about a signature, without the request around it.
SIGNATURES = {
    "limit": Entry("bare:signature"),
    "ours": Entry("ours:signature"),
}

Times = Mapping[str, Mapping[str, Figure]]
Counts = Mapping[str, Mapping[str, float]]


def guards(valkey_uri: str) -> dict[str, Entry]:
    """The guards, by the names in the table."""
    return {
        FLOOR: Entry("bare:unsigned"),
        LIMIT: Entry("bare:signed_hmac"),
        ROW: Entry("bare:revocable"),
        MEMORY: Entry("ours:guarded", {"storage_uri": "memory://"}),
        SQLITE: Entry("ours:guarded", {"storage_uri": "sqlite:///stepup.db"}),
        VALKEY: Entry("ours:guarded", {"storage_uri": valkey_uri}),
        LOGIN: Entry("login:guarded", {"fresh": False}),
        FRESH_LOGIN: Entry("login:guarded", {"fresh": True}),
        SECURITY: Entry("security:guarded"),
        SECURITY_SQLITE: Entry("security:guarded", {"in_file": True}),
        ALLAUTH: Entry("allauth:guarded"),
    }


def measure(run: Run) -> Iterator[Table]:
    """Time all guards, and what each is beside, in the same rounds."""
    with valkey(run.folder) as uri:
        entries = guards(uri)
        times = interleaved(entries, run.effort)
        counts = counted(entries, ["guarded", "reading"], run.effort)
        with process(entries[SQLITE], mode="watched") as ours:
            ours.run("guarded")
            seen = ours.facts | ours.run("guarded")
    yield _costs(times, counts, seen)
    yield _signatures(interleaved(SIGNATURES, run.effort), _counted_parts(run.effort))


def _counted_parts(effort: Effort) -> Counts:
    """Count the instructions of what is done about a signature."""
    limit = {"limit": SIGNATURES["limit"]}, ["signature"]
    ours = {"ours": SIGNATURES["ours"]}, ["signature", "signature_first_seen"]
    return counted(*limit, effort) | counted(*ours, effort)


def _costs(times: Times, counts: Counts, seen: Mapping[str, int]) -> Table:
    columns = ("guard", "plain µs", "session µs", "guarded µs", "ratio", "added µs")
    rows = [
        (
            name,
            f"{timed['plain'].median:.1f}",
            f"{timed['reading'].median:.1f}",
            timed["guarded"].told(),
            timed["guarded"].over(timed["reading"]).told(),
            _added(timed).told(),
            _instructions(counts.get(name)),
        )
        for name, timed in times.items()
    ]
    notes = [
        "session: the same route, under no guard, that reads the same session; ratio "
        "and added: guarded to session, in the same round",
        "an accepted request on SQLite: "
        f"{int(seen['cookies_set'])} cookies set, {seen['connections']} network calls, "
        f"{seen['statements']} statement of SQL",
        *([] if counts else [NOT_COUNTED]),
    ]
    shown = (*columns, "added, 1,000 instructions")
    return Table("Guard", shown, rows, notes, _targets(times, seen))


def _targets(times: Times, seen: Mapping[str, int]) -> list[Target]:
    memory, sqlite = times[MEMORY], times[SQLITE]
    added = _added(memory).median
    return [
        Target("guarded / session-reading, memory://", _ratio(memory), 1.10),
        Target("guarded / session-reading, SQLite", _ratio(sqlite), 1.15),
        Target(
            "added, memory:// / Flask-Login's fresh_login_required",
            added / _added(times[FRESH_LOGIN]).median,
            0.5,
        ),
        Target(
            "added, memory:// / Flask-Security's within, dictionary",
            added / _added(times[SECURITY]).median,
            0.1,
        ),
        Target("cookies set by an accepted request", seen["cookies_set"], 0),
        Target("network calls of one, on SQLite", seen["connections"], 0),
    ]


def _signatures(times: Times, counts: Counts) -> Table:
    limit, ours = times["limit"]["signature"], times["ours"]
    rows = [
        ("limit: hmac.digest over time and user", limit.told(), "1"),
        (
            "flask-stepup, for who has passed before: age, and ledger in memory, too",
            ours["signature"].told(),
            ours["signature"].over(limit).told(),
        ),
        (
            "flask-stepup, marker seen for the first time",
            ours["signature_first_seen"].told(),
            ours["signature_first_seen"].over(limit).told(),
        ),
    ]
    found = [
        counts["limit"]["signature"] if counts else None,
        counts["ours"]["signature"] if counts else None,
        counts["ours"]["signature_first_seen"] if counts else None,
    ]
    shown = [
        (*row, MISSING if count is None else f"{count:.1f}")
        for row, count in zip(rows, found, strict=True)
    ]
    target = Target(
        "signature part / hmac.digest", ours["signature"].over(limit).median, 1.0
    )
    columns = ("signature part alone", "µs", "ratio", "1,000 instructions")
    return Table("Signature part", columns, shown, (), [target])


def _ratio(timed: Mapping[str, Figure]) -> float:
    return timed["guarded"].over(timed["reading"]).median


def _added(timed: Mapping[str, Figure]) -> Figure:
    return timed["guarded"].beyond(timed["reading"])


def _instructions(counted: Mapping[str, float] | None) -> str:
    if counted is None:
        return MISSING
    return f"{counted['guarded'] - counted['reading']:.1f}"

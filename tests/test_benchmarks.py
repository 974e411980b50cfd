"""The benchmark: its guards guard, and its tables say what was measured.

Nothing is timed here.
"""

from __future__ import annotations

import sqlite3
from importlib.util import find_spec
from pathlib import Path

import pytest
from valkey_server import Valkey

from benchmarks.apps.bare import proof
from benchmarks.apps.bare import reading_app
from benchmarks.backend import backend
from benchmarks.figures import Figure
from benchmarks.filling import APP_NAME
from benchmarks.filling import fill_file
from benchmarks.filling import fill_server
from benchmarks.filling import live_through
from benchmarks.filling import MODEL
from benchmarks.guard import guards
from benchmarks.record import MARK
from benchmarks.record import README
from benchmarks.record import recorded
from benchmarks.rounds import Entry
from benchmarks.rounds import interleaved
from benchmarks.rounds import process
from benchmarks.rounds import QUICK
from benchmarks.tables import as_markdown
from benchmarks.tables import as_text
from benchmarks.tables import Table
from benchmarks.tables import table_of_targets
from benchmarks.tables import Target
from benchmarks.verification import CALLERS
from benchmarks.visits import environ_of
from benchmarks.witness import Seen
from flask_stepup.ledger import open_ledger

#: Peers that the tests' own environment does not have: `make bench` installs them.
PEERS = {"security": "flask_security", "allauth": "allauth"}
NO_SERVER = "valkey://127.0.0.1:1"


def _is_installed(entry: Entry) -> bool:
    needed = PEERS.get(entry.factory.partition(":")[0])
    return needed is None or find_spec(needed) is not None


GUARDS = [name for name, entry in guards(NO_SERVER).items() if _is_installed(entry)]


def _in_folder(entry: Entry, folder: Path) -> Entry:
    return Entry(entry.factory, entry.options, {**entry.env, "TMPDIR": str(folder)})


@pytest.mark.parametrize("name", GUARDS)
def test_each_guard_accepts_and_refuses(
    name: str, valkey: Valkey, tmp_path: Path
) -> None:
    """A contestant that does not prove both ends before it is ever timed."""
    entry = guards(valkey.uri(tmp_path.name))[name]
    with process(_in_folder(entry, tmp_path), mode="counted") as contestant:
        contestant.run("guarded")
        contestant.run("reading")


def test_an_accepted_request_sets_no_cookie_and_asks_nobody(tmp_path: Path) -> None:
    """On SQLite: no cookie, no connection, and a statement of SQL at most."""
    entry = guards(NO_SERVER)["flask-stepup, SQLite"]
    with process(_in_folder(entry, tmp_path), mode="watched") as contestant:
        contestant.run("guarded")
        seen = contestant.run("guarded")
    assert not contestant.facts["cookies_set"]
    assert seen["connections"] == 0
    assert seen["statements"] <= 1


def test_who_lets_everybody_in_is_no_guard() -> None:
    """Nor is one who lets nobody in: neither is timed."""
    anybody = environ_of("/account")
    elsewhere = environ_of("/nowhere")
    with pytest.raises(AssertionError):
        proof(reading_app().wsgi_app, anybody, anybody)()
    with pytest.raises(AssertionError):
        proof(reading_app().wsgi_app, elsewhere, elsewhere)()


@pytest.mark.parametrize("over_tls", [False, True])
@pytest.mark.parametrize("name", CALLERS)
def test_each_caller_tells_a_right_code_from_a_wrong_one(
    name: str, over_tls: bool, tmp_path: Path
) -> None:
    """Over HTTP and HTTPS, with one request for each verification."""
    factory, options = CALLERS[name]
    with backend(tmp_path, over_tls=over_tls) as server:
        entry = Entry(factory, {"url": server.url, **options}, server.env)
        with process(entry, mode="counted") as caller:
            before, _ = server.counted()
            caller.run("verify", 3)
            after, _ = server.counted()
    assert after - before == 3


@pytest.mark.parametrize("factory", ["prompts:refusing", "prompts:prompting"])
def test_refusals_and_prompts_are_what_they_are_timed_as(
    factory: str, tmp_path: Path
) -> None:
    """They carry a challenge, and the form in it."""
    with process(_in_folder(Entry(factory), tmp_path), mode="counted"):
        pass


def test_an_attempt_takes_three_round_trips(tmp_path: Path) -> None:
    """To the ledger; each attempt has a code of its own, and grants a marker."""
    with backend(tmp_path) as server:
        options = {"storage_uri": "sqlite:///stepup.db", "url": server.url}
        entry = _in_folder(Entry("attempts:attempting", options), tmp_path)
        with process(entry, mode="watched") as contestant:
            seen = contestant.run("attempt", 4)
    assert seen["steps"] == 4 * 3


def test_rounds_are_taken_of_everybody(tmp_path: Path) -> None:
    """As many of each call as there were, and none of them for nothing."""
    entry = _in_folder(Entry("bare:unsigned"), tmp_path)
    found = interleaved({"one": entry, "other": entry}, QUICK)
    assert set(found) == {"one", "other"}
    assert set(found["one"]) == {"guarded", "reading", "plain"}
    assert len(found["one"]["guarded"].rounds) == QUICK.rounds * QUICK.processes
    assert found["one"]["guarded"].least > 0


def test_medians_and_ends() -> None:
    """Of an odd number of rounds, and of an even one."""
    figure = Figure.of([9, 1, 2])
    assert (figure.median, figure.least, figure.most) == (2, 1, 9)
    assert Figure.of([1, 2, 3, 10]).median == 2.5


def test_ratios_are_of_the_same_round() -> None:
    """Where a round was slow for both, its ratio is as that of the others."""
    ours, theirs = Figure.of([2, 20, 6]), Figure.of([1, 10, 2])
    assert ours.over(theirs).rounds == (2, 2, 3)
    assert ours.beyond(theirs).rounds == (1, 10, 4)
    with pytest.raises(ValueError, match="zip"):
        ours.over(Figure.of([1]))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([1.234], "1.23µs"),
        ([1.234, 12.345, 1234.5], "12.3µs (1.23–1,234)"),  # noqa: RUF001
        ([-0.5, 0.5], "0.00µs (-0.50–0.50)"),  # noqa: RUF001
    ],
)
def test_figures_are_told_with_three_digits(values: list[float], told: str) -> None:
    """And with the least and the most, where there are several rounds."""
    assert Figure.of(values).told("µs") == told


TABLE = Table("Guard", ("guard", "µs"), [("ours", "12.3"), ("theirs", "4")], ["a note"])


def test_a_table_for_a_terminal() -> None:
    """Words from the left, figures from the right, notes below."""
    assert as_text(TABLE).splitlines() == [
        "Guard",
        "------------",
        "guard     µs",
        "------------",
        "ours    12.3",
        "theirs     4",
        "  a note",
    ]


def test_a_table_as_markdown() -> None:
    """With the title as a heading, and notes as a list."""
    assert as_markdown(TABLE).splitlines() == [
        "### Guard",
        "",
        "| guard | µs |",
        "| --- | ---: |",
        "| ours | 12.3 |",
        "| theirs | 4 |",
        "",
        "- a note",
    ]


def test_targets_are_reached_up_to_their_bound() -> None:
    """What could not be measured is neither reached nor missed."""
    found = [1.1, 1.11, None]
    targets = [Target("ratio", value, 1.1) for value in found]
    shown = table_of_targets(targets).rows
    assert [row[-1] for row in shown] == ["reached", "missed", "not measured"]
    assert shown[1][1:3] == ("1.1", "1.11")


def test_a_result_takes_the_place_of_the_last_one() -> None:
    """And leaves the rest of the page alone; a page without a place is an error."""
    page = f"How it is measured.\n\n{MARK}\nold results\n"
    once = recorded(page, [TABLE])
    assert once.startswith("How it is measured.\n\n" + MARK)
    assert "old results" not in once
    assert "| ours | 12.3 |" in once
    assert recorded(once, [TABLE]) == once
    assert MARK in README.read_text()
    with pytest.raises(ValueError, match="no place"):
        recorded("a page", [TABLE])


def test_steps_are_transactions_and_what_is_outside_of_any() -> None:
    """However many statements there are in one."""
    one = ["BEGIN IMMEDIATE", "SELECT 1", "INSERT INTO a VALUES (1)", "COMMIT"]
    assert Seen(statements=one).steps == 1
    assert Seen(statements=["SELECT 1", *one, "SELECT 2"]).steps == 3
    assert Seen(statements=["BEGIN", "ROLLBACK", "SELECT 1"]).steps == 2


def test_a_file_is_filled_with_rows_as_real_calls_write_them(tmp_path: Path) -> None:
    """People who are copied leave what others leave who were there."""
    filled, lived = tmp_path / "filled.db", tmp_path / "lived.db"
    fill_file(filled, 3)
    ledger = open_ledger(f"sqlite:///{lived}", 1.0, "/", APP_NAME)
    for user_id in (MODEL, f"{MODEL}1", f"{MODEL}2"):
        live_through(ledger, user_id)
    ledger.close()
    for table, column in (
        ("attempts", "user_id"),
        ("claims", "key"),
        ("revocations", "key"),
    ):
        query = f"SELECT {column} FROM {table} ORDER BY {column}"  # noqa: S608
        found, expected = _rows(filled, query), _rows(lived, query)
        assert found == expected
        assert len(found) == 3


def test_a_server_is_filled_with_keys_as_real_calls_write_them(
    valkey: Valkey, tmp_path: Path
) -> None:
    """Each with a time to leave, as a real one has it."""
    prefix = tmp_path.name
    fill_server(valkey.uri(), prefix, 3)
    ledger = open_ledger(valkey.uri(f"{prefix}-lived"), 1.0, "/", APP_NAME)
    for user_id in (MODEL, f"{MODEL}1", f"{MODEL}2"):
        live_through(ledger, user_id)
    ledger.close()
    with valkey.client() as client:
        for kind in ("user", "attempts"):
            filled = {*client.scan_iter(f"{{stepup:{prefix}}}:{kind}:*")}
            lived = {*client.scan_iter(f"{{stepup:{prefix}-lived}}:{kind}:*")}
            assert {key.replace("}", "-lived}") for key in filled} == lived
            assert len(filled) == 3
            assert all(client.ttl(key) > 86_400 for key in filled)


def _rows(path: Path, query: str) -> list[tuple[str, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()

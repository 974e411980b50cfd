"""The SQLite ledger and the clock: what it has seen, and what it makes of less."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import closing
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import time_machine
from ledgers import FIVE
from ledgers import race
from ledgers import remaining
from ledgers import START

from flask_stepup.errors import LedgerUnavailable
from flask_stepup.ledger import Ledger
from flask_stepup.ledger import open_ledger

LEEWAY = 10
#: The least step back that is one: the leeway, and two seconds.
STEP = 12


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def opened(tmp_path: Path, clock: Any) -> Iterator[Callable[[], Ledger]]:
    """Opens the one file of a test, once more at each call."""
    with ExitStack() as stack:

        def opened() -> Ledger:
            uri = "sqlite:///ledger.db"
            ledger = open_ledger(uri, 5.0, str(tmp_path), "bank", leeway=LEEWAY)
            stack.callback(ledger.close)
            return ledger

        yield opened


def newest(folder: Path) -> float:
    """The newest time that the file knows of, in seconds from the start."""
    with closing(sqlite3.connect(folder / "ledger.db")) as connection:
        (at,) = connection.execute("SELECT newest FROM identity").fetchone()
        return float(at) - START


@pytest.mark.parametrize(("back", "is_one"), [(STEP, False), (STEP + 0.5, True)])
@pytest.mark.parametrize("step", ["look up", "write", "open"])
def test_a_step_back_beyond_the_leeway_gives_another_id(
    opened: Callable[[], Ledger], clock: Any, back: float, is_one: bool, step: str
) -> None:
    """Whatever is done first; and what was revoked stays so."""
    ledger = opened()
    ledger.revoke_session("s")
    before = ledger.standing("u", "s")
    clock.shift(-back)
    if step == "write":
        ledger.clear("u")
    after = (opened() if step == "open" else ledger).standing("u", "s")
    assert (after.ledger_id != before.ledger_id) is is_one
    assert after.session_revoked
    assert ledger.standing("u", "s").ledger_id == ledger.id == after.ledger_id


def test_one_step_gives_one_id(opened: Callable[[], Ledger], clock: Any) -> None:
    """However many workers notice it, at once or later."""
    ledgers = [opened() for _ in range(8)]
    clock.shift(-60)
    ids = race(8, lambda n: ledgers[n].standing("u", "s").ledger_id)
    clock.shift(30)
    ids += [opened().standing("u", "s").ledger_id, ledgers[0].id]
    assert len(set(ids)) == 1


def test_claims_count_again_when_a_clock_was_put_right(
    opened: Callable[[], Ledger], clock: Any
) -> None:
    """A revocation of a time that has not come yet was now, and not then."""
    ledger = opened()
    clock.shift(30_000_000)
    ledger.revoke_user("u")
    clock.shift(-30_000_000)
    ledger.standing("u", "s")
    clock.shift(60)
    assert 59 < ledger.standing("u", "s").revoked_for < 62


def test_looking_writes_down_how_late_it_is_now_and_then(
    opened: Callable[[], Ledger], clock: Any, tmp_path: Path
) -> None:
    """Every ten seconds and no more often; writing does it always."""
    ledger = opened()
    seen = []
    for seconds in (4, 6, 1, 9):
        clock.shift(seconds)
        ledger.standing("u", "s")
        seen.append(newest(tmp_path))
    clock.shift(1)
    ledger.clear("u")
    seen.append(newest(tmp_path))
    assert seen == [0, 0, 11, 11, 21]


def test_looking_waits_for_no_lock_to_write_it_down(
    opened: Callable[[], Ledger], clock: Any, tmp_path: Path
) -> None:
    """Who is verified goes on while somebody else keeps the file locked."""
    ledger = opened()
    clock.shift(60)
    path, options = tmp_path / "ledger.db", {"isolation_level": None}
    with closing(sqlite3.connect(path, **options)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert ledger.standing("u", "s").ledger_id == ledger.id
        other.execute("ROLLBACK")
    assert newest(tmp_path) == 0
    assert ledger.standing("u", "s").told_at == START + 60
    assert newest(tmp_path) == 60


def test_a_file_of_before_is_founded_anew(
    opened: Callable[[], Ledger], tmp_path: Path
) -> None:
    """One that does not know how late it was: what was made with it is void."""
    first = opened()
    first.revoke_session("s")
    before = first.id
    first.close()
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        connection.execute("DROP TABLE identity")
        connection.commit()
    again = opened()
    assert again.id != before
    assert again.standing("u", "s").session_revoked
    assert remaining(again, "u", *FIVE) == 4


def test_a_ledger_without_a_name_answers_nothing(
    opened: Callable[[], Ledger], tmp_path: Path
) -> None:
    """Whoever has emptied the table by hand gets no error that nobody expects."""
    ledger = opened()
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        connection.execute("DELETE FROM identity")
        connection.commit()
    with pytest.raises(LedgerUnavailable, match="no id"):
        ledger.standing("u", "s")
    with pytest.raises(LedgerUnavailable, match="no id"):
        ledger.clear("u")

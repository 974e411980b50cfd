"""What is not guarded is served by all workers, whatever the ledger does meanwhile."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from soak.aftermath import recovers
from soak.bank import bank
from soak.evidence import Asked
from soak.load import guess_at
from soak.load import Town
from soak.verifier import customers
from soak.verifier import WatchedSandbox


@pytest.mark.parametrize("ledger_kind", ["sqlite", "valkey"])
def test_a_worker_that_starts_in_an_outage_serves(
    ledger_kind: str, tmp_path: Path
) -> None:
    """Promise 7: unguarded routes are untouched, also of a worker that starts anew.

    One that did not start would have the master end, and with it all that it serves.
    """
    people = customers(20)
    sandbox = WatchedSandbox(people)
    asked: list[Asked] = []
    app = "soak.app:make_app(is_patient=False)"
    with bank(sandbox, ledger_kind, "gevent", tmp_path, 0.5, app=app) as (
        workers,
        ledger,
    ):
        town = Town(workers.port, iter(people), people, asked)
        with ledger.stalled(), town.browser() as browser:
            workers.replace_by_force()
            browser.open()
        assert any(recovers(town, person) for person in people)
    assert [a.status for a in asked if a.kind == "open"] == [200]


def test_a_locked_file_holds_up_who_writes_to_it_alone(tmp_path: Path) -> None:
    """Promise 7: unguarded routes are untouched, with greenlets as with threads.

    SQLite's own waiting would have a worker's other greenlets wait as well.
    """
    (person,) = customers(1)
    sandbox = WatchedSandbox([person])
    asked: list[Asked] = []
    with bank(sandbox, "sqlite", "gevent", tmp_path, 30, workers=1) as (
        workers,
        ledger,
    ):
        town = Town(workers.port, iter([]), [], asked)
        with town.browser(person.user_id) as guesser, ThreadPoolExecutor(1) as pool:
            assert guesser.sign_in()
            challenge = guesser.vault().challenge
            with ledger.stalled(), town.browser() as other:
                waiting = pool.submit(guess_at, guesser, challenge)
                time.sleep(0.2)
                began = time.monotonic()
                other.open()
                took = time.monotonic() - began
                assert took < 20, "it waited for the lock, too"
            assert waiting.result().status == 422
    assert [a.status for a in asked if a.kind == "open"] == [200]

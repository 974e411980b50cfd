"""Many workers, hostile users and a sick ledger at once: what is promised holds.

Four gunicorn workers serve a bank while they and their ledger are killed, paused and
restarted. A judge looks at it from outside alone: at the answers that people got, at
the journal that guarded views write, and at the calls that the sandbox heard.
``STEPUP_SOAK_SECONDS=600`` has each go on for longer.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from soak.aftermath import look_around
from soak.bank import bank
from soak.bank import LIMIT
from soak.bank import MINUTES
from soak.disasters import Disasters
from soak.evidence import Evidence
from soak.evidence import Run
from soak.judge import idle
from soak.judge import violations
from soak.load import Town
from soak.verifier import customers
from soak.verifier import WatchedSandbox

#: Seconds of load; the disasters take some five, and are finished in any case.
SECONDS = float(os.environ.get("STEPUP_SOAK_SECONDS", "5"))
#: Seconds that the ledger may take. Disasters take longer.
TIMEOUT = 0.5


@pytest.mark.parametrize("ledger_kind", ["sqlite", "valkey"])
@pytest.mark.parametrize("worker_class", ["gthread", "gevent"])
def test_what_is_promised_holds(
    worker_class: str, ledger_kind: str, tmp_path: Path
) -> None:
    """No unverified run, no guess too many, no lost attempt, no double spend.

    While workers and ledger are killed, paused and restarted; then all is well again.
    """
    people = customers(100 + int(40 * max(SECONDS, 10)))
    newcomers, victims, others = people[:20], people[20:80], people[80:]
    sandbox, evidence = WatchedSandbox(people), Evidence(LIMIT, MINUTES * 60)
    with bank(sandbox, ledger_kind, worker_class, tmp_path, TIMEOUT) as (
        workers,
        ledger,
    ):
        disasters = Disasters(workers, ledger, TIMEOUT)
        town = Town(workers.port, iter(others), victims, evidence.asked)
        town.run(lambda: disasters.run(SECONDS, lambda: not idle(evidence)))
        broken = look_around(town, newcomers)
    evidence.calls = sandbox.calls
    journal = (tmp_path / "journal").read_text()
    evidence.runs = [Run.read(line) for line in journal.splitlines()]
    print(f"\n{worker_class} on {ledger_kind}: {dict(disasters.happened)}")
    print(evidence.summary())
    told = [*broken, *violations(evidence), *idle(evidence)]
    assert not told, "\n".join((f"{len(told)} violations:", *told[:50]))
    log = (tmp_path / "log").read_text()
    raised = set(re.findall(r"(?m)^([\w.]+(?:Error|Exception|Exit))\b", log))
    # With which gevent ends what a worker was about when it is replaced.
    assert raised <= {"greenlet.GreenletExit"}, log[-5_000:]
    assert "Exception on" not in log, log[-5_000:]
    assert sandbox.secret_key not in log
    codes = {code for person in people for code in person.backup_codes}
    assert codes.isdisjoint(re.findall(r"\b[0-9a-f]{8}\b", log))

"""What an import brings along, beyond Flask."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from collections.abc import Mapping

from benchmarks.figures import Figure
from benchmarks.rounds import HASH_SEED
from benchmarks.run import Run
from benchmarks.tables import Table
from benchmarks.tables import Target

OURS = "flask-stepup"
SDK = "clerk-backend-api"
#: What is imported, as the table has it.
IMPORTS = {
    "httpx (which both of the next two need)": "import httpx",
    OURS: "import flask_stepup",
    "flask-stepup, with what a verification needs": (
        "import flask_stepup; from flask_stepup import clerk; "
        "from flask_stepup.ledger import sqlite"
    ),
    SDK: "from clerk_backend_api import Clerk",
    "clerk-backend-api, with what a verification needs": (
        "from clerk_backend_api import Clerk; Clerk(bearer_auth='sk').users"
    ),
    "Flask-Login": "import flask_login",
    "Flask-Security": "import flask_security",
}
_MEASURE = """
import flask, json, os, sys, time
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
modules, memory, began = len(sys.modules), resident(), time.perf_counter()
{}
print(json.dumps({{
    "time": (time.perf_counter() - began) * 1e3,
    "memory": (resident() - memory) / 1e6,
    "modules": len(sys.modules) - modules,
}}))
"""
#: Fresh processes for each.
PROCESSES = 15
PROCESSES_OF_A_TRY = 3

Measured = Mapping[str, Figure]


def measure(run: Run) -> Iterator[Table]:
    """Import each in fresh processes, in turn."""
    times = PROCESSES_OF_A_TRY if run.effort.is_quick else PROCESSES
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in IMPORTS}
    # The first of all reads the files from the disk, and compiles them.
    for statement in IMPORTS.values():
        _imported(statement)
    for _ in range(times):
        for name, statement in IMPORTS.items():
            taken[name].append(_imported(statement))
    yield _table(
        {
            name: {what: Figure.of(t[what] for t in told) for what in told[0]}
            for name, told in taken.items()
        }
    )


def _imported(statement: str) -> dict[str, float]:
    # Compiled once, as what is installed is, and kept with what is measured.
    env = {**os.environ, "PYTHONHASHSEED": HASH_SEED} | {
        "PYTHONPYCACHEPREFIX": f"{tempfile.gettempdir()}/compiled"
    }
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    told = subprocess.run(  # noqa: S603
        [sys.executable, "-c", _MEASURE.format(statement)],
        env=env,
        stdout=subprocess.PIPE,
        check=True,
    )
    measured: dict[str, float] = json.loads(told.stdout)
    return measured


def _table(found: Mapping[str, Measured]) -> Table:
    rows = [
        (
            name,
            each["time"].told(),
            each["memory"].told(),
            f"{each['modules'].median:.0f}",
            each["time"].over(found[SDK]["time"]).told(),
        )
        for name, each in found.items()
    ]
    targets = [
        Target(
            f"import beyond flask, {what}: flask-stepup / official SDK",
            found[OURS][what].over(found[SDK][what]).median,
            0.3,
        )
        for what in ("time", "memory", "modules")
    ]
    columns = (
        "import, after import flask",
        "ms",
        "MB",
        "modules",
        "ratio of time to SDK",
    )
    return Table("Import", columns, rows, (), targets)

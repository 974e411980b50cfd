"""``python -m benchmarks [PART …]``: measures, and prints a table for each subject."""

from __future__ import annotations

import argparse
import importlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.machine import table_of_machine
from benchmarks.record import README
from benchmarks.record import recorded
from benchmarks.rounds import QUICK
from benchmarks.rounds import THOROUGH
from benchmarks.run import Run
from benchmarks.tables import as_text
from benchmarks.tables import Table
from benchmarks.tables import table_of_targets

#: The subjects, each a file that has ``measure``.
PARTS = ("guard", "verification", "challenge", "imports", "throughput", "growth")


def main() -> None:
    """Measure what the command line names, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--quick", action="store_true", help="to try things out")
    parser.add_argument("--record", action="store_true", help=f"write it into {README}")
    asked = parser.parse_args()
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"{', '.join(unknown)}: the parts are {', '.join(PARTS)}")
    if asked.record and (asked.quick or asked.parts):
        parser.error("only a whole run, and no quick one, is recorded")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="stepup-bench-") as folder:
        # Where processes put what they write: it goes with the folder.
        os.environ["TMPDIR"] = folder
        effort = QUICK if asked.quick else THOROUGH
        tables = list(_shown(asked.parts or PARTS, Run(Path(folder), effort)))
    print(f"{(time.monotonic() - began) / 60:.1f} minutes")
    if asked.record:
        README.write_text(recorded(README.read_text(), tables))


def _shown(parts: tuple[str, ...] | list[str], run: Run) -> Iterator[Table]:
    """Print each table as soon as there is one."""
    tables = [table_of_machine(run.effort)]
    print(as_text(tables[0]))
    for part in parts:
        subject = importlib.import_module(f"benchmarks.{part}")
        for table in subject.measure(run):
            tables.append(table)
            print(as_text(table), flush=True)
    targets = table_of_targets([target for table in tables for target in table.targets])
    print(as_text(targets))
    yield targets
    yield from tables


if __name__ == "__main__":
    main()

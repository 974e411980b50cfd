"""Mutation testing of what decides: ``python tests/mutants/run.py [PART …]``."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
import tomllib
from collections import Counter
from pathlib import Path

from mutant import Mutant
from mutant import unlike
from python import mutants_of_python
from runner import LIVES
from runner import MEMORY
from runner import ROOT
from runner import Runner
from runner import TIMED_OUT
from table import Part
from table import PARTS
from texts import mutants_of_lua

PACKAGE = ROOT / "flask_stepup"
EXPLAINED = Path(__file__).with_name("explained.toml")

Key = tuple[str, str, str]


def main() -> int:
    """Try the mutants of the parts that are named, or of all; 1 if one lives on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--workers", type=int, choices=(1, 2), default=2)
    parser.add_argument("--list", action="store_true", help="only count them")
    parser.add_argument("--only", default="", help="those with this text in them")
    parser.add_argument(
        "--quick", action="store_true", help="only with the quickest tests of each"
    )
    parser.add_argument(
        "--again", action="store_true", help="try those that are explained, too"
    )
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part is called {', '.join(sorted(unknown))}")
    # So that the copies are cleared away then, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    explained = read_explained()
    stale, alive = 0, 0
    place = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="stepup-mutants-", dir=place) as folder:
        runner = None if options.list else Runner(Path(folder), options.workers)
        try:
            for name in options.parts or PARTS:
                mutants = mutants_of(PARTS[name])
                stale += tell_stale(PARTS[name], mutants, explained)
                if runner:
                    alive += try_all(runner, name, mutants, explained, options)
                else:
                    print(f"{name}: {len(mutants)} mutants")
        finally:
            if runner:
                runner.close()
    return 1 if alive or stale else 0


def try_all(
    runner: Runner,
    name: str,
    mutants: list[Mutant],
    explained: dict[Key, str],
    options: argparse.Namespace,
) -> int:
    """Try them, tell of those that live, and return how many nobody has explained."""
    began = time.monotonic()
    known = [m for m in mutants if m.key in explained]
    tried = mutants if options.again else [m for m in mutants if m.key not in explained]
    tried = [m for m in tried if options.only in str(m)]
    verdicts: Counter[str] = Counter()
    alive = 0
    stages = PARTS[name].stages[: 1 if options.quick else None]
    for outcome in runner.outcomes(tried, runner.seconds_of(stages)):
        verdicts[outcome.verdict] += 1
        is_known = outcome.mutant.key in explained
        if outcome.verdict == LIVES and not is_known:
            alive += 1
            print(f"LIVES {outcome.mutant}\n", flush=True)
        elif outcome.verdict != LIVES and is_known:
            print(f"explained, but {outcome.verdict}: {outcome.mutant}\n", flush=True)
        if options.verbose or outcome.verdict == TIMED_OUT:
            told = f"{outcome.verdict} {outcome.mutant}\n  by {outcome.by}\n"
            print(told, file=sys.stderr, flush=True)
    told = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items())
    minutes = (time.monotonic() - began) / 60
    print(
        f"{name}: {len(mutants)} mutants, {told}, {len(known)} explained,"
        f" {alive} unexplained ({minutes:.1f} min)",
        flush=True,
    )
    return alive


def mutants_of(part: Part) -> list[Mutant]:
    """All mutants of the part's files."""
    mutants: list[Mutant] = []
    for file in files_of(part):
        make = mutants_of_lua if file.endswith(".lua") else mutants_of_python
        mutants += unlike(list(make(PACKAGE, file)), PACKAGE / file)
    return mutants


def files_of(part: Part) -> list[str]:
    """Its files, those in its folders too."""
    found: list[Path] = []
    for name in part.files:
        path = PACKAGE / name
        found += sorted(path.glob("*.*")) if path.is_dir() else [path]
    return [path.relative_to(PACKAGE).as_posix() for path in found if path.is_file()]


def read_explained() -> dict[Key, str]:
    """Which mutants may live, and why."""
    told = tomllib.loads(EXPLAINED.read_text()).get("explained", [])
    return {
        (entry["file"], entry["where"], change.strip()): entry["why"]
        for entry in told
        for change in entry["changes"]
    }


def tell_stale(part: Part, mutants: list[Mutant], explained: dict[Key, str]) -> int:
    """Tell of explained mutants that are made no longer; return how many."""
    made = {mutant.key for mutant in mutants}
    files = set(files_of(part))
    stale = [key for key in explained if key[0] in files and key not in made]
    for file, where, change in stale:
        print(f"GONE, but explained: {file}: {where}\n{change}\n", flush=True)
    return len(stale)


if __name__ == "__main__":
    sys.exit(main())

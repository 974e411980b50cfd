"""Interleaved rounds: every contestant in turn, again and again, each in a process."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from contextlib import ExitStack
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure

ROOT = Path(__file__).parent.parent
#: Of every process: what is in which order in a set is the same in all of them.
HASH_SEED = "0"


@dataclass(frozen=True)
class Entry:
    """A contestant of a subject.

    :param factory: that makes it: ``"module:function"``, inside of ``benchmarks.apps``.
    :param options: for the factory.
    :param env: for its process, beside what all have.
    """

    factory: str
    options: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Effort:
    """How long things are measured.

    :param processes: fresh ones, one after the other, of each contestant: where things
        lie in memory makes a difference that no repetition in one process shows.
    :param rounds: in each of them.
    :param seconds: of a round, for each call.
    """

    processes: int
    rounds: int
    seconds: float
    #: Whether it is for trying things out.
    is_quick: bool = False


THOROUGH = Effort(processes=3, rounds=5, seconds=0.15)
QUICK = Effort(processes=1, rounds=3, seconds=0.1, is_quick=True)


class Process:
    """A contestant's process, which obeys."""

    def __init__(self, pipe: subprocess.Popen[str]) -> None:
        self._pipe = pipe
        #: What the contestant has told of itself.
        self.facts: dict[str, Any] = self._answer()

    def time(self, seconds: float) -> dict[str, float]:
        """Return microseconds per call, of each of its calls."""
        told: dict[str, float] = self._obeyed(do="time", seconds=seconds)
        return told

    def run(self, call: str, times: int = 1) -> dict[str, int]:
        """Call so many times; return what was seen meanwhile, if it is watched."""
        seen: dict[str, int] = self._obeyed(do="run", call=call, times=times)
        return seen

    def fork(self, call: str, times: int) -> int:
        """Call so many times in a fork; return its number."""
        return int(self._obeyed(do="fork", call=call, times=times))

    def _obeyed(self, **order: Any) -> Any:
        assert self._pipe.stdin
        print(json.dumps(order), file=self._pipe.stdin, flush=True)
        return self._answer()

    def _answer(self) -> Any:
        assert self._pipe.stdout
        line = self._pipe.stdout.readline()
        if not line:
            raise RuntimeError(f"a contestant has ended: {self._pipe.args!r}")
        return json.loads(line)


@contextmanager
def process(
    entry: Entry,
    *,
    mode: str = "timed",
    under: tuple[str, ...] = (),
    errors: Any = None,
) -> Iterator[Process]:
    """A contestant's process while the context lasts, warm and proved.

    :param mode: ``timed``; ``counted``, without the warming up that goes by the clock;
        ``watched``, where statements and connections are counted, which takes time.
    :param under: a program that runs it.
    :param errors: where its standard error goes.
    """
    command = [*under, sys.executable, "-m", "benchmarks.contestant"]
    with subprocess.Popen(  # noqa: S603 (made above)
        [*command, entry.factory, json.dumps(entry.options), mode],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": HASH_SEED, **entry.env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
    ) as pipe:
        try:
            yield Process(pipe)
        finally:
            assert pipe.stdin
            pipe.stdin.close()
            pipe.wait(30)


def interleaved(
    entries: Mapping[str, Entry], effort: Effort
) -> dict[str, dict[str, Figure]]:
    """Return, for each contestant, microseconds of each of its calls."""
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in entries}
    order, shuffle = list(entries), random.Random(0).shuffle  # noqa: S311
    for _ in range(effort.processes):
        with ExitStack() as stack:
            running = {
                name: stack.enter_context(process(entry))
                for name, entry in entries.items()
            }
            for _ in range(effort.rounds):
                # Nobody always comes after the same one.
                shuffle(order)
                for name in order:
                    taken[name].append(running[name].time(effort.seconds))
    return {name: _by_call(rounds) for name, rounds in taken.items()}


def _by_call(rounds: list[dict[str, float]]) -> dict[str, Figure]:
    return {call: Figure.of(r[call] for r in rounds) for call in rounds[0]}

"""One contestant in a process of its own, told through a pipe what to do.

A process has nothing imported but what its app needs. It proves, before anything is
timed, that its guard accepts and refuses.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from benchmarks import witness

Call = Callable[[], object]

#: Seconds that each call is repeated before it is timed.
WARM_UP = 0.3
#: Seconds of one batch: so short that calls which are compared meet the same weather.
BATCH = 0.002
#: Times that a process which only counts instructions warms up: a fixed number.
WARM_UP_CALLS = 60


@dataclass(frozen=True)
class Contestant:
    """What can be called, and compared.

    :param calls: by name; those of one contestant are timed in turn, batch by batch.
    :param prove: raises AssertionError if it does not do what it is compared for.
    :param facts: that the benchmark is to know.
    """

    calls: Mapping[str, Call]
    prove: Call = list
    facts: Mapping[str, Any] = field(default_factory=dict)


def built(factory: str, options: Mapping[str, Any]) -> Contestant:
    """Return what ``"module:function"`` makes, which has proved itself.

    :param factory: the module, inside of ``benchmarks.apps``, and the function.
    """
    module, _, function = factory.partition(":")
    make = getattr(importlib.import_module(f"benchmarks.apps.{module}"), function)
    contestant: Contestant = make(**options)
    contestant.prove()
    return contestant


def timed(calls: Mapping[str, Call], seconds: float) -> dict[str, float]:
    """Return microseconds per call, of one round.

    A tenth of the batches are quicker than that: whatever else the machine does makes
    batches slower, and never quicker.

    :param seconds: of the round, for each of the calls.
    """
    sizes = {name: _calls_in(BATCH, call) for name, call in calls.items()}
    batches: dict[str, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + seconds * len(calls)
    while time.perf_counter() < end or not all(batches.values()):
        for name, call in calls.items():
            batches[name].append(_batch(call, sizes[name]) / sizes[name] * 1e6)
    return {name: sorted(times)[len(times) // 10] for name, times in batches.items()}


def _calls_in(seconds: float, call: Call) -> int:
    once = min(_batch(call, 1) for _ in range(3))
    return max(1, int(seconds / once))


def _batch(call: Call, times: int) -> float:
    repeated = range(times)
    began = time.perf_counter()
    for _ in repeated:
        call()
    return time.perf_counter() - began


def _warmed(contestant: Contestant) -> None:
    for call in contestant.calls.values():
        end = time.perf_counter() + WARM_UP
        while time.perf_counter() < end:
            call()
    # What there is by now stays. The collector runs, as it does in a server, and has
    # what a request leaves behind to look at, and nothing else.
    gc.collect()
    gc.freeze()


def _forked(call: Call, times: int) -> int:
    """Run the calls in a fork, whose instructions callgrind tells apart.

    :returns: its number, by which it is known in what callgrind prints.
    """
    child = os.fork()
    if child == 0:
        # Connections do not cross a fork: the first calls open new ones.
        for _ in range(WARM_UP_CALLS + times):
            call()
        os._exit(0)
    os.waitpid(child, 0)
    return child


def _obey(contestant: Contestant, order: Mapping[str, Any]) -> object:
    if order["do"] == "time":
        return timed(contestant.calls, order["seconds"])
    call = contestant.calls[order["call"]]
    if order["do"] == "fork":
        return _forked(call, order["times"])
    with witness.witnessed() as seen:
        _batch(call, order["times"])
    return {
        "connections": len(seen.connections),
        "statements": len(seen.statements),
        "steps": seen.steps,
    }


def main() -> None:
    """Build the contestant of the command line, and obey until there are no orders."""
    # What apps print must not come between answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(value: object) -> None:
        print(json.dumps(value), file=answers, flush=True)

    factory, options, mode = sys.argv[1:]
    if mode == "watched":
        witness.watch()
    contestant = built(factory, json.loads(options))
    if mode == "timed":
        _warmed(contestant)
    answer(dict(contestant.facts))
    for line in sys.stdin:
        answer(_obey(contestant, json.loads(line)))


if __name__ == "__main__":
    main()

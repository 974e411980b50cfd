"""What happens to workers and ledger while people are served."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from .cluster import Cluster
from .ledgers import Ledger

#: Seconds in which everything works, between two disasters.
RESPITE = 0.4
#: Seconds more that it may take until enough has happened.
LONGEST = 30.0


class Disasters:
    """One after the other, and round again.

    :param timeout: seconds that the app waits for its ledger.
    """

    def __init__(self, cluster: Cluster, ledger: Ledger, timeout: float) -> None:
        self.happened: Counter[str] = Counter()
        self._cluster = cluster
        self._ledger = ledger
        self._timeout = timeout

    def run(self, seconds: float, is_enough: Callable[[], bool]) -> None:
        """All of them once, and then more until the time is over.

        :param is_enough: whether so much has happened that something is proved; on a
            busy machine there are some rounds more.
        """
        over = time.monotonic() + seconds
        all_of_them: tuple[Callable[[], None], ...] = (
            self.kill_writer,
            self.stall,
            self.restart,
            self.kill_in_stall,
            self.crash,
            self.kill_in_crash,
        )
        while True:
            for disaster in all_of_them:
                time.sleep(RESPITE)
                self.happened[disaster.__name__] += 1
                disaster()
            self._cluster.wait_until_complete()
            late = time.monotonic() - over
            if late > LONGEST or (late > 0 and is_enough()):
                return

    def kill_writer(self) -> None:
        """Kill a worker while it writes; any one where that cannot be seen."""
        workers = self._cluster.workers()
        writer = self._ledger.writer(workers)
        self._kill([writer] if writer else workers[:1])
        self.happened["killed while writing"] += writer is not None

    def stall(self) -> None:
        """Let the ledger be stuck for longer than the app waits."""
        with self._ledger.stalled():
            time.sleep(self._timeout * 1.6)

    def restart(self) -> None:
        """Replace all workers."""
        self._cluster.restart()

    def kill_in_stall(self) -> None:
        """Kill two workers that wait for a ledger that is stuck."""
        with self._ledger.stalled():
            time.sleep(self._timeout / 2)
            self._kill(self._cluster.workers()[:2])
            time.sleep(self._timeout / 2)

    def crash(self) -> None:
        """End the ledger."""
        self._ledger.crash()

    def kill_in_crash(self) -> None:
        """End ledger and workers together."""
        self._kill(self._cluster.workers()[-2:])
        self._ledger.crash()

    def _kill(self, workers: list[int]) -> None:
        for worker in workers:
            self._cluster.kill(worker)
            self.happened["workers killed"] += 1

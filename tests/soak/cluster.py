"""gunicorn's workers behind one port, and a master that replaces those who die."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress
from pathlib import Path

from serving import ROOT

#: Seconds that workers may take to come, on a busy machine.
PATIENCE = 60.0


class Cluster:
    """A running gunicorn.

    :param master: the process that starts the others.
    """

    def __init__(
        self, master: subprocess.Popen[bytes], port: int, folder: Path, count: int
    ) -> None:
        self.master = master
        self.port = port
        self._count = count
        self._folder = folder

    def workers(self) -> list[int]:
        """The processes that serve, from the oldest on."""
        pid = self.master.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(c) for c in children.split() if self._serves(c)]

    def kill(self, worker: int) -> None:
        """End a worker at once, whatever it is doing."""
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)

    def restart(self) -> None:
        """Have the master replace all workers, each after its last answer."""
        old = set(self.workers())
        self.master.send_signal(signal.SIGHUP)
        self._wait_for(lambda now: len(now) == self._count and not old & now)

    def replace_by_force(self) -> None:
        """Kill all workers, and return when others serve."""
        old = set(self.workers())
        for worker in old:
            self.kill(worker)
        self._wait_for(lambda now: len(now) == self._count and not old & now)

    def wait_until_complete(self) -> None:
        """Return when the master has replaced whoever died."""
        self._wait_for(lambda now: len(now) == self._count)

    def _serves(self, worker: str) -> bool:
        return (self._folder / f"serving-{worker}").exists()

    def _wait_for(self, is_so: Callable[[set[int]], bool]) -> None:
        patience = time.monotonic() + PATIENCE
        while not is_so(set(self.workers())):
            assert time.monotonic() < patience, self._log()
            assert self.master.poll() is None, self._log()
            time.sleep(0.02)

    def _log(self) -> str:
        return (self._folder / "log").read_text()[-5_000:]


@contextmanager
def cluster(
    worker_class: str,
    folder: Path,
    config: dict[str, str],
    *,
    app: str = "soak.app:make_app()",
    workers: int = 4,
) -> Iterator[Cluster]:
    """Serve the app from this folder while the context lasts.

    With threads it is loaded before the fork, and with greenlets after it.

    :param config: of the app.
    """
    options = {
        "gthread": ["--threads=8", "--preload"],
        "gevent": ["--worker-connections=200"],
    }
    env = {
        # Measuring coverage would make workers slow, and those who are killed mute.
        name: value
        for name, value in os.environ.items()
        if not name.startswith("COVERAGE_")
    }
    env["PYTHONPATH"] = f"{ROOT / 'tests'}{os.pathsep}{ROOT}"
    env |= {f"SOAK_{name}": value for name, value in config.items()}
    with (
        socket.create_server(("127.0.0.1", 0), backlog=512) as listener,
        (folder / "log").open("ab") as log,
    ):
        command = [
            *(sys.executable, "-m", "gunicorn", app),
            *(f"--bind=fd://{listener.fileno()}", f"--workers={workers}"),
            *(f"--worker-class={worker_class}", *options[worker_class]),
            *("--timeout=60", "--graceful-timeout=1", "--keep-alive=30"),
            *("--config=python:soak.hooks", "--no-control-socket"),
        ]
        port = listener.getsockname()[1]
        master = subprocess.Popen(
            command,
            cwd=folder,
            env=env,
            stdout=log,
            stderr=log,
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
    try:
        running = Cluster(master, port, folder, workers)
        running.wait_until_complete()
        yield running
        master.terminate()
        assert master.wait(20) == 0
    finally:
        # The whole group: a worker whose master is dead would go on.
        with suppress(ProcessLookupError):
            os.killpg(master.pid, signal.SIGKILL)
        master.wait(20)

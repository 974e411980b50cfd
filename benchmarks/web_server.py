"""gunicorn in front of an app, and wrk in front of gunicorn."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress

import httpx

from benchmarks.rounds import ROOT

PATIENCE = 30.0
#: Connections that wrk keeps busy, from one thread: enough for four workers.
CONNECTIONS = 16
THREADS = 4


def is_measurable() -> bool:
    """Whether there is a wrk."""
    return shutil.which("wrk") is not None


@contextmanager
def gunicorn(app: str, workers: int) -> Iterator[str]:
    """Serve an app while the context lasts; yields its address.

    :param app: as gunicorn takes it, inside of ``benchmarks.apps``.
    """
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    command = [
        *(sys.executable, "-m", "gunicorn", f"benchmarks.apps.{app}"),
        *("--bind", f"127.0.0.1:{port}", "--workers", str(workers)),
        # Threads keep connections alive: it is the app that is measured.
        *("--worker-class", "gthread", "--threads", str(THREADS)),
        *("--log-level", "error"),
    ]
    with subprocess.Popen(command, cwd=ROOT) as server:  # noqa: S603
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_for(f"{url}/account")
            yield url
        finally:
            server.terminate()
            server.wait(PATIENCE)


def requests_a_second(url: str, cookies: str, seconds: int) -> float:
    """Return how many wrk gets answered, all of them well."""
    command = [
        *("wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s"),
        *("-H", f"Cookie: {cookies}", "-H", "Accept: application/json", url),
    ]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603
    assert "Non-2xx" not in told.stdout, told.stdout
    found = re.search(r"Requests/sec: +([0-9.]+)", told.stdout)
    assert found, told.stdout
    return float(found[1])


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            httpx.get(url)
            return
        time.sleep(0.1)
    raise TimeoutError("gunicorn does not start")

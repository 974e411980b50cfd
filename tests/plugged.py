"""Projects of users, whose tests pytest runs with our plugin, as it is installed."""

from __future__ import annotations

import os
import shutil
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


class Project:
    """A folder with an app, which tests are put into."""

    def __init__(
        self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.pytester = pytester
        self.folder = pytester.path
        shutil.copy(ROOT / "tests" / "tested_bank.py", self.folder / "bank.py")
        monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{self._installed()}")

    def _installed(self) -> Path:
        # What pyproject.toml says now, whenever the environment was set up.
        site = self.folder / "site-packages"
        metadata = site / "flask_stepup_entries-0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text("Name: flask-stepup-entries\nVersion: 0\n")
        entries = DECLARED["entry-points"]["pytest11"]
        lines = [f"{name} = {module}" for name, module in entries.items()]
        (metadata / "entry_points.txt").write_text("\n".join(["[pytest11]", *lines]))
        return site

    def write(self, **files: str) -> None:
        """Put modules there, by their names without ``.py``."""
        for name, text in files.items():
            (self.folder / f"{name}.py").write_text(text)

    def run(self, *options: str) -> pytest.RunResult:
        """Run pytest in a process of its own, with every warning an error."""
        return self.pytester.runpytest_subprocess(
            "-p", "no:cacheprovider", "-p", "no:xdist", "-W", "error", *options
        )

"""Install the package, its extras and what tests need: the lowest of what it supports.

Run by a Python of a virtual environment that is for nothing else.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

from bounds import declared
from bounds import inherited
from bounds import ROOT

#: The tests themselves are written for these: they read the two streams of click's
#: runner apart, and pytest shortens the names of tests, which have to be the same in
#: all its processes.
NEWEST = {"click", "pytest"}


def install(pins: dict[str, str]) -> None:
    """Install everything, with these versions."""
    constraints = Path(sys.prefix, "constraints.txt")
    lines = (f"{n}=={v}\n" for n, v in sorted(pins.items()) if n not in NEWEST)
    constraints.write_text("".join(lines))
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    package = f".[{','.join(extras['optional-dependencies'])}]"
    command = [sys.executable, "-m", "pip", "install", "-q", "-c", str(constraints)]
    command += ["--editable", package, "--group", "tests"]
    subprocess.run(command, check=True, cwd=ROOT)


if __name__ == "__main__":
    pins = declared()
    install(pins)
    # What these need can be read now that they are here.
    install(inherited(["flask", "httpx"]) | pins)

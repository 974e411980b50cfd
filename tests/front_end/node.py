"""Node, and the packages that pages load: what the tests of front ends run."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
NODE_MODULES = HERE / "node_modules"
NODE = shutil.which("node")

needs_packages = pytest.mark.skipif(
    not (NODE_MODULES / ".stamp").exists(),
    reason="missing: the packages of tests/front_end (apt-get install npm; make test)",
)
needs_node = pytest.mark.skipif(
    not NODE, reason="missing: node (apt-get install nodejs npm; make test)"
)


@contextmanager
def script(name: str) -> Iterator[Callable[[Any], Any]]:
    """Run a script of this folder while the context lasts.

    Yields a function that has it answer a line of JSON by another one.
    """
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [str(NODE), str(HERE / name)], stdin=pipe, stdout=pipe, encoding="utf-8"
    ) as process:

        def ask(question: Any) -> Any:
            assert process.stdin
            assert process.stdout
            # JSON has no infinity, but numbers that are one to whoever reads them.
            line = json.dumps(question).replace("Infinity", "1e999")
            process.stdin.write(f"{line}\n")
            process.stdin.flush()
            answer = process.stdout.readline()
            assert answer, f"{name} has ended"
            return json.loads(answer)

        yield ask

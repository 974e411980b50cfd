"""The examples' scripts, as modules."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


@contextmanager
def loaded(folder: Path) -> Iterator[Any]:
    """The script ``app.py`` of an example, which finds its neighbours as scripts do.

    Afterwards they are forgotten: others have neighbours of the same names.
    """
    name = f"{folder.name}_app"
    spec = importlib.util.spec_from_file_location(name, folder / "app.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        yield module
        for other, neighbour in list(sys.modules.items()):
            if folder in Path(getattr(neighbour, "__file__", None) or "/").parents:
                del sys.modules[other]

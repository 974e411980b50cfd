"""Which routes may be unguarded: ``[tool.flask-stepup]`` of a ``pyproject.toml``."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ..errors import ConfigurationError

_TABLE = "[tool.flask-stepup]"
_KEYS = ["unguarded"]


@dataclass(frozen=True, slots=True)
class AllowList:
    """Endpoints that may be unguarded.

    :param entries: endpoints, in which ``*`` stands for any text.
    :param path: of the file; None where there is none.
    """

    entries: tuple[str, ...] = ()
    path: Path | None = None

    def allows(self, endpoint: str) -> bool:
        """Whether the endpoint may be unguarded."""
        return any(fnmatchcase(endpoint, entry) for entry in self.entries)

    def stale(self, endpoints: Iterable[str]) -> list[str]:
        """Return the entries that none of these needs: they would let later ones pass.

        :param endpoints: that are unguarded, and may not be without an entry.
        """
        needed = set(endpoints)
        return [
            entry
            for entry in self.entries
            if not any(fnmatchcase(endpoint, entry) for endpoint in needed)
        ]


def find_allow_list() -> AllowList:
    """Return the list of the nearest file with our table, from this folder upward.

    :raises ConfigurationError: one on the way cannot be read.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        # As people would name it who are here.
        path = Path(os.path.relpath(folder / "pyproject.toml", here))
        if path.is_file():
            table = _table(path)
            if table is not None:
                return AllowList(_entries(table, path), path)
    return AllowList()


def read_allow_list(path: Path) -> AllowList:
    """Return the list of a file that is named.

    :raises ConfigurationError: it cannot be read, or has no such table.
    """
    table = _table(path)
    if table is None:
        raise ConfigurationError(f"{path} has no table {_TABLE}: add it")
    return AllowList(_entries(table, path), path)


def _table(path: Path) -> Any:
    try:
        data: Any = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigurationError(f"{path} cannot be read: {reason}") from None
    tool = data.get("tool", {})
    return tool.get("flask-stepup") if isinstance(tool, dict) else None


def _entries(table: Any, path: Path) -> tuple[str, ...]:
    if not isinstance(table, dict):
        raise ConfigurationError(f"{path}: tool.flask-stepup must be a table, {_TABLE}")
    for key in table:
        if key not in _KEYS:
            near = get_close_matches(key, _KEYS, n=1, cutoff=0)
            raise ConfigurationError(
                f"{path}: {_TABLE} knows no {key!r}; did you mean {near[0]!r}?"
            )
    entries = table.get("unguarded", [])
    if not isinstance(entries, list) or not all(
        isinstance(entry, str) and entry.strip() for entry in entries
    ):
        raise ConfigurationError(
            f'{path}: unguarded must be a list of endpoints: ["sign_in", "auth.*"]'
        )
    return tuple(entries)

"""From ``STEPUP_STORAGE_URI`` to an open ledger."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import ConfigurationError
from .protocol import Ledger
from .sqlite import SQLiteLedger


def open_ledger(uri: str, timeout: float, folder: str) -> Ledger:
    """Open the ledger that the URI names, and prove that it can be written.

    :param uri: ``sqlite:///file``, relative to ``folder``, ``sqlite:////full/path``,
        or ``memory://``.
    :param timeout: seconds that one step may take.
    :raises ConfigurationError: the URI is not one of these, or the ledger cannot be
        opened or written.
    """
    scheme, separator, rest = uri.partition("://")
    if separator and scheme == "memory" and not rest:
        return SQLiteLedger(None, timeout)
    # No file is meant that is called ":memory:" or has a query in its name.
    is_path = re.fullmatch(r"/[^?:]+", rest) and rest.isprintable()
    if separator and scheme == "sqlite" and is_path:
        return SQLiteLedger(Path(folder, rest[1:]), timeout)
    # Whatever it is may hold a password, so it is not shown.
    raise ConfigurationError(
        "STEPUP_STORAGE_URI names no ledger that is known: "
        "use 'sqlite:///file.db' (relative to the instance folder), "
        "'sqlite:////full/path.db', or 'memory://' for tests"
    )

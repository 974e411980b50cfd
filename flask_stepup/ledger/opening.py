"""From ``STEPUP_STORAGE_URI`` to an open ledger."""

from __future__ import annotations

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
    if separator and scheme == "sqlite" and rest.startswith("/") and rest != "/":
        return SQLiteLedger(Path(folder, rest[1:]), timeout)
    raise ConfigurationError(
        f"STEPUP_STORAGE_URI has the form {scheme + '://…' if separator else '…'!r}: "
        "use 'sqlite:///file.db' (relative to the instance folder), "
        "'sqlite:////full/path.db', or 'memory://' for tests"
    )

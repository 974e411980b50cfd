"""From ``STEPUP_STORAGE_URI`` to an open ledger."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import ConfigurationError
from .protocol import Ledger

#: Schemes of Redis and Valkey.
_SERVERS = ("redis", "rediss", "valkey", "unix")


def open_ledger(
    uri: str, timeout: float, folder: str, app_name: str, *, leeway: float = 0.0
) -> Ledger:
    """Open the ledger that the URI names, and prove that it can be written.

    :param uri: ``sqlite:///file``, relative to ``folder``, ``sqlite:////full/path``,
        ``redis://``, ``rediss://``, ``valkey://`` or ``unix://`` with a server's
        address, or ``memory://``.
    :param timeout: seconds that one step may take.
    :param app_name: begins the keys of this app on a server that others use too.
    :param leeway: seconds that clocks may disagree.
    :raises ConfigurationError: the URI is not one of these, or the ledger cannot be
        opened or written.
    """
    scheme, separator, rest = uri.partition("://")
    if separator and scheme == "memory" and not rest:
        return _in_sqlite(None, timeout, leeway)
    # No file is meant that is called ":memory:" or has a query in its name.
    is_path = re.fullmatch(r"/[^?:]+", rest) and rest.isprintable()
    if scheme == "sqlite" and is_path:
        return _in_sqlite(Path(folder, rest[1:]), timeout, leeway)
    if separator and scheme in _SERVERS:
        return _on_server(uri, timeout, app_name)
    # Whatever it is may hold a password, so it is not shown.
    raise ConfigurationError(
        "STEPUP_STORAGE_URI names no ledger that is known: "
        "use 'sqlite:///file.db' (relative to the instance folder), "
        "'sqlite:////full/path.db', 'redis://host:6379/0' (or rediss://, valkey://, "
        "unix:///path/to/socket), or 'memory://' for tests"
    )


# Each kind is imported when it is wanted: the others are code that nobody runs.
def _in_sqlite(path: Path | None, timeout: float, leeway: float) -> Ledger:
    from .sqlite import SQLiteLedger

    return SQLiteLedger(path, timeout, leeway=leeway)


def _on_server(uri: str, timeout: float, app_name: str) -> Ledger:
    try:
        from .redis import Address
        from .redis import RedisLedger
    except ImportError:
        raise ConfigurationError(
            "STEPUP_STORAGE_URI names a Redis or Valkey server, which needs redis-py: "
            "run pip install 'flask-stepup[redis]'"
        ) from None
    return RedisLedger(Address.parse(uri, app_name), timeout)

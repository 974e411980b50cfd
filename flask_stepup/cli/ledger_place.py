"""Where an app's ledger is, as far as one may say so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask

from ..gate import Gate


@dataclass(frozen=True, slots=True)
class LedgerPlace:
    """What ``STEPUP_STORAGE_URI`` names.

    :param name: for people: without user and password.
    :param file: of SQLite.
    :param host: of a server that is reached over the network.
    """

    name: str
    file: Path | None = None
    host: str | None = None
    is_encrypted: bool = False
    has_password: bool = False

    @property
    def is_private(self) -> bool:
        """Whether it lives in the memory of one process."""
        return self.name == "memory://"


def ledger_place(app: Flask, gate: Gate) -> LedgerPlace:
    """Return where the ledger of an app is, which has been opened already."""
    uri = gate.settings.storage_uri
    scheme, _, rest = uri.partition("://")
    if scheme == "memory":
        return LedgerPlace("memory://")
    if scheme == "sqlite":
        file = Path(app.instance_path, rest[1:])
        return LedgerPlace(_from_here(file), file)
    # It was read when the ledger was opened, so redis-py is here.
    from ..ledger.redis import Address

    address = Address.parse(uri, app.name)
    name = f"{address.name}, prefix {address.prefix}"
    if address.is_socket:
        return LedgerPlace(name)
    return LedgerPlace(
        name,
        host=urlsplit(uri).hostname,
        is_encrypted=address.tls is not None,
        has_password="password" in address.options,
    )


def _from_here(path: Path) -> str:
    """A path as people would type it who are in this folder."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)

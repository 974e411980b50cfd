"""Where a Redis or Valkey server is, read from ``STEPUP_STORAGE_URI``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from dataclasses import field
from typing import Any
from urllib.parse import parse_qsl
from urllib.parse import SplitResult
from urllib.parse import unquote
from urllib.parse import urlsplit

from ...errors import ConfigurationError

#: Schemes, and whether each is over TLS.
SCHEMES = {"redis": False, "rediss": True, "valkey": False, "unix": False}
PORT = 6_379

#: What a query may hold for TLS, by redis-py's names.
_TLS_OPTIONS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_PREFIX = re.compile(r"[A-Za-z0-9_.:-]{1,100}")


@dataclass(frozen=True, slots=True)
class Address:
    """A database of a server, and the part of it that is the ledger.

    :param name: for messages: without credentials.
    :param prefix: begins all keys.
    :param options: for redis-py's connections.
    :param tls: files of certificates, where it is reached over TLS.
    """

    name: str
    prefix: str
    options: dict[str, Any] = field(repr=False)
    tls: dict[str, str] | None

    @property
    def is_socket(self) -> bool:
        """Whether it is a socket of this machine's file system."""
        return "path" in self.options

    @classmethod
    def parse(cls, uri: str, app_name: str) -> Address:
        """Read ``scheme://[[user]:password@]host[:port][/db][?prefix=name]``.

        :param app_name: the prefix where the URI names none.
        :raises ConfigurationError: it is not written like that.
        """
        try:
            if not uri.isprintable():
                # What is split loses its line breaks.
                raise ValueError
            parts = urlsplit(uri)
            query = _query(parts)
            options = _place(parts) | _credentials(parts)
            if "db" in query:
                options["db"] = _database(query.pop("db"))
        except ConfigurationError:
            raise
        except ValueError:
            raise _no_address("host, port or database cannot be read") from None
        prefix = query.pop("prefix", app_name)
        if not _PREFIX.fullmatch(prefix):
            raise _no_address(
                "add ?prefix=… with up to 100 letters, digits and any of _.:- , with "
                "which all keys of this app begin (its own name cannot be used)"
            )
        is_tls = SCHEMES[parts.scheme]
        if set(query) - set(_TLS_OPTIONS if is_tls else ()):
            raise _no_address(
                "its query may hold prefix and db, and with rediss:// "
                + ", ".join(_TLS_OPTIONS)
            )
        place = options.get("path") or f"{options['host']}:{options['port']}"
        name = f"{parts.scheme}://{place} (database {options.get('db', 0)})"
        return cls(name, prefix, options, query if is_tls else None)


def _place(parts: SplitResult) -> dict[str, Any]:
    if parts.fragment:
        raise ValueError
    if parts.scheme == "unix":
        if parts.hostname or not parts.path.startswith("/") or parts.path == "/":
            raise _no_address("a socket is named like unix:///run/valkey.sock")
        return {"path": unquote(parts.path)}
    if not parts.hostname:
        raise _no_address("it names no host")
    database = _database(parts.path[1:] or "0")
    return {"host": parts.hostname, "port": parts.port or PORT, "db": database}


def _credentials(parts: SplitResult) -> dict[str, str]:
    given = {"username": parts.username, "password": parts.password}
    return {name: unquote(text) for name, text in given.items() if text}


def _database(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", text):
        raise ValueError
    return int(text)


def _query(parts: SplitResult) -> dict[str, str]:
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    query = dict(pairs)
    if len(query) < len(pairs) or "" in query.values():
        raise _no_address("its query names something twice, or without a value")
    return query


def _no_address(what: str) -> ConfigurationError:
    # Never with the URI, which may hold a password.
    return ConfigurationError(
        f"STEPUP_STORAGE_URI names no Redis or Valkey server: {what}. Write, for "
        "example, 'redis://:password@host:6379/0', 'rediss://…', 'valkey://…' or "
        "'unix:///path/to/socket?db=0'; in a password write %3A for a colon, %2F for a "
        "slash and %40 for an at sign"
    )

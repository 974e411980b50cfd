"""Addresses of servers: what is read of them, and what is never shown."""

from __future__ import annotations

from typing import Any

import pytest

from flask_stepup.errors import ConfigurationError
from flask_stepup.ledger import open_ledger
from flask_stepup.ledger.redis.address import Address

READ: dict[str, tuple[str, str, dict[str, Any], dict[str, str] | None]] = {
    "redis://ledger": (
        "redis://ledger:6379 (database 0)",
        "bank",
        {"host": "ledger", "port": 6379, "db": 0},
        None,
    ),
    "valkey://[::1]:7000/3?prefix=b.a-n_k:1": (
        "valkey://::1:7000 (database 3)",
        "b.a-n_k:1",
        {"host": "::1", "port": 7000, "db": 3},
        None,
    ),
    "redis://me:p%40ss%2F%3A@ledger:1/?db=15": (
        "redis://ledger:1 (database 15)",
        "bank",
        {"host": "ledger", "port": 1, "db": 15, "username": "me", "password": "p@ss/:"},
        None,
    ),
    "redis://:s3cret@ledger": (
        "redis://ledger:6379 (database 0)",
        "bank",
        {"host": "ledger", "port": 6379, "db": 0, "password": "s3cret"},
        None,
    ),
    "rediss://ledger": (
        "rediss://ledger:6379 (database 0)",
        "bank",
        {"host": "ledger", "port": 6379, "db": 0},
        {},
    ),
    "rediss://ledger?ssl_ca_certs=/a&ssl_certfile=/b&ssl_keyfile=/c&db=1": (
        "rediss://ledger:6379 (database 1)",
        "bank",
        {"host": "ledger", "port": 6379, "db": 1},
        {"ssl_ca_certs": "/a", "ssl_certfile": "/b", "ssl_keyfile": "/c"},
    ),
    "unix:///run/led%20ger.sock": (
        "unix:///run/led ger.sock (database 0)",
        "bank",
        {"path": "/run/led ger.sock"},
        None,
    ),
}


@pytest.mark.parametrize(("uri", "expected"), READ.items(), ids=READ)
def test_an_address_is_read(uri: str, expected: tuple[Any, ...]) -> None:
    """Place, database, credentials, prefix and files, and a name without secrets."""
    address = Address.parse(uri, "bank")
    assert (address.name, address.prefix, address.options, address.tls) == expected
    assert address.is_socket is uri.startswith("unix")


def test_nothing_that_is_shown_has_a_password() -> None:
    """Neither its name nor how it looks in a debugger."""
    address = Address.parse("redis://me:s3cret@ledger", "bank")
    assert "s3cret" not in f"{address!r} {address.name}"


@pytest.mark.parametrize(
    "uri", ["redis", "rediss", "unix", "sqlite", "redis:", "x://redis://ledger"]
)
def test_a_scheme_alone_leads_nowhere(uri: str) -> None:
    """Nor does one that comes second."""
    with pytest.raises(ConfigurationError, match="names no ledger that is known"):
        open_ledger(uri, 1.0, "/nowhere", "bank")

"""Addresses of servers: what is read of them, and what is never shown."""

from __future__ import annotations

from typing import Any

import pytest

from flask_stepup.errors import ConfigurationError
from flask_stepup.ledger import open_ledger
from flask_stepup.ledger.redis.address import Address

NO_ADDRESS = "STEPUP_STORAGE_URI names no Redis or Valkey server"

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


@pytest.mark.parametrize(
    "rest",
    ["", "/", "host:port", "host:99999", "host/x", "host/-1", "host/1/2", "host#x",
     "host?x", "host?x=1", "host?socket_timeout=9", "host?prefix=", "host?prefix",
     "host?prefix=a&prefix=b", "host?prefix=a b", "host?prefix={a}", "host?db=x",
     "host?db=", "host?ssl_cert_reqs=none", "[host", "host?ssl_ca_certs=/x", "ho\nst",
     "host/10000", "host?x=://"],
)  # fmt: skip
@pytest.mark.parametrize("scheme", ["redis", "valkey"])
def test_an_address_that_is_none_is_refused(scheme: str, rest: str) -> None:
    """With how to write one, and without what was written."""
    with pytest.raises(ConfigurationError, match=NO_ADDRESS) as refusal:
        open_ledger(f"{scheme}://:s3cret@{rest}", 1.0, "/nowhere", "bank")
    assert "s3cret" not in str(refusal.value)
    assert "redis://" in str(refusal.value)


@pytest.mark.parametrize(
    "query", ["ssl_cert_reqs=none", "ssl_ca_certs=", "ssl_ca_certs", "x=1"]
)
def test_no_other_trust_is_taken_than_what_is_named(query: str) -> None:
    """Files of certificates can be named, and nothing else of TLS be changed."""
    with pytest.raises(ConfigurationError, match=NO_ADDRESS) as refusal:
        Address.parse(f"rediss://host?{query}", "bank")
    is_name_known = query.startswith("ssl_ca_certs")
    assert ("ssl_certfile, ssl_keyfile" in str(refusal.value)) is not is_name_known


@pytest.mark.parametrize(
    "uri", ["unix://", "unix:///", "unix://run/s", "unix:///s#x", "unix://?db=0"]
)
def test_a_socket_that_is_none_is_refused(uri: str) -> None:
    """It is named by its whole path."""
    with pytest.raises(ConfigurationError, match=NO_ADDRESS) as refusal:
        open_ledger(uri, 1.0, "/nowhere", "bank")
    assert "unix:///" in str(refusal.value)


@pytest.mark.parametrize("prefix", ["", "a b", "a}b", "bänk", "x" * 101])
def test_a_name_that_is_no_prefix_is_refused(prefix: str) -> None:
    """The app is asked for one, and nothing is made of a name that is not."""
    with pytest.raises(ConfigurationError, match=r"prefix="):
        Address.parse("redis://host", prefix)
    assert Address.parse("redis://host?prefix=bank", prefix).prefix == "bank"
    assert Address.parse("redis://host", "x" * 100).prefix == "x" * 100


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

"""What the wrapper can work with, checked when it is made and not when it is used."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import httpx

from ..errors import ConfigurationError


def checked_url(url: object) -> str:
    """Return the URL without its last slash.

    :raises ConfigurationError: not an absolute ``https`` URL (or ``http`` on this
        machine), or one with credentials, query or fragment.
    """
    if not isinstance(url, str):
        raise ConfigurationError(f"{_NAME} must be text, not {type(url).__name__}")
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
        # What the resolver will make of the host, with every call.
        httpx.URL(url).raw_host.decode("ascii").encode("idna")
    except (ValueError, httpx.InvalidURL):
        raise ConfigurationError(
            f"{_NAME} is not a URL that can work: look at its host and port"
        ) from None
    if parts.scheme not in ("https", "http") or not host or not url.isprintable():
        raise ConfigurationError(
            f"{_NAME} must be an absolute URL such as 'https://api.clerk.com/v1'"
        )
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigurationError(
            f"{_NAME} is plain http to {host!r}, which would show the secret key and "
            "every code to the network: use https (http is for this machine only)"
        )
    if "@" in parts.netloc or set(url) & set("?# \\"):
        raise ConfigurationError(
            f"{_NAME} must be scheme, host and path alone, without credentials, query "
            "or fragment"
        )
    return url.rstrip("/")


def checked_key(key: object) -> str:
    """Return the key.

    :raises ConfigurationError: it could not be sent in a header.
    """
    if not isinstance(key, str) or not key.isascii() or not key.isprintable():
        raise ConfigurationError(f"{_KEY} must be plain ASCII text")
    if not key or " " in key:
        raise ConfigurationError(
            f"{_KEY} is empty or has a space in it: copy it whole from the API keys "
            "page of the Clerk dashboard"
        )
    if key.startswith("pk_"):
        raise ConfigurationError(
            f"{_KEY} is the publishable key: use the secret one (sk_…)"
        )
    return key


def checked_timeout(seconds: object) -> float:
    """Return the seconds.

    :raises ConfigurationError: not a number above 0 and at most 60.
    """
    if (
        isinstance(seconds, bool)
        or not isinstance(seconds, int | float)
        or not 0 < seconds <= 60
    ):
        raise ConfigurationError(
            f"STEPUP_CLERK_TIMEOUT={seconds!r} must be seconds, above 0 and at most 60"
        )
    return float(seconds)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, under a name that nobody else can give away."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


_NAME = "STEPUP_CLERK_API_URL (base_url)"
_KEY = "STEPUP_CLERK_SECRET_KEY (or CLERK_SECRET_KEY)"

"""The secret key of a sandbox and the names of its keys, in the shapes of Clerk's."""

from __future__ import annotations

import re
import secrets
from string import ascii_letters
from string import digits

from ..errors import ConfigurationError


def new_secret_key() -> str:
    """Return a key such as Clerk gives to a development instance."""
    return f"sk_test_{_base62(40)}"


def new_key_id() -> str:
    """Return the id of a signing key, for which Clerk takes the id of the instance."""
    return f"ins_{_base62(27)}"


def checked_secret_key(secret_key: str) -> str:
    """Return a key that a sandbox may have, and never tell one that it may not.

    :raises ConfigurationError: it is a live key, or no key at all.
    """
    if re.fullmatch("sk_test_[!-~]+", secret_key):
        return secret_key
    if secret_key.startswith("sk_live_"):
        raise ConfigurationError(
            "a live key must never be given to a sandbox: leave the key out, and one "
            "is made"
        )
    raise ConfigurationError(
        "the key of a sandbox starts with sk_test_ and has no spaces: leave it out, "
        "and one is made"
    )


def _base62(length: int) -> str:
    return "".join(secrets.choice(ascii_letters + digits) for _ in range(length))

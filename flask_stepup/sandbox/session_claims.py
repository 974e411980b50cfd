"""What a session token of Clerk says.

https://clerk.com/docs/guides/sessions/session-tokens
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from ..errors import ConfigurationError

#: At Clerk this is the address of the instance's Frontend API.
ISSUER = "http://clerk.sandbox"
#: Seconds by which Clerk lets a token be good before it was issued.
HEAD_START = 10


def session_claims(
    user_id: str,
    session_id: str,
    factor_ages: Sequence[int] | None,
    authorized_party: str | None,
    lifetime: int,
    others: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the claims of version 2; see :meth:`Sandbox.session_token`.

    :raises ConfigurationError: a value is none that Clerk could have put there.
    """
    _check(user_id, session_id, factor_ages, authorized_party, lifetime)
    issued = _issued(others.get("iat"))
    claims = {
        "azp": authorized_party,
        "exp": issued + lifetime,
        "fva": None if factor_ages is None else list(factor_ages),
        "iat": issued,
        "iss": ISSUER,
        "jti": secrets.token_hex(10),
        "nbf": issued - HEAD_START,
        "sid": session_id,
        "sts": "active",
        "sub": user_id,
        "v": 2,
        **others,
    }
    return {name: value for name, value in claims.items() if value is not None}


def _issued(given: object) -> float:
    """Return the Unix seconds that ``nbf`` and ``exp`` are reckoned from."""
    if isinstance(given, int | float) and not isinstance(given, bool):
        return given
    return int(time.time())


def _check(
    user_id: object,
    session_id: object,
    factor_ages: object,
    authorized_party: object,
    lifetime: object,
) -> None:
    ages = "two whole minutes, the first factor's first, and -1 where there is none"
    party = "one origin, such as 'https://example.com'"
    for name, claim, fits, wanted in (
        ("user_id", "sub", _is_text(user_id), "text"),
        ("session_id", "sid", _is_text(session_id), "text"),
        ("factor_ages", "fva", _are_ages(factor_ages), ages),
        ("authorized_party", "azp", _is_text_or_none(authorized_party), party),
        ("lifetime", "exp", type(lifetime) is int, "a whole number of seconds"),
    ):
        if not fits:
            raise ConfigurationError(
                f"the {name} of a session token is {wanted}: for any other claim, add "
                f"{claim}=… as it is to be"
            )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_text_or_none(value: object) -> bool:
    return value is None or _is_text(value)


def _are_ages(value: object) -> bool:
    if value is None:
        return True
    return (
        isinstance(value, Sequence)
        and len(value) == 2
        and all(type(age) is int and age >= -1 for age in value)
    )

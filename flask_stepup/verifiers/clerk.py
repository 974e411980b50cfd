"""Clerk's backend API as a verifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from ..verification import Verification

if TYPE_CHECKING:
    from ..clerk import ClerkBackendAPI


class ClerkVerifier:
    """Asks Clerk's backend API."""

    def __init__(self, api: ClerkBackendAPI) -> None:
        self._api = api

    def verify(self, user_id: str, code: str) -> Verification:
        """See :meth:`ClerkBackendAPI.verify_totp`."""
        return self._api.verify_totp(user_id, code)


def clerk_verifier(api: ClerkBackendAPI | None) -> ClerkVerifier:
    """Return Clerk as a verifier.

    :raises ConfigurationError: there is no key for its backend API.
    """
    if api is None:
        raise ConfigurationError(
            "nothing can check codes: set STEPUP_CLERK_SECRET_KEY (or CLERK_SECRET_KEY "
            "in the environment), pass verifier= to StepUp, or register one with "
            "@stepup.verifier before init_app"
        )
    return ClerkVerifier(api)

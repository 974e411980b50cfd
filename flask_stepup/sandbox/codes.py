"""Which codes of a sandbox's people are right, and which were spent already."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from threading import Lock

from ..errors import ConfigurationError
from .answers import ErrorAnswer
from .users import SandboxUser


class Codes:
    """The codes of some users, each with an id of its own.

    :raises ConfigurationError: an id is there twice, a secret cannot work, or pyotp
        is missing.
    """

    def __init__(self, users: Iterable[SandboxUser]) -> None:
        self._users = _by_id(users)
        self._unspent = {u.user_id: set(u.backup_codes) for u in self._users.values()}
        self._spending = Lock()

    def check(self, user_id: str, code: str) -> str:
        """Return the ``code_type`` of a right code; a backup code is spent by this.

        :raises ErrorAnswer: the code is wrong, or the user has no authenticator.
        """
        user = self._enrolled(user_id)
        if user.shows(code):
            return "totp"
        if self._spend(user_id, code):
            return "backup_code"
        raise ErrorAnswer(
            422,
            "totp_incorrect_code",
            "incorrect TOTP",
            "The provided TOTP code is incorrect",
        )

    def _enrolled(self, user_id: str) -> SandboxUser:
        user = self._users.get(user_id)
        if user is None:
            raise ErrorAnswer(
                404,
                "resource_not_found",
                "not found",
                f"No user was found with id {user_id}",
            )
        if user.totp_secret is None:
            raise ErrorAnswer(
                400,
                "totp_disabled",
                "TOTP is disabled",
                "This user does not have TOTP enabled in their account",
            )
        return user

    def _spend(self, user_id: str, code: str) -> bool:
        """Whether this was an unspent backup code; it is spent now."""
        sent = _encoded(code)
        with self._spending:
            unspent = self._unspent[user_id]
            found = {c for c in unspent if hmac.compare_digest(_encoded(c), sent)}
            unspent -= found
        return bool(found)


def _encoded(code: str) -> bytes:
    # JSON can hold lone surrogates, which plain UTF-8 cannot.
    return code.encode(errors="surrogatepass")


def _by_id(users: Iterable[SandboxUser]) -> dict[str, SandboxUser]:
    found: dict[str, SandboxUser] = {}
    for user in users:
        if user.user_id in found:
            raise ConfigurationError(
                f"two users of the sandbox have the id {user.user_id!r}: each needs "
                "one of its own"
            )
        if user.totp_secret is not None:
            user.current_code()  # a bad secret is told now, not when it is asked
        found[user.user_id] = user
    return found

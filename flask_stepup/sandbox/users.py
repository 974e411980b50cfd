"""The people of a sandbox, and what their authenticators show."""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass
from dataclasses import field
from types import ModuleType
from typing import TYPE_CHECKING

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from pyotp import TOTP

ISSUER = "flask-stepup"
#: Seconds that a code is shown (RFC 6238, 5.2).
STEP = 30
#: Steps before and after the current one whose codes are taken too.
STEPS_ASIDE = 1

# Nothing that can be taken for something else when it is typed from a screen.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


@dataclass(frozen=True, slots=True)
class SandboxUser:
    """Somebody whom a sandbox knows.

    :param user_id: as the app's ``subject_loader`` gives it.
    :param name: for people; the API does not tell it.
    :param totp_secret: base32 (``pyotp.random_base32()`` makes one); None for a user
        without an authenticator.
    :param backup_codes: each is good once in one sandbox.
    """

    user_id: str
    name: str
    totp_secret: str | None = field(default=None, repr=False)
    backup_codes: tuple[str, ...] = field(default=(), repr=False)

    @property
    def otpauth_uri(self) -> str:
        """What the QR code of an enrolment says, for authenticator apps.

        :raises ConfigurationError: the user has no authenticator.
        """
        return self._totp.provisioning_uri(name=self.name, issuer_name=ISSUER)

    def current_code(self, step: int = 0) -> str:
        """Return the six digits that the authenticator shows.

        :param step: 1 for the next code, -1 for the one before.
        :raises ConfigurationError: the user has no authenticator.
        """
        return self._totp.at(time.time(), counter_offset=step)

    def shows(self, code: str) -> bool:
        """Whether the authenticator shows this code, give or take a step."""
        # pyotp takes digits of any script; Clerk is not known to.
        if not re.fullmatch("[0-9]{6}", code):
            return False
        return self._totp.verify(code, valid_window=STEPS_ASIDE)

    @property
    def _totp(self) -> TOTP:
        # Six digits, SHA-1 and 30 s are what Clerk issues, and pyotp's defaults.
        if self.totp_secret is None:
            raise ConfigurationError(
                f"{self.name} has no authenticator: give the SandboxUser a totp_secret"
            )
        pyotp = _pyotp()
        try:
            totp: TOTP = pyotp.TOTP(self.totp_secret)
        except ValueError:
            raise ConfigurationError(
                f"the totp_secret of {self.name} is not base32 of at least 112 bits: "
                "make one with pyotp.random_base32()"
            ) from None
        return totp


def demo_users() -> tuple[SandboxUser, SandboxUser, SandboxUser]:
    """Return Alice and Bob, with new secrets, and Carol, who has no authenticator.

    The user ids are the same every time, so that an app may be written for them.

    :raises ConfigurationError: pyotp is missing.
    """
    return _enrolled("Alice"), _enrolled("Bob"), SandboxUser(_user_id("Carol"), "Carol")


def _enrolled(name: str) -> SandboxUser:
    return SandboxUser(
        user_id=_user_id(name),
        name=name,
        totp_secret=_pyotp().random_base32(),
        backup_codes=tuple(_backup_code() for _ in range(10)),
    )


def _user_id(name: str) -> str:
    # The shape of Clerk's own: 27 characters of base62 after the prefix.
    return f"user_{'2' + name:0<27}"


def _backup_code() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(8))


def _pyotp() -> ModuleType:
    try:
        import pyotp
    except ImportError:
        raise ConfigurationError(
            "the sandbox needs pyotp: run pip install 'flask-stepup[sandbox]'"
        ) from None
    return pyotp

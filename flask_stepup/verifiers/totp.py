"""Codes of authenticator apps, checked with secrets that the app keeps itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from inspect import iscoroutinefunction
from types import ModuleType
from typing import Any

from ..errors import ConfigurationError
from ..errors import IncorrectCode
from ..errors import NotEnrolled
from ..errors import VerifierError
from ..errors import VerifierFault
from ..errors import VerifierMisconfigured
from ..errors import VerifierUnavailable
from ..verification import Verification

#: Seconds that a code is shown (RFC 6238, 5.2).
STEP = 30
#: Steps back that are taken too, since a person types, and a phone's clock may be
#: behind. RFC 6238 (5.2) recommends one at most. A step to come is never taken.
STEPS_BACK = 1


class TOTPVerifier:
    """Checks TOTP codes (RFC 6238: SHA-1, six digits, 30 s), as every app shows them.

    A code is taken while it is shown and for one step afterwards. That it opens once
    is for the ledger to remember, as with every verifier.

    :param secret_loader: ``(user_id) -> str | None``: the secret as base32, of 112
        bits or more (``pyotp.random_base32()`` makes one of 160); None for a user who
        has no authenticator. What it raises counts as an outage, and uses up no
        attempt.
    :param consume_backup_code: ``(user_id, code) -> bool``: spends a backup code, so
        that of two calls at once one returns True, and tells whether it was one. It
        gets the code as it was typed, but for surrounding space. Whatever else than
        True and False it returns, or raises, is a fault, and uses up an attempt.
    :raises ConfigurationError: one of these cannot be called, or pyotp is missing.
    """

    def __init__(
        self,
        secret_loader: Callable[[str], str | None],
        consume_backup_code: Callable[[str, str], bool] | None = None,
    ) -> None:
        self._secret_loader = _checked(secret_loader, "secret_loader", "(user_id)")
        self._consume_backup_code = consume_backup_code and _checked(
            consume_backup_code, "consume_backup_code", "(user_id, code)"
        )
        self._pyotp = _pyotp()

    def verify(self, user_id: str, code: str) -> Verification:
        """Return the verification of a right code; a backup code is spent by this.

        :raises IncorrectCode: the code is neither.
        :raises NotEnrolled: the user has no secret.
        :raises VerifierUnavailable: the secret cannot be loaded just now.
        :raises VerifierMisconfigured: what was loaded is no secret.
        """
        secret = self._secret(user_id)
        if self._is_shown(secret, code):
            return Verification("totp")
        if self._is_backup_code(user_id, code):
            return Verification("backup_code")
        raise IncorrectCode

    def _secret(self, user_id: str) -> str:
        try:
            secret: str | None = self._secret_loader(user_id)
        except VerifierError:
            raise
        except Exception as error:
            # It has not seen the code: what it raises cannot tell anything about it.
            failure = f"the secret_loader raised {type(error).__name__}"
        else:
            if secret is None:
                raise NotEnrolled("the user has no TOTP secret")
            return secret
        # Raised here and not above, where the foreign exception, and with it perhaps
        # a secret, would be kept as its context.
        raise VerifierUnavailable(failure)

    def _totp(self, secret: object) -> Any:
        # pyotp takes some bytes for text, and some not.
        with suppress(Exception):
            return self._pyotp.TOTP(secret) if isinstance(secret, str) else None

    def _is_shown(self, secret: str, code: str) -> bool:
        totp = self._totp(secret)
        if totp is None:
            raise VerifierMisconfigured(
                "what the secret_loader returned is no base32 text of at least 112 "
                "bits: make secrets with pyotp.random_base32(), and return None for a "
                "user without one"
            )
        # pyotp takes digits of any script, and who asks us directly may send such.
        if not code.isascii():
            return False
        now = time.time()
        # All steps, found or not, so that the time it takes tells nothing.
        shown = [
            totp.verify(code, for_time=now - STEP * back)
            for back in range(STEPS_BACK + 1)
        ]
        return any(shown)

    def _is_backup_code(self, user_id: str, code: str) -> bool:
        if self._consume_backup_code is None:
            return False
        # What this raises passes: it may well depend on the code, so it must not be
        # taken for an outage, in which nobody counts attempts.
        was_one = self._consume_backup_code(user_id, code)
        if not isinstance(was_one, bool):
            raise VerifierFault(
                f"consume_backup_code returned {type(was_one).__name__}: it must "
                "return True or False"
            )
        return was_one


def _checked(function: Any, name: str, arguments: str) -> Any:
    if not callable(function) or iscoroutinefunction(function):
        raise ConfigurationError(
            f"{name} must be a plain function {arguments}, not "
            f"{type(function).__name__ if not callable(function) else 'a coroutine'}"
        )
    return function


def _pyotp() -> ModuleType:
    try:
        import pyotp
    except ImportError:
        raise ConfigurationError(
            "TOTPVerifier needs pyotp: run pip install 'flask-stepup[totp]'"
        ) from None
    return pyotp

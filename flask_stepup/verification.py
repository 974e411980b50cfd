"""What a verifier takes and gives: a code as people type it, and a verification."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Protocol
from typing import runtime_checkable

from .errors import CodeMissing

#: bcrypt, under which backends keep backup codes, reads no more bytes than this.
MAX_CODE_BYTES = 72
#: What authenticator apps show (RFC 6238 with six digits, as Clerk issues them).
TOTP_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Verification:
    """A code was right.

    :param code_type: ``"totp"``, ``"backup_code"``, or what a verifier of your own
        calls its codes. Nothing depends on it.
    """

    code_type: str = "totp"


@runtime_checkable
class Verifier(Protocol):
    """Answers "is this code right for this user"."""

    def verify(self, user_id: str, code: str) -> Verification:
        """Return the :class:`Verification` of a right code, and raise otherwise.

        :raises IncorrectCode: the code is wrong.
        :raises NotEnrolled: the user has no second factor.
        :raises VerifierUnavailable: no verdict for now (with ``retry_after``).
        :raises OutcomeUnknown: no verdict, and a one-time code may be spent.
        :raises VerifierMisconfigured: no verdict until a developer acts.
        """
        ...


def read_code(typed: str) -> str:
    """Return the code that a person meant, or refuse what cannot be one.

    Six digits are recognised however they are grouped and in any script
    (``123 456``, ``123-456``, full-width digits). Everything else may be a backup
    code, whose alphabet is the backend's own, and is left as it is but for
    surrounding space.

    :raises CodeMissing: empty, too long, or with characters nobody can type.
    """
    code = typed.strip() if len(typed) <= 4 * MAX_CODE_BYTES else ""
    # Verifiers, pyotp among them, take compatibility forms for the digits they show.
    plain = unicodedata.normalize("NFKC", code)
    digits = "".join(
        str(unicodedata.decimal(char, char))
        for char in plain
        if not _is_between_digits(char)
    )
    if len(digits) == TOTP_DIGITS and digits.isascii() and digits.isdecimal():
        return digits
    if not code or not code.isprintable() or len(code.encode()) > MAX_CODE_BYTES:
        raise CodeMissing("what was entered cannot be a code")
    return code


def folded(code: str) -> str:
    """Return what every spelling of one code has in common.

    Verifiers may pass over case, separators and compatibility forms. What is
    remembered of a used code is therefore none of these.
    """
    plain = unicodedata.normalize("NFKC", code).casefold()
    return "".join(filter(str.isalnum, plain)) or code


def _is_between_digits(char: str) -> bool:
    # Spaces, dashes and invisible marks (of direction, for one): what phones, password
    # managers and habit put between digits and in front of them.
    return char.isspace() or unicodedata.category(char) in ("Zs", "Pd", "Cf")

"""The public key of an instance as people paste it, put back into the form of a PEM."""

from __future__ import annotations

import re

from .errors import ConfigurationError

# One key in its armour (RFC 7468, 2), and the quotes that came along with it.
_ARMOUR = re.compile(
    r"[\s\"'\ufeff]*-----BEGIN ([A-Z0-9 ]+)-----([^-]+)-----END \1-----[\s\"'\ufeff]*"
)
#: What an environment variable or a JSON file makes of the end of a line.
_ESCAPED_NEWLINE = re.compile(r"\\+[rn]")
_LABELS = ("PUBLIC KEY", "RSA PUBLIC KEY")
_MEND = (
    "use the JWKS public key (PEM) from the API keys page of the Clerk dashboard, "
    "whole, with its BEGIN and END lines"
)


def checked_pem(pasted: str) -> str:
    """Return the PEM, in lines again.

    Whether there is a key in it is for the library to say that reads it.

    :raises ConfigurationError: not one public key in its armour.
    """
    armour = _ARMOUR.fullmatch(_ESCAPED_NEWLINE.sub("\n", pasted))
    if "PRIVATE KEY" in pasted:
        raise not_usable("is a private key, which nothing but Clerk should have")
    if "CERTIFICATE" in pasted:
        raise not_usable("is a certificate and not a public key")
    if not armour or armour[1] not in _LABELS:
        raise not_usable("is not one public key in PEM")
    label, body = armour[1], "".join(armour[2].split())
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def not_usable(fault: str) -> ConfigurationError:
    """An error that names the setting, the fault and the mend, and not the value."""
    return ConfigurationError(f"STEPUP_CLERK_JWT_KEY {fault}: {_MEND}")

"""Clerk's JavaScript: where a page loads it from, and what browsers must allow it."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

#: For a page that needs nothing but its own origin.
STRICT = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class ClerkJS:
    """Clerk's JavaScript, as one instance serves it.

    :param publishable_key: ``pk_test_…`` or ``pk_live_…``, which is no secret.
    :param host: of the instance's Frontend API.
    """

    publishable_key: str
    host: str

    @classmethod
    def of(cls, publishable_key: str) -> ClerkJS:
        """Read the host in a key: base64 of ``host$`` after the prefix.

        :raises ValueError: it is no publishable key.
        """
        key = re.fullmatch(r"pk_(?:test|live)_([A-Za-z0-9+/]+)=*", publishable_key)
        text = _decoded(key[1]) if key else ""
        host = re.fullmatch(r"([a-z0-9-]+(?:\.[a-z0-9-]+)+)\$", text)
        if not host:
            raise ValueError(
                "it starts with pk_test_ or pk_live_ and is on the API keys page of "
                "Clerk's dashboard"
            )
        return cls(publishable_key, host[1])

    def url(self, file: str) -> str:
        """Return the address of a file of Clerk's packages, ``name@major/path``."""
        return f"https://{self.host}/npm/@clerk/{file}"

    @property
    def content_security_policy(self) -> str:
        """What https://clerk.com/docs/guides/secure/best-practices/csp-headers asks."""
        captcha = "https://challenges.cloudflare.com"
        return "; ".join(
            (
                STRICT,
                f"script-src 'self' https://{self.host} {captcha}",
                f"connect-src 'self' https://{self.host}",
                "img-src 'self' data: https://img.clerk.com",
                "worker-src 'self' blob:",
                "style-src 'self' 'unsafe-inline'",
                f"frame-src {captcha}",
            )
        )


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(f"{text}==").decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return ""

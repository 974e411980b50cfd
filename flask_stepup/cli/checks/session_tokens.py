"""What tells who is signed in, and where that is Clerk's session token, its key."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ...clerk import is_loopback
from ...clerk import Probe
from ...errors import ConfigurationError
from ...pem import checked_pem
from ...subject import FlaskLogin
from .finding import Finding
from .finding import Findings
from .finding import right
from .finding import risky
from .finding import wrong
from .review import Review


def check_session_tokens(review: Review) -> Findings:
    """Look at what tells who is signed in; nobody is asked."""
    loader = review.loader
    if isinstance(loader, ConfigurationError):
        yield wrong(str(loader))
    elif review.reads_session_tokens:
        yield _key(review)
        yield _parties(review.settings.clerk_authorized_parties)
    elif not isinstance(loader, FlaskLogin):
        yield right("a subject_loader of the app's own tells who is signed in")
    elif hasattr(review.app, "login_manager"):
        yield right("Flask-Login tells who is signed in")
    else:
        yield wrong(
            "nothing tells who is signed in: every guarded request fails",
            "subject_loader= for StepUp, Flask-Login, or STEPUP_CLERK_JWT_KEY for the "
            "session tokens of Clerk",
        )


def _key(review: Review) -> Finding:
    pem, published = review.settings.clerk_jwt_key, review.backend
    if not pem:
        return right("Clerk's session token tells who is signed in; keys are fetched")
    told = "STEPUP_CLERK_JWT_KEY can be read"
    if not isinstance(published, Probe):
        return right(f"{told}; there were no published keys to compare it with")
    if any(is_key_in(pem, key) for key in published.keys):
        return right(f"{told}, and is the key that the backend API publishes")
    return wrong(
        f"{told}, and is of another instance than STEPUP_CLERK_SECRET_KEY: none of the "
        "keys that the backend API publishes. No session token would be taken",
        "copy the JWKS public key (PEM) from the page that has the secret key",
    )


def is_key_in(pem: str, jwk: Mapping[str, Any]) -> bool:
    """Whether a PEM holds the RSA key that a JSON Web Key is.

    In the DER inside of the PEM the modulus stands as it is, and of its 2,048 bits or
    more no other part could be taken for it.
    """
    body = "".join(checked_pem(pem).splitlines()[1:-1])
    modulus = str(jwk.get("n", ""))
    try:
        number = base64.urlsafe_b64decode(modulus + "=" * (-len(modulus) % 4))
        return len(number) >= 256 and number in base64.b64decode(body)
    except ValueError:
        return False


def _parties(parties: tuple[str, ...]) -> Finding:
    if not parties:
        return risky(
            "STEPUP_CLERK_AUTHORIZED_PARTIES is empty: a session token is taken "
            "whichever site of the instance it was made for",
            'STEPUP_CLERK_AUTHORIZED_PARTIES = ["https://app.example.com"]',
        )
    plain = [party for party in parties if _is_plain(party)]
    if plain:
        return risky(
            f"{', '.join(plain)} of STEPUP_CLERK_AUTHORIZED_PARTIES can be anybody on "
            "the way: what goes by http is read and changed",
            "https://",
        )
    return right(f"session tokens are taken from {', '.join(parties)}")


def _is_plain(party: str) -> bool:
    parts = urlsplit(party)
    host = parts.hostname or ""
    is_local = is_loopback(host) or host.endswith(".localhost")
    return parts.scheme == "http" and not is_local

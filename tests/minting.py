"""Session tokens as Clerk mints them, and as it never would."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import closing
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as new_ec
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization import NoEncryption
from cryptography.hazmat.primitives.serialization import PrivateFormat
from cryptography.hazmat.primitives.serialization import PublicFormat
from hostile import answer
from hostile import HostileServer
from jwt.algorithms import ECAlgorithm
from jwt.algorithms import RSAAlgorithm

from flask_stepup.clerk import ClerkBackendAPI
from flask_stepup.clerk import PublishedKeys

SECRET_KEY = "sk_test_0123456789abcdefghij"
USER, SESSION = "user_2abcdefghijklmnopqrstuvwxyz", "sess_2abcdefghijklmnopqrstuvwxyz"
PARTY = "https://bank.example"
#: In place of a claim: leave it out.
ABSENT = object()


class Issuer:
    """A Clerk instance, as far as it signs.

    :param kid: of its key.
    :param private: its key; a new one of 2,048 bits without.
    """

    def __init__(
        self,
        kid: str = "ins_2abcdefghijklmnopqrstuvwxyz",
        private: RSAPrivateKey | EllipticCurvePrivateKey | None = None,
    ) -> None:
        self.kid = kid
        self.private = private or generate_private_key(65_537, 2_048)

    @cached_property
    def pem(self) -> str:
        """The public key as the dashboard shows it."""
        public = self.private.public_key()
        form = PublicFormat.SubjectPublicKeyInfo
        return public.public_bytes(Encoding.PEM, form).decode()

    @cached_property
    def private_pem(self) -> str:
        """The private key, which nobody ever should see."""
        form = PrivateFormat.PKCS8
        private = self.private.private_bytes(Encoding.PEM, form, NoEncryption())
        return private.decode()

    @cached_property
    def jwk(self) -> dict[str, Any]:
        """The public key as the backend API publishes it."""
        if isinstance(self.private, RSAPrivateKey):
            numbers = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
            del numbers["key_ops"]
            alg = "RS256"
        else:
            numbers = ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
            alg = "ES256"
        return {**numbers, "alg": alg, "kid": self.kid, "use": "sig"}

    def token(
        self,
        headers: Mapping[str, Any] | None = None,
        key: Any = None,
        algorithm: str = "RS256",
        **claims: Any,
    ) -> str:
        """A good session token, but for what is given."""
        return jwt.encode(
            session_claims(**claims),
            key or self.private,
            algorithm=algorithm,
            headers={"kid": self.kid, **(headers or {})},
        )

    def signed(self, header: Any, payload: Any) -> str:
        """A token of any header and payload; bytes are taken as they are."""
        first, second = (
            part if isinstance(part, bytes) else json.dumps(part).encode()
            for part in (header, payload)
        )
        text = f"{base64url(first)}.{base64url(second)}"
        signature = RSAAlgorithm(RSAAlgorithm.SHA256).sign(text.encode(), self.private)
        return f"{text}.{base64url(signature)}"

    def saying(self, payload: Any) -> str:
        """A token with a good header that says anything."""
        return self.signed({"alg": "RS256", "kid": self.kid, "typ": "JWT"}, payload)


def session_claims(**changes: Any) -> dict[str, Any]:
    """The claims of a session token that was issued just now."""
    now = int(time.time())
    claims = {
        "azp": PARTY,
        "exp": now + 60,
        "fva": [3, -1],
        "iat": now,
        "iss": "https://clerk.bank.example",
        "jti": "0123456789abcdef0123",
        "nbf": now - 10,
        "sid": SESSION,
        "sts": "active",
        "sub": USER,
        "v": 2,
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not ABSENT}


def base64url(data: bytes) -> str:
    """Base64 as it is in a token."""
    return jwt.utils.base64url_encode(data).decode()


def key_set(*keys: Mapping[str, Any]) -> str:
    """What the backend API publishes."""
    return json.dumps({"keys": keys})


@contextmanager
def publishing(*keys: Mapping[str, Any]) -> Iterator[PublishedKeys]:
    """Keys that a server on loopback publishes while the context lasts."""
    with (
        HostileServer(answer(200, key_set(*keys))) as server,
        closing(ClerkBackendAPI(SECRET_KEY, base_url=server.url)) as api,
    ):
        yield PublishedKeys(api)


#: The instance of the app, one that is not, one that signs in another way, and one
#: with a key that is too short.
CLERK = Issuer()
STRANGER = Issuer()
CURVED = Issuer(private=new_ec(SECP256R1()))
SHORT = Issuer(private=generate_private_key(65_537, 1_024))  # noqa: S505

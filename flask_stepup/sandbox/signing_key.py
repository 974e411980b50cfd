"""The RSA key of a sandbox: signs its session tokens, and is told as PEM and JWK."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import Any
from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from .keys import new_key_id

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

ALGORITHM = "RS256"
#: Bits, as of Clerk's own keys.
SIZE = 2048


class SigningKey:
    """One key pair, made when it is first needed: this takes a tenth of a second.

    Each method raises ConfigurationError where PyJWT or cryptography is missing.
    """

    def __init__(self) -> None:
        self._made: _Pair | None = None
        self._making = Lock()

    def pem(self) -> str:
        """Return the public key as SubjectPublicKeyInfo (RFC 7468, 13)."""
        return self._pair().pem

    def jwks(self) -> dict[str, Any]:
        """Return the public key as a set of one (RFC 7517, 5)."""
        return {"keys": [self._pair().jwk]}

    def sign(self, claims: dict[str, Any]) -> str:
        """Return a JSON Web Token that says this.

        :raises ConfigurationError: a claim cannot be written.
        """
        pair = self._pair()
        import jwt

        try:
            return jwt.encode(
                claims, pair.private, algorithm=ALGORITHM, headers={"kid": pair.kid}
            )
        except (TypeError, ValueError) as error:
            raise ConfigurationError(
                f"a claim of the session token cannot be written ({error}): give "
                "nothing but what JSON has"
            ) from None

    def _pair(self) -> _Pair:
        with self._making:
            if self._made is None:
                self._made = _new_pair()
            return self._made


@dataclass(frozen=True, slots=True)
class _Pair:
    kid: str
    private: RSAPrivateKey
    pem: str
    jwk: dict[str, str]


def _new_pair() -> _Pair:
    try:
        from cryptography.hazmat.primitives.asymmetric import rsa
        from cryptography.hazmat.primitives.serialization import Encoding
        from cryptography.hazmat.primitives.serialization import PublicFormat
        from jwt.algorithms import RSAAlgorithm
    except ImportError:
        raise ConfigurationError(
            "the sandbox signs session tokens with PyJWT and cryptography: run "
            "pip install 'flask-stepup[sandbox]'"
        ) from None
    kid = new_key_id()
    private = rsa.generate_private_key(public_exponent=65_537, key_size=SIZE)
    public = private.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    numbers = RSAAlgorithm.to_jwk(public, as_dict=True)
    return _Pair(
        kid=kid,
        private=private,
        pem=pem.decode(),
        jwk={
            "use": "sig",
            "kty": "RSA",
            "kid": kid,
            "alg": ALGORITHM,
            "n": numbers["n"],
            "e": numbers["e"],
        },
    )

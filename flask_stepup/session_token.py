"""Session tokens of Clerk: signed by its key, current, and for this app.

The signature and the times are checked by PyJWT. What is checked beside them is what
sets a session token apart from everything else that Clerk signs with the same key.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from typing import TYPE_CHECKING

from .errors import ConfigurationError
from .errors import InvalidToken
from .pem import checked_pem
from .pem import not_usable

if TYPE_CHECKING:
    from jwt import PyJWK

    from .clerk import PublishedKeys

ALGORITHM = "RS256"
#: Characters; the whole head of a request has not many more.
LONGEST_TOKEN = 8_192
#: Bits (RFC 7518, 3.3).
SHORTEST_KEY = 2_048
#: Keys that are kept in the form that PyJWT verifies with.
MOST_PARSED = 16


class SessionTokens:
    """Tells authentic session tokens of one Clerk instance from everything else.

    :param keys: the instance's public key as PEM, however it was pasted, or the keys
        that the backend API publishes.
    :param authorized_parties: the origins that ``azp`` may name; none for any.
    :param leeway: seconds that Clerk's clock and ours may disagree.
    :raises ConfigurationError: the PEM is no RSA public key, or PyJWT is missing.
    """

    def __init__(
        self,
        keys: str | PublishedKeys,
        *,
        authorized_parties: tuple[str, ...] = (),
        leeway: float = 0,
    ) -> None:
        _check_libraries()
        self._published = None if isinstance(keys, str) else keys
        self._fixed = _key_of_pem(keys) if isinstance(keys, str) else None
        self._authorized_parties = authorized_parties
        self._leeway = leeway
        self._parsed: dict[str, tuple[Mapping[str, Any], PyJWK | None]] = {}

    def read(self, token: str, *, expired_for: float = 0) -> dict[str, Any]:
        """Return the claims: text for ``sub`` and ``sid``, seconds for ``exp``.

        :param expired_for: seconds since the token may have expired.
        :raises InvalidToken: it is anything but an authentic, current session token.
        """
        if len(token) > LONGEST_TOKEN:
            raise InvalidToken("too long for a session token")
        try:
            header, claims = self._decoded(token, is_exp_ours=expired_for > 0)
            _check_header(header)
            _check_claims(claims, self._authorized_parties)
            if expired_for > 0:
                _check_expired(claims["exp"], expired_for + self._leeway)
            return claims
        except InvalidToken:
            raise
        except Exception as error:
            # Of whatever kind: strangers wrote what the libraries choked on.
            failure = InvalidToken(f"no session token: {type(error).__name__}")
        # Raised here: the libraries' errors quote the token.
        raise failure

    def _decoded(
        self, token: str, is_exp_ours: bool
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        import jwt

        decoded = jwt.decode_complete(
            token,
            self._fixed or self._published_key(token),
            algorithms=[ALGORITHM],
            leeway=self._leeway,
            options={
                "require": ["exp", "sub", "sid"],
                "verify_exp": not is_exp_ours,
            },
        )
        return decoded["header"], decoded["payload"]

    def _published_key(self, token: str) -> PyJWK:
        import jwt

        header = jwt.get_unverified_header(token)
        kid = header.get("kid")
        # Nobody is asked for a key with which the token could not be verified anyway.
        if header.get("alg") != ALGORITHM or not isinstance(kid, str):
            raise InvalidToken("a session token names RS256 and a key")
        jwk = self._published.find(kid) if self._published else None
        key = self._parse(kid, jwk) if jwk else None
        if key is None:
            raise InvalidToken("signed with a key that is not published")
        return key

    def _parse(self, kid: str, jwk: Mapping[str, Any]) -> PyJWK | None:
        known, key = self._parsed.get(kid, (None, None))
        if known is not jwk:
            key = _rsa_key(jwk)
            if len(self._parsed) >= MOST_PARSED:
                self._parsed = {}
            self._parsed[kid] = jwk, key
        return key


def _check_header(header: dict[str, Any]) -> None:
    # PyJWT knows one critical extension, and older ones of it ignore them all.
    if "crit" in header or not isinstance(header.get("kid", ""), str):
        raise InvalidToken("it has a header that Clerk's do not have")
    # An OAuth access token is signed with the same key, and is an "at+jwt".
    if str(header.get("typ", "JWT")).upper() != "JWT":
        raise InvalidToken("a JSON Web Token of another type")


def _check_claims(claims: dict[str, Any], authorized_parties: tuple[str, ...]) -> None:
    for name in ("sub", "sid"):
        value = claims[name]
        if not isinstance(value, str) or not value or not value.isprintable():
            raise InvalidToken(f"{name} is not text")
    for name in ("exp", "nbf", "iat"):
        if name in claims and not _is_time(claims[name]):
            raise InvalidToken(f"{name} is no time")
    if claims.get("sts", "active") != "active":
        raise InvalidToken("the session is not active yet")
    # A tuple compares, and so takes a list in azp for what it is.
    if authorized_parties and claims.get("azp") not in authorized_parties:
        raise InvalidToken("azp is not in STEPUP_CLERK_AUTHORIZED_PARTIES")


def _is_time(value: object) -> bool:
    # RFC 7519, 2: a number. This range can be reckoned with exactly; NaN and Infinity,
    # which JSON does not have but Python reads, are not in it.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value < 2**53


def _check_expired(exp: float, seconds: float) -> None:
    if not time.time() - exp <= seconds:
        raise InvalidToken("expired for too long")


def _check_libraries() -> None:
    try:
        # Which PyJWT has only together with cryptography.
        from jwt.algorithms import RSAAlgorithm as RSAAlgorithm
    except ImportError:
        raise ConfigurationError(
            "session tokens of Clerk are verified with PyJWT and cryptography: run "
            "pip install 'flask-stepup[clerk]'"
        ) from None


def _key_of_pem(pasted: str) -> PyJWK:
    from jwt.algorithms import RSAAlgorithm

    pem = checked_pem(pasted)
    try:
        public = RSAAlgorithm(RSAAlgorithm.SHA256).prepare_key(pem)
        key = _rsa_key(RSAAlgorithm.to_jwk(public, as_dict=True))
    except Exception:
        key = None
    # Raised here and not above: the library's error may quote what it could not read.
    if key is None:
        raise not_usable(f"is no RSA key of {SHORTEST_KEY} bits or more")
    return key


def _rsa_key(jwk: Mapping[str, Any]) -> PyJWK | None:
    """Return a key as PyJWT verifies with it; None for one not made for RS256."""
    from jwt import PyJWK

    # A private key that is published belongs to everybody.
    if "d" in jwk or jwk.get("use", "sig") != "sig":
        return None
    if jwk.get("alg", ALGORITHM) != ALGORITHM:
        return None
    try:
        # Which refuses every kty but RSA.
        key = PyJWK({name: jwk[name] for name in ("kty", "n", "e")}, ALGORITHM)
    except Exception:
        return None
    return key if key.key.key_size >= SHORTEST_KEY else None

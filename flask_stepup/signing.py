"""Signatures with key rotation, each for one use and bound to one context."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from itsdangerous import BadData
from itsdangerous import URLSafeSerializer
from itsdangerous.encoding import base64_decode
from itsdangerous.encoding import base64_encode
from itsdangerous.signer import Signer as _Signer

from .errors import InvalidToken

#: HMAC-SHA-256, with a key derived from the salt in the same way.
_SIGNATURE: dict[str, Any] = {
    "key_derivation": "hmac",
    "digest_method": hashlib.sha256,
}


class Signer:
    """Signs small JSON values, and keeps what they are bound to out of them.

    The *use* (``"marker"``, ``"challenge"``) and whatever the token is *bound* to go
    into the salt, from which the key of the signature is derived. So a token is good
    only where the same binding is computed again, and tells nobody what it is.
    Signing times are part of the value: itsdangerous' own ``max_age`` knows no
    leeway and takes a second of clock skew for expiry.

    :param keys: oldest first; the last one signs, all verify.
    """

    def __init__(self, keys: Sequence[str | bytes]) -> None:
        self._keys = [k.encode() if isinstance(k, str) else k for k in keys]
        self._serializer = URLSafeSerializer(
            self._keys,
            serializer_kwargs={"sort_keys": True, "separators": (",", ":")},
            signer_kwargs=_SIGNATURE,
        )

    def dumps(self, use: str, bound_to: Sequence[str | None], value: Any) -> str:
        """Return a URL-safe token of ``value``, good only with the same binding."""
        token = self._serializer.dumps(value, salt=_salt(use, bound_to))
        return token if isinstance(token, str) else token.decode()

    def loads(self, use: str, bound_to: Sequence[str | None], token: str) -> Any:
        """Return the value of a token.

        :raises InvalidToken: not signed for this use, with this binding, by these
            keys.
        """
        try:
            value = self._serializer.loads(token, salt=_salt(use, bound_to))
            # Base64 has bits to spare and passes over what it does not know, but one
            # token shall have one text.
            signature = token.rpartition(".")[2].encode()
            if base64_encode(base64_decode(signature)) == signature:
                return value
        except (BadData, UnicodeError) as error:
            raise InvalidToken(f"not a valid {use}") from error
        raise InvalidToken(f"not a valid {use}")

    def digest(self, use: str, *parts: str) -> str:
        """Return a keyed hash, for what must be recognised and never be read.

        It is made with the oldest key, so that a key added in front of it while
        workers restart one by one does not make them disagree.
        """
        return self._digest(self._keys[0], use, parts)

    def digests(self, use: str, *parts: str) -> list[str]:
        """Return a keyed hash by each key, oldest first.

        Whoever has one key in common with us recognises one of them: workers agree all
        through a rotation, while a key comes as well as when one goes.
        """
        return [self._digest(key, use, parts) for key in self._keys]

    def _digest(self, key: bytes, use: str, parts: Sequence[str]) -> str:
        signer = _Signer(key, _salt(use, ()), **_SIGNATURE)
        return signer.get_signature(_canonical(parts)).decode()


def _salt(use: str, bound_to: Sequence[str | None]) -> bytes:
    return f"flask-stepup {use} ".encode() + _canonical(bound_to)


def _canonical(parts: Sequence[str | None]) -> bytes:
    # JSON keeps ("a", "b") and ("ab", None) apart, and its escapes make any text,
    # lone surrogates too, plain ASCII.
    return json.dumps(list(parts)).encode()

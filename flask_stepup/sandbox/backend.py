"""A WSGI app that answers as Clerk's backend API does, as far as step-up needs it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from typing import Any
from typing import TYPE_CHECKING
from urllib.parse import quote

from werkzeug import Request
from werkzeug import Response

from .. import records
from ..errors import ConfigurationError
from .answers import ErrorAnswer
from .calls import Call
from .calls import call_asked
from .codes import Codes
from .keys import checked_secret_key
from .keys import new_secret_key
from .requests import check_key
from .requests import check_version
from .requests import code_sent
from .server import serving
from .session_claims import session_claims
from .signing_key import SigningKey
from .users import SandboxUser

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse
    from _typeshed.wsgi import WSGIEnvironment


class Sandbox:
    """Knows some users and answers whether a code is theirs, as Clerk would.

    It is a WSGI app, to be called within the process (``httpx.WSGITransport``), and
    serves itself over HTTP with :meth:`serve`. Spent backup codes and the key that
    signs session tokens live in the memory of one process.

    :param users: each with an id of its own.
    :param secret_key: ``sk_test_…``; a new one is made where none is given.
    :raises ConfigurationError: one of these cannot work, or pyotp is missing.
    """

    def __init__(
        self, users: Iterable[SandboxUser], secret_key: str | None = None
    ) -> None:
        self.users = tuple(users)
        self.secret_key = (
            new_secret_key() if secret_key is None else checked_secret_key(secret_key)
        )
        self._codes = Codes(self.users)
        self._signing_key = SigningKey()
        self._calls = (
            Call("POST", "/v1/users/{user_id}/verify_totp", self._verify, "verified"),
            Call("GET", "/v1/jwks", self._jwks, "one key"),
        )

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        request = Request(environ)
        try:
            call, segments = call_asked(request, self._calls)
            check_key(request, self.secret_key)
            check_version(request)
            response = _as_json(call.answer(request, **segments))
            outcome = call.outcome
        except ErrorAnswer as error:
            response = _as_json(error.body, error.status, error.headers)
            outcome = error.code
        records.SandboxAnswered(
            method=quote(request.method),
            path=quote(request.path, safe=" /"),
            status=response.status_code,
            outcome=outcome,
        ).log()
        return response(environ, start_response)

    @contextmanager
    def serve(self, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
        """Serve over HTTP in a thread of its own while the context lasts.

        Yields the base URL, ``http://127.0.0.1:PORT/v1``: the value for
        ``STEPUP_CLERK_API_URL``.

        :param host: an address of this machine alone.
        :param port: 0 takes any that is free.
        :raises ConfigurationError: the host is open to others, or the port is taken.
        """
        with serving(self, host, port) as origin:
            yield f"{origin}/v1"

    @property
    def jwt_key(self) -> str:
        """The public key of session tokens as PEM, for ``STEPUP_CLERK_JWT_KEY``.

        :raises ConfigurationError: PyJWT or cryptography is missing.
        """
        return self._signing_key.pem()

    def session_token(
        self,
        user_id: str,
        *,
        session_id: str = "sess_sandbox",
        factor_ages: Sequence[int] | None = None,
        authorized_party: str | None = None,
        lifetime: int = 60,
        **claims: Any,
    ) -> str:
        """Return a session token as Clerk's front end would hold it.

        :param user_id: anybody's, known to the sandbox or not.
        :param factor_ages: whole minutes since the first and the second factor, -1 for
            one that is not enrolled: the claim ``fva``.
        :param authorized_party: the origin that it was made for: the claim ``azp``.
        :param lifetime: seconds from ``iat`` to ``exp``.
        :param claims: put in as they are, in place of any of the same name; None takes
            one out. From an ``iat`` that is a number, ``nbf`` and ``exp`` are reckoned.
        :raises ConfigurationError: one of these cannot work, or PyJWT or cryptography
            is missing.
        """
        return self._signing_key.sign(
            session_claims(
                user_id, session_id, factor_ages, authorized_party, lifetime, claims
            )
        )

    def _verify(self, request: Request, user_id: str) -> dict[str, Any]:
        code_type = self._codes.check(user_id, code_sent(request))
        return {"verified": True, "code_type": code_type}

    def _jwks(self, request: Request) -> dict[str, Any]:
        try:
            return self._signing_key.jwks()
        except ConfigurationError as error:
            records.SandboxLacksLibrary(reason=str(error)).log()
            raise ErrorAnswer(
                500, "internal_clerk_error", "the sandbox lacks a library", str(error)
            ) from None


def _as_json(
    body: object, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    return Response(json.dumps(body), status, headers, mimetype="application/json")

"""A WSGI app that answers as ``POST /v1/users/{user_id}/verify_totp`` does at Clerk."""

from __future__ import annotations

import hmac
import json
import logging
import re
import secrets
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import contextmanager
from string import ascii_letters
from string import digits
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import quote

from werkzeug import Request
from werkzeug import Response

from ..errors import ConfigurationError
from .answers import ErrorAnswer
from .requests import check_key
from .requests import check_version
from .requests import code_sent
from .requests import user_id_asked
from .server import serving
from .users import SandboxUser

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse
    from _typeshed.wsgi import WSGIEnvironment

#: One line for each answer, at level INFO, without keys and codes.
_log = logging.getLogger("flask_stepup.sandbox")


class Sandbox:
    """Knows some users and answers whether a code is theirs, as Clerk would.

    It is a WSGI app, to be called within the process (``httpx.WSGITransport``), and
    serves itself over HTTP with :meth:`serve`. Spent backup codes are remembered in
    the memory of one process.

    :param users: each with an id of its own.
    :param secret_key: ``sk_test_…``; a new one is made where none is given.
    :raises ConfigurationError: one of these cannot work, or pyotp is missing.
    """

    def __init__(
        self, users: Iterable[SandboxUser], secret_key: str | None = None
    ) -> None:
        self.users = tuple(users)
        self.secret_key = _new_key() if secret_key is None else _checked_key(secret_key)
        self._by_id = _by_id(self.users)
        self._unspent = {user.user_id: set(user.backup_codes) for user in self.users}
        self._spending = Lock()

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        request = Request(environ)
        try:
            response = _as_json({"verified": True, "code_type": self._verify(request)})
            outcome = "verified"
        except ErrorAnswer as error:
            response = _as_json(error.body, error.status, error.headers)
            outcome = error.code
        asked = quote(f"{request.method} {request.path}", safe=" /")
        _log.info("%s -> %s %s", asked, response.status_code, outcome)
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

    def _verify(self, request: Request) -> str:
        user_id = user_id_asked(request)
        check_key(request, self.secret_key)
        check_version(request)
        code = code_sent(request)
        user = self._enrolled(user_id)
        if user.shows(code):
            return "totp"
        if self._spend(user_id, code):
            return "backup_code"
        raise ErrorAnswer(
            422,
            "totp_incorrect_code",
            "incorrect TOTP",
            "The provided TOTP code is incorrect",
        )

    def _enrolled(self, user_id: str) -> SandboxUser:
        user = self._by_id.get(user_id)
        if user is None:
            raise ErrorAnswer(
                404,
                "resource_not_found",
                "not found",
                f"No user was found with id {user_id}",
            )
        if user.totp_secret is None:
            raise ErrorAnswer(
                400,
                "totp_disabled",
                "TOTP is disabled",
                "This user does not have TOTP enabled in their account",
            )
        return user

    def _spend(self, user_id: str, code: str) -> bool:
        """Whether this was an unspent backup code; it is spent now."""
        sent = _encoded(code)
        with self._spending:
            unspent = self._unspent[user_id]
            found = {c for c in unspent if hmac.compare_digest(_encoded(c), sent)}
            unspent -= found
        return bool(found)


def _as_json(
    body: object, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    return Response(json.dumps(body), status, headers, mimetype="application/json")


def _encoded(code: str) -> bytes:
    # JSON can hold lone surrogates, which plain UTF-8 cannot.
    return code.encode(errors="surrogatepass")


def _new_key() -> str:
    return "sk_test_" + "".join(
        secrets.choice(ascii_letters + digits) for _ in range(40)
    )


def _checked_key(secret_key: str) -> str:
    if re.fullmatch("sk_test_[!-~]+", secret_key):
        return secret_key
    if secret_key.startswith("sk_live_"):
        raise ConfigurationError(
            "a live key must never be given to a sandbox: leave the key out, and one "
            "is made"
        )
    raise ConfigurationError(
        "the key of a sandbox starts with sk_test_ and has no spaces: leave it out, "
        "and one is made"
    )


def _by_id(users: Iterable[SandboxUser]) -> dict[str, SandboxUser]:
    found: dict[str, SandboxUser] = {}
    for user in users:
        if user.user_id in found:
            raise ConfigurationError(
                f"two users of the sandbox have the id {user.user_id!r}: each needs "
                "one of its own"
            )
        if user.totp_secret is not None:
            user.current_code()  # a bad secret is told now, not when it is asked
        found[user.user_id] = user
    return found

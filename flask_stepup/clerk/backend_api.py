"""One request to the backend API, its answer as a verification or a typed error."""

from __future__ import annotations

import json
import time
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

import httpx

from ..errors import OutcomeUnknown
from ..errors import VerifierError
from ..errors import VerifierMisconfigured
from ..errors import VerifierUnavailable
from ..verification import Verification
from .answer import Answer
from .answer import key_set
from .answer import verdict
from .breaker import Breaker
from .configuration import checked_key
from .configuration import checked_timeout
from .configuration import checked_url
from .network import call_within
from .probe import Probe
from .probe import probe_of
from .transport import DeadlineTransport

API_URL = "https://api.clerk.com/v1"
#: https://clerk.com/docs/guides/development/upgrading/versioning
API_VERSION = "2026-05-12"
#: Bytes; far more than any answer of these endpoints. The rest is not read.
LONGEST_ANSWER = 65_536
LONGEST_USER_ID = 2_000

# Raised before the first byte of the request is written. After any other error the
# request may have reached the backend.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class ClerkBackendAPI:
    """Asks Clerk whether a code is right, and for the keys of its session tokens.

    Connections are pooled, one pool to a process: it is renewed after a fork and
    closed at exit. Proxies and ``.netrc`` of the environment are not used
    (``SSL_CERT_FILE`` is), redirects are not followed, and nothing is sent twice.

    :param secret_key: ``sk_test_…`` or ``sk_live_…``.
    :param base_url: where the API is; plain ``http`` only on this machine.
    :param timeout: seconds for a whole call, from connecting to the last byte.
        Only looking the host's name up has limits of its own, the system's.
    :param transport: an ``httpx`` transport in place of the network, for tests.
    :raises ConfigurationError: one of these cannot work.
    """

    def __init__(
        self,
        secret_key: str,
        *,
        base_url: str = API_URL,
        timeout: float = 5.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._base_url = checked_url(base_url)
        #: Seconds for a whole call.
        self.timeout: float = checked_timeout(timeout)
        self._transport = transport or DeadlineTransport(self._base_url)
        self._headers = {
            "Authorization": f"Bearer {checked_key(secret_key)}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Clerk-API-Version": API_VERSION,
            "User-Agent": f"flask-stepup/{version('flask-stepup')}",
        }
        self._secret_key = secret_key
        self._breaker = Breaker(self.timeout)

    def verify_totp(self, user_id: str, code: str) -> Verification:
        """Return the verification of a right TOTP or backup code.

        A right backup code is consumed by this call
        (https://clerk.com/docs/reference/backend/user/verify-totp).

        :raises IncorrectCode: 422.
        :raises NotEnrolled: 404, or 400 with ``totp_disabled``.
        :raises VerifierMisconfigured: 401, 403, any other 400; and a user id that
            is no path segment, for which nothing is sent.
        :raises VerifierUnavailable: connect errors, 409, 429 (with
            ``retry_after``), 5xx, and every other answer; and at once, with nothing
            sent, for a few seconds after connect errors, timeouts or 5xx in a row.
        :raises OutcomeUnknown: sent, and not answered in time or in full.
        """
        path = f"users/{_segment(user_id)}/verify_totp"
        with self._breaker.call():
            answer = self._call("POST", path, {"code": code})
            return verdict(answer, secrets=(self._secret_key, code))

    def jwks(self) -> list[dict[str, Any]]:
        """Return the JSON Web Keys of which one signed each session token.

        https://clerk.com/docs/reference/backend-api/tag/JWKS

        :raises VerifierMisconfigured: 400, 401, 403, 404.
        :raises VerifierUnavailable: everything else that is no set with a key in it,
            no answer included.
        """
        return key_set(self._call("GET", "jwks"), secrets=(self._secret_key,))

    def probe(self) -> Probe:
        """Return whether the API is there, by a call that changes nothing there.

        It asks for the keys, so that it raises what :meth:`jwks` does.
        """
        sent_at, began_at = time.time(), time.monotonic()
        answer = self._call("GET", "jwks")
        seconds = time.monotonic() - began_at
        return probe_of(answer, sent_at, seconds, secrets=(self._secret_key,))

    def close(self) -> None:
        """Close the pooled connections."""
        self._transport.close()

    def _call(
        self, method: str, path: str, body: dict[str, str] | None = None
    ) -> Answer:
        request = httpx.Request(
            method,
            f"{self._base_url}/{path}",
            headers=self._headers,
            # Not json=, whose UTF-8 cannot hold lone surrogates; this is plain ASCII.
            content=None if body is None else json.dumps(body).encode(),
            extensions={"timeout": httpx.Timeout(self.timeout).as_dict()},
        )
        failure: VerifierError
        try:
            with call_within(self.timeout):
                return self._send(request)
        except _NOT_SENT as error:
            failure = VerifierUnavailable(
                f"the backend API cannot be reached: {type(error).__name__}"
            )
        except httpx.TransportError as error:
            # Where nothing was submitted, no outcome is left open.
            kind = VerifierUnavailable if body is None else OutcomeUnknown
            failure = kind(
                f"the backend API was asked and gave no answer: {type(error).__name__}"
            )
        # Raised here and not in the handlers above, whose error holds the request,
        # and with it key and code, where error reporters look for context.
        raise failure

    def _send(self, request: httpx.Request) -> Answer:
        response = self._transport.handle_request(request)
        try:
            try:
                body = _read(response)
            except httpx.TransportError:
                # Every status but 200 is an answer in itself.
                if response.status_code == 200:
                    raise
                body = b""
        finally:
            response.close()
        return Answer(response.status_code, response.headers, body)


def _segment(user_id: str) -> str:
    # Quoting leaves dots alone, and percent-encoded dots still are dot segments to a
    # WHATWG URL parser on the way: these ids cannot be sent at all.
    if user_id in ("", ".", "..") or len(user_id) > LONGEST_USER_ID:
        raise VerifierMisconfigured(
            "a user id cannot be empty, consist of dots, or be longer than "
            f"{LONGEST_USER_ID} characters: mend the subject_loader"
        )
    return quote(user_id, safe="", errors="surrogatepass")


def _read(response: httpx.Response) -> bytes:
    # Straight from the stream: as the bytes came, whatever Content-Encoding says,
    # so that nothing can be inflated beyond the cap.
    body = b""
    assert isinstance(response.stream, httpx.SyncByteStream)
    for chunk in response.stream:
        body += chunk
        if len(body) > LONGEST_ANSWER:
            return b""
    return body

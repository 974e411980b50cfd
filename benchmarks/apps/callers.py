"""Those who ask the backend whether a code is right, each in its own way."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.client import HTTPConnection
from http.client import HTTPSConnection
from urllib.parse import urlsplit

from benchmarks.apps.bare import USER_ID
from benchmarks.backend_server import SECRET_KEY
from benchmarks.backend_server import WRONG_CODE
from benchmarks.contestant import Contestant

RIGHT_CODE = "123456"
HEADERS = {
    "Authorization": f"Bearer {SECRET_KEY}",
    "Content-Type": "application/json",
    "Accept": "application/json",
}

#: Whether the backend says that the code is right.
Ask = Callable[[str], bool]


def _contestant(ask: Ask) -> Contestant:
    def verify() -> None:
        assert ask(RIGHT_CODE)

    def prove() -> None:
        assert ask(RIGHT_CODE)
        assert not ask(WRONG_CODE)
        assert ask(RIGHT_CODE)

    return Contestant({"verify": verify}, prove)


def ours(url: str) -> Contestant:
    """``ClerkBackendAPI``, as the extension calls it."""
    from flask_stepup import IncorrectCode
    from flask_stepup.clerk import ClerkBackendAPI

    api = ClerkBackendAPI(SECRET_KEY, base_url=url)

    def ask(code: str) -> bool:
        try:
            return api.verify_totp(USER_ID, code).code_type == "totp"
        except IncorrectCode:
            return False

    return _contestant(ask)


def standard_library(url: str) -> Contestant:
    """The limit: ``http.client`` on a connection that is kept alive."""
    place = urlsplit(url)
    kind = HTTPSConnection if place.scheme == "https" else HTTPConnection
    connection = kind(place.netloc, timeout=5)

    def ask(code: str) -> bool:
        path = f"{place.path}/users/{USER_ID}/verify_totp"
        connection.request("POST", path, json.dumps({"code": code}), HEADERS)
        answer = connection.getresponse()
        body = json.loads(answer.read())
        return answer.status == 200 and body["verified"] is True

    return _contestant(ask)


def httpx_pooled(url: str) -> Contestant:
    """``httpx.Client``, whose connections are pooled."""
    import httpx

    client = httpx.Client(headers=HEADERS, timeout=5)

    def ask(code: str) -> bool:
        answer = client.post(f"{url}/users/{USER_ID}/verify_totp", json={"code": code})
        return answer.status_code == 200 and answer.json()["verified"] is True

    return _contestant(ask)


def sdk(url: str, reused: bool) -> Contestant:
    """Clerk's own SDK.

    :param reused: one client for all calls, and not one for each, in a ``with`` block
        as its README has it.
    """
    from clerk_backend_api import Clerk
    from clerk_backend_api.models import SDKError

    kept = Clerk(bearer_auth=SECRET_KEY, server_url=url)

    def ask_with(client: Clerk, code: str) -> bool:
        try:
            answer = client.users.verify_totp(user_id=USER_ID, code=code)
        except SDKError:
            return False
        return answer is not None and answer.verified is True

    def ask(code: str) -> bool:
        if reused:
            return ask_with(kept, code)
        with Clerk(bearer_auth=SECRET_KEY, server_url=url) as client:
            return ask_with(client, code)

    return _contestant(ask)

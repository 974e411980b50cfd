"""Whole attempts: a code is posted, the backend asked, the marker granted."""

from __future__ import annotations

import secrets
from itertools import count

from benchmarks.apps.ours import guarded_app
from benchmarks.backend_server import SECRET_KEY
from benchmarks.backend_server import WRONG_CODE
from benchmarks.contestant import Contestant
from benchmarks.visits import answer_of
from benchmarks.visits import environ_of
from benchmarks.visits import Visitor


def attempting(storage_uri: str, url: str) -> Contestant:
    """A whole attempt: a code is posted, the backend asked, the marker granted.

    :param url: of the backend.
    """
    if "://127." in storage_uri:
        # Servers outlive this process, and a code opens once.
        storage_uri += f"?prefix={secrets.token_hex(8)}"
    backend = {"STEPUP_CLERK_SECRET_KEY": SECRET_KEY, "STEPUP_CLERK_API_URL": url}
    app = guarded_app(storage_uri, **backend)
    visitor = Visitor(app)
    visitor.open("/sign-in")
    challenge = visitor.open("/account").get_json()["challenge"]
    # A code opens once: each attempt has another one.
    codes = (f"{number:06}" for number in count(1))

    def post(code: str) -> tuple[int, dict[str, str], bytes]:
        answer = {"challenge": challenge, "code": code}
        return answer_of(
            app.wsgi_app,
            environ_of("/stepup/", visitor.cookies, "POST", json=answer),
        )

    def attempt() -> None:
        status, headers, _ = post(next(codes))
        assert status == 200
        assert "Set-Cookie" in headers

    def prove() -> None:
        assert post(WRONG_CODE)[0] == 422
        attempt()

    return Contestant({"attempt": attempt}, prove)

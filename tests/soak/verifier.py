"""The real sandbox, with a book of who called it with which code."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pyotp

from flask_stepup.sandbox import Sandbox
from flask_stepup.sandbox import SandboxUser

from .evidence import Call


class WatchedSandbox(Sandbox):
    """Writes each call down, with its outcome, when it has been answered."""

    def __init__(self, users: Iterable[SandboxUser]) -> None:
        super().__init__(users)
        self.calls: list[Call] = []

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        at = time.time()
        body = environ["wsgi.input"].read()
        environ["wsgi.input"] = BytesIO(body)

        def answered(status: str, *args: Any) -> Any:
            # Of a worker that was killed as it wrote, there may be just a beginning,
            # which is no call.
            if status.startswith(("200", "422")):
                user, code = (
                    environ["PATH_INFO"].split("/")[-2],
                    json.loads(body)["code"],
                )
                self.calls.append(Call(user, code, at, right=status.startswith("200")))
            return start_response(status, *args)

        return super().__call__(environ, answered)


def customers(count: int, backup_codes: int = 12) -> list[SandboxUser]:
    """That many people with an authenticator and backup codes."""
    return [
        SandboxUser(
            f"user_{number}",
            f"Customer {number}",
            pyotp.random_base32(),
            tuple(secrets.token_hex(4) for _ in range(backup_codes)),
        )
        for number in range(count)
    ]


def codes_of(user: SandboxUser) -> Iterator[str]:
    """Codes that are right, each once: what the authenticator shows, then the rest."""
    yield user.current_code()
    yield from user.backup_codes
    # By now another step of the authenticator's has begun, or this one is used up.
    yield user.current_code()

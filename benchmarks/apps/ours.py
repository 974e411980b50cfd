"""Apps that are guarded by flask-stepup."""

from __future__ import annotations

import secrets
from typing import Any

from flask import Flask
from flask import session

from benchmarks.apps.bare import ANSWER
from benchmarks.apps.bare import guard_contestant
from benchmarks.apps.bare import mount
from benchmarks.apps.bare import new_app
from benchmarks.apps.bare import USER_ID
from benchmarks.backend_server import WRONG_CODE
from benchmarks.contestant import Contestant
from benchmarks.visits import environ_of
from benchmarks.visits import Visitor
from flask_stepup import IncorrectCode
from flask_stepup import require_reverification
from flask_stepup import StepUp
from flask_stepup import Verification


class AnyOther:
    """A verifier for which every code is right, but for one."""

    def verify(self, user_id: str, code: str) -> Verification:
        if code == WRONG_CODE:
            raise IncorrectCode
        return Verification("totp")


def guarded_app(storage_uri: str, user_id: str = USER_ID, **settings: Any) -> Flask:
    """An app with the route under ``@require_reverification``.

    :param settings: beside those of the ledger.
    """
    app = new_app()
    app.config.update(STEPUP_STORAGE_URI=storage_uri, **settings)
    has_backend = "STEPUP_CLERK_SECRET_KEY" in settings
    StepUp(
        app,
        verifier=None if has_backend else AnyOther(),
        subject_loader=lambda: session.get("user_id"),
    )

    @app.get("/sign-in")
    def sign_in() -> str:
        session["user_id"] = user_id
        return "signed in"

    @app.post("/transfer")
    @require_reverification(scope="payments", reason="Send money")
    def transfer() -> str:
        return ANSWER

    return mount(app, require_reverification)


def verified(app: Flask) -> tuple[str, str]:
    """Cookies of somebody who has gone through the prompt, and from before that."""
    visitor = Visitor(app)
    visitor.open("/sign-in")
    challenge = visitor.open("/account").get_json()["challenge"]
    before = visitor.cookies
    answer = {"challenge": challenge, "code": WRONG_CODE}
    assert visitor.open("/stepup/", "POST", json=answer).status_code == 422
    # Ledgers outlive this process, and a code opens once.
    answer["code"] = f"{secrets.randbelow(999_999) + 1:06}"
    assert visitor.open("/stepup/", "POST", json=answer).status_code == 200
    return visitor.cookies, before


def guarded(storage_uri: str, user_id: str = USER_ID) -> Contestant:
    """The route of somebody who is verified, on a ledger."""
    app = guarded_app(storage_uri, user_id)
    return guard_contestant(app, *verified(app))


def signature() -> Contestant:
    """What is done about the marker of a request, without the request around it.

    Of one whose signature is remembered, as for all requests but the first, and of one
    that was never seen before.
    """
    app = guarded_app("memory://")
    cookies, _ = verified(app)
    gate = app.extensions["stepup"]
    app.request_context(environ_of("/account", cookies)).push()
    subject, policy = gate.subject(), gate.settings.preset

    def look() -> Any:
        return gate.passing.lets_by(policy, subject)

    def look_anew() -> Any:
        gate.keeping._open_marker.cache_clear()
        return gate.keeping.markers(gate.elevation.binding(subject), "")

    assert gate.is_met(policy)
    assert look()
    assert look_anew()
    return Contestant({"signature": look, "signature_first_seen": look_anew})

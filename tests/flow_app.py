"""The app of the flow tests: the views of the model, guarded by the real thing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask
from flask import request
from flask import session
from flask.json.tag import TaggedJSONSerializer
from flask.sessions import SecureCookieSessionInterface
from flow_model import fold
from flow_model import LIMITS_AS_SET
from flow_model import View
from itsdangerous import URLSafeSerializer

from flask_stepup import IncorrectCode
from flask_stepup import NotEnrolled
from flask_stepup import OutcomeUnknown
from flask_stepup import require_reverification
from flask_stepup import StepUp
from flask_stepup import Verification
from flask_stepup import VerifierUnavailable

VIEWS = (
    View("/vault"),
    View("/area/room", max_age=3_600),
    View("/payments", "payments", 120),
    View("/limits", "payments", 86_400),
    View("/close", approves=()),
    View("/pay", "payments", 120, approves=()),
    View("/send", approves=("to", "amount")),
)


class Codes:
    """A verifier that knows codes that begin with ``right``, however they are spelled.

    :param mode: what it is like; it may not answer at all.
    """

    def __init__(self) -> None:
        self.mode = "right"
        self.asked: list[tuple[str, str]] = []
        self.meanwhile: Callable[[str], object] = str

    def verify(self, user_id: str, code: str) -> Any:
        self.asked.append((user_id, code))
        self.meanwhile(user_id)
        if self.mode == "right" and fold(code).startswith("right"):
            return Verification("backup_code")
        error = {
            "right": IncorrectCode,
            "not enrolled": NotEnrolled,
            "down": VerifierUnavailable,
            "unknown": OutcomeUnknown,
        }.get(self.mode)
        if error:
            raise error
        return True


class UntimedSessions(SecureCookieSessionInterface):
    """Flask's sessions, but that a cookie from the future is taken.

    Flask knows no leeway, and would sign everybody out when the clock steps back.
    """

    def get_signing_serializer(self, app: Flask) -> Any:
        return Untimed(app.secret_key or "", serializer=TaggedJSONSerializer())


class Untimed(URLSafeSerializer):
    """Signs sessions, and takes them however old they are."""

    def loads(self, s: Any, *args: Any, **kwargs: Any) -> Any:
        return super().loads(s)


def make_app(uri: str, folder: Path, codes: Codes) -> Flask:
    """An app with the views of the model; ``runs`` tells which ran."""
    app = Flask("bank", instance_path=str(folder))
    app.session_interface = UntimedSessions()
    app.config.update(
        SECRET_KEY="k" * 32,
        STEPUP_STORAGE_URI=uri,
        STEPUP_STORAGE_TIMEOUT=20,
        STEPUP_ATTEMPT_LIMIT=LIMITS_AS_SET,
    )
    stepup = StepUp(app, verifier=codes, subject_loader=lambda: session.get("user_id"))
    app.extensions["runs"] = []
    for view in VIEWS:
        app.add_url_rule(view.path, view.path, run_of(app, stepup, view),
                         methods=[view.method])  # fmt: skip
    add_doors(app, stepup)
    return app


def run_of(app: Flask, stepup: StepUp, view: View) -> Callable[[], str]:
    """A view that is guarded as the model has it; one of them from within."""
    demands: dict[str, Any] = {"max_age": view.max_age, "scope": view.scope}
    if view.approves is not None:
        demands |= {"bind": view.approves} if view.approves else {"once": True}

    def run() -> str:
        app.extensions["runs"].append(view.path)
        return "done"

    def run_if_allowed() -> str:
        stepup.require(**demands)
        return run()

    from_within = view.path in ("/limits", "/pay")
    return run_if_allowed if from_within else require_reverification(**demands)(run)


def add_doors(app: Flask, stepup: StepUp) -> None:
    """Where people come in and go out, and what an app does for them."""

    def leave() -> str:
        stepup.forget()
        if "user" not in request.args:
            session.clear()
        return "forgotten"

    def enter(user: str) -> str:
        session["user_id"] = user
        return "signed in"

    def leave_rudely() -> str:
        session.pop("user_id", None)
        return "signed out"

    app.add_url_rule("/leave", "leave", leave)
    app.add_url_rule("/leave-rudely", "leave_rudely", leave_rudely)
    app.add_url_rule("/enter/<user>", "enter", enter)
    app.add_url_rule(
        "/grant", "grant", lambda: str(stepup.grant(scope=request.args["scope"]))
    )
    app.extensions["bank"] = stepup

"""The stand-in for Clerk's Frontend API, which ``sandbox-clerk.js`` talks to."""

from __future__ import annotations

import secrets
from typing import Any

from flask import abort
from flask import Blueprint
from flask import Flask
from flask import jsonify
from flask import request
from flask import Response
from flask.typing import ResponseReturnValue

from flask_stepup.sandbox import Sandbox
from flask_stepup.signals import reverification_succeeded

from .authenticator import Authenticator
from .session import Session

PREFIX = "/sandbox-clerk"
#: What keeps a browser signed in. Clerk's own is at the Frontend API's origin.
COOKIE = "sandbox_clerk_client"
SUPPORT = "user_2Support00000000000000000"


def sandbox_clerk(app: Flask, sandbox: Sandbox) -> Blueprint:
    """Return the stand-in, with the page's part of it, to be mounted in a demo."""
    frontend_api = FrontendAPI(sandbox)
    blueprint = Blueprint(
        "sandbox_clerk",
        __name__,
        url_prefix=PREFIX,
        static_folder="static",
        template_folder="templates",
    )
    for rule, method, view in (
        ("/client", "GET", frontend_api.client),
        ("/client", "DELETE", frontend_api.sign_out),
        ("/sign-ins", "POST", frontend_api.sign_in),
        ("/tokens", "POST", frontend_api.token),
        ("/verifications", "POST", frontend_api.verify),
        ("/code", "GET", frontend_api.code),
    ):
        blueprint.add_url_rule(rule, view.__name__, view, methods=[method])
    app.jinja_env.globals["sandbox_people"] = frontend_api.people
    reverification_succeeded.connect(frontend_api.cross_out, app, weak=False)
    return blueprint


class FrontendAPI:
    """Keeps browsers signed in as people of a sandbox, and mints their tokens."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.people = {u.user_id: u for u in sandbox.users if u.totp_secret}
        self._sandbox = sandbox
        self._phones = {key: Authenticator(user) for key, user in self.people.items()}
        self._sessions: dict[str, Session] = {}

    def client(self) -> ResponseReturnValue:
        """Tell who is signed in with this browser."""
        session = self._sessions.get(request.cookies.get(COOKIE, ""))
        return {"session": _as_json(session) if session else None}

    def sign_in(self) -> Response:
        """Sign somebody in, without a password, as if it were an hour ago."""
        sent = _sent()
        user = self.people.get(str(sent.get("user_id"))) or abort(404)
        session = Session(user, SUPPORT if sent.get("as_support") else None)
        client = secrets.token_urlsafe()
        self._sessions[client] = session
        response = jsonify(session=_as_json(session))
        response.set_cookie(
            COOKIE, client, path=PREFIX, httponly=True, samesite="Strict"
        )
        return response

    def sign_out(self) -> ResponseReturnValue:
        """Forget this browser."""
        self._sessions.pop(request.cookies.get(COOKIE, ""), None)
        return {"session": None}

    def token(self) -> ResponseReturnValue:
        """Mint a session token."""
        origin = request.host_url.rstrip("/")
        return {"jwt": self._session().token(self._sandbox, origin)}

    def verify(self) -> ResponseReturnValue:
        """Try the code that was typed into the modal."""
        session, sent = self._session(), _sent()
        code = "".join(filter(str.isalnum, str(sent.get("code"))))
        if not session.user.shows(code):
            message = "That code is not right. Enter the one that is shown now."
            error = {"code": "form_code_incorrect", "long_message": message}
            return {"errors": [error]}, 422
        session.prove(sent.get("level", "second_factor"))
        return {"status": "complete"}

    def code(self) -> ResponseReturnValue:
        """Show what the phone of whoever is signed in shows."""
        return self._phones[self._session().user.user_id].shown()

    def cross_out(self, sender: Flask, user_id: str, **_: Any) -> None:
        """Remember that the API has taken a code."""
        # The signal does not carry the code, but the request in which it is sent does.
        sent = request.get_json(silent=True) or request.form
        typed = filter(str.isalnum, sent.get("code", ""))
        self._phones[user_id].used.append("".join(typed))

    def _session(self) -> Session:
        return self._sessions.get(request.cookies.get(COOKIE, "")) or abort(401)


def _sent() -> dict[str, Any]:
    sent = request.get_json()
    return sent if isinstance(sent, dict) else abort(400)


def _as_json(session: Session) -> dict[str, Any]:
    user = {"id": session.user.user_id, "firstName": session.user.name}
    actor = {"sub": session.actor} if session.actor else None
    return {"id": session.session_id, "user": user, "actor": actor}

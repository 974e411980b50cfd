"""Tern: a JSON API behind a Clerk front end, where what matters asks for more.

    python examples/clerk_api/app.py

Look for ``stepup`` and ``@require_reverification``: the rest is any Flask app. Nothing
here is about codes, modals or session tokens, and nothing tells who is signed in:
Clerk's session token does.
"""

from __future__ import annotations

import secrets
from pathlib import Path

import business
import clerk_demo
from flask import abort
from flask import Blueprint
from flask import current_app
from flask import Flask
from flask import render_template
from flask import request
from flask import Response
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from flask_stepup import require_reverification
from flask_stepup import StepUp

HERE = Path(__file__).resolve().parent

api = Blueprint("api", __name__, url_prefix="/api")
stepup = StepUp()


def create_app(backend: clerk_demo.Backend | None = None) -> Flask:
    """Return the API and its page.

    :param backend: who signs people in and checks their codes. Without one it is
        Clerk, if the environment has its keys, and else a sandbox on this machine.
    """
    backend = backend or clerk_demo.find_backend()
    app = Flask(__name__, root_path=str(HERE), instance_path=str(HERE / "instance"))
    app.config.update(
        # New at each start, which ends what was confirmed: a real app keeps its key.
        SECRET_KEY=secrets.token_hex(),
        SESSION_COOKIE_NAME="tern",
        # As Clerk's own cookie: other sites cannot call the API in your name.
        SESSION_COOKIE_SAMESITE="Lax",
        # A real app also has STEPUP_CLERK_AUTHORIZED_PARTIES, with its own origin.
        **backend.settings,
    )
    app.extensions["accounts"] = business.Accounts()
    app.register_blueprint(api)
    app.add_url_rule("/", "page", lambda: render_template("page.html"))
    app.after_request(harden)
    stepup.init_app(app)
    backend.add_front_end(app)
    return app


@api.get("/me")
def me() -> ResponseReturnValue:
    subject = stepup.subject()
    if subject is None:
        abort(401, "You have to be signed in.")
    return {
        "user_id": subject.user_id,
        "factor_ages": subject.factor_ages,
        "reverified": stepup.is_reverified(),
    }


@api.get("/account-numbers")
@require_reverification
def account_numbers() -> ResponseReturnValue:
    return {"account_numbers": account().numbers}


@api.post("/keys")
@require_reverification(max_age=300)
def create_key() -> ResponseReturnValue:
    return {"key": account().new_key()}, 201


# A scope of its own: what was proved for anything else, in Clerk's modal too, does not
# open this. The page asks for the code itself.
@api.post("/transfers")
@require_reverification(max_age=300, scope="payments", reason="Send money")
def send_money() -> ResponseReturnValue:
    sent = request.get_json()
    if not isinstance(sent, dict):
        abort(400, "Send an object with 'to' and 'amount'.")
    try:
        return account().send(sent.get("to"), sent.get("amount"))
    except business.Refused as refused:
        abort(422, str(refused))


@api.errorhandler(HTTPException)
def as_json(error: HTTPException) -> ResponseReturnValue:
    return {"title": error.name, "detail": error.description}, error.code or 500


def account() -> business.Account:
    """The account of whoever calls; behind ``@require_reverification`` there is one."""
    subject = stepup.subject()
    accounts: business.Accounts = current_app.extensions["accounts"]
    return accounts.of(subject.user_id) if subject else abort(401)


def harden(response: Response) -> Response:
    policy = current_app.config["CONTENT_SECURITY_POLICY"]
    # Added, not set: a browser obeys every policy, and the prompt brings its own.
    response.headers.add("Content-Security-Policy", policy)
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    if request.blueprint == "api":
        response.headers.setdefault("Cache-Control", "no-store")
    return response


if __name__ == "__main__":
    clerk_demo.serve(create_app)

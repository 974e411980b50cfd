"""Dovecote: short notices to everyone in your club, with TOTP secrets of its own.

    python examples/flask_login_totp/app.py

The ten lines that matter are in ``extensions.py``. ``notices.py`` and ``account.py``
have what is guarded, ``enrolment.py`` how an authenticator is set up and replaced,
``authenticators.py`` and ``backup_codes.py`` what is kept of it.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import account
import enrolment
import notices
import sign_in
import storage
import support
from extensions import csrf
from extensions import login_manager
from extensions import stepup
from flask import Flask
from flask import render_template
from flask import Response
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

HERE = Path(__file__).resolve().parent
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
)


def create_app(instance: Path = HERE / "instance", **settings: Any) -> Flask:
    """Return the app.

    :param instance: the folder with its database, and the ledger of the step-up.
    """
    app = Flask(__name__, root_path=str(HERE), instance_path=str(instance))
    app.config.update(
        # New at each start, which signs everybody out: a real app keeps its key, and
        # sets SESSION_COOKIE_SECURE, since it is served over HTTPS.
        SECRET_KEY=secrets.token_hex(),
        SESSION_COOKIE_NAME="dovecote",
        SESSION_COOKIE_SAMESITE="Lax",
        STEPUP_LOGIN_URL="/sign-in",
        STEPUP_ENROLL_URL="/authenticator",
        STEPUP_BASE_TEMPLATE="base.html",
    )
    app.config.update(settings)
    storage.init_app(app)
    login_manager.init_app(app)
    csrf.init_app(app)
    stepup.init_app(app)
    for part in (notices, account, enrolment, sign_in, support):
        app.register_blueprint(part.pages)
    app.register_error_handler(HTTPException, apologise)
    app.after_request(harden)
    return app


def apologise(error: HTTPException) -> ResponseReturnValue:
    """Say whose fault it is, on a page of ours."""
    page = render_template("error.html", error=error)
    return page, error.code or 500, error.get_headers()


def harden(response: Response) -> Response:
    """Tell browsers what pages of ours may do, and that nobody keeps them."""
    # Added, not set: a browser obeys every policy, and the prompt brings its own.
    response.headers.add("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    # Of files Flask has said already how they may be kept.
    response.headers.setdefault("Cache-Control", "no-store")
    return response


if __name__ == "__main__":
    from serve_demo import serve

    serve(create_app)

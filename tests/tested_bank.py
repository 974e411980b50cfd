"""The app that ``docs/testing.md`` tests; its readers have their own."""

from __future__ import annotations

from typing import Any

from flask import Flask
from flask import request
from flask import session

from flask_stepup import require_reverification
from flask_stepup import StepUp


def create_app(config: dict[str, Any]) -> Flask:
    """Return the app; with a key of Clerk's, Clerk's session tokens tell who it is."""
    app = Flask(__name__)
    app.config.update(SECRET_KEY="k" * 32, STEPUP_CLERK_SECRET_KEY="sk_test_any")
    app.config.update(config)
    stepup = StepUp()
    if "STEPUP_CLERK_JWT_KEY" not in config:
        stepup.subject_loader(lambda: session.get("user"))
    stepup.init_app(app)

    @app.post("/sign-in")
    def sign_in() -> str:
        session["user"] = request.form["name"]
        return "signed in"

    @app.get("/account-number")
    @require_reverification(max_age=300)
    def account_number() -> str:
        return "GB33 BUKB 2020 1555 5555 55"

    @app.get("/statement")
    def statement() -> str:
        return "nothing was spent"

    @app.post("/transfer")
    @require_reverification(bind=("to", "amount"), scope="payments")
    def transfer() -> str:
        return f"Sent {request.form['amount']} to {request.form['to']}."

    return app

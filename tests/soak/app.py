"""The bank that gunicorn serves: its guarded views write into a journal."""

from __future__ import annotations

import os
import time

from flask import Flask
from flask import request
from flask import session

from flask_stepup import ConfigurationError
from flask_stepup import require_reverification
from flask_stepup import StepUp

stepup = StepUp(subject_loader=lambda: session.get("user_id"))


def make_app(*, is_patient: bool = True) -> Flask:
    """The app of one worker, or of the master where it is loaded before the fork.

    Configured by ``SOAK_…`` of the environment, the journal's path included.

    :param is_patient: whether to wait for a ledger that is down when a worker starts.
    """
    app = Flask("soak", instance_path=os.environ["SOAK_FOLDER"])
    app.config.from_prefixed_env("SOAK")
    _set_up(app, seconds=20 if is_patient else 0)
    journal = os.open(
        os.path.join(app.instance_path, "journal"),
        os.O_APPEND | os.O_CREAT | os.O_WRONLY,
        0o600,
    )

    def write_down(transfer: str = "", amount: str = "") -> None:
        reference, user = request.headers["X-Reference"], session["user_id"]
        line = "\t".join((reference, user, str(time.time()), transfer, amount))
        # One write to a file opened for appending: lines of all workers stay whole.
        os.write(journal, f"{line}\n".encode())

    @app.get("/open")
    def open_to_all() -> str:
        return str(os.getpid())

    @app.post("/sign-in")
    def sign_in() -> str:
        session["user_id"] = request.form["user"]
        return "signed in"

    @app.get("/vault")
    @require_reverification
    def vault() -> str:
        write_down()
        return "the vault is open"

    @app.post("/transfer")
    @require_reverification(bind=("to", "amount"), reason="Send money")
    def transfer() -> str:
        write_down(request.form["to"], request.form["amount"])
        return "sent"

    @app.post("/forget")
    def forget() -> str:
        try:
            stepup.forget()
        finally:
            session.clear()
        return "signed out"

    @app.post("/revoke")
    def revoke() -> str:
        stepup.revoke(session["user_id"])
        return "ended everywhere"

    return app


def _set_up(app: Flask, seconds: float) -> None:
    # A server that is down is refused at start, as docs/ledgers.md says; a worker that
    # is made anew just then would have gunicorn's master end, and all others with it.
    patience = time.monotonic() + seconds
    while True:
        try:
            stepup.init_app(app)
        except ConfigurationError:
            if time.monotonic() > patience:
                raise
            time.sleep(0.05)
        else:
            return

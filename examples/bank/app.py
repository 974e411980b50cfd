"""Harbour Bank: anyone may look around, but what matters asks for a code first.

    python examples/bank/app.py

Look for ``stepup`` and ``@require_reverification``: the rest is any Flask app. Of the
three guards one is on a page, one on the submission of a form, and one within a view,
where the prompt shows what is approved.
"""

from __future__ import annotations

import secrets
from pathlib import Path

import accounts
import books
import demo
from flask import Blueprint
from flask import current_app
from flask import flash
from flask import Flask
from flask import g
from flask import redirect
from flask import render_template
from flask import request
from flask import Response
from flask import session
from flask import url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from flask_stepup import require_reverification
from flask_stepup import StepUp

HERE = Path(__file__).resolve().parent
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

bank = Blueprint("bank", __name__)
stepup = StepUp()


def create_app(backend: demo.Backend | None = None) -> Flask:
    """Return the bank.

    :param backend: who checks the codes. Without one it is Clerk, if the environment
        has a key for it, and else a sandbox on this machine.
    """
    backend = backend or demo.find_backend()
    app = Flask(__name__, root_path=str(HERE), instance_path=str(HERE / "instance"))
    app.config.update(
        # New at each start, which signs everybody out: a real app keeps its key.
        SECRET_KEY=secrets.token_hex(),
        SESSION_COOKIE_NAME="harbour_bank",
        # Other sites cannot post in your name. A real app adds Flask-WTF's
        # CSRFProtect, with which the extension works as it is.
        SESSION_COOKIE_SAMESITE="Lax",
        STEPUP_LOGIN_URL="/sign-in",
        STEPUP_BASE_TEMPLATE="base.html",
        **backend.settings,
    )
    app.extensions["books"] = books.Books(backend.people)
    app.jinja_env.filters |= {"pounds": accounts.pounds, "spoken": accounts.spoken}
    app.register_blueprint(bank)
    stepup.init_app(app)
    backend.add_authenticator(app)
    return app


@stepup.subject_loader
def who_is_asking() -> str | None:
    """The user id whose code is asked for, None where nobody is signed in."""
    return g.customer.user_id if g.customer else None


@bank.get("/")
def overview() -> ResponseReturnValue:
    return render_template("overview.html")


@bank.get("/account-numbers")
@require_reverification
def account_numbers() -> ResponseReturnValue:
    return render_template("account_numbers.html")


# POST alone: the form is shown to everybody, and what is typed into it is kept while
# the code is asked for. One code serves for five minutes.
@bank.route("/payout-address", methods=["GET", "POST"])
@require_reverification(
    max_age=300, reason="Change your payout address", methods={"POST"}
)
def payout_address() -> ResponseReturnValue:
    if request.method == "GET":
        return render_template("payout_address.html")
    try:
        g.customer.move_to(request.form.get("address", ""))
    except accounts.Refused as refused:
        return render_template("payout_address.html", refused=refused), 422
    flash("Your payout address has been changed.")
    flash(g.customer.payout_address, "Address")
    return redirect(url_for(".overview"), 303)


@bank.route("/send-money", methods=["GET", "POST"])
def send_money() -> ResponseReturnValue:
    if request.method == "GET":
        return render_template("send_money.html")
    typed = [request.form.get(name, "") for name in ("to", "amount", "reference")]
    try:
        transfer = g.books.draw_up(g.customer, *typed)
        # After the form has been looked at: nobody gives a code for what cannot be
        # done. One code serves for one transfer, with just these values, which the
        # prompt shows. Below this line it is approved.
        stepup.require(
            max_age=300,
            scope="payments",
            reason="Send money",
            bind=transfer.in_words,
        )
        done = g.books.carry_out(transfer)
    except accounts.Refused as refused:
        return render_template("send_money.html", refused=refused), 422
    flash(done)
    for name, value in transfer.in_words.items():
        flash(value, name)
    return redirect(url_for(".overview"), 303)


@bank.post("/lock")
def lock() -> ResponseReturnValue:
    stepup.forget()
    flash("Locked again. The next sensitive step asks for a code.")
    return redirect(url_for(".overview"), 303)


@bank.get("/sign-in")
def sign_in() -> ResponseReturnValue:
    return render_template("sign_in.html")


@bank.post("/sign-in")
def signing_in() -> ResponseReturnValue:
    stepup.forget()  # whoever was signed in here before
    session.clear()
    session["user_id"] = request.form.get("user_id")
    return redirect(url_for(".overview"), 303)


@bank.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    try:
        stepup.forget()  # no old copy of the cookie opens anything from now on
    finally:
        session.pop("user_id", None)
    return redirect(url_for(".sign_in"), 303)


@bank.before_app_request
def load_customer() -> None:
    g.books = current_app.extensions["books"]
    g.customer = g.books.people.get(session.get("user_id"))


@bank.before_request
def welcome_strangers() -> ResponseReturnValue | None:
    is_signing_in = request.endpoint in ("bank.sign_in", "bank.signing_in")
    return None if g.customer or is_signing_in else redirect(url_for(".sign_in"), 303)


@bank.app_errorhandler(HTTPException)
def apologise(error: HTTPException) -> ResponseReturnValue:
    page = render_template("error.html", error=error)
    return page, error.code or 500, error.get_headers()


@bank.after_app_request
def harden(response: Response) -> Response:
    # Added, not set: a browser obeys every policy, and the prompt brings its own.
    response.headers.add("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    # Of files Flask has said already how they may be kept.
    response.headers.setdefault("Cache-Control", "no-store")
    return response


if __name__ == "__main__":
    demo.serve(create_app)

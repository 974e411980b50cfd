"""Signpost: where domains point. Pages are htmx's, and what matters asks for a code.

    pip install 'flask-stepup[sandbox]' flask-wtf
    python examples/htmx/app.py

Look for ``stepup`` and ``@require_reverification``: the rest is any app with htmx. What
can be typed can be sent without htmx too, and that is why nothing of it is lost: see
``static/lose_nothing.js``.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import run_demo
import zones
from flask import abort
from flask import Blueprint
from flask import current_app
from flask import flash
from flask import Flask
from flask import redirect
from flask import render_template
from flask import request
from flask import Response
from flask import session
from flask import url_for
from flask.typing import ResponseReturnValue
from flask_wtf import CSRFProtect
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from flask_stepup import require_reverification
from flask_stepup import StepUp

HERE = Path(__file__).resolve().parent
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
#: Seconds for which one code serves.
FIVE_MINUTES = 300
#: For a form that cannot be carried: opened after a code, it may be sent for longer.
FIFTEEN_MINUTES = 900

pages = Blueprint("pages", __name__)
csrf = CSRFProtect()
stepup = StepUp()


def create_app(backend: run_demo.Backend | None = None) -> Flask:
    """Return the app.

    :param backend: who checks the codes, and whose domains there are. Without one it
        is a sandbox on this machine.
    """
    backend = backend or run_demo.find_backend()
    app = Flask(__name__, root_path=str(HERE), instance_path=str(HERE / "instance"))
    app.config.update(
        # New at each start, which signs everybody out: a real app keeps its key, and
        # sets SESSION_COOKIE_SECURE, since it is served over HTTPS.
        SECRET_KEY=secrets.token_hex(),
        SESSION_COOKIE_NAME="signpost",
        SESSION_COOKIE_SAMESITE="Lax",
        # As long as the session: a form on a page that was left open, or kept through
        # the prompt, is not refused for its age.
        WTF_CSRF_TIME_LIMIT=None,
        STEPUP_LOGIN_URL="/sign-in",
        STEPUP_BASE_TEMPLATE="base.html",
        **backend.settings,
    )
    app.extensions["people"] = backend.people
    app.extensions["domains"] = {
        user_id: zones.domains_of(place) for place, user_id in enumerate(backend.people)
    }
    csrf.init_app(app)
    app.register_blueprint(pages)
    stepup.init_app(app)
    backend.add_code_panel(app)
    return app


@stepup.subject_loader
def who_is_asking() -> str | None:
    """The user id whose code is asked for, None where nobody is signed in."""
    user_id = session.get("user_id")
    return user_id if user_id in current_app.extensions["people"] else None


@pages.get("/")
def overview() -> ResponseReturnValue:
    return render_template("overview.html", domains=domains())


@pages.get("/domains/<name>")
def domain(name: str) -> ResponseReturnValue:
    return shown("records.html", domain=find(name), editing=request.args.get("edit"))


# A button. htmx is told 403, and where the prompt is; afterwards the person is on the
# page where they were, and presses it again.
@pages.delete("/domains/<name>/records/<int:number>")
@require_reverification(max_age=FIVE_MINUTES, reason="Change where your domain points")
def delete_record(name: str, number: int) -> ResponseReturnValue:
    deleted = find(name).records.pop(number, None) or abort(404)
    return done(name, f"Deleted: {deleted}")


# A part of the page, fetched by a link that leads to a page of its own without htmx.
@pages.get("/domains/<name>/transfer-code")
@require_reverification(max_age=FIVE_MINUTES, reason="Show the transfer code")
def transfer_code(name: str) -> ResponseReturnValue:
    return shown("transfer_code.html", domain=find(name), shows_code=True)


# Forms. Where htmx is told 403, the page sends the form without htmx, and so it is kept
# while the code is asked for, and sent again afterwards.
@pages.post("/domains/<name>/records")
@pages.post("/domains/<name>/records/<int:number>")
@require_reverification(max_age=FIVE_MINUTES, reason="Change where your domain points")
def save_record(name: str, number: int | None = None) -> ResponseReturnValue:
    zone = find(name)
    if number is not None and number not in zone.records:
        abort(404)
    try:
        typed = [request.form.get(name, "") for name in ("host", "kind", "value")]
        record = zones.read_record(*typed)
        if number is None:
            zone.add(record)
        else:
            zone.records[number] = record
    except zones.Refused as refused:
        return shown(
            "records.html",
            422,
            domain=zone,
            editing=str(number or "new"),
            refused=refused,
        )
    return done(name, f"{'Added' if number is None else 'Saved'}: {record}")


# A file, which no prompt can carry: the code is asked for before the form is shown, and
# is good for longer when it is sent.
@pages.get("/domains/<name>/import")
@require_reverification(max_age=FIVE_MINUTES, reason="Import records")
def import_form(name: str) -> ResponseReturnValue:
    return shown("import_form.html", domain=find(name), imports=True)


@pages.post("/domains/<name>/import")
@require_reverification(max_age=FIFTEEN_MINUTES, reason="Import records")
def import_records(name: str) -> ResponseReturnValue:
    zone, file = find(name), request.files.get("file")
    text = file.read().decode(errors="replace") if file else ""
    try:
        records = zones.read_records(text)
        zone.add(*records)
    except zones.Refused as refused:
        return shown(
            "import_form.html", 422, domain=zone, imports=True, import_refused=refused
        )
    return done(name, f"Imported: {', '.join(record.host for record in records)}")


@pages.post("/lock")
def lock() -> ResponseReturnValue:
    stepup.forget()
    flash("Locked again. The next change asks for a code.")
    return redirect(url_for(".overview"), 303)


@pages.get("/sign-in")
def sign_in() -> ResponseReturnValue:
    return render_template("sign_in.html", people=current_app.extensions["people"])


@pages.post("/sign-in")
def signing_in() -> ResponseReturnValue:
    stepup.forget()  # whoever was signed in here before
    session.clear()
    session["user_id"] = request.form.get("user_id")
    return redirect(page_of_ours(request.args.get("next", "")), 303)


@pages.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    try:
        stepup.forget()  # no old copy of the cookie opens anything from now on
    finally:
        session.clear()
    return redirect(url_for(".sign_in"), 303)


def domains() -> dict[str, zones.Domain]:
    """The signed-in person's."""
    if who_is_asking() is None:
        abort(ask_to_sign_in())
    of_all: dict[str, dict[str, zones.Domain]] = current_app.extensions["domains"]
    return of_all[session["user_id"]]


def find(name: str) -> zones.Domain:
    return domains().get(name) or abort(404)


def by_htmx() -> bool:
    return request.headers.get("HX-Request") == "true"


def shown(part: str, status: int = 200, **state: Any) -> ResponseReturnValue:
    """A part of the page to htmx, which puts it in its place; else all of the page."""
    template = part if by_htmx() else "domain.html"
    return render_template(template, **state), status


def done(name: str, message: str) -> ResponseReturnValue:
    """The records as they are now, and what has been done."""
    if by_htmx():
        return render_template("records.html", domain=find(name), done=message)
    flash(message)
    return redirect(url_for(".domain", name=name), 303)


def ask_to_sign_in() -> Response:
    """As the extension does where a guarded view is asked for.

    htmx would follow a redirect, and put the sign-in where a part of the page was.
    """
    if not by_htmx():
        return Response(status=303, headers={"Location": sign_in_url(request.path)})
    page = urlsplit(request.headers.get("HX-Current-URL", "")).path
    return Response(status=401, headers={"HX-Redirect": sign_in_url(page)})


def sign_in_url(page: str) -> str:
    return url_for("pages.sign_in", next=page_of_ours(page))


def page_of_ours(address: str) -> str:
    """Where to go on: from one of these pages, whatever an address says."""
    by_user = current_app.extensions["domains"].values()
    names = [name for of_one in by_user for name in of_one]
    pages_with_work = [url_for("pages.domain", name=name) for name in names]
    is_ours = address.partition("?")[0] in pages_with_work and address.isprintable()
    return address if is_ours else url_for("pages.overview")


@pages.app_context_processor
def for_templates() -> dict[str, Any]:
    people = current_app.extensions["people"]
    return {
        "by_htmx": by_htmx(),
        "customer": people.get(session.get("user_id")),
        "kinds": zones.KINDS,
    }


@pages.app_errorhandler(CSRFError)
def mistrust(error: CSRFError) -> ResponseReturnValue:
    # The token is in the session, and so a session that is over is told like this.
    return apologise(error) if who_is_asking() else ask_to_sign_in()


@pages.app_errorhandler(HTTPException)
def apologise(error: HTTPException) -> ResponseReturnValue:
    template = "notice.html" if by_htmx() else "error.html"
    page = render_template(template, error=error)
    return page, error.code or 500, error.get_headers()


@pages.after_app_request
def harden(response: Response) -> Response:
    # Added, not set: a browser obeys every policy, and the prompt brings its own.
    response.headers.add("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    # Of files Flask has said already how they may be kept.
    response.headers.setdefault("Cache-Control", "no-store")
    return response


@pages.after_app_request
def tell_by_notice(response: Response) -> Response:
    """Have htmx show an error above the page, and not in place of a part of it."""
    if by_htmx() and response.status_code >= 400:
        if response.is_json:  # the extension's own, such as 503 with its reason
            problem = response.get_json()
            response.set_data(render_template("notice.html", problem=problem))
            response.mimetype = "text/html"
        # With 422 comes a form, and what is to be mended in it.
        if response.status_code != 422:
            response.headers["HX-Retarget"] = "#notice"
            response.headers["HX-Reswap"] = "innerHTML"
    return response


if __name__ == "__main__":
    run_demo.serve(create_app)

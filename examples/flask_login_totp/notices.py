"""Notices, which go out once approved, and numbers that not everybody has to see."""

from __future__ import annotations

import time

from extensions import stepup
from flask import Blueprint
from flask import flash
from flask import redirect
from flask import render_template
from flask import request
from flask import url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_login import login_required
from storage import db
from users import Refused

from flask_stepup import require_reverification

pages = Blueprint("notices", __name__)

LONGEST_NOTICE = 280
MEMBERS = 48
#: Reserved for stories, and nobody's.
NUMBERS = {
    "Pool, front desk": "07700 900121",
    "Keyholder": "07700 900348",
    "First aid": "07700 900672",
    "Minibus": "07700 900915",
}


@pages.get("/")
@login_required
def overview() -> ResponseReturnValue:
    return _overview()


@pages.post("/")
@login_required
def send() -> ResponseReturnValue:
    try:
        text = _checked(request.form["text"])
    except Refused as refused:
        return _overview(refused), 422
    # After the form has been looked at: nobody gives a code for what cannot be done.
    # One code serves for one notice, with just this text, which the prompt shows. Below
    # this line it is approved.
    stepup.require(
        scope="notices",
        reason="Send a notice",
        bind={"To": f"{MEMBERS} members", "Notice": text},
    )
    db().execute(
        "INSERT INTO notices (user_id, text, sent_at) VALUES (?, ?, ?)",
        (current_user.user_id, text, int(time.time())),
    )
    flash(f"Sent to {MEMBERS} members.")
    return redirect(url_for(".overview"), 303)


@pages.get("/numbers")
@login_required
@require_reverification
def numbers() -> ResponseReturnValue:
    return render_template("numbers.html", numbers=NUMBERS)


def _overview(refused: Refused | None = None) -> str:
    sent = db().execute(
        "SELECT text, sent_at FROM notices WHERE user_id = ? ORDER BY id DESC LIMIT 20",
        (current_user.user_id,),
    )
    return render_template(
        "overview.html",
        notices=sent.fetchall(),
        members=MEMBERS,
        longest=LONGEST_NOTICE,
        refused=refused,
    )


def _checked(typed: str) -> str:
    text = " ".join(typed.split())
    if not text:
        raise Refused("text", "Write what everybody is to know.")
    if len(text) > LONGEST_NOTICE:
        raise Refused("text", f"Use at most {LONGEST_NOTICE} characters.")
    return text


@pages.app_template_filter()
def spoken(moment: int) -> str:
    """Return when something was, as people say it, by the server's clock."""
    then = time.localtime(moment)
    return f"{then.tm_mday} {time.strftime('%B', then)}, {time.strftime('%H:%M', then)}"

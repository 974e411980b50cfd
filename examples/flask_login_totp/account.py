"""The account: its address and password, and its end."""

from __future__ import annotations

from datetime import timedelta

import sessions
import users
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
from storage import transaction

from flask_stepup import require_reverification

pages = Blueprint("account", __name__)


@pages.get("/account")
@login_required
def overview() -> ResponseReturnValue:
    return render_template("account.html")


# POST alone: the form is shown to everybody, and what is typed into it is kept while
# the code is asked for.
@pages.route("/account/email", methods=["GET", "POST"])
@login_required
@require_reverification(
    max_age=timedelta(minutes=5), reason="Change your e-mail address", methods={"POST"}
)
def email() -> ResponseReturnValue:
    if request.method == "GET":
        return render_template("email.html")
    old = current_user.email
    try:
        users.change_email(current_user, request.form["email"])
    except users.Refused as refused:
        return render_template("email.html", refused=refused), 422
    # A real app has the new address confirmed, and tells the old one.
    flash(f"Your e-mail address has been changed from {old}.")
    return redirect(url_for(".overview"), 303)


# The page with the form too: passwords are not carried through the prompt, so that the
# code is better asked for before they are typed.
@pages.route("/account/password", methods=["GET", "POST"])
@login_required
@require_reverification(max_age=timedelta(minutes=5), reason="Change your password")
def password() -> ResponseReturnValue:
    if request.method == "GET":
        return render_template("password.html")
    try:
        _change_password(request.form["current_password"], request.form["new_password"])
    except users.Refused as refused:
        return render_template("password.html", refused=refused), 422
    flash("Your password has been changed. All other browsers are signed out.")
    return redirect(url_for(".overview"), 303)


# Once: a code that was given for something else deletes nothing.
@pages.route("/account/delete", methods=["GET", "POST"])
@login_required
@require_reverification(once=True, reason="Delete your account", methods={"POST"})
def delete() -> ResponseReturnValue:
    if request.method == "GET":
        return render_template("delete.html")
    with transaction() as db:
        users.delete(db, current_user.user_id)
        stepup.revoke(current_user.user_id)
    sessions.end()
    flash("Your account is deleted.")
    return redirect(url_for("sign_in.sign_in"), 303)


def _change_password(current: str, new: str) -> None:
    user_id = current_user.user_id
    if not current_user.has_password(current):
        raise users.Refused("current_password", "That is not your current password.")
    with transaction() as db:
        users.change_password(db, current_user, new)
        sessions.end_everywhere(db, user_id)
    # This browser stays, with the password that it has just told.
    user = users.with_id(user_id)
    assert user
    sessions.begin(user)

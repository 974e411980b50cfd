"""Signing up, in and out: the first factor."""

from __future__ import annotations

import re

import sessions
import users
from flask import Blueprint
from flask import flash
from flask import redirect
from flask import render_template
from flask import request
from flask import url_for
from flask.typing import ResponseReturnValue

pages = Blueprint("sign_in", __name__)

#: A path of ours. Two slashes would be another host, browsers read a backslash as a
#: slash, and leave out tabs and line ends, wherever they are.
PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")


@pages.route("/sign-up", methods=["GET", "POST"])
def sign_up() -> ResponseReturnValue:
    if request.method == "GET":
        return render_template("sign_up.html")
    try:
        user = users.sign_up(request.form["email"], request.form["password"])
    except users.Refused as refused:
        return render_template("sign_up.html", refused=refused), 422
    sessions.begin(user)
    return redirect(url_for("enrolment.set_up"), 303)


# People come here to begin, and with a session whose password is too long ago. How
# often a password may be tried is for Flask-Limiter, or the proxy, to limit: by address
# and by account.
@pages.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    if request.method == "GET":
        return render_template("sign_in.html")
    user = users.with_password(request.form["email"], request.form["password"])
    if user is None:
        refused = users.Refused("password", "That address and password do not match.")
        return render_template("sign_in.html", refused=refused), 422
    sessions.begin(user)
    return redirect(_next_page(), 303)


@pages.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    sessions.end()
    flash("You are signed out.")
    return redirect(url_for(".sign_in"), 303)


def _next_page() -> str:
    wanted = request.args.get("next", "")
    return wanted if PATH.fullmatch(wanted) else url_for("notices.overview")

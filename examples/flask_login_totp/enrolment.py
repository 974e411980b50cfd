"""Setting an authenticator up, and replacing it; backup codes, shown once."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import authenticators
import backup_codes
import sessions
import users
from extensions import stepup
from flask import Blueprint
from flask import flash
from flask import Flask
from flask import redirect
from flask import render_template
from flask import request
from flask import session
from flask import url_for
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_login import login_required
from flask_login import login_user
from storage import transaction

from flask_stepup import IncorrectCode
from flask_stepup import require_reverification
from flask_stepup import TOTPVerifier
from flask_stepup.errors import CodeAlreadyUsed
from flask_stepup.signals import reverification_succeeded

pages = Blueprint("enrolment", __name__)

#: Seconds that a password, or a code, is leave to set an authenticator up.
FRESH = 600


@pages.get("/authenticator")
@login_required
def set_up() -> ResponseReturnValue:
    require_leave_to_enrol(authenticators.secret_of(current_user.user_id), FRESH)
    # A page that is loaded again shows the same code: the phone may have it by now.
    secret = authenticators.pending(session.get("pending"), current_user.user_id)
    if secret is None:
        session["pending"], secret = authenticators.begin(current_user.user_id)
    return _set_up_page(secret)


@pages.post("/authenticator")
@login_required
def confirm() -> ResponseReturnValue:
    user_id, name = current_user.user_id, session.get("pending")
    old = authenticators.secret_of(user_id)
    # What was fresh when the QR code was shown lasts as long as that code does.
    require_leave_to_enrol(old, FRESH + authenticators.PENDING_FOR)
    secret = authenticators.pending(name, user_id)
    if secret is None:
        flash("That QR code is used, or too old. Nothing has been changed.")
        return redirect(url_for("account.overview"), 303)
    try:
        code = "".join(request.form["otp"].split())
        TOTPVerifier(lambda _: secret).verify(user_id, code)
    except IncorrectCode:
        return _set_up_page(secret, is_wrong=True), 422
    sheet = backup_codes.new_sheet()
    with transaction() as db:
        if not authenticators.keep(db, name, user_id, old):
            return redirect(url_for("account.overview"), 303)
        sheet.keep(db, user_id)
        sessions.end_everywhere(db, user_id)
    # This browser stays: a code was checked in this very request. The others, and
    # whoever may sit there, have to sign in again.
    session.pop("pending")
    login_user(users.with_id(user_id))
    # If the authenticator before has just shown the same digits, one more is asked for.
    with suppress(CodeAlreadyUsed):
        stepup.grant(code=code)
    return render_template("backup_codes.html", sheet=sheet, is_new_authenticator=True)


@pages.post("/backup-codes")
@login_required
@require_reverification(
    scope="authenticator", once=True, reason="Show new backup codes"
)
def new_backup_codes() -> ResponseReturnValue:
    sheet = backup_codes.new_sheet()
    with transaction() as db:
        sheet.keep(db, current_user.user_id)
    return render_template("backup_codes.html", sheet=sheet)


def require_leave_to_enrol(old: str | None, max_age: int) -> None:
    """Return if this person may set an authenticator up.

    The first takes a password that was typed lately: with nothing but a session that
    somebody left open, a stranger could make the account theirs. Another one takes the
    one before, or a backup code, and in a scope of its own: that somebody has just
    looked at something else does not open it.

    :param old: the secret that this person has.
    """
    if old is None:
        stepup.require(level="first_factor", max_age=max_age)
    else:
        stepup.require(
            scope="authenticator",
            max_age=max_age,
            reason="Replace your authenticator",
        )


@pages.app_context_processor
def tell_of_second_factor() -> dict[str, Any]:
    """What every page may tell: is there a second factor, and are there codes left."""
    if not current_user.is_authenticated:
        return {}
    return {
        "is_enrolled": authenticators.secret_of(current_user.user_id) is not None,
        "codes_left": backup_codes.left(current_user.user_id),
        "codes_run_low": backup_codes.LOW,
    }


@pages.record
def watch(state: BlueprintSetupState) -> None:
    reverification_succeeded.connect(tell_of_backup_code, state.app)


def tell_of_backup_code(sender: Flask, user_id: str, code_type: str, **_: Any) -> None:
    """Say on the next page that a backup code is gone."""
    if code_type == "backup_code":
        left = backup_codes.left(user_id)
        flash(f"That was a backup code, and is used up. You have {left} left.")


def _set_up_page(secret: str, is_wrong: bool = False) -> str:
    uri = authenticators.otpauth_uri(secret, current_user.email)
    return render_template(
        "set_up.html",
        qr_code=authenticators.qr_code(uri),
        uri=uri,
        groups=[secret[i : i + 4] for i in range(0, len(secret), 4)],
        is_wrong=is_wrong,
    )

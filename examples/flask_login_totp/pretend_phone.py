"""Only in the demo: a phone beside each page, with the authenticator app on it.

Nothing of this belongs in a real app: whoever sees the page sees the codes. The app
does not know of it; ``serve_demo`` adds it. Its screen is a frame that loads itself
again when the codes change, so that no page needs a script for it.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections import deque
from collections.abc import Iterator
from typing import Any

import authenticators
import pyotp
from flask import Blueprint
from flask import Flask
from flask import make_response
from flask import render_template
from flask import request
from flask import Response
from flask import session
from flask_login import current_user

from flask_stepup.signals import reverification_succeeded

#: Seconds that a code is shown (RFC 6238, 5.2).
STEP = 30


def add_pretend_phone(app: Flask) -> None:
    """Show the phone on all pages."""
    phone = Blueprint("pretend_phone", __name__)
    used: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=3))

    @phone.get("/pretend-phone")
    def screen() -> Response:
        left = STEP - int(time.time()) % STEP
        response = make_response(
            render_template("phone_screen.html", entries=list(entries(used)), left=left)
        )
        response.headers["Refresh"] = str(left)
        return response

    @phone.app_context_processor
    def show() -> dict[str, Any]:
        return {"has_pretend_phone": True}

    def cross_out(sender: Flask, user_id: str, **_: Any) -> None:
        # The signal does not carry the code, but the request in which it is sent does.
        note(user_id, request.form["code"])

    def note(user_id: str, typed: str) -> None:
        used[user_id].append("".join(filter(str.isalnum, typed)))

    @phone.after_app_request
    def cross_out_what_confirms(response: Response) -> Response:
        if request.endpoint == "enrolment.confirm" and response.status_code == 200:
            note(current_user.user_id, request.form["otp"])
        return response

    reverification_succeeded.connect(cross_out, app, weak=False)
    app.register_blueprint(phone)


def entries(used: dict[str, deque[str]]) -> Iterator[dict[str, Any]]:
    """What the app on the phone lists: an authenticator, and one that is to be one."""
    if not current_user.is_authenticated:
        return
    user_id = current_user.user_id
    secrets = {
        "": authenticators.secret_of(user_id),
        "new": authenticators.pending(session.get("pending"), user_id),
    }
    for name, secret in secrets.items():
        if secret:
            code = pyotp.TOTP(secret).now()
            yield {
                "name": name,
                "code": f"{code[:3]} {code[3:]}",
                "is_used": code in used[user_id],
            }

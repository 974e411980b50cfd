"""The demo's authenticator: what would be on a phone is on the page, kept up by htmx.

Nothing of this belongs in a real app: whoever sees the page sees the code.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from typing import Any

import segno
from flask import Blueprint
from flask import Flask
from flask import render_template
from flask import request
from flask import session
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from flask_stepup.sandbox import SandboxUser
from flask_stepup.signals import reverification_succeeded

#: Seconds that a code is shown (RFC 6238, 5.2).
STEP = 30


class Phone:
    """One person's authenticator app."""

    def __init__(self, user: SandboxUser) -> None:
        self.user = user
        #: Codes that have opened something, which they do only once.
        self.used: deque[str] = deque(maxlen=3)

    def shown(self) -> dict[str, Any]:
        """Return the code of the moment, or the next one where that is used already.

        A phone would let you wait. The sandbox takes the next code early.
        """
        seconds = STEP - int(time.time()) % STEP
        codes = [self.user.current_code(step) for step in (0, 1)]
        fresh = [code for code in codes if code not in self.used]
        code = fresh[0] if fresh else codes[0]
        return {
            "code": f"{code[:3]} {code[3:]}",
            "used": not fresh,
            "seconds": seconds if code == codes[0] else seconds + STEP,
        }

    def qr_code(self) -> Markup:
        """Return what a real phone scans, as SVG."""
        drawing = segno.make(self.user.otpauth_uri, micro=False)
        svg = drawing.svg_inline(border=3, omitsize=True, light="#fff", svgclass="qr")
        return Markup(svg)  # noqa: S704 - drawn by us


def code_panel(app: Flask, users: Iterable[SandboxUser]) -> Blueprint:
    """Return the panel, to be included by the pages of the app."""
    panel = Blueprint("code_panel", __name__)
    phones = {user.user_id: Phone(user) for user in users}

    @panel.get("/code")
    def code_of_the_moment() -> ResponseReturnValue:
        phone = phones.get(session.get("user_id", ""))
        # With 204 htmx leaves the page as it is.
        return render_template("code.html", phone=phone) if phone else ("", 204)

    @panel.app_context_processor
    def show() -> dict[str, Any]:
        return {"phone": phones.get(session.get("user_id", ""))}

    @reverification_succeeded.connect_via(app)
    def cross_out(sender: Flask, user_id: str, code_type: str, **_: Any) -> None:
        # The signal does not carry the code, but the request in which it is sent does.
        phones[user_id].used.append("".join(filter(str.isalnum, request.form["code"])))

    return panel

"""The demo's authenticator: what would be on a phone is on the page.

Nothing of this belongs in a real app: whoever sees the page sees the code.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import segno
from flask import abort
from flask import Blueprint
from flask import Flask
from flask import g
from flask import request
from markupsafe import Markup

from flask_stepup.sandbox import SandboxUser
from flask_stepup.signals import reverification_succeeded

#: Seconds that a code is shown (RFC 6238, 5.2).
STEP = 30


@dataclass
class Authenticator:
    """One person's phone and slip of backup codes."""

    user: SandboxUser
    #: Codes that have opened something, which they do only once.
    used: deque[str] = field(default_factory=lambda: deque(maxlen=3))
    used_backup_codes: set[str] = field(default_factory=set)

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
            "backup_codes": [
                backup_code
                for backup_code in self.user.backup_codes
                if backup_code not in self.used_backup_codes
            ],
        }

    def cross_out(self, code: str, code_type: str) -> None:
        """Remember that a code has been used."""
        if code_type == "backup_code":
            self.used_backup_codes.add(code)
        else:
            self.used.append(code)

    def qr_code(self) -> Markup:
        """Return what a phone scans, as SVG."""
        drawing = segno.make(self.user.otpauth_uri, micro=False)
        svg = drawing.svg_inline(border=3, omitsize=True, light="#fff", svgclass="qr")
        return Markup(svg)  # noqa: S704 - drawn by us


def authenticator(app: Flask, users: Iterable[SandboxUser]) -> Blueprint:
    """Return the panel, to be included by the pages of the app."""
    panel = Blueprint("authenticator", __name__)
    phones = {user.user_id: Authenticator(user) for user in users}

    @panel.get("/authenticator")
    def code_of_the_moment() -> dict[str, Any]:
        if not g.customer:
            abort(401)
        return phones[g.customer.user_id].shown()

    @panel.app_context_processor
    def show() -> dict[str, Any]:
        return {"authenticator": phones[g.customer.user_id]} if g.customer else {}

    @reverification_succeeded.connect_via(app)
    def cross_out(sender: Flask, user_id: str, code_type: str, **_: Any) -> None:
        # The signal does not carry the code, but the request in which it is sent does.
        typed = filter(str.isalnum, request.form.get("code", ""))
        phones[user_id].cross_out("".join(typed), code_type)

    return panel

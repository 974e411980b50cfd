"""Dovecote, the example that keeps TOTP secrets itself, and people who use it."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

import pyotp
from flask import Flask
from flask.testing import FlaskClient
from people import PAGE
from people import Prompt
from werkzeug.test import TestResponse

EXAMPLE = Path(__file__).parent.parent / "examples" / "flask_login_totp"
SCRIPT = "examples/flask_login_totp/app.py"
PASSWORD = "correct horse battery"


@dataclass
class Member:
    """Somebody with a browser, a phone, and a slip of backup codes."""

    app: Flask
    email: str = "alice@example.org"
    password: str = PASSWORD
    secret: str = ""
    backup_codes: list[str] = field(default_factory=list)
    client: FlaskClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.app.test_client()

    def open(self, path: str, method: str = "GET", **kwargs: Any) -> TestResponse:
        return self.client.open(path, method=method, headers=PAGE, **kwargs)

    def post(self, path: str, **data: str) -> TestResponse:
        """Send a form as its page does, with the token that is on every page."""
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.text("/sign-in"))
        assert token
        return self.open(path, "POST", data={"csrf_token": token[1]} | data)

    def text(self, path: str) -> str:
        return self.open(path).text

    def says(self, path: str) -> str:
        """What is read on a page."""
        return Prompt(self.open(path)).says

    # The first factor

    def sign_up(self) -> TestResponse:
        return self.post("/sign-up", email=self.email, password=self.password)

    def sign_in(self, path: str = "/sign-in") -> TestResponse:
        return self.post(path, email=self.email, password=self.password)

    def in_another_browser(self) -> Member:
        """The same person, signed in a second time."""
        other = Member(self.app, self.email, self.password)
        other.sign_in()
        return other

    def with_the_same_cookie(self) -> Member:
        """Another tab, or a thief."""
        other = Member(self.app, self.email)
        other.put_back(self.cookie())
        return other

    def cookie(self) -> str:
        cookie = self.client.get_cookie("dovecote")
        assert cookie
        return cookie.value

    def put_back(self, cookie: str) -> None:
        self.client.set_cookie("dovecote", cookie)

    # The second

    def scan(self) -> str:
        """Open the page with the QR code; return the secret that stands there."""
        response = self.open("/authenticator")
        assert response.status_code == 200, response.location
        key = response.text.partition('class="secret"')[2].partition("</p>")[0]
        return "".join(re.findall(r"<code>(\w+)</code>", key))

    def enrol(self) -> TestResponse:
        """Set up the authenticator on the page, and write the backup codes down."""
        secret = self.scan()
        response = self.post("/authenticator", otp=pyotp.TOTP(secret).now())
        if response.status_code == 200:
            self.secret, self.backup_codes = secret, backup_codes(response)
        return response

    def code(self) -> str:
        """The code that the phone shows."""
        return pyotp.TOTP(self.secret).now()

    def prompted(self, path: str) -> Prompt:
        """Open a page, and be asked for a code."""
        response = self.open(path)
        assert response.status_code == 303
        assert response.location.startswith("/stepup/?challenge=")
        return Prompt(self.open(response.location))

    def asked(self, path: str, **data: str) -> Prompt:
        """Send a form, and be asked for a code."""
        response = self.post(path, **data)
        assert response.status_code == 403
        return Prompt(response)

    def answer(self, prompt: Prompt, code: str) -> TestResponse:
        data = {"challenge": prompt.challenge, "code": code}
        return self.open("/stepup/", "POST", data=data)

    def go_on(self, response: TestResponse, **again: str) -> TestResponse:
        """Press the button of the page that sends the form on."""
        assert response.status_code == 200, response.text
        form = re.search(r'action="([^"]+)" enctype="([^"]+)"', response.text)
        assert form
        return self.open(
            form[1],
            "POST",
            data=Prompt(response).fields | again,
            content_type=html.unescape(form[2]),
        )

    def step_up(self, path: str, code: str) -> TestResponse:
        """Go through the prompt with a right code; return the page behind it."""
        response = self.answer(self.prompted(path), code)
        assert response.status_code == 303, response.text
        return self.open(path)


def backup_codes(response: TestResponse) -> list[str]:
    """The codes that a page shows."""
    return re.findall(r"<li><code>([\w-]+)</code></li>", response.text)

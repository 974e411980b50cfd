"""People in front of an app: with a browser that shows pages, and with codes."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from flask_stepup import IncorrectCode
from flask_stepup import Verification

#: What browsers send with a navigation.
PAGE = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "same-origin",
}


class Codes:
    """A verifier that knows a right code when it begins with ``right``."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.raises: Exception | None = None
        self.meanwhile: Callable[[], object] = list

    def verify(self, user_id: str, code: str) -> Verification:
        self.asked.append((user_id, code))
        self.meanwhile()
        if self.raises:
            raise self.raises
        if code.startswith("right"):
            return Verification("backup_code")
        raise IncorrectCode


@dataclass
class Prompt:
    """A prompt on a page: its form, and what it says."""

    response: TestResponse

    @property
    def fields(self) -> dict[str, str]:
        """The hidden fields of the form."""
        found = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', self.text)
        return {name: html.unescape(value) for name, value in found}

    @property
    def challenge(self) -> str:
        return self.fields["challenge"]

    @property
    def text(self) -> str:
        return self.response.text

    @property
    def says(self) -> str:
        """What a person reads, on one line."""
        body = self.text.partition("<body")[2]
        return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", "<" + body)).split())


class Person:
    """A browser with a cookie jar, signed in as somebody."""

    def __init__(self, app: Flask, user_id: str | None = None) -> None:
        self.app = app
        self.client = app.test_client()
        if user_id is not None:
            self.client.get(f"/sign-in/{user_id}")

    def open(self, path: str, method: str = "GET", **kwargs: Any) -> TestResponse:
        """Request a page, as a browser does."""
        headers = PAGE | kwargs.pop("headers", {})
        return self.client.open(path, method=method, headers=headers, **kwargs)

    def prompted(self, path: str = "/vault", method: str = "GET") -> Prompt:
        """Go where a prompt is expected, and return it."""
        response = self.open(path, method)
        if response.status_code == 303:
            response = self.open(response.location)
        return Prompt(response)

    def answer(self, prompt: Prompt, code: str, **kwargs: Any) -> TestResponse:
        """Fill the prompt in and submit it."""
        data = prompt.fields | {"code": code}
        return self.open("/stepup/", "POST", data=data, **kwargs)

    def step_up(self, code: str, path: str = "/vault") -> TestResponse:
        """Go through the prompt with a right code."""
        response = self.answer(self.prompted(path), code)
        assert response.status_code == 303, response.text
        return response

    def json(self, path: str = "/vault", method: str = "GET", **kw: Any) -> Any:
        """Request as a program does, that says nothing about what it accepts."""
        return self.client.open(path, method=method, **kw)

    def cookie(self) -> str:
        """The session cookie as it is now."""
        cookie = self.client.get_cookie("session")
        assert cookie
        return cookie.value

    def put_back(self, cookie: str) -> None:
        """Put an old session cookie back."""
        self.client.set_cookie("session", cookie)

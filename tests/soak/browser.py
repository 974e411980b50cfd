"""A browser, or a program with a cookie, that remembers all it asked and got."""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from http.client import HTTPException
from itertools import count
from threading import Barrier
from typing import Any
from urllib.parse import urlencode

from people import PAGE

from .evidence import Asked
from .evidence import CUT
from .evidence import HUNG

#: Seconds after which no answer is none: everything that is waited for is bounded, and
#: by less than this.
PATIENCE = 40.0
OPENED = (200, 303)

_references = count()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    text: str = ""
    cookie: str | None = None
    retry_after: bool = False

    @property
    def opened(self) -> bool:
        """Whether what was asked for is done."""
        return self.status in OPENED

    @property
    def facts(self) -> dict[str, Any]:
        """The JSON of an answer that is some."""
        try:
            facts = json.loads(self.text)
        except ValueError:
            return {}
        return facts if isinstance(facts, dict) else {}

    @property
    def challenge(self) -> str:
        """The challenge in JSON, or in the form of a page; empty without one."""
        found = re.search(r'name="challenge" value="([^"]*)"', self.text)
        return html.unescape(found[1]) if found else self.facts.get("challenge", "")


class Browser:
    """One person's browser, with a connection that is kept alive.

    :param port: of the app, on this machine.
    :param asked: where each request is written down.
    :param pages: whether to ask for pages, or as a program does.
    :param cookie: of the session.
    :param proved: whether a right code was answered into this cookie.
    """

    def __init__(
        self,
        port: int,
        asked: list[Asked],
        user: str = "",
        *,
        pages: bool = False,
        cookie: str = "",
        proved: bool = False,
    ) -> None:
        self.user = user
        self.pages = pages
        self.cookie = cookie
        self.proved = proved
        self._port = port
        self._asked = asked
        self._connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def copy(self) -> Browser:
        """The same session over another connection."""
        return Browser(
            self._port,
            self._asked,
            self.user,
            pages=self.pages,
            cookie=self.cookie,
            proved=self.proved,
        )

    def connect(self) -> None:
        """Be ready to ask at once; whoever is not there is found out then."""
        with suppress(OSError):
            self._connection.connect()

    def sign_in(self) -> bool:
        """Have the app take us for our user, in a session that is new."""
        self.cookie, self.proved = "", False
        answer = self._ask("sign-in", "POST", "/sign-in", {"user": self.user})
        return answer.status == 200

    def open(self) -> None:
        """Go where everybody may."""
        self._ask("open", "GET", "/open")

    def vault(self) -> Answer:
        """Go where a standing marker is needed."""
        return self._ask("vault", "GET", "/vault")

    def transfer(self, to: str, amount: int, *, approved: bool = False) -> Answer:
        """Do what needs an approval.

        :param approved: whether there is one, of just this, in our cookie.
        """
        form = {"to": to, "amount": str(amount)}
        return self._ask(
            "transfer", "POST", "/transfer", form, transfer=to, proved=approved
        )

    def verify(self, challenge: str, code: str, *, transfer: str = "") -> Answer:
        """Submit a code; a right one is good for what was challenged.

        :param transfer: that it would approve; otherwise it proves who we are.
        """
        form = {"challenge": challenge, "code": code}
        answer = self._ask(
            "verify", "POST", "/stepup/", form, code=code, transfer=transfer
        )
        if answer.opened and not transfer:
            self.proved = True
        return answer

    def end(self, way: str) -> Answer:
        """End our elevation: ``forget`` or ``revoke``; nothing is proved afterwards."""
        answer = self._ask(way, "POST", f"/{way}", {})
        if answer.status == 200:
            self.proved = False
        return answer

    def _ask(
        self,
        kind: str,
        method: str,
        path: str,
        form: dict[str, str] | None = None,
        *,
        proved: bool | None = None,
        **details: str,
    ) -> Answer:
        reference = f"r{next(_references)}"
        # What the cookie holds when it is sent.
        proved = self.proved if proved is None else proved
        sent = time.time()
        answer = self._send(method, path, form, reference)
        done = time.time()
        if answer.cookie is not None:
            self.cookie = answer.cookie
        facts = answer.facts
        self._asked.append(
            Asked(
                reference,
                self.user,
                kind,
                sent,
                done,
                answer.status,
                problem=facts.get("code", ""),
                remaining=facts.get("attempts_remaining"),
                retry_after=answer.retry_after,
                proved=proved,
                **details,
            )
        )
        return answer

    def _send(
        self, method: str, path: str, form: dict[str, str] | None, reference: str
    ) -> Answer:
        headers = {"X-Reference": reference, "Cookie": self.cookie}
        headers |= PAGE if self.pages else {"Accept": "application/json"}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            body = None if form is None else urlencode(form)
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
            text = response.read().decode()
        except TimeoutError:
            self._connection.close()
            return Answer(HUNG)
        except (OSError, HTTPException):
            # Whoever was to answer is dead; what has become of it, nobody knows.
            self._connection.close()
            return Answer(CUT)
        if "Date" not in response.headers:
            # Not of the app: gunicorn says 500 on each connection of greenlets that it
            # ends with a worker, those that nobody asks for anything among them.
            self._connection.close()
            return Answer(CUT)
        cookie = response.headers.get("Set-Cookie")
        return Answer(
            response.status,
            text,
            None if cookie is None else cookie.partition(";")[0],
            "Retry-After" in response.headers,
        )


def at_once(
    browser: Browser, times: int, act: Callable[..., Answer], *args: Any, **kwargs: Any
) -> bool:
    """Do the same over several connections at the same moment.

    :param act: takes a browser, and the other arguments.

    :returns: whether one of them opened; the browser goes on with its session.
    """
    line = Barrier(times)
    copies = [browser.copy() for _ in range(times)]

    def start(copy: Browser) -> Answer:
        with copy:
            copy.connect()
            line.wait(PATIENCE)
            return act(copy, *args, **kwargs)

    with ThreadPoolExecutor(times) as pool:
        answers = list(pool.map(start, copies))
    for copy, answer in zip(copies, answers, strict=True):
        if answer.opened:
            browser.cookie, browser.proved = copy.cookie, copy.proved
            return True
    return False

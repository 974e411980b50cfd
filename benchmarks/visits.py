"""Requests to a WSGI app: of somebody who signs in, and one that is repeated."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from io import BytesIO
from typing import Any

from werkzeug.test import Client
from werkzeug.test import EnvironBuilder
from werkzeug.test import TestResponse

#: What a program sends, so that it is told no pages.
PROGRAM = {"Accept": "application/json"}
#: What a browser sends with a navigation.
BROWSER = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "same-origin",
}


#: What servers tell an app of the connection.
PEER = {"REMOTE_ADDR": "127.0.0.1"}


class Visitor:
    """Somebody with a cookie jar."""

    def __init__(self, app: Any) -> None:
        self._client = Client(app, TestResponse)

    def open(
        self, path: str, method: str = "GET", headers: Any = PROGRAM, **body: Any
    ) -> TestResponse:
        """Make a request, and keep the cookies of its answer."""
        sent = {"method": method, "headers": headers, "environ_base": PEER}
        return self._client.open(path, **sent, **body)

    @property
    def cookies(self) -> str:
        """What the visitor would send now, as a header."""
        found = getattr(self._client, "_cookies", {}).values()
        return "; ".join(f"{cookie.key}={cookie.value}" for cookie in found)


def environ_of(
    path: str,
    cookies: str = "",
    method: str = "GET",
    headers: Any = PROGRAM,
    **body: Any,
) -> dict[str, Any]:
    """Return the WSGI environ of a request."""
    sent = dict(headers) | ({"Cookie": cookies} if cookies else {})
    builder = EnvironBuilder(
        path, method=method, headers=sent, environ_base=PEER, **body
    )
    return dict(builder.get_environ())


def answer_of(app: Any, environ: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of an answer."""
    told: list[Any] = []
    body = b"".join(_body(app, environ, lambda *args: told.append(args)))
    status, headers, *_ = told[0]
    return int(status[:3]), dict(headers), body


def repeated(app: Any, environ: dict[str, Any]) -> Callable[[], None]:
    """Return a function that makes the request once, and takes the answer whole."""
    # Once for all: what a server would read from its socket.
    sent = environ["wsgi.input"].read()

    def ignore(status: str, headers: Any, exc_info: Any = None) -> None:
        pass

    def call() -> None:
        again = environ.copy()
        if sent:
            again["wsgi.input"] = BytesIO(sent)
        body = app(again, ignore)
        for _ in body:
            pass
        close = getattr(body, "close", None)
        if close:
            close()

    return call


def _body(app: Any, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
    body = app(environ.copy(), start)
    yield from body
    close = getattr(body, "close", None)
    if close:
        close()

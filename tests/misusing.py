"""Requests that no client library would send, and what is wrong with their answers."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from io import StringIO
from itertools import cycle
from math import gcd
from typing import Any

from conftest import signed_in
from flask import Blueprint
from flask import Flask
from flask import got_request_exception
from flask import request
from people import Codes
from people import PAGE
from people import Person

from flask_stepup import require_reverification
from flask_stepup import StepUp
from flask_stepup import Subject

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"
JSON = "application/json"
#: What each kind of client sends; the browsers without Fetch Metadata are old ones.
PROGRAM: dict[str, str] = {}
OLD_PAGE = {"Accept": "text/html"}
HTMX = {"HX-Request": "true"}
BEARER = {"Authorization": "Bearer x"}
KINDS = (PAGE, OLD_PAGE, PROGRAM, HTMX, BEARER)
#: Everything of ours that can be asked for, and a view guarded in each way.
ENDPOINTS = (
    ("GET", "/stepup/"),
    ("POST", "/stepup/"),
    ("GET", "/stepup/status"),
    ("GET", "/vault"),
    ("POST", "/vault"),
    ("POST", "/once"),
    ("POST", "/send"),
    ("POST", "/send/bob"),
    ("POST", "/inside"),
    ("POST", "/reads"),
    ("POST", "/area"),
    ("GET", "/first"),
    ("GET", "/any/x"),
    ("POST", "/any/x"),
    ("GET", "/asks"),
    ("POST", "/asks"),
    ("GET", "/forget"),
)
POSTS = tuple(path for method, path in ENDPOINTS if method == "POST")
SENT = b"to=bob&amount=1&challenge=x&code=1"

Environ = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What was answered, as it was handed to the server."""

    status: int
    headers: list[tuple[str, str]]
    text: str

    def header(self, name: str) -> str | None:
        return next((v for n, v in self.headers if n.lower() == name.lower()), None)


def doors_of(app: Flask, stepup: StepUp) -> Flask:
    """Guard views in every way there is; ``runs`` tells which of them ran."""
    runs: list[str] = app.extensions["runs"]

    def route(rule: str, *methods: str, **demands: Any) -> None:
        def view(**_arguments: Any) -> str:
            runs.append(rule)
            return "open"

        guarded = require_reverification(view, **demands) if demands else view
        app.add_url_rule(rule, rule, guarded, methods=methods)

    route("/once", "POST", "PUT", "PATCH", "DELETE", once=True)
    route("/send", "POST", bind=("to", "amount"))
    route("/send/<to>", "POST", bind=("to", "amount"))
    route("/first", "GET", "POST", level="first_factor")
    route("/any/<path:rest>", "GET", "POST", scope="any")

    def inside(reads_first: bool = False) -> str:
        if reads_first:
            # As views do that look at what was sent before they ask.
            _ = request.form
        stepup.require(once=True)
        runs.append("inside")
        return "open"

    def asks() -> str:
        if stepup.is_reverified() or stepup.is_reverified(bind=("to",)):
            runs.append("asks")
        return "asked"

    app.add_url_rule("/inside", "inside", inside, methods=["POST"])
    app.add_url_rule("/reads", "reads", lambda: inside(True), methods=["POST"])
    app.add_url_rule("/asks", "asks", asks, methods=["GET", "POST"])
    app.add_url_rule("/forget", "forget", lambda: str(stepup.forget()))
    area = Blueprint("area", __name__)
    stepup.protect(area)
    area.add_url_rule("/area", "x", lambda: runs.append("area"), methods=["POST"])
    app.register_blueprint(area)
    return app


def app_in_memory() -> Flask:
    """An app in which everybody is alice; ``/runs`` tells which views ran."""
    app = Flask("bank")
    app.config.update(SECRET_KEY="k" * 32, STEPUP_STORAGE_URI="memory://")
    alice = Subject("alice", "login")
    stepup = StepUp(app, verifier=Codes(), subject_loader=lambda: alice)
    runs = app.extensions["runs"] = []

    @require_reverification
    def vault() -> str:
        runs.append("vault")
        return "open"

    app.add_url_rule("/vault", "vault", vault, methods=["GET", "POST"])
    app.add_url_rule("/runs", "runs", lambda: runs)
    return doors_of(app, stepup)


def in_login() -> Subject | None:
    """Who has signed in, in a session that bearers' markers can be bound to."""
    user_id = signed_in()
    return None if user_id is None else Subject(user_id, "login")


def environ_of(
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    **more: Any,
) -> Environ:
    """What a server hands on, nothing checked; ``None`` leaves something out.

    All text is in it as latin-1, one character a byte.
    """
    path, _, query = path.partition("?")
    environ: Environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(body),
        "wsgi.errors": StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if body:
        environ |= {"CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": FORM}
    for name, value in (headers or {}).items():
        key = name.upper().replace("-", "_")
        environ[key if key.startswith("CONTENT_") else f"HTTP_{key}"] = value
    return {k: v for k, v in (environ | more).items() if v is not None}


def cookie_of(app: Flask, **state: Any) -> dict[str, str]:
    """The header of a session that holds this, signed by the app."""
    interface: Any = app.session_interface
    return {"Cookie": f"session={interface.get_signing_serializer(app).dumps(state)}"}


class Callers:
    """Clients of every kind, who take turns: alice's, and those of nobody.

    :param state: what else is in alice's session.
    """

    def __init__(self, app: Flask, **state: Any) -> None:
        alice = cookie_of(app, user_id="alice", **state)
        callers = [*(kind | alice for kind in KINDS), PAGE]
        # Without a common divisor each caller comes to each endpoint in time.
        assert gcd(len(callers), len(ENDPOINTS)) == 1
        self._callers = cycle(callers)

    def everywhere(self) -> Iterator[tuple[str, str, dict[str, str], bytes]]:
        """Method, path, headers and body of a request to each endpoint."""
        for (method, path), caller in zip(ENDPOINTS, self._callers, strict=False):
            yield method, path, {**caller}, b"" if method == "GET" else SENT


def send(app: Flask, environ: Environ) -> Answer:
    """Ask the app, and take its answer as a strict server does."""
    begun: list[tuple[int, list[tuple[str, str]]]] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], _exc_info: Any = None
    ) -> None:
        for name, value in headers:
            written = f"{name}: {value}".encode("latin-1")
            assert not set(written) & set(b"\r\n\0"), name
        begun.append((int(status[:3]), headers))

    answer: Any = app(environ, start_response)
    try:
        text = b"".join(answer).decode()
    finally:
        if hasattr(answer, "close"):
            answer.close()
    return Answer(*begun[-1], text)


def faults(
    app: Flask, environs: Iterable[Environ], meant: tuple[int, ...] = ()
) -> list[str]:
    """What is wrong with the answers: crashes, 5xx, headers that are none, open views.

    :param meant: a status above 499 that is no fault.
    """
    raises = app.testing, app.debug, app.config["PROPAGATE_EXCEPTIONS"]
    assert not any(raises)
    runs: list[str] = app.extensions["runs"]
    runs.clear()
    found: list[str] = []
    raised: list[BaseException] = []

    def receiver(_app: Flask, exception: BaseException) -> None:
        raised.append(exception)

    with got_request_exception.connected_to(receiver, app):
        for environ in environs:
            wrong: list[object] = []
            try:
                status = send(app, environ).status
            except Exception as error:
                raised.append(error)
            else:
                wrong = [status] if status > 499 and status not in meant else []
            wrong += [*map(_told, raised), *(f"{view} ran" for view in runs)]
            raised.clear()
            runs.clear()
            found += [f"{what}: {_shown(environ)}" for what in wrong]
    return found


def still_opens(app: Flask) -> bool:
    """Whether whoever does all right is let in, whatever came before."""
    codes: Codes = app.extensions["stepup"].verifier
    somebody = Person(app, f"somebody {len(codes.asked)}")
    somebody.step_up(f"right {len(codes.asked)}")
    is_open = somebody.open("/vault").status_code == 200
    app.extensions["runs"].clear()
    return is_open


def _told(error: BaseException) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {last.filename}:{last.lineno}"


def _shown(environ: Environ) -> str:
    plain = environ_of("", "")
    odd = {k: v for k, v in environ.items() if plain.get(k) != v and k == k.upper()}
    return ", ".join(f"{k}={ascii(v)[:60]}" for k, v in odd.items())

"""Misuse from outside, by addresses: hosts, roots, paths, queries and methods."""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Iterable
from typing import Any

import pytest
from conftest import MakeApp
from flask import Flask
from misusing import Callers
from misusing import cookie_of
from misusing import doors_of
from misusing import environ_of
from misusing import faults
from misusing import HTMX
from misusing import in_login
from misusing import send
from misusing import SENT
from misusing import still_opens
from people import Codes
from people import PAGE
from people import Person
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_stepup import StepUp

#: As latin-1, as everything in a WSGI environ.
PATHS = (
    "",
    "/",
    "//",
    "//vault",
    "/vault/",
    "/vault\0",
    "/vault\xff",
    "/any/\0",
    "/any/\xff\xfe\xed\xa0\x80",
    "/any///evil.example",
    "/any/..//x",
    "//evil.example/any/x",
    "/any/\r\nSet-Cookie: a=b",
    "/any/\t//x",
    "/any/\\evil.example",
    "any/x",
    "\\any\\x",
    "http://evil.example/any/x",
    "*",
    "/any/" + "a" * 50_000,
    "/any/%2e%2e/%5c%",
    "/stepup",
    "/stepup//",
    "/stepup/status/",
    "/stepup/static/../x",
    "/stepup/static/\0",
    "/stepup/static/\xff",
    "/stepup/static/" + "a" * 5_000,
)
ROOTS = (
    "/",
    "//",
    "//evil.example",
    "/\\evil.example",
    "\\",
    "/\xff\0\x7f",
    "/\xe6\x97\xa5",
    "/a\r\nSet-Cookie: a=b",
    "/a\tb",
    "evil.example",
    "javascript:",
    "http://evil.example",
    "/../.",
    "/?a#b",
    "/%2f%2fevil",
    "/a" * 2_000,
    "/stepup",
)
HOSTS = (
    None,
    "",
    " ",
    "a b",
    "localhost@evil.example",
    "user:pw@localhost",
    "localhost:abc",
    "localhost:99999999",
    "localhost:",
    "[::1",
    "[::1]:80",
    "::1",
    "\xff\xc3\xbc",
    "a" * 50_000,
    "localhost, evil.example",
    "localhost/../",
    "..",
    "\0",
    "http://localhost",
    "localhost\\evil.example",
    "xn--a",
)
QUERIES = (
    "\xff",
    "\0",
    "&&&&=",
    "challenge",
    "challenge=\xff&scope=\xff&to=\xff",
    "challenge=%ff&scope=%ff&to=%ff",
    "scope=%00&challenge=%00&to=%00",
    "scope=%ed%a0%80&to=%ed%a0%80",
    "scope=" + "a" * 50_000,
    "a&" * 20_000,
    "%zz;%",
    "challenge[]=x&scope[]=x&to[]=x",
    "challenge=x&challenge=y&scope=x&scope=y",
)
METHODS = ("", "\0", "post", "get", "HEAD", "TRACE", "CONNECT", "PROPFIND", "A" * 5_000)
#: Of apps that are set up in an unusual way, but in one that is allowed.
CONFIGS: dict[str, dict[str, Any]] = {
    "named": {"SERVER_NAME": "bank.example:8000"},
    "named as asked": {"SERVER_NAME": "localhost", "STEPUP_LOGIN_URL": "/login"},
    "rooted": {"APPLICATION_ROOT": "/app", "PREFERRED_URL_SCHEME": "https"},
    "trusting": {"TRUSTED_HOSTS": ["localhost"]},
    "small": {
        "MAX_CONTENT_LENGTH": 5,
        "MAX_FORM_MEMORY_SIZE": 5,
        "MAX_FORM_PARTS": 1,
        "STEPUP_RESUME_MAX_BYTES": 0,
    },
}


@pytest.fixture(name="make")
def _make(make_app: MakeApp, codes: Codes) -> Callable[..., Flask]:
    def make(**config: Any) -> Flask:
        stepup = StepUp(verifier=codes, subject_loader=in_login)
        return doors_of(make_app(stepup=stepup, **config), stepup)

    return make


@pytest.fixture(name="app")
def _app(make: Callable[..., Flask]) -> Flask:
    return make()


def faults_of(app: Flask, name: str, values: Iterable[str | None]) -> list[str]:
    """What is wrong with answers to every request that has this in its environ."""
    callers = Callers(app)
    return faults(
        app,
        (
            environ_of(method, path, headers, body, **{name: value})
            for value in values
            for method, path, headers, body in callers.everywhere()
        ),
    )


ADDRESSES = {
    "PATH_INFO": PATHS,
    "SCRIPT_NAME": ROOTS,
    "HTTP_HOST": HOSTS,
    "QUERY_STRING": QUERIES,
    "REQUEST_METHOD": METHODS,
}


@pytest.mark.parametrize("name", ADDRESSES)
def test_no_address_is_a_500(app: Flask, name: str) -> None:
    """Nor does one open anything, whatever bytes it has in each of its parts."""
    assert faults_of(app, name, ADDRESSES[name]) == []
    assert still_opens(app)


@pytest.mark.parametrize("config", CONFIGS)
def test_no_address_is_one_however_an_app_is_set_up(
    make: Callable[..., Flask], config: str
) -> None:
    """Named, mounted, trusting some hosts, or with little room for requests."""
    app = make(**CONFIGS[config])

    assert faults_of(app, "HTTP_HOST", HOSTS) == []
    assert faults_of(app, "SCRIPT_NAME", ROOTS[:8]) == []
    assert faults_of(app, "QUERY_STRING", QUERIES[:3]) == []


@pytest.mark.parametrize("name", ["FOR", "HOST", "PORT", "PREFIX", "PROTO"])
def test_no_header_of_a_proxy_is_a_500(app: Flask, name: str) -> None:
    """Where strangers may say what only the app's own proxy should."""
    proxied = ProxyFix(app.wsgi_app, 1, 1, 1, 1, 1)
    app.wsgi_app = proxied  # type: ignore[method-assign]

    values = ROOTS if name == "PREFIX" else HOSTS
    assert faults_of(app, f"HTTP_X_FORWARDED_{name}", values) == []


def test_a_host_and_pages_of_it_open_nothing(app: Flask) -> None:
    """Where the same stranger chooses Host, Origin, Referer and the page of HTMX."""
    callers = Callers(app)
    found = faults(
        app,
        (
            environ_of(method, path, headers | named(host), body)
            for host in filter(None, HOSTS)
            for method, path, headers, body in callers.everywhere()
        ),
    )

    assert found == []


def named(host: str) -> dict[str, str]:
    page = f"http://{host}/page"
    return {"Host": host, "Origin": page[:-5], "Referer": page, "HX-Current-URL": page}


@pytest.mark.parametrize("query", ["scope=\xff", "\xff", "scope=&\xff"])
def test_a_query_that_cannot_be_read_asks_for_no_scope(app: Flask, query: str) -> None:
    """What is proved in one scope is not told of another that nobody can name."""
    alice = Person(app, "alice")
    alice.step_up("right")
    cookie = {"Cookie": f"session={alice.cookie()}"}

    plain = send(app, environ_of("GET", "/stepup/status", cookie))
    odd = send(app, environ_of("GET", f"/stepup/status?{query}", cookie))

    assert json.loads(plain.text)["reverified"] is True
    assert json.loads(odd.text)["reverified"] is False


def test_a_query_that_cannot_be_read_names_no_value_to_approve(app: Flask) -> None:
    """A view may read it in a way of its own: nobody is asked to approve the rest."""
    cookie = cookie_of(app, user_id="alice")
    refused = send(app, environ_of("POST", "/send?to=eve&\xff", cookie, SENT))

    assert (refused.status, json.loads(refused.text)["code"]) == (400, "value_refused")


def test_an_app_may_be_mounted_below_a_path_in_any_script(app: Flask) -> None:
    """HTMX is led to its prompt too, where a header has to be plain text."""
    root = {"SCRIPT_NAME": "/銀行".encode().decode("latin-1")}
    headers = {**HTMX, **cookie_of(app, user_id="alice")}

    answer = send(app, environ_of("GET", "/vault", headers, **root))

    location = answer.header("HX-Redirect") or ""
    assert location.startswith("/%E9%8A%80%E8%A1%8C/stepup/?challenge=")


def test_the_prompt_of_such_an_app_is_no_way_back(app: Flask) -> None:
    """It is known by its address as browsers write it."""
    root = {"SCRIPT_NAME": "/銀行".encode().decode("latin-1")}
    page = "http://localhost/%E9%8A%80%E8%A1%8C/stepup/?challenge=x"
    headers = {**PAGE, **cookie_of(app, user_id="alice"), "Referer": page}

    answer = send(app, environ_of("POST", "/once", headers, SENT, **root))

    assert '<a href="/%E9%8A%80%E8%A1%8C/">Cancel</a>' in answer.text

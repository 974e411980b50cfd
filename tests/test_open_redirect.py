"""Promise 10: nothing that comes from outside leads to another origin.

What leads where is not for us to say: it is asked of the URL parser of browsers.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs
from urllib.parse import quote
from urllib.parse import urlsplit

import pytest
from approving import right
from conftest import MakeApp
from conftest import signed_in
from flask import Flask
from front_end.node import needs_node
from front_end.node import script
from misusing import Answer
from misusing import BEARER
from misusing import cookie_of
from misusing import Environ
from misusing import environ_of
from misusing import HTMX
from misusing import PROGRAM
from misusing import send
from people import Codes
from people import PAGE
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_stepup import require_reverification
from flask_stepup import StepUp

pytestmark = needs_node

#: No request is for this host: what leads there is a path, and so stays on any host.
OURS = "https://ours.invalid:8443"
#: Known payloads (OWASP, PortSwigger, PayloadsAllTheThings), and some of their kin.
PAYLOADS = (
    "//evil",
    "///evil",
    "////evil",
    "/////evil/",
    "//evil/%2f..",
    "//evil/..;/",
    "/\\evil",
    "\\evil",
    "\\\\evil",
    "\\/evil",
    "/\\/evil",
    "\\/\\/evil/",
    "/\\\\evil",
    "//\\evil",
    "///\\;@evil",
    "/.evil",
    "/./\\evil",
    "/.//evil",
    "/..//evil",
    "/../\\evil",
    "/x/..//evil",
    "/x/../\\evil",
    "/./..//evil",
    "/%2e//evil",
    "/%2e%2e//evil",
    "/%09/evil",
    "/%0a/evil",
    "/%0d%0a/evil",
    "/%00/evil",
    "/%2fevil",
    "/%2f%2fevil",
    "/%252f%252fevil",
    "/%5cevil",
    "/%5c%5cevil",
    "/%2f%5cevil",
    "/%255cevil",
    "/%u002fevil",
    "/%c0%af%c0%afevil",
    "/%ef%bc%8fevil",
    "/%e3%80%82evil",
    "/\t/evil",
    "/\n/evil",
    "/\r\n/evil",
    "\t//evil",
    "\n//evil",
    "/\t\\evil",
    " //evil",
    "\x0b//evil",
    "\0//evil",
    "/\x00/evil",
    "/\x01/evil",
    "/\x7f/evil",
    "\xa0//evil",
    "/\xc2\xa0/evil",
    "/\xe3\x80\x82/evil",
    "//evil\xe3\x80\x82com",
    "/\xef\xbc\x8fevil",
    "\xef\xbc\x8f\xef\xbc\x8fevil",
    "\xef\xbb\xbf//evil",
    "\xe2\x80\xae//evil",
    "//\xe2\x80\x8bevil",
    "@evil",
    "/@evil",
    "//localhost@evil",
    "//localhost:80@evil",
    "//evil#@localhost",
    "//evil?@localhost",
    "//evil\\@localhost",
    "//localhost.evil",
    "//localhostevil",
    "//localhost%2eevil",
    "//localhost%00.evil",
    "//localhost%23@evil",
    "//localhost\\.evil",
    "//evil:80",
    "//[::1]@evil",
    "//[evil]",
    "//2130706433",
    "//0x7f.1",
    "//xn--e",
    "/;@evil",
    ";//evil",
    "?//evil",
    "#//evil",
    "//evil;@localhost",
    "///evil@localhost/",
    "http://evil",
    "http:evil",
    "http:/evil",
    "http:\\\\evil",
    "http:///evil",
    "http://localhost@evil",
    "http://localhost:x@evil/",
    "http://localhost\\@evil",
    "http://evil\\@localhost",
    "http://localhost#@evil",
    "http://localhost?@evil",
    "http://localhost.evil",
    "http://localhost/@evil",
    "http://localhost//evil",
    "http://localhost/\\evil",
    "http://localhost/\\/evil",
    "http://localhost/..//evil",
    "http://localhost/.//evil",
    "http://localhost/%2e//evil",
    "http://localhost/\t/evil",
    "http://localhost/%09/evil",
    "http://localhost/%5cevil",
    "http://localhost\t//evil",
    "http://localhost:80//evil",
    "http://LOCALHOST//evil",
    "HTTP://localhost//evil",
    "http://localhost\\evil",
    "http://localhost/;//evil",
    "http://localhost?//evil",
    "http://localhost?/\\evil",
    "http://localhost#//evil",
    "hTTp:////evil",
    "https:evil",
    "https://localhost//evil",
    "ftp://evil",
    "//evil/http://localhost/",
    "javascript:alert(1)",
    "javascript://localhost/%0aalert(1)",
    "java\tscript:alert(1)",
    "\x01javascript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "blob:http://evil/x",
    "file:///etc/passwd",
    "about:blank",
    "mailto:x@evil",
    "view-source:http://evil",
    "<>//evil",
    '"onclick=x//evil',
    "&sol;&sol;evil",
    "//&#47;evil",
)

Leaving = Callable[[list[str]], list[str]]


@pytest.fixture(name="leaving", scope="module")
def _leaving() -> Iterator[Leaving]:
    """A function that returns those of many addresses that lead to other origins."""
    with script("urls.mjs") as ask:

        def leaving(addresses: list[str]) -> list[str]:
            distinct = sorted(set(addresses))
            found = ask([[address, f"{OURS}/some/page?x#y"] for address in distinct])
            pairs = zip(distinct, found, strict=True)
            return [address for address, origin in pairs if origin != OURS]

        yield leaving


@pytest.fixture(name="make")
def _make(make_app: MakeApp, codes: Codes) -> Callable[..., Flask]:
    """A function that makes an app whose every address is guarded."""

    def make(**config: Any) -> Flask:
        stepup = StepUp(verifier=codes, subject_loader=signed_in)
        app = make_app(stepup=stepup, **config)
        app.url_map.merge_slashes = False
        view = require_reverification(lambda rest="": "in")
        for rule in ("/", "/<path:rest>"):
            app.add_url_rule(rule, rule, view, methods=["GET", "POST"])
        return app

    return make


@pytest.fixture(name="app")
def _app(make: Callable[..., Flask]) -> Flask:
    return make()


def addresses_in(answer: Answer) -> list[str]:
    """Every address that an answer may lead to, and what a sign-in is to lead to."""
    found = [answer.header("Location"), answer.header("HX-Redirect")]
    if "json" in str(answer.header("Content-Type")):
        found.append(json.loads(answer.text).get("verify_url"))
    else:
        links = re.findall(r'(?:href|src|action)="([^"]*)"', answer.text)
        found += map(html.unescape, links)
    led = [address for address in found if address is not None]
    queries = [parse_qs(urlsplit(url).query) for url in led if "/login?" in url]
    return [*led, *(page for query in queries for page in query["next"])]


class Journey:
    """Alice's way from a guarded request through the prompt to where it leads.

    :param always: what is odd about each of her requests.
    """

    def __init__(self, app: Flask, always: Environ) -> None:
        self._app = app
        self._always = always
        self._cookie = cookie_of(app, user_id="alice")
        self.addresses: list[str] = []

    def go(self, method: str, kind: Mapping[str, str], odd: Environ) -> list[str]:
        """Ask, and answer the prompt; return all addresses on the way.

        :param odd: what is odd about the request that she is asked at.
        """
        body = b"a=b" if method == "POST" else b""
        answer = self.ask(method, "/page", kind, body, odd)
        address = answer.header("Location") or answer.header("HX-Redirect")
        prompt = address and f"/stepup/?{address.partition('?')[2]}"
        if prompt:
            answer = self.ask("GET", prompt, PAGE)
        found = re.search(r'name="challenge" value="([^"]*)"', answer.text)
        if answer.status == 404:
            # No route matches the end of a line.
            return []
        assert found, answer
        self.answer(html.unescape(found[1]))
        if prompt:
            # Who comes back to it is sent on.
            assert self.ask("GET", prompt, PAGE).status == 303
        return self.addresses

    def answer(self, challenge: str, query: str = "", more: str = "") -> Answer:
        """Submit a right code."""
        fields = f"challenge={quote(challenge)}&code={quote(right())}{more}".encode()
        answer = self.ask("POST", f"/stepup/{query}", PAGE, fields)
        assert answer.status in (200, 303), answer
        return answer

    def ask(
        self,
        method: str,
        path: str,
        kind: Mapping[str, str],
        body: bytes = b"",
        odd: Environ | None = None,
    ) -> Answer:
        headers = {**kind, **self._cookie}
        environ = environ_of(method, path, headers, body, **self._always) | (odd or {})
        answer = send(self._app, environ)
        if cookie := answer.header("Set-Cookie"):
            self._cookie = {"Cookie": cookie.partition(";")[0]}
        self.addresses += addresses_in(answer)
        return answer


Door = Callable[[str], Environ]
GET, POST, HTMX_GET = ("GET", PAGE), ("POST", PAGE), ("GET", HTMX)
Way = tuple[str, dict[str, str]]
#: Where payloads come in with the request that a code is asked for.
ONCE: dict[str, tuple[Door, tuple[Way, ...]]] = {
    "path": (lambda p: {"PATH_INFO": p}, (GET, POST)),
    "query": (lambda p: {"QUERY_STRING": f"{p}&next={p}&url={p}"}, (GET,)),
    "referer": (lambda p: {"HTTP_REFERER": p, "HTTP_ORIGIN": p}, (POST,)),
    "our referer": (lambda p: {"HTTP_REFERER": f"http://localhost{p}"}, (POST,)),
    "htmx": (lambda p: {"HTTP_HX_CURRENT_URL": p}, (HTMX_GET,)),
    "our htmx": (
        lambda p: {"HTTP_HX_CURRENT_URL": f"http://localhost{p}"},
        (HTMX_GET,),
    ),
}
#: And where they come in with every request.
ALWAYS: dict[str, tuple[Door, tuple[Way, ...]]] = {
    "root": (lambda p: {"SCRIPT_NAME": p}, (GET, POST, HTMX_GET)),
    "prefix": (lambda p: {"HTTP_X_FORWARDED_PREFIX": p}, (GET,)),
    "host": (
        lambda p: {
            "HTTP_HOST": p,
            "HTTP_REFERER": f"http://{p}//evil/x",
            "HTTP_HX_CURRENT_URL": f"http://{p}/\\evil/x",
        },
        (POST, HTMX_GET),
    ),
    "forwarded host": (
        lambda p: {
            "HTTP_X_FORWARDED_HOST": p,
            "HTTP_X_FORWARDED_PROTO": p,
            "HTTP_X_FORWARDED_PORT": p,
            "HTTP_REFERER": f"http://{p}//evil/x",
        },
        (POST,),
    ),
}


def test_the_payloads_do_lead_away(leaving: Leaving) -> None:
    """A browser that followed them as they are would be elsewhere."""
    away = leaving([*PAYLOADS])

    assert len(away) > len(PAYLOADS) // 3
    assert {"//evil", "/\\evil", "/\t/evil", " //evil", "http:\\\\evil"} <= {*away}


@pytest.mark.parametrize("door", ONCE)
def test_the_way_back_stays_on_this_origin(
    app: Flask, leaving: Leaving, door: str
) -> None:
    """So do prompt, form, Cancel, and where a right code leads."""
    odd, ways = ONCE[door]
    addresses = [
        address
        for payload in PAYLOADS
        for method, kind in ways
        for address in Journey(app, {}).go(method, kind, odd(payload))
    ]

    assert leaving(addresses) == []
    assert len(addresses) > 4 * len(PAYLOADS)


@pytest.mark.parametrize("door", ALWAYS)
def test_it_does_so_wherever_the_app_seems_to_be(
    app: Flask, leaving: Leaving, door: str
) -> None:
    """Also where a proxy has strangers say what host and root are."""
    proxied = ProxyFix(app.wsgi_app, 1, 1, 1, 1, 1)
    app.wsgi_app = proxied  # type: ignore[method-assign]
    odd, ways = ALWAYS[door]
    addresses = [
        address
        for payload in PAYLOADS
        for method, kind in ways
        for address in Journey(app, odd(payload)).go(method, kind, {})
    ]

    assert leaving(addresses) == []
    assert len(addresses) > 4 * len(PAYLOADS)


@pytest.mark.parametrize("kind", [PROGRAM, BEARER], ids=["program", "bearer"])
def test_programs_submit_codes_to_this_origin(
    app: Flask, leaving: Leaving, kind: dict[str, str]
) -> None:
    """``verify_url`` is ours wherever the app seems to be."""
    headers = kind | cookie_of(app, user_id="alice")
    addresses = [
        address
        for payload in PAYLOADS
        for address in addresses_in(
            send(app, environ_of("GET", "/page", headers, SCRIPT_NAME=payload))
        )
    ]

    assert leaving(addresses) == []
    assert len(addresses) == len(PAYLOADS)


def test_pages_of_problems_stay_on_this_origin(app: Flask, leaving: Leaving) -> None:
    """Where there is no way back there is the front page, and the style sheet."""
    headers = PAGE | cookie_of(app, user_id="alice")
    addresses = [
        address
        for payload in PAYLOADS
        for address in addresses_in(
            send(app, environ_of("GET", "/stepup/", headers, SCRIPT_NAME=payload))
        )
    ]

    assert leaving(addresses) == []
    assert len(addresses) == 3 * len(PAYLOADS)


def test_a_sign_in_leads_back_to_this_origin(
    make: Callable[..., Flask], leaving: Leaving
) -> None:
    """``next`` is an address of ours, whoever is to sign in first."""
    app = make(STEPUP_LOGIN_URL="/login?from=app")
    asked = [
        environ_of(method, "/page", kind) | odd(payload)
        for odd, ways in (*ONCE.values(), ALWAYS["root"], ALWAYS["host"])
        for method, kind in ways
        for payload in PAYLOADS
    ]
    answers = [send(app, environ) for environ in asked]
    addresses = [address for answer in answers for address in addresses_in(answer)]

    assert leaving(addresses) == []
    assert len(addresses) > 1.9 * len(asked)


def test_nothing_that_is_submitted_chooses_the_way_back(app: Flask) -> None:
    """Neither fields nor queries of the prompt do, whatever they are called."""
    names = (
        "next",
        "url",
        "path",
        "came_from",
        "way_back",
        "return_to",
        "redirect_uri",
    )
    for payload in PAYLOADS:
        chosen = "&".join(f"{name}={quote(payload)}" for name in names)
        alice = Journey(app, {})
        location = alice.ask("GET", "/page", PAGE).header("Location") or ""
        challenge = location.partition("challenge=")[2]
        alice.ask("GET", f"/stepup/?challenge={challenge}&{chosen}", PAGE)

        answer = alice.answer(challenge, f"?{chosen}", f"&{chosen}")

        assert answer.header("Location") == "/page"


def test_the_prompt_is_on_the_host_of_the_view(codes: Codes) -> None:
    """Where the app's own map tells hosts apart, too."""
    app = Flask("bank", subdomain_matching=True)
    app.config.update(SECRET_KEY="k" * 32, STEPUP_STORAGE_URI="memory://")
    app.config.update(SERVER_NAME="bank.example")
    StepUp(app, verifier=codes, subject_loader=lambda: "alice")
    shop = require_reverification(lambda: "in")
    app.add_url_rule("/", "shop", shop, subdomain="shop")

    answer = send(app, environ_of("GET", "/", PAGE, HTTP_HOST="shop.bank.example"))

    location = answer.header("Location") or ""
    assert location.startswith("/stepup/?challenge=")

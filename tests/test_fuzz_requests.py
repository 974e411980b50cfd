"""Requests that nobody thought of: odd in method, path, headers, cookies and body.

They come as a server would hand them on, past what a test client would mend: any bytes
in headers and paths, lengths that are wrong, forms that are cut off.
"""

from __future__ import annotations

import gc
import html
import json
import re
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from io import StringIO
from typing import Any
from urllib.parse import quote
from urllib.parse import urlencode

import pytest
from flask import Blueprint
from flask import Flask
from flask import got_request_exception
from flask import request
from flask import session
from fuzzing import fuzzed
from fuzzing import JSON
from fuzzing import nested
from fuzzing import TEXT
from hypothesis import given
from hypothesis import strategies as st
from people import PAGE
from people import Person
from people import Prompt
from werkzeug.test import run_wsgi_app

from flask_stepup import IncorrectCode
from flask_stepup import require_reverification
from flask_stepup import StepUp
from flask_stepup import Subject
from flask_stepup import Verification

#: Werkzeug does not close an upload that breaks off.
pytestmark = pytest.mark.filterwarnings("ignore:Unclosed file <temp:ResourceWarning")

Environ = dict[str, Any]

#: What DESIGN.md has answers for; and what Flask answers itself: a path or method that
#: there is not, a slash too few, a body that is too large, a part of a file.
NAMED = {200, 303, 400, 401, 403, 422, 429, 503}
FLASKS = {206, 304, 308, 404, 405, 413, 416}


@pytest.fixture(autouse=True)
def _leave_no_upload() -> Iterator[None]:
    """Have what was not closed be collected where nobody is warned of it."""
    yield
    gc.collect()


# --- the app ---


def always_wrong(user_id: str, code: str) -> Verification:
    """A verifier in front of which nobody ever proves anything."""
    raise IncorrectCode


def who() -> Subject | str | None:
    """A bearer of one of two tokens, or who has signed in."""
    bearer: Subject | str | None = {
        "Bearer of-alice": Subject("alice", "sess_1"),
        "bearer of-bob": "bob",
    }.get(request.headers.get("Authorization", ""))
    return bearer or session.get("user_id")


@cache
def app() -> Flask:
    """An app with a view for each way of guarding one; ``runs`` tells which ran."""
    app = Flask("bank")
    app.config.update(
        SECRET_KEY="k" * 32,
        PROPAGATE_EXCEPTIONS=False,
        STEPUP_STORAGE_URI="memory://",
        STEPUP_ATTEMPT_LIMIT="9999 per second",
    )
    stepup = StepUp(app, verifier=always_wrong, subject_loader=who)
    app.extensions["runs"] = []
    app.extensions["errors"] = errors = []
    # Flask logs what it answers by a 500, and tells nobody else.
    got_request_exception.connect(
        lambda _, exception: errors.append(exception), app, weak=False
    )
    app.add_url_rule("/sign-in/<user_id>", "sign_in", sign_in)
    app.add_url_rule("/grant", "grant", lambda: str(stepup.grant()))
    app.add_url_rule("/grant-all", "all", lambda: str(stepup.grant("multi_factor")))
    add_views(app, stepup)
    return app


def sign_in(user_id: str) -> str:
    session["user_id"] = user_id
    return "signed in"


def add_views(app: Flask, stepup: StepUp) -> None:
    """Add a view for each way of guarding one, and one that nobody guards."""
    unsafe = ["POST", "PUT", "PATCH", "DELETE"]

    def ran(name: str) -> Callable[..., str]:
        def view(**_: Any) -> str:
            app.extensions["runs"].append(name)
            return "done"

        return view

    def add(path: str, methods: Any, /, *preset: Any, **demands: Any) -> None:
        guard = require_reverification(*preset, **demands)
        app.add_url_rule(path, path, guard(ran(path)), methods=methods)

    def conditional() -> str:
        stepup.require("lax", reason=lambda: request.headers.get("Referer"))
        return ran("/conditional")()

    def passed() -> dict[str, Any]:
        return {"to": request.headers.get("X-To"), "size": request.content_length}

    add("/vault", ["GET", *unsafe])
    add("/<path:any>/deep", ["GET", "POST"], scope="payments")
    add("/both", ["GET", "POST"], "strict_mfa")
    add("/once", unsafe, once=True)
    add("/send", unsafe, bind=("to", "amount"))
    add("/send/<to>", unsafe, bind=("to", "amount"), scope="payments")
    add("/passed", unsafe, bind=passed)
    add("/changes", ["GET", *unsafe], methods={"POST", "PUT", "PATCH", "DELETE"})
    app.add_url_rule("/conditional", view_func=conditional, methods=["GET", "POST"])
    area = Blueprint("area", "bank")
    area.add_url_rule("/", "home", ran("/area/"), methods=["GET", "POST"])
    area.add_url_rule("/<name>", "room", ran("/area/room"), methods=["GET", "POST"])
    stepup.protect(area, "moderate")
    app.register_blueprint(area, url_prefix="/area")
    app.add_url_rule("/open", "open", lambda: "open", methods=["GET", *unsafe])


def person(user_id: str, *paths: str) -> Person:
    """Somebody who is signed in and has been to these pages."""
    person = Person(app(), user_id)
    for path in paths:
        assert person.client.get(path).status_code in (200, 403)
    return person


@cache
def unverified() -> list[str]:
    """Cookies of people who have not proved anything, or of others than it is in."""
    cookies = ["", "session=", "session=garbage", "session=a.b.c"]
    carol = person("carol", "/grant", "/vault").client
    with carol.session_transaction() as state:
        stolen = dict(state)
    for parts in (stolen | {"user_id": "alice"}, {"user_id": ["alice"]} | stolen):
        thief = Person(app())
        with thief.client.session_transaction() as state:
            state.update({**parts, "user_id": "alice"})
        cookies.append(f"session={thief.cookie()}")
    return [*cookies, *[f"session={one.cookie()}" for one in prompted()] * 3]


@cache
def prompted() -> list[Person]:
    """People who are signed in, have a nonce, and have not proved anything."""
    return [person("alice", "/vault"), person("bob", "/vault"), person("alice")]


@cache
def verified() -> list[str]:
    """Cookies of people who have proved one factor, or both."""
    people = [person("carol", "/grant"), person("dave", "/grant-all")]
    return [f"session={one.cookie()}" for one in people]


@cache
def challenges() -> list[str]:
    """Challenges of people who are signed in, with forms and without."""
    found = ["", "garbage", "a.b"]
    for one in prompted():
        found.append(one.json("/vault").json["challenge"])
        found.append(one.json("/send", "POST", json=MONEY).json["challenge"])
        found.append(Prompt(one.open("/once", "POST", data=MONEY)).challenge)
        found.append(Prompt(one.open("/send", "POST", data=MONEY)).challenge)
    return found


@cache
def markers() -> list[str]:
    """A bearer's marker, and what is like one."""
    bearer = {"Authorization": "Bearer of-alice"}
    token = app().test_client().get("/grant", headers=bearer).text
    assert "." in token
    return ["", "None", token[:-1], "a.b", ",", ", ,", "a.b," * 20]


# --- requests ---


MONEY = {"to": "bob", "amount": "10"}
#: What a server lets through in a header.
HEADER_CHARS = st.characters(max_codepoint=255, exclude_characters="\0\r\n")
HEADER_TEXT = st.text(HEADER_CHARS, max_size=30)
#: Where there is something, and what it takes.
TARGETS = [
    ("GET", "/vault"), ("POST", "/vault"), ("DELETE", "/vault"), ("GET", "/a/b/deep"),
    ("POST", "/x/deep"), ("GET", "/both"), ("POST", "/both"), ("POST", "/once"),
    ("PUT", "/once"), ("POST", "/send"), ("PATCH", "/send"), ("POST", "/send/bob"),
    ("POST", "/passed"), ("GET", "/changes"), ("POST", "/changes"),
    ("GET", "/conditional"), ("POST", "/conditional"), ("GET", "/area/"),
    ("POST", "/area/room"), ("GET", "/stepup/"), ("POST", "/stepup/"),
    ("POST", "/stepup/"), ("POST", "/stepup/"), ("GET", "/stepup/status"),
]  # fmt: skip
PATHS = [
    "/vault/", "//vault", "/./vault", "/\\evil/deep", "//evil.example/deep",
    "/%2e%2e/deep", "/../deep", "/\xc3\xbc/deep", "/send/\xff", "/send/a b", "/area",
    "/area/\x80", "/open", "/stepup", "/stepup/static/stepup.css", "", "/", "*", "x",
    "/stepup/static/../prompt.py", "/\t/deep", "/" + "x" * 3_000 + "/deep",
]  # fmt: skip
METHODS = [
    "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND", "get",
    "post", "", "\xdc", "GET /vault",
]  # fmt: skip
#: Values that a header of this name may have, beside anything at all.
HEADERS = {
    "ACCEPT": [*PAGE.values(), "*/*", "", "text/html;q=0", "text/html;q=nan",
               "text/html;q=1e999", ";;,,=", "text/html;level=\"", "TEXT/HTML"],
    "AUTHORIZATION": ["Bearer of-alice", "bearer of-bob", "Bearer", "Bearer ",
                      "BEARER x y", "Basic Og==", "Basic \xff", "Digest a=", "\xff"],
    "HX_REQUEST": ["true", "false", "True", ""],
    "HX_CURRENT_URL": ["http://localhost/vault", "http://[", "//localhost\\@evil/",
                       "http://localhost/" + "x" * 3_000, "http://localhost//evil/",
                       "javascript:alert(1)", "http://evil@localhost/", "\xff"],
    "SEC_FETCH_MODE": ["navigate", "cors", "no-cors", "", "Navigate"],
    "SEC_FETCH_SITE": ["same-origin", "none", "same-site", "cross-site", ""],
    "ORIGIN": ["http://localhost", "null", "http://evil.example", "", "http://[",
               "\xff"],
    "REFERER": ["http://localhost/form?a=b", "http://localhost//evil", "", "http://[::",
                "http://localhost/stepup/?challenge=x", "data:,", "\xff" * 300],
    "HOST": ["localhost", "localhost:5000", "evil.example", "", "a b", "[::1", "é\xff",
             "localhost:99999", "localhost@evil", "x" * 3_000, "localhost,evil"],
    "STEPUP_MARKER": [],
    "X_HTTP_METHOD_OVERRIDE": ["GET", "OPTIONS"],
    "X_FORWARDED_FOR": ["1.2.3.4"],
    "X_FORWARDED_HOST": ["evil.example"],
    "TRANSFER_ENCODING": ["chunked", "gzip"],
    "CONTENT_ENCODING": ["gzip", "deflate"],
    "RANGE": ["bytes=0-0", "bytes=9-1", "\xff"],
    "IF_NONE_MATCH": ['"x"', "*", '"'],
    "IF_MODIFIED_SINCE": ["Thu, 01 Jan 1970 00:00:00 GMT", "x"],
    "ACCEPT_LANGUAGE": ["de", ";q=", "*"],
    "EXPECT": ["100-continue"],
}  # fmt: skip
CONTENT_TYPES = [
    "", "application/x-www-form-urlencoded", "application/json", "text/plain",
    "multipart/form-data", "multipart/form-data; boundary=", "application/x+json",
    "multipart/form-data; boundary=\xff", "application/json; charset=utf-16",
    "application/x-www-form-urlencoded; charset=utf-7", "\xff", "a/b;c*=utf-8''%ff",
    'multipart/form-data; boundary="b"', "multipart/form-data; boundary=" + "b" * 300,
]  # fmt: skip
LENGTHS = ["", "0", "-1", "1", "3", "x", "\xb2", "9" * 30, "1_0", " 5", "+5"]
CODES = ["123456", "wrong", "\uff11\uff12\uff13 \uff14\uff15\uff16", "1" * 400]
NAMES = st.sampled_from(
    ["challenge", "code", "to", "amount", "note", "password", "_charset_", ""]
)


@st.composite
def fields(draw: st.DrawFn) -> list[tuple[str, str]]:
    """Fields of a form or members of JSON: an action, an answered challenge, or any."""
    usual = draw(st.sampled_from([["to", "amount"], ["challenge", "code"], []]))
    names = [*usual, *draw(rarely(st.lists(NAMES | TEXT, max_size=5), []))]
    values = {
        "challenge": rarely(TEXT, draw(st.sampled_from(challenges()))),
        "code": rarely(TEXT, draw(st.sampled_from(CODES))),
        "to": rarely(TEXT, "bob"),
        "amount": rarely(TEXT, "10"),
    }
    return [(name, draw(values.get(name, TEXT))) for name in names]


Pairs = list[tuple[str, str]]


def urlencoded(pairs: Pairs) -> tuple[bytes, str]:
    return urlencode(pairs).encode(), "application/x-www-form-urlencoded"


def as_json(pairs: Pairs) -> tuple[bytes, str]:
    return json.dumps(dict(pairs)).encode(), "application/json"


def multipart(pairs: Pairs, filename: str | None = None) -> tuple[bytes, str]:
    """A multipart form, the last field of which may be a file."""
    parts = []
    for number, (name, value) in enumerate(pairs, 1):
        head = f'--b\r\nContent-Disposition: form-data; name="{name}"'
        if filename is not None and number == len(pairs):
            head += f'; filename="{filename}"'
        parts.append(f"{head}\r\n\r\n{value}\r\n")
    body = "".join([*parts, "--b--\r\n"]).encode()
    return body, "multipart/form-data; boundary=b"


@st.composite
def bodies(draw: st.DrawFn) -> tuple[bytes, str]:
    """A body, and the type that it goes with."""
    kind = draw(st.sampled_from(["", "form", "form", "parts", "json", "json", "any"]))
    if kind == "":
        return b"", ""
    if kind == "any":
        return draw(st.binary(max_size=200)), ""
    pairs = draw(fields())
    if kind == "form":
        return urlencoded(pairs)
    if kind == "parts":
        filename = draw(st.none() | st.sampled_from(["", "a.txt", '"', "\xff"]))
        return multipart(pairs, filename)
    odd: Any = JSON | st.sampled_from(
        ['{"to":1,"to":2}', "[" * 3_000, '{"to":' * 3_000, "NaN", "\ufeff{}",
         '"\\ud800"', json.dumps({"challenge": nested(50), "code": {}})]
    )  # fmt: skip
    value = draw(rarely(odd, pairs))
    if value is pairs:
        return as_json(pairs)
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode(), "application/json"


def rarely(strategy: st.SearchStrategy[Any], usual: Any) -> st.SearchStrategy[Any]:
    """What is usual, and now and then something else."""
    return st.integers(0, 4).flatmap(lambda at: st.just(usual) if at else strategy)


@st.composite
def answers(draw: st.DrawFn) -> tuple[str, bytes, str]:
    """A challenge of somebody's who is signed in, answered by that person."""
    number = draw(st.integers(0, len(prompted()) - 1))
    challenge = draw(st.sampled_from(challenges()[3 + number * 4 :][:4]))
    cookie = f"session={prompted()[number].cookie()}"
    code = draw(st.sampled_from(CODES) | TEXT | st.text())
    pairs = [("challenge", challenge), ("code", code), *draw(rarely(fields(), []))]
    encode = draw(st.sampled_from([urlencoded, urlencoded, multipart, as_json]))
    return cookie, *encode(pairs)


@st.composite
def environs(
    draw: st.DrawFn, cookies: Callable[[], list[str]], *, answering: bool = False
) -> Environ:
    """A request as a server hands it on to an app.

    :param answering: just answers to challenges, by those whom they were put to.
    """
    method, path = draw(st.sampled_from(TARGETS))
    if answering:
        method, path = "POST", "/stepup/"
        cookie, body, content_type = draw(answers())
    else:
        cookie = draw(st.sampled_from(cookies()))
        body, content_type = draw(bodies())
    cut = draw(rarely(st.integers(0, len(body)), len(body)))
    body = body[:cut]
    query = draw(rarely(fields().map(urlencode) | HEADER_TEXT.map(quote), ""))
    environ: Environ = {
        "REQUEST_METHOD": draw(rarely(st.sampled_from(METHODS), method)),
        "SCRIPT_NAME": draw(rarely(st.sampled_from(["/app", "//evil", "/\xff"]), "")),
        "PATH_INFO": draw(
            rarely(st.sampled_from(PATHS) | HEADER_TEXT.map("/{}".format), path)
        ),
        "QUERY_STRING": draw(rarely(HEADER_TEXT, query)),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost",
        "HTTP_COOKIE": cookie,
        "CONTENT_TYPE": draw(
            rarely(st.sampled_from(CONTENT_TYPES) | HEADER_TEXT, content_type)
        ),
        "CONTENT_LENGTH": draw(rarely(st.sampled_from(LENGTHS), str(len(body)))),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": draw(rarely(st.just("https"), "http")),
        "wsgi.input": BytesIO(body),
        "wsgi.errors": StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": draw(rarely(st.just(True), False)),
    }
    if draw(st.booleans()):
        # As a browser asks: what is odd then is odd in a page.
        environ |= {f"HTTP_{k.upper().replace('-', '_')}": v for k, v in PAGE.items()}
    for name in draw(st.sets(st.sampled_from(sorted(HEADERS)), max_size=5)):
        values = [*HEADERS[name], *(markers() if name == "STEPUP_MARKER" else [])]
        environ[f"HTTP_{name}"] = draw(st.sampled_from(values) | HEADER_TEXT)
    if draw(st.integers(0, 9)) == 0:
        environ["HTTP_COOKIE"] += "; " + draw(HEADER_TEXT)
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if not environ[name]:
            del environ[name]
    return environ


@dataclass
class Answer:
    """What came of a request."""

    status: int
    headers: list[tuple[str, str]]
    body: str
    runs: list[str]

    def header(self, name: str) -> str | None:
        return next((v for k, v in self.headers if k.lower() == name.lower()), None)


def answer(environ: Environ) -> Answer:
    """Send a request, and raise what an app's 500 would hide."""
    runs, errors = app().extensions["runs"], app().extensions["errors"]
    runs.clear()
    errors.clear()
    body, status, headers = run_wsgi_app(app(), environ, buffered=True)
    for error in errors:
        raise error
    text = b"".join(body).decode("utf-8", "replace")
    return Answer(int(status[:3]), list(headers), text, [*runs])


def leading_to(answer: Answer) -> list[str]:
    """Where an answer leads: by its headers, and by what is in its page or JSON."""
    headers = [answer.header("Location"), answer.header("HX-Redirect")]
    page = re.findall(r'(?:action|src|href)="([^"]*)"', answer.body)
    is_json = (answer.header("Content-Type") or "").endswith("json")
    told = json.loads(answer.body) if is_json and answer.body else {}
    found = [*headers, told.get("verify_url"), *map(html.unescape, page)]
    return [target for target in found if target is not None]


def check_manners(environ: Environ, answer: Answer) -> None:
    """What is true of every answer."""
    assert answer.status in NAMED | FLASKS, answer
    for name, value in answer.headers:
        assert not set(f"{name}{value}") & set("\0\r\n"), name
        value.encode("latin-1")
    # Flask itself redirects to a slash, with the host that it was called by.
    if answer.status != 308:
        for target in leading_to(answer):
            assert re.fullmatch(r"/(?!/)[^\s\\?]*(\?\S*)?", target), target
    if answer.status == 503:
        # The only thing that can be missing here is a session.
        assert "verifier_unavailable" in answer.body or "sign out" in answer.body


@fuzzed(700)
@given(environs(unverified))
def test_no_request_opens_for_who_has_not_verified(environ: Environ) -> None:
    """Whatever is sent, no guarded view runs, and nothing is answered by a 500."""
    got = answer(environ)
    check_manners(environ, got)
    is_exempt = environ["REQUEST_METHOD"] not in ("POST", "PUT", "PATCH", "DELETE")
    assert [run for run in got.runs if not (run == "/changes" and is_exempt)] == []


@fuzzed(400)
@given(environs(verified))
def test_no_request_breaks_for_who_has_verified(environ: Environ) -> None:
    """Whatever a verified person sends, a view runs once at most, and no 500 comes."""
    got = answer(environ)
    check_manners(environ, got)
    assert len(got.runs) <= 1
    assert not got.runs or got.status == 200
    # What needs a code for each run is not met by a marker.
    assert not set(got.runs) & {"/once", "/send", "/send/<to>", "/passed"}


@fuzzed(400)
@given(environs(list, answering=True))
def test_no_answer_to_a_challenge_breaks_the_prompt(environ: Environ) -> None:
    """Whatever a person answers, and however, no view runs and no 500 comes."""
    got = answer(environ)
    check_manners(environ, got)
    assert got.runs == []
    assert '"verified":true' not in got.body.replace(" ", "")
    if (environ["REQUEST_METHOD"], environ["PATH_INFO"]) == ("POST", "/stepup/"):
        assert got.status != 303


# --- which answer ---


#: Whether a client that sends this asks for a page.
ACCEPTS = {
    None: False, "": False, "*/*": False, "text/*": False, "application/json": False,
    "text/html;q=0": False, "text/html;q=0.0, */*": False, "text/htmlx": False,
    "text/html": True, "TEXT/HTML": True, "application/xhtml+xml": True,
    "application/json, text/html;q=0.1": True, "text/html;level=1": True,
    PAGE["Accept"]: True,
}  # fmt: skip
MODES = {None: True, "navigate": True, "cors": False, "no-cors": False, "": False}
#: Whether another site has made a browser send it; where it says nothing, the origin
#: tells.
SITES = {
    None: None, "same-origin": False, "none": False, "same-site": True,
    "cross-site": True, "": True,
}  # fmt: skip
ORIGINS = {
    None: False, "http://localhost": False, "https://localhost": False, "null": True,
    "http://localhost:81": True, "http://evil.example": True, "": True,
}  # fmt: skip
BEARERS = {None: False, "Bearer of-alice": True, "bearer x": True, "Basic Og==": False}


@fuzzed(500)
@given(
    st.sampled_from(["GET", "POST", "PUT"]),
    st.booleans(),
    st.sampled_from([None, "true", "true", "false"]),
    *(st.sampled_from([*all_]) for all_ in (ACCEPTS, MODES, SITES, ORIGINS, BEARERS)),
)
def test_the_first_row_that_fits_is_the_answer(
    method: str,
    signed_in: bool,
    hx: Any,
    accept: Any,
    mode: Any,
    site: Any,
    origin: Any,
    authorization: Any,
) -> None:
    """The table of answers to an unmet policy, row by row, for clients of all kinds."""
    sent = {
        "HX-Request": hx,
        "Accept": accept,
        "Sec-Fetch-Mode": mode,
        "Sec-Fetch-Site": site,
        "Origin": origin,
        "Authorization": authorization,
    }
    app().extensions["runs"].clear()
    client = app().test_client()
    if signed_in:
        client.get("/sign-in/alice")
    headers = {name: value for name, value in sent.items() if value is not None}
    got = client.open("/vault", method=method, headers=headers, data=MONEY)

    is_page = ACCEPTS[accept] and MODES[mode]
    is_bearer, is_htmx = BEARERS[authorization], hx == "true"
    is_cross_site = ORIGINS[origin] if SITES[site] is None else SITES[site]
    page = "text/html" if is_page and not is_htmx else "application/problem+json"
    told = got.headers.get("WWW-Authenticate", "")
    if not signed_in and authorization != "Bearer of-alice":
        assert (got.status_code, got.mimetype) == (401, page)
    elif is_htmx:
        assert (got.status_code, got.get_json()["status"]) == (403, 403)
        assert got.headers["HX-Redirect"].startswith("/stepup/?challenge=")
    elif is_bearer:
        assert (got.status_code, got.get_json()["status"]) == (401, 401)
        assert told.startswith('Bearer error="insufficient_user_authentication"')
    elif not is_page:
        assert (got.status_code, got.mimetype) == (403, "application/problem+json")
        assert got.get_json()["challenge"]
    elif method == "GET":
        assert got.status_code == 303
        assert got.location.startswith("/stepup/?challenge=")
    else:
        assert (got.status_code, got.mimetype) == (403, "text/html")
        assert bool(Prompt(got).fields.get("challenge")) == (not is_cross_site)
    assert "insufficient" not in told or is_bearer
    assert app().extensions["runs"] == []

"""The table "Answers to an unmet policy": each row, their order, and each way in."""

from __future__ import annotations

import re
import secrets
from typing import Any
from urllib.parse import parse_qs
from urllib.parse import urlsplit

import pytest
from conftest import MakeApp
from flask import Blueprint
from flask import Flask
from flask import request
from flask_login import LoginManager
from people import Codes
from people import PAGE
from people import Person
from people import Prompt
from werkzeug.test import TestResponse

from flask_stepup import require_reverification
from flask_stepup import ReverificationRequired
from flask_stepup import StepUp
from flask_stepup import Subject
from flask_stepup.errors import ImpersonationRefused
from flask_stepup.errors import LedgerUnavailable
from flask_stepup.errors import Refusal
from flask_stepup.errors import Unauthenticated
from flask_stepup.errors import ValueRefused

HTMX = {"HX-Request": "true", "Accept": "*/*", "Sec-Fetch-Mode": "cors"}
BEARER = {"Authorization": "Bearer token-of-alice"}
SAME_SITE_POST = PAGE | {"Origin": "http://localhost"}
CROSS_SITE = PAGE | {"Sec-Fetch-Site": "cross-site"}
#: The three ways to demand a policy.
WAYS = ("decorated", "protected", "required")


@pytest.fixture(name="app")
def _app(make_app: MakeApp, codes: Codes) -> Flask:
    return app_of_all_ways(make_app, codes)


def app_of_all_ways(make_app: MakeApp, codes: Codes, **config: Any) -> Flask:
    """An app whose subject is told by headers, guarded in each way."""

    def subject() -> Subject | None:
        user_id = request.headers.get("User", "alice")
        acting = "Acting" in request.headers
        return Subject(user_id, "sess_1", impersonated=acting) if user_id else None

    stepup = StepUp(verifier=codes, subject_loader=subject)
    app = make_app(stepup=stepup, **config)
    protected = Blueprint("protected", __name__)
    protected.add_url_rule("/protected", "view", lambda: "in", methods=METHODS)
    stepup.protect(protected)
    app.register_blueprint(protected)

    @app.route("/decorated", methods=METHODS)
    @require_reverification
    def decorated() -> str:
        return "in"

    @app.route("/required", methods=METHODS)
    def required() -> str:
        stepup.require()
        return "in"

    return app


METHODS = ["GET", "POST", "PUT", "DELETE"]


def ask(
    app: Flask, way: str, headers: dict[str, str], method: str = "GET"
) -> TestResponse:
    return app.test_client().open(f"/{way}?page=2", method=method, headers=headers)


def kind(response: TestResponse) -> str:
    """Which row of the table an answer is of."""
    if "HX-Redirect" in response.headers:
        return f"{response.status_code} htmx"
    if response.status_code == 303:
        return f"303 {urlsplit(response.location).path}"
    if response.is_json:
        return f"{response.status_code} {response.json['code']}"
    prompt = "stepup-code" in response.text
    return f"{response.status_code} {'prompt' if prompt else 'page'}"


ROWS: dict[str, tuple[str, dict[str, str], str]] = {
    "nobody, program": ("GET", {"User": ""}, "401 unauthenticated"),
    "nobody, page": ("GET", {"User": ""} | PAGE, "303 /login"),
    "nobody, page that posts": ("POST", {"User": ""} | PAGE, "303 /login"),
    "nobody, bearer": ("GET", {"User": ""} | BEARER, "401 unauthenticated"),
    "nobody, htmx": ("GET", {"User": ""} | HTMX, "401 htmx"),
    "nobody before impersonated": (
        "GET",
        {"User": "", "Acting": ""},
        "401 unauthenticated",
    ),
    "impersonated, page": ("GET", {"Acting": ""} | PAGE, "403 page"),
    "impersonated, program": ("GET", {"Acting": ""}, "403 impersonation_refused"),
    "impersonated before htmx": (
        "GET",
        {"Acting": ""} | HTMX,
        "403 impersonation_refused",
    ),
    "impersonated before bearer": (
        "GET",
        {"Acting": ""} | BEARER,
        "403 impersonation_refused",
    ),
    "htmx": ("GET", HTMX, "403 htmx"),
    "htmx that posts": ("POST", HTMX, "403 htmx"),
    "htmx before bearer": ("GET", HTMX | BEARER, "403 htmx"),
    "htmx before a page": ("GET", PAGE | {"HX-Request": "true"}, "403 htmx"),
    "htmx says true": ("GET", {"HX-Request": "false"}, "403 reverification_required"),
    "bearer": ("GET", BEARER, "401 reverification_required"),
    "bearer that posts": ("POST", BEARER, "401 reverification_required"),
    "bearer before a page": ("GET", BEARER | PAGE, "401 reverification_required"),
    "bearer in capitals": (
        "GET",
        {"Authorization": "BEARER x"},
        "401 reverification_required",
    ),
    "another scheme": (
        "GET",
        {"Authorization": "Basic x"},
        "403 reverification_required",
    ),
    "fetch without headers": ("GET", {"Accept": "*/*"}, "403 reverification_required"),
    "no Accept": ("DELETE", {}, "403 reverification_required"),
    "fetch that names html": (
        "POST",
        PAGE | {"Sec-Fetch-Mode": "cors"},
        "403 reverification_required",
    ),
    "an image": (
        "GET",
        PAGE | {"Sec-Fetch-Mode": "no-cors"},
        "403 reverification_required",
    ),
    "HTML in capitals": ("GET", {"Accept": "TEXT/HTML"}, "303 /stepup/"),
    "XHTML": ("GET", {"Accept": "application/xhtml+xml"}, "303 /stepup/"),
    "page": ("GET", PAGE, "303 /stepup/"),
    "page that heads": ("HEAD", PAGE, "303 /stepup/"),
    "page from elsewhere": ("GET", CROSS_SITE, "303 /stepup/"),
    "page that posts": ("POST", SAME_SITE_POST, "403 prompt"),
    "page that posts from elsewhere": ("POST", CROSS_SITE, "403 page"),
}


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("way", WAYS)
def test_the_first_row_that_fits(
    make_app: MakeApp, codes: Codes, way: str, row: str
) -> None:
    """Each kind of request gets its answer, whichever way the policy is demanded."""
    app = app_of_all_ways(make_app, codes, STEPUP_LOGIN_URL="/login")
    method, headers, expected = ROWS[row]

    response = ask(app, way, headers, method)

    assert kind(response) == expected
    assert response.headers["Cache-Control"] == "no-store"


#: What was looked at to find the answer; its words are in a language too.
IN_WORDS = "Accept-Language"
VARIES: dict[str, set[str]] = {
    "htmx": {"HX-Request", IN_WORDS},
    "bearer": {"HX-Request", IN_WORDS},
    "another scheme": {"HX-Request", "Accept", "Sec-Fetch-Mode", IN_WORDS},
    "nobody, program": {"HX-Request", "Accept", "Sec-Fetch-Mode", IN_WORDS},
    "page": {"HX-Request", "Accept", "Sec-Fetch-Mode"},
    "page that posts": {
        *("HX-Request", "Accept", "Sec-Fetch-Mode", "Sec-Fetch-Site", IN_WORDS),
    },
}


@pytest.mark.parametrize("row", VARIES)
def test_answers_vary_by_what_was_looked_at(app: Flask, row: str) -> None:
    """A cache keeps apart what the table keeps apart."""
    method, headers, _ = ROWS[row]
    # One of these tells who is asking.
    names = VARIES[row] | {"Authorization", "Cookie"}

    vary = ask(app, "decorated", headers, method).vary

    assert set(vary.as_set()) == {name.lower() for name in names}


@pytest.mark.parametrize("row", ["no Accept", "page", "page that posts", "htmx"])
def test_a_refusal_asks_the_ledger_once(app: Flask, row: str) -> None:
    """What refuses a request also tells whether its session was ended."""
    method, headers, _ = ROWS[row]
    client = app.test_client()
    client.open("/decorated", method=method, headers=headers)
    statements: list[str] = []
    with app.extensions["stepup"].ledger._database._pool.cursor() as cursor:
        cursor.connection.set_trace_callback(statements.append)

    answer = client.open("/decorated", method=method, headers=headers)

    assert answer.status_code in (303, 403)
    assert len([sql for sql in statements if "FROM revocations" in sql]) == 1


@pytest.mark.parametrize("way", WAYS)
def test_what_the_view_lets_be_kept_is_kept_for_one_person(
    make_app: MakeApp, codes: Codes, way: str
) -> None:
    """A view's own Cache-Control stands, and its answer varies by who asks."""
    stepup = StepUp(
        verifier=codes, subject_loader=lambda: Subject("alice", "s1", [0, 0])
    )
    app = make_app(stepup=stepup)
    answer = {"Cache-Control": "private, max-age=9"}
    blueprint = Blueprint("kept", __name__)

    def required() -> Any:
        stepup.require()
        return "in", answer

    views: dict[str, Any] = {
        "decorated": require_reverification(lambda: ("in", answer)),
        "protected": lambda: ("in", answer),
        "required": required,
    }
    blueprint.add_url_rule("/kept", "view", views[way])
    if way == "protected":
        stepup.protect(blueprint)
    app.register_blueprint(blueprint)

    kept = app.test_client().get("/kept", headers=BEARER)

    assert (kept.text, kept.headers["Cache-Control"]) == ("in", "private, max-age=9")
    assert {"authorization", "cookie", "stepup-marker"} <= set(kept.vary.as_set())


def test_what_flask_login_answers_is_not_stored(
    make_app: MakeApp, codes: Codes
) -> None:
    """The same address answers a program with JSON."""
    app = make_app(stepup=StepUp(verifier=codes))
    manager = LoginManager(app)
    manager.user_loader(lambda user_id: None)
    manager.login_view = "open_to_all"

    answer = app.test_client().get("/vault", headers=PAGE)

    assert answer.location == "/open?next=%2Fvault"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "accept" in answer.vary.as_set()


def test_a_handler_of_the_apps_own_is_not_stored(app: Flask) -> None:
    """Whichever way the policy is demanded."""
    app.register_error_handler(ReverificationRequired, lambda error: ("mine", 403))
    for way in WAYS:
        answer = ask(app, way, PAGE)
        assert (answer.text, answer.headers["Cache-Control"]) == ("mine", "no-store")


def test_an_old_browsers_post_varies_by_its_origin(app: Flask) -> None:
    """``Origin`` is looked at only where ``Sec-Fetch-Site`` is absent."""
    headers = {"Accept": "text/html", "Origin": "null"}
    response = ask(app, "decorated", headers, "POST")

    assert kind(response) == "403 page"
    assert "origin" in response.vary.as_set()


@pytest.mark.parametrize(
    "refusal",
    [
        Unauthenticated(),
        ImpersonationRefused(),
        LedgerUnavailable("down"),
        ValueRefused("to", "is missing"),
    ],
    ids=lambda refusal: type(refusal).__name__,
)
def test_json_is_put_into_no_page(app: Flask, refusal: Refusal) -> None:
    """Where there is no prompt to lead to, htmx 4 would show it in place of a table."""

    def refuse() -> str:
        raise refusal

    app.add_url_rule("/refuse", "refuse", refuse)
    by_htmx = ask(app, "refuse", HTMX)
    by_program = ask(app, "refuse", {})

    assert by_htmx.is_json
    assert by_htmx.headers["HX-Reswap"] == "none"
    assert "HX-Reswap" not in by_program.headers
    assert "hx-request" in by_program.vary.as_set()


@pytest.mark.parametrize("host", ["a b", "a/b"])
def test_a_host_that_is_none_is_nobodys(app: Flask, host: str) -> None:
    """A post of ``Origin: null`` is from another site, whatever came as Host."""
    headers = {"Accept": "text/html", "Origin": "null", "Host": host}

    assert kind(ask(app, "decorated", headers, "POST")) == "403 page"


def test_the_front_page_is_on_this_site(app: Flask, codes: Codes) -> None:
    """Promise 10: also where a proxy lets strangers say what the app's root is."""
    headers = {"HX-Request": "true"}
    client = app.test_client()
    url = client.get(
        "/decorated", headers=headers, environ_overrides={"SCRIPT_NAME": "//evil"}
    ).headers["HX-Redirect"]
    prompt = Prompt(client.get("/stepup/" + url[url.index("?") :], headers=PAGE))

    answer = client.post(
        "/stepup/", data=prompt.fields | {"code": "right"}, headers=PAGE
    )

    assert answer.location == "/evil/"


def test_a_loader_may_have_attributes(make_app: MakeApp, codes: Codes) -> None:
    """What is no memory of expired sign-ins is not taken for one."""

    def loader() -> None:
        return None

    loader.expired = True  # type: ignore[attr-defined]
    app = make_app(stepup=StepUp(verifier=codes, subject_loader=loader))

    assert app.test_client().post("/stepup/", json={}).status_code == 401


# --- what JSON says ---


@pytest.mark.parametrize(
    ("demands", "config"),
    [
        (["strict_mfa"], "strict_mfa"),
        (["strict"], "strict"),
        (["moderate"], "moderate"),
        (["lax"], "lax"),
        ([{"level": "second_factor", "max_age": 3_600}], "moderate"),
        (
            [{"level": "first_factor", "max_age": 300}],
            {"level": "first_factor", "afterMinutes": 5},
        ),
        (
            [{"level": "multi_factor", "max_age": 90}],
            {"level": "multi_factor", "afterMinutes": 1.5},
        ),
        (
            [{"level": "second_factor", "max_age": 1}],
            {"level": "second_factor", "afterMinutes": 1 / 60},
        ),
    ],
)
def test_clerks_hint(app: Flask, demands: list[Any], config: Any) -> None:
    """A preset by its name, anything else as level and minutes, in camel case."""
    words = demands[0] if isinstance(demands[0], dict) else {}
    names = [] if words else demands
    view = require_reverification(*names, **words)(lambda: "in")
    app.add_url_rule("/hinted", "hinted", view)

    for headers in ({}, BEARER):
        hint = app.test_client().get("/hinted", headers=headers).json["clerk_error"]
        assert hint == {
            "type": "forbidden",
            "reason": "reverification-error",
            "metadata": {"reverification": config},
        }


# --- RFC 9470 ---


def test_a_bearer_learns_what_is_missing(app: Flask) -> None:
    """RFC 9470: quoted, ASCII, with the age; and the body says 401 as well."""
    response = ask(app, "decorated", BEARER)

    assert response.headers["WWW-Authenticate"] == (
        'Bearer error="insufficient_user_authentication", '
        'error_description="A more recent authentication is required", max_age="600"'
    )
    challenge = response.www_authenticate
    assert (challenge.type, challenge.parameters["max_age"]) == ("bearer", "600")
    assert response.mimetype == "application/problem+json"
    assert response.json["status"] == 401
    assert response.json["verify_url"] == "/stepup/"
    assert "Set-Cookie" not in response.headers


def test_a_bearer_whose_token_names_nobody(app: Flask) -> None:
    """RFC 6750: the token was no good, and no step-up would help."""
    response = ask(app, "decorated", {"User": ""} | BEARER)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


# --- HTMX ---


#: Nothing that compresses.
LONG = secrets.token_hex(1_500)


def from_page(page: str) -> dict[str, str]:
    return HTMX | {"HX-Current-URL": page}


def way_back(app: Flask, codes: Codes, headers: dict[str, str], method: str) -> Any:
    """Go where HTMX is sent, answer the prompt, and return it with the way back."""
    somebody = Person(app)
    url = somebody.json("/decorated?part=1", method, headers=headers).headers[
        "HX-Redirect"
    ]
    assert len(url) <= 2_000
    prompt = Prompt(somebody.open(url))
    # Another code each time: they open once.
    return prompt, somebody.answer(prompt, f"right {len(codes.asked)}").location


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_htmx_comes_back_to_the_page(app: Flask, codes: Codes, method: str) -> None:
    """Not to the part of it that was asked for, whatever the method."""
    headers = from_page("http://localhost/people?page=2#row-5")

    prompt, location = way_back(app, codes, headers, method)

    assert location == "/people?page=2"
    assert ("have to send it again" in prompt.says) is (method != "GET")


@pytest.mark.parametrize(
    "foreign",
    [
        "https://evil.example/people",
        "http://localhost.evil.example/",
        "http://evil.example\\@localhost/",
        "//evil.example/x",
        "javascript:alert(1)",
        "http://[",
        "people?page=2",
        "",
    ],
)
def test_htmx_is_led_to_no_other_site(app: Flask, codes: Codes, foreign: str) -> None:
    """Promise 10: a page elsewhere is no way back; the one that referred is."""
    headers = from_page(foreign)
    assert way_back(app, codes, headers, "POST")[1] == "/"
    headers["Referer"] = "http://localhost/list"
    assert way_back(app, codes, headers, "POST")[1] == "/list"


@pytest.mark.parametrize(
    ("page", "back"),
    [
        ("http://localhost//evil.example", "/evil.example"),
        ("http://localhost/\\evil.example", "/evil.example"),
        ("http://localhost/stepup/?challenge=x", "/"),
        ("http://localhost", "/"),
        ("http://localhost/search?q=" + LONG, "/search"),
        ("http://localhost/" + LONG, "/"),
    ],
)
def test_htmx_comes_back_as_near_as_can_be(
    app: Flask, codes: Codes, page: str, back: str
) -> None:
    """Never off this site, to the prompt itself, or by an address that is too long."""
    assert way_back(app, codes, from_page(page), "GET")[1] == back


def test_htmx_is_led_to_the_sign_in(make_app: MakeApp, codes: Codes) -> None:
    """Where nobody is signed in, or not lately enough, it comes back to its page."""
    app = app_of_all_ways(make_app, codes, STEPUP_LOGIN_URL="/login?from=app")
    view = require_reverification(level="first_factor")(lambda: "in")
    app.add_url_rule("/first", "first", view)
    headers = from_page("http://localhost/people?page=2")

    nobody = ask(app, "decorated", headers | {"User": ""}, "POST")
    again = ask(app, "first", headers)

    assert (nobody.status_code, again.status_code) == (401, 403)
    for response in (nobody, again):
        url = urlsplit(response.headers["HX-Redirect"])
        assert url.path == "/login"
        assert parse_qs(url.query)["next"] == ["/people?page=2"]


def test_no_challenge_is_told_where_a_code_would_not_help(app: Flask) -> None:
    """The prompt proves the second factor, and the first is the sign-in's."""
    view = require_reverification(level="first_factor")(lambda: "in")
    app.add_url_rule("/first", "first", view)

    for headers in ({}, BEARER, HTMX):
        body = ask(app, "first", headers).json
        assert "challenge" not in body
        assert body["clerk_error"]
        assert re.search("sign-in", body["detail"])

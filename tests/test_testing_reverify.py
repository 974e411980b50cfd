"""``reverify``: with every kind of app and client that the package serves."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cachelib import SimpleCache
from conftest import MakeApp
from flask import Flask
from flask import g
from flask import redirect
from flask import request
from flask import Response
from flask import session
from flask.testing import FlaskClient
from flask.typing import ResponseReturnValue
from flask_login import FlaskLoginClient
from flask_login import login_user
from flask_login import LoginManager
from flask_login import UserMixin
from flask_session import Session
from people import Codes
from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from flask_stepup import ConfigurationError
from flask_stepup import require_reverification
from flask_stepup import StepUp
from flask_stepup import Subject
from flask_stepup.sandbox import demo_users
from flask_stepup.sandbox import Sandbox
from flask_stepup.testing import reverify

ALICE = "user_alice"


def signed_in(app: Flask, user_id: str = "alice", **kwargs: Any) -> FlaskClient:
    client = app.test_client(**kwargs)
    client.get(f"/sign-in/{user_id}")
    return client


def test_the_next_guarded_request_passes(app: Flask) -> None:
    """By a real marker in the session, where it was refused before; others are not."""
    client, other = signed_in(app), signed_in(app)
    assert client.get("/vault").status_code == 403

    assert reverify(client) is None

    assert [client.get("/vault").status_code for _ in range(2)] == [200, 200]
    assert client.post("/vault").text == "the vault is open"
    assert other.get("/vault").status_code == 403
    with client.session_transaction() as kept:
        assert set(kept["_stepup"]) == {""}


def test_a_scope_and_a_level_are_what_they_are_asked_for(make_app: MakeApp) -> None:
    """Nothing else is opened; a factor of the same scope is added to the other."""
    app = make_app()
    for name, demands in {
        "pay": {"scope": "payments"},
        "both": {"level": "multi_factor"},
        "first": {"level": "first_factor"},
    }.items():
        view = require_reverification(**demands)(lambda: "in")  # type: ignore[arg-type]
        app.add_url_rule(f"/{name}", name, view)
    client = signed_in(app)

    def opened() -> set[str]:
        paths = ("vault", "pay", "both", "first")
        return {path for path in paths if client.get(path).status_code == 200}

    reverify(client, scope="payments")
    assert opened() == {"pay"}
    reverify(client, level="first_factor")
    assert opened() == {"pay", "first"}
    reverify(client)
    assert opened() == {"pay", "first", "both", "vault"}


def test_what_ends_a_marker_ends_this_one(make_app: MakeApp, stepup: StepUp) -> None:
    """It is revoked, forgotten, and too old, as any other."""
    app = make_app(stepup=stepup)
    client = signed_in(app)
    reverify(client)

    with app.app_context():
        stepup.revoke("alice")

    assert client.get("/vault").json["cause"] == "revoked"  # type: ignore[index]
    reverify(client)
    assert client.get("/vault").status_code == 200


def test_the_user_id_is_who_has_to_be_signed_in(app: Flask) -> None:
    """Nobody is signed in by it, and somebody else is an error that stamps nothing."""
    client = signed_in(app)
    reverify(client, user_id="alice")
    assert client.get("/vault").status_code == 200
    bob = signed_in(app, "bob")

    with pytest.raises(ConfigurationError, match="'bob' is signed in, and not 'alice'"):
        reverify(bob, user_id="alice")

    assert bob.get("/vault").status_code == 403


def test_a_number_is_a_user_id(make_app: MakeApp, codes: Codes) -> None:
    """0 too: the loader's number and the test's are the same text."""
    stepup = StepUp(verifier=codes, subject_loader=lambda: 0)
    client = make_app(stepup=stepup).test_client()

    reverify(client, user_id=0)

    assert client.get("/vault").status_code == 200


@pytest.mark.parametrize("user_id", [None, "alice"])
def test_nobody_is_an_error_that_names_the_mend(
    app: Flask, user_id: str | None
) -> None:
    """Who is named would not be believed later: a marker is one session's."""
    client = app.test_client()

    with pytest.raises(ConfigurationError) as raised:
        reverify(client, user_id=user_id)

    message = str(raised.value)
    assert f"sign {user_id or 'them'} in first" in message
    assert "session_transaction()" in message
    assert "headers=" in message


def test_what_tells_who_is_asking_may_be_a_header(
    make_app: MakeApp, codes: Codes
) -> None:
    """As behind a proxy that signs people in; given here, or kept by the client."""
    loader = lambda: request.headers.get("X-User")  # noqa: E731
    app = make_app(stepup=StepUp(verifier=codes, subject_loader=loader))
    client, other = app.test_client(), app.test_client()
    headers = {"X-User": "alice"}
    other.environ_base["HTTP_X_USER"] = "bob"

    reverify(client, user_id="alice", headers=headers)
    reverify(other, user_id="bob")

    assert client.get("/vault", headers=headers).status_code == 200
    assert other.get("/vault").status_code == 200
    assert client.get("/vault", headers={"X-User": "bob"}).status_code == 403


def test_what_tells_who_is_asking_may_be_the_servers(
    make_app: MakeApp, codes: Codes
) -> None:
    """As ``REMOTE_USER``, in an environment that the test gives."""
    loader = lambda: request.remote_user  # noqa: E731
    app = make_app(stepup=StepUp(verifier=codes, subject_loader=loader))
    client, server = app.test_client(), {"REMOTE_USER": "alice"}

    reverify(client, environ_overrides=server)

    assert client.get("/vault", environ_overrides=server).status_code == 200


def test_a_loader_may_read_what_the_app_puts_into_g(
    make_app: MakeApp, codes: Codes
) -> None:
    """As Flask's tutorial does it: functions before requests have run."""
    loader = lambda: g.get("user")  # noqa: E731
    app = make_app(stepup=StepUp(verifier=codes, subject_loader=loader))

    @app.before_request
    def load() -> ResponseReturnValue | None:
        g.user = session.get("user_id")
        is_free = request.path.startswith("/sign-in")
        return None if g.user or is_free else redirect("/sign-in/alice")

    client = signed_in(app)
    reverify(client)

    assert client.get("/vault").status_code == 200


def test_sessions_on_the_server(make_app: MakeApp) -> None:
    """Flask-Session: the marker is there, under an id that was renewed."""
    app = make_app()
    app.config.update(SESSION_TYPE="cachelib", SESSION_CACHELIB=SimpleCache())
    Session(app)
    client = signed_in(app)
    before = client.get_cookie("session")

    reverify(client)

    assert client.get("/vault").status_code == 200
    after = client.get_cookie("session")
    assert before
    assert after
    assert before.value != after.value


class User(UserMixin):  # type: ignore[misc]
    """A person, as Flask-Login has it."""

    def __init__(self, name: str) -> None:
        self.id = name
        self.clerk_id = f"user_{name}"


@pytest.fixture(name="login_app")
def _login_app(codes: Codes, tmp_path: Path) -> Callable[..., Flask]:
    """A function that makes an app with Flask-Login."""

    def make(protection: str | None = "basic", **stepup: Any) -> Flask:
        app = Flask("login", instance_path=str(tmp_path))
        app.config.update(SECRET_KEY="k" * 32, STEPUP_STORAGE_URI="memory://")
        login = LoginManager(app)
        login.session_protection = protection
        login.user_loader(User)
        StepUp(app, verifier=codes, **stepup)
        app.add_url_rule("/vault", "vault", require_reverification(lambda: "in"))
        sign_in = lambda name: str(login_user(User(name)))  # noqa: E731
        app.add_url_rule("/sign-in/<name>", "sign_in", sign_in)
        app.test_client_class = FlaskLoginClient
        return app

    return make


@pytest.mark.parametrize("protection", ["basic", "strong", None])
def test_flask_login_signed_in_by_its_form(
    login_app: Callable[..., Flask], protection: str | None
) -> None:
    """The marker is bound to the sign-in, which is of this client's own browser."""
    client = signed_in(login_app(protection))
    client.environ_base["HTTP_USER_AGENT"] = "Firefox"
    client.get("/sign-in/alice")

    reverify(client, user_id="alice")

    assert [client.get("/vault").status_code for _ in range(3)] == [200] * 3


@pytest.mark.parametrize("protection", ["basic", None])
def test_flask_logins_own_client(
    login_app: Callable[..., Flask], protection: str | None
) -> None:
    """Where its ``fresh_login=True`` is lost at the first request, ours stays."""
    app = login_app(protection)
    client = app.test_client(user=User("alice"), fresh_login=True)

    reverify(client)

    assert [client.get("/vault").status_code for _ in range(3)] == [200] * 3


def test_flask_logins_own_client_in_strong_mode(
    login_app: Callable[..., Flask],
) -> None:
    """It is signed out by Flask-Login, which the error says."""
    app, other = login_app("strong"), login_app("basic")
    other.config["SESSION_PROTECTION"] = "strong"

    for client in (a.test_client(user=User("alice")) for a in (app, other)):
        with pytest.raises(ConfigurationError, match="SESSION_PROTECTION is 'strong'"):
            reverify(client)


def test_strong_mode_is_no_matter_where_another_loader_is(
    login_app: Callable[..., Flask],
) -> None:
    """Nor is what Flask-Login does with its own client."""
    app = login_app("strong", subject_loader=lambda: None)

    with pytest.raises(ConfigurationError, match="nobody is signed in") as raised:
        reverify(app.test_client(user=User("alice")))

    assert "SESSION_PROTECTION" not in str(raised.value)


def test_flask_login_and_an_attribute(login_app: Callable[..., Flask]) -> None:
    """The user id is the one that the verifier knows."""
    from flask_stepup.subject import FlaskLogin

    app = login_app(subject_loader=FlaskLogin(attribute="clerk_id"))
    client = signed_in(app)

    with pytest.raises(ConfigurationError, match="'user_alice' is signed in"):
        reverify(client, user_id="alice")
    reverify(client, user_id="user_alice")

    assert client.get("/vault").status_code == 200


@pytest.fixture(name="clerk", scope="module")
def _clerk() -> Sandbox:
    return Sandbox(demo_users())


@pytest.fixture(name="clerk_app")
def _clerk_app(clerk: Sandbox, codes: Codes, tmp_path: Path) -> Flask:
    app = Flask("clerk", instance_path=str(tmp_path))
    app.config.update(
        SECRET_KEY="k" * 32,
        STEPUP_STORAGE_URI="memory://",
        STEPUP_CLERK_JWT_KEY=clerk.jwt_key,
    )
    StepUp(app, verifier=codes)
    app.add_url_rule("/vault", "vault", require_reverification(lambda: "in"))
    return app


def test_clerks_session_cookie(clerk: Sandbox, clerk_app: Flask) -> None:
    """The person of the token, with a marker of the session that it names."""
    client, user_id = clerk_app.test_client(), clerk.users[0].user_id
    client.set_cookie("__session", clerk.session_token(user_id, factor_ages=(9, -1)))
    assert client.get("/vault").status_code == 403

    assert reverify(client, user_id=user_id) is None

    assert client.get("/vault").status_code == 200


def test_a_bearer_token(clerk: Sandbox, clerk_app: Flask) -> None:
    """The marker is returned for the client to send; cookies are no matter."""
    token = clerk.session_token(clerk.users[0].user_id)
    headers = {"Authorization": f"Bearer {token}"}
    client = clerk_app.test_client(use_cookies=False)
    assert client.get("/vault", headers=headers).status_code == 401

    marker = reverify(client, headers=headers)

    assert marker
    passing = {**headers, "Stepup-Marker": marker}
    assert client.get("/vault", headers=passing).status_code == 200
    assert client.get("/vault", headers=headers).status_code == 401
    client.environ_base["HTTP_AUTHORIZATION"] = headers["Authorization"]
    assert reverify(client, scope="payments")


def test_a_bearer_token_without_a_session(make_app: MakeApp, codes: Codes) -> None:
    """Nothing could bind its marker, which is said."""
    stepup = StepUp(verifier=codes, subject_loader=lambda: "alice")
    client = make_app(stepup=stepup).test_client()

    with pytest.raises(ConfigurationError, match="return a Subject with a session_id"):
        reverify(client, headers={"Authorization": "Bearer anything"})


def test_a_client_that_keeps_no_cookies(make_app: MakeApp, codes: Codes) -> None:
    """The marker would be lost, and the test would not know why."""
    stepup = StepUp(verifier=codes, subject_loader=lambda: "alice")
    client = make_app(stepup=stepup).test_client(use_cookies=False)

    with pytest.raises(ConfigurationError, match="use a client with cookies"):
        reverify(client)


@pytest.mark.parametrize("dropped", [{"_stepup"}, {"_stepup_sid"}, {"user_id"}])
def test_an_app_that_drops_its_session(make_app: MakeApp, dropped: set[str]) -> None:
    """The same, where the app is to blame, for whatever it drops."""
    app = make_app()

    @app.after_request
    def drop(response: Response) -> Response:
        if request.path == "/stepup/status":
            for key in dropped:
                session.pop(key, None)
        return response

    client = signed_in(app)

    with pytest.raises(ConfigurationError, match="whether the app drops its session"):
        reverify(client)


def test_a_session_that_is_full(app: Flask) -> None:
    """The mend is in the app, as it would be in production."""
    client = signed_in(app)
    with client.session_transaction() as kept:
        kept["basket"] = secrets.token_urlsafe(2_800)

    with pytest.raises(ConfigurationError, match="keep less in the session"):
        reverify(client)


def test_who_acts_in_anothers_name(make_app: MakeApp, codes: Codes) -> None:
    """Such a session meets no policy, in tests neither."""
    loader = lambda: Subject("alice", impersonated=True)  # noqa: E731
    app = make_app(stepup=StepUp(verifier=codes, subject_loader=loader))

    with pytest.raises(ConfigurationError, match="in another person's name"):
        reverify(app.test_client())


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"level": "second"}, "is not a level"),
        ({"scope": "x" * 65}, "is not text"),
        ({"user_id": ""}, "cannot be empty"),
        ({"user_id": True}, "must be text or a whole number"),
    ],
)
def test_what_cannot_be_is_told_at_once(
    app: Flask, wrong: dict[str, Any], match: str
) -> None:
    """With the words that the app itself would hear."""
    with pytest.raises(ConfigurationError, match=match):
        reverify(signed_in(app), **wrong)


def test_an_app_without_the_extension() -> None:
    """It names what to call."""
    with pytest.raises(ConfigurationError, match="this app has no StepUp"):
        reverify(Flask("bare").test_client())


@pytest.mark.parametrize(
    "config",
    [
        {"APPLICATION_ROOT": "/bank"},
        {"SERVER_NAME": "bank.example"},
        {"SERVER_NAME": "bank.example:8000", "APPLICATION_ROOT": "/a/b"},
        {"PREFERRED_URL_SCHEME": "https", "SESSION_COOKIE_SECURE": True},
        {"STEPUP_URL_PREFIX": "/confirm"},
        {"SESSION_COOKIE_NAME": "__Host-bank", "SESSION_COOKIE_PATH": "/"},
    ],
)
def test_wherever_the_app_is(make_app: MakeApp, config: dict[str, Any]) -> None:
    """Sub-paths, hosts, schemes and prefixes are the client's own."""
    app = make_app(**config)
    client = signed_in(app)

    reverify(client)

    assert client.get("/vault").status_code == 200


def test_a_host_that_the_test_names(make_app: MakeApp) -> None:
    """Cookies of one host are not sent to another, so it is given here too."""
    client = make_app().test_client()
    client.get("/sign-in/alice", base_url="https://bank.example")

    with pytest.raises(ConfigurationError, match="nobody is signed in"):
        reverify(client)
    reverify(client, base_url="https://bank.example")

    answer = client.get("/vault", base_url="https://bank.example")
    assert answer.status_code == 200


def test_an_app_behind_others(app: Flask) -> None:
    """A client of the whole is no client of Flask's, and has paths of its own."""
    client = Client(DispatcherMiddleware(Flask("front"), {"/bank": app}))
    client.get("/bank/sign-in/alice")

    reverify(client, path="/bank/stepup/status")

    assert client.get("/bank/vault").status_code == 200
    front = Client(DispatcherMiddleware(NotFound(), {"/bank": app}))
    with pytest.raises(ConfigurationError, match="never saw GET /stepup/status: 404"):
        reverify(front)


def test_within_a_client_that_preserves_contexts(app: Flask) -> None:
    """``with client:`` shows the session with the marker, as after any request."""
    with signed_in(app) as client:
        reverify(client)
        assert session["_stepup"]
        assert client.get("/vault").status_code == 200
    with app.test_request_context():
        reverify(client, scope="more")


def test_other_requests_are_left_alone(app: Flask) -> None:
    """What another client sends meanwhile is not stamped, and nothing stays behind."""
    bob, met = app.test_client(), []

    @app.after_request
    def meanwhile(response: Response) -> Response:
        if request.path == "/stepup/status":
            met.append(bob.get("/vault").status_code)
        return response

    alice = signed_in(app)
    bob.get("/sign-in/bob")

    reverify(alice)

    assert met == [403, 403]
    assert bob.get("/vault").status_code == 403
    assert alice.get("/vault").status_code == 200


def test_an_error_of_the_app_is_the_apps(make_app: MakeApp) -> None:
    """It comes out as it does of every request in a test."""
    app, broken = make_app(TESTING=True), list[bool]()

    @app.before_request
    def fail() -> None:
        if broken:
            raise ZeroDivisionError

    client = signed_in(app)
    broken.append(True)

    with pytest.raises(ZeroDivisionError):
        reverify(client)


def test_nothing_is_logged_but_what_a_request_logs(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    """No marker is in any record."""
    client = signed_in(app)
    with caplog.at_level(logging.DEBUG):
        reverify(client)
    with client.session_transaction() as kept:
        (marker,) = kept["_stepup"].values()

    assert marker not in caplog.text

"""``assert_requires_reverification``: what it accepts, and what it says otherwise."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import MakeApp
from flask import abort
from flask import Blueprint
from flask import Flask
from flask import redirect
from flask import request
from flask import session
from flask.testing import FlaskClient
from flask.views import MethodView
from flask_login import LoginManager
from flask_wtf import CSRFProtect
from people import Codes
from people import PAGE
from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from flask_stepup import ConfigurationError
from flask_stepup import require_reverification
from flask_stepup import ReverificationRequired
from flask_stepup import StepUp
from flask_stepup import Subject
from flask_stepup.testing import assert_requires_reverification
from flask_stepup.testing import enter_code
from flask_stepup.testing import FakeVerifier
from flask_stepup.testing import reverify
from flask_stepup.testing import use_verifier

FORM = {"to": "Bob", "amount": "1250"}


@pytest.fixture(name="app")
def _app(make_app: MakeApp, stepup: StepUp) -> Flask:
    """An app with guards of all kinds, and routes with none."""
    app = make_app(stepup=stepup)
    ran = app.extensions["runs"]

    @app.post("/transfer")
    @require_reverification(
        bind=("to", "amount"), scope="payments", reason="Send money", max_age=300
    )
    def transfer() -> str:
        ran.append("transfer")
        return "sent"

    @app.post("/require")
    def require() -> str:
        ran.append("before")
        if "to" not in request.form:
            abort(422)
        stepup.require("lax", scope="inside")
        ran.append("after")
        return "done"

    @app.route("/posts", methods=["GET", "POST"])
    @require_reverification(methods={"POST"})
    def posts() -> str:
        return "posts"

    class Keys(MethodView):
        decorators = [require_reverification("moderate")]  # noqa: RUF012

        def delete(self, key: int) -> str:
            return f"deleted {key}"

    app.add_url_rule("/keys/<int:key>", view_func=Keys.as_view("keys"))
    blueprint = Blueprint("admin", __name__, url_prefix="/admin")
    blueprint.get("/users", endpoint="users")(lambda: "users")
    stepup.protect(blueprint)
    app.register_blueprint(blueprint)
    app.get("/slash/", endpoint="slash")(lambda: "slash")
    app.get("/elsewhere", endpoint="elsewhere")(lambda: redirect("/open?token=secret"))
    told = {"code": "reverification_required", "challenge": "x", "policy": {}}
    app.post("/passed-on", endpoint="passed_on")(lambda: (told, 403))
    app.get("/gone", endpoint="gone")(lambda: abort(404))
    return app


@pytest.fixture(name="client")
def _client(app: Flask) -> FlaskClient:
    client = app.test_client()
    client.get("/sign-in/alice")
    return client


def said(client: Client, *args: Any, **kwargs: Any) -> str:
    """What the assertion says, which has to fail."""
    with pytest.raises(AssertionError) as raised:
        assert_requires_reverification(client, *args, **kwargs)
    return str(raised.value)


def test_the_form_of_the_contract(app: Flask, client: FlaskClient) -> None:
    """A form that is posted to a guarded view is answered by a challenge, unrun."""
    problem = assert_requires_reverification(
        client, "/transfer", method="POST", data=FORM
    )

    assert problem["code"] == "reverification_required"
    assert problem["cause"] == "missing"
    assert problem["policy"]["bind"] == FORM
    assert problem["challenge"]
    assert app.extensions["runs"] == []


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/vault", {}),
        ("/vault", {"method": "POST", "json": {"a": 1}}),
        ("/vault", {"method": "post", "headers": [("X-Other", "1")]}),
        ("/vault", {"headers": PAGE}),
        ("/vault", {"headers": {"HX-Request": "true"}}),
        ("/vault?a=b", {"query_string": None}),
        ("/transfer", {"method": "POST", "json": FORM}),
        ("/require", {"method": "POST", "data": FORM}),
        ("/posts", {"method": "POST"}),
        ("/keys/3", {"method": "DELETE"}),
        ("/admin/users", {}),
    ],
)
def test_every_kind_of_guard(
    client: FlaskClient, path: str, sent: dict[str, Any]
) -> None:
    """Decorator, view class, blueprint and ``require``; asked as a program asks."""
    problem = assert_requires_reverification(client, path, **sent)

    assert problem["policy"]["level"] == "second_factor"


@pytest.mark.parametrize(
    "expected",
    [
        {},
        {"scope": "payments", "level": "second_factor", "max_age": 300, "once": True},
        {"max_age": timedelta(minutes=5)},
        {"bind": FORM},
        {"bind": ("to", "amount")},
        {"bind": ["to", "amount"]},
    ],
)
def test_the_policy_that_is_expected(
    client: FlaskClient, expected: dict[str, Any]
) -> None:
    """What is given has to be so, and the rest is not looked at."""
    assert_requires_reverification(
        client, "/transfer", method="POST", data=FORM, **expected
    )


@pytest.mark.parametrize(
    ("expected", "told"),
    [
        ({"scope": ""}, "scope is 'payments', not ''"),
        ({"level": "multi_factor"}, "level is 'second_factor', not 'multi_factor'"),
        ({"max_age": timedelta(hours=1)}, "max_age is 300, not 3600"),
        ({"once": False}, "once is True, not False"),
        ({"bind": ("to",)}, "bind is ['amount', 'to'], not ['to']"),
        ({"bind": {**FORM, "amount": "1"}}, "'amount': '1'"),
        ({"bind": {}}, "not {}"),
        ({"scope": "a", "max_age": 1}, "max_age is 300, not 1; scope is 'payments'"),
    ],
)
def test_another_policy(
    client: FlaskClient, expected: dict[str, Any], told: str
) -> None:
    """It says of all that differs what it is, and what was expected."""
    message = said(client, "/transfer", method="POST", data=FORM, **expected)

    assert "POST /transfer has another policy than expected: " in message
    assert told in message


def test_a_policy_without_approval(client: FlaskClient) -> None:
    """``once=False`` and an empty ``bind`` are said of a standing marker's policy."""
    assert_requires_reverification(client, "/vault", once=False, bind=())

    assert "once is False, not True" in said(client, "/vault", once=True)
    assert "bind is [], not ['to']" in said(client, "/vault", bind=("to",))


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"level": "second"}, "is not a level"),
        ({"max_age": 0}, "is not an age"),
        ({"scope": 3}, "is not text"),
        ({"bind": "to"}, "names no values"),
        ({"method": "HEAD"}, "no body to look at"),
    ],
)
def test_what_no_policy_can_be(
    client: FlaskClient, wrong: dict[str, Any], match: str
) -> None:
    """A mistake in the test is told as such, and not as one of the app."""
    with pytest.raises(ConfigurationError, match=match):
        assert_requires_reverification(client, "/vault", **wrong)


def test_redirects_are_not_followed(client: FlaskClient) -> None:
    """What is behind one is another answer."""
    with pytest.raises(TypeError, match="follow_redirects"):
        assert_requires_reverification(client, "/vault", follow_redirects=True)


def test_no_guard(client: FlaskClient) -> None:
    """The view that ran is named, and where the decorator belongs."""
    message = said(client, "/open")

    assert message.startswith("GET /open is not met by a challenge: it got 200. ")
    assert "'open_to_all' ran, with no guard that can be seen" in message
    assert "right below @app.route" in message


def test_no_guard_and_a_view_that_signs_out(make_app: MakeApp, codes: Codes) -> None:
    """A loader that is not made for that does not hide what there is to say."""
    loader = lambda: session["user_id"]  # noqa: E731
    app = make_app(stepup=StepUp(verifier=codes, subject_loader=loader))
    app.get("/sign-out", endpoint="out")(lambda: session.clear() or "bye")
    client = app.test_client()
    client.get("/sign-in/alice")

    assert "The view 'out' ran, with no guard" in said(client, "/sign-out")


def test_reverified_already(client: FlaskClient) -> None:
    """The guard is there, and the person has met it."""
    reverify(client)

    message = said(client, "/vault")

    assert "it got 200. The route is guarded, and 'alice' has met its policy" in message
    assert "a client that has proved nothing yet" in message
    assert "The route is guarded" in said(client, "/admin/users")
    assert "The route is guarded" in said(client, "/keys/3", method="DELETE")


@pytest.mark.parametrize(("path", "method"), [("/posts", "GET"), ("/vault", "OPTIONS")])
def test_a_method_that_is_not_guarded(
    client: FlaskClient, path: str, method: str
) -> None:
    """The guard is there, for other methods."""
    assert "is for other methods" in said(client, path, method=method)


def test_nobody_signed_in(app: Flask) -> None:
    """401 by ourselves."""
    message = said(app.test_client(), "/vault")

    assert "it got 401. Nobody is signed in: sign somebody in" in message


def test_nobody_signed_in_and_the_app_redirects(make_app: MakeApp) -> None:
    """302 by a check of the app's own, in front of ours."""
    app = make_app()
    app.before_request(lambda: None if "user_id" in session else redirect("/sign-in/x"))

    message = said(app.test_client(), "/vault")

    assert "it got 302. Nobody is signed in" in message


def test_nobody_signed_in_by_flask_login(codes: Codes, tmp_path: Path) -> None:
    """A program is answered 401, as a page is sent to sign in."""
    app = Flask("login", instance_path=str(tmp_path))
    app.config.update(SECRET_KEY="k" * 32, STEPUP_STORAGE_URI="memory://")
    LoginManager(app).user_loader(lambda _: None)
    StepUp(app, verifier=codes)
    app.add_url_rule("/vault", view_func=require_reverification(lambda: "in"))

    assert "Nobody is signed in" in said(app.test_client(), "/vault")


@pytest.mark.parametrize(
    ("path", "sent", "told"),
    [
        ("/nowhere", {}, "it got 404. No route has this path: see `flask routes`"),
        ("/gone", {}, "it got 404. Something in front of the guard has answered, or"),
        ("/transfer", {}, "it got 405. The route takes POST alone: give method="),
        ("/slash", {}, "it got 308. The route's path is another one: http://localhost"),
        ("/elsewhere", {}, "it got 302. It was sent to /open, by something in front"),
        ("/require", {"method": "POST"}, "it got 422. Something in front of the guard"),
        (
            "/transfer",
            {"method": "POST", "data": {"to": "Bob"}},
            "it got 400. The policy binds 'amount', which has to come exactly once",
        ),
    ],
)
def test_other_answers(
    client: FlaskClient, path: str, sent: dict[str, Any], told: str
) -> None:
    """Each with what there is to do; no query of an address is shown."""
    message = said(client, path, **sent)

    assert told in message
    assert "secret" not in message


def test_a_token_of_flask_wtf_is_missing(make_app: MakeApp) -> None:
    """The refusal in front of the guard names the setting."""
    app = make_app()
    CSRFProtect(app)
    client = app.test_client()
    client.get("/sign-in/alice")

    assert "set WTF_CSRF_ENABLED = False" in said(client, "/vault", method="POST")


def test_the_ledger_cannot_answer(make_app: MakeApp) -> None:
    """503, and not the route's fault; nor can a marker be stamped."""
    app = make_app(STEPUP_STORAGE_URI="sqlite:///ledger.db")
    client = app.test_client()
    client.get("/sign-in/alice")
    for file in Path(app.instance_path).iterdir():
        file.write_bytes(b"no database" * 1_000)

    message = said(client, "/vault")

    assert "it got 503. The ledger cannot answer" in message
    assert "STEPUP_STORAGE_URI" in message
    with pytest.raises(ConfigurationError, match=r"the ledger cannot answer: .* see"):
        reverify(client)


def test_somebody_acts_in_anothers_name(make_app: MakeApp, codes: Codes) -> None:
    """403, and no challenge."""
    loader = lambda: Subject("alice", impersonated=True)  # noqa: E731
    app = make_app(stepup=StepUp(verifier=codes, subject_loader=loader))

    assert "acts in another person's name" in said(app.test_client(), "/vault")


def test_an_answer_of_the_apps_own(make_app: MakeApp) -> None:
    """It was refused, in words that only the app's own tests can know."""
    app = make_app()
    app.register_error_handler(ReverificationRequired, lambda _: ("prove it", 418))
    client = app.test_client()
    client.get("/sign-in/alice")

    message = said(client, "/vault")

    assert "it got 418. It was refused, and the app has answered in its own" in message


def test_a_challenge_that_nobody_made(client: FlaskClient) -> None:
    """A view has run that answers as we do, such as another app's word passed on."""
    message = said(client, "/passed-on", method="POST")

    assert "it got 403. Something in front of the guard has answered, or" in message


def test_an_answer_in_front_of_the_app() -> None:
    """Middleware has answered, and the app never knew."""
    client = Client(DispatcherMiddleware(NotFound()))

    assert "Something in front of the app has answered" in said(client, "/vault")


def test_a_bearer_token(make_app: MakeApp, codes: Codes) -> None:
    """RFC 9470's 401 is a challenge too, and a 401 of another kind is none."""
    loader = lambda: Subject("alice", "sess_1") if session.get("on", 1) else None  # noqa: E731
    app = make_app(stepup=StepUp(verifier=codes, subject_loader=loader))
    client = app.test_client(use_cookies=False)
    headers = {"Authorization": "Bearer any"}

    problem = assert_requires_reverification(client, "/vault", headers=headers)
    verified = enter_code(client, problem, "right", headers=headers)

    assert problem["status"] == 401
    marker = verified.get_json()["marker"]
    passing = {**headers, "Stepup-Marker": marker}
    assert "has met its policy already" in said(client, "/vault", headers=passing)


def test_no_first_factor(app: Flask, client: FlaskClient) -> None:
    """It is asked for by no challenge, and nothing can be entered for it."""
    first = require_reverification(level="first_factor")
    app.view_functions["vault"] = first(lambda: "in")

    problem = assert_requires_reverification(client, "/vault", level="first_factor")

    with pytest.raises(ConfigurationError, match="no code proves the first factor"):
        enter_code(client, problem)


@pytest.mark.parametrize(
    "config",
    [{}, {"APPLICATION_ROOT": "/bank"}, {"STEPUP_URL_PREFIX": "/confirm"}],
)
def test_a_code_is_entered(make_app: MakeApp, config: dict[str, Any]) -> None:
    """Wherever the app is mounted, whose verify address may have that in front."""
    app = make_app(**config)
    client = app.test_client()
    client.get("/sign-in/alice")
    with use_verifier(app, FakeVerifier()):
        problem = assert_requires_reverification(client, "/vault")

        assert enter_code(client, problem, "000000").status_code == 422
        assert enter_code(client, problem).get_json()["verified"] is True

    assert client.get("/vault").status_code == 200


def test_the_message_ends_where_the_test_is(client: FlaskClient) -> None:
    """No frame of the kit's is shown by pytest."""
    with pytest.raises(AssertionError) as raised:
        assert_requires_reverification(client, "/open")

    shown = [entry.name for entry in raised.traceback.filter(raised)]
    assert shown == ["test_the_message_ends_where_the_test_is"]

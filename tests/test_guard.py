"""The guard: what it lets through, what it answers instead, and how often views run."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from conftest import MakeApp
from conftest import signed_in
from flask import abort
from flask import Blueprint
from flask import Flask
from flask import render_template_string
from flask.views import MethodView
from flask.views import View
from people import Codes
from people import PAGE
from people import Person
from people import Prompt
from werkzeug.exceptions import Forbidden
from werkzeug.exceptions import HTTPException

from flask_stepup import ConfigurationError
from flask_stepup import require_reverification
from flask_stepup import ReverificationRequired
from flask_stepup import StepUp


def test_a_person_who_proved_nothing_is_sent_to_the_prompt(alice: Person) -> None:
    """A page request gets a 303 to the prompt, and the view does not run."""
    response = alice.open("/vault")

    assert response.status_code == 303
    assert response.location.startswith("/stepup/?challenge=")
    assert alice.app.extensions["runs"] == []


def test_a_verified_person_passes(alice: Person) -> None:
    """After a right code the view runs, once for each request."""
    alice.step_up("right")

    assert alice.open("/vault").text == "the vault is open"
    assert alice.open("/vault").text == "the vault is open"
    assert alice.app.extensions["runs"] == ["vault", "vault"]


def test_the_way_back_keeps_path_and_query(alice: Person) -> None:
    """What was asked for is where a right code leads, awkward characters too."""
    for path in ("/vault?a=1&a=2&b=%26%3D", "/vault?q=%C3%BC+%2F%25", "/vault?"):
        alice.put_back(Person(alice.app, "alice").cookie())

        back = alice.step_up(f"right {path}", path)

        assert back.location == path.rstrip("?")


def test_a_name_in_the_path_comes_back_as_it_was(make_app: MakeApp) -> None:
    """Percent-encoded characters of the path survive the way through the prompt."""
    app = make_app()

    @app.get("/files/<path:name>")
    @require_reverification
    def files(name: str) -> str:
        return name

    alice = Person(app, "alice")
    for number, quoted in enumerate(("100%25", "a%3Fb%23c", "%C3%BC%20x", "a;b=c")):
        alice.put_back(Person(app, "alice").cookie())
        back = alice.step_up(f"right {number}", f"/files/{quoted}")
        expected = alice.open(f"/files/{quoted}").text

        assert alice.open(back.location).text == expected


def test_the_view_runs_exactly_once_whatever_it_raises(make_app: MakeApp) -> None:
    """A view that raises AttributeError after its side effect is not called again."""
    app = make_app(PROPAGATE_EXCEPTIONS=False)
    runs = []

    @app.get("/transfer")
    @require_reverification
    def transfer() -> str:
        runs.append("transfer")
        raise AttributeError("a mistake after the side effect")

    alice = Person(app, "alice")
    alice.step_up("right")

    assert alice.open("/transfer").status_code == 500
    assert runs == ["transfer"]


def test_options_is_exempt_and_head_is_as_get(alice: Person) -> None:
    """A CORS preflight carries no cookies and is let through; HEAD is asked."""
    assert Person(alice.app).open("/vault", "OPTIONS").status_code == 200
    assert alice.open("/vault", "HEAD").status_code == 303


def test_only_the_methods_named_are_guarded(make_app: MakeApp) -> None:
    """``methods={"POST"}`` shows the form to everybody and guards its submission."""
    app = make_app()

    @app.route("/form", methods=["GET", "POST"])
    @require_reverification(methods={"POST"})
    def form() -> str:
        return "form"

    alice = Person(app, "alice")

    assert alice.open("/form").text == "form"
    assert alice.open("/form", "POST").status_code == 403


def test_a_preset_or_max_age_of_the_route_decides(make_app: MakeApp) -> None:
    """One marker serves many windows: each route looks at its age by itself."""
    app = make_app(STEPUP_PRESET="moderate")
    for name, decorator in {
        "bare": require_reverification,
        "strict": require_reverification("strict"),
        "short": require_reverification(max_age=timedelta(minutes=5)),
        "lax": require_reverification("lax", level="second_factor"),
    }.items():
        app.add_url_rule(f"/{name}", name, decorator(lambda: "in"))
    alice = Person(app, "alice")

    start = time.time()
    with time_machine.travel(start, tick=False) as clock:
        alice.step_up("right")
        seen = {}
        for minutes in (4, 6, 11, 61):
            clock.move_to(start + 60 * minutes)
            names = ("short", "strict", "bare", "lax")
            seen[minutes] = [n for n in names if alice.open(f"/{n}").text == "in"]

    assert seen == {
        4: ["short", "strict", "bare", "lax"],
        6: ["strict", "bare", "lax"],
        11: ["bare", "lax"],
        61: ["lax"],
    }


def test_a_scope_opens_nothing_else(make_app: MakeApp) -> None:
    """A proof for one scope opens no other, and not the unnamed one."""
    app = make_app()
    for scope in ("payments", "profile"):
        guard = require_reverification(scope=scope)
        app.add_url_rule(f"/{scope}", scope, guard(lambda: "in"))
    alice = Person(app, "alice")

    alice.step_up("right", "/payments")

    assert alice.open("/payments").text == "in"
    assert alice.open("/profile").status_code == 303
    assert alice.open("/vault").status_code == 303


def test_async_views_are_guarded(make_app: MakeApp) -> None:
    """A coroutine function runs, as Flask runs it, for a verified person."""
    app = make_app()

    @app.get("/async")
    @require_reverification
    async def view() -> str:
        return "async"

    alice = Person(app, "alice")

    assert alice.open("/async").status_code == 303
    alice.step_up("right")
    assert alice.open("/async").text == "async"


def test_async_views_and_async_handlers_go_together(make_app: MakeApp) -> None:
    """A coroutine that answers for the app is run beside a coroutine as a view."""
    app = make_app()

    @app.errorhandler(ReverificationRequired)
    async def own(error: ReverificationRequired) -> tuple[str, int]:
        return "own", 418

    @app.get("/async")
    @require_reverification
    async def view() -> str:
        return "async"

    response = Person(app, "alice").open("/async")

    assert (response.status_code, response.text) == (418, "own")
    assert response.headers["Cache-Control"] == "no-store"


def test_a_view_may_be_given_with_its_demands(make_app: MakeApp) -> None:
    """``require_reverification(view, scope=…)`` drops none of them."""
    app = make_app()
    view = require_reverification(lambda: "in", scope="payments")
    app.add_url_rule("/pay", view_func=view)
    alice = Person(app, "alice")
    alice.step_up("right")

    assert alice.open("/pay").status_code == 303


def test_require_heeds_methods_and_keeps_its_answer_out_of_caches(
    codes: Codes, make_app: MakeApp
) -> None:
    """Inside a view it is what the decorator is outside."""
    stepup = StepUp(verifier=codes, subject_loader=signed_in)
    app = make_app(stepup=stepup)

    @app.route("/form", methods=["GET", "POST"])
    def form() -> str:
        stepup.require(methods={"POST"})
        return "in"

    alice = Person(app, "alice")

    assert "Cache-Control" not in alice.open("/form").headers
    assert alice.open("/form", "POST").status_code == 403
    alice.step_up("right")
    assert alice.open("/form", "POST").headers["Cache-Control"] == "no-store"


def test_class_based_views_are_guarded(make_app: MakeApp) -> None:
    """``decorators = [...]`` guards a class; its methods can be decorated alone."""
    app = make_app()

    class Whole(View):
        decorators = [require_reverification]  # noqa: RUF012

        def dispatch_request(self) -> str:
            return "whole"

    class Part(MethodView):
        def get(self) -> str:
            return "free"

        @require_reverification
        def post(self) -> str:
            return "part"

    app.add_url_rule("/whole", view_func=Whole.as_view("whole"))
    app.add_url_rule("/part", view_func=Part.as_view("part"))
    alice = Person(app, "alice")

    assert alice.open("/whole").status_code == 303
    assert alice.open("/part").text == "free"
    assert alice.open("/part", "POST").status_code == 403
    alice.step_up("right")
    assert alice.open("/whole").text == "whole"
    assert alice.open("/part", "POST").text == "part"


def test_a_decorated_class_is_refused_with_the_mend() -> None:
    """Decorating the class itself would guard nothing, and is told at once."""
    with pytest.raises(ConfigurationError, match=r"decorators = \["):

        @require_reverification
        class Whole(View):
            pass


def test_url_variables_may_be_called_like_a_demand(make_app: MakeApp) -> None:
    """The guard takes no argument of the view for its own."""
    app = make_app()

    @app.get("/<max_age>/<scope>/<preset>")
    @require_reverification(max_age=60)
    def view(max_age: str, scope: str, preset: str) -> str:
        return f"{max_age} {scope} {preset}"

    alice = Person(app, "alice")
    alice.step_up("right")

    assert alice.open("/1/2/3").text == "1 2 3"


@pytest.mark.parametrize("trap", [False, True])
@pytest.mark.parametrize("place", ["app", "blueprint"])
@pytest.mark.parametrize("caught", [403, Forbidden, HTTPException, Exception])
def test_no_error_page_of_the_app_swallows_the_challenge(
    make_app: MakeApp, caught: Any, place: str, trap: bool
) -> None:
    """Handlers for 403, Forbidden, HTTPException, Exception are not asked."""
    app = make_app(TRAP_HTTP_EXCEPTIONS=trap)
    blueprint = Blueprint("area", __name__)
    handlers = app if place == "app" else blueprint
    handlers.register_error_handler(caught, lambda error: ("swallowed", 418))
    blueprint.add_url_rule("/area", view_func=require_reverification(lambda: "in"))
    app.register_blueprint(blueprint)
    alice = Person(app, "alice")

    assert alice.open("/area").status_code == 303
    assert alice.open("/area", "GET", headers={"Accept": "*/*"}).status_code == 403
    assert alice.json("/area").json["code"] == "reverification_required"
    assert Person(app).json("/area").json["code"] == "unauthenticated"


@pytest.mark.parametrize("place", ["app", "blueprint"])
def test_the_apps_own_handler_for_exactly_this_class_wins(
    codes: Codes, make_app: MakeApp, place: str
) -> None:
    """A handler for ReverificationRequired answers, the decorator and require too."""
    stepup = StepUp(verifier=codes, subject_loader=signed_in)
    blueprint = Blueprint("area", __name__)

    def own(error: ReverificationRequired) -> tuple[str, int]:
        return f"own page: {error.policy.max_age} {error.cause}", 418

    if place == "blueprint":
        blueprint.register_error_handler(ReverificationRequired, own)
    guarded = require_reverification(lambda: "in")
    blueprint.add_url_rule("/area", "area", guarded)
    blueprint.add_url_rule("/raised", "raised", lambda: stepup.require() or "in")
    app = make_app(stepup=stepup)
    if place == "app":
        app.register_error_handler(ReverificationRequired, own)
    app.register_blueprint(blueprint)
    alice = Person(app, "alice")

    for path in ("/area", "/raised"):
        assert alice.open(path).status_code == 418
        assert alice.open(path).text == "own page: 600 missing"


def test_a_handler_registered_before_init_app_is_not_replaced(codes: Codes) -> None:
    """Flask's last registration wins, so ours looks first."""
    app = Flask(__name__)
    app.config.update(SECRET_KEY="k" * 32, STEPUP_STORAGE_URI="memory://")
    app.register_error_handler(ReverificationRequired, lambda error: ("own", 418))
    StepUp(app, verifier=codes, subject_loader=lambda: "alice")
    app.add_url_rule("/", view_func=require_reverification(lambda: "in"))

    assert app.test_client().get("/").status_code == 418


def test_require_asks_inside_a_view(codes: Codes, make_app: MakeApp) -> None:
    """``require`` is step-up on a condition, in plain Python."""
    stepup = StepUp(verifier=codes, subject_loader=signed_in)
    app = make_app(stepup=stepup)

    @app.get("/pay/<int:amount>")
    def pay(amount: int) -> str:
        if amount > 100:
            stepup.require("strict", reason="Pay much")
        return "paid"

    alice = Person(app, "alice")

    assert alice.open("/pay/100").text == "paid"
    assert "Pay much" in alice.prompted("/pay/101").text
    alice.step_up("right", "/pay/101")
    assert alice.open("/pay/101").text == "paid"


@pytest.mark.parametrize("trap", [False, True])
@pytest.mark.parametrize("caught", [403, Forbidden, HTTPException, Exception])
def test_require_is_answered_whatever_handlers_the_app_has(
    codes: Codes, make_app: MakeApp, caught: Any, trap: bool
) -> None:
    """The renderer for exactly our classes is found before the app's broader ones."""
    stepup = StepUp(verifier=codes, subject_loader=signed_in)
    app = make_app(stepup=stepup, TRAP_HTTP_EXCEPTIONS=trap)
    app.register_error_handler(caught, lambda error: ("swallowed", 418))
    app.add_url_rule("/area", view_func=lambda: stepup.require() or "in")

    assert Person(app, "alice").open("/area").status_code == 303
    assert Person(app).json("/area").json["code"] == "unauthenticated"


def test_is_reverified_answers_in_python_and_in_templates(
    codes: Codes, make_app: MakeApp
) -> None:
    """It tells whether the policy is met, and asks nobody for a code."""
    stepup = StepUp(verifier=codes, subject_loader=signed_in)
    app = make_app(stepup=stepup)
    template = "{{ is_reverified() }} {{ is_reverified('lax', scope='other') }}"
    app.add_url_rule("/python", "python", lambda: str(stepup.is_reverified()))
    app.add_url_rule("/jinja", "jinja", lambda: render_template_string(template))
    alice = Person(app, "alice")

    assert Person(app).open("/python").text == "False"
    assert (alice.open("/python").text, alice.open("/jinja").text) == (
        "False",
        "False False",
    )
    alice.step_up("right")
    assert (alice.open("/python").text, alice.open("/jinja").text) == (
        "True",
        "True False",
    )


def test_is_reverified_outside_a_request_is_false(app: Flask, codes: Codes) -> None:
    """A template rendered for a mail has nobody to ask about."""
    stepup = StepUp(verifier=codes)

    with app.app_context():
        assert stepup.is_reverified() is False


def test_protect_takes_blueprints_alone(codes: Codes, app: Flask) -> None:
    """Protecting the app would close the prompt itself, so it is refused."""
    with pytest.raises(ConfigurationError, match="guards blueprints"):
        StepUp(verifier=codes).protect(app)  # type: ignore[arg-type]


def test_protect_guards_a_blueprint_and_what_is_nested_in_it(
    codes: Codes, make_app: MakeApp, tmp_path: Any
) -> None:
    """All views ask, of nested blueprints too; static files and 404s do not."""
    (tmp_path / "style.css").write_text("p {}")
    stepup = StepUp(verifier=codes, subject_loader=signed_in)
    outer = Blueprint("outer", __name__, static_folder=str(tmp_path), url_prefix="/o")
    inner = Blueprint("inner", __name__, url_prefix="/i")
    stepup.protect(outer, "strict", reason="The outer area")
    outer.add_url_rule("/", "view", lambda: "outer")
    inner.add_url_rule("/", "static", lambda: "a view called static")
    outer.register_blueprint(inner)
    app = make_app(stepup=stepup)
    app.register_blueprint(outer)
    alice = Person(app, "alice")

    assert alice.open("/o/").status_code == 303
    assert alice.open("/o/i/").status_code == 303
    with alice.open(f"/o/{tmp_path.name}/style.css") as style_sheet:
        assert style_sheet.text == "p {}"
    assert alice.open("/o/nothing").status_code == 404
    assert alice.open("/o/", "OPTIONS").status_code == 200
    assert "The outer area" in alice.prompted("/o/").text
    alice.step_up("right", "/o/")
    assert alice.open("/o/").text == "outer"
    assert alice.open("/o/i/").text == "a view called static"


def test_a_guarded_answer_is_not_stored_unless_the_view_says_otherwise(
    make_app: MakeApp,
) -> None:
    """``no-store`` keeps the back button from showing what has been locked again."""
    app = make_app()

    @app.get("/own")
    @require_reverification
    def own() -> tuple[str, dict[str, str]]:
        return "own", {"Cache-Control": "private, max-age=5"}

    @app.get("/gone")
    @require_reverification
    def gone() -> str:
        abort(410)

    alice = Person(app, "alice")
    alice.step_up("right")

    assert alice.open("/vault").headers["Cache-Control"] == "no-store"
    assert alice.open("/own").headers["Cache-Control"] == "private, max-age=5"
    assert alice.open("/gone").headers["Cache-Control"] == "no-store"
    assert "Cache-Control" not in alice.open("/open").headers


def test_an_accepted_request_sets_no_cookie(alice: Person) -> None:
    """Passing the gate changes nothing in the session."""
    alice.step_up("right")

    assert "Set-Cookie" not in alice.open("/vault").headers


def test_an_unguarded_request_has_no_cost_and_no_trace(alice: Person) -> None:
    """A route that is not guarded gets no header and no cookie from us."""
    response = Person(alice.app).open("/open")

    assert not {"Set-Cookie", "Vary", "Cache-Control"} & set(response.headers.keys())


JSON_CLIENTS: dict[str, dict[str, str]] = {
    "fetch with no headers": {"Accept": "*/*"},
    "nothing at all": {},
    "anything but html": {"Accept": "*/*, text/html;q=0"},
    "axios": {"Accept": "application/json, text/plain, */*"},
    "fetch that names html": PAGE | {"Sec-Fetch-Mode": "cors"},
}


@pytest.mark.parametrize("client", JSON_CLIENTS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_program_gets_json_and_is_never_redirected(
    alice: Person, client: str, method: str
) -> None:
    """Whatever is not a page navigation gets 403 problem+json with the challenge."""
    response = alice.json("/vault", method, headers=JSON_CLIENTS[client])

    assert response.status_code == 403
    assert response.mimetype == "application/problem+json"
    body = response.json
    assert body.pop("challenge")
    assert body == {
        "type": "about:blank",
        "title": "Reverification required",
        "status": 403,
        "code": "reverification_required",
        "detail": "Confirm with a code from your authenticator app that it is you.",
        "cause": "missing",
        "verify_url": "/stepup/",
        "policy": {"level": "second_factor", "max_age": 600, "scope": ""},
        "clerk_error": {
            "type": "forbidden",
            "reason": "reverification-error",
            "metadata": {"reverification": "strict"},
        },
    }


def test_answers_vary_by_what_chose_them(alice: Person) -> None:
    """No cache hands a program's answer to a browser."""
    response = alice.open("/vault")

    assert set(response.vary.as_set()) == {
        "accept",
        "authorization",
        "cookie",
        "hx-request",
        "sec-fetch-mode",
    }
    assert response.headers["Cache-Control"] == "no-store"


CROSS_SITE: list[dict[str, str]] = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
]


@pytest.mark.parametrize("headers", CROSS_SITE)
def test_a_cross_site_post_gets_no_prompt(
    alice: Person, headers: dict[str, str]
) -> None:
    """Another site cannot have the prompt shown over what it posted."""
    response = alice.open("/vault", "POST", headers=headers)

    assert response.status_code == 403
    assert 'name="challenge"' not in response.text


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost.evil"]
)
def test_without_fetch_metadata_the_origin_decides(alice: Person, origin: str) -> None:
    """Old browsers name the origin of a post; one that is not ours is cross-site."""
    headers = {"Accept": "text/html", "Origin": origin}
    foreign = alice.client.post("/vault", headers=headers)
    assert 'name="challenge"' not in foreign.text
    for ours in ("http://localhost", "https://localhost"):
        # A proxy may have ended TLS in front of us.
        own = alice.client.post("/vault", headers=headers | {"Origin": ours})
        assert 'name="challenge"' in own.text


def test_a_post_gets_the_prompt_in_place_and_is_told_the_truth(alice: Person) -> None:
    """403 with the prompt; it says what becomes of the form."""
    referrer = {"Referer": "http://localhost/form?step=2#x"}
    response = alice.open("/vault", "POST", headers=referrer, data={"a": "1"})

    assert response.status_code == 403
    assert "Nothing has been done yet." in Prompt(response).says
    assert "is kept" in Prompt(response).says
    assert '<a href="/form?step=2">Cancel</a>' in response.text


def test_a_long_address_gets_the_prompt_in_place(alice: Person) -> None:
    """Where the prompt's URL would pass 2,000 bytes, no redirect is tried."""
    noise = hashlib.shake_256(b"does not compress").hexdigest(1_900)
    response = alice.open(f"/vault?q={noise}")

    assert response.status_code == 403
    assert 'name="challenge"' in response.text
    assert "Nothing has been done yet" not in response.text


def test_a_policy_for_the_first_factor_leads_to_the_sign_in(make_app: MakeApp) -> None:
    """The prompt proves the second factor only, so the first is the sign-in's."""
    app = make_app(STEPUP_LOGIN_URL="/login?from=stepup")
    app.add_url_rule(
        "/both",
        view_func=require_reverification("strict_mfa")(lambda: ""),
        endpoint="both",
    )
    app.add_url_rule(
        "/first",
        view_func=require_reverification(level="first_factor")(lambda: ""),
        endpoint="first",
    )
    alice = Person(app, "alice")

    response = alice.open("/both?x=1")

    assert response.status_code == 303
    assert response.location == "/login?from=stepup&next=%2Fboth%3Fx%3D1"
    assert "challenge" not in alice.json("/first").json
    assert "challenge" in alice.json("/both").json  # the second is lacking, too


Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


@pytest.mark.parametrize(
    "demands",
    [
        {"level": "third_factor"},
        {"max_age": True},
        {"max_age": -1},
        {"max_age": 86_401},
        {"scope": 5},
        {"methods": "POST"},
        {"within": 5},
    ],
)
def test_a_bad_policy_is_told_at_decoration(demands: dict[str, Any]) -> None:
    """A mistake in a policy is an error at import that says what to use."""
    with pytest.raises(ConfigurationError, match="use"):
        require_reverification(**demands)


def test_an_app_without_stepup_says_so() -> None:
    """A guarded view of an app that was never set up is a clear error."""
    app = Flask(__name__)
    app.testing = True
    app.add_url_rule("/", view_func=require_reverification(lambda: "in"))

    with pytest.raises(ConfigurationError, match="init_app"):
        app.test_client().get("/")

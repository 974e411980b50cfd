"""``flask stepup routes``: what is guarded, by what, and what is not."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from functools import partial
from functools import update_wrapper
from functools import wraps
from inspect import unwrap
from pathlib import Path
from typing import Any

import pytest
from command_line import bare_app
from command_line import good_app
from command_line import invoke
from command_line import run
from flask import Blueprint
from flask import Flask
from flask import request
from flask.views import MethodView
from flask.views import View
from flask_login import login_required
from people import Person
from werkzeug.routing import Rule

from flask_stepup import require_reverification
from flask_stepup import StepUp
from flask_stepup.cli import stepup as command

SHOP = """
from flask import Flask
from flask_stepup import require_reverification, StepUp

app = Flask(__name__)
app.config.update(SECRET_KEY="k" * 32)
stepup = StepUp(app, verifier=lambda user_id, code: None, subject_loader=lambda: None)

@app.get("/")
def shop(): ...

@app.route("/card", methods=["GET", "POST"])
@require_reverification(max_age=300, scope="payments", methods={"POST"})
def card(): ...

@app.post("/sign-in")
def sign_in(): ...
"""
TABLE = """\
  RULE                            METHODS  POLICY
  /                               GET      -
  /card                           GET      -
  /card                           POST     second factor, 5 min, scope payments
! /sign-in                        POST     unguarded
  /static/<path:filename>         GET      static files
  /stepup/                        GET      the prompt
  /stepup/                        POST     the prompt
  /stepup/static/<path:filename>  GET      static files
  /stepup/status                  GET      the prompt

1 view changes something and can be reached without a code (!). Guard what
matters. What is right as it is, or asks within its view by stepup.require, goes
into pyproject.toml:

  [tool.flask-stepup]
  unguarded = [
      "sign_in",
  ]
"""
ROUTES = ("--app", "shop", "stepup", "routes")


@pytest.fixture(name="shop")
def _shop(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(SHOP)
    return tmp_path


def allow(folder: Path, text: str) -> None:
    (folder / "pyproject.toml").write_text(f"[tool.flask-stepup]\nunguarded = {text}\n")


def table(app: Flask) -> dict[str, str]:
    """What stands beside each rule and its methods."""
    rows = re.findall(
        r"^[! ] (/\S*|\S+\|\S+) +([A-Z, ]+[A-Z]) +(.+)$",
        invoke(app, "routes").output,
        re.MULTILINE,
    )
    return {f"{rule} {methods}": policy for rule, methods, policy in rows}


def view() -> str:
    return "done"


def plain(decorated: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that hides what it decorates."""
    return lambda *args, **values: decorated(*args, **values)


def wrapping(decorated: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator as they should be."""

    @wraps(decorated)
    def wrapper(*args: Any, **values: Any) -> Any:
        return decorated(*args, **values)

    return wrapper


def test_the_table(shop: Path) -> None:
    """Sorted by rule; what is unguarded and changes something is marked."""
    done = run(shop, *ROUTES)

    assert (done.returncode, done.stdout, done.stderr) == (0, TABLE, "")


def test_fail_unguarded(shop: Path) -> None:
    """Such a route fails, until the allow list names it."""
    before = run(shop, *ROUTES, "--fail-unguarded")
    allow(shop, '["sign_*"]')
    after = run(shop, *ROUTES, "--fail-unguarded")

    assert (before.returncode, before.stdout) == (1, TABLE)
    assert after.returncode == 0
    assert "  /sign-in                        POST     allowed\n" in after.stdout
    assert after.stdout.endswith("\nWhat is unguarded is allowed by pyproject.toml.\n")


def test_the_list_that_is_shown_can_be_pasted(shop: Path) -> None:
    """It has the entries that there are and are needed, and those that are missing."""
    with (shop / "shop.py").open("a") as file:
        file.write("\n@app.post('/card/lost')\ndef card_lost(): ...\n")
    allow(shop, '["card_*", "gone"]')
    shown = run(shop, *ROUTES).stdout
    [pasted] = re.findall(r"^  \[tool.*^  \]$", shown, re.MULTILINE | re.DOTALL)
    (shop / "pyproject.toml").write_text(pasted)
    done = run(shop, *ROUTES, "--fail-unguarded")

    assert "No route needs 'gone' in" in shown
    assert '"card_*",\n      "sign_in",' in pasted
    assert done.returncode == 0


@pytest.mark.parametrize("entry", ["gone", "card", "shop", "stepup.*", "SIGN_IN"])
def test_a_stale_entry(shop: Path, entry: str) -> None:
    """An entry that no route needs would let a later one through, and fails too."""
    allow(shop, f'["sign_in", "{entry}"]')
    told = run(shop, *ROUTES)
    failed = run(shop, *ROUTES, "--fail-unguarded")

    assert (told.returncode, failed.returncode) == (0, 1)
    assert f"No route needs '{entry}' in" in failed.stdout


def test_every_route_is_guarded(tmp_path: Path) -> None:
    """It is said, and nothing has to be allowed."""
    app = good_app(tmp_path)
    app.add_url_rule("/a", view_func=require_reverification(view), methods=["POST"])
    result = invoke(app, "routes", "--fail-unguarded")

    assert result.exit_code == 0
    assert result.output.endswith("\nNo route that changes something is unguarded.\n")


# What guards


@pytest.mark.parametrize(
    ("guarded", "expected"),
    [
        (view, "unguarded"),
        (require_reverification(view), "strict"),
        (require_reverification("lax")(view), "lax"),
        (require_reverification(max_age=90)(view), "second factor, 90 s"),
        (require_reverification("strict_mfa")(view), "strict_mfa"),
        (
            require_reverification(level="first_factor", max_age=7200)(view),
            "first factor, 2 h",
        ),
        (require_reverification(once=True)(view), "strict, once"),
        (require_reverification(bind=("to", "sum"))(view), "strict, bind (to, sum)"),
        (require_reverification(bind=lambda: {})(view), "strict, bind"),
        (require_reverification(scope="a")(require_reverification("lax")(view)),
         "lax + strict, scope a"),
        (wrapping(require_reverification(view)), "strict"),
        (require_reverification(wrapping(view)), "strict"),
        (plain(require_reverification(view)), "unguarded"),
        (partial(require_reverification(view)), "unguarded"),
        (require_reverification(partial(view)), "strict"),
    ],
)  # fmt: skip
def test_decorated_views(
    tmp_path: Path, guarded: Callable[..., Any], expected: str
) -> None:
    """A guard is found under decorators that wrap; what is hidden is unguarded."""
    app = good_app(tmp_path)
    app.add_url_rule("/a", "a", guarded, methods=["POST"])

    assert table(app)["/a POST"] == expected


def unwrapping(decorated: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that calls what is below the guard."""
    inner = unwrap(decorated)
    return wraps(decorated)(lambda *args, **values: inner(*args, **values))


def copying(decorated: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that copies attributes, and calls nothing."""
    copy = lambda: "done"  # noqa: E731
    copy.__dict__.update(decorated.__dict__)
    return copy


class Holding:
    """A decorator that is a class."""

    def __init__(self, decorated: Callable[..., Any]) -> None:
        self.decorated = decorated
        update_wrapper(self, decorated)

    def __call__(self, *args: Any, **values: Any) -> Any:
        return self.decorated(*args, **values)


@pytest.mark.parametrize(
    ("decorated", "expected"),
    [
        (wraps(require_reverification(view))(lambda: "done"), "unguarded"),
        (unwrapping(require_reverification(view)), "unguarded"),
        (copying(require_reverification(view)), "unguarded"),
        (copying(wrapping(require_reverification(view))), "unguarded"),
        (lru_cache(require_reverification(view)), "unguarded"),
        (require_reverification("lax")(copying(require_reverification(view))), "lax"),
        (Holding(require_reverification(view)), "strict"),
        (wrapping(Holding(wrapping(require_reverification(view)))), "strict"),
        (login_required(require_reverification(view)), "strict"),
    ],
)  # fmt: skip
def test_a_guard_that_is_not_called(
    tmp_path: Path, decorated: Callable[..., Any], expected: str
) -> None:
    """What a function only looks like, by ``functools.wraps``, does not guard it."""
    app = good_app(tmp_path)
    app.add_url_rule("/a", "a", decorated, methods=["POST"])

    assert table(app)["/a POST"] == expected


def test_asynchronous_views(tmp_path: Path) -> None:
    """They are guarded as all others."""

    async def soon() -> str:
        return "done"

    app = good_app(tmp_path)
    app.add_url_rule("/a", view_func=require_reverification(soon), methods=["DELETE"])

    assert table(app)["/a DELETE"] == "strict"


def test_a_preset_of_the_app(tmp_path: Path) -> None:
    """A bare decorator is what the app says, and the legend says what that is."""
    app = good_app(tmp_path, STEPUP_PRESET="moderate")
    app.add_url_rule("/a", view_func=require_reverification(view))

    assert table(app)["/a GET"] == "moderate"
    assert "\nmoderate: second factor, 1 h\n" in invoke(app, "routes").output


def test_methods_of_a_policy(tmp_path: Path) -> None:
    """Those that it does not guard have a line of their own, marked if unsafe."""
    app = good_app(tmp_path)
    app.add_url_rule(
        "/a",
        view_func=require_reverification(methods={"POST"})(view),
        methods=["GET", "POST", "DELETE", "PATCH"],
    )

    found = {row: policy for row, policy in table(app).items() if row[:3] == "/a "}
    assert found == {"/a GET, PATCH, DELETE": "unguarded", "/a POST": "strict"}


def test_safe_methods_need_no_guard(tmp_path: Path) -> None:
    """HEAD goes with GET and OPTIONS is exempt; one that nobody knows is unsafe."""
    app = good_app(tmp_path)
    app.add_url_rule("/a", "a", view, methods=["GET", "HEAD", "OPTIONS"])
    app.add_url_rule("/b", "b", view, methods=["OPTIONS"])
    app.add_url_rule("/c", "c", view, methods=["PROPFIND"])
    app.url_map.add(Rule("/d", endpoint="d"))
    app.view_functions["d"] = view
    found = table(app)

    assert (found["/a GET"], found["/b OPTIONS"]) == ("-", "-")
    assert found["/c PROPFIND"] == "unguarded"
    # A rule without methods takes any.
    assert re.search(r"^! /d .* unguarded$", invoke(app, "routes").output, re.MULTILINE)


class Decorated(View):
    """All of it is guarded."""

    methods = ("POST",)
    decorators = (require_reverification,)

    def dispatch_request(self) -> str:
        return "done"


class Hidden(Decorated):
    """The same under something that hides it."""

    decorators = (require_reverification, plain)


class Dispatching(View):
    """Its one method is guarded."""

    methods = ("POST",)

    @require_reverification
    def dispatch_request(self) -> str:
        return "done"

    @require_reverification
    def post(self) -> str:
        raise AssertionError("nobody asks for this")


class NotDispatching(Dispatching):
    """A guard is on what is never run."""

    def dispatch_request(self) -> str:
        return "done"


class ByMethod(MethodView):
    """One of three is guarded, and one by more."""

    def get(self) -> str:
        return "done"

    @require_reverification
    def post(self) -> str:
        return "done"

    @wrapping
    @require_reverification("lax")
    def delete(self) -> str:
        return "done"

    def put(self) -> str:
        return "done"


class Heir(ByMethod):
    """What is inherited is guarded as it was; what is new is not."""

    def post(self) -> str:
        return "done"


class Wrapped(ByMethod):
    """The new one looks like the old, and is unguarded all the same."""

    @wraps(ByMethod.post)
    def post(self) -> str:
        return "done"


class ByAction(MethodView):
    """Methods are called by other names, and the guard is on what nobody calls."""

    @require_reverification
    def post(self) -> str:
        raise AssertionError("nobody asks for this")

    def dispatch_request(self, **_: Any) -> Any:
        return getattr(self, f"do_{request.method.lower()}")()


class Counting(ByMethod):
    """What is dispatched is dispatched as ever, after something else."""

    def dispatch_request(self, **values: Any) -> Any:
        return super().dispatch_request(**values)


class Wary(ByMethod):
    """The same, by a decorator."""

    dispatch_request = wrapping(MethodView.dispatch_request)


class OfItsOwn(MethodView):
    """HEAD is answered by a method of its own, without a guard."""

    @require_reverification
    def get(self) -> str:
        return "done"

    def head(self) -> str:
        return "done"


@pytest.mark.parametrize(
    ("view_class", "expected"),
    [
        (Decorated, {"POST": "strict"}),
        (Hidden, {"POST": "unguarded"}),
        (Dispatching, {"POST": "strict"}),
        (NotDispatching, {"POST": "unguarded"}),
        (
            ByMethod,
            {"GET, PUT": "unguarded", "POST": "strict", "DELETE": "lax"},
        ),
        (Heir, {"GET, POST, PUT": "unguarded", "DELETE": "lax"}),
        (Wrapped, {"GET, POST, PUT": "unguarded", "DELETE": "lax"}),
        (ByAction, {"POST": "unguarded"}),
        (Counting, {"GET, PUT": "unguarded", "POST": "strict", "DELETE": "lax"}),
        (Wary, {"GET, PUT": "unguarded", "POST": "strict", "DELETE": "lax"}),
        (OfItsOwn, {"GET": "strict", "HEAD": "-"}),
    ],
)
def test_class_based_views(
    tmp_path: Path, view_class: type[View], expected: dict[str, str]
) -> None:
    """Their decorators, and those of single methods, are found."""
    app = good_app(tmp_path)
    app.add_url_rule("/a", view_func=view_class.as_view("a"))
    found = {row[3:]: p for row, p in table(app).items() if row.startswith("/a ")}

    assert found == expected


def test_a_view_named_after_a_class(tmp_path: Path) -> None:
    """It runs nothing of that class."""
    app = good_app(tmp_path)
    named = wraps(Dispatching.as_view("a"))(lambda: "done")
    app.add_url_rule("/a", "a", named, methods=["POST"])
    app.add_url_rule("/b", "b", wrapping(Dispatching.as_view("b")), methods=["POST"])

    assert (table(app)["/a POST"], table(app)["/b POST"]) == ("unguarded", "strict")


def guarded_blueprints(app: Flask, stepup: StepUp) -> None:
    """A parent that is protected, with files, a child, and the child once more."""
    parent = Blueprint("parent", __name__, url_prefix="/p", static_folder="static")
    child = Blueprint("child", __name__, url_prefix="/c")
    for blueprint in (parent, child):
        blueprint.add_url_rule("/", "index", view, methods=["GET", "POST"])
    stepup.protect(parent, "lax", methods={"POST"})
    parent.register_blueprint(child)
    app.register_blueprint(parent)
    app.register_blueprint(child, name="alone")


def test_blueprints(tmp_path: Path) -> None:
    """A protected parent guards its children, its static files excepted."""
    stepup = StepUp(verifier=lambda user_id, code: None, subject_loader=lambda: None)
    app = good_app(tmp_path, stepup)
    guarded_blueprints(app, stepup)
    found = {row: policy for row, policy in table(app).items() if "/stepup" not in row}

    assert found == {
        "/c/ GET, POST": "unguarded",
        "/p/ GET": "-",
        "/p/ POST": "lax",
        "/p/c/ GET": "-",
        "/p/c/ POST": "lax",
        "/p/static/<path:filename> GET": "static files",
        "/static/<path:filename> GET": "static files",
    }


def test_static_files_of_a_protected_blueprint(tmp_path: Path) -> None:
    """They are left out, as ``protect`` leaves them out; a view of that name is not."""
    stepup = StepUp(verifier=lambda user_id, code: None, subject_loader=lambda: None)
    app = good_app(tmp_path, stepup)
    files = Blueprint("files", __name__, url_prefix="/f", static_folder="static")
    views = Blueprint("views", __name__, url_prefix="/v")
    views.add_url_rule("/static", "static", view)
    for blueprint in (files, views):
        stepup.protect(blueprint)
        app.register_blueprint(blueprint)
    found = table(app)

    assert found["/f/static/<path:filename> GET"] == "static files"
    assert found["/v/static GET"] == "strict"


def test_what_is_shown_is_what_is_done(tmp_path: Path) -> None:
    """A guard that is shown answers, and one that is not does not."""
    stepup = StepUp(verifier=lambda user_id, code: None, subject_loader=lambda: "alice")
    app = good_app(tmp_path, stepup, SESSION_COOKIE_SECURE=False)
    guarded_blueprints(app, stepup)
    app.add_url_rule("/m", view_func=ByMethod.as_view("m"))
    app.add_url_rule("/x", view_func=NotDispatching.as_view("x"))
    alice = Person(app)
    for row, policy in table(app).items():
        rule, methods = row.split(" ", 1)
        if "<" not in rule and "/stepup" not in rule:
            for method in methods.split(", "):
                status = alice.json(rule, method).status_code
                shown = policy not in ("-", "unguarded")
                assert (status == 403) is shown, (row, method)


def test_the_prompts_own_are_the_prompts(tmp_path: Path) -> None:
    """Its POST takes the code; and nobody else's view is taken for it."""
    app = good_app(tmp_path, STEPUP_URL_PREFIX="/confirm")
    app.add_url_rule("/confirm/mine", "stepup.mine", view, methods=["POST"])
    found = table(app)

    assert found["/confirm/ POST"] == "the prompt"
    assert found["/confirm/mine POST"] == "unguarded"


def test_hosts_and_subdomains(tmp_path: Path) -> None:
    """They stand in front of the rule."""
    app = bare_app(tmp_path, SERVER_NAME="bank.example")
    app.url_map.default_subdomain = ""
    StepUp(app, verifier=lambda user_id, code: None, subject_loader=lambda: None)
    app.add_url_rule("/a", "a", view, methods=["POST"], subdomain="admin")

    assert table(app)["admin|/a POST"] == "unguarded"


def test_a_rule_that_runs_no_view_is_left_out(tmp_path: Path) -> None:
    """It only redirects, or is there to make addresses."""
    app = good_app(tmp_path)
    app.url_map.add(Rule("/old", redirect_to="/new", endpoint="old"))
    app.url_map.add(Rule("/made", build_only=True, endpoint="made"))

    assert not [row for row in table(app) if row.startswith(("/old", "/made"))]


def test_a_policy_that_the_preset_does_not_allow(tmp_path: Path) -> None:
    """One line names the view."""
    app = good_app(tmp_path, STEPUP_PRESET="strict_mfa")
    app.add_url_rule("/a", "send", require_reverification(once=True)(view))
    result = invoke(app, "routes")

    assert result.exit_code == 1
    assert re.fullmatch("Error: the view 'send': once and bind .*\n", result.output)


# How it looks


def test_long_rules(tmp_path: Path) -> None:
    """They have a line of their own; 80 columns hold all the rest."""
    app = good_app(tmp_path)
    rule = "/organisations/<int:organisation_id>/members/<uuid:member_id>/invitations"
    app.add_url_rule(rule, "a", require_reverification(scope="members")(view))
    app.add_url_rule("/b", "b", view, methods=["GET", "POST", "PUT", "DELETE"])
    shown = invoke(app, "routes").output.splitlines()
    row = shown.index(f"  {rule}")

    assert re.fullmatch(r" {30,}GET +strict, scope members", shown[row + 1])
    assert max(map(len, shown)) <= 80


def test_eighty_routes(tmp_path: Path) -> None:
    """As many lines, in the order of their rules."""
    app = good_app(tmp_path)
    for number in range(80):
        app.add_url_rule(
            f"/item/{number:02}", f"{number}", require_reverification(view)
        )
    rows = [r for r in invoke(app, "routes").output.splitlines() if "/item/" in r]

    assert len(rows) == 80
    assert rows == sorted(rows)
    assert len({row.index("GET") for row in rows}) == 1


def test_colours(tmp_path: Path) -> None:
    """Where there is a terminal, what is marked is red, and the rest stands back."""
    app = good_app(tmp_path)
    app.add_url_rule("/a", "a", view, methods=["POST"])
    runner = app.test_cli_runner()
    coloured = runner.invoke(command, ["routes"], color=True).output
    plain_text = runner.invoke(command, ["routes"]).output

    assert re.search(r"^\x1b\[31m\x1b\[1m! /a .*unguarded\x1b\[0m$", coloured, re.M)
    assert re.search(r"^\x1b\[2m  /stepup/status .*\x1b\[0m$", coloured, re.M)
    assert re.sub(r"\x1b\[\d+m", "", coloured) == plain_text


def test_an_app_that_cannot_start(shop: Path) -> None:
    """One line says why."""
    (shop / "shop.py").write_text(SHOP.replace('"k" * 32', '""'))
    done = run(shop, *ROUTES)

    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch("Error: SECRET_KEY is not set: .*\n", done.stderr)


def test_help() -> None:
    """``--help`` teaches: the mark, the allow list, and every exit status."""
    told = run(Path.cwd(), "stepup", "routes", "--help").stdout

    assert '    [tool.flask-stepup]\n    unguarded = ["sign_in", "auth.*"]\n' in told
    assert "  flask --app bank stepup routes --fail-unguarded" in told
    assert "Exit status: 0; with --fail-unguarded 1" in told

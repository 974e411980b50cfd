"""Blueprints: within each other, registered twice, and protected as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import MakeApp
from conftest import signed_in
from flask import Blueprint
from flask import Flask
from flask import request
from people import Codes
from people import Person
from people import Prompt

from flask_stepup import require_reverification
from flask_stepup import ReverificationRequired
from flask_stepup import StepUp


@pytest.fixture(name="app")
def _app(make_app: MakeApp, stepup: StepUp) -> Flask:
    """Accounts registered twice, each time with its cards within."""
    app = make_app(stepup=stepup)
    cards = Blueprint("cards", __name__, url_prefix="/cards")

    @cards.post("/<int:number>/close")
    @require_reverification(once=True)
    def close(number: int) -> str:
        return f"{request.endpoint} {number}"

    accounts = Blueprint("accounts", __name__)

    @accounts.post("/close")
    @require_reverification(once=True)
    def close_all() -> str:
        return f"{request.endpoint}"

    @accounts.get("/list")
    @require_reverification(scope="accounts")
    def show() -> str:
        return f"{request.endpoint}"

    accounts.register_blueprint(cards)
    app.register_blueprint(accounts, url_prefix="/private")
    app.register_blueprint(accounts, url_prefix="/business", name="business")
    return app


CLOSE = {
    "/private/close": "accounts.close_all",
    "/business/close": "business.close_all",
    "/private/cards/1/close": "accounts.cards.close 1",
    "/business/cards/1/close": "business.cards.close 1",
}


@pytest.mark.parametrize("path", CLOSE)
def test_an_approval_of_one_registration_opens_no_other(
    alice: Person, path: str
) -> None:
    """Promise 9: the same function of the same blueprint is another view there."""
    alice.answer(Prompt(alice.open(path, "POST")), "right")

    for other in CLOSE.keys() - {path}:
        assert alice.json(other, "POST").json["cause"] == "missing"
    assert alice.json(path, "POST").text == CLOSE[path]
    assert alice.json(path, "POST").json["cause"] == "spent"


def test_a_standing_marker_opens_its_scope_in_all_of_them(alice: Person) -> None:
    """Scopes are the developer's, and do not know where a view is mounted."""
    alice.step_up("right", "/private/list")

    assert alice.open("/business/list").text == "business.show"


@pytest.mark.parametrize("prefix", ["/private", "/business"])
def test_a_form_goes_back_to_the_registration_that_it_came_from(
    alice: Person, prefix: str
) -> None:
    """By its path."""
    asked = alice.open(f"{prefix}/cards/7/close", "POST", data={"a": "1"})
    page = alice.answer(Prompt(asked), "right")

    assert f'action="{prefix}/cards/7/close"' in page.text


# Protected


@pytest.fixture(name="site")
def _site(tmp_path: Path) -> Path:
    """A folder of static files."""
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "style.css").write_text("b {}")
    return tmp_path


@pytest.fixture(name="nested")
def _nested(site: Path) -> tuple[Blueprint, Blueprint]:
    """A parent and its child, with static files both."""
    parent = Blueprint("parent", __name__, root_path=str(site), static_folder="static")
    child = Blueprint(
        "child",
        __name__,
        root_path=str(site),
        static_folder="static",
        url_prefix="/child",
    )
    parent.add_url_rule("/page", "page", lambda: "parent", methods=["GET", "POST"])
    child.add_url_rule("/page", "page", lambda: "child", methods=["GET", "POST"])
    child.add_url_rule("/strict", "strict", scoped(lambda: "strict"))
    parent.register_blueprint(child)
    return parent, child


scoped = require_reverification(scope="child")


def registered(app: Flask, parent: Blueprint) -> None:
    app.register_blueprint(parent, url_prefix="/a")
    app.register_blueprint(parent, url_prefix="/b", name="second")


PAGES = ["/a/page", "/a/child/page", "/b/page", "/b/child/page"]


def test_a_protected_parent_guards_its_children_wherever_it_is(
    make_app: MakeApp, stepup: StepUp, nested: tuple[Blueprint, Blueprint]
) -> None:
    """In both registrations; one proof opens them all, and files are for everybody."""
    app = make_app(stepup=stepup)
    stepup.protect(nested[0])
    registered(app, nested[0])
    alice = Person(app, "alice")
    for page in PAGES:
        assert alice.json(page).json["cause"] == "missing"
        assert Person(app).json(page).status_code == 401
        with Person(app).json(page.replace("page", "static/style.css")) as file:
            assert file.text == "b {}"

    alice.step_up("right", "/b/child/page")

    assert [alice.json(page).text for page in PAGES] == ["parent", "child"] * 2


def test_a_protected_child_leaves_its_parent_alone(
    make_app: MakeApp, stepup: StepUp, nested: tuple[Blueprint, Blueprint]
) -> None:
    """Though it is in it already."""
    app = make_app(stepup=stepup)
    stepup.protect(nested[1])
    registered(app, nested[0])
    alice = Person(app, "alice")

    assert [alice.json(page).status_code for page in PAGES] == [200, 403] * 2


def test_a_views_own_policy_comes_after_its_blueprints(
    make_app: MakeApp, stepup: StepUp, nested: tuple[Blueprint, Blueprint]
) -> None:
    """Both have to be met, by a code for each."""
    app = make_app(stepup=stepup)
    stepup.protect(nested[0], scope="parent")
    registered(app, nested[0])
    alice = Person(app, "alice")
    scopes = []
    for code in ("right one", "right two"):
        scopes.append(alice.json("/a/child/strict").json["policy"]["scope"])
        alice.step_up(code, "/a/child/strict")

    assert scopes == ["parent", "child"]
    assert alice.open("/a/child/strict").text == "strict"


def test_a_protected_blueprint_asks_for_each_post_of_each_registration(
    make_app: MakeApp, stepup: StepUp, nested: tuple[Blueprint, Blueprint]
) -> None:
    """Promise 9: where the approval is demanded for all of it."""
    app = make_app(stepup=stepup)
    stepup.protect(nested[0], once=True, methods={"POST"})
    registered(app, nested[0])
    alice = Person(app, "alice")
    alice.answer(Prompt(alice.open("/a/child/page", "POST")), "right")

    statuses = {page: alice.json(page, "POST").status_code for page in PAGES}

    assert [page for page in PAGES if statuses[page] == 200] == ["/a/child/page"]
    assert alice.json("/a/child/page").text == "child"


@pytest.mark.parametrize("where", ["parent", "child"])
def test_a_handler_of_a_blueprint_answers_for_both_registrations(
    make_app: MakeApp,
    stepup: StepUp,
    nested: tuple[Blueprint, Blueprint],
    where: str,
) -> None:
    """The child's own, or its parent's where it has none."""
    parent, child = nested
    stepup.protect(parent)

    def answer(required: Any) -> tuple[str, int]:
        return f"{where}: {required.policy.level}", 418

    (parent if where == "parent" else child).register_error_handler(
        ReverificationRequired, answer
    )
    app = make_app(stepup=stepup)
    registered(app, parent)
    alice = Person(app, "alice")
    told = [alice.json(page).text for page in PAGES]

    ours = f"{where}: second_factor"
    assert told[1::2] == [ours, ours]
    assert (told[0] == ours) is (where == "parent")


def test_one_step_up_serves_two_apps_with_the_same_blueprint(
    codes: Codes, tmp_path: Path, nested: tuple[Blueprint, Blueprint]
) -> None:
    """Nothing of one app is kept in the blueprint, or in the extension."""
    stepup = StepUp(verifier=codes, subject_loader=signed_in)
    stepup.protect(nested[0])
    apps = []
    for preset in ("lax", "strict"):
        app = Flask(preset, instance_path=str(tmp_path))
        app.config.update(
            SECRET_KEY="k" * 32,
            STEPUP_STORAGE_URI="memory://",
            STEPUP_PRESET=preset,
        )
        stepup.init_app(app)
        registered(app, nested[0])
        apps.append(app)
    ages = []
    for app in apps:
        person = Person(app)
        with person.client.session_transaction() as state:
            state["user_id"] = "alice"
        ages.append(person.json("/a/child/page").json["policy"]["max_age"])

    assert ages == [86_400, 600]


def test_an_endpoint_below_a_protected_blueprint(
    make_app: MakeApp, stepup: StepUp, nested: tuple[Blueprint, Blueprint]
) -> None:
    """Flask asks the blueprint for it, though no blueprint has the view."""
    app = make_app(stepup=stepup)
    stepup.protect(nested[0])
    registered(app, nested[0])
    app.add_url_rule("/alias", "parent.nobody.static", lambda: "alias")

    assert Person(app, "alice").json("/alias").json["cause"] == "missing"

"""The page on integrations: its code is run, and its versions are those we ask for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from flask import Blueprint
from flask import Flask
from flask_login import login_user
from flask_login import LoginManager
from flask_login import UserMixin
from flask_session import Session
from flask_wtf import CSRFProtect
from people import Codes
from people import Person
from redis import Redis
from serving import ROOT
from valkey_server import Valkey

from flask_stepup import require_reverification
from flask_stepup import StepUp

PAGE = (ROOT / "docs" / "integrations.md").read_text()


def code(section: str) -> str:
    """The Python of a section."""
    text = PAGE.partition(f"## {section}\n")[2].partition("\n## ")[0]
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert found, section
    return found[1]


@pytest.fixture(name="names")
def _names(tmp_path: Path, codes: Codes) -> dict[str, Any]:
    """What the page leaves to its reader: an app, and imports."""

    def set_up(app: Flask, **options: Any) -> StepUp:
        options.setdefault("subject_loader", lambda: "alice")
        return StepUp(app, verifier=codes, **options)

    def new_app(*args: Any, **options: Any) -> Flask:
        app = Flask("bank", instance_path=str(tmp_path), **options)
        app.config.update(SECRET_KEY="k" * 32, STEPUP_STORAGE_URI="memory://")
        return app

    admin = Blueprint("admin", __name__)
    admin.add_url_rule("/vault", "vault", require_reverification(lambda: "in"))
    return {
        "app": new_app(),
        "admin": admin,
        "CSRFProtect": CSRFProtect,
        "Flask": new_app,
        "Redis": Redis,
        "Session": Session,
        "StepUp": set_up,
        "__name__": "bank",
    }


def run(section: str, names: dict[str, Any], **replaced: str) -> Flask:
    """Run the code of a section, and return its app with a guarded view."""
    text = code(section)
    for old, new in replaced.items():
        text = text.replace(old, new)
    exec(text, names)  # noqa: S102 (our own page)
    app: Flask = names["app"]
    return app


def opens(app: Flask) -> bool:
    """Whether a page is opened by a code."""
    app.add_url_rule("/page", "page", require_reverification(lambda: "in"))
    alice = Person(app)
    alice.step_up("right", "/page")
    return alice.open("/page").text == "in"


def test_flask_login(names: dict[str, Any], codes: Codes) -> None:
    """The verifier is asked about the attribute."""

    class User(UserMixin):
        id = "1"
        clerk_id = "user_1"

    app = run("Flask-Login", names)
    LoginManager(app).request_loader(lambda _: User())
    app.before_request(lambda: login_user(User()) and None)

    assert opens(app)
    assert codes.asked == [("user_1", "right")]


def test_flask_wtf(names: dict[str, Any]) -> None:
    """The prompt works, and posts without a token are refused."""
    app = run("Flask-WTF", names)
    app.add_url_rule("/post", "post", lambda: "in", methods=["POST"])

    assert opens(app)
    assert Person(app).open("/post", "POST").status_code == 400


def test_flask_session(names: dict[str, Any], valkey: Valkey, tmp_path: Path) -> None:
    """Sessions and ledger are on one server."""
    port = str(valkey.port)
    names["app"].config["SESSION_KEY_PREFIX"] = f"{tmp_path}:"
    place = f"{port}/0?prefix={tmp_path.name}"
    app = run("Flask-Session", names, **{"6379/0": place, "6379": port})

    assert opens(app)
    assert Redis(port=valkey.port).keys(f"{tmp_path}:*")


def test_blueprints(names: dict[str, Any]) -> None:
    """The whole of it is guarded, in its scope."""
    names["stepup"] = names["StepUp"](names["app"])
    app = run("Blueprints", names)

    assert Person(app).json("/admin/vault").json["policy"]["scope"] == "admin"


def test_behind_a_proxy(names: dict[str, Any]) -> None:
    """The host is the proxy's, and cookies are for https."""
    app = run("Behind a proxy", names)
    names["StepUp"](app)
    app.add_url_rule(
        "/post", "post", require_reverification(lambda: "in"), methods=["POST"]
    )
    told = {"X-Forwarded-Host": "bank.example", "X-Forwarded-Proto": "https"}
    page = {"Accept": "text/html", "Origin": "https://bank.example"}
    asked = app.test_client().post("/post", headers=told | page)

    assert "Confirm it" in asked.text
    assert "Secure" in asked.headers["Set-Cookie"]


def test_below_a_path(names: dict[str, Any]) -> None:
    """The cookie is for the path, and the sign-in is where it was said to be."""
    app = run("Below a path", names)
    names["StepUp"](app, subject_loader=lambda: None)
    app.add_url_rule("/page", "page", require_reverification(lambda: "in"))
    answer = Person(app).open("/page", base_url="http://localhost/bank")

    assert answer.location == "/bank/login?next=%2Fbank%2Fpage"
    assert app.session_interface.get_cookie_path(app) == "/bank"


def test_subdomains_and_hosts(names: dict[str, Any]) -> None:
    """The prompt is on the host of the view."""
    app = run("Subdomains and hosts", names)
    here = {"base_url": "https://admin.bank.example"}
    asked = Person(app).open("/vault", **here)

    assert asked.location.startswith("/stepup/?challenge=")


def test_gunicorn_and_gevent() -> None:
    """The lines are those of the app that is tested that way."""
    app = (ROOT / "tests" / "greenlets.py").read_text()

    assert code("gunicorn and gevent") in app


def test_versions() -> None:
    """The lowest that the page names are those that pyproject.toml asks for."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project, groups = pyproject["project"], pyproject["dependency-groups"]
    asked = str([project, groups]).lower()
    rows = re.findall(r"(?m)^\| ([\w-]+) \| ([\d.]+) \|", PAGE)

    assert len(rows) == 12
    for library, version in rows:
        if library == "Python":
            assert project["requires-python"] == f">={version}"
        elif library != "Werkzeug":  # which Flask asks for
            name = re.escape(library.lower())
            assert re.search(rf"'{name}(\[\w+(, *\w+)*\])?>={version}'", asked), library

"""What is done when requests arrive, in apps of all kinds."""

from __future__ import annotations

import functools
import re
import threading
import time
from typing import Any

import pytest
from conftest import MakeApp
from flask import Flask
from flask import Request
from flask import request
from flask.ctx import RequestContext
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import URLSafeSerializer
from werkzeug.datastructures import MultiDict

from flask_stepup import StepUp
from flask_stepup.arrival import prepare_arrivals

PAGE = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin", "User": "alice"}
#: A form whose fields are not together by their names.
FORM: dict[str, Any] = {
    "data": "b=1&a=2&b=3",
    "content_type": "application/x-www-form-urlencoded",
    "headers": PAGE,
}
IN_ORDER = ["b", "a", "b"]


def guarded(app: Flask) -> Flask:
    """The app, with a guarded route, and what reads each form first."""
    app.config.update(SECRET_KEY="k" * 32, STEPUP_STORAGE_URI="memory://")
    stepup = StepUp(app, verifier=lambda *_: None, subject_loader=lambda: "alice")

    @app.before_request
    def protect_against_csrf() -> None:
        _ = request.form

    @app.route("/pay", methods=["GET", "POST"])
    def pay() -> str:
        if request.method == "POST":
            stepup.require()
        return "paid"

    return app


def carried(app: Flask) -> list[str]:
    """The names of the fields that the prompt carries, in their order."""
    page = app.test_client().post("/pay", **FORM).text
    (token,) = re.findall(r'name="challenge" value="([^"]+)"', page)
    # What it carries can be read by anybody.
    _, challenge = URLSafeSerializer("").loads_unsafe(token)
    return [name for name, _ in challenge["form"]["fields"]]


class Own(Request):
    """An app's own class of requests."""


class WithName(Request):
    """A class whose subclasses have to say something."""

    def __init_subclass__(cls, *, name: str, **more: Any) -> None:
        super().__init_subclass__(**more)


class Final(type):
    """Classes that have no subclass."""

    def __new__(cls, name: str, bases: Any, body: Any) -> Any:
        if any(isinstance(base, Final) for base in bases):
            raise TypeError("final")
        return super().__new__(cls, name, bases, body)


class Last(Request, metaclass=Final):
    """A class that has no subclass."""


class Exact(Request):
    """A class that is none of its subclasses."""

    def __new__(cls, *_: Any, **__: Any) -> Any:
        assert cls is Exact
        return super().__new__(cls)


class Chooses(Request):
    """A class that chooses of what class forms are."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.parameter_storage_class = MultiDict  # type: ignore[assignment]


CLASSES: dict[str, Any] = {
    "Flask's own": Request,
    "a subclass": Own,
    "a partial": functools.partial(Own),
    "a factory": lambda environ: Own(environ),
    "one whose subclasses say something": WithName,
    "one that is final": Last,
    "one that is exact": Exact,
    "one that chooses": Chooses,
}


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("comes", ["before us", "after us"])
def test_an_app_may_have_any_class_of_requests(name: str, comes: str) -> None:
    """Promise 8: fields keep their order in each of them, and routes go on."""
    app = Flask("app")
    if comes == "before us":
        app.request_class = CLASSES[name]
    guarded(app)
    if comes == "after us":
        app.request_class = CLASSES[name]
    assert [carried(app) for _ in range(3)] == [IN_ORDER] * 3
    assert app.test_client().get("/pay").text == "paid"
    if name != "Flask's own":
        assert app.request_class is CLASSES[name]


class Unchangeable(Flask):
    """An app that lets nobody choose its class of requests."""

    @property
    def request_class(self) -> Any:
        return Request


class Making(Flask):
    """An app that makes its requests by itself."""

    def request_context(self, environ: Any) -> RequestContext:
        return RequestContext(self, environ, request=Own(environ))


class Mixed(Flask):
    """An app that makes some of its requests by itself."""

    def request_context(self, environ: Any) -> RequestContext:
        if environ["REQUEST_METHOD"] == "POST":
            return RequestContext(self, environ, request=Own(environ))
        return super().request_context(environ)


@pytest.mark.parametrize("kind", [Unchangeable, Making, Mixed])
def test_an_app_may_make_requests_in_its_own_way(kind: type[Flask]) -> None:
    """Promise 8: then each is looked at when it comes."""
    app = guarded(kind("app"))
    app.test_client().get("/pay")
    assert [carried(app) for _ in range(3)] == [IN_ORDER] * 3


def test_nothing_is_called_for_other_requests() -> None:
    """Once the first has come: a route without a guard is as quick as it was."""
    app = Flask("app")
    seen = []
    app.url_value_preprocessor(lambda endpoint, _: seen.append(endpoint))
    guarded(app)
    for _ in range(2):
        assert app.test_client().get("/pay").text == "paid"
        assert len(app.url_value_preprocessors[None]) == 1
    assert seen == ["pay", "pay"]


def test_an_own_class_has_its_requests_looked_at() -> None:
    """As nobody else would do it."""
    app = Flask("app")
    app.request_class = Own
    guarded(app)
    for _ in range(2):
        app.test_client().get("/pay")
        assert len(app.url_value_preprocessors[None]) == 1


@pytest.mark.parametrize("way", ["declares", "chooses", "by a factory"])
def test_an_app_may_derive_its_class_from_the_one_it_has(way: str) -> None:
    """Promise 8: as extensions do that come after us."""
    app = guarded(Flask("app"))
    before: Any = app.request_class

    class Declares(before):
        parameter_storage_class = MultiDict

    class Derived(before):
        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            self.parameter_storage_class = MultiDict

    def factory(environ: Any) -> Any:
        return (Own if environ["REQUEST_METHOD"] == "POST" else before)(environ)

    ways: dict[str, Any] = {"declares": Declares, "chooses": Derived}
    app.request_class = ways.get(way, factory)
    app.test_client().get("/pay")
    assert [carried(app) for _ in range(3)] == [IN_ORDER] * 3


def test_what_is_done_at_first_is_done_before_all_else() -> None:
    """Once, and by whichever request is the first."""
    app = Flask("app")
    done: list[str] = []
    app.url_value_preprocessor(lambda *_: done.append("the app's"))
    app.request_class = Own
    prepare_arrivals(app, lambda _: done.append("at first"))
    for _ in range(2):
        app.test_client().get("/")
    assert done == ["at first", "the app's", "the app's"]


class Slow(SecureCookieSessionInterface):
    """Sessions that have to be fetched first."""

    def open_session(self, app: Flask, request: Request) -> Any:
        time.sleep(0.05 if request.method == "POST" else 0)
        return super().open_session(app, request)


@pytest.mark.parametrize("kind", [Request, Own])
def test_first_requests_may_come_together(kind: Any) -> None:
    """Promise 8: fields keep their order also in those that another one overtakes."""
    app = Flask("app")
    app.request_class = kind
    guarded(app)
    app.session_interface = Slow()
    forms: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: forms.append(carried(app))) for _ in range(6)
    ]
    threads.append(threading.Thread(target=lambda: app.test_client().get("/pay")))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert forms == [IN_ORDER] * 6


def test_flasks_class_is_everybodys(make_app: MakeApp) -> None:
    """What we need of an app's requests, other apps do not get."""
    app = make_app()
    assert issubclass(app.request_class, Request)
    assert Flask("other").request_class is Flask.request_class is Request
    assert "parameter_storage_class" not in vars(Request)


def test_queries_are_as_they_were() -> None:
    """Of the class that Flask has for them, in posts too."""
    app = guarded(Flask("app"))
    with app.test_request_context("/?a=1", method="POST", data={"b": "2"}):
        ours = type(request.args), type(request.form), type(request.files)
    with Flask("other").test_request_context("/?a=1", method="POST", data={"b": "2"}):
        assert ours == (type(request.args), type(request.form), type(request.files))

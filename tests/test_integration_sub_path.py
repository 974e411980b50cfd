"""Apps below a path: behind a proxy that takes it off, or beside another app."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import signed_in
from flask import Flask
from flask import session
from people import Codes
from reverse_proxy import behind_a_proxy
from serving import served
from visiting import action
from visiting import hidden
from visiting import links
from visiting import Visit
from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_stepup import require_reverification
from flask_stepup import StepUp


def bank(codes: Codes, folder: Path, **config: Any) -> Flask:
    app = Flask("bank", instance_path=str(folder))
    app.config.update(SECRET_KEY="k" * 32, **config)
    stepup = StepUp(app, verifier=codes, subject_loader=signed_in)

    @app.get("/sign-in/<user_id>")
    def sign_in(user_id: str) -> str:
        session["user_id"] = user_id
        return user_id

    @app.get("/sign-out")
    def sign_out() -> str:
        stepup.forget()
        session.clear()
        return "out"

    @app.route("/vault", methods=["GET", "POST"])
    @require_reverification
    def vault() -> str:
        return f"the vault of {app.config['APPLICATION_ROOT']}"

    return app


@contextmanager
def mounted(app: Flask) -> Iterator[str]:
    """Below /bank, by Werkzeug's own middleware."""
    outer = Flask("outer")
    outer.wsgi_app = DispatcherMiddleware(  # type: ignore[method-assign]
        NotFound(), {"/bank": app.wsgi_app}
    )
    with served(outer) as site:
        yield f"{site}/bank"


@contextmanager
def proxied(app: Flask) -> Iterator[str]:
    """Below /bank, by a proxy that tells of it in X-Forwarded-Prefix."""
    app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
        app.wsgi_app, x_for=1, x_proto=1, x_host=1, x_prefix=1
    )
    with behind_a_proxy(app, prefix="/bank") as site:
        yield site


@pytest.fixture(name="alice", params=[mounted, proxied], ids=lambda way: way.__name__)
def _alice(
    request: pytest.FixtureRequest, codes: Codes, tmp_path: Path
) -> Iterator[Visit]:
    app = bank(codes, tmp_path, APPLICATION_ROOT="/bank", STEPUP_LOGIN_URL="/bank/in")
    with request.param(app) as site, Visit(site) as alice:
        yield alice


def test_a_page_is_opened_below_the_path(alice: Visit) -> None:
    """Prompt, its form and files, Cancel, the way back, and the cookie."""
    alice.get("/bank/sign-in/alice")
    asked = alice.get("/bank/vault?x=1").headers["Location"]
    assert asked.startswith("/bank/stepup/?challenge=")
    prompt = alice.get(asked)
    assert prompt.status_code == 200
    files = ["/bank/stepup/static/stepup.css", "/bank/stepup/static/stepup.js"]
    assert links(prompt) == [*files, "/bank/stepup/", "/bank/sign-in/alice"]
    assert [alice.get(file).status_code for file in files] == [200, 200]

    assert alice.answer(prompt, "right").headers["Location"] == "/bank/vault?x=1"
    assert alice.get("/bank/vault").text == "the vault of /bank"
    assert [path for _, path, _ in alice.cookies] == ["/bank"]


def test_a_form_comes_back_below_the_path(alice: Visit) -> None:
    """Promise 8: where it was sent."""
    alice.get("/bank/sign-in/alice")
    page = alice.answer(alice.post("/bank/vault", {"to": "bob"}), "right")

    assert (action(page), hidden(page)) == ("/bank/vault", [("to", "bob")])
    assert alice.post(action(page), {"to": "bob"}).text == "the vault of /bank"


def test_programs_and_htmx_are_told_of_the_path(alice: Visit) -> None:
    """``verify_url``, and where HTMX goes."""
    alice.get("/bank/sign-in/alice")
    told = alice.get("/bank/vault", Accept="application/json").json()
    assert told["verify_url"] == "/bank/stepup/"

    page = {"HX-Current-URL": f"{alice.site}/page", "HX-Request": "true"}
    led = alice.get("/bank/vault", **page).headers["HX-Redirect"]
    back = alice.answer(alice.get(led), "right").headers["Location"]
    assert back == "/bank/page"


def test_a_sign_in_leads_back_below_the_path(alice: Visit) -> None:
    """``STEPUP_LOGIN_URL`` is taken as it is: it has the path itself."""
    led = alice.get("/bank/vault?x=1").headers["Location"]

    assert led == "/bank/in?next=%2Fbank%2Fvault%3Fx%3D1"


@contextmanager
def two(codes: Codes, folder: Path, rooted: bool) -> Iterator[Visit]:
    """Two apps with one key on one host, and somebody who is signed in to both."""
    apps = {
        path: bank(
            codes, folder / path[1:], **({"APPLICATION_ROOT": path} if rooted else {})
        ).wsgi_app
        for path in ("/one", "/two")
    }
    outer = Flask("outer")
    outer.wsgi_app = DispatcherMiddleware(NotFound(), apps)  # type: ignore[method-assign]
    with served(outer) as site, Visit(site) as alice:
        alice.get("/one/sign-in/alice")
        alice.get("/two/sign-in/alice")
        yield alice


def step_up(alice: Visit, path: str, code: str) -> int:
    """Go through the prompt, and return the status of its answer."""
    prompt = alice.get(alice.get(path).headers["Location"])
    return alice.answer(prompt, code).status_code


def test_two_apps_of_one_host_do_not_disturb_each_other(
    codes: Codes, tmp_path: Path
) -> None:
    """With APPLICATION_ROOT each has a cookie of its own, also for one key."""
    with two(codes, tmp_path, rooted=True) as alice:
        waiting = alice.get(alice.get("/two/vault").headers["Location"])
        assert step_up(alice, "/one/vault", "right of one") == 303
        assert alice.get("/two/vault").status_code == 303
        assert alice.answer(waiting, "right of two").status_code == 303
        assert alice.get("/one/vault").status_code == 200
        assert alice.get("/two/vault").status_code == 200

        alice.get("/one/sign-out")
        assert alice.get("/one/vault").status_code == 401
        assert alice.get("/two/vault").status_code == 200


def test_two_apps_in_one_cookie_open_nothing_for_each_other(
    codes: Codes, tmp_path: Path
) -> None:
    """Without it they share Flask's session, and still each asks for itself."""
    with two(codes, tmp_path, rooted=False) as alice:
        assert step_up(alice, "/one/vault", "right of one") == 303
        assert alice.get("/one/vault").status_code == 200
        assert alice.get("/two/vault").status_code == 303


def test_a_proxy_that_tells_of_no_path_is_seen_at_once(
    codes: Codes, tmp_path: Path
) -> None:
    """The address of the prompt lacks it: APPLICATION_ROOT alone is not enough."""
    app = bank(codes, tmp_path, APPLICATION_ROOT="/bank")
    with behind_a_proxy(app, prefix="/bank") as site, Visit(site) as alice:
        alice.get("/bank/sign-in/alice")
        led = alice.get("/bank/vault").headers["Location"]
        assert led.startswith("/stepup/?challenge=")
        assert alice.get(led).status_code == 404

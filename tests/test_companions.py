"""Flask-Login and Flask-WTF, the real ones, before us and after us."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask import session
from flask_login import login_required
from flask_login import login_user
from flask_login import LoginManager
from flask_login import logout_user
from flask_login import UserMixin
from flask_wtf import CSRFProtect
from people import Codes
from people import Person
from people import Prompt

from flask_stepup import require_reverification
from flask_stepup import StepUp


class User(UserMixin):
    def __init__(self, user_id: str) -> None:
        self.id = user_id


def bare(**config: Any) -> Flask:
    app = Flask(__name__)
    app.config.update(SECRET_KEY="k" * 32, STEPUP_STORAGE_URI="memory://")
    app.config.update(config)
    return app


def with_login(app: Flask) -> None:
    """Set Flask-Login up, and views that use it."""
    manager = LoginManager(app)
    manager.login_view = "login"
    manager.user_loader(User)

    @app.get("/login")
    def login() -> str:
        return "log in"

    @app.get("/sign-in/<user_id>")
    def sign_in(user_id: str) -> str:
        login_user(User(user_id))
        return "signed in"

    @app.post("/logout")
    def logout() -> str:
        logout_user()
        return "out"

    @app.get("/vault")
    @login_required
    @require_reverification
    def vault() -> str:
        return "in"

    @app.get("/naked")
    @require_reverification
    def naked() -> str:
        return "in"


@pytest.fixture(name="app", params=["login first", "login last"])
def _app(request: pytest.FixtureRequest, codes: Codes) -> Flask:
    app = bare()
    if request.param == "login first":
        with_login(app)
    StepUp(app, verifier=codes)
    if request.param == "login last":
        with_login(app)
    return app


def test_flask_logins_user_is_the_subject(alice: Person, codes: Codes) -> None:
    """No loader is needed; the id is what ``get_id()`` says."""
    alice.step_up("right")

    assert alice.open("/vault").text == "in"
    assert codes.asked == [("alice", "right")]


def test_flask_login_answers_anonymous_people(app: Flask) -> None:
    """Its own redirect to its login view, with or without ``login_required``."""
    nobody = Person(app)

    for path in ("/vault", "/naked"):
        response = nobody.open(path)
        assert response.status_code == 302
        assert response.location.startswith("/login?next=")
    assert nobody.json("/naked").status_code == 401


@pytest.mark.parametrize("path", ["/naked", "/raised"])
@pytest.mark.parametrize("handled", [False, True])
def test_without_a_login_view_flask_logins_answer_is_401(
    codes: Codes, path: str, handled: bool
) -> None:
    """Flask-Login aborts there, and the app's page for 401 is shown if it has one."""
    app = bare()
    with_login(app)
    app.login_manager.login_view = None  # type: ignore[attr-defined]
    stepup = StepUp(app, verifier=codes)
    app.add_url_rule("/raised", "raised", lambda: stepup.require() or "in")
    if handled:
        app.register_error_handler(401, lambda error: ("who are you?", 401))

    response = Person(app).open(path)

    assert response.status_code == 401
    assert ("who are you?" in response.text) is handled


def test_flask_logins_logout_forgets(alice: Person) -> None:
    """Promise 3: the cookie of before the logout opens nothing, on any worker."""
    alice.step_up("right")
    cookie = alice.cookie()
    assert alice.open("/logout", "POST").text == "out"
    with alice.client.session_transaction() as state:
        assert not [key for key in state if key.startswith("_stepup")]

    alice.put_back(cookie)

    assert alice.json("/naked").json["cause"] == "revoked"


def test_htmx_with_a_bearer_header_gets_in(app: Flask) -> None:
    """The prompt that it leads to belongs to the same session."""
    alice = Person(app, "alice")
    headers = {"HX-Request": "true", "Authorization": "Bearer api"}
    url = alice.json("/vault", headers=headers).headers["HX-Redirect"]

    assert alice.answer(Prompt(alice.open(url)), "right").status_code == 303
    assert alice.json("/vault", headers=headers).text == "in"


def test_forgetting_one_session_of_flask_login_leaves_the_others(app: Flask) -> None:
    """Though all sessions from one browser have the same id of the sign-in."""
    app.add_url_rule(
        "/forget", "forget", lambda: str(app.extensions["stepup"].forget())
    )
    one, other = Person(app, "alice"), Person(app, "alice")
    one.step_up("right, one")
    other.step_up("right, two")

    assert one.open("/forget").status_code == 200

    assert one.open("/vault").status_code == 303
    assert other.open("/vault").text == "in"


@pytest.mark.parametrize("way", ["clear", "pop"])
def test_a_logout_that_clears_the_session_first_forgets_too(
    app: Flask, alice: Person, way: str
) -> None:
    """Promise 3: what the browser sent is revoked, whatever the app did before."""

    def logout() -> str:
        if way == "clear":
            session.clear()
        else:
            session.pop("_stepup_sid", None)
        logout_user()
        return "out"

    app.view_functions["logout"] = logout
    alice.step_up("right")
    cookie = alice.cookie()
    alice.open("/logout", "POST")

    alice.put_back(cookie)

    assert alice.json("/naked").json["cause"] == "revoked"


def test_companions_are_met_by_all_threads_at_once(codes: Codes) -> None:
    """The first requests of a worker come together, and none of them fails."""
    for _ in range(20):
        app = bare()
        StepUp(app, verifier=codes)
        with_login(app)
        CSRFProtect(app)
        app.add_url_rule("/free", view_func=lambda: "free")
        line = threading.Barrier(8)

        def first(app: Flask = app, line: threading.Barrier = line) -> int:
            line.wait()
            return app.test_client().get("/free").status_code

        with ThreadPoolExecutor(8) as pool:
            statuses = [job.result() for job in [pool.submit(first) for _ in range(8)]]
        assert statuses == [200] * 8


def test_a_worker_that_never_guarded_anything_hears_the_logout(codes: Codes) -> None:
    """The logout may be the first request that a worker ever sees."""
    app = bare()
    StepUp(app, verifier=codes)
    with_login(app)
    alice = Person(app, "alice")
    with alice.client.session_transaction() as state:
        state["_stepup_sid"] = "nonce"
        signed_in = dict(state)
    fresh = bare()
    StepUp(fresh, verifier=codes)
    with_login(fresh)
    person = Person(fresh)
    with person.client.session_transaction() as state:
        state.update(signed_in)

    person.open("/logout", "POST")

    ledger = fresh.extensions["stepup"].ledger
    assert ledger.standing("alice", "nonce").session_revoked


def test_a_logout_succeeds_though_the_ledger_is_dead(
    codes: Codes, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Promise 7: people can always sign out; what could not be written is logged."""
    app = bare(STEPUP_STORAGE_URI=f"sqlite:///{tmp_path}/ledger.db")
    with_login(app)
    StepUp(app, verifier=codes)
    alice = Person(app, "alice")
    alice.step_up("right")
    app.extensions["stepup"].ledger.close()
    for file in tmp_path.glob("ledger.db*"):
        file.unlink()
    (tmp_path / "ledger.db").mkdir()

    assert alice.open("/logout", "POST").text == "out"
    assert "a logout could not be written down" in caplog.text
    assert alice.open("/vault").status_code == 302


def test_signing_in_from_elsewhere_in_the_same_session_voids_the_marker(
    alice: Person,
) -> None:
    """The marker is bound to Flask-Login's own id of the sign-in."""
    alice.step_up("right")
    with alice.client.session_transaction() as state:
        state["_id"] = "that of another address and browser"

    assert alice.open("/vault").status_code == 303


@pytest.mark.parametrize("order", ["csrf first", "csrf last"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_prompt_works_with_csrf_protection_on(
    codes: Codes, order: str, scheme: str
) -> None:
    """Switched on before or after us, over https too, for forms and for JSON."""
    app = bare(SESSION_COOKIE_SECURE=scheme == "https")
    if order == "csrf first":
        CSRFProtect(app)
    StepUp(app, verifier=codes, subject_loader=lambda: "alice")
    if order == "csrf last":
        CSRFProtect(app)
    app.add_url_rule("/vault", view_func=require_reverification(lambda: "in"))
    app.add_url_rule("/post", "post", lambda: "posted", methods=["POST"])
    base = {"base_url": f"{scheme}://localhost"}
    alice = Person(app)
    prompt = alice.prompted("/vault")
    prompt.response = alice.open("/vault", **base)
    prompt.response = alice.open(prompt.response.location, **base)

    assert "csrf_token" in prompt.fields
    referrer = {"Referer": f"{scheme}://localhost/stepup/"}
    answer = alice.answer(prompt, "right", headers=referrer, **base)
    assert answer.location == "/vault"
    assert alice.open("/vault", **base).text == "in"
    # The rest of the app is as protected as it was.
    assert alice.open("/post", "POST", **base).status_code == 400
    challenge = prompt.challenge
    body = {"json": {"challenge": challenge, "code": "right"}}
    assert alice.client.post("/stepup/", **body, **base).status_code == 200


def test_without_a_valid_challenge_verify_takes_nothing_from_another_site(
    codes: Codes,
) -> None:
    """The challenge is the token: a forged form has none that is ours."""
    app = bare()
    CSRFProtect(app)
    StepUp(app, verifier=codes, subject_loader=lambda: "alice")
    app.add_url_rule("/vault", view_func=require_reverification(lambda: "in"))
    attacker, alice = Person(app), Person(app)
    stolen = attacker.prompted().challenge
    alice.prompted()

    response = alice.open(
        "/stepup/",
        "POST",
        data={"challenge": stolen, "code": "right"},
        headers={"Sec-Fetch-Site": "cross-site"},
    )

    assert response.status_code == 400
    assert codes.asked == []

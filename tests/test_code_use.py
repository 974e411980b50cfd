"""A code that the app checks itself opens once too."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from conftest import MakeApp
from conftest import signed_in
from flask import Flask
from flask import request
from flask import session
from naming import repr_of
from people import Codes
from people import Person

from flask_stepup import ConfigurationError
from flask_stepup import StepUp
from flask_stepup import Subject
from flask_stepup.errors import CodeAlreadyUsed
from flask_stepup.errors import SessionFull
from flask_stepup.signals import code_reused


@pytest.fixture(name="app")
def _app(make_app: MakeApp, codes: Codes) -> Flask:
    """It asks for a code at sign-in, and has it opened by ``grant``."""
    stepup = StepUp(verifier=codes, subject_loader=signed_in)
    app = make_app(stepup=stepup)

    @app.post("/sign-in", endpoint="with a code")
    def sign_in() -> tuple[str, int]:
        session["user_id"] = request.form["user_id"]
        session["more"] = request.form.get("more")
        try:
            stepup.grant(code=request.form["code"])
        except (CodeAlreadyUsed, SessionFull) as error:
            return type(error).__name__, 422
        return "signed in", 200

    return app


def sign_in(app: Flask, code: str, user_id: str = "alice", **more: Any) -> Any:
    data = {"user_id": user_id, "code": code, **more}
    return Person(app).open("/sign-in", "POST", data=data)


def test_it_opens_what_is_guarded(app: Flask) -> None:
    """As a grant without a code does."""
    alice = Person(app)
    alice.open("/sign-in", "POST", data={"user_id": "alice", "code": "123456"})

    assert alice.open("/vault").text == "the vault is open"


@pytest.mark.parametrize("spelled", ["right-1", "right 1", "right1"])
def test_it_opens_no_prompt_afterwards(app: Flask, spelled: str) -> None:
    """Promise 5: however it is spelled, in whatever session."""
    assert sign_in(app, "right-1").text == "signed in"

    other = Person(app, "alice")
    answer = other.answer(other.prompted(), spelled)

    assert answer.status_code == 422
    assert "That code has been used" in answer.text


def test_what_has_opened_a_prompt_signs_nobody_in(app: Flask) -> None:
    """Promise 5: the other way round, and a signal tells of it."""
    Person(app, "alice").step_up("right-1")
    heard: list[str] = []

    def hear(sender: Flask, user_id: str) -> None:
        heard.append(user_id)

    with code_reused.connected_to(hear, app):
        assert sign_in(app, "right-1").text == "CodeAlreadyUsed"
        assert sign_in(app, "right-1", "bob").text == "signed in"
    assert heard == ["alice"]


def test_of_many_at_once_one_is_let_in(app: Flask) -> None:
    """Promise 5: for all threads."""
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(sign_in, app, "right-1") for _ in range(8)]
        texts = sorted(answer.result().text for answer in answers)

    assert texts == ["CodeAlreadyUsed"] * 7 + ["signed in"]


def test_one_that_was_used_grants_nothing(app: Flask) -> None:
    """Though the person is signed in."""
    sign_in(app, "right-1")
    alice = Person(app)
    alice.open("/sign-in", "POST", data={"user_id": "alice", "code": "right-1"})

    assert alice.open("/vault").status_code == 303


def test_it_is_not_used_up_where_there_is_no_room(app: Flask) -> None:
    """A full session tells so first."""
    assert (
        sign_in(app, "right-1", more=secrets.token_urlsafe(2_850)).text == "SessionFull"
    )
    assert sign_in(app, "right-1").text == "signed in"


def test_it_is_not_used_up_where_nothing_can_be_kept(
    make_app: MakeApp, codes: Codes
) -> None:
    """A bearer token that names no session could not bind a marker."""
    stepup = StepUp(verifier=codes, subject_loader=lambda: "alice")
    app = make_app(stepup=stepup)
    with (
        app.test_request_context(headers={"Authorization": "Bearer x"}),
        pytest.raises(SessionFull, match="no session to bind"),
    ):
        stepup.grant(code="right-1")

    with app.test_request_context():
        stepup.grant(code="right-1")


def test_a_bearer_gets_the_marker_to_keep(make_app: MakeApp, codes: Codes) -> None:
    """And its code opens nothing more."""
    subject = Subject("alice", session_id="sess_1")
    stepup = StepUp(verifier=codes, subject_loader=lambda: subject)
    app = make_app(stepup=stepup)
    headers = {"Authorization": "Bearer x"}
    with app.test_request_context(headers=headers):
        marker = stepup.grant(code="right-1")
        with pytest.raises(CodeAlreadyUsed):
            stepup.grant(code="right-1")

    assert marker
    client, headers["Stepup-Marker"] = app.test_client(), marker
    assert client.get("/vault", headers=headers).text == "the vault is open"


@pytest.mark.parametrize("code", ["", b"123456", 123456, True], ids=repr_of)
def test_what_is_no_code_is_refused(
    app: Flask, stepup: StepUp, code: Any, make_app: Callable[..., Flask]
) -> None:
    """Before anybody is asked, and without showing it."""
    with app.test_request_context():
        session["user_id"] = "alice"
        with pytest.raises(ConfigurationError) as refused:
            stepup.grant(code=code)

    assert str(refused.value).endswith(f"as text, not {type(code).__name__}")

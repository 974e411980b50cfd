"""The main job on real input: real HTTP, the sandbox, real TOTP and backup codes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import signed_in
from flask import Flask
from flask import session
from people import Person

from flask_stepup import require_reverification
from flask_stepup import StepUp
from flask_stepup.sandbox import demo_users
from flask_stepup.sandbox import Sandbox
from flask_stepup.sandbox import SandboxUser


@pytest.fixture(name="user")
def _user() -> SandboxUser:
    return demo_users()[0]


@pytest.fixture(name="app")
def _app(user: SandboxUser, tmp_path: Path) -> Iterator[Flask]:
    sandbox = Sandbox([user])
    with sandbox.serve() as url:
        app = Flask(__name__, instance_path=str(tmp_path / "instance"))
        app.config.update(
            SECRET_KEY="k" * 32,
            STEPUP_CLERK_SECRET_KEY=sandbox.secret_key,
            STEPUP_CLERK_API_URL=url,
        )
        StepUp(app, subject_loader=signed_in)

        @app.get("/sign-in/<user_id>")
        def sign_in(user_id: str) -> str:
            session["user_id"] = user_id
            return "signed in"

        app.add_url_rule("/vault", view_func=require_reverification(lambda: "in"))
        yield app
        app.extensions["stepup"].verifier._api.close()


def test_the_main_job(app: Flask, user: SandboxUser, tmp_path: Path) -> None:
    """Decorate, ask, check with the backend API, stamp, go on."""
    person = Person(app, user.user_id)
    prompt = person.prompted("/vault?page=2")
    assert "That code is not right" in person.answer(prompt, "000 000").text
    code = user.current_code()

    response = person.answer(prompt, f"{code[:3]} {code[3:]}")

    assert (response.status_code, response.location) == (303, "/vault?page=2")
    assert person.open(response.location).text == "in"
    assert (tmp_path / "instance" / "stepup.db").stat().st_mode & 0o777 == 0o600


def test_a_backup_code_opens_once(app: Flask, user: SandboxUser) -> None:
    """The backend consumes it, and the second use is told as wrong or used."""
    first, second = Person(app, user.user_id), Person(app, user.user_id)
    first.step_up(user.backup_codes[0])

    response = second.answer(second.prompted(), user.backup_codes[0])

    assert response.status_code == 422
    assert second.open("/vault").status_code == 303


def test_two_simultaneous_submissions_of_one_code(
    app: Flask, user: SandboxUser
) -> None:
    """Promise 5: one succeeds; each other is told that the code has been used."""
    people = [Person(app, user.user_id) for _ in range(4)]
    prompts = [person.prompted() for person in people]
    code = user.current_code()

    with ThreadPoolExecutor(len(people)) as pool:
        answers = list(pool.map(lambda p, q: p.answer(q, code), people, prompts))

    assert sorted(answer.status_code for answer in answers) == [303, 422, 422, 422]
    used = [answer for answer in answers if answer.status_code == 422]
    assert all("That code has been used" in answer.text for answer in used)
    opened = [person.open("/vault").status_code for person in people]
    assert sorted(opened) == [200, 303, 303, 303]


def test_a_double_click_ends_well(app: Flask, user: SandboxUser) -> None:
    """Promise 5: in one browser the second submission goes on without a code."""
    person = Person(app, user.user_id)
    prompt = person.prompted()
    code = user.current_code()
    person.answer(prompt, code)

    assert person.answer(prompt, code).location == "/vault"


def test_attempts_are_atomic(app: Flask, user: SandboxUser) -> None:
    """Promise 4: 32 threads, and not one guess more than the limit is asked."""
    people = [Person(app, user.user_id) for _ in range(32)]
    prompts = [person.prompted() for person in people]

    with ThreadPoolExecutor(len(people)) as pool:
        answers = list(pool.map(lambda p, q: p.answer(q, "wrong"), people, prompts))

    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(422), statuses.count(429)) == (5, 27)

"""An app whose users live in Clerk: nothing but settings, and nobody loads subjects."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from datetime import timedelta
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask_login import LoginManager
from people import PAGE
from people import Prompt
from werkzeug.test import TestResponse

from flask_stepup import ConfigurationError
from flask_stepup import require_reverification
from flask_stepup import StepUp
from flask_stepup import Subject
from flask_stepup.clerk_session import ClerkSession
from flask_stepup.sandbox import demo_users
from flask_stepup.sandbox import Sandbox
from flask_stepup.subject import FlaskLogin

START = datetime(2030, 1, 1, tzinfo=UTC)
USERS = demo_users()
ALICE = USERS[0]
#: Each is spent once, by whichever test takes it.
CODES = iter(ALICE.backup_codes)


@pytest.fixture(name="sandbox", scope="module")
def _sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox(USERS)
    with sandbox.serve() as sandbox.url:  # type: ignore[attr-defined]
        yield sandbox


def clerk_app(sandbox: Any, tmp_path: Path, **config: Any) -> Flask:
    app = Flask("api", instance_path=str(tmp_path))
    app.config.update(
        SECRET_KEY="k" * 32,
        STEPUP_CLERK_API_URL=sandbox.url,
        STEPUP_CLERK_SECRET_KEY=sandbox.secret_key,
        STEPUP_LOGIN_URL="/sign-in",
        **config,
    )
    stepup = StepUp(app)
    view = require_reverification(lambda: "in")
    app.add_url_rule("/vault", "vault", view, methods=["GET", "POST"])
    app.add_url_rule("/me", "me", lambda: {"me": (s := stepup.subject()) and s.user_id})
    return app


@pytest.fixture(name="app", params=["PEM", "published keys"])
def _app(
    sandbox: Sandbox, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Flask]:
    pem = {"STEPUP_CLERK_JWT_KEY": sandbox.jwt_key} if request.param == "PEM" else {}
    app = clerk_app(sandbox, tmp_path, **pem)
    yield app
    app.extensions["stepup"].verifier._api.close()


@pytest.fixture(name="pem_app")
def _pem_app(sandbox: Sandbox, tmp_path: Path) -> Iterator[Flask]:
    app = clerk_app(sandbox, tmp_path, STEPUP_CLERK_JWT_KEY=sandbox.jwt_key)
    yield app
    app.extensions["stepup"].verifier._api.close()


class Visitor:
    """A browser with Clerk's cookie, which a test renews, or not."""

    def __init__(self, app: Flask, sandbox: Sandbox) -> None:
        self.client = app.test_client()
        self.sandbox = sandbox

    def renew(self, user_id: str = ALICE.user_id, **claims: Any) -> None:
        token = self.sandbox.session_token(user_id, **claims)
        self.client.set_cookie("__session", token)

    def open(self, path: str = "/vault", **kwargs: Any) -> TestResponse:
        return self.client.open(path, headers=PAGE, **kwargs)

    def prompted(self) -> Prompt:
        response = self.open()
        assert response.location.startswith("/stepup/?challenge="), response.location
        return Prompt(self.open(response.location))

    def answer(self, prompt: Prompt, code: str) -> TestResponse:
        fields = prompt.fields | {"code": code}
        return self.open("/stepup/", method="POST", data=fields)


def test_a_session_token_tells_who_it_is(app: Flask, sandbox: Sandbox) -> None:
    """By cookie and by header, verified with the PEM or the published keys."""
    visitor = Visitor(app, sandbox)
    assert visitor.open("/me").json == {"me": None}
    visitor.renew()

    assert visitor.open("/me").json == {"me": ALICE.user_id}
    bob = sandbox.session_token(USERS[1].user_id)
    headers = {"Authorization": f"Bearer {bob}"}
    answer = app.test_client().get("/me", headers=headers)
    assert answer.json == {"me": USERS[1].user_id}


def test_a_fresh_token_opens_and_an_old_one_is_prompted(
    app: Flask, sandbox: Sandbox
) -> None:
    """The claim of the token counts, and the prompt where it is too old."""
    visitor = Visitor(app, sandbox)
    visitor.renew(factor_ages=(5, 5))
    assert visitor.open().text == "in"
    visitor.renew(factor_ages=(15, 15))

    answer = visitor.answer(visitor.prompted(), next(CODES))

    assert answer.location == "/vault"
    assert visitor.open().text == "in"
    # Without ages, as an instance that has not opted in sends it, the marker counts.
    visitor.renew()
    assert visitor.open().text == "in"


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"factor_ages": (0, 0), "sts": "pending"}, 303),
        ({"factor_ages": (0, 0), "lifetime": -30}, 303),
        ({"fva": "00"}, 303),
        ({"fva": [True, True]}, 303),
        ({"factor_ages": (0, 0), "act": {"sub": "user_admin"}}, 403),
        ({"factor_ages": (0, 0)}, 200),
    ],
)
def test_what_a_token_may_say(
    pem_app: Flask, sandbox: Sandbox, claims: Any, status: int
) -> None:
    """Anonymous, impersonated or misshapen: none of them opens."""
    visitor = Visitor(pem_app, sandbox)
    visitor.renew(**claims)

    assert visitor.open().status_code == status


# --- Clerk's cookie lives for a minute, the prompt for a quarter of an hour ---


def test_an_expired_token_identifies_at_verify_alone(
    pem_app: Flask, sandbox: Sandbox
) -> None:
    """The code is taken, and everything else asks to sign in."""
    visitor = Visitor(pem_app, sandbox)
    with time_machine.travel(START, tick=False) as clock:
        visitor.renew()
        prompt = visitor.prompted()
        clock.shift(timedelta(seconds=800))
        wrong = visitor.answer(prompt, "000000")
        guarded, page = visitor.open(), visitor.open("/stepup/?challenge=x")
        right = visitor.answer(Prompt(wrong), next(CODES))
        back = visitor.open(right.location)
        visitor.renew()
        renewed = visitor.open(right.location)

    assert wrong.status_code == 422
    assert (right.status_code, right.location) == (303, "/vault")
    for response in (guarded, page, back):
        assert response.location.startswith("/sign-in?next=")
    assert renewed.text == "in"


def test_an_expired_claim_proves_nothing(pem_app: Flask, sandbox: Sandbox) -> None:
    """At verify too it only says who it is: a code is asked for."""
    visitor = Visitor(pem_app, sandbox)
    with time_machine.travel(START, tick=False) as clock:
        visitor.renew(factor_ages=(15, 15))
        prompt = visitor.prompted()
        visitor.renew(factor_ages=(0, 0))
        clock.shift(timedelta(seconds=100))

        assert visitor.answer(prompt, "").status_code == 400


@pytest.mark.parametrize(
    ("late", "told"), [(959, "prompt"), (960 + 10, "prompt"), (960 + 11, "sign in")]
)
def test_an_expired_token_is_believed_for_as_long_as_a_prompt_is_open(
    pem_app: Flask, sandbox: Sandbox, late: int, told: str
) -> None:
    """``STEPUP_CHALLENGE_MAX_AGE`` from its expiry, and the leeway of clocks."""
    visitor = Visitor(pem_app, sandbox)
    with time_machine.travel(START, tick=False) as clock:
        visitor.renew()
        prompt = visitor.prompted()
        clock.shift(timedelta(seconds=late))
        answer = visitor.answer(prompt, "000000")

    if told == "prompt":
        assert "open for too long" in answer.text or answer.status_code == 422
    else:
        assert answer.location.startswith("/sign-in")


def test_an_expired_token_of_somebody_else(pem_app: Flask, sandbox: Sandbox) -> None:
    """Promise 1: user, session at Clerk and this browser are the challenge's."""
    visitor, other = Visitor(pem_app, sandbox), Visitor(pem_app, sandbox)
    with time_machine.travel(START, tick=False) as clock:
        visitor.renew()
        other.renew()
        prompt = visitor.prompted()
        other.prompted()
        stale: list[dict[str, Any]] = [
            {"user_id": USERS[1].user_id},
            {"session_id": "sess_other"},
        ]
        answers = []
        for claims in stale:
            visitor.renew(**claims)
            clock.shift(timedelta(seconds=100))
            answers.append(visitor.answer(prompt, next(CODES)))
        other.renew()
        clock.shift(timedelta(seconds=100))
        answers.append(other.answer(prompt, next(CODES)))

    assert [answer.status_code for answer in answers] == [303, 303, 303]
    assert all(answer.location.startswith("/sign-in") for answer in answers)
    as_json = other.client.post("/stepup/", json={})
    assert (as_json.status_code, as_json.json["code"]) == (401, "unauthenticated")


def test_an_expired_bearer_token_identifies_nobody(
    pem_app: Flask, sandbox: Sandbox
) -> None:
    """Who can send a token can get a new one."""
    client = pem_app.test_client()
    with time_machine.travel(START, tick=False) as clock:
        token = sandbox.session_token(ALICE.user_id)
        headers = {"Authorization": f"Bearer {token}"}
        challenge = client.get("/vault", headers=headers).json["challenge"]
        clock.shift(timedelta(seconds=71))
        sent = {"challenge": challenge, "code": next(CODES)}
        answer = client.post("/stepup/", json=sent, headers=headers)

    assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")


def test_an_expired_impersonation_is_none_too(pem_app: Flask, sandbox: Sandbox) -> None:
    """Whoever acts for somebody else is refused at verify as everywhere."""
    visitor = Visitor(pem_app, sandbox)
    with time_machine.travel(START, tick=False) as clock:
        visitor.renew()
        prompt = visitor.prompted()
        visitor.renew(act={"sub": "user_admin"})
        clock.shift(timedelta(seconds=100))

        assert visitor.answer(prompt, next(CODES)).status_code == 403


@pytest.mark.parametrize("late", [0, 300, 86_000])
def test_who_leaves_with_an_expired_token_is_known(
    pem_app: Flask, sandbox: Sandbox, late: int
) -> None:
    """Promise 3: a page that was open for long ends what a new token would claim."""
    pem_app.add_url_rule(
        "/forget", "forget", lambda: str(pem_app.extensions["stepup"].forget())
    )
    visitor = Visitor(pem_app, sandbox)
    with time_machine.travel(START, tick=False) as clock:
        visitor.renew(lifetime=60)
        clock.shift(timedelta(seconds=60 + late))
        visitor.open("/forget")
        visitor.renew(factor_ages=(0, 0))
        claimed = visitor.open()
        clock.shift(timedelta(seconds=61))
        visitor.renew(factor_ages=(0, 0))

        assert claimed.location.startswith("/stepup/")
        assert visitor.open().text == "in"


# --- who is asked ---


def test_a_loader_of_ones_own_goes_before_clerk(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """Whenever it is registered."""
    app = clerk_app(sandbox, tmp_path, STEPUP_CLERK_JWT_KEY=sandbox.jwt_key)
    gate = app.extensions["stepup"]
    assert isinstance(gate.admission.find_loader(), ClerkSession)
    other = Flask("other", instance_path=str(tmp_path))
    other.config.update(app.config)
    stepup = StepUp(other)
    stepup.subject_loader(lambda: "bob")
    with other.test_request_context():
        subject = stepup.subject()
        assert subject
        assert subject.user_id == "bob"


def test_flask_login_is_asked_where_clerk_only_checks_codes(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """A secret key alone does not say that people sign in there."""
    app = clerk_app(sandbox, tmp_path)
    admission = app.extensions["stepup"].admission
    assert isinstance(admission.find_loader(), ClerkSession)
    LoginManager(app)

    assert isinstance(admission.find_loader(), FlaskLogin)


@pytest.mark.parametrize(
    ("config", "mend"),
    [
        ({"STEPUP_CLERK_JWT_KEY": "no key"}, "STEPUP_CLERK_JWT_KEY"),
        (
            {
                "STEPUP_CLERK_AUTHORIZED_PARTIES": ["https://a.example"],
                "STEPUP_CLERK_SECRET_KEY": None,
            },
            "STEPUP_CLERK_JWT_KEY",
        ),
    ],
)
def test_what_cannot_read_tokens_fails_at_start(
    tmp_path: Path, config: dict[str, Any], mend: str
) -> None:
    """Promise 11: an error that names the mend, before any request."""
    app = Flask("api", instance_path=str(tmp_path))
    app.config.update(SECRET_KEY="k" * 32, STEPUP_CLERK_SECRET_KEY="sk_test_x")
    app.config.update(config)
    with pytest.raises(ConfigurationError, match=mend):
        StepUp(app, verifier=lambda user_id, code: None)


def test_authorized_parties(sandbox: Sandbox, tmp_path: Path) -> None:
    """A token that was minted for another origin is nobody's."""
    app = clerk_app(
        sandbox, tmp_path, STEPUP_CLERK_AUTHORIZED_PARTIES=["https://app.example"]
    )
    visitor = Visitor(app, sandbox)
    said = {}
    for party in ("https://app.example", "https://evil.example", None):
        visitor.renew(authorized_party=party)
        said[party] = visitor.open("/me").json["me"]

    assert said == {
        "https://app.example": ALICE.user_id,
        "https://evil.example": None,
        None: None,
    }


def test_unpublished_keys_are_nobodys(sandbox: Sandbox, tmp_path: Path) -> None:
    """Where no keys can be had everybody is anonymous, and nothing fails."""
    app = clerk_app(sandbox, tmp_path, STEPUP_CLERK_TIMEOUT=0.5)
    down = Flask("down", instance_path=str(tmp_path))
    down.config.update(app.config, STEPUP_CLERK_API_URL="http://127.0.0.1:9/v1")
    StepUp(down)
    down.add_url_rule("/vault", "vault", require_reverification(lambda: "in"))
    visitor = Visitor(down, sandbox)
    visitor.renew(factor_ages=(0, 0))

    assert visitor.open().location.startswith("/sign-in")


WITHOUT_PYJWT = """
import sys
sys.modules["jwt"] = None  # as where it is not installed
from flask import Flask
from flask_stepup import ConfigurationError, StepUp, require_reverification

def told(**config):
    app = Flask("api", instance_path=sys.argv[1])
    app.config.update(SECRET_KEY="k" * 32, TESTING=True, **config)
    try:
        StepUp(app)
        app.add_url_rule("/vault", "vault", require_reverification(lambda: "in"))
        app.test_client().get("/vault")
    except ConfigurationError as error:
        when = "later" if "vault" in app.view_functions else "at start"
        return f"{when}: {error}"

print(told(STEPUP_CLERK_SECRET_KEY="sk_test_x"))
print(told(STEPUP_CLERK_SECRET_KEY="sk_test_x", STEPUP_CLERK_JWT_KEY="PEM"))
"""


def test_without_pyjwt_the_mend_is_told(tmp_path: Path) -> None:
    """Promise 11: at start where session tokens are wanted for certain."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PYJWT, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )

    later, at_start = done.stdout.splitlines()
    assert later.startswith("later: ")
    assert at_start.startswith("at start: ")
    for told in (later, at_start):
        assert "pip install 'flask-stepup[clerk]'" in told


def test_a_loader_that_is_false_is_a_loader(sandbox: Sandbox, tmp_path: Path) -> None:
    """Whatever its truth value says of it."""

    class Loader(list[str]):
        def __call__(self) -> str:
            return "bob"

    app = Flask("other", instance_path=str(tmp_path))
    app.config.update(SECRET_KEY="k" * 32, STEPUP_CLERK_SECRET_KEY="sk_test_x")
    stepup = StepUp(app)
    stepup.subject_loader(Loader())

    with app.test_request_context():
        assert stepup.subject() == Subject("bob")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_in_the_first_request_leaves_no_child_behind(tmp_path: Path) -> None:
    """PyJWT is imported at start: a fork in the middle of that would hang the child."""
    program = """
import sys
from flask import Flask
from flask_stepup import StepUp
app = Flask("api", instance_path=sys.argv[1])
app.config.update(SECRET_KEY="k" * 32, STEPUP_CLERK_SECRET_KEY="sk_test_x")
StepUp(app)
print("jwt" in sys.modules)
"""
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert done.stdout == "True\n"

"""Every answer of the backend API, sent through the whole extension."""

from __future__ import annotations

import time

import pytest
from backend_answers import CODE
from backend_answers import KEY
from backend_answers import Row
from backend_answers import ROWS
from backend_answers import USER
from flask import Flask
from hostile import HostileServer
from people import Person
from people import Prompt

from flask_stepup import IncorrectCode
from flask_stepup import NotEnrolled
from flask_stepup import OutcomeUnknown
from flask_stepup import require_reverification
from flask_stepup import StepUp
from flask_stepup import Verification
from flask_stepup import VerifierMisconfigured
from flask_stepup import VerifierUnavailable

TIMEOUT = 0.3

#: For each kind of outcome: status, code, a sentence of the page, attempts used up.
OUTCOMES: dict[type, tuple[int, str, str, int]] = {
    IncorrectCode: (422, "incorrect_code", "That code is not right", 1),
    NotEnrolled: (403, "not_enrolled", "No authenticator app yet", 1),
    VerifierUnavailable: (503, "verifier_unavailable", "not your fault", 0),
    VerifierMisconfigured: (503, "verifier_unavailable", "not your fault", 0),
    OutcomeUnknown: (503, "outcome_unknown", "may be used up now", 0),
}
LIMIT = 5


def app_against(server: HostileServer) -> Flask:
    """A stranger's app whose backend API is that server."""
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY="k" * 32,
        STEPUP_STORAGE_URI="memory://",
        STEPUP_ATTEMPT_LIMIT=f"{LIMIT} per 5 minutes",
        STEPUP_CLERK_SECRET_KEY=KEY,
        STEPUP_CLERK_API_URL=server.url,
        STEPUP_CLERK_TIMEOUT=TIMEOUT,
    )
    StepUp(app, subject_loader=lambda: USER)
    app.add_url_rule("/vault", view_func=require_reverification(lambda: "in"))
    return app


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_answer_of_the_backend_is_told_as_what_it_is(
    row: Row, caplog: pytest.LogCaptureFixture
) -> None:
    """Promise 6: one POST at most; and status, sentence, time, and attempts left."""
    with HostileServer(row.script) as server:
        app = app_against(server)
        person = Person(app)
        prompt = person.prompted()
        started = time.monotonic()
        response = person.answer(prompt, CODE)
        took = time.monotonic() - started
        posts = server.posts

        if isinstance(row.expected, Verification):
            assert (response.status_code, response.location) == (303, "/vault")
            assert person.open("/vault").text == "in"
        else:
            status, code, sentence, used = OUTCOMES[row.expected]
            assert response.status_code == status
            assert sentence in Prompt(response).says
            assert ("Retry-After" in response.headers) is (status == 503)
            assert person.open("/vault").status_code == 303
            assert attempts_left(app) == LIMIT - used
            assert_json_says(person, prompt, status, code)
        assert posts == row.posts
        assert took < row.timeouts * TIMEOUT + 1
    assert CODE not in caplog.text
    assert KEY not in caplog.text
    app.extensions["stepup"].verifier._api.close()


def attempts_left(app: Flask) -> int:
    """Ask the ledger, by reserving one and giving it back."""
    gate = app.extensions["stepup"]
    ticket = gate.ledger.reserve(USER, gate.settings.attempt_limit)
    gate.ledger.refund(ticket)
    remaining: int = ticket.remaining
    return remaining + 1


def assert_json_says(person: Person, prompt: Prompt, status: int, code: str) -> None:
    """A JSON client hears the same, with the same status."""
    body = {"challenge": prompt.challenge, "code": CODE}
    response = person.client.post("/stepup/", json=body)

    assert (response.status_code, response.json["code"]) == (status, code)
    assert response.mimetype == "application/problem+json"


def test_the_log_tells_an_unknown_user_from_one_without_an_authenticator(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Both are ``not_enrolled`` to the person; a developer sees which."""
    caplog.set_level("INFO", "flask_stepup")
    names = [row for row in ROWS if row.expected is NotEnrolled]
    told = set()
    for row in names:
        caplog.clear()
        with HostileServer(row.script) as server:
            app = app_against(server)
            person = Person(app)
            person.answer(person.prompted(), CODE)
            app.extensions["stepup"].verifier._api.close()
        message = caplog.records[-1].getMessage()
        told.add(message.partition("NotEnrolled: ")[2].partition(" (")[0])

    assert told == {
        "the user has no authenticator",
        "the backend API does not know this user",
        "the backend API does not know this user, or this address: look at "
        "STEPUP_CLERK_API_URL",
    }

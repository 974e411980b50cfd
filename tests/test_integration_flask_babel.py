"""Flask-Babel, whose choice is the language of the prompt and of every problem."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import MakeApp
from flask import Flask
from flask import session
from flask_babel import Babel
from people import Person

#: Not the language that the app has chosen.
BROWSER = {"Accept-Language": "es"}


@pytest.fixture(name="app")
def _app(make_app: MakeApp) -> Flask:
    app = make_app(STEPUP_ATTEMPT_LIMIT="2 per 5 minutes")
    Babel(app, locale_selector=lambda: session.get("language"))

    @app.get("/speak/<language>")
    def speak(language: str) -> str:
        session["language"] = language
        return language

    return app


def problems(person: Person) -> list[Any]:
    """All that a program may be told on its way through, in order."""
    refused = person.json(headers=BROWSER)
    told = refused.json
    bodies = [{"challenge": told["challenge"], "code": c} for c in ("wrong", "", "bad")]
    answers = [
        refused,
        *(person.json("/stepup/", "POST", json=b, headers=BROWSER) for b in bodies),
        person.json("/stepup/", "POST", json=bodies[0], headers=BROWSER),
        person.json("/stepup/", "POST", json={"challenge": "x"}, headers=BROWSER),
    ]
    return answers


CODES = [
    "reverification_required",
    "incorrect_code",
    "code_missing",
    "incorrect_code",
    "too_many_attempts",
    "challenge_invalid",
]


def test_all_problems_are_told_in_the_language_that_it_chooses(app: Flask) -> None:
    """Titles and details; what a program reads is the same in each."""
    told = {}
    for language in ("en", "de", "ar"):
        person = Person(app, f"speaks {language}")
        person.open(f"/speak/{language}")
        told[language] = problems(person)

    for answers in zip(*told.values(), strict=True):
        assert len({answer.status_code for answer in answers}) == 1
        assert len({answer.json["title"] for answer in answers}) == 3
        assert len({answer.json["detail"] for answer in answers}) == 3
    for language, answers in told.items():
        assert [answer.json["code"] for answer in answers] == CODES
        assert {a.headers["Content-Language"] for a in answers} == {language}
        # The browser was not asked: a cache need not know what it said.
        assert {"accept-language" in a.vary.as_set() for a in answers} == {False}


def test_the_prompt_and_its_problems_speak_alike(app: Flask) -> None:
    """A person reads on a page what a program is told."""
    alice = Person(app, "alice")
    alice.open("/speak/de")
    prompt = alice.prompted()
    assert 'lang="de"' in prompt.text
    page = alice.answer(prompt, "wrong", headers=BROWSER)
    body = {"challenge": prompt.challenge, "code": ""}

    assert "Dieser Code ist nicht richtig" in page.text
    told = alice.json("/stepup/", "POST", json=body).json
    assert told["title"] in alice.answer(prompt, "").text


def test_bearers_are_told_in_it_too(app: Flask) -> None:
    """But what RFC 9470 puts into a header is for programs, in English."""
    alice = Person(app, "alice")
    alice.open("/speak/de")
    bearer = {"Authorization": "Bearer api"}
    told = alice.json(headers=bearer)

    assert told.status_code == 401
    assert told.headers["Content-Language"] == "de"
    assert "A more recent authentication" in told.headers["WWW-Authenticate"]

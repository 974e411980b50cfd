"""A bank in which every kind of action has to be approved, and how people do that."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from flask import Flask
from people import Person
from people import Prompt
from werkzeug.test import TestResponse

from flask_stepup import require_reverification
from flask_stepup import StepUp

#: Each opens once, so each test takes its own.
_NUMBERS = count()
MONEY = {"to": "bob", "amount": "10"}


def right() -> str:
    """A right code that nobody has used."""
    return f"right {next(_NUMBERS)}"


class Bank:
    """The routes of the tests; ``runs`` is what their views have done."""

    def __init__(self, app: Flask, stepup: StepUp) -> None:
        self.app = app
        self.runs: list[str] = app.extensions["runs"]
        self.route("/close/<int:account>", "close", once=True)
        self.route("/freeze/<int:account>", "freeze", once=True)
        self.route("/send", "send", bind=("to", "amount"))
        self.route("/send-to/<to>", "send_to", bind=("to", "amount"))
        self.route("/pay", "pay", once=True, scope="payments")
        self.route("/limits", "limits", scope="payments")
        self.route("/settings", "settings")
        app.add_url_rule("/forget", "forget", lambda: str(stepup.forget()))
        app.add_url_rule("/grant", "grant", lambda: str(stepup.grant()))
        app.add_url_rule(
            "/grant-payments", "gp", lambda: str(stepup.grant(scope="payments"))
        )

    def route(
        self,
        rule: str,
        name: str,
        answer: Callable[[], Any] = lambda: "done",
        methods: tuple[str, ...] = ("POST",),
        **demands: Any,
    ) -> None:
        """A guarded view that writes down that it ran, with its arguments."""

        @require_reverification(**demands)
        def view(**arguments: Any) -> Any:
            told = [f"{key}={value}" for key, value in arguments.items()]
            self.runs.append(" ".join([name, *told]))
            return answer()

        self.app.add_url_rule(rule, name, view, methods=methods)


def with_bank(app: Flask, stepup: StepUp) -> Flask:
    app.extensions["bank"] = Bank(app, stepup)
    return app


def runs(person: Person) -> list[str]:
    """What the views have done, in order."""
    done: list[str] = person.app.extensions["runs"]
    return done


def post(person: Person, path: str, data: Any = None, **kwargs: Any) -> TestResponse:
    return person.open(path, kwargs.pop("method", "POST"), data=data, **kwargs)


def asked(person: Person, path: str, data: Any = None, **kwargs: Any) -> Prompt:
    """Post where a code is asked for, and return the prompt."""
    response = post(person, path, data, **kwargs)
    assert response.status_code == 403, response.text
    return Prompt(response)


def approve(person: Person, path: str, data: Any = None, **kwargs: Any) -> Prompt:
    """Approve a post by a right code, without sending it again."""
    prompt = asked(person, path, data, **kwargs)
    response = person.answer(prompt, right())
    assert response.status_code == 200, response.text
    return prompt


def cause(person: Person, path: str, data: Any = None, method: str = "POST") -> str:
    """Why a program is asked for a code."""
    response = person.json(path, method, data=data)
    assert response.status_code == 403, response.text
    told: str = response.json["cause"]
    return told


def tokens(person: Person) -> dict[str, str]:
    """The tokens in a person's session."""
    with person.client.session_transaction() as state:
        return dict(state.get("_stepup", {}))

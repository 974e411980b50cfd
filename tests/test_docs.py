"""The code of ``docs/`` is run."""

from __future__ import annotations

from typing import Any

import flask
from conftest import MakeApp
from conftest import signed_in
from documented import blocks
from flask_wtf import FlaskForm
from people import Codes
from people import Person
from people import Prompt
from wtforms import DecimalField
from wtforms import StringField
from wtforms.validators import DataRequired
from wtforms.validators import NumberRange

from flask_stepup import require_reverification
from flask_stepup import StepUp


class TransferForm(FlaskForm):
    """What the page on approvals leaves to its reader."""

    to = StringField(validators=[DataRequired()])
    amount = DecimalField(validators=[NumberRange(min=1)])


def test_the_transfer_of_the_page_on_approvals(make_app: MakeApp, codes: Codes) -> None:
    """Promise 9: the form is checked, the values are shown, and sent after the code."""
    stepup = StepUp(verifier=codes, subject_loader=signed_in)
    app = make_app(stepup=stepup, WTF_CSRF_ENABLED=False)
    sent: list[Any] = []
    names = vars(flask) | {"app": app, "stepup": stepup, "TransferForm": TransferForm}
    names |= {
        "send": lambda *values: sent.append(values),
        "render_template": lambda *_, **__: "not yet",
        "url_for": lambda _: "/done",
    }
    exec(blocks("approvals.md")[0], names)  # noqa: S102 (our own page)
    alice = Person(app, "alice")
    typed = {"to": "Bob", "amount": "1250.5"}

    assert (
        alice.open("/transfer", "POST", data=typed | {"amount": ""}).text == "not yet"
    )
    prompt = Prompt(alice.open("/transfer", "POST", data=typed))
    assert "Send money To Bob Amount £1,250.50" in prompt.says
    assert alice.answer(prompt, "right").status_code == 200
    changed = alice.open("/transfer", "POST", data=typed | {"amount": "9999"})
    assert "£9,999.00" in Prompt(changed).says
    assert sent == []
    done = alice.open("/transfer", "POST", data=typed)
    assert (done.status_code, done.location) == (303, "/done")
    assert alice.open("/transfer", "POST", data=typed).status_code == 403
    assert [(to, str(amount)) for to, amount in sent] == [("Bob", "1250.5")]


def test_the_decorators_of_the_page_on_approvals() -> None:
    """They are written as it says."""
    names: dict[str, Any] = {
        "require_reverification": require_reverification,
        "transfer_as_typed": dict,
    }
    for line in blocks("approvals.md")[1].splitlines():
        exec(f"{line}\ndef view(): ...", names)  # noqa: S102
        assert names["view"].__wrapped__


def test_the_setting_of_the_page_on_forms(make_app: MakeApp) -> None:
    """The shipped list of secret fields can be added to."""
    app = flask.Flask("settings")
    exec(blocks("forms.md")[0], {"app": app})  # noqa: S102
    value = app.config["STEPUP_SECRET_FIELDS"]
    settings = make_app(STEPUP_SECRET_FIELDS=value).extensions["stepup"].settings

    assert settings.is_secret("mothers_maiden_name")
    assert settings.is_secret("password")

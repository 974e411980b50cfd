"""The code of ``docs/`` is run."""

from __future__ import annotations

import re
from datetime import timedelta
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

import flask_stepup
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


def test_the_page_on_guarding(make_app: MakeApp, codes: Codes) -> None:
    """Its decorators decorate, and the rest does what it says."""
    stepup = StepUp(verifier=codes, subject_loader=signed_in)
    decorators, condition, blueprint, answer = blocks("guarding.md")
    names = vars(flask) | {"app": flask.Flask("bank"), "stepup": stepup}
    names |= {name: getattr(flask_stepup, name) for name in flask_stepup.__all__}
    names["timedelta"] = timedelta
    for line in re.findall(
        r"^@.*?\)?(?:  +#.*)?$(?:\n +.*)*", decorators, re.MULTILINE
    ):
        exec(f"{line}\ndef view(): ...", names)  # noqa: S102
        assert names["view"].__wrapped__
    app = names["app"] = make_app(stepup=stepup)
    exec(condition, names)  # noqa: S102
    exec(blueprint, names)  # noqa: S102
    names["admin"].add_url_rule("/", view_func=lambda: "the engine room")
    app.register_blueprint(names["admin"])
    app.add_url_rule("/page", "page", lambda: flask.render_template_string(shown[0]))
    shown = blocks("guarding.md", "jinja")
    alice = Person(app, "alice")

    assert (
        alice.open("/withdraw", "POST", data={"amount": "100"}).text == "here you are"
    )
    dear = alice.open("/withdraw", "POST", data={"amount": "101"})
    assert "Withdraw more than £100" in Prompt(dear).says
    assert "Administer" in alice.prompted("/admin/").says
    assert alice.open("/page").text == "Confirm and show"
    alice.step_up("right")
    assert alice.open("/admin/").text == "the engine room"
    assert alice.open("/page").text == "Show"

    other = make_app()
    exec(answer, names | {"app": other})  # noqa: S102
    refused = Person(other, "alice").open("/vault")
    assert (refused.status_code, refused.text) == (403, "This needs a code (missing).")


def test_the_page_on_who_is_signed_in(make_app: MakeApp, codes: Codes) -> None:
    """Its loaders load, and its logout ends what was proved."""
    plain, rich, leaving = blocks("subjects.md")
    for loader in (plain, rich):
        stepup = StepUp(verifier=codes)
        names = vars(flask) | {"stepup": stepup, "Subject": flask_stepup.Subject}
        exec(loader, names)  # noqa: S102
        app = make_app(stepup=stepup)
        program = compile(leaving, "subjects.md", "exec")
        app.add_url_rule(
            "/leave",
            "leave",
            lambda p=program, n=names: str(exec(p, n)),  # noqa: S102
        )
        alice = Person(app, "alice")
        alice.step_up("right")
        cookie = alice.cookie()
        assert alice.open("/vault").text == "the vault is open"
        alice.open("/leave")
        assert alice.open("/vault").status_code == 401
        alice.put_back(cookie)
        assert alice.json("/vault").json["cause"] == "revoked"

    acting = Person(app, "alice")
    with acting.client.session_transaction() as state:
        state["staff_id"] = "bob"
    assert acting.json("/vault").json["code"] == "impersonation_refused"

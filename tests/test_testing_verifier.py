"""``FakeVerifier`` and ``use_verifier``: what a test wants to hear of codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import test_verifier_contract as contract
from conftest import MakeApp
from flask import Flask
from people import Codes
from people import Person

from flask_stepup import ConfigurationError
from flask_stepup import IncorrectCode
from flask_stepup import NotEnrolled
from flask_stepup import OutcomeUnknown
from flask_stepup import require_reverification
from flask_stepup import StepUp
from flask_stepup import Verification
from flask_stepup import VerifierMisconfigured
from flask_stepup import VerifierUnavailable
from flask_stepup.testing import assert_requires_reverification
from flask_stepup.testing import enter_code
from flask_stepup.testing import FakeVerifier
from flask_stepup.testing import use_verifier


class TestFake(contract.VerifierContract):
    """It keeps the contract that every verifier keeps."""

    @pytest.fixture(name="known")
    def _known(self) -> contract.Known:
        fake = FakeVerifier()

        def right_code(user_id: str) -> str:
            fake.right_code = {"alice": "123456", "bob": "654321"}[user_id]
            return fake.right_code

        return contract.Known(fake, right_code, "totp")


def test_one_code_is_right_and_all_others_are_wrong() -> None:
    """Whoever asks; the code and what it is called are the test's to choose."""
    assert FakeVerifier().verify("anybody", "123456") == Verification("totp")
    fake = FakeVerifier(right_code="reef", code_type="backup_code")

    assert fake.verify("alice", "reef") == Verification("backup_code")
    with pytest.raises(IncorrectCode):
        fake.verify("alice", "123456")


def test_a_script_is_followed_in_order_and_then_no_more() -> None:
    """Exceptions as they are, classes of them, and verifications of any code."""
    outage = VerifierUnavailable("down", retry_after=7)
    fake = FakeVerifier(outage, NotEnrolled)
    fake.script(Verification("sms"))

    with pytest.raises(VerifierUnavailable) as raised:
        fake.verify("alice", "123456")
    assert raised.value is outage
    with pytest.raises(NotEnrolled):
        fake.verify("alice", "123456")
    assert fake.verify("alice", "anything") == Verification("sms")
    with pytest.raises(IncorrectCode):
        fake.verify("alice", "anything")


@pytest.mark.parametrize(
    "outcome",
    [True, False, None, "123456", Verification, ValueError, ValueError("x"), object],
)
def test_what_no_verifier_may_do_cannot_be_scripted(outcome: Any) -> None:
    """It is refused at once, by its kind alone, and nothing of the script is taken."""
    fake = FakeVerifier()

    with pytest.raises(ConfigurationError, match="no outcome") as raised:
        fake.script(NotEnrolled, outcome)
    with pytest.raises(ConfigurationError, match="no outcome"):
        FakeVerifier(outcome)

    assert "123456" not in str(raised.value)
    assert fake.verify("alice", "123456")


def test_calls_tell_who_was_asked_for_what() -> None:
    """They are equal to pairs, and no code is in what they or the fake show."""
    fake = FakeVerifier(OutcomeUnknown)
    with pytest.raises(OutcomeUnknown):
        fake.verify("alice", "314159")
    fake.verify("bob", "123456")

    assert fake.calls == [("alice", "314159"), ("bob", "123456")]
    assert fake.calls[0].user_id == "alice"
    assert fake.calls[0].code == "314159"
    assert repr(fake.calls[0]) == "Call(user_id='alice', code=…)"
    fake.script(IncorrectCode)
    assert repr(fake) == "<FakeVerifier: asked 2 times, 1 outcomes scripted>"


@pytest.mark.parametrize(
    ("outcome", "status", "code"),
    [
        (IncorrectCode, 422, "incorrect_code"),
        (NotEnrolled, 403, "not_enrolled"),
        (VerifierUnavailable(retry_after=7), 503, "verifier_unavailable"),
        (VerifierMisconfigured, 503, "verifier_unavailable"),
        (OutcomeUnknown, 503, "outcome_unknown"),
    ],
)
def test_the_app_answers_as_it_does_in_earnest(
    make_app: MakeApp, outcome: Any, status: int, code: str
) -> None:
    """Through the endpoint, by the gate that the app has in production."""
    fake = FakeVerifier(outcome)
    stepup = StepUp(verifier=fake, subject_loader=lambda: "alice")
    client = make_app(stepup=stepup).test_client()
    problem = assert_requires_reverification(client, "/vault")

    answer = enter_code(client, problem)

    assert (answer.status_code, answer.get_json()["code"]) == (status, code)
    assert fake.calls == [("alice", "123456")]
    assert client.get("/vault").status_code == 403
    assert enter_code(client, problem).status_code == 200
    assert client.get("/vault").status_code == 200


def test_another_verifier_for_an_app_that_has_one(app: Flask, codes: Codes) -> None:
    """Within the context it alone is asked, and afterwards the old one is back."""
    alice = Person(app, "alice")
    with use_verifier(app, FakeVerifier()) as fake:
        with use_verifier(app, FakeVerifier(IncorrectCode)) as inner:
            assert alice.answer(alice.prompted(), "123456").status_code == 422
        assert alice.answer(alice.prompted(), "123456").status_code == 303

    assert len(fake.calls) == len(inner.calls) == 1
    assert codes.asked == []
    bob = Person(app, "bob")
    bob.step_up("right")
    assert codes.asked == [("bob", "right")]


def test_the_old_verifier_is_back_after_an_error(app: Flask, codes: Codes) -> None:
    """A test that fails leaves nothing to the next one."""
    with pytest.raises(ZeroDivisionError), use_verifier(app, FakeVerifier()):
        raise ZeroDivisionError

    Person(app, "alice").step_up("right")
    assert codes.asked == [("alice", "right")]


def test_a_function_is_a_verifier_too(app: Flask) -> None:
    """Whatever StepUp(verifier=) takes is taken, and nothing else."""
    with use_verifier(app, lambda user_id, code: Verification("mail")):
        Person(app, "alice").step_up("anything")

    with (
        pytest.raises(ConfigurationError, match="is no verifier"),
        use_verifier(app, "123456"),
    ):
        pass
    with (
        pytest.raises(ConfigurationError, match="this app has no StepUp"),
        use_verifier(Flask("bare"), FakeVerifier()),
    ):
        pass


def test_one_app_of_two_is_given_a_fake(codes: Codes, tmp_path: Path) -> None:
    """Apps that share a StepUp each have a verifier of their own."""
    stepup = StepUp(verifier=codes, subject_loader=lambda: "alice")
    apps = []
    for name in ("one", "two"):
        app = Flask(name, instance_path=str(tmp_path / name))
        app.config.update(SECRET_KEY="k" * 32, STEPUP_STORAGE_URI="memory://")
        stepup.init_app(app)
        app.add_url_rule("/vault", "vault", require_reverification(lambda: "in"))
        apps.append(app)

    with use_verifier(apps[0], FakeVerifier()) as fake:
        Person(apps[1]).step_up("right")
        Person(apps[0]).step_up("123456")

    assert fake.calls == [("alice", "123456")]
    assert codes.asked == [("alice", "right")]


def test_a_code_opens_once_for_a_fake_too(app: Flask) -> None:
    """A second one is another code, or scripted."""
    alice = Person(app, "alice")
    with use_verifier(app, FakeVerifier()) as fake:
        alice.step_up("123456")
        other = Person(app, "alice")
        assert other.answer(other.prompted(), "123456").status_code == 422
        fake.right_code = "222222"
        assert other.answer(other.prompted(), "222222").status_code == 303

"""Codes of authenticator apps against secrets that the app keeps."""

from __future__ import annotations

import base64
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyotp
import pytest
import time_machine
from conftest import MakeApp
from conftest import signed_in
from naming import repr_of
from people import Person

from flask_stepup import ConfigurationError
from flask_stepup import IncorrectCode
from flask_stepup import NotEnrolled
from flask_stepup import StepUp
from flask_stepup import TOTPVerifier
from flask_stepup import Verification
from flask_stepup import VerifierMisconfigured
from flask_stepup import VerifierUnavailable
from flask_stepup.errors import VerifierError
from flask_stepup.errors import VerifierFault
from flask_stepup.verifiers import ask

#: That of the standard, RFC 6238, appendix B.
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
#: The beginning of a step.
T0 = 1_800_000_000 // 30 * 30


def code_at(moment: float) -> str:
    return pyotp.TOTP(SECRET).at(int(moment))


def loading(secret: Any) -> TOTPVerifier:
    return TOTPVerifier(lambda user_id: secret)


def raised_by(verifier: TOTPVerifier, code: str = "000000") -> VerifierError:
    with pytest.raises(VerifierError) as raised:
        ask(verifier, "alice", code)
    return raised.value


@pytest.mark.parametrize(
    ("moment", "code"),
    [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ],
)
def test_the_vectors_of_the_standard(moment: int, code: str) -> None:
    """RFC 6238, appendix B, of which six digits are the last six of eight."""
    secret = base64.b32encode(b"12345678901234567890").decode()
    with time_machine.travel(moment, tick=False):
        assert loading(secret).verify("alice", code) == Verification("totp")


@pytest.mark.parametrize(
    ("after", "is_taken"),
    [(-30, False), (-0.5, False), (0, True), (29.5, True), (30, True), (59.5, True),
     (60, False), (90, False)],
)  # fmt: skip
def test_a_code_is_taken_in_its_step_and_the_next(after: float, is_taken: bool) -> None:
    """One step back and no more, and none that is still to come."""
    with time_machine.travel(T0 + after, tick=False):
        if is_taken:
            assert loading(SECRET).verify("alice", code_at(T0))
        else:
            assert isinstance(raised_by(loading(SECRET), code_at(T0)), IncorrectCode)


@pytest.mark.parametrize("back", [0, 1])
def test_a_code_opens_once_in_all_the_time_that_it_is_taken(
    make_app: MakeApp, back: int
) -> None:
    """Promise 5: in the step after its own too, and from another session."""
    app = make_app(
        stepup=StepUp(verifier=loading(SECRET), subject_loader=signed_in),
        PERMANENT_SESSION_LIFETIME=3600,
    )
    with time_machine.travel(T0 + 29, tick=False) as clock:
        code = code_at(T0)
        Person(app, "alice").step_up(code)
        clock.shift(30 * back)

        again = Person(app, "alice")
        answer = again.answer(again.prompted(), code)

    assert answer.status_code == 422
    assert "That code has been used" in answer.text


def test_of_two_submissions_of_a_backup_code_one_opens(make_app: MakeApp) -> None:
    """Promise 5: what tells True to one of them only is believed."""
    unspent = {"harbour-9-tide"}
    line = threading.Barrier(2)

    def consume(user_id: str, code: str) -> bool:
        line.wait(30)
        try:
            unspent.remove(code)
        except KeyError:
            return False
        return True

    verifier = TOTPVerifier(lambda user_id: SECRET, consume)
    app = make_app(stepup=StepUp(verifier=verifier, subject_loader=signed_in))
    people = [Person(app, "alice") for _ in range(2)]
    prompts = [person.prompted() for person in people]

    with ThreadPoolExecutor(2) as pool:
        answers = pool.map(
            lambda one: one[0].answer(one[1], "harbour-9-tide").status_code,
            zip(people, prompts, strict=True),
        )

    assert sorted(answers) == [303, 422]


def test_a_right_totp_spends_no_backup_code() -> None:
    """It is not even looked for."""
    asked = []
    verifier = TOTPVerifier(lambda _: SECRET, lambda *args: bool(asked.append(args)))

    with time_machine.travel(T0, tick=False):
        verifier.verify("alice", code_at(T0))
        raised_by(verifier, "000000")

    assert asked == [("alice", "000000")]


@pytest.mark.parametrize(
    "spelled",
    [
        lambda code: code.translate({ord("0") + n: 0xFF10 + n for n in range(10)}),
        lambda code: code.translate({ord("0") + n: 0x0660 + n for n in range(10)}),
        lambda code: f"{code[:3]} {code[3:]}",
        lambda code: f"{code} ",
        lambda code: f"0{code}",
        lambda code: code[:-1],
    ],
)
def test_only_six_plain_digits_are_compared(spelled: Callable[[str], str]) -> None:
    """A spelling that the gate has not made plain is no code."""
    with time_machine.travel(T0, tick=False):
        error = raised_by(loading(SECRET), spelled(code_at(T0)))

    assert isinstance(error, IncorrectCode)


@pytest.mark.parametrize(
    "secret",
    ["", "not base32!", SECRET[:16], SECRET.encode(), 5, True, [SECRET], object()],
    ids=["empty", "text", "short", "bytes", "number", "bool", "list", "object"],
)
def test_what_is_no_secret_is_told_to_the_developer(secret: Any) -> None:
    """It is no wrong code, and the secret is in no message."""
    error = raised_by(loading(secret))

    assert type(error) is VerifierMisconfigured
    assert "pyotp.random_base32()" in str(error)
    assert "return None for a user without one" in str(error)
    assert error.__context__ is None
    assert not secret or str(secret) not in str(error)


@pytest.mark.parametrize("secret", [SECRET, SECRET.lower()])
def test_a_secret_may_be_in_either_case(secret: str) -> None:
    """As apps and databases write base32."""
    with time_machine.travel(T0, tick=False):
        assert loading(secret).verify("alice", code_at(T0))


def test_none_is_not_enrolled() -> None:
    """And whose codes cannot be checked is not asked for a backup code either."""
    verifier = TOTPVerifier(lambda _: None, lambda *_: pytest.fail("was asked"))

    assert isinstance(raised_by(verifier), NotEnrolled)


@pytest.mark.parametrize(
    "error", [ConnectionError(SECRET), KeyError(SECRET), TimeoutError()], ids=repr_of
)
def test_a_loader_that_fails_is_an_outage(error: Exception) -> None:
    """Promise 7: it has not seen the code, so it cannot have judged it."""

    def load(user_id: str) -> str:
        raise error

    failure = raised_by(TOTPVerifier(load))

    assert type(failure) is VerifierUnavailable
    assert type(error).__name__ in str(failure)
    assert SECRET not in str(failure)
    assert failure.__context__ is None


def test_a_loader_may_say_itself_what_is_wrong() -> None:
    """Errors of verifiers are passed on as they are."""
    error = VerifierUnavailable("the vault is sealed", retry_after=7)

    def load(user_id: str) -> str:
        raise error

    assert raised_by(TOTPVerifier(load)) is error


@pytest.mark.parametrize("answer", [None, 0, 1, "", "yes", [], object()], ids=repr_of)
def test_spending_a_backup_code_is_true_or_false(answer: Any) -> None:
    """Anything else is a fault, which opens nothing and uses up an attempt."""
    error = raised_by(TOTPVerifier(lambda _: SECRET, lambda *_: answer))

    assert type(error) is VerifierFault
    assert "must return True or False" in str(error)


def test_a_backup_code_that_cannot_be_looked_up_uses_up_an_attempt(
    make_app: MakeApp,
) -> None:
    """It has seen the code: what it raises may be how it says that one is wrong."""

    def consume(user_id: str, code: str) -> bool:
        raise LookupError(code)

    verifier = TOTPVerifier(lambda _: SECRET, consume)
    app = make_app(stepup=StepUp(verifier=verifier, subject_loader=signed_in))
    alice = Person(app, "alice")
    prompt = alice.prompted()

    answers = [alice.answer(prompt, f"guess-{n}").status_code for n in range(6)]

    assert answers == [503] * 5 + [429]


@pytest.mark.parametrize("given", [5, "secret", {"alice": SECRET}], ids=repr_of)
def test_what_cannot_be_called_is_refused(given: Any) -> None:
    """At once, and not at the first code."""
    kind = type(given).__name__
    mend = f"^secret_loader must be a plain function \\(user_id\\), not {kind}$"
    with pytest.raises(ConfigurationError, match=mend):
        TOTPVerifier(given)
    mend = f"^consume_backup_code must be a plain .* \\(user_id, code\\), not {kind}$"
    with pytest.raises(ConfigurationError, match=mend):
        TOTPVerifier(lambda _: SECRET, given)


def test_coroutines_are_refused() -> None:
    """Verifiers are called by plain functions."""

    async def load(user_id: str) -> str:
        return SECRET

    async def consume(user_id: str, code: str) -> bool:
        return True

    with pytest.raises(ConfigurationError, match="not a coroutine"):
        TOTPVerifier(load)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="not a coroutine"):
        TOTPVerifier(lambda _: SECRET, consume)  # type: ignore[arg-type]


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise 11: what to install is said when the app starts."""
    monkeypatch.setitem(sys.modules, "pyotp", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'flask-stepup\[totp\]'"):
        loading(SECRET)

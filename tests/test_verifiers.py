"""What counts as a verifier, and what counts as its word."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from naming import repr_of

from flask_stepup.clerk import ClerkBackendAPI
from flask_stepup.errors import CodeMissing
from flask_stepup.errors import ConfigurationError
from flask_stepup.errors import IncorrectCode
from flask_stepup.errors import LedgerUnavailable
from flask_stepup.errors import NotEnrolled
from flask_stepup.errors import OutcomeUnknown
from flask_stepup.errors import StepUpError
from flask_stepup.errors import Unauthenticated
from flask_stepup.errors import VerifierError
from flask_stepup.errors import VerifierFault
from flask_stepup.errors import VerifierMisconfigured
from flask_stepup.errors import VerifierUnavailable
from flask_stepup.problems import problem_of
from flask_stepup.verification import Verification
from flask_stepup.verification import Verifier
from flask_stepup.verifiers import as_verifier
from flask_stepup.verifiers import ask
from flask_stepup.verifiers import ClerkVerifier

CODE = "bq7-code"
USER = "user_2abc"


def right(user_id: str, code: str) -> Verification:
    return Verification(f"{user_id} {code}")


class Local:
    """A verifier as an app writes it."""

    def verify(self, user_id: str, code: str) -> Verification:
        return right(user_id, code)

    def check(self, user_id: str, code: str) -> Verification:
        return right(user_id, code)


class Callable_:
    def __call__(self, user_id: str, code: str) -> Verification:
        return right(user_id, code)


class Both(Local):
    def __call__(self, user_id: str, code: str) -> Verification:
        raise AssertionError("an object with verify is asked by verify")


class StaticVerifier:
    @staticmethod
    def verify(user_id: str, code: str) -> Verification:
        return right(user_id, code)


def partly(prefix: str, user_id: str, code: str) -> Verification:
    return right(user_id, code)


def answering(answer: object) -> Verifier:
    return as_verifier(lambda user_id, code: answer)


def raising(error: BaseException) -> Verifier:
    def verify(user_id: str, code: str) -> Verification:
        raise error

    return as_verifier(verify)


@pytest.mark.parametrize(
    "given",
    [
        right,
        lambda user_id, code: right(user_id, code),
        functools.partial(partly, "prefix"),
        Local(),
        Local().verify,
        Local().check,
        Callable_(),
        Both(),
        StaticVerifier(),
    ],
    ids=lambda given: type(given).__name__,
)
def test_objects_and_functions_are_verifiers(given: Any) -> None:
    """A verifier is an object with verify, or a function of user and code."""
    assert ask(as_verifier(given), USER, CODE) == right(USER, CODE)


def test_an_asynchronous_verifier_is_refused() -> None:
    """Be it a function or an object: nobody would wait for its word."""

    class Waiting:
        async def verify(self, user_id: str, code: str) -> Verification:
            return right(user_id, code)

    for given in (Waiting(), Waiting().verify):
        with pytest.raises(ConfigurationError, match="the verifier is asynchronous"):
            as_verifier(given)


def test_a_verifier_stays_what_it_is() -> None:
    """An object with verify is used as it is, and not wrapped."""
    given = Local()
    assert as_verifier(given) is given


@pytest.mark.parametrize(
    "given",
    [Local, Callable_, StaticVerifier, Verification, type, None, 5, "", "verifier", b"",
     [], {}, object(), True],
    ids=repr_of,
)  # fmt: skip
def test_what_is_no_verifier_is_refused(given: Any) -> None:
    """A class, which somebody forgot to call, and anything else names the mend.

    Its type is named and not its value, which might be a key.
    """
    with pytest.raises(ConfigurationError) as refusal:
        as_verifier(given)
    message = str(refusal.value)
    assert (given if isinstance(given, type) else type(given)).__name__ in message
    assert "pass an object with verify(user_id, code), or a function" in message


@pytest.mark.parametrize(
    "answer",
    [None, True, False, 0, 1, "", "totp", b"", [], ["totp"], {}, {"verified": True},
     {"code_type": "totp"}, ("totp",), Verification, NotImplemented, Ellipsis, object(),
     IncorrectCode(), IncorrectCode],
    ids=repr_of,
)  # fmt: skip
def test_only_a_verification_opens(answer: object) -> None:
    """Whatever else a verifier returns, True included, is a fault and opens nothing."""
    with pytest.raises(VerifierMisconfigured) as fault:
        ask(answering(answer), USER, CODE)
    assert type(answer).__name__ in str(fault.value)
    assert "must return a Verification, or raise IncorrectCode" in str(fault.value)


def test_what_looks_like_a_verification_is_none() -> None:
    """An object that has a code type, and is no Verification, opens nothing."""

    class Verification:
        code_type = "totp"

    with pytest.raises(VerifierMisconfigured):
        ask(answering(Verification()), USER, CODE)


@pytest.mark.parametrize(
    "error",
    [
        IncorrectCode("wrong"),
        NotEnrolled(),
        VerifierUnavailable(retry_after=7),
        OutcomeUnknown(),
        VerifierMisconfigured("no key"),
        VerifierError("of its own"),
        type("WrongPin", (IncorrectCode,), {})(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_verifiers_own_error_is_passed_on(error: VerifierError) -> None:
    """What a verifier may raise reaches the caller as it is."""
    with pytest.raises(VerifierError) as raised:
        ask(raising(error), USER, CODE)
    assert raised.value is error


@pytest.mark.parametrize(
    "error",
    [
        Exception(),
        ValueError(f"the code {CODE} is not right"),
        KeyError(USER),
        TypeError(),
        AssertionError(),
        StopIteration(),
        TimeoutError(),
        ConnectionRefusedError(),
        MemoryError(),
        RecursionError(),
        NotImplementedError(),
        httpx.ConnectError("refused"),
        # Ours, but not for a verifier to raise.
        StepUpError(),
        ConfigurationError("x"),
        CodeMissing(),
        LedgerUnavailable("x"),
        Unauthenticated(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_any_other_error_is_a_fault(error: Exception) -> None:
    """An exception that is no VerifierError is a fault of the verifier, and no verdict.

    Its kind and place are named for whoever mends it. Its text may hold the code, and
    neither is repeated nor carried along.
    """
    with pytest.raises(VerifierFault) as fault:
        ask(raising(error), USER, CODE)
    assert type(error).__name__ in str(fault.value)
    assert CODE not in f"{fault.value} {fault.value!r}"
    assert __file__ in str(fault.value)
    assert fault.value.__cause__ is fault.value.__context__ is None


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_the_end_of_the_process_is_no_fault(error: type[BaseException]) -> None:
    """A worker that is told to end does so, and blames no verifier."""
    with pytest.raises(error):
        ask(raising(error()), USER, CODE)


@pytest.mark.parametrize(
    "function",
    [lambda: Verification(), lambda user_id: Verification(), lambda *, code: code],
    ids=["no argument", "one argument", "keywords"],
)
def test_a_function_of_other_arguments_opens_nothing(
    function: Callable[..., Any],
) -> None:
    """A verifier that cannot be asked is a fault, and no verdict."""
    with pytest.raises(VerifierMisconfigured, match="TypeError"):
        ask(as_verifier(function), USER, CODE)


def test_clerk_is_asked_for_this_user_and_code() -> None:
    """The verifier of Clerk sends user and code on, and returns what Clerk says."""
    requests = []

    def backend(request: httpx.Request) -> httpx.Response:
        requests.append((request.url.path, json.loads(request.content)))
        body = {"object": "totp", "verified": True, "code_type": "backup_code"}
        return httpx.Response(200, json=body)

    api = ClerkBackendAPI("sk_test_key", transport=httpx.MockTransport(backend))
    assert ask(ClerkVerifier(api), USER, CODE) == Verification("backup_code")
    assert requests == [(f"/v1/users/{USER}/verify_totp", {"code": CODE})]


def errors_of_a_verifier() -> list[type[VerifierError]]:
    """All that a verifier may raise, with one class of an app's own below each."""
    ours = [VerifierError, *VerifierError.__subclasses__()]
    ours = [kind for kind in ours if kind.__module__.startswith("flask_stepup.")]
    return [*ours, *(type(f"Own{kind.__name__}", (kind,), {}) for kind in ours)]


@pytest.mark.parametrize(
    "kind", errors_of_a_verifier(), ids=lambda kind: str(kind.__name__)
)
def test_whatever_a_verifier_raises_can_be_told(kind: type[VerifierError]) -> None:
    """Each error of a verifier has an answer for the person: its own, or its parent's.

    A VerifierError that is none of the known ones is no verdict: an outage.
    """
    problem = problem_of(kind("for the log"))
    known = [k for k in kind.__mro__ if k.__module__.startswith("flask_stepup.")]
    expected = {
        IncorrectCode: 422,
        NotEnrolled: 403,
        VerifierUnavailable: 503,
        OutcomeUnknown: 503,
        VerifierMisconfigured: 503,
        VerifierError: 503,
    }
    assert problem.status == expected[known[0]]
    assert "for the log" not in json.dumps(problem.as_json())

"""A verifier of whatever kind, and what counts as its word."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutinefunction
from traceback import extract_tb
from typing import Any
from typing import cast

from ..errors import ConfigurationError
from ..errors import VerifierError
from ..errors import VerifierFault
from ..verification import Verification
from ..verification import Verifier


class FunctionVerifier:
    """A function ``(user_id, code) -> Verification`` as a verifier."""

    def __init__(self, function: Callable[[str, str], Verification]) -> None:
        self._function = function

    def verify(self, user_id: str, code: str) -> Verification:
        return self._function(user_id, code)


def as_verifier(given: Any) -> Verifier:
    """Return what was given as a verifier.

    :raises ConfigurationError: it is neither one nor a function.
    """
    is_object = isinstance(given, Verifier) and not isinstance(given, type)
    if iscoroutinefunction(given.verify if is_object else given):
        raise ConfigurationError(
            "the verifier is asynchronous, and is called by plain functions: make it "
            "one"
        )
    if is_object:
        return cast(Verifier, given)
    if callable(given) and not isinstance(given, type):
        return FunctionVerifier(given)
    # Its type alone: a key may have been passed by mistake.
    name = f"the class {given.__name__}" if isinstance(given, type) else type(given)
    raise ConfigurationError(
        f"{name} is no verifier: pass an object with verify(user_id, code), or a "
        "function of these two"
    )


def ask(verifier: Verifier, user_id: str, code: str) -> Verification:
    """Ask a verifier and let nothing but its own word open the gate.

    :raises VerifierError: as the verifier raises it; for any other exception and any
        other answer (True, False and None included) a VerifierFault.
    """
    try:
        answer = verifier.verify(user_id, code)
    except VerifierError:
        raise
    except Exception as error:
        place = extract_tb(error.__traceback__)[-1]
        fault = (
            f"the verifier raised {type(error).__name__} in {place.filename}, line "
            f"{place.lineno}: it may raise IncorrectCode and other VerifierErrors only"
        )
    else:
        if isinstance(answer, Verification):
            return answer
        fault = (
            f"the verifier returned {type(answer).__name__}: it must return a "
            "Verification, or raise IncorrectCode"
        )
    # Raised here and not above: the foreign exception may well name the code.
    raise VerifierFault(fault)

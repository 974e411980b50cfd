"""``reverify``: a test client whose person has just proved a factor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any
from typing import NamedTuple
from typing import TypeVar

from flask import current_app
from flask import Response
from werkzeug.datastructures import Headers
from werkzeug.test import Client

from ..app_gate import current_gate
from ..bearer import MARKER_HEADER
from ..client import keeps_cookies
from ..errors import ConfigurationError
from ..errors import ImpersonationRefused
from ..errors import LedgerUnavailable
from ..errors import Refusal
from ..errors import SessionFull
from ..errors import Unauthenticated
from ..gate import Gate
from ..policy import Level
from ..policy import Policy
from ..subject import FlaskLogin
from ..subject import Subject
from .endpoints import path_of
from .visit import visit

T = TypeVar("T")


class _Granted(NamedTuple):
    marker: str | None


class _Kept(NamedTuple):
    is_kept: bool


def reverify(
    client: Client,
    *,
    user_id: str | int | None = None,
    scope: str = "",
    level: Level = "second_factor",
    path: str | None = None,
    **sent: Any,
) -> str | None:
    """Stamp a marker into the client's session, as if a factor had just been checked.

    It is a real one, made by the app's own gate in a request of this client: of the
    person whom the app's own loader names, in this session, for this scope. Whatever
    ends such a marker ends this one too.

    :param user_id: who is expected to be signed in, as the verifier knows them. Nobody
        is signed in by this.
    :param path: of any route of the app, asked twice by GET; without it that is our own
        status endpoint. What it answers does not matter.
    :param sent: what else goes with the request, such as ``headers`` or ``base_url``.
    :returns: for a client that comes with a bearer token, the marker to send with its
        requests as ``Stepup-Marker``; None where the session keeps it.
    :raises ConfigurationError: the next guarded request would not pass; the message
        names the mend.
    """
    __tracebackhide__ = True
    policy = Policy(level, scope=scope)
    expected = None if user_id is None else Subject(user_id).user_id
    path = path or path_of(client, "stepup.status", "/stepup/status")
    marker = _within(client, path, sent, partial(_grant, policy, expected)).marker
    if marker:
        headers = Headers(sent.get("headers"))
        headers[MARKER_HEADER] = marker
        sent = {**sent, "headers": headers}
    # Asked rather than believed: a test that fails later would not tell why.
    if not _within(client, path, sent, partial(_look, policy)).is_kept:
        raise ConfigurationError(
            "the marker was stamped, and is gone at the client's next request: use a "
            "client with cookies; send base_url= where the session cookie is for "
            "another host or path; and see whether the app drops its session, or its "
            "subject_loader names another session_id each time"
        )
    return marker


def _within(client: Client, path: str, sent: dict[str, Any], do: Callable[[], T]) -> T:
    __tracebackhide__ = True

    def look(_: Response) -> T:
        __tracebackhide__ = True
        return do()

    visited = visit(client, path, look, **sent)
    if visited.seen is None:
        raise ConfigurationError(
            f"the app never saw GET {path}: {visited.answer.status_code} was answered "
            "in front of it; give path= or base_url= of a route that is reached"
        )
    return visited.seen


def _grant(policy: Policy, expected: str | None) -> _Granted:
    __tracebackhide__ = True
    gate = current_gate()
    try:
        subject = gate.subject()
        _check_person(subject, expected)
        marker = gate.grant(policy.level, policy.scope)
    except Unauthenticated:
        raise ConfigurationError(_nobody(gate, expected)) from None
    except ImpersonationRefused:
        raise ConfigurationError(
            "somebody acts in another person's name, who alone could prove a factor: "
            "sign the person in"
        ) from None
    except SessionFull as error:
        raise ConfigurationError(f"{error}: keep less in the session") from None
    except LedgerUnavailable as error:
        raise ConfigurationError(
            f"{error}; see STEPUP_STORAGE_URI (memory:// for tests)"
        ) from None
    if marker is None and not keeps_cookies():
        raise ConfigurationError(
            "the bearer token names no session that could bind a marker: have the "
            "subject_loader return a Subject with a session_id"
        )
    return _Granted(marker)


def _check_person(subject: Subject, expected: str | None) -> None:
    __tracebackhide__ = True
    if expected is not None and subject.user_id != expected:
        raise ConfigurationError(
            f"{subject.user_id!r} is signed in, and not {expected!r}: sign "
            f"{expected!r} in with this client, or take a client of theirs; user ids "
            "are those that the subject loader returns"
        )


def _nobody(gate: Gate, expected: str | None) -> str:
    told = (
        f"nobody is signed in, as the app sees this client: sign {expected or 'them'} "
        "in first, by the app's own form, or by what its session then holds "
        "(client.session_transaction()); where a header or a host tells who is asking, "
        "give it here too, as in headers={'Authorization': …}"
    )
    if isinstance(gate.admission.find_loader(), FlaskLogin) and _is_strong():
        told += (
            ". SESSION_PROTECTION is 'strong', which FlaskLoginClient(user=…) does not "
            "pass: sign in by the form"
        )
    return told


def _is_strong() -> bool:
    login = getattr(current_app, "login_manager", None)
    its_own = getattr(login, "session_protection", None)
    return bool(current_app.config.get("SESSION_PROTECTION", its_own) == "strong")


def _look(policy: Policy) -> _Kept:
    gate = current_gate()
    try:
        # What a claim proves would hide that the marker is not there.
        subject = replace(gate.subject(), factor_ages=None)
        return _Kept(gate.assess(policy, subject).shortfall is None)
    except Refusal:
        return _Kept(False)

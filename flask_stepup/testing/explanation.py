"""Why a request was not met by our challenge, and what to do about it."""

from __future__ import annotations

from typing import Any

from werkzeug.test import TestResponse

from .insight import Insight


def explained(answer: TestResponse, seen: Insight | None, *, was_refused: bool) -> str:
    """Return what happened, and the mend.

    Nothing of the answer's body is in it, which may be what the route is to protect.

    :param was_refused: whether the gate has refused the request all the same.
    """
    status = answer.status_code
    return f"it got {status}. {_why(status, answer, seen, was_refused)}"


def _why(
    status: int, answer: TestResponse, seen: Insight | None, was_refused: bool
) -> str:
    if seen is None:
        return (
            "Something in front of the app has answered, such as middleware: ask as "
            "whoever is let through does"
        )
    if was_refused:
        return (
            "It was refused, and the app has answered in its own way (a handler for "
            "ReverificationRequired, or what runs after a request): look at that "
            "answer, and at what record_signals() has of reverification_required"
        )
    if status == 405:
        taken = ", ".join(sorted({*answer.allow} - {"OPTIONS"}))
        return f"The route takes {taken} alone: give method="
    if seen.endpoint is None:
        return _no_route(status, answer)
    if status < 300:
        return _ran(seen)
    code = _problem(answer).get("code")
    if code in _BY_CODE:
        return _BY_CODE[code]
    if code == "value_refused":
        return (
            f"The policy binds {_problem(answer).get('name')!r}, which has to come "
            "exactly once: send it in data= or json="
        )
    if seen.user_id is None:
        return _BY_CODE["unauthenticated"]
    return _answered_otherwise(status, answer)


def _no_route(status: int, answer: TestResponse) -> str:
    if 300 <= status < 400:
        return f"The route's path is another one: {_path(answer)}"
    return (
        "No route has this path: see `flask routes`, and give base_url= where the host "
        "or a sub-path belongs to it"
    )


def _ran(seen: Insight) -> str:
    if seen.is_guarded:
        return (
            f"The route is guarded, and {seen.user_id!r} has met its policy already: "
            "ask with a client that has proved nothing yet, or move the clock on"
        )
    if seen.demands:
        return (
            "The guard of this route is for other methods: see methods= of its policy "
            "(OPTIONS is never guarded)"
        )
    return (
        f"The view {seen.endpoint!r} ran, with no guard that can be seen: put "
        "@require_reverification right below @app.route, or see why its "
        "stepup.require() was not reached"
    )


def _answered_otherwise(status: int, answer: TestResponse) -> str:
    if 300 <= status < 400:
        return (
            f"It was sent to {_path(answer)}, by something in front of the guard: "
            "where it insists on HTTPS, send base_url='https://localhost'"
        )
    if status == 400:
        return (
            "Something in front of the guard has refused it: where that is Flask-WTF, "
            "send its token, or set WTF_CSRF_ENABLED = False for tests"
        )
    return (
        "Something in front of the guard has answered, or the view has, before its "
        "stepup.require(): send what a good request has"
    )


#: By ``code`` of our own problems.
_BY_CODE = {
    "unauthenticated": (
        "Nobody is signed in: sign somebody in with this client first, or send what "
        "tells who is asking, as in headers={'Authorization': …}"
    ),
    "impersonation_refused": (
        "Somebody acts in another person's name, which is refused and never "
        "challenged: sign the person in"
    ),
    "verifier_unavailable": (
        "The ledger cannot answer, so nothing is opened: see STEPUP_STORAGE_URI "
        "(memory:// for tests) and the log flask_stepup"
    ),
}


def _problem(answer: TestResponse) -> dict[str, Any]:
    told = answer.get_json(silent=True) if answer.is_json else None
    return told if isinstance(told, dict) else {}


def _path(answer: TestResponse) -> str:
    # Without its query, in which there may be a token.
    return answer.headers.get("Location", "").partition("?")[0]

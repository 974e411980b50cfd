"""An unmet policy as the answer that its client understands."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from flask import current_app
from flask import Flask
from flask import make_response
from flask import request
from flask import Response
from flask import url_for
from werkzeug.exceptions import HTTPException

from .answer import is_cross_site
from .answer import is_page
from .answer import not_stored
from .answer import page
from .answer import problem_answer
from .answer import problem_json
from .answer import redirect
from .challenge import Challenge
from .challenge import current_path
from .challenge import new_challenge
from .challenge import referring_path
from .challenge import SAFE_METHODS
from .errors import ImpersonationRefused
from .errors import LedgerUnavailable
from .errors import Refusal
from .errors import Unauthenticated
from .gate import current_gate
from .gate import ReverificationRequired
from .policy import Policy
from .problem import Problem
from .problem import problem_of

log = logging.getLogger("flask_stepup")

#: Bytes of the prompt's URL. Request lines end at some 4,000 in common servers, and
#: proxies are stricter.
LONGEST_URL = 2_000


def register_renderers(app: Flask) -> None:
    """Have our own answers rendered also where a refusal is raised in a view."""
    # Flask lets the last registration win, so an app that was quicker keeps its own.
    for kind in (
        ReverificationRequired,
        Unauthenticated,
        ImpersonationRefused,
        LedgerUnavailable,
    ):
        if kind not in app.error_handler_spec[None][kind.code]:
            app.register_error_handler(kind, render_refusal)


def answer_refusal(refusal: Refusal) -> Response:
    """Return the answer to a request that the gate does not let through.

    The app's own handler for exactly this class comes first; those for 403,
    ``HTTPException`` or ``Exception`` are not asked, since their page would leave the
    person with no prompt.
    """
    handler = _own_handler(type(refusal))
    if handler:
        return not_stored(make_response(current_app.ensure_sync(handler)(refusal)))
    return render_refusal(refusal)


def render_refusal(refusal: Refusal) -> Response:
    """Return our own answer to a refusal."""
    try:
        if isinstance(refusal, ReverificationRequired):
            return _ask(refusal)
        if isinstance(refusal, Unauthenticated) and is_page():
            return _sign_in()
    except LedgerUnavailable as unavailable:
        refusal = unavailable
    if isinstance(refusal, LedgerUnavailable):
        log.error("a guarded request was answered 503: %s", refusal)
    return problem_answer(problem_of(refusal))


def prompt_page(
    challenge: Challenge, token: str, status: int = 200, problem: Problem | None = None
) -> Response:
    """Return the page that asks for a code."""
    return page("stepup/prompt.html", status, problem, challenge=challenge, token=token)


def required_problem(required: ReverificationRequired) -> Problem:
    """Return an unmet policy as a problem for JSON clients."""
    policy = required.policy
    return Problem(
        "reverification_required",
        403,
        "Reverification required",
        "Confirm with a code from your authenticator app that it is you.",
        {"cause": required.cause, "policy": _as_json(policy)},
    )


def _ask(required: ReverificationRequired) -> Response:
    if required.shortfall.factor == 0:
        return _ask_to_sign_in_again(required)
    gate = current_gate()
    as_page = is_page()
    if as_page and request.method not in SAFE_METHODS and is_cross_site():
        # A form on another site must not have us put our prompt under its data.
        return problem_answer(required_problem(required))
    challenge = new_challenge(gate, required)
    token = challenge.seal(gate, required.subject)
    if not as_page:
        verify_url = url_for("stepup.verify")
        problem = required_problem(required)
        return problem_json(problem.plus(challenge=token, verify_url=verify_url))
    url = url_for("stepup.prompt", challenge=token)
    if challenge.repeats_itself and len(url) <= LONGEST_URL:
        return redirect(url)
    return prompt_page(challenge, token, status=403)


def _ask_to_sign_in_again(required: ReverificationRequired) -> Response:
    # The prompt proves the second factor only.
    log.warning(
        "user %r has to sign in again: the first factor is %s. An app whose policies "
        "ask for it calls stepup.grant('first_factor') when somebody signs in",
        required.subject.user_id,
        required.cause,
    )
    if is_page() and current_gate().settings.login_url:
        return _sign_in()
    return problem_answer(
        replace(
            required_problem(required),
            title="Please sign in again",
            detail="This needs a sign-in that is more recent than yours.",
        )
    )


def _sign_in() -> Response:
    login_url = current_gate().settings.login_url
    if login_url:
        safe = request.method in SAFE_METHODS
        next_page = urlencode({"next": current_path() if safe else referring_path()})
        return redirect(f"{login_url}{'&' if '?' in login_url else '?'}{next_page}")
    login_manager: Any = getattr(current_app, "login_manager", None)
    if login_manager and not current_gate().find_loader():
        try:
            return make_response(login_manager.unauthorized())
        except HTTPException as error:
            # Without a login view it aborts. We may be called as an error handler
            # ourselves, and Flask asks no other one for what a handler raises.
            return make_response(current_app.handle_http_exception(error))
    return problem_answer(problem_of(Unauthenticated()))


def _own_handler(kind: type[Refusal]) -> Callable[[Any], Any] | None:
    spec = current_app.error_handler_spec
    for name in (*request.blueprints, None):
        handler = spec[name][kind.code].get(kind)
        if handler and handler is not render_refusal:
            return handler
    return None


def _as_json(policy: Policy) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "level": policy.level,
        "max_age": policy.max_age,
        "scope": policy.scope,
    }
    return facts | {"reason": policy.reason} if policy.reason else facts

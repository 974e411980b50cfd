"""The way to a sign-in: where nobody has signed in, or nobody lately enough."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from flask import current_app
from flask import make_response
from flask import request
from flask import Response
from werkzeug.exceptions import HTTPException

from . import records
from .answer import finished
from .answer import leading_htmx
from .answer import problem_answer
from .answer import problem_json
from .answer import redirect
from .app_gate import current_gate
from .client import is_htmx
from .client import is_page
from .errors import Unauthenticated
from .languages import translate
from .policy_fields import SAFE_METHODS
from .problems import problem_of
from .required import ReverificationRequired
from .subject import FlaskLogin
from .unmet import unmet_problem
from .way_back import current_path
from .way_back import htmx_path
from .way_back import referring_path


def ask_to_sign_in() -> Response:
    """Answer somebody who is not signed in."""
    problem = problem_of(Unauthenticated())
    if is_htmx():
        return _led_by_htmx(problem_json(problem))
    gate = current_gate()
    if is_page() and gate.settings.login_url:
        return redirect(_sign_in_url(_page_to_return_to()))
    # Flask-Login is asked only where nobody else tells who is signed in.
    if (
        is_page()
        and hasattr(current_app, "login_manager")
        and isinstance(gate.admission.find_loader(), FlaskLogin)
    ):
        return _flask_logins_own_answer()
    return problem_answer(problem)


def sign_in_again(required: ReverificationRequired) -> Response:
    """Answer a page whose first factor is too old, which the prompt cannot prove."""
    if current_gate().settings.login_url:
        return redirect(_sign_in_url(_page_to_return_to()))
    title = translate("Sign in again")
    return problem_answer(replace(unmet_problem(required), title=title))


def sign_in_again_by_htmx(required: ReverificationRequired) -> Response:
    """Do the same where HTMX asks."""
    return _led_by_htmx(problem_json(unmet_problem(required)))


def tell_of_old_sign_in(required: ReverificationRequired) -> None:
    """Tell the developer, whose app may never say when somebody has signed in."""
    if required.subject.factor_ages is None:
        user_id = required.subject.user_id
        records.FirstFactorLacking(user_id=user_id, cause=required.cause).log()


def _led_by_htmx(response: Response) -> Response:
    if current_gate().settings.login_url:
        return leading_htmx(response, _sign_in_url(htmx_path()))
    return response


def _sign_in_url(page: str) -> str:
    login_url = current_gate().settings.login_url or ""
    next_page = urlencode({"next": page})
    return f"{login_url}{'&' if '?' in login_url else '?'}{next_page}"


def _page_to_return_to() -> str:
    return current_path() if request.method in SAFE_METHODS else referring_path()


def _flask_logins_own_answer() -> Response:
    login_manager: Any = getattr(current_app, "login_manager", None)
    try:
        answer = login_manager.unauthorized()
    except HTTPException as error:
        # Without a login view it aborts. We may be called as an error handler
        # ourselves, and Flask asks no other one for what a handler raises.
        answer = current_app.handle_http_exception(error)
    return finished(make_response(answer))

"""An unmet policy as the answer that its client understands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from flask import current_app
from flask import Flask
from flask import make_response
from flask import request
from flask import Response

from . import records
from .answer import leading_htmx
from .answer import not_stored
from .answer import problem_answer
from .answer import problem_json
from .answer import redirect
from .app_gate import current_gate
from .challenge import new_challenge
from .client import is_bearer
from .client import is_htmx
from .client import is_page
from .cross_site import comes_across_sites
from .errors import ImpersonationRefused
from .errors import LedgerUnavailable
from .errors import Refusal
from .errors import SessionFull
from .errors import Unauthenticated
from .errors import ValueRefused
from .languages import translate
from .pages import prompt_page
from .policy_fields import SAFE_METHODS
from .problems import problem_of
from .proofs import FIRST
from .required import ReverificationRequired
from .sign_in import ask_to_sign_in
from .sign_in import sign_in_again
from .sign_in import sign_in_again_by_htmx
from .sign_in import tell_of_old_sign_in
from .suspension import suspend
from .unmet import challenge_bearer
from .unmet import challenge_json
from .unmet import unmet_problem
from .way_back import address_of
from .way_back import home_path
from .way_back import htmx_path

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
        ValueRefused,
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
    asks_by_htmx = is_htmx()
    response = _answer(refusal)
    if asks_by_htmx:
        # JSON is for scripts; htmx 4 would put it into the page.
        response.headers.setdefault("HX-Reswap", "none")
    return response


def _answer(refusal: Refusal) -> Response:
    try:
        if isinstance(refusal, ReverificationRequired):
            return _ask(refusal)
        if isinstance(refusal, Unauthenticated):
            return ask_to_sign_in()
    except SessionFull as full:
        return problem_answer(problem_of(full))
    except LedgerUnavailable as unavailable:
        refusal = unavailable
    if isinstance(refusal, LedgerUnavailable):
        records.LedgerUnavailable(reason=refusal.reason).log()
    return problem_answer(problem_of(refusal))


def _ask(required: ReverificationRequired) -> Response:
    """Choose the answer: the first that fits."""
    # The prompt proves the second factor only.
    needs_sign_in = required.shortfall.factor == FIRST
    if needs_sign_in:
        tell_of_old_sign_in(required)
    if is_htmx():
        ask = sign_in_again_by_htmx if needs_sign_in else _ask_by_htmx
    elif is_bearer():
        ask = challenge_bearer
    elif not is_page():
        ask = challenge_json
    else:
        ask = sign_in_again if needs_sign_in else _ask_by_page
    return ask(required)


def _ask_by_page(required: ReverificationRequired) -> Response:
    gate = current_gate()
    if request.method not in SAFE_METHODS and comes_across_sites():
        # A form on another site must not have us put our prompt under its data.
        return problem_answer(
            replace(
                unmet_problem(required),
                title=translate("This came from another site"),
                detail=translate(
                    "Nothing has been done. Open the page here, and send it again."
                ),
            )
        )
    challenge = new_challenge(gate, required)
    if not challenge.repeats_itself:
        challenge = challenge.keeping(suspend(gate.settings), gate.signer)
    token = challenge.seal(gate, required.subject, required.told)
    url = address_of("stepup.prompt", challenge=token)
    if challenge.repeats_itself and len(url) <= LONGEST_URL:
        return redirect(url)
    return prompt_page(challenge, token, status=403)


def _ask_by_htmx(required: ReverificationRequired) -> Response:
    """Have HTMX leave the page for the prompt, which leads back to it."""
    gate, page = current_gate(), htmx_path()
    challenge = new_challenge(gate, required)
    # A page whose address is too long for the prompt's is found again by less of it.
    for way_back in (page, page.partition("?")[0], home_path()):
        challenge = challenge.led_back_to(way_back)
        token = challenge.seal(gate, required.subject, required.told)
        url = address_of("stepup.prompt", challenge=token)
        if len(url) <= LONGEST_URL:
            return leading_htmx(problem_json(unmet_problem(required)), url)
    records.HtmxPromptTooLong(size=len(url)).log()
    return problem_json(unmet_problem(required))


def _own_handler(kind: type[Refusal]) -> Callable[[Any], Any] | None:
    spec = current_app.error_handler_spec
    for name in (*request.blueprints, None):
        handler = spec[name][kind.code].get(kind)
        if handler and handler is not render_refusal:
            return handler
    return None

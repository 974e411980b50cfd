"""The page that asks for a code, and the blueprint with all endpoints of the prompt."""

from __future__ import annotations

from flask import Blueprint
from flask import Flask
from flask import Response

from .answer import problem_answer
from .answer import redirect
from .answerable import assess_challenge
from .answerable import kept_open
from .app_gate import current_gate
from .arrival import make_room
from .challenge import open_challenge
from .errors import InvalidToken
from .errors import Refusal
from .hosts import mounts_of
from .hosts import stay_on_host
from .look_up import in_query
from .pages import prompt_page
from .problems import problem_of
from .refusal import answer_refusal
from .status import status
from .verify import verify


def prompt_blueprint(app: Flask) -> Blueprint:
    """Return the blueprint ``stepup``: prompt, verify, status and the style sheet."""
    blueprint = Blueprint(
        "stepup", __name__, template_folder="templates", static_folder="static"
    )
    for where in mounts_of(app):
        blueprint.add_url_rule("/", view_func=prompt, methods=["GET"], **where)
        blueprint.add_url_rule("/", view_func=verify, methods=["POST"], **where)
        blueprint.add_url_rule("/status", view_func=status, methods=["GET"], **where)
        if where:
            # Flask mounts static files on one host.
            blueprint.add_url_rule(
                f"{blueprint.static_url_path}/<path:filename>",
                endpoint="static",
                view_func=blueprint.send_static_file,
                **where,
            )
    blueprint.url_value_preprocessor(make_room)
    stay_on_host(blueprint)
    return blueprint


def prompt() -> Response:
    """Show the page that asks for a code."""
    gate = current_gate()
    token = in_query("challenge") or ""
    try:
        subject = gate.subject()
        challenge = open_challenge(gate, subject, token)
        if challenge.form:
            # Whoever follows a link shall not find a form behind it that somebody
            # else has filled in.
            raise InvalidToken("a form is not carried by a link")
        if assess_challenge(gate, subject, challenge).shortfall is None:
            return redirect(challenge.way_back)
        return prompt_page(*kept_open(gate, subject, challenge, token))
    except Refusal as refusal:
        return answer_refusal(refusal)
    except InvalidToken as error:
        return problem_answer(problem_of(error))

"""The pages of the prompt: the one that asks for a code, and the one that goes on."""

from __future__ import annotations

from flask import Response

from .answer import page
from .challenge import Challenge
from .problem import Problem


def prompt_page(
    challenge: Challenge, token: str, status: int = 200, problem: Problem | None = None
) -> Response:
    """Return the page that asks for a code."""
    return page("stepup/prompt.html", status, problem, challenge=challenge, token=token)


def resume_page(
    challenge: Challenge, *, at_once: bool, problem: Problem | None = None
) -> Response:
    """Return the page from which the browser sends the interrupted form again.

    :param at_once: whether it goes on by itself, where scripts run. It does not for
        who comes back to it: the form may have been sent already.
    """
    return page(
        "stepup/resume.html", 200, problem, challenge=challenge, at_once=at_once
    )

"""Answers for people and programs: a page, or JSON, with the headers that belong."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import current_app
from flask import make_response
from flask import redirect as _redirect
from flask import render_template
from flask import request
from flask import Response

from .problem import Problem

_PAGE_TYPES = ("text/html", "application/xhtml+xml")
#: What the choice of an answer looks at.
_VARY = ("Accept", "Cookie", "Origin", "Sec-Fetch-Mode", "Sec-Fetch-Site")


def is_page() -> bool:
    """Whether a browser asks for a page to show.

    ``*/*`` names no page: it is what ``fetch()`` sends when it is told nothing. And a
    script that does ask for HTML would not show the prompt to anybody.
    """
    accepted = {kind.split(";")[0] for kind, q in request.accept_mimetypes if q > 0}
    mode = request.headers.get("Sec-Fetch-Mode", "navigate")
    return mode == "navigate" and not accepted.isdisjoint(_PAGE_TYPES)


def is_cross_site() -> bool:
    """Whether another site made the browser send this request."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is not None and not is_our_host(origin)


def is_our_host(url: str) -> bool:
    """Whether a URL names the host of this request.

    Without regard to the scheme: behind a proxy that ends TLS it may not be known.
    """
    try:
        return urlsplit(url).netloc == request.host
    except ValueError:
        return False


def page(
    template: str, status: int = 200, problem: Problem | None = None, **context: Any
) -> Response:
    """Return a page of ours; the app may override its template.

    :param problem: what the page tells, with its own status.
    """
    text = render_template(template, problem=problem, **context)
    response = _finished(make_response(text, problem.status if problem else status))
    _say_when_to_come_back(response, problem)
    # Not no-referrer: Flask-WTF wants a Referer with posts over https.
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["Content-Security-Policy"] = "frame-ancestors 'none'"
    response.headers["X-Frame-Options"] = "DENY"
    return response


def problem_answer(problem: Problem) -> Response:
    """Return a problem as JSON, or as a page without a prompt."""
    if not is_page():
        return problem_json(problem)
    return page("stepup/problem.html", problem=problem)


def problem_json(problem: Problem) -> Response:
    """Return a problem as ``application/problem+json`` (RFC 9457)."""
    response = json_answer(problem.as_json(), problem.status)
    response.mimetype = "application/problem+json"
    _say_when_to_come_back(response, problem)
    return response


def json_answer(body: dict[str, Any], status: int = 200) -> Response:
    """Return JSON."""
    return _finished(make_response(current_app.json.response(body), status))


def redirect(location: str) -> Response:
    """Send a browser on by GET, whatever it came with (RFC 9110, 15.4.4)."""
    return _finished(make_response(_redirect(location, code=303)))


def not_stored(response: Response) -> Response:
    """Keep what only a verified person may see out of caches, the browser's too."""
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
    return response


def _say_when_to_come_back(response: Response, problem: Problem | None) -> None:
    if problem and problem.retry_after is not None:
        response.headers["Retry-After"] = str(problem.retry_after)


def _finished(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.vary.update(_VARY)
    return response

"""Answers for people and programs: a page, or JSON, with the headers that belong."""

from __future__ import annotations

from typing import Any

from flask import current_app
from flask import make_response
from flask import redirect as _redirect
from flask import render_template
from flask import Response
from jinja2 import TemplateNotFound

from .bearer import MARKER_HEADER
from .client import is_bearer
from .client import is_page
from .client import keeps_cookies
from .client import looked_at
from .errors import ConfigurationError
from .languages import current_language
from .languages import translate
from .languages import translate_plural
from .problem import Problem
from .settings import Settings
from .way_back import address_of
from .way_back import home_path


def page(
    template: str, status: int = 200, problem: Problem | None = None, **context: Any
) -> Response:
    """Return a page of ours; the app may override its template.

    :param problem: what the page tells, with its own status.
    """
    text = _rendered(template, problem=problem, **context)
    response = finished(make_response(text, problem.status if problem else status))
    _add_headers(response, problem)
    # Not no-referrer: Flask-WTF wants a Referer with posts over https.
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["Content-Security-Policy"] = "frame-ancestors 'none'"
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _rendered(template: str, **context: Any) -> str:
    """Fill a template of ours; those of the app's that extend it get the same."""
    looks: Settings = current_app.extensions["stepup"].settings
    seen: list[str] = []
    try:
        text = render_template(
            template,
            url_for=address_of,
            stepup_home=home_path(),
            stepup_looks=looks,
            stepup_language=current_language(),
            stepup_seen=seen,
            translate=translate,
            translate_plural=translate_plural,
            **context,
        )
    except TemplateNotFound as error:
        if error.name != looks.base_template:
            raise
        text, seen = "", ["layout"]
    if looks.base_template and "layout" in seen and "card" not in seen:
        raise ConfigurationError(
            f"STEPUP_BASE_TEMPLATE={looks.base_template!r} must be a template of the "
            "app's with {% block content %}{% endblock %}, in which the prompt goes"
        )
    return text


def problem_answer(problem: Problem) -> Response:
    """Return a problem as JSON, or as a page without a prompt."""
    if not is_page():
        return problem_json(problem)
    return page("stepup/problem.html", problem=problem)


def problem_json(problem: Problem) -> Response:
    """Return a problem as ``application/problem+json`` (RFC 9457)."""
    response = json_answer(problem.as_json(), problem.status)
    response.mimetype = "application/problem+json"
    _add_headers(response, problem)
    return response


def json_answer(body: dict[str, Any], status: int = 200) -> Response:
    """Return JSON."""
    return finished(make_response(current_app.json.response(body), status))


def redirect(location: str) -> Response:
    """Send a browser on by GET, whatever it came with (RFC 9110, 15.4.4)."""
    return finished(make_response(_redirect(location, code=303)))


def leading_htmx(response: Response, location: str) -> Response:
    """Have HTMX take the browser there, whatever the answer's status is."""
    response.headers["HX-Redirect"] = location
    return response


def not_stored(response: Response) -> Response:
    """Keep what only a verified person may see out of caches, the browser's too.

    Where the app says itself how long it may be kept, it is kept for this person alone.
    """
    for name, value in response.headers:
        # What Headers would ask of itself, in an eighth of the time.
        if name.lower() == "cache-control":
            if value != "no-store":
                markers = () if keeps_cookies() else (MARKER_HEADER,)
                response.vary.update((*looked_at(), *markers))
            return response
    response.headers.add("Cache-Control", "no-store")
    return response


def finished(response: Response) -> Response:
    """Add what every answer of ours has."""
    headers = response.headers
    headers["Cache-Control"] = "no-store"
    if "Vary" in headers:
        response.vary.update(looked_at())
    else:
        headers["Vary"] = ", ".join(looked_at())
    return response


def _add_headers(response: Response, problem: Problem | None) -> None:
    response.headers["Content-Language"] = current_language().tag
    if problem and problem.retry_after is not None:
        response.headers["Retry-After"] = str(problem.retry_after)
    if problem and problem.code == "unauthenticated" and is_bearer():
        # RFC 6750, 3.1
        response.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'

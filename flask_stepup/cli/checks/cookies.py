"""The session's cookie, in which the markers are kept."""

from __future__ import annotations

from .finding import Finding
from .finding import Findings
from .finding import right
from .finding import risky
from .finding import wrong
from .review import Review


def check_cookies(review: Review) -> Findings:
    """Look at the cookie's attributes, as the session interface sets them."""
    app, sessions = review.app, review.app.session_interface
    is_secure = sessions.get_cookie_secure(app)
    yield _secure(is_secure)
    yield _http_only(sessions.get_cookie_httponly(app))
    yield _same_site(sessions.get_cookie_samesite(app), is_secure)
    yield _domain(sessions.get_cookie_domain(app))


def _secure(is_on: bool) -> Finding:
    if is_on:
        return right(
            "SESSION_COOKIE_SECURE is on: the session is sent over https alone"
        )
    return risky(
        "SESSION_COOKIE_SECURE is off: the session, markers included, can be read from "
        "the network as soon as one request goes by http",
        "SESSION_COOKIE_SECURE = True",
    )


def _http_only(is_on: bool) -> Finding:
    if is_on:
        return right("SESSION_COOKIE_HTTPONLY is on: no script reads the session")
    return risky(
        "SESSION_COOKIE_HTTPONLY is off: any script that gets into a page can take the "
        "session away, markers included",
        "SESSION_COOKIE_HTTPONLY = True",
    )


def _same_site(value: str | None, is_secure: bool) -> Finding:
    mend = 'SESSION_COOKIE_SAMESITE = "Lax"'
    # As Werkzeug sends it, however it is written.
    told = value and value.title()
    if told in ("Lax", "Strict"):
        return right(f"SESSION_COOKIE_SAMESITE is {told}: other sites cannot post")
    if value is None:
        return risky(
            "SESSION_COOKIE_SAMESITE is not set: not every browser keeps other sites "
            "from posting in a person's name",
            mend,
        )
    if is_secure:
        return risky(
            "SESSION_COOKIE_SAMESITE is None: other sites can post in a person's name, "
            "where nothing but the session is asked for",
            f"{mend}, or see that every form has a CSRF token",
        )
    return wrong(
        "SESSION_COOKIE_SAMESITE is None without SESSION_COOKIE_SECURE: browsers keep "
        "no such cookie, so that nobody stays signed in",
        mend,
    )


def _domain(domain: str | None) -> Finding:
    if not domain:
        return right("SESSION_COOKIE_DOMAIN is not set: the session is this host's")
    return risky(
        f"SESSION_COOKIE_DOMAIN is {domain}: the session, markers included, is sent to "
        "every host below it, and each of them can set one",
        "leave SESSION_COOKIE_DOMAIN out, unless all of these hosts are this app",
    )

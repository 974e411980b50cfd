"""What kind of client asks, and in what language: a page, HTMX, a bearer, a program."""

from __future__ import annotations

from itertools import islice
from urllib.parse import urlsplit

from .current import real_request

#: More languages nobody speaks, and no longer tag is of one (RFC 5646, 4.4.1).
MOST_LANGUAGES = 20
LONGEST_TAG = 35
_PAGE_TYPES = {"text/html", "application/xhtml+xml"}
_LOOKED_AT = "flask_stepup.looked_at"
#: Headers by their names in the environ of WSGI (PEP 3333).
_IN_ENVIRON = {
    name: f"HTTP_{name.upper().replace('-', '_')}"
    for name in (
        "HX-Request",
        "Origin",
        "Sec-Fetch-Mode",
        "Sec-Fetch-Site",
    )
}


def is_page() -> bool:
    """Whether a browser asks for a page to show.

    ``*/*`` names no page: it is what ``fetch()`` sends when it is told nothing. And a
    script that does ask for HTML would not show the prompt to anybody.
    """
    _look_at("Accept")
    kinds = real_request().accept_mimetypes
    accepted = (kind.split(";")[0] for kind, q in kinds if q > 0)
    names_page = not _PAGE_TYPES.isdisjoint(kind.lower() for kind in accepted)
    return _header("Sec-Fetch-Mode") in (None, "navigate") and names_page


def is_htmx() -> bool:
    """Whether HTMX asks, which swaps answers into a page (https://htmx.org)."""
    return _header("HX-Request") == "true"


def is_bearer() -> bool:
    """Whether the request identifies itself by a bearer token (RFC 6750, 2.1).

    Such clients keep no cookies, and no other site can make a browser send it.
    """
    # Not by _header: looked_at has it anyway, and each guarded request comes here.
    credentials: str | None = real_request().environ.get("HTTP_AUTHORIZATION")
    if not credentials:
        return False
    return credentials.partition(" ")[0].lower() == "bearer"


def keeps_cookies() -> bool:
    """Whether the client is a browser, in whose session markers can be kept.

    HTMX runs in one, whatever else it sends.
    """
    return not is_bearer() or is_htmx()


def is_cross_site() -> bool:
    """Whether another site made the browser send this request."""
    site = _header("Sec-Fetch-Site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = _header("Origin")
    return origin is not None and not is_our_host(origin)


def is_our_host(url: str) -> bool:
    """Whether a URL names the host of this request.

    Without regard to the scheme: behind a proxy that ends TLS it may not be known.
    """
    try:
        # Where the Host header is no host, ours is empty, as is that of "null".
        host = real_request().host
        return bool(host) and urlsplit(url).netloc == host
    except ValueError:
        return False


def accepted_languages() -> list[str]:
    """The languages that the person understands, as tags (BCP 47), the best first."""
    _look_at("Accept-Language")
    wanted = islice(real_request().accept_languages, MOST_LANGUAGES)
    return [tag for tag, q in wanted if q > 0 and len(tag) <= LONGEST_TAG]


def looked_at() -> list[str]:
    """The headers that the answer depends on so far, for ``Vary``.

    These two always: one of them tells who is asking.
    """
    return ["Authorization", "Cookie", *real_request().environ.get(_LOOKED_AT, {})]


def _header(name: str) -> str | None:
    # As request.headers does.
    environ = real_request().environ
    environ.setdefault(_LOOKED_AT, {})[name] = True
    value: str | None = environ.get(_IN_ENVIRON[name])
    return value


def _look_at(name: str) -> None:
    # A dict for its order; in the environ, since that ends with the request.
    real_request().environ.setdefault(_LOOKED_AT, {})[name] = True

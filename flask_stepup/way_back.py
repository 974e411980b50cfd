"""Where a person goes on afterwards: addresses of ours, and of nobody else."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote
from urllib.parse import urlsplit

from flask import request
from flask import url_for

from .client import is_our_host


def current_path() -> str:
    """Path and query of the current request, percent-encoded."""
    # As it came: Werkzeug's own path has one slash in front, whatever was there.
    raw = request.environ.get("PATH_INFO", "").encode("latin-1") or b"/"
    path = quote(raw, safe=_IN_PATH)
    if _DOTS.search(path):
        # It came with its slashes encoded: a browser would take the dots for steps.
        path = "/" + path[1:].replace("/", "%2F")
    path = _root() + path
    if request.script_root and _DOTS.search(path):
        path = "%2F".join(path.rsplit("/", 1))
    if path.startswith("//"):
        path = "/." + path  # the same path to a browser, and no host
    query = quote(request.query_string, safe=_IN_QUERY)
    return _local(f"{path}?{query}" if query else path)


def referring_path() -> str:
    """The page of ours that led to the current request, else the front page."""
    return _path_of_ours(request.referrer) or home_path()


def path_of_form() -> str:
    """The page of ours with the form that was sent.

    Where the browser does not tell, or the form was sent again from a page of ours, it
    is the page with the address that the form is sent to, as is usual, if there is one.
    """
    rule = request.url_rule
    has_page = rule is not None and "GET" in (rule.methods or ())
    is_told = request.referrer and not _is_prompt(request.referrer)
    return current_path() if has_page and not is_told else referring_path()


def htmx_path() -> str:
    """The page of ours that a person looks at while HTMX asks for a part of it."""
    return _path_of_ours(request.headers.get("HX-Current-URL")) or referring_path()


def _path_of_ours(url: str | None) -> str | None:
    if not url or not is_our_host(url):
        return None
    parts = urlsplit(url)._replace(scheme="", netloc="", fragment="")
    return None if _is_prompt(url) else _local(parts.geturl())


def _is_prompt(url: str) -> bool:
    prompt = address_of("stepup.prompt")
    return is_our_host(url) and urlsplit(url).path.startswith(prompt)


def home_path() -> str:
    """The front page."""
    return _local(_root() + "/")


def address_of(endpoint: str, **values: Any) -> str:
    """Return what ``url_for`` does, but where that would leave this origin.

    It puts ``script_root`` in front as it came, and behind a proxy that passes on what
    strangers say of it, it may be a host of theirs, or no text for a header.
    """
    url = url_for(endpoint, **values)
    if not url.startswith(f"{request.script_root}/"):
        # The prompt may be on another host of the app's, if its map tells hosts apart.
        return url
    return _local(_root() + url.removeprefix(request.script_root))


def _root() -> str:
    return quote(request.script_root, safe=_IN_PATH)


def _local(path: str) -> str:
    # Following it never leaves this origin: a browser takes two slashes, or one and
    # a backslash, for the start of a host.
    return "/" + path.lstrip("/\\")


#: Segments that a browser resolves (WHATWG URL, 4.4).
_DOTS = re.compile(r"/\.{1,2}(?:/|$)")
# RFC 3986, 3.3 and 3.4; what came percent-encoded in a query stays as it came, and so
# does what browsers do not encode there (WHATWG URL, query percent-encode set).
_IN_PATH = "!$&'()*+,/:;=@"
_IN_QUERY = _IN_PATH + "?%[]{}|^`\\"

"""Where a person goes on afterwards: addresses of ours, and of nobody else."""

from __future__ import annotations

from urllib.parse import quote
from urllib.parse import urlsplit

from flask import request
from flask import url_for

from .client import is_our_host


def current_path() -> str:
    """Path and query of the current request, percent-encoded."""
    path = quote(request.script_root + request.path, safe=_IN_PATH)
    query = quote(request.query_string, safe=_IN_QUERY)
    return _local(f"{path}?{query}" if query else path)


def referring_path() -> str:
    """The page of ours that led to the current request, else the front page."""
    return _path_of_ours(request.referrer) or home_path()


def path_of_form() -> str:
    """The page of ours with the form that was sent.

    Where the browser does not tell, it is the page with the address that the form is
    sent to, as is usual, if there is one.
    """
    rule = request.url_rule
    if request.referrer or rule is None or "GET" not in (rule.methods or ()):
        return referring_path()
    return current_path()


def htmx_path() -> str:
    """The page of ours that a person looks at while HTMX asks for a part of it."""
    return _path_of_ours(request.headers.get("HX-Current-URL")) or referring_path()


def _path_of_ours(url: str | None) -> str | None:
    if not url or not is_our_host(url):
        return None
    parts = urlsplit(url)._replace(scheme="", netloc="", fragment="")
    path = _local(parts.geturl())
    return None if path.startswith(url_for("stepup.prompt")) else path


def home_path() -> str:
    """The front page."""
    return _local(request.script_root + "/")


def _local(path: str) -> str:
    # Following it never leaves this origin: a browser takes two slashes, or one and
    # a backslash, for the start of a host.
    return "/" + path.lstrip("/\\")


# RFC 3986, 3.3 and 3.4; what came percent-encoded in a query stays as it came.
_IN_PATH = "!$&'()*+,/:;=@"
_IN_QUERY = _IN_PATH + "?%"

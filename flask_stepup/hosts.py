"""On which hosts the prompt is: on all that the app tells apart.

A browser keeps a session for one host, so the prompt is where the guarded view is.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from flask import Blueprint
from flask import current_app
from flask import Flask
from flask import has_request_context
from flask import request
from werkzeug.routing import BaseConverter

#: The part of a rule that stands for the host, of which views are told nothing.
_HOST = "stepup_host"
_CONVERTER = "stepup_host"


class _HostConverter(BaseConverter):
    """A host as it stands in addresses: those of IPv6 have brackets, unescaped."""

    def to_url(self, value: Any) -> str:
        return quote(str(value), safe="!$&'()*+,:;=[]")


def mounts_of(app: Flask) -> list[dict[str, Any]]:
    """Return options for rules, one by one, by which they are on every host."""
    if app.url_map.host_matching:
        app.url_map.converters[_CONVERTER] = _HostConverter
        return [{"host": f"<{_CONVERTER}:{_HOST}>"}]
    if app.subdomain_matching:
        return [{"subdomain": ""}, {"subdomain": f"<{_HOST}>"}]
    return [{}]


def stay_on_host(blueprint: Blueprint) -> None:
    """Have ``url_for`` find the blueprint's rules on the host of the request."""

    @blueprint.url_value_preprocessor
    def drop(endpoint: str | None, values: dict[str, Any] | None) -> None:
        (values or {}).pop(_HOST, None)

    @blueprint.url_defaults
    def add(endpoint: str, values: dict[str, Any]) -> None:
        host = _current_host() if has_request_context() else ""
        if host:
            values.setdefault(_HOST, host)


def _current_host() -> str:
    host = request.host.lower()
    if current_app.url_map.host_matching:
        return host
    name = (current_app.config["SERVER_NAME"] or "").lower()
    # Browsers leave it out, and so does Werkzeug.
    name = name.removesuffix(":443" if request.is_secure else ":80")
    is_below = current_app.subdomain_matching and name and host.endswith(f".{name}")
    return host.removesuffix(f".{name}") if is_below else ""

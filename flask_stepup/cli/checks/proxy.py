"""What stands between browsers and the app: debug mode, proxies, and HTTPS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from werkzeug.middleware.proxy_fix import ProxyFix

from .finding import Finding
from .finding import Findings
from .finding import right
from .finding import risky
from .review import Review

_SCHEME = "PREFERRED_URL_SCHEME"
_HOSTS = "TRUSTED_HOSTS"
_MEND = "app.wsgi_app = ProxyFix(app.wsgi_app, x_proto=1, x_host=1)"
#: How many layers of middleware are looked through.
_DEEPEST = 16


def check_proxy(review: Review) -> Findings:
    """Look at debug mode, ProxyFix, and the scheme of links."""
    if review.is_development:
        yield risky(
            "debug mode is on: whoever reaches the debugger runs code; what suits a "
            "developer's own machine is taken as right below",
            "for anybody else, run without --debug and FLASK_DEBUG",
        )
        return
    yield right("debug mode is off")
    yield _proxy_fix(review)
    yield _scheme(review.app.config[_SCHEME])


def _proxy_fix(review: Review) -> Finding:
    fixes = [
        layer for layer in _layers(review.app.wsgi_app) if isinstance(layer, ProxyFix)
    ]
    if not fixes:
        return _without_fix(review)
    fix = fixes[0]
    if not fix.x_proto:
        return risky(
            "ProxyFix without x_proto: behind https the app takes itself for http, and "
            "CSRF checks of the Referer, as Flask-WTF's, are left out",
            _MEND,
        )
    if not fix.x_host:
        return right(
            "ProxyFix without x_host: the app goes by the Host header, so the proxy "
            "has to pass the browser's own on; a post's Origin is compared with it"
        )
    return right(
        f"ProxyFix trusts x_proto={fix.x_proto} and x_host={fix.x_host}: a post's "
        "Origin is compared with the host that browsers see"
    )


def _without_fix(review: Review) -> Finding:
    # Then a proxy that does not pass the browser's host on is found out at once.
    if review.app.config[_HOSTS]:
        return right(
            "no ProxyFix, and TRUSTED_HOSTS: nothing but the hosts that browsers see "
            "is answered, and a post's Origin is compared with them"
        )
    return risky(
        "no ProxyFix: behind a proxy the app may take itself for another host. Posts "
        "then seem to come from another site, and what people typed is not kept",
        "behind one proxy:\n"
        f"{_MEND}\n"
        "behind none: TRUSTED_HOSTS with the hosts that browsers see",
    )


def _scheme(scheme: str) -> Finding:
    if scheme == "https":
        return right("PREFERRED_URL_SCHEME is https, for links in mails")
    return risky(
        f"PREFERRED_URL_SCHEME is {scheme}: links that are made outside of a request, "
        "as for mails, lead through a request that is not encrypted",
        'PREFERRED_URL_SCHEME = "https"',
    )


def _layers(wsgi_app: Any) -> Iterator[Any]:
    """The middleware around an app, from the outside, by the names they all use."""
    for _ in range(_DEEPEST):
        if wsgi_app is None:
            return
        yield wsgi_app
        attributes = getattr(wsgi_app, "__dict__", {})
        inner = ("app", "wsgi_app", "application", "_app", "wrapped_app")
        wsgi_app = next((attributes[n] for n in inner if n in attributes), None)

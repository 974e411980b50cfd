"""The app, request and session themselves, behind Flask's proxies.

A signal that is sent with the proxy as its sender reaches nobody. And on each guarded
request something is looked at: through a proxy that takes five times as long.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import current_app
from flask import Flask
from flask import Request
from flask import request
from flask import session
from flask.sessions import SessionMixin


def _behind(proxy: Any) -> Callable[[], Any]:
    find: Callable[[], Any] = proxy._get_current_object
    return find


#: Each raises RuntimeError where there is none, with Flask's own words.
real_app: Callable[[], Flask] = _behind(current_app)
real_request: Callable[[], Request] = _behind(request)
real_session: Callable[[], SessionMixin] = _behind(session)

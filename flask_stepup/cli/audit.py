"""Which routes are guarded, and by what: read from view functions and blueprints.

What is not certain counts as unguarded. A view that asks within itself, by
``stepup.require``, is among that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flask import Flask
from werkzeug.routing import Rule

from ..demand import Demand
from ..errors import ConfigurationError
from ..guard import demands_of
from ..policy import Policy
from ..policy_fields import SAFE_METHODS
from .view_classes import handler_of
from .view_classes import view_class_of

#: In the order in which people name them.
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@dataclass(frozen=True, slots=True)
class Route:
    """A route, as far as the same policies guard its methods.

    :param rule: with the host or subdomain in front, where the route has one.
    :param policies: all of which have to be met.
    :param is_ours: whether it belongs to the prompt.
    """

    rule: str
    endpoint: str
    methods: tuple[str, ...]
    policies: tuple[Policy, ...]
    is_static: bool
    is_ours: bool

    @property
    def is_open(self) -> bool:
        """Whether anybody may change something by it, as far as methods tell."""
        is_safe = SAFE_METHODS.issuperset(self.methods)
        return not (is_safe or self.policies or self.is_ours)


def audit(app: Flask, default: Policy) -> list[Route]:
    """Return the routes of an app, sorted by rule.

    :param default: what a bare decorator asks for.
    :raises ConfigurationError: a policy does not go with the app's preset.
    """
    rules = app.url_map.iter_rules()
    routes = [route for rule in rules for route in _routes(app, rule, default)]
    return sorted(routes, key=lambda r: (r.rule, _order(r.methods[0]), r.endpoint))


def _routes(app: Flask, rule: Rule, default: Policy) -> Iterator[Route]:
    if rule.build_only or rule.redirect_to:
        # No view is run.
        return
    together: list[tuple[tuple[Policy, ...], list[str]]] = []
    for method in _methods(rule):
        policies = _policies(app, rule.endpoint, method, default)
        alike = next((methods for p, methods in together if p == policies), None)
        if alike is None:
            together.append((policies, [method]))
        else:
            alike.append(method)
    view = app.view_functions.get(rule.endpoint)
    is_ours = getattr(view, "__module__", "").startswith("flask_stepup.")
    for policies, methods in together:
        yield Route(
            _shown(rule),
            rule.endpoint,
            # HEAD goes with GET, unless it has a method of its own with another guard.
            tuple(m for m in methods if m != "HEAD" or "GET" not in methods),
            policies,
            is_static=_serves_static_file(app, rule.endpoint),
            is_ours=is_ours and rule.endpoint.startswith("stepup."),
        )


def _methods(rule: Rule) -> list[str]:
    """The methods that matter: OPTIONS is exempt."""
    # A rule that was made without Flask may take any.
    methods = set(_METHODS if rule.methods is None else rule.methods)
    return sorted(methods - {"OPTIONS"} or methods, key=_order)


def _order(method: str) -> tuple[int, str]:
    known = method in _METHODS
    return (_METHODS.index(method) if known else len(_METHODS)), method


def _policies(
    app: Flask, endpoint: str, method: str, default: Policy
) -> tuple[Policy, ...]:
    try:
        policies = [d.policy(default) for d in _demands(app, endpoint, method)]
    except ConfigurationError as error:
        raise ConfigurationError(f"the view {endpoint!r}: {error}") from None
    return tuple(policy for policy in policies if policy.guards(method))


def _demands(app: Flask, endpoint: str, method: str) -> Iterator[Demand]:
    if not _serves_static_file(app, endpoint):
        for name in _blueprints(endpoint):
            for function in app.before_request_funcs.get(name, ()):
                yield from demands_of(function)
    view = app.view_functions.get(endpoint)
    yield from demands_of(view)
    view_class = view_class_of(view)
    if view_class:
        yield from demands_of(view_class.dispatch_request)
        yield from demands_of(handler_of(view_class, method))


def _blueprints(endpoint: str) -> Iterator[str]:
    """The blueprints of a view, as Flask reckons them: from the outermost in."""
    parts = endpoint.split(".")[:-1]
    return (".".join(parts[: end + 1]) for end in range(len(parts)))


def _serves_static_file(app: Flask, endpoint: str) -> bool:
    """Whether ``protect`` leaves the view out; the app's own files are no different."""
    name, _, last = endpoint.rpartition(".")
    owner = app.blueprints.get(name) if name else app
    return last == "static" and owner is not None and owner.has_static_folder


def _shown(rule: Rule) -> str:
    where = rule.host if rule.map.host_matching else rule.subdomain
    return f"{where}|{rule.rule}" if where else rule.rule

"""``require_reverification``, and the guard of whole blueprints."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import iscoroutinefunction
from types import FunctionType
from typing import Any
from typing import overload
from typing import ParamSpec
from typing import TypeVar
from typing import Unpack
from weakref import WeakKeyDictionary

from flask import after_this_request
from flask import Blueprint
from flask import Response

from . import records
from .answer import not_stored
from .app_gate import current_gate
from .current import real_app
from .current import real_request
from .decoration import called_by
from .demand import Demand
from .demand import Demands
from .errors import ConfigurationError
from .errors import Refusal
from .refusal import answer_refusal

#: What our guards demand, by the guards themselves: as an attribute it would be copied
#: onto functions that call none of them.
_demands: WeakKeyDictionary[Callable[..., Any], tuple[Demand, ...]]
_demands = WeakKeyDictionary()

P = ParamSpec("P")
R = TypeVar("R")


@overload
def require_reverification(view: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def require_reverification(
    preset: str | None = None, /, **demands: Unpack[Demands]
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def require_reverification(view: Any = None, /, **demands: Unpack[Demands]) -> Any:
    """Let a view run only for a person who has lately proved a second factor.

    Bare, with the name of a Clerk preset, or with the fields of
    :class:`~flask_stepup.Policy` as keywords; what is not given comes from the preset,
    ``STEPUP_PRESET`` if none is named. The challenge is *returned*, so that no error
    page of the app takes its place.

    :raises ConfigurationError: at decoration, if the policy is none.
    """
    if callable(view):
        return _guarded(view, Demand(None, **demands))
    demand = Demand(view, **demands)
    return lambda view: _guarded(view, demand)


def protect(blueprint: Blueprint, demand: Demand) -> None:
    """Guard every view of a blueprint, and of those nested in it, but static files.

    :raises ConfigurationError: it is none, or has been registered already.
    """

    def check() -> Response | None:
        return None if _serves_static_file() else _refused(demand)

    if not isinstance(blueprint, Blueprint):
        raise ConfigurationError(
            f"protect guards blueprints, and a {type(blueprint).__name__} is none: "
            "decorate the views"
        )
    _demands[check] = (demand,)
    try:
        blueprint.before_request(check)
    except AssertionError as error:
        raise ConfigurationError(
            f"the blueprint {blueprint.name!r} is protected too late: call "
            "stepup.protect before it is registered"
        ) from error


def demands_of(guard: object) -> tuple[Demand, ...]:
    """What a guarded view, or a function before requests, demands; the outermost last.

    Empty where it has no guard of ours, or none that can be seen: decorators above ours
    have to use ``functools.wraps``, and to have a hold of what they wrap.
    """
    for function in called_by(guard):
        if isinstance(function, FunctionType) and function in _demands:
            return _demands[function]
    return ()


def _serves_static_file() -> bool:
    # None where the app has given a view such an endpoint by itself.
    request = real_request()
    blueprint = real_app().blueprints.get(request.blueprint or "")
    is_static = request.endpoint == f"{request.blueprint}.static"
    return blueprint is not None and is_static and blueprint.has_static_folder


def _guarded(view: Any, demand: Demand) -> Any:
    if isinstance(view, type):
        raise ConfigurationError(
            f"{view.__name__} is a class: guard it from within, by "
            "decorators = [require_reverification]"
        )

    is_coroutine = iscoroutinefunction(view)

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        refused = _refused(demand)
        if refused is not None:
            return refused
        # A coroutine runs as Flask runs it. We stay outside of its event loop, in which
        # handlers of the app that are coroutines themselves could not be run.
        run = real_app().ensure_sync(view) if is_coroutine else view
        return run(*args, **kwargs)

    _demands[guarded] = (*demands_of(view), demand)
    return guarded


def enforce(demand: Demand) -> None:
    """Return if the current request may go on; its answer will not be stored.

    :raises Refusal: what to answer instead.
    """
    gate = current_gate()
    policy = demand.policy(gate.settings.preset)
    if policy.guards(real_request().method):
        # First, so that it also is for what a handler of the app answers instead.
        after_this_request(not_stored)
        gate.require(policy)


def is_met(demand: Demand) -> bool:
    """Whether the current request meets a demand; False where that cannot be known."""
    gate = current_gate()
    try:
        return gate.is_met(demand.policy(gate.settings.preset))
    except Refusal:
        return False
    except Exception as error:
        # Mostly of a function in bind=, or of reading the request for its names.
        records.IsReverifiedFailed(error=type(error).__name__).log()
        return False


def _refused(demand: Demand) -> Response | None:
    try:
        enforce(demand)
    except Refusal as refusal:
        return answer_refusal(refusal)
    return None

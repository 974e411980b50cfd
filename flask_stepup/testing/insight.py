"""What can be seen from within a request that was not answered as a test expects."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from flask import current_app
from flask import request
from flask import Response

from ..app_gate import current_gate
from ..demand import Demand
from ..guard import demands_of
from ..subject import load_subject


@dataclass(frozen=True, slots=True)
class Insight:
    """What a request came to.

    :param endpoint: that the path leads to; None for no route.
    :param user_id: of the person who is signed in; None for nobody.
    :param demands: how many guards of ours can be seen in front of the view.
    :param is_guarded: whether one of them guards this method.
    """

    endpoint: str | None
    user_id: str | None
    demands: int
    is_guarded: bool


def insight(_: Response) -> Insight:
    """Look at the current request."""
    gate = current_gate()
    demands, subject = list(_demands()), None
    # It is asked for a message alone, and perhaps after a view that signed out.
    with suppress(Exception):
        subject = load_subject(gate.admission.find_loader())
    return Insight(
        request.endpoint,
        subject.user_id if subject else None,
        len(demands),
        any(d.policy(gate.settings.preset).guards(request.method) for d in demands),
    )


def _demands() -> Iterator[Demand]:
    yield from demands_of(current_app.view_functions.get(request.endpoint or ""))
    for blueprint in request.blueprints:
        for function in current_app.before_request_funcs.get(blueprint, ()):
            yield from demands_of(function)

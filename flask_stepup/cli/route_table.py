"""Routes as a table, and what is to be said of those that are unguarded."""

from __future__ import annotations

import json
from collections.abc import Iterable

import click

from ..demand import PRESETS
from .allow_list import AllowList
from .audit import Route
from .lines import say
from .lines import side_by_side
from .lines import width
from .lines import wrapped
from .policy_words import asked_for
from .policy_words import policy_words
from .policy_words import preset_name

_GAP = "  "
#: Columns: the most that methods have, and the least that is left to policies. A rule
#: that is too long for the rest has a line of its own.
_METHODS, _POLICY = 18, 24


def tell_routes(routes: list[Route], allowed: AllowList) -> None:
    """Write a line for each, or a few where it is long, and what presets mean."""
    methods = min(_METHODS, max((len(_methods(r)) for r in routes), default=0))
    methods = max(methods, len("METHODS"))
    longest = max((len(r.rule) for r in routes), default=0)
    left = width() - methods - 3 * len(_GAP)
    rule = max(len("RULE"), min(longest, left - _POLICY))
    sizes = rule, methods, left - rule
    head = _GAP.join(("RULE".ljust(rule), "METHODS".ljust(methods), "POLICY"))
    say(click.style(_GAP + head, bold=True))
    for route in routes:
        for line in _lines(route, allowed, sizes):
            say(line)
    say()
    named = {preset_name(p) for route in routes for p in route.policies}
    for name, preset in PRESETS.items():
        if name in named:
            say(click.style(f"{name}: {asked_for(preset)}", dim=True))
    if named - {None}:
        say()


def tell_unguarded(routes: list[Route], allowed: AllowList) -> bool:
    """Say what is left to do; return whether it is nothing."""
    open_ = dict.fromkeys(route.endpoint for route in routes if route.is_open)
    stale = allowed.stale(open_)
    missing = [endpoint for endpoint in open_ if not allowed.allows(endpoint)]
    if missing:
        _tell_missing(missing, [e for e in allowed.entries if e not in stale])
    elif open_:
        _tell(f"What is unguarded is allowed by {allowed.path}.", "green")
    else:
        _tell("No route that changes something is unguarded.", "green")
    if stale:
        say()
        _tell(
            f"No route needs {', '.join(map(repr, stale))} in {allowed.path}: take it "
            "out, or a later route of that name passes unseen.",
            "red",
        )
    return not missing and not stale


def _tell_missing(missing: list[str], kept: list[str]) -> None:
    count = "1 view changes" if len(missing) == 1 else f"{len(missing)} views change"
    _tell(
        f"{count} something and can be reached without a code (!). Guard what matters. "
        "What is right as it is, or asks within its view by stepup.require, goes into "
        "pyproject.toml:",
        "red",
    )
    say()
    say("  [tool.flask-stepup]")
    say("  unguarded = [")
    for endpoint in [*kept, *missing]:
        say(f"      {json.dumps(endpoint)},")
    say("  ]")


def _tell(text: str, colour: str) -> None:
    for line in wrapped(text, width()):
        say(click.style(line, fg=colour, bold=True))


def _lines(
    route: Route, allowed: AllowList, sizes: tuple[int, int, int]
) -> Iterable[str]:
    rule, methods, policy = sizes
    is_allowed = allowed.allows(route.endpoint)
    is_marked = route.is_open and not is_allowed
    names = [route.rule]
    cells = [
        wrapped(_methods(route), methods),
        wrapped(_words(route, is_allowed), policy),
    ]
    if len(route.rule) > rule:
        # Below it go the other columns.
        cells = [["", *cell] for cell in cells]
    rows = side_by_side((names, rule), *zip(cells, sizes[1:], strict=True))
    for number, row in enumerate(rows):
        mark = "! " if is_marked and not number else "  "
        yield _coloured(mark + _GAP.join(row).rstrip(), route, is_marked)


def _coloured(line: str, route: Route, is_marked: bool) -> str:
    if is_marked:
        return click.style(line, fg="red", bold=True)
    return line if route.policies else click.style(line, dim=True)


def _methods(route: Route) -> str:
    return ", ".join(route.methods)


def _words(route: Route, is_allowed: bool) -> str:
    if route.policies:
        return " + ".join(map(policy_words, route.policies))
    if route.is_ours:
        return "the prompt"
    if route.is_static:
        return "static files"
    if not route.is_open:
        return "-"
    return "allowed" if is_allowed else "unguarded"

"""``flask stepup routes``: every route with its policy, and what is unguarded."""

from __future__ import annotations

from pathlib import Path

import click

from ..current import real_app
from .allow_list import find_allow_list
from .allow_list import read_allow_list
from .audit import audit
from .loading import faults_in_one_line
from .loading import load_gate
from .route_table import tell_routes
from .route_table import tell_unguarded


@click.command()
@click.option(
    "--fail-unguarded",
    is_flag=True,
    help="Fail when a route is unguarded that the allow list does not name.",
)
@click.option(
    "--pyproject",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="PATH",
    help="Where the allow list is.  [default: from this folder upward]",
)
@click.pass_context
@faults_in_one_line
def routes(
    context: click.Context, fail_unguarded: bool, pyproject: Path | None
) -> None:
    """List every route with its methods and its policy.

    Marked with ! are those that are unguarded though their methods change something.
    What asks within its view, by stepup.require, cannot be seen from outside and is
    among them; so is what a decorator without functools.wraps hides. Those that are
    right as they are stand in pyproject.toml, by their endpoints:

    \b
      [tool.flask-stepup]
      unguarded = ["sign_in", "auth.*"]

    In CI, a new route without a guard fails, and so does an entry that no route needs:

    \b
      flask --app bank stepup routes --fail-unguarded

    Exit status: 0; with --fail-unguarded 1 for such a route or entry; 1 too when the
    app cannot start or the list cannot be read; 2 when the app cannot be found.
    """
    gate = load_gate()
    allowed = find_allow_list() if pyproject is None else read_allow_list(pyproject)
    found = audit(real_app(), gate.settings.preset)
    tell_routes(found, allowed)
    is_good = tell_unguarded(found, allowed)
    if fail_unguarded and not is_good:
        context.exit(1)

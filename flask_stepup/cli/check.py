"""``flask stepup check``: the app's configuration, read as a reviewer would."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import click

from ..current import real_app
from ..errors import ConfigurationError
from .checks import Finding
from .checks import findings
from .checks import Review
from .checks import risky
from .checks import Verdict
from .checks import wrong
from .loading import listening
from .loading import load_gate
from .report import sum_up
from .report import tell


@click.command()
@click.option("--strict", is_flag=True, help="Fail for what is risky, too.")
@click.pass_context
def check(context: click.Context, strict: bool) -> None:
    """Say what is right, risky or wrong with an app's configuration.

    Each line has a verdict and what was looked at; below what is risky or wrong stands
    what to do about it, after an arrow. Run it where the app runs, with the settings
    that it has there:

    \b
      flask --app bank stepup check
      flask --app bank stepup check --strict    in CI

    It looks at keys, the session's cookie, proxy and HTTPS, the ledger, the backend and
    its clock, session tokens, policies, and templates that are overridden. Nothing is
    changed: the ledger is asked for a user who cannot be, and the backend for its
    public keys. With --debug, what suits a developer's own machine is right.

    Exit status: 0 when nothing is wrong, 1 when something is, or, with --strict, risky;
    2 when the app cannot be found.
    """
    counted = tell(_found())
    sum_up(counted, is_strict=strict)
    if counted[Verdict.WRONG] or (strict and counted[Verdict.RISKY]):
        context.exit(1)


def _found() -> Iterator[tuple[str, Finding]]:
    try:
        with listening() as records:
            gate = load_gate()
    except ConfigurationError as error:
        yield "start", wrong(str(error))
        return
    for record in records:
        yield "start", _heard(record)
    with listening():
        # What fails from here on is told by the findings.
        yield from findings(Review(real_app(), gate))


def _heard(record: logging.LogRecord) -> Finding:
    kind = wrong if record.levelno >= logging.ERROR else risky
    return kind(f"while it started: {record.getMessage()}", "")

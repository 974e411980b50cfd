"""The app that a command is for, loaded as ``flask`` does."""

from __future__ import annotations

import logging
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec
from typing import TypeVar

import click
from flask.cli import with_appcontext

from ..app_gate import current_gate
from ..errors import ConfigurationError
from ..errors import LedgerUnavailable
from ..gate import Gate

P = ParamSpec("P")
R = TypeVar("R")


def load_gate() -> Gate:
    """Load the app, stay in its context to the end of the command, return its gate.

    An app that is not found is told as flask tells it.

    :raises ConfigurationError: the app cannot start, or has no StepUp.
    """
    gate: Gate = with_appcontext(current_gate)()
    return gate


def faults_in_one_line(command: Callable[P, R]) -> Callable[P, R]:
    """Have a command end with one line, and 1, where a developer has to act."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            # What the log is told of the same fault is not said twice.
            with listening():
                return command(*args, **kwargs)
        except ConfigurationError as error:
            message = str(error)
        except LedgerUnavailable as error:
            message = (
                f"{error}: nothing is done. Start it, or mend its address and "
                "permissions (flask stepup check tells more), and try again"
            )
        raise click.ClickException(message)

    return run


@contextmanager
def listening() -> Iterator[list[logging.LogRecord]]:
    """Yield what our log is told from WARNING up, to be told in another place."""
    log, heard = logging.getLogger("flask_stepup"), _Heard()
    log.addHandler(heard)
    try:
        yield heard.records
    finally:
        log.removeHandler(heard)


class _Heard(logging.Handler):
    """Keeps records, once each."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

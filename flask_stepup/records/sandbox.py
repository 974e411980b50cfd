"""The sandbox, which has a logger of its own."""

from __future__ import annotations

from logging import ERROR
from logging import INFO

from .record import Record


class SandboxAnswered(Record):
    """The sandbox answered a request; method and path are percent-encoded.

    Nothing.
    """

    logger = "flask_stepup.sandbox"
    name = "sandbox_answered"
    level = INFO
    message = "%(method)s %(path)s -> %(status)d %(outcome)s"

    method: str
    path: str
    status: int
    outcome: str


class SandboxLacksLibrary(Record):
    """The sandbox was asked for something that needs a library which is missing.

    Install what `reason` names.
    """

    logger = "flask_stepup.sandbox"
    name = "sandbox_lacks_library"
    level = ERROR
    message = "%(reason)s"

    reason: str

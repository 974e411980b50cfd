"""What the commands that are about one person have in common."""

from __future__ import annotations

import click

from ..current import real_app
from ..errors import ConfigurationError
from ..gate import Gate
from .ledger_place import ledger_place
from .lines import say
from .loading import load_gate


def shared_gate() -> tuple[Gate, str]:
    """Load the app; return its gate, and where its ledger is.

    :raises ConfigurationError: the ledger is this process's own, so that whatever is
        done to it the app would not know of.
    """
    gate = load_gate()
    place = ledger_place(real_app(), gate)
    if place.is_private:
        raise ConfigurationError(
            "the ledger is memory://, and this process has one of its own: the app "
            "would not know. Set STEPUP_STORAGE_URI to a file or a server that both use"
        )
    return gate, place.name


def tell_deed(headline: str, *lines: str) -> None:
    """Say what was done, and what follows."""
    say(click.style(headline, bold=True))
    for line in lines:
        say(line)

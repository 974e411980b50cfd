"""``flask stepup revoke``: end what a person has proved, everywhere."""

from __future__ import annotations

import click

from .loading import faults_in_one_line
from .people import shared_gate
from .people import tell_deed


@click.command()
@click.argument("user")
@faults_in_one_line
def revoke(user: str) -> None:
    """End what USER has proved so far, in every browser and client.

    For an account that may have been taken over, or a phone that is lost. USER is the
    id that the subject_loader returns, as the verifier knows it: user_... at Clerk.
    Guarded routes ask for a new code, and open prompts begin anew.

    \b
      flask --app bank stepup revoke user_2Alice

    Nobody is signed out by this: end sessions where they are kept, too, or whoever is
    in goes on with all that is not guarded. Which ids there are is not known to the
    ledger: one that is mistyped is revoked as well.

    Exit status: 0 when it is written down; 1 when the ledger cannot be written, or is
    memory://; 2 when the app cannot be found.
    """
    gate, place = shared_gate()
    gate.revoke(user)
    tell_deed(
        f"{user} is revoked: what was proved until now opens nothing any more.",
        "Guarded routes ask this user for a new code, in every browser and client.",
        "Nobody is signed out by this: end sessions where they are kept, too.",
        f"Ledger: {place}",
    )

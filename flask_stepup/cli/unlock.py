"""``flask stepup unlock``: lift a lock-out."""

from __future__ import annotations

import click

from .loading import faults_in_one_line
from .people import shared_gate
from .people import tell_deed


@click.command()
@click.argument("user")
@faults_in_one_line
def unlock(user: str) -> None:
    """Lift the lock-out of USER after too many wrong codes.

    USER is the id that the subject_loader returns, as the verifier knows it: user_...
    at Clerk. All attempts of that user are forgotten, and codes are taken again, as
    many as STEPUP_ATTEMPT_LIMIT says.

    \b
      flask --app bank stepup unlock user_2Alice

    Be sure that it is USER who asks: more tries help somebody who guesses codes, too.
    A secret or password that somebody else may know is better replaced, and USER
    revoked. Which ids there are is not known to the ledger: one that is mistyped is
    unlocked as well.

    Exit status: 0 when it is lifted; 1 when the ledger cannot be written, or is
    memory://; 2 when the app cannot be found.
    """
    gate, place = shared_gate()
    gate.unlock(user)
    tell_deed(
        f"{user} is unlocked: attempts that were counted are forgotten.",
        "Codes of this user are taken again, at once and in every worker.",
        f"Ledger: {place}",
    )

"""The day the phone is lost: what people can do themselves, and what support does."""

from __future__ import annotations

import authenticators
import backup_codes
import click
import sessions
import users
from extensions import stepup
from flask import Blueprint
from flask import render_template
from flask.typing import ResponseReturnValue
from storage import transaction

pages = Blueprint("support", __name__, cli_group=None)


@pages.get("/lost-phone")
def lost_phone() -> ResponseReturnValue:
    return render_template("lost_phone.html")


@pages.cli.command("remove-authenticator")
@click.argument("email")
def remove_authenticator(email: str) -> None:
    """Let somebody start anew who has neither phone nor backup codes.

    Make sure who is asking before: whoever talks you into this needs nothing but the
    password from then on. The command signs the account out everywhere, and lifts a
    lock-out, which somebody else may have caused.
    """
    user = users.with_email(email)
    if user is None:
        raise click.ClickException(f"nobody has the address {email}")
    with transaction() as db:
        authenticators.remove(db, user.user_id)
        backup_codes.remove(db, user.user_id)
        sessions.end_everywhere(db, user.user_id)
    stepup.unlock(user.user_id)
    click.echo(f"{user.email} signs in with the password, and sets up a new one.")

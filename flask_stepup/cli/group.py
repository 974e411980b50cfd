"""The group ``flask stepup``, and what all its commands have in common."""

from __future__ import annotations

import os

import click


@click.group()
@click.pass_context
def stepup(context: click.Context) -> None:
    """Step-up re-verification: look at an app, help its people, try it out.

    \b
      flask --app bank stepup check           is the configuration good?
      flask --app bank stepup routes          what asks for a code, and what not?
      flask --app bank stepup unlock alice    too many wrong codes
      flask --app bank stepup revoke alice    account taken over
      flask stepup sandbox                    a backend for development

    Each command has a --help of its own, with its exit statuses.
    """
    # https://no-color.org, which click leaves to its users.
    if os.environ.get("NO_COLOR"):
        context.color = False

"""What makes a bank a demo: who checks the codes, and how it is started."""

from __future__ import annotations

import atexit
import logging
import os
import socket
import sys
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import ExitStack
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import click
from authenticator import authenticator
from flask import Flask
from werkzeug.serving import make_server

from flask_stepup import ConfigurationError
from flask_stepup.sandbox import demo_users
from flask_stepup.sandbox import Sandbox
from flask_stepup.sandbox import SandboxUser

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Backend:
    """Who checks the codes.

    :param people: names of those who may sign in, by user id.
    :param settings: of the app.
    :param users: whose codes the pages show; nobody's but a sandbox's.
    """

    people: dict[str, str]
    settings: dict[str, Any] = field(default_factory=dict)
    users: tuple[SandboxUser, ...] = ()

    def add_authenticator(self, app: Flask) -> None:
        """Show the codes on the pages, where there is a sandbox."""
        if self.users:
            app.register_blueprint(authenticator(app, self.users))


def find_backend() -> Backend:
    """Return :func:`open_backend`'s, open until the process ends."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(open_backend())


@contextmanager
def open_backend() -> Iterator[Backend]:
    """Yield Clerk, if the environment has a key for it, and else a sandbox."""
    if os.environ.get("CLERK_SECRET_KEY"):
        yield clerk()
    else:
        with sandbox() as backend:
            yield backend


def clerk() -> Backend:
    """Return Clerk itself; the extension reads the key from the environment."""
    user_id = os.environ.get("CLERK_USER_ID")
    if not user_id:
        sys.exit(
            "CLERK_SECRET_KEY is set, so set CLERK_USER_ID too: to the user_... at "
            "Clerk who is to be Alice."
        )
    return Backend({user_id: "Alice"})


@contextmanager
def sandbox() -> Iterator[Backend]:
    """Run a sandbox of Clerk's backend API on this machine."""
    users = tuple(user for user in demo_users() if user.totp_secret)
    backend = Sandbox(users)
    with backend.serve(HOST) as url:
        yield Backend(
            people={user.user_id: user.name for user in users},
            settings={
                "STEPUP_CLERK_API_URL": url,
                "STEPUP_CLERK_SECRET_KEY": backend.secret_key,
            },
            users=users,
        )


def serve(create_app: Callable[[Backend], Flask]) -> None:
    """Serve on this machine until Ctrl-C."""
    try:
        # The port first: nothing else is worth starting without it.
        with _listener() as listener, open_backend() as backend:
            port = listener.getsockname()[1]
            server = make_server(
                HOST, port, create_app(backend), threaded=True, fd=listener.fileno()
            )
            _log_answers()
            click.echo(_welcome(f"http://{HOST}:{port}", backend))
            server.serve_forever()
    except KeyboardInterrupt:
        pass
    except ConfigurationError as error:
        sys.exit(str(error))
    click.echo("\nHarbour Bank is closed.")


def _listener() -> socket.socket:
    text = os.environ.get("PORT") or "5000"
    port = int(text) if text.isascii() and text.isdigit() else -1
    if not 0 <= port <= 65_535:
        sys.exit(f"PORT={text} is no port: use a number, as in PORT=5001")
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        cause = os.strerror(error.errno or 0)
        sys.exit(f"Port {port} cannot be used ({cause}): try another, as in PORT=5001")


def _welcome(address: str, backend: Backend) -> str:
    names = " or ".join(backend.people.values())
    if backend.users:
        where = """\
  The code is on the page, or scan the QR code there with your phone.
  It is checked by a sandbox on this machine, as Clerk's backend API would.

  With a real Clerk user in place of Alice:
    CLERK_SECRET_KEY=sk_test_... CLERK_USER_ID=user_... make demo"""
    else:
        where = f"""\
  The code is in the authenticator app of {names}, and Clerk checks it."""
    return f"""
  {click.style(f"Harbour Bank is open at {address}", bold=True)}

  Sign in as {names}, without a password. What matters asks for a code.
{where}

  Ctrl-C closes the bank.
"""


def _log_answers() -> None:
    """Show what is asked of the sandbox, and not each picture a browser loads."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("  %(asctime)s  %(message)s", "%H:%M:%S"))
    log = logging.getLogger("flask_stepup.sandbox")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)

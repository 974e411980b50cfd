"""What makes Signpost a demo: who checks the codes, and how it is started."""

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
from code_panel import code_panel
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

    :param users: who may sign in, and whose codes the pages show.
    :param settings: of the app.
    """

    users: tuple[SandboxUser, ...]
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def people(self) -> dict[str, str]:
        """Names by user id."""
        return {user.user_id: user.name for user in self.users}

    def add_code_panel(self, app: Flask) -> None:
        """Show the codes on the pages."""
        app.register_blueprint(code_panel(app, self.users))


def find_backend() -> Backend:
    """Return :func:`sandbox`'s, open until the process ends."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(sandbox())


@contextmanager
def sandbox() -> Iterator[Backend]:
    """Run a sandbox of Clerk's backend API on this machine."""
    users = tuple(user for user in demo_users() if user.totp_secret)
    backend = Sandbox(users)
    with backend.serve(HOST) as url:
        settings = {
            "STEPUP_CLERK_API_URL": url,
            "STEPUP_CLERK_SECRET_KEY": backend.secret_key,
        }
        yield Backend(users, settings)


def serve(create_app: Callable[[Backend], Flask]) -> None:
    """Serve on this machine until Ctrl-C."""
    try:
        # The port first: nothing else is worth starting without it.
        with _listener() as listener, sandbox() as backend:
            port = listener.getsockname()[1]
            app = create_app(backend)
            server = make_server(HOST, port, app, threaded=True, fd=listener.fileno())
            logging.getLogger("werkzeug").setLevel(logging.WARNING)
            click.echo(_welcome(f"http://{HOST}:{port}", backend))
            server.serve_forever()
    except KeyboardInterrupt:
        pass
    except ConfigurationError as error:
        sys.exit(str(error))
    click.echo("\nSignpost is closed.")


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
    return f"""
  {click.style(f"Signpost is open at {address}", bold=True)}

  Sign in as {names}, without a password, and open a domain. Change a record: it asks
  for a code, which is on the page, and what you typed is still there.
  The code is checked by a sandbox on this machine, as Clerk's backend API would.

  Ctrl-C closes it.
"""

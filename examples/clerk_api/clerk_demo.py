"""What makes an API a demo: Clerk or a sandbox behind it, and how it is started."""

from __future__ import annotations

import atexit
import logging
import os
import sys
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import ExitStack
from dataclasses import dataclass
from dataclasses import field
from socket import create_server
from socket import socket
from typing import Any

import click
from clerk_js import ClerkJS
from clerk_js import STRICT
from flask import Flask
from sandbox_clerk import sandbox_clerk
from werkzeug.serving import make_server

from flask_stepup import ConfigurationError
from flask_stepup.sandbox import demo_users
from flask_stepup.sandbox import Sandbox

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Backend:
    """Clerk, or what stands in for it.

    :param settings: of the app; those of Clerk are in the environment.
    :param clerk_js: Clerk's JavaScript, None where a sandbox has a stand-in for it.
    :param sandbox: None where Clerk itself checks the codes.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    clerk_js: ClerkJS | None = None
    sandbox: Sandbox | None = None

    def add_front_end(self, app: Flask) -> None:
        """Give the page Clerk's JavaScript, or mount the stand-in."""
        app.jinja_env.globals["clerk_js"] = self.clerk_js
        if self.sandbox and not self.clerk_js:
            app.register_blueprint(sandbox_clerk(app, self.sandbox))


def find_backend() -> Backend:
    """Return :func:`open_backend`'s, open until the process ends."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(open_backend())


@contextmanager
def open_backend() -> Iterator[Backend]:
    """Yield Clerk, if the environment has a key of it, and else a sandbox."""
    if any(os.environ.get(f"CLERK_{kind}_KEY") for kind in ("SECRET", "PUBLISHABLE")):
        yield clerk()
    else:
        with sandbox() as backend:
            yield backend


def clerk() -> Backend:
    """Return Clerk itself; the extension reads its own keys from the environment."""
    for kind in ("SECRET", "PUBLISHABLE"):
        if not os.environ.get(f"CLERK_{kind}_KEY"):
            sys.exit(
                f"CLERK_{kind}_KEY is missing: for Clerk, set both CLERK_SECRET_KEY "
                "and CLERK_PUBLISHABLE_KEY, from the API keys page of its dashboard."
            )
    try:
        clerk_js = ClerkJS.of(os.environ["CLERK_PUBLISHABLE_KEY"])
    except ValueError as error:
        sys.exit(f"CLERK_PUBLISHABLE_KEY cannot be used: {error}")
    policy = clerk_js.content_security_policy
    return Backend({"CONTENT_SECURITY_POLICY": policy}, clerk_js)


@contextmanager
def sandbox() -> Iterator[Backend]:
    """Run a sandbox of Clerk on this machine."""
    backend = Sandbox(demo_users())
    with backend.serve(HOST) as url:
        settings = {
            "STEPUP_CLERK_API_URL": url,
            "STEPUP_CLERK_SECRET_KEY": backend.secret_key,
            "STEPUP_CLERK_JWT_KEY": backend.jwt_key,
            "CONTENT_SECURITY_POLICY": STRICT,
        }
        yield Backend(settings, sandbox=backend)


def serve(create_app: Callable[[Backend], Flask]) -> None:
    """Serve on this machine until Ctrl-C."""
    try:
        # The port first: nothing else is worth starting without it.
        with _listener() as listener, open_backend() as backend:
            _serve(create_app(backend), backend, listener)
    except KeyboardInterrupt:
        pass
    except ConfigurationError as error:
        sys.exit(str(error))
    click.echo("\nTern has landed.")


def _serve(app: Flask, backend: Backend, listener: socket) -> None:
    port = listener.getsockname()[1]
    log = logging.getLogger("flask_stepup.sandbox")
    log.addHandler(logging.StreamHandler())
    log.setLevel(logging.INFO)
    # Each file that a browser loads, and each look at the code of the moment.
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = make_server(HOST, port, app, threaded=True, fd=listener.fileno())
    click.echo(_welcome(f"http://{HOST}:{port}", backend))
    server.serve_forever()


def _listener() -> socket:
    text = os.environ.get("PORT") or "5000"
    try:
        return create_server((HOST, int(text) if text.isascii() else -1))
    except (OverflowError, ValueError):
        sys.exit(f"PORT={text} is no port: use a number, as in PORT=5001")
    except OSError as error:
        cause = os.strerror(error.errno or 0)
        sys.exit(f"Port {text} cannot be used ({cause}): try another, as in PORT=5001")


def _welcome(address: str, backend: Backend) -> str:
    title = click.style(f"Tern is at {address}", bold=True)
    if backend.clerk_js:
        where = f"""\
  Sign in with Clerk ({backend.clerk_js.host}), as somebody who has an
  authenticator app there. The code is in that app."""
    else:
        where = """\
  Sign in as Alice or Bob. The code is on the page.
  Clerk's part is played by a sandbox on this machine. With Clerk itself:
    CLERK_SECRET_KEY=sk_test_... CLERK_PUBLISHABLE_KEY=pk_test_... \\
      make demo EXAMPLE=clerk_api"""
    return f"""
  {title}

  Each button calls the API, and beside it is what goes over the wire.
{where}

  Ctrl-C ends it.
"""

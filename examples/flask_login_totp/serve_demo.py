"""How the demo is started."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Callable

import click
from flask import Flask
from pretend_phone import add_pretend_phone
from werkzeug.serving import make_server

from flask_stepup import ConfigurationError

HOST = "127.0.0.1"


def serve(create_app: Callable[[], Flask]) -> None:
    """Serve on this machine until Ctrl-C."""
    try:
        # The port first: nothing else is worth starting without it.
        with _listener() as listener:
            port = listener.getsockname()[1]
            app = create_app()
            add_pretend_phone(app)
            server = make_server(HOST, port, app, threaded=True, fd=listener.fileno())
            logging.getLogger("werkzeug").setLevel(logging.WARNING)
            click.echo(_welcome(f"http://{HOST}:{port}", app))
            server.serve_forever()
    except KeyboardInterrupt:
        pass
    except ConfigurationError as error:
        sys.exit(str(error))
    click.echo("\nDovecote is closed.")


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


def _welcome(address: str, app: Flask) -> str:
    return f"""
  {click.style(f"Dovecote is open at {address}", bold=True)}

  Sign up with any address: no mail is sent. Then set up an authenticator: scan the
  QR code with your phone, or take the codes from the pretend phone beside the page.

  Accounts are kept in {os.path.relpath(app.config["DATABASE"])}

  Ctrl-C closes it.
"""

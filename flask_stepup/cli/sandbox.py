"""``flask stepup sandbox``: a backend for development, which needs no app."""

from __future__ import annotations

import io
import logging
import signal
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from ..sandbox import Sandbox
    from ..sandbox import SandboxUser


@click.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Where to listen: an address of this machine alone.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=0,
    show_default=True,
    help="Where to listen; 0 takes any port that is free.",
)
@click.option(
    "--secret-key",
    metavar="sk_test_...",
    help="The key to ask for.  [default: a new one]",
)
@click.option(
    "--qr/--no-qr",
    default=None,
    help="Whether to draw QR codes to scan.  [default: on a terminal]",
)
def sandbox(host: str, port: int, secret_key: str | None, qr: bool | None) -> None:
    """Run a local server that answers like Clerk's backend API.

    It knows three people: Alice and Bob, whose codes it tells you, and Carol, who
    has no authenticator. Copy the two settings that it prints into your app's
    config, let your subject_loader return one of the user ids, and go through a
    prompt without an account anywhere.

    The codes are new at every start. Settings stay the same if you choose both:

    \b
      flask stepup sandbox --port 5055 --secret-key sk_test_local

    Never for production: whoever reads this screen knows every code.

    Exit status: 0 when it was stopped, 1 when it could not begin.
    """
    from ..sandbox import demo_users
    from ..sandbox import Sandbox

    try:
        backend = Sandbox(demo_users(), secret_key)
        with suppress(KeyboardInterrupt), backend.serve(host, port) as url:
            drawn = _can_draw() if qr is None else qr
            _log_answers()
            click.echo(_introduction(backend, url, drawn))
            _stay(backend)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from None
    except UnicodeEncodeError:
        raise click.ClickException(
            "this output cannot show QR codes: add --no-qr, or set PYTHONUTF8=1"
        ) from None
    click.echo("\nThe sandbox has stopped.")


def _introduction(backend: Sandbox, url: str, qr: bool) -> str:
    people = (_about(user, qr) for user in backend.users)
    return "\n".join(
        (
            click.style(f"The sandbox listens on {url}", bold=True),
            "It answers like Clerk's backend API, and only to this machine.",
            "",
            *people,
            click.style("Settings for your app", bold=True)
            + ", whose subject_loader returns one of these user ids",
            "",
            f'STEPUP_CLERK_API_URL = "{url}"',
            f'STEPUP_CLERK_SECRET_KEY = "{backend.secret_key}"',
            "",
            "Enter shows the codes of the moment, Ctrl-C stops the sandbox."
            if _on_terminal()
            else "Ctrl-C stops the sandbox.",
        )
    )


def _about(user: SandboxUser, qr: bool) -> str:
    lines = [click.style(user.name, bold=True), _row("user id", user.user_id)]
    if user.totp_secret is None:
        lines.append("  no authenticator enrolled: every code is refused")
        return "\n".join([*lines, ""])
    lines += [
        _row("TOTP secret", user.totp_secret),
        _row("otpauth URI", user.otpauth_uri),
        _row("backup codes", " ".join(user.backup_codes[:5])),
        _row("", " ".join(user.backup_codes[5:])),
        _row("code now", f"{user.current_code()}  (good for {_seconds_left()} s)"),
    ]
    return "\n".join([*lines, "", *([_qr_code(user.otpauth_uri)] if qr else [])])


def _row(label: str, value: str) -> str:
    return f"  {label:<14}{value}"


def _qr_code(text: str) -> str:
    try:
        import segno
    except ImportError:
        raise ConfigurationError(
            "QR codes need segno: run pip install 'flask-stepup[sandbox]', or add "
            "--no-qr"
        ) from None
    drawing = io.StringIO()
    segno.make(text, error="l", micro=False).terminal(drawing, border=2, compact=True)
    # Blocks are the light parts. Cameras want them light on a light terminal too.
    lines = drawing.getvalue().splitlines()
    return "".join(
        f"  {click.style(line, fg='bright_white', bg='black')}\n" for line in lines
    )


def _stay(backend: Sandbox) -> None:
    """Return at the end of the input (Ctrl-D) on a terminal, and otherwise never."""
    if _on_terminal():
        # Reading while in the background would stop the process, server and all.
        if hasattr(signal, "SIGTTIN"):
            signal.signal(signal.SIGTTIN, signal.SIG_IGN)
        with suppress(OSError):
            for _ in sys.stdin:
                click.echo(_codes_now(backend))
            return
    while True:
        time.sleep(3_600)


def _codes_now(backend: Sandbox) -> str:
    enrolled = (user for user in backend.users if user.totp_secret is not None)
    codes = "  ".join(f"{user.name} {user.current_code()}" for user in enrolled)
    return f"{codes}  (good for {_seconds_left()} s)"


def _seconds_left() -> int:
    """Seconds for which the current code is taken still."""
    from ..sandbox.users import STEP
    from ..sandbox.users import STEPS_ASIDE

    return STEP * (STEPS_ASIDE + 1) - int(time.time()) % STEP


def _log_answers() -> None:
    log = logging.getLogger("flask_stepup.sandbox")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%H:%M:%S"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)


def _on_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _can_draw() -> bool:
    return sys.stdout.isatty() and sys.stdout.encoding.lower().startswith("utf")

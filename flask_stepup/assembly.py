"""From an app's configuration to its gate."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask

from .admission import Admission
from .gate import Gate
from .ledger import open_ledger
from .loaders import loader_finder
from .settings import Settings
from .settings import signing_keys
from .signing import Signer
from .subject import SubjectLoader
from .verification import Verifier
from .verifiers import clerk_verifier


def assemble(
    app: Flask,
    verifier: Verifier | None,
    own_loader: Callable[[], SubjectLoader | None],
) -> Gate:
    """Read the settings, once, and return the gate that they make.

    :param verifier: of the app's own; without one it is Clerk.
    :param own_loader: finds the app's own subject loader, if it has one by then.
    :raises ConfigurationError: something is missing, or cannot work.
    """
    settings = Settings.read(app)
    api = settings.backend_api()
    return Gate(
        settings,
        signer=Signer(signing_keys(app)),
        verifier=clerk_verifier(api) if verifier is None else verifier,
        ledger=open_ledger(
            settings.storage_uri,
            settings.storage_timeout,
            app.instance_path,
            app.name,
            leeway=settings.clock_leeway,
        ),
        admission=Admission(
            loader_finder(app, settings, api, own_loader),
            settings.allow_impersonation,
        ),
    )

"""The app under review, and what its backend has told."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from functools import cached_property

from flask import Flask

from ...clerk import Probe
from ...clerk_session import ClerkSession
from ...errors import ConfigurationError
from ...errors import VerifierError
from ...gate import Gate
from ...settings import Settings
from ...subject import SubjectLoader
from ...verifiers import ClerkVerifier


@dataclass(frozen=True)
class Review:
    """What the checks look at; they change nothing of it."""

    app: Flask
    gate: Gate

    @property
    def settings(self) -> Settings:
        return self.gate.settings

    @property
    def is_development(self) -> bool:
        """Whether the app runs on a developer's own machine."""
        return self.app.debug

    @property
    def asks_clerk(self) -> bool:
        """Whether Clerk checks the codes."""
        return isinstance(self.gate.verifier, ClerkVerifier)

    @property
    def reads_session_tokens(self) -> bool:
        """Whether Clerk's session token tells who is signed in."""
        return isinstance(self.loader, ClerkSession)

    @cached_property
    def loader(self) -> SubjectLoader | ConfigurationError:
        """What tells who is signed in, or why nothing does."""
        try:
            return self.gate.admission.find_loader()
        except ConfigurationError as error:
            return error

    @cached_property
    def backend(self) -> Probe | VerifierError | None:
        """What the backend API answers, asked once; None where there is no key for it.

        By a connection of its own: the app's may be in use.
        """
        api = self.settings.backend_api()
        if api is None:
            return None
        with closing(api):
            try:
                return api.probe()
            except VerifierError as error:
                return error

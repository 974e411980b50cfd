"""``StepUp``: reads the settings, builds the gate, mounts everything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from typing import TypeVar
from typing import Unpack

from flask import Blueprint
from flask import Flask
from flask import has_request_context

from .app_gate import current_gate
from .arrival import prepare_arrivals
from .assembly import assemble
from .code_use import grant_for_code
from .companions import join_companions
from .demand import Demand
from .demand import Demands
from .errors import ConfigurationError
from .guard import enforce
from .guard import is_met
from .guard import protect
from .policy import Level
from .policy import LEVELS
from .prompt import prompt_blueprint
from .refusal import register_renderers
from .subject import checked_loader
from .subject import load_subject
from .subject import Subject
from .subject import SubjectLoader
from .verifiers import as_verifier

F = TypeVar("F", bound=Callable[..., Any])


class StepUp:
    """The extension. It keeps only what it was constructed with: one serves many apps.

    :param app: the app to set up at once; otherwise call :meth:`init_app`.
    :param verifier: in place of Clerk: a :class:`~flask_stepup.Verifier`, or a
        function ``(user_id, code) -> Verification``.
    :param subject_loader: returns who is signed in: a :class:`~flask_stepup.Subject`,
        a user id, or None for nobody. Without it a session token of Clerk's tells,
        where its keys are configured, or Flask-Login.
    :raises ConfigurationError: the app cannot be served; the message names the mend.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        verifier: Any = None,
        subject_loader: SubjectLoader | None = None,
    ) -> None:
        self._verifier = None if verifier is None else as_verifier(verifier)
        self._subject_loader = subject_loader and checked_loader(subject_loader)
        self._serves_an_app = False
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Read the app's configuration, once, and mount the prompt.

        :raises ConfigurationError: see the class.
        """
        if "stepup" in app.extensions:
            raise ConfigurationError(
                "this app has a StepUp already: construct it with the app, or call "
                "init_app, not both"
            )
        gate = assemble(app, self._verifier, lambda: self._subject_loader)
        app.extensions["stepup"] = gate
        url_prefix = gate.settings.url_prefix
        app.register_blueprint(prompt_blueprint(app), url_prefix=url_prefix)
        app.jinja_env.globals.setdefault("is_reverified", self.is_reverified)
        register_renderers(app)
        # Last set up, so that it is first of all when a request comes.
        prepare_arrivals(app, join_companions)
        self._serves_an_app = True

    def subject_loader(self, loader: F) -> F:
        """Register a function that returns who is signed in (see the class)."""
        self._subject_loader = checked_loader(loader)
        return loader

    def verifier(self, verifier: F) -> F:
        """Register a function ``(user_id, code) -> Verification``, before the app.

        :raises ConfigurationError: an app has been set up without it already.
        """
        if self._serves_an_app:
            raise ConfigurationError(
                "this verifier comes too late to be asked: register it before "
                "init_app, or pass verifier= to StepUp"
            )
        self._verifier = as_verifier(verifier)
        return verifier

    def require(self, preset: str | None = None, /, **demands: Unpack[Demands]) -> None:
        """Return if the person meets the policy, inside a view.

        Takes what :func:`~flask_stepup.require_reverification` takes.

        :raises Refusal: an HTTP exception, for Flask to answer with: mostly
            :class:`~flask_stepup.ReverificationRequired`.
        """
        enforce(Demand(preset, **demands))

    def is_reverified(
        self, preset: str | None = None, /, **demands: Unpack[Demands]
    ) -> bool:
        """Whether the person meets the policy; also a global in templates.

        It spends nothing: where an approval is needed, it tells whether there is one.
        False when nobody is signed in or the ledger cannot answer.
        """
        demand = Demand(preset, **demands)
        return has_request_context() and is_met(demand)

    def protect(
        self,
        blueprint: Blueprint,
        preset: str | None = None,
        /,
        **demands: Unpack[Demands],
    ) -> None:
        """Guard all views of a blueprint, and of those nested in it, but static files.

        :raises ConfigurationError: the policy is none, or the blueprint is registered
            already.
        """
        protect(blueprint, Demand(preset, **demands))

    def subject(self) -> Subject | None:
        """Return who is signed in, None for nobody, as the guard sees it."""
        return load_subject(current_gate().admission.find_loader())

    def grant(
        self,
        level: Level = "second_factor",
        scope: str = "",
        *,
        code: str | None = None,
    ) -> str | None:
        """Stamp a factor that the app itself has just checked, as at sign-in.

        :param code: that was right: it opens nothing more, and attempts are given back.
        :returns: the marker for a client that came with a bearer token, which has to
            send it as ``Stepup-Marker``; None where the session keeps it.
        :raises ConfigurationError: there is no such level, or it is no code.
        :raises CodeAlreadyUsed: the code has opened once before (RFC 6238, 5.2).
        :raises Refusal: nobody is signed in, or the ledger cannot answer.
        :raises SessionFull: the session's cookie has no room for a marker.
        """
        if not isinstance(level, str) or level not in LEVELS:
            raise ConfigurationError(
                f"{level!r} is not a level: use one of {[*LEVELS]}"
            )
        if code is not None:
            return grant_for_code(current_gate(), level, scope, code)
        return current_gate().grant(level, scope)

    def forget(self) -> None:
        """End this session's elevation, in every copy of its cookie.

        Call it in a logout of your own; Flask-Login's does it by itself.

        :raises LedgerUnavailable: this browser's session is cleared all the same, but
            an old copy of its cookie may still open the gate.
        """
        current_gate().forget()

    def revoke(self, user_id: str | int) -> None:
        """End a user's elevation everywhere: password changed, account taken over.

        :raises LedgerUnavailable: it has not ended.
        """
        current_gate().revoke(user_id)

    def unlock(self, user_id: str | int) -> None:
        """Lift a user's lock-out after too many attempts.

        :raises LedgerUnavailable: it has not been lifted.
        """
        current_gate().unlock(user_id)

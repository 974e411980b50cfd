"""``record_signals``: what an app has told the outside."""

from __future__ import annotations

import pytest
from conftest import MakeApp
from flask import Flask
from people import Person

from flask_stepup import ConfigurationError
from flask_stepup import signals
from flask_stepup import StepUp
from flask_stepup.testing import FakeVerifier
from flask_stepup.testing import record_signals
from flask_stepup.testing import use_verifier


def test_signals_are_recorded_in_order(make_app: MakeApp, stepup: StepUp) -> None:
    """With their names and arguments, for as long as the context lasts."""
    app = make_app(stepup=stepup)
    alice = Person(app, "alice")
    with record_signals(app) as recorded, use_verifier(app, FakeVerifier()):
        prompt = alice.prompted()
        alice.answer(prompt, "000000")
        alice.answer(prompt, "123456")
        with app.app_context():
            stepup.revoke("alice")
    alice.prompted()

    assert recorded.names == [
        "reverification_required",
        "reverification_failed",
        "reverification_succeeded",
        "elevation_revoked",
    ]
    required, failed = recorded[:2]
    assert required.arguments["user_id"] == "alice"
    assert required.arguments["cause"] == "missing"
    assert failed.arguments["error"].attempts_remaining == 4
    (succeeded,) = recorded.of("reverification_succeeded")
    assert succeeded["code_type"] == "totp"
    assert recorded.of("attempts_exhausted") == []


def test_a_lock_out_is_recorded(app: Flask) -> None:
    """By every signal that there is."""
    alice = Person(app, "alice")
    with record_signals(app) as recorded, use_verifier(app, FakeVerifier()):
        prompt = alice.prompted()
        for _ in range(6):
            alice.answer(prompt, "000000")

    assert recorded.names.count("attempts_exhausted") == 1
    assert recorded.names.count("reverification_failed") == 6


def test_other_apps_are_not_recorded(make_app: MakeApp) -> None:
    """The sender is looked at."""
    one, two = make_app(), make_app()
    with record_signals(one) as recorded:
        Person(two, "alice").prompted()

    assert recorded == []


def test_a_signal_that_there_is_not(app: Flask) -> None:
    """A name that is misspelled would be found nowhere, and a test would pass."""
    with record_signals(app) as recorded:
        pass

    with pytest.raises(ConfigurationError, match="'reverification_succeeded'"):
        recorded.of("reverification_suceeded")


def test_every_signal_is_one_of_them(app: Flask) -> None:
    """Those that are added later too."""
    named = {name for name, found in vars(signals).items() if hasattr(found, "send")}
    with record_signals(app) as recorded:
        for name in sorted(named):
            getattr(signals, name).send(app)

    assert recorded.names == sorted(named)
    assert len(named) == 7


def test_nothing_stays_connected(app: Flask) -> None:
    """After the context, and after an error in it."""
    with pytest.raises(ZeroDivisionError), record_signals(app):
        raise ZeroDivisionError

    assert not any(signals.reverification_required.receivers_for(app))

"""Fixtures for pytest, found by themselves wherever flask-stepup is installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from flask import Flask

    from . import Clock
    from . import FakeVerifier
    from . import RecordedSignals

# What the fixtures need is imported by them: whoever uses none pays for none.


@pytest.fixture
def stepup_app(request: pytest.FixtureRequest) -> Flask:
    """The app under test: your fixture `app`, if you do not override this one."""
    app: Flask = request.getfixturevalue("app")
    return app


@pytest.fixture
def stepup_verifier(stepup_app: Flask) -> Iterator[FakeVerifier]:
    """A FakeVerifier in place of the app's own; "123456" is right."""
    from . import FakeVerifier
    from . import use_verifier

    with use_verifier(stepup_app, FakeVerifier()) as verifier:
        yield verifier


@pytest.fixture
def stepup_signals(stepup_app: Flask) -> Iterator[RecordedSignals]:
    """The signals that the app has sent during this test, in order."""
    from . import record_signals

    with record_signals(stepup_app) as recorded:
        yield recorded


@pytest.fixture
def stepup_clock() -> Iterator[Clock]:
    """The time of day, which stands still until the test moves it."""
    from . import Clock

    with Clock() as clock:
        yield clock

"""What all errors of this package have in common."""

from __future__ import annotations


class StepUpError(Exception):
    """The root of all errors of this package."""


class ConfigurationError(StepUpError, ValueError):
    """A setting, argument or callback is wrong; the message says how to mend it."""

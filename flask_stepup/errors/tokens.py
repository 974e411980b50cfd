"""Tokens that are not what they have to be."""

from __future__ import annotations

from .root import StepUpError


class InvalidToken(StepUpError):
    """A token is not what it has to be: not ours, of another person, or of no one."""


class OperationOver(InvalidToken):
    """What this challenge could approve cannot be approved any more."""


class OperationSpent(OperationOver):
    """It has been approved, and was carried out."""


class OperationVoided(OperationOver):
    """There were too many tries without a right code."""


class TokenExpired(StepUpError):
    """A challenge was signed by us for this person, but too long ago."""

"""Clerk, TOTP secrets of your own, or any other verifier, behind one protocol."""

from __future__ import annotations

from .asking import as_verifier as as_verifier
from .asking import ask as ask
from .clerk import clerk_verifier as clerk_verifier
from .clerk import ClerkVerifier as ClerkVerifier
from .totp import TOTPVerifier as TOTPVerifier

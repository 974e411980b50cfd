"""Clerk's backend API, as far as it is needed to check a code."""

from __future__ import annotations

from .backend_api import API_URL as API_URL
from .backend_api import ClerkBackendAPI as ClerkBackendAPI

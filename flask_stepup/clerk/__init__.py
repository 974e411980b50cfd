"""Clerk's backend API, as far as it is needed: for codes, and for session tokens."""

from __future__ import annotations

from .backend_api import API_URL as API_URL
from .backend_api import ClerkBackendAPI as ClerkBackendAPI
from .configuration import is_loopback as is_loopback
from .probe import Probe as Probe
from .published_keys import PublishedKeys as PublishedKeys

"""A local server that answers like Clerk's backend API, for demos and tests."""

from __future__ import annotations

from .backend import Sandbox as Sandbox
from .users import demo_users as demo_users
from .users import SandboxUser as SandboxUser

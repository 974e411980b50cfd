"""A stand-in for Clerk's front end, over the people of a sandbox: for this demo alone.

Clerk has two halves that a browser sees: a Frontend API, which keeps people signed in,
and JavaScript, which shows its modals and holds the session token. Both are played
here, as far as the demo needs them. Nothing of this belongs in a real app.
"""

from __future__ import annotations

from .frontend_api import sandbox_clerk as sandbox_clerk

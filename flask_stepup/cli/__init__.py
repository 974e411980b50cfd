"""``flask stepup …``: commands for developers, and for whoever runs their apps."""

from __future__ import annotations

from .check import check
from .group import stepup as stepup
from .revoke import revoke
from .routes import routes
from .sandbox import sandbox
from .unlock import unlock

for _command in (check, routes, unlock, revoke, sandbox):
    stepup.add_command(_command)

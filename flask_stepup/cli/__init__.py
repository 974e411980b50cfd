"""``flask stepup …``: commands for developers, and for whoever runs their apps."""

from __future__ import annotations

from .group import stepup as stepup
from .sandbox import sandbox

for _command in (sandbox,):
    stepup.add_command(_command)

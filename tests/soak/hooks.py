"""gunicorn's configuration: each worker tells when it serves."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def post_worker_init(worker: Any) -> None:
    """Leave a file with the number of the process, in the folder of the soak."""
    Path(f"serving-{os.getpid()}").touch()

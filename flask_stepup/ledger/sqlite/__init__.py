"""The ledger in a SQLite file: all workers of one machine, with nothing to install."""

from __future__ import annotations

from .ledger import SQLiteLedger as SQLiteLedger

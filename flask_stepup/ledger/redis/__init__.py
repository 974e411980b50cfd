"""The ledger in Redis or Valkey: workers on any number of machines.

Its modules import redis-py, so this folder is imported when it is used.
"""

from __future__ import annotations

from .address import Address as Address
from .ledger import RedisLedger as RedisLedger

"""What all workers must remember together, behind one small protocol."""

from __future__ import annotations

from .limits import Limit as Limit
from .opening import open_ledger as open_ledger
from .protocol import Ledger as Ledger
from .values import Exhausted as Exhausted
from .values import LEDGER_ID_LENGTH as LEDGER_ID_LENGTH
from .values import Repeated as Repeated
from .values import Settlement as Settlement
from .values import Spending as Spending
from .values import Standing as Standing
from .values import Ticket as Ticket

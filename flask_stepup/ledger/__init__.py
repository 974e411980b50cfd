"""What all workers must remember together, behind one small protocol."""

from __future__ import annotations

from .limits import Limit as Limit
from .opening import open_ledger as open_ledger
from .protocol import Exhausted as Exhausted
from .protocol import Ledger as Ledger
from .protocol import LEDGER_ID_LENGTH as LEDGER_ID_LENGTH
from .protocol import Settlement as Settlement
from .protocol import Spending as Spending
from .protocol import Standing as Standing
from .protocol import Ticket as Ticket

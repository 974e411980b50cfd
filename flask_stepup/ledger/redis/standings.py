"""Standings, as the scripts tell them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..values import LEDGER_ID_LENGTH
from ..values import Standing


def read_standing(told: Sequence[Any], approvals: Sequence[str] = ()) -> Standing:
    """Read what a script has told.

    :param told: id, time, revocations of session, user and login, each None where
        there is none, and for each of the approvals whether it is spent.
    :raises ValueError: it is something else, and so cannot be trusted.
    :raises TypeError: the same.
    """
    ledger_id, told_at, session, user, login, *spent = told
    if len(ledger_id) != LEDGER_ID_LENGTH:
        raise ValueError("no id of a ledger")
    revocations = [text.split(" ") for text in (user, login) if text is not None]
    return Standing(
        ledger_id,
        "".join(generation for generation, _ in revocations),
        max((float(at) for _, at in revocations), default=-math.inf),
        session is not None,
        frozenset(a for a, is_spent in zip(approvals, spent, strict=True) if is_spent),
        float(told_at),
    )

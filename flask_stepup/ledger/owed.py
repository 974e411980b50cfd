"""Attempts that could not be given back yet: they are, with the next one."""

from __future__ import annotations

from collections.abc import Collection

#: Users whose attempts are remembered, and how many of each.
MOST_USERS = 1_000
MOST_EACH = 20


class Owed:
    """Attempts that count against their users though they should not.

    Those that were sent to a ledger and not answered, so that nobody knows whether
    they were taken, and those whose refund failed. Of users who do not come back the
    oldest are forgotten. It has no lock, which a fork could copy while it is held.
    """

    def __init__(self) -> None:
        self._tickets: dict[str, list[str]] = {}

    def add(self, user_id: str, ticket_ids: Collection[str]) -> None:
        """Remember some attempts of a user's, if there are any."""
        if not ticket_ids:
            return
        self._tickets.setdefault(user_id, []).extend(ticket_ids)
        for oldest in list(self._tickets)[:-MOST_USERS]:
            self._tickets.pop(oldest, None)

    def take(self, user_id: str) -> list[str]:
        """Return the newest of a user's, which are no longer remembered here."""
        return self._tickets.pop(user_id, [])[-MOST_EACH:]

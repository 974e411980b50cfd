"""The ledger in Redis or Valkey: workers on any number of machines.

Each step is one script, which the server runs while it serves nobody else, by its own
clock. Every key begins with the app's prefix and leaves the server in time. The prefix
is a hash tag, so that all keys of an app are in one slot of a cluster.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from ... import records
from ...errors import ConfigurationError
from ...errors import LedgerUnavailable
from ..keys import approval_key
from ..keys import attempts_key
from ..keys import code_key
from ..keys import session_key
from ..keys import user_key
from ..limits import Limit
from ..owed import Owed
from ..values import Exhausted
from ..values import Repeated
from ..values import REVOCATION_KEPT
from ..values import Settlement
from ..values import Spending
from ..values import SPENT_KEPT
from ..values import Standing
from ..values import Ticket
from ..values import USED_CODE_KEPT
from .address import Address
from .server import Server
from .server import warn_of_eviction
from .standings import read_standing

#: Seconds that the id of a ledger is kept after its last use, and an hour more or less:
#: longer than anything that is granted under it, and shorter than a revocation is kept.
#: So where a server's clock jumps far enough to drop what is revoked, all is void.
ID_KEPT = 25 * 3_600
#: What becomes of an attempt, as the script that reserves it tells.
_TAKEN, _REPEATED = 1, 2


class RedisLedger:
    """See :class:`~flask_stepup.ledger.Ledger`.

    :param timeout: seconds that one step may take, connecting included.
    :raises ConfigurationError: the server cannot be reached or written.
    """

    def __init__(self, address: Address, timeout: float) -> None:
        self._prefix = f"{{stepup:{address.prefix}}}:"
        self._server = Server(address, timeout)
        self._owed = Owed()
        self.id = ""
        try:
            self._prove_writable()
        except LedgerUnavailable as error:
            if error.is_busy:
                place, reason = address.name, error.reason
                records.LedgerBusy(ledger=place, reason=reason).log()
                return
            raise ConfigurationError(
                f"the ledger at {address.name} cannot be used ({error.reason}): start "
                "it, mend its address, password or permissions, or point "
                "STEPUP_STORAGE_URI elsewhere"
            ) from None
        warn_of_eviction(self._server, address)

    def standing(
        self,
        user_id: str,
        nonce: str,
        session_id: str | None = None,
        approvals: Collection[str] = (),
    ) -> Standing:
        asked = list(approvals)
        with self._server.step():
            keys = self._keys(
                *_standing_names(user_id, nonce, session_id), *map(approval_key, asked)
            )
            told = self._server.run("look_up", keys, _standing_arguments())
            return self._read(told, asked)

    def still_tells(self, standing: Standing, now: float) -> bool:
        return False

    def reserve(
        self, user_id: str, limits: Sequence[Limit], name: str = ""
    ) -> Ticket | Repeated | Exhausted:
        ticket_id = f"{secrets.token_urlsafe(9)}:{name}"
        longest = max(limit.seconds for limit in limits)
        pairs = [n for limit in limits for n in (limit.count, limit.seconds)]
        owed = self._owed.take(user_id)
        arguments = [ticket_id, longest, " ".join(owed), *pairs]
        try:
            with self._server.step():
                keys = self._keys(attempts_key(user_id))
                outcome, number, until = self._server.run("reserve", keys, arguments)
                if outcome == _TAKEN:
                    return Ticket(user_id, ticket_id, number, float(until))
                if outcome == _REPEATED:
                    return Repeated()
                return Exhausted(number, float(until))
        except BaseException:
            # It may have been taken all the same, as one that was left half-way may.
            self._owed.add(user_id, [*owed, ticket_id])
            raise

    def refund(self, ticket: Ticket) -> None:
        try:
            with self._server.step():
                keys = self._keys(attempts_key(ticket.user_id))
                self._server.command("ZREM", *keys, ticket.id)
        except BaseException:
            self._owed.add(ticket.user_id, [ticket.id])
            raise

    def settle(
        self,
        user_id: str,
        nonce: str,
        code_digests: Sequence[str],
        session_id: str | None = None,
        ticket: Ticket | None = None,
    ) -> Settlement:
        ticket_id = ticket.id if ticket else ""
        arguments = [*_standing_arguments(), USED_CODE_KEPT, ticket_id]
        with self._server.step():
            keys = self._keys(
                *_standing_names(user_id, nonce, session_id),
                attempts_key(user_id),
                *map(code_key, code_digests),
            )
            *told, is_first, counts = self._server.run("settle", keys, arguments)
            return Settlement(bool(is_first), self._read(told), bool(counts))

    def spend(
        self,
        user_id: str,
        nonce: str,
        approvals: Mapping[str, str],
        session_id: str | None = None,
    ) -> Spending:
        offered = list(approvals)
        arguments = [*_standing_arguments(), SPENT_KEPT, *approvals.values()]
        with self._server.step():
            keys = self._keys(
                *_standing_names(user_id, nonce, session_id),
                *map(approval_key, offered),
            )
            *told, spent = self._server.run("spend", keys, arguments)
            standing = self._read(told, offered)
            return Spending(standing, offered[spent - 1] if spent else None)

    def clear(self, user_id: str) -> None:
        with self._server.step():
            self._server.command("DEL", *self._keys(attempts_key(user_id)))

    def revoke_session(self, nonce: str) -> None:
        self._revoke(session_key(nonce))

    def revoke_user(self, user_id: str, session_id: str | None = None) -> None:
        self._revoke(user_key(user_id, session_id))

    def close(self) -> None:
        self._server.close()

    def _revoke(self, name: str) -> None:
        with self._server.step():
            arguments = [secrets.token_urlsafe(4), REVOCATION_KEPT]
            self._server.run("revoke", self._keys(name), arguments)

    def _keys(self, *names: str) -> list[str]:
        return [self._prefix + name for name in names]

    def _read(self, told: Sequence[Any], approvals: Sequence[str] = ()) -> Standing:
        standing = read_standing(told, approvals)
        self.id = standing.ledger_id
        return standing

    def _prove_writable(self) -> None:
        # The address of a replica, or a user who may only read, is found out now.
        with self._server.step():
            self._server.command("SET", *self._keys("proof"), "", "EX", 1)
        self.standing("", "")


def _standing_names(user_id: str, nonce: str, session_id: str | None) -> Iterable[str]:
    of_user, of_login = user_key(user_id), user_key(user_id, session_id)
    return "id", session_key(nonce), of_user, of_login


def _standing_arguments() -> list[object]:
    return [secrets.token_urlsafe(4), ID_KEPT]

"""The server, asked for one step at a time, each of which ends in time."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress
from typing import Any

from redis.exceptions import BusyLoadingError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from ... import records
from ...deadline import deadline
from ...errors import LedgerUnavailable
from .address import Address
from .connections import connect
from .scripts import Scripts

#: The policy of a server that drops nothing.
_KEEPS = "noeviction"
#: What a connection breaks with.
_BREAKS = (RedisConnectionError, RedisTimeoutError, OSError)
#: What a server says, or does not say, that hangs, or has just been started.
_BUSY = (RedisTimeoutError, BusyLoadingError)
#: What a step may fail with: text that is no Unicode is among it, and what answers of
#: another shape bring about.
_FAILURES = (
    RedisError,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    RecursionError,
)


class Server:
    """Runs scripts and commands inside of :meth:`step`.

    :param timeout: seconds that one step may take, connecting included.
    """

    def __init__(self, address: Address, timeout: float) -> None:
        self._timeout = timeout
        self._client = connect(address)
        self.run = Scripts(self._client).run
        self.command: Callable[..., Any] = self._client.execute_command

    @contextmanager
    def step(self) -> Iterator[None]:
        """One step: all of it within the timeout.

        :raises LedgerUnavailable: it failed, and it may or may not have been done.
        """
        try:
            with deadline(self._timeout):
                yield
            return
        except BaseException as error:
            if not isinstance(error, ResponseError):
                # What has broken one connection has broken those that are idle, too: to
                # find out about each would cost one request each. And one that was left
                # while its answer was on its way, as by an alarm, is among them.
                self._client.connection_pool.disconnect(inuse_connections=False)
            if not isinstance(error, _FAILURES):
                raise
            is_busy = isinstance(error, _BUSY)
            failure = LedgerUnavailable(f"Redis: {_reason(error)}", is_busy=is_busy)
        # Raised here: the error above may hold what was sent.
        raise failure

    def eviction_policy(self) -> str:
        """Return what the server does when its memory is full.

        :raises LedgerUnavailable: it does not tell.
        """
        with self.step():
            memory: Any = self._client.info("memory")
            return str(memory["maxmemory_policy"] if memory["maxmemory"] else _KEEPS)

    def close(self) -> None:
        """Close all connections; the next step opens new ones."""
        self._client.connection_pool.disconnect()


def warn_of_eviction(server: Server, address: Address) -> None:
    """Tell a developer of a server that drops what still counts when it is full."""
    policy = "cannot be known: permit INFO"
    with suppress(LedgerUnavailable):
        policy = server.eviction_policy()
    if policy != _KEEPS:
        records.LedgerEvicts(ledger=address.name, policy=policy).log()


def _reason(error: Exception) -> str:
    """What may go into a log: further on, servers quote what they were sent."""
    kind = type(error).__name__
    if isinstance(error, ResponseError):
        word = str(error).partition(" ")[0]
        return f"{kind} {word}" if word.isalpha() and word.isupper() else kind
    return f"{kind}: {error}" if isinstance(error, _BREAKS) else kind

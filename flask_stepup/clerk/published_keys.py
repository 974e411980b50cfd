"""The keys that Clerk publishes, kept for a while and asked for again with restraint.

Which key a token claims to be signed with is the word of whoever sent it. So what a
stranger can make us ask for is bounded, and so is what a backend that is down costs.
"""

from __future__ import annotations

import math
import os
import threading
import time
import weakref
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from .. import records
from ..errors import VerifierError
from .backend_api import ClerkBackendAPI

#: Seconds after which the keys are asked for again.
FRESH = 300.0
#: Seconds that they serve on while nobody gives newer ones.
LONGEST_LIFE = 3_600.0
#: Seconds from the end of one request for keys, failed or not, to the next one. Only
#: the one that brought the first keys is followed by none, so that a key which is
#: newer than these is found at once.
LEAST_PAUSE = 10.0
#: Kids that were asked for in vain and are remembered; the oldest makes room.
MOST_UNKNOWN = 1_000
#: Characters; Clerk's kids have some thirty.
LONGEST_KID = 200


class _Known(NamedTuple):
    """What the backend said last, and when; never changed, only replaced."""

    keys: Mapping[str, Mapping[str, Any]]
    since: float


class PublishedKeys:
    """The public keys of a Clerk instance by their ``kid``; safe between threads.

    A kid that nobody knows is asked for once. If it is published later, it comes with
    the keys that are asked for every few minutes.

    :param api: where they are published.
    :param clock: seconds; where it is set back, the keys are asked for again.
    """

    def __init__(
        self, api: ClerkBackendAPI, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._api = api
        self._clock = clock
        self._known = _Known({}, -math.inf)
        self._asked_at = -math.inf
        self._unknown: dict[str, None] = {}
        self.renew()
        _caches.add(self)

    def find(self, kid: str) -> Mapping[str, Any] | None:
        """Return the JSON Web Key of this name, None where there is none. Never raises.

        A key that is known is returned at once, but for one thread every few minutes,
        which asks for newer ones first. With one that is not known, threads wait for
        the one that asks, for as long as a call to the backend may take.
        """
        if len(kid) > LONGEST_KID:
            return None
        if threading.Lock is not self._lock:
            # gevent has replaced it after the app was made: who waited for one of
            # before would stop the greenlet that it waits for.
            self.renew()
        if self._shall_ask(kid):
            self._ask_in_turn(kid, 0 if self._look_up(kid) else self._api.timeout)
        # Looked up last: another thread's answer may have come at any moment.
        return self._look_up(kid)

    def renew(self) -> None:
        """Leave a lock behind that another thread held while this process forked."""
        self._asking = threading.Lock()
        self._lock = threading.Lock

    def _ask_in_turn(self, kid: str, patience: float) -> None:
        asking = self._asking
        if asking.acquire(timeout=patience):
            try:
                # Unless somebody else has, while this thread waited.
                if self._shall_ask(kid):
                    self._ask(kid)
            finally:
                asking.release()

    def _look_up(self, kid: str) -> Mapping[str, Any] | None:
        known = self._known
        lives = self._clock() - known.since < LONGEST_LIFE
        return known.keys.get(kid) if lives else None

    def _shall_ask(self, kid: str) -> bool:
        now, known = self._clock(), self._known
        is_new = kid not in known.keys and kid not in self._unknown
        is_fresh = 0 <= now - known.since < FRESH
        is_pause = 0 <= now - self._asked_at < LEAST_PAUSE
        return (is_new or not is_fresh) and not is_pause

    def _ask(self, kid: str) -> None:
        failure, had_none = "", self._known.since == -math.inf
        try:
            self._keep(self._api.jwks(), kid)
        except VerifierError as error:
            # Made for logs, without a secret.
            failure = str(error)
        except Exception as error:
            failure = type(error).__name__
        finally:
            are_the_first = had_none and self._known.since > -math.inf
            self._asked_at = -math.inf if are_the_first else self._clock()
        if failure:
            records.SessionKeysUnavailable(reason=failure).log()

    def _keep(self, keys: list[dict[str, Any]], asked_for: str) -> None:
        by_kid: dict[str, Mapping[str, Any]] = {}
        for key in keys:
            kid = key.get("kid")
            if isinstance(kid, str):
                by_kid.setdefault(kid, key)
        self._known = _Known(by_kid, self._clock())
        if asked_for not in by_kid:
            if len(self._unknown) >= MOST_UNKNOWN:
                del self._unknown[next(iter(self._unknown))]
            self._unknown[asked_for] = None


#: A lock that is held during a fork stays held in the child, where nobody lets go.
_caches: weakref.WeakSet[PublishedKeys] = weakref.WeakSet()


def _renew_after_fork() -> None:
    for cache in list(_caches):
        cache.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_after_fork)

"""The ledger, and the clocks that it relies on."""

from __future__ import annotations

from logging import ERROR
from logging import WARNING

from .record import Record


class LedgerUnavailable(Record):
    """The ledger could not answer, and nothing was opened: guarded requests get 503.

    See to its server, disk or permissions: `reason` says what failed.
    """

    name = "ledger_unavailable"
    level = ERROR
    message = "nothing could be opened, since the ledger cannot answer: %(reason)s"

    reason: str


class LedgerBusy(Record):
    """The ledger was there but too busy to answer when a worker started, which went on.

    See whether `ledger_unavailable` follows. If not, it was loading or locked, and is
    well by now.
    """

    name = "ledger_busy"
    level = ERROR
    message = "the ledger %(ledger)s is busy: %(reason)s"

    ledger: str
    reason: str


class LedgerEvicts(Record):
    """At start: the server drops what still counts when its memory is full.

    Set its `maxmemory-policy` to `noeviction`, or permit `INFO` where it cannot be
    known. Until then what was revoked or used may open again.
    """

    name = "ledger_evicts"
    level = WARNING
    message = (
        "the ledger at %(ledger)s may drop what still counts (maxmemory-policy "
        "%(policy)s), so that what was revoked or used opens again: set it to "
        "noeviction"
    )

    ledger: str
    policy: str


class OtherLedger(Record):
    """A token came that was made with another ledger; once per app and process.

    Point `STEPUP_STORAGE_URI` of all workers at the same ledger. If it was emptied or
    replaced just now, all is as it should be.
    """

    name = "other_ledger"
    level = ERROR
    message = (
        "a token was made with another ledger, so people are asked for codes again and "
        "again: point STEPUP_STORAGE_URI of all workers at the same one (memory:// is "
        "private to each process); if it was emptied or replaced just now, all is as "
        "it should be"
    )


class AttemptNotRefunded(Record):
    """An outage used up a try, which the ledger could not be told to give back.

    Nothing: this process gives it back with the user's next try.
    """

    name = "attempt_not_refunded"
    level = WARNING
    message = "an attempt of user %(user_id)r could not be given back: %(reason)s"

    user_id: str
    reason: str


class OperationNotVoided(Record):
    """After too many wrong codes an operation stays open, since the ledger was away.

    Look at `attempts_exhausted` of the same user: once the lock-out is over, a right
    code can still approve it.
    """

    name = "operation_not_voided"
    level = WARNING
    message = "an operation of user %(user_id)r could not be voided: %(reason)s"

    user_id: str
    reason: str


class LogoutNotRecorded(Record):
    """Somebody signed out by Flask-Login while the ledger was away.

    Their browser has forgotten all. A copy of its old cookie still opens the gate
    until the marker is too old: `stepup.revoke` those for whom that matters.
    """

    name = "logout_not_recorded"
    level = ERROR
    message = "a logout could not be written down in the ledger: %(reason)s"

    reason: str


class LedgerClockApart(Record):
    """The server's clock and this host's disagree by more than the leeway; once each.

    Set both, by NTP. Until then people may be asked for codes again and again.
    """

    name = "ledger_clock_apart"
    level = ERROR
    message = (
        "the clock of the ledger's server is %(seconds).0f s %(direction)s this "
        "host's, so that people may be asked for codes again and again: set both"
    )

    seconds: float
    direction: str


class ClockSetBack(Record):
    """This machine's clock was set back, and all markers and prompts became void.

    Find out who set it: it should only be slowed down.
    """

    name = "clock_set_back"
    level = ERROR
    message = (
        "the clock of this machine was set back by %(seconds)d s: all markers and "
        "prompts are void, since nobody can tell how old they are"
    )

    seconds: float


class MarkerFromFuture(Record):
    """A marker was refused that another host's clock had dated ahead of this one's.

    Set your hosts' clocks, by NTP.
    """

    name = "marker_from_future"
    level = ERROR
    message = (
        "a marker was refused that lies %(seconds)d s in the future: set your hosts' "
        "clocks"
    )

    seconds: float

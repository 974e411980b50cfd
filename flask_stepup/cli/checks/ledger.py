"""The ledger: who shares it, who can read it, and how fast it answers."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path
from statistics import median

from ...clerk import is_loopback
from ...errors import LedgerUnavailable
from ..ledger_place import ledger_place
from ..ledger_place import LedgerPlace
from .duration import duration
from .finding import Finding
from .finding import Findings
from .finding import right
from .finding import risky
from .finding import wrong
from .review import Review

#: Look-ups of which the median is told, for a user and a session that cannot be.
LOOK_UPS = 5
#: Seconds: each guarded request waits for one look-up.
SLOW = 0.05


def check_ledger(review: Review) -> Findings:
    """Look at where it is, and look something up in it, which changes nothing."""
    place = ledger_place(review.app, review.gate)
    if place.is_private:
        yield wrong(
            "memory:// is private to each process: every worker counts attempts for "
            "itself, and a restart forgets what was used or revoked",
            'STEPUP_STORAGE_URI = "sqlite:///stepup.db" for one machine, '
            '"rediss://..." for several',
        )
        return
    yield right(f"{place.name} is shared by {_shared_by(place)}")
    if place.file:
        yield _readers(place.file, place.name)
    if place.host:
        yield from _network(place.host, place)
    yield _speed(review)


def _shared_by(place: LedgerPlace) -> str:
    if place.file:
        return "all workers of this machine; those of another need a server"
    return "every worker that reaches it, with this prefix"


def _readers(file: Path, name: str) -> Finding:
    files = [file, *(file.with_name(file.name + end) for end in ("-wal", "-shm"))]
    # Files are made for the owner alone. Copies and backups are not.
    others = [f.name for f in files if f.exists() and _mode(f) & 0o007]
    if others and os.name == "posix":
        return risky(
            f"others on this machine may read or write {', '.join(others)}: user ids, "
            "times, and what is revoked",
            f"chmod 600 {name}*",
        )
    if os.name == "posix" and _mode(file.parent) & 0o002:
        return risky(
            f"anybody on this machine may put another file in its place, in "
            f"{file.parent}",
            f"chmod o-w {file.parent}",
        )
    return right("others on this machine cannot read its file")


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _network(host: str, place: LedgerPlace) -> Findings:
    if is_loopback(host):
        yield right("the server is on this machine")
        return
    if place.is_encrypted:
        yield right("the server is reached over TLS")
    else:
        yield risky(
            f"what goes to {host} and comes back is not encrypted: who is on the way "
            "reads user ids, and can answer that nothing is revoked",
            "TLS on the server, and rediss:// in STEPUP_STORAGE_URI",
        )
    if not place.has_password:
        yield risky(
            f"{host} asks for no password: whoever reaches it unlocks and forgets",
            "requirepass or a user on the server, and the password in "
            "STEPUP_STORAGE_URI",
        )


def _speed(review: Review) -> Finding:
    taken = []
    try:
        for _ in range(LOOK_UPS):
            began_at = time.perf_counter()
            review.gate.ledger.standing("", "")
            taken.append(time.perf_counter() - began_at)
    except LedgerUnavailable as error:
        return wrong(
            f"{error}: guarded routes answer 503",
            "start it, or mend its address, password or permissions",
        )
    told = f"it answers in {duration(median(taken))} (median of {LOOK_UPS})"
    if median(taken) < SLOW:
        return right(told)
    return risky(
        f"{told}, for which each guarded request waits",
        "a ledger that is nearer, or less busy",
    )

"""What can be known from outside: requests, calls of the verifier, runs of views."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from dataclasses import field

#: In place of a status: the connection was cut, or no answer came in time.
CUT = 0
HUNG = -1
#: What each transfer is approved for.
AMOUNT = 10


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, and the answer that its sender got.

    :param reference: unique; what runs because of it writes that down.
    :param kind: ``vault``, ``transfer``, ``verify``, ``open``, …
    :param sent: when the first byte left, by the clock of the run.
    :param done: when the answer was there.
    :param problem: its ``code``, of a problem that came as JSON.
    :param remaining: ``attempts_remaining``.
    :param proved: whether the cookie that was sent holds a proof that still counts.
    :param transfer: which one was asked for, or approved.
    :param code: that was submitted.
    """

    reference: str
    user: str
    kind: str
    sent: float
    done: float
    status: int
    problem: str = ""
    remaining: int | None = None
    retry_after: bool = False
    proved: bool = False
    transfer: str = ""
    code: str = ""

    @property
    def began(self) -> float:
        return self.sent


@dataclass(frozen=True, slots=True)
class Call:
    """The verifier was asked."""

    user: str
    code: str
    at: float
    right: bool

    @property
    def began(self) -> float:
        return self.at


@dataclass(frozen=True, slots=True)
class Run:
    """A guarded view ran: one line of the journal.

    :param transfer: and its amount, where money was sent.
    """

    reference: str
    user: str
    at: float
    transfer: str = ""
    amount: str = ""

    @classmethod
    def read(cls, line: str) -> Run:
        """Read a line of the journal."""
        reference, user, at, transfer, amount = line.split("\t")
        return cls(reference, user, float(at), transfer, amount)


@dataclass
class Evidence:
    """All of it, of one soak.

    :param limit: attempts in any ``window`` seconds.
    """

    limit: int
    window: float
    asked: list[Asked] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)

    def summary(self) -> str:
        """The figures, in a few lines."""
        statuses = Counter(a.status for a in self.asked)
        named = {CUT: "cut", HUNG: "hung"}
        kinds = Counter(
            f"{a.kind} {named.get(a.status, a.status)} {a.problem}".strip()
            for a in self.asked
        )
        right = sum(call.right for call in self.calls)
        took: dict[str, float] = {}
        for asked in self.asked:
            took[asked.kind] = max(took.get(asked.kind, 0), asked.done - asked.sent)
        slowest = ", ".join(f"{kind} {took[kind]:.1f} s" for kind in sorted(took))
        return "\n".join(
            (
                f"{len(self.asked)} requests ({statuses[503]} answered 503, "
                f"{statuses[429]} 429, {statuses[CUT]} cut); "
                f"{len(self.calls)} calls of the verifier ({right} right); "
                f"{len(self.runs)} runs of guarded views "
                f"({sum(bool(run.transfer) for run in self.runs)} transfers)",
                f"slowest: {slowest}",
                "; ".join(f"{kind}: {count}" for kind, count in sorted(kinds.items())),
            )
        )

"""The judge: which promises were broken, told from the evidence alone."""

from __future__ import annotations

from collections import Counter
from collections import defaultdict
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from itertools import pairwise
from typing import TypeVar

from .evidence import AMOUNT
from .evidence import Asked
from .evidence import Call
from .evidence import CUT
from .evidence import Evidence

#: What may be answered to what. A cut connection is no answer, and an outage is one.
ANSWERS = {
    "open": {200},
    "sign-in": {200},
    "vault": {200, 303, 401, 403, 503},
    "transfer": {200, 401, 403, 503},
    "verify": {200, 303, 400, 422, 429, 503},
    "forget": {200, 503},
    "revoke": {200, 503},
}
WRONG = "incorrect_code"

T = TypeVar("T", Asked, Call)


def violations(evidence: Evidence) -> list[str]:
    """Whatever was promised and not kept, a line each."""
    return [line for check in CHECKS for line in check(evidence)]


def unverified_runs(evidence: Evidence) -> Iterator[str]:
    """A guarded view runs for its user, who has proved a factor before, and asked."""
    requests = {asked.reference: asked for asked in evidence.asked}
    proved_at: dict[str, float] = {}
    for call in evidence.calls:
        if call.right:
            earliest = proved_at.get(call.user, call.at)
            proved_at[call.user] = min(earliest, call.at)
    for run in evidence.runs:
        asked = requests.get(run.reference)
        if asked is None or asked.user != run.user:
            yield f"ran for somebody who had not asked: {run}, {asked}"
        elif not asked.proved:
            yield f"ran without a proof in the cookie: {run}, {asked}"
        elif not proved_at.get(run.user, run.at + 1) < run.at:
            yield f"ran before any code of this user was right: {run}, {asked}"


def runs_told_apart(evidence: Evidence) -> Iterator[str]:
    """Who is told that a view ran finds it in the journal, once."""
    runs = Counter(run.reference for run in evidence.runs)
    for reference, count in runs.items():
        if count > 1:
            yield f"one request ran its view {count} times: {reference}"
    for asked in evidence.asked:
        told = asked.kind in ("vault", "transfer") and asked.status == 200
        if told and asked.reference not in runs:
            yield f"answered as if it had run: {asked}"


def guesses_over_the_limit(evidence: Evidence) -> Iterator[str]:
    """The verifier hears no more codes of one user than there are attempts.

    A right code gives back all that were taken before. An attempt is reserved between
    the moment that a code is sent and the moment that the verifier hears it: what does
    not fit into one window by these, does not for certain.
    """
    sent = {(a.user, a.code): a.sent for a in evidence.asked if a.kind == "verify"}
    for user, calls in _by_user(evidence.calls).items():
        rights = sum(call.right for call in calls)
        if rights:
            span = calls[-1].at - sent.get((user, calls[0].code), calls[0].at)
            most = evidence.limit * (rights + 1)
            if span < evidence.window and len(calls) > most:
                yield f"{len(calls)} calls with {rights} right codes for {user}"
            continue
        for first, last in zip(calls, calls[evidence.limit :], strict=False):
            began = sent.get((user, first.code), first.at)
            if last.at - began < evidence.window:
                yield (
                    f"more than {evidence.limit} calls of the verifier for {user} "
                    f"in {last.at - began:.2f} s: {first}, {last}"
                )


def lost_attempts(evidence: Evidence) -> Iterator[str]:
    """Each wrong answer is one attempt less, whatever happened meanwhile.

    That more are gone is possible: of a worker that was killed before it asked, and of
    a request that a paused ledger carried out when nobody waited any more. But none
    are where every request of a user was answered, one after the other.
    """
    rights = {call.user for call in evidence.calls if call.right}
    tries = [a for a in evidence.asked if a.kind == "verify" and a.user not in rights]
    for user, asked in _by_user(tries).items():
        wrong = [a for a in asked if a.problem == WRONG]
        in_turn = all(a.done <= b.sent for a, b in pairwise(asked))
        undisturbed = in_turn and all(a.problem in _ANSWERED for a in asked)
        for this in wrong:
            since = this.done - evidence.window
            before = sum(a.done <= this.sent and a.sent > since for a in wrong)
            most = evidence.limit - 1 - before
            left = this.remaining
            if left is None or not 0 <= left <= most:
                yield f"{left} left of at most {most} for {user}: {this}"
            elif undisturbed and left < most and asked[0].sent > since:
                yield f"{left} left instead of {most} for {user}: {this}"


_ANSWERED = (WRONG, "too_many_attempts")


def double_spends(evidence: Evidence) -> Iterator[str]:
    """One approval is one run, of what was approved; one code opens once."""
    transfers = [run for run in evidence.runs if run.transfer]
    for transfer, count in Counter(run.transfer for run in transfers).items():
        if count > 1:
            yield f"{transfer} was sent {count} times"
    opened = [
        a for a in evidence.asked if a.kind == "verify" and a.status in (200, 303)
    ]
    approved = {a.transfer for a in opened}
    for run in transfers:
        if run.transfer not in approved or run.amount != str(AMOUNT):
            yield f"nobody has approved {run}"
    for (user, code), count in Counter((a.user, a.code) for a in opened).items():
        if count > 1:
            yield f"one code of {user} opened {count} times: {code[:2]}…"
    sent = Counter(run.user for run in transfers)
    rights = Counter(call.user for call in evidence.calls if call.right)
    for user, count in sent.items():
        if count > rights[user]:
            yield f"{user} sent {count} times with {rights[user]} right codes"


def wrong_answers(evidence: Evidence) -> Iterator[str]:
    """Every request is answered, by what it may be, with what an outage has to tell."""
    for asked in evidence.asked:
        if asked.status == CUT:
            continue
        if asked.status not in ANSWERS[asked.kind]:
            yield f"answered {asked.status}: {asked}"
        elif asked.status == 503 and not asked.retry_after:
            yield f"answered 503 without Retry-After: {asked}"


CHECKS: tuple[Callable[[Evidence], Iterable[str]], ...] = (
    unverified_runs,
    runs_told_apart,
    guesses_over_the_limit,
    lost_attempts,
    double_spends,
    wrong_answers,
)


def _by_user(items: Iterable[T]) -> dict[str, list[T]]:
    """In order of when they began."""
    found: dict[str, list[T]] = defaultdict(list)
    for item in sorted(items, key=lambda item: item.began):
        found[item.user].append(item)
    return found


def idle(evidence: Evidence) -> list[str]:
    """What should have been tried and was not, so that nothing was proved."""
    got = {(asked.kind, asked.status) for asked in evidence.asked}
    got |= {("anything", asked.status) for asked in evidence.asked}
    wanted = {
        *{("vault", 200), ("vault", 401), ("vault", 403)},
        *{("transfer", 200), ("transfer", 403), ("open", 200)},
        *{("verify", 200), ("verify", 422), ("verify", 429)},
        *{("forget", 200), ("revoke", 200), ("anything", CUT), ("anything", 503)},
    }
    return [f"nobody got {status} of {kind}" for kind, status in wanted - got]

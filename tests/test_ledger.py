"""The contract of every ledger, and what is true of the SQLite file beyond it.

A ledger that is added later joins the contract by one line in ``URIS``.
"""

from __future__ import annotations

import math
import os
import secrets
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from contextlib import contextmanager
from contextlib import ExitStack
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import time_machine

from flask_stepup.errors import ConfigurationError
from flask_stepup.errors import LedgerUnavailable
from flask_stepup.ledger import Exhausted
from flask_stepup.ledger import Ledger
from flask_stepup.ledger import Limit
from flask_stepup.ledger import open_ledger
from flask_stepup.ledger import Spending
from flask_stepup.ledger import Standing
from flask_stepup.ledger import Ticket
from flask_stepup.ledger.protocol import REVOCATION_KEPT
from flask_stepup.ledger.protocol import SPENT_KEPT
from flask_stepup.ledger.protocol import USED_CODE_KEPT
from flask_stepup.policy_fields import LONGEST_MAX_AGE

#: A ledger of each kind, in a folder of its own.
URIS = {"memory": "memory://", "sqlite": "sqlite:///ledger.db"}

#: Seconds that the ledger may take where many wait for it on a slow machine.
PATIENT = 20.0
START = 1_800_000_000
FIVE = (Limit(5, 300),)

#: Ids that a careless key could mix up, or a careless encoding choke on.
ODD_IDS = (
    "",
    "x",
    "X",
    " x",
    "x ",
    "user:",
    "user:x",
    "user:user:x",
    "session:",
    "session:x",
    "code:x",
    "approval:",
    "approval:x",
    "%",
    "_",
    "*",
    "'; DROP TABLE attempts; --",
    "1",
    "1.0",
    "01",
    "\0",
    "a\0b",
    "a\0c",
    "a",
    "é",
    "e\u0301",
    "ünï✓🔑",
    "y" * 100_000,
    "y" * 100_001,
)
#: What a JSON body may hold, and no encoding of Unicode can.
LONE_SURROGATE = "a\ud800b"

Opener = Callable[[], Ledger]


@pytest.fixture(params=sorted(URIS))
def new_ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """Opens one more ledger of a kind, apart from all others."""
    with ExitStack() as stack:

        def new() -> Ledger:
            folder = tempfile.mkdtemp(dir=tmp_path)
            ledger = open_ledger(URIS[request.param], PATIENT, folder)
            stack.callback(ledger.close)
            return ledger

        yield new


@pytest.fixture
def ledger(new_ledger: Opener) -> Ledger:
    return new_ledger()


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """A clock that stands still unless it is moved."""
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


def race(count: int, run: Callable[[int], Any]) -> list[Any]:
    """Run in that many threads, all let go at the same moment."""
    line = threading.Barrier(count)

    def start(number: int) -> Any:
        line.wait(PATIENT)
        return run(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(start, range(count)))


def remaining(ledger: Ledger, user: str, *limits: Limit) -> int:
    """Reserve an attempt and return how many are left, as a caller learns it."""
    reserved = ledger.reserve(user, limits)
    assert isinstance(reserved, Ticket)
    return reserved.remaining


def retry_after(ledger: Ledger, user: str, *limits: Limit) -> int:
    """Be refused an attempt, and return for how long."""
    reserved = ledger.reserve(user, limits)
    assert isinstance(reserved, Exhausted)
    return reserved.retry_after


class TestEveryLedger:
    """The contract of :class:`flask_stepup.ledger.Ledger`."""

    def test_remaining_counts_down_to_none(self, ledger: Ledger, clock: Any) -> None:
        """A ticket says how many attempts are left after it."""
        assert [remaining(ledger, "u", *FIVE) for _ in range(5)] == [4, 3, 2, 1, 0]
        assert isinstance(ledger.reserve("u", FIVE), Exhausted)

    def test_the_window_moves(self, ledger: Ledger, clock: Any) -> None:
        """An attempt is counted until it is as old as the window, and no longer."""
        limit = Limit(3, 60)
        for at in (0, 10, 20):
            clock.move_to(START + at)
            remaining(ledger, "u", limit)
        clock.move_to(START + 30)
        assert retry_after(ledger, "u", limit) == 30
        clock.move_to(START + 59)
        assert retry_after(ledger, "u", limit) == 1
        clock.move_to(START + 60)
        assert remaining(ledger, "u", limit) == 0
        assert retry_after(ledger, "u", limit) == 10

    @pytest.mark.parametrize("fraction", [0.0, 0.001, 0.5, 0.999])
    def test_retry_after_is_right_to_a_second(
        self, ledger: Ledger, clock: Any, fraction: float
    ) -> None:
        """Who waits as long as told gets in, and who waits a second less does not."""
        limit = Limit(2, 60)
        remaining(ledger, "u", limit)
        clock.shift(7)
        remaining(ledger, "u", limit)
        clock.shift(10 + fraction)
        wait = retry_after(ledger, "u", limit)
        assert wait == 43
        clock.shift(wait - 1)
        assert retry_after(ledger, "u", limit) == 1
        clock.shift(1)
        assert remaining(ledger, "u", limit) == 0

    def test_a_refused_attempt_does_not_lengthen_the_wait(
        self, ledger: Ledger, clock: Any
    ) -> None:
        """Being refused costs nothing, so that hammering does not lock for longer."""
        limit = Limit(1, 60)
        remaining(ledger, "u", limit)
        for second in range(1, 60):
            clock.move_to(START + second)
            assert retry_after(ledger, "u", limit) == 60 - second
        clock.move_to(START + 60)
        assert remaining(ledger, "u", limit) == 0

    def test_several_limits_hold_at_once(self, ledger: Ledger, clock: Any) -> None:
        """The tightest limit says what remains and the latest to open how long."""
        short, long = Limit(2, 60), Limit(3, 3_600)
        assert remaining(ledger, "u", short, long) == 1
        assert remaining(ledger, "u", short, long) == 0
        assert retry_after(ledger, "u", short, long) == 60
        clock.shift(60)
        assert remaining(ledger, "u", short, long) == 0
        assert retry_after(ledger, "u", short, long) == 3_540
        clock.shift(3_540)
        assert remaining(ledger, "u", short, long) == 1

    @pytest.mark.parametrize("order", [1, -1])
    def test_an_attempt_is_taken_from_all_limits_or_none(
        self, ledger: Ledger, clock: Any, order: int
    ) -> None:
        """An attempt that one limit refuses is not counted by another."""
        limits = (Limit(1, 10), Limit(3, 3_600))[::order]
        assert remaining(ledger, "u", *limits) == 0
        for _ in range(20):
            assert retry_after(ledger, "u", *limits) == 10
        clock.shift(10)
        assert remaining(ledger, "u", *limits) == 0
        clock.shift(10)
        assert remaining(ledger, "u", *limits) == 0
        assert retry_after(ledger, "u", *limits) == 3_580

    def test_the_last_ticket_says_until_when_it_is_locked(
        self, ledger: Ledger, clock: Any
    ) -> None:
        """The ticket that uses the last attempt up names the moment of the next."""
        short, long = Limit(2, 60), Limit(3, 3_600)
        ledger.reserve("u", (short, long))
        clock.shift(10)
        second = ledger.reserve("u", (short, long))
        assert isinstance(second, Ticket)
        assert (second.remaining, second.locked_until) == (0, START + 60)
        clock.move_to(START + 60)
        third = ledger.reserve("u", (short, long))
        assert isinstance(third, Ticket)
        assert (third.remaining, third.locked_until) == (0, START + 3_600)

    def test_a_limit_of_one_locks_for_its_whole_window(
        self, ledger: Ledger, clock: Any
    ) -> None:
        """A limit of one attempt is used up by the first and for its whole window."""
        only = ledger.reserve("u", (Limit(1, 60),))
        assert isinstance(only, Ticket)
        assert (only.remaining, only.locked_until) == (0, START + 60)
        assert retry_after(ledger, "u", Limit(1, 60)) == 60

    def test_a_refund_gives_the_attempt_back(self, ledger: Ledger, clock: Any) -> None:
        """A refunded attempt can be taken again."""
        limit = Limit(1, 60)
        for _ in range(3):
            ticket = ledger.reserve("u", (limit,))
            assert isinstance(ticket, Ticket)
            assert isinstance(ledger.reserve("u", (limit,)), Exhausted)
            ledger.refund(ticket)
        assert remaining(ledger, "u", limit) == 0

    def test_a_ticket_is_refunded_once(self, ledger: Ledger, clock: Any) -> None:
        """Refunding a ticket again gives nothing back."""
        limit = Limit(3, 60)
        first, second = (ledger.reserve("u", (limit,)) for _ in range(2))
        assert isinstance(first, Ticket)
        assert isinstance(second, Ticket)
        for _ in range(5):
            ledger.refund(first)
        assert [remaining(ledger, "u", limit) for _ in range(2)] == [1, 0]
        assert isinstance(ledger.reserve("u", (limit,)), Exhausted)

    def test_an_attempt_is_refunded_to_its_own_windows(
        self, ledger: Ledger, clock: Any
    ) -> None:
        """A refund after the short window rolled gives back to the long one alone."""
        short, long = Limit(2, 60), Limit(3, 3_600)
        old = ledger.reserve("u", (short, long))
        assert isinstance(old, Ticket)
        clock.shift(61)
        assert remaining(ledger, "u", short, long) == 1
        ledger.refund(old)
        assert remaining(ledger, "u", short, long) == 0
        assert retry_after(ledger, "u", short, long) == 60
        clock.shift(60)
        assert remaining(ledger, "u", short, long) == 0

    def test_a_refund_after_all_windows_rolled_changes_nothing(
        self, ledger: Ledger, clock: Any
    ) -> None:
        """The ticket of a forgotten attempt takes no later attempt away."""
        limit = Limit(2, 60)
        old = ledger.reserve("u", (limit,))
        assert isinstance(old, Ticket)
        clock.shift(61)
        assert remaining(ledger, "u", limit) == 1
        ledger.refund(old)
        assert remaining(ledger, "u", limit) == 0
        assert isinstance(ledger.reserve("u", (limit,)), Exhausted)

    def test_a_refund_after_clear_changes_nothing(
        self, ledger: Ledger, clock: Any
    ) -> None:
        """The ticket of a cleared attempt takes no later attempt away."""
        limit = Limit(2, 60)
        tickets = [ledger.reserve("u", (limit,)) for _ in range(2)]
        ledger.clear("u")
        assert remaining(ledger, "u", limit) == 1
        for ticket in tickets:
            assert isinstance(ticket, Ticket)
            ledger.refund(ticket)
        assert remaining(ledger, "u", limit) == 0
        assert isinstance(ledger.reserve("u", (limit,)), Exhausted)

    def test_refunds_never_make_more_attempts_than_there_are(
        self, ledger: Ledger, clock: Any
    ) -> None:
        """When all tickets came back, twice, there are as many attempts as before."""
        tickets = [ledger.reserve("u", FIVE) for _ in range(5)]
        for ticket in tickets * 2:
            assert isinstance(ticket, Ticket)
            ledger.refund(ticket)
        assert [remaining(ledger, "u", *FIVE) for _ in range(5)] == [4, 3, 2, 1, 0]
        assert isinstance(ledger.reserve("u", FIVE), Exhausted)

    def test_clear_forgets_all_attempts_of_a_user(
        self, ledger: Ledger, clock: Any
    ) -> None:
        """After clear every window is empty, and clearing nothing is no error."""
        limits = (*FIVE, Limit(5, 30 * 86_400))
        for _ in range(5):
            remaining(ledger, "u", *limits)
        ledger.clear("u")
        ledger.clear("u")
        assert remaining(ledger, "u", *limits) == 4

    def test_users_have_attempts_of_their_own(self, ledger: Ledger, clock: Any) -> None:
        """One user's attempts are no other's, however alike their ids look."""
        limit = Limit(1, 60)
        for user in ODD_IDS:
            assert isinstance(ledger.reserve(user, (limit,)), Ticket), user[:20]
        for user in ODD_IDS:
            assert isinstance(ledger.reserve(user, (limit,)), Exhausted), user[:20]
        for user in ODD_IDS:
            ledger.clear(user)
            again = {other: ledger.reserve(other, (limit,)) for other in ODD_IDS}
            assert [o for o, r in again.items() if isinstance(r, Ticket)] == [user]

    def test_users_are_revoked_one_by_one(self, ledger: Ledger) -> None:
        """Revoking one user changes the generation of no other."""
        before: dict[str, Standing] = {}
        for user in ODD_IDS:
            assert ledger.standing(user, "s") == Standing()
            ledger.revoke_user(user)
            before[user] = ledger.standing(user, "s")
        assert {user: ledger.standing(user, "s") for user in ODD_IDS} == before
        assert len({standing.generation for standing in before.values()}) == len(
            ODD_IDS
        )
        assert not any(standing.session_revoked for standing in before.values())

    def test_sessions_are_revoked_one_by_one(self, ledger: Ledger) -> None:
        """Revoking one session ends no other, and changes nobody's generation."""
        for number, session in enumerate(ODD_IDS):
            ledger.revoke_session(session)
            standings = [ledger.standing("u", other) for other in ODD_IDS]
            assert [s.session_revoked for s in standings] == [
                other <= number for other in range(len(ODD_IDS))
            ]
            assert {s.generation for s in standings} == {""}

    def test_a_user_and_a_session_of_one_name_are_two_things(
        self, ledger: Ledger
    ) -> None:
        """Revoking user x leaves session x alone, and the other way round."""
        ledger.revoke_user("x")
        assert not ledger.standing("u", "x").session_revoked
        ledger.revoke_session("y")
        assert ledger.standing("y", "s").generation == ""

    @pytest.mark.parametrize(
        "step",
        [
            lambda ledger, odd: ledger.standing(odd, "s"),
            lambda ledger, odd: ledger.standing("u", odd),
            lambda ledger, odd: ledger.reserve(odd, FIVE),
            lambda ledger, odd: ledger.settle(odd, "s", "digest"),
            lambda ledger, odd: ledger.settle("u", odd, "digest"),
            lambda ledger, odd: ledger.standing("u", "s", None, [odd]),
            lambda ledger, odd: ledger.spend(odd, "s", {"a": ""}),
            lambda ledger, odd: ledger.spend("u", odd, {"a": ""}),
            lambda ledger, odd: ledger.spend("u", "s", {"a": ""}, odd),
            lambda ledger, odd: ledger.spend("u", "s", {odd: ""}),
            lambda ledger, odd: ledger.spend("u", "s", {"a": odd}),
            lambda ledger, odd: ledger.clear(odd),
            lambda ledger, odd: ledger.revoke_user(odd),
            lambda ledger, odd: ledger.revoke_session(odd),
        ],
        ids=[
            "standing-user",
            "standing-session",
            "reserve",
            "settle-user",
            "settle-session",
            "standing-approval",
            "spend-user",
            "spend-session",
            "spend-login",
            "spend-approval",
            "spend-generation",
            "clear",
            "revoke_user",
            "revoke_session",
        ],
    )
    def test_text_that_is_no_unicode_breaks_nothing(
        self, ledger: Ledger, step: Callable[[Ledger, str], object]
    ) -> None:
        """An id with a lone surrogate works, or the ledger says that it cannot."""
        with suppress(LedgerUnavailable):
            step(ledger, LONE_SURROGATE)
        assert remaining(ledger, "somebody else", *FIVE) == 4

    def test_whether_an_attempt_counts_is_told(self, ledger: Ledger) -> None:
        """It does until somebody clears it, by a right code for one."""
        one, other = ledger.reserve("u", FIVE), ledger.reserve("u", FIVE)
        assert isinstance(one, Ticket)
        assert isinstance(other, Ticket)

        assert not ledger.settle("u", "s", "a", None, one).is_counted
        late = ledger.reserve("u", FIVE)
        assert isinstance(late, Ticket)
        assert ledger.settle("u", "s", "a", None, late).is_counted
        assert not ledger.settle("u", "s", "a", None, other).is_counted
        assert not ledger.settle("u", "s", "a").is_counted

    def test_a_code_opens_once(self, ledger: Ledger, clock: Any) -> None:
        """A code is used for the first time once, until nobody would accept it."""
        assert ledger.settle("u", "s", "digest").first_use
        assert not ledger.settle("u", "s", "digest").first_use
        assert ledger.settle("u", "s", "another").first_use
        clock.shift(USED_CODE_KEPT - 1)
        assert not ledger.settle("u", "s", "digest").first_use
        clock.shift(1)
        assert ledger.settle("u", "s", "digest").first_use
        assert not ledger.settle("u", "s", "digest").first_use

    def test_used_codes_are_kept_for_three_minutes(self) -> None:
        """A used code is remembered for longer than any server accepts it."""
        assert USED_CODE_KEPT == 180

    def test_trying_a_used_code_does_not_keep_it_longer(
        self, ledger: Ledger, clock: Any
    ) -> None:
        """The time of a used code runs from its first use."""
        ledger.settle("u", "s", "digest")
        clock.shift(USED_CODE_KEPT - 10)
        assert not ledger.settle("u", "s", "digest").first_use
        clock.shift(10)
        assert ledger.settle("u", "s", "digest").first_use

    def test_the_first_use_clears_attempts(self, ledger: Ledger, clock: Any) -> None:
        """A right code clears the attempts of its user, and of nobody else."""
        for user in ("u", "v"):
            for _ in range(4):
                remaining(ledger, user, *FIVE)
        ledger.settle("u", "s", "digest")
        assert remaining(ledger, "u", *FIVE) == 4
        assert remaining(ledger, "v", *FIVE) == 0

    def test_a_second_use_clears_nothing(self, ledger: Ledger, clock: Any) -> None:
        """A code seen over somebody's shoulder does not lift the limit."""
        ledger.settle("u", "s", "digest")
        for _ in range(5):
            remaining(ledger, "u", *FIVE)
        assert not ledger.settle("u", "s", "digest").first_use
        assert isinstance(ledger.reserve("u", FIVE), Exhausted)

    def test_a_settlement_tells_the_standing(self, ledger: Ledger) -> None:
        """What was revoked while a code was checked is known when it is settled."""
        assert ledger.settle("u", "s", "1").standing == Standing()
        ledger.revoke_user("u")
        ledger.revoke_session("s")
        standing = ledger.settle("u", "s", "2").standing
        assert standing.session_revoked
        assert standing.generation
        assert standing == ledger.standing("u", "s")

    def test_one_login_of_a_user_is_revoked_alone(self, ledger: Ledger) -> None:
        """Revoking a user in one session at the provider ends it in no other."""
        pairs = [(user, login) for user in ODD_IDS[:8] for login in ODD_IDS[:8]]
        # The same text, cut in another place.
        pairs += [("a:b", "c"), ("a", "b:c"), ("1:a", "b"), ("", "1:a:b")]
        seen = set()
        for number, (user, login) in enumerate(pairs):
            ledger.revoke_user(user, login)
            standings = [ledger.standing(u, "s", other) for u, other in pairs]
            assert [bool(s.generation) for s in standings] == [
                other <= number for other in range(len(pairs))
            ]
            seen.add(standings[number].generation)
        assert len(seen) == len(pairs)
        assert {ledger.standing(user, "s") for user in ODD_IDS} == {Standing()}

    def test_a_login_has_the_revocations_of_its_user_too(self, ledger: Ledger) -> None:
        """Both make its generation, in which each revocation shows."""
        seen = [ledger.standing("u", "s", "login").generation]
        for login in ("login", None, "login", None):
            ledger.revoke_user("u", login)
            seen.append(ledger.standing("u", "s", "login").generation)
        assert len(set(seen)) == 5
        assert ledger.settle("u", "s", "1", "login").standing.generation == seen[-1]
        assert ledger.standing("u", "s").generation in seen[-1]

    def test_it_is_known_when_the_last_revocation_was(
        self, ledger: Ledger, clock: Any
    ) -> None:
        """Of the user, or of the login that is asked about; a session has none."""
        assert ledger.standing("u", "s", "login").revoked_at == -math.inf
        ledger.revoke_session("s")
        assert ledger.standing("u", "s", "login").revoked_at == -math.inf
        told = []
        for login in ("login", None, "login", "other"):
            clock.shift(10)
            ledger.revoke_user("u", login)
            told.append(
                tuple(
                    ledger.standing("u", "s", asked).revoked_at - START
                    for asked in ("login", None)
                )
            )
        assert told == [(10, -math.inf), (20, 20), (30, 20), (30, 20)]

    def test_a_session_stays_revoked(self, ledger: Ledger, clock: Any) -> None:
        """A session is revoked for longer than any marker in it could live."""
        ledger.revoke_session("s")
        clock.shift(LONGEST_MAX_AGE + 3_600)
        ledger.clear("somebody")
        assert ledger.standing("u", "s").session_revoked

    def test_each_revocation_makes_a_new_generation(self, ledger: Ledger) -> None:
        """No two revocations of a user leave the same generation."""
        seen = {ledger.standing("u", "s").generation}
        for _ in range(50):
            ledger.revoke_user("u")
            seen.add(ledger.standing("u", "s").generation)
        assert len(seen) == 51

    def test_a_forgotten_generation_never_returns(
        self, ledger: Ledger, clock: Any
    ) -> None:
        """A user whose revocation was forgotten gets a generation never seen before.

        Only "never revoked" comes back, and later than all that was granted under it
        has expired: a marker lives 24 h, and a challenge is renewed for 24 h.
        """
        assert REVOCATION_KEPT >= 2 * LONGEST_MAX_AGE
        seen = set()
        for _ in range(5):
            ledger.revoke_user("u")
            seen.add(ledger.standing("u", "s").generation)
            clock.shift(REVOCATION_KEPT - 1)
            ledger.clear("somebody")
            assert ledger.standing("u", "s").generation in seen
            clock.shift(1)
            ledger.clear("somebody")
            assert ledger.standing("u", "s").generation == ""
        assert len(seen) == 5

    def test_ids_differ(self, new_ledger: Opener) -> None:
        """Two ledgers have two ids: short, and fit for a token."""
        ids = {new_ledger().id for _ in range(8)}
        assert len(ids) == 8
        assert all(0 < len(i) <= 8 and i.isascii() and i.isprintable() for i in ids)

    def test_close_is_not_the_end(self, ledger: Ledger) -> None:
        """A ledger that was closed opens again when it is used, and has all it had."""
        ledger.revoke_session("s")
        ledger.close()
        ledger.close()
        assert ledger.standing("u", "s").session_revoked
        assert remaining(ledger, "u", *FIVE) == 4

    def test_threads_race_for_attempts(self, ledger: Ledger) -> None:
        """Of 32 threads that race for 5 attempts, exactly 5 get one."""
        got = race(32, lambda _: ledger.reserve("u", FIVE))
        tickets = [ticket for ticket in got if isinstance(ticket, Ticket)]
        assert sorted(ticket.remaining for ticket in tickets) == [0, 1, 2, 3, 4]
        assert len({ticket.id for ticket in tickets}) == 5
        assert all(isinstance(r, Ticket | Exhausted) for r in got)

    def test_threads_race_with_one_code(self, ledger: Ledger) -> None:
        """Of 32 threads that settle one code, exactly one is first."""
        settled = race(32, lambda n: ledger.settle("u", f"session {n}", "digest"))
        assert sum(settlement.first_use for settlement in settled) == 1

    def test_threads_race_to_refund(self, ledger: Ledger) -> None:
        """A ticket that 32 threads refund at once gives back one attempt."""
        limit = Limit(3, 300)
        first, *_ = [ledger.reserve("u", (limit,)) for _ in range(3)]
        assert isinstance(first, Ticket)
        race(32, lambda _: ledger.refund(first))
        assert remaining(ledger, "u", limit) == 0
        assert isinstance(ledger.reserve("u", (limit,)), Exhausted)


class TestSpentApprovals:
    """The contract of every ledger, as far as approvals go."""

    def test_an_approval_serves_one_run(self, ledger: Ledger) -> None:
        """It is spent by the first who asks, and then known to be."""
        assert ledger.standing("u", "s", None, ["a"]).spent == frozenset()
        first = ledger.spend("u", "s", {"a": ""})
        assert (first.approval, first.standing.spent) == ("a", frozenset())
        for _ in range(3):
            later = ledger.spend("u", "s", {"a": ""})
            assert (later.approval, later.standing.spent) == (None, frozenset("a"))
        assert ledger.standing("u", "s", None, ["a"]).spent == {"a"}

    def test_a_look_up_spends_nothing(self, ledger: Ledger) -> None:
        """Whether approvals are spent can be asked any number of times."""
        for _ in range(3):
            assert not ledger.standing("u", "s", "login", ["a", "b"]).spent
        assert ledger.spend("u", "s", {"a": ""}).approval == "a"

    def test_a_spent_approval_is_spent_for_everybody(self, ledger: Ledger) -> None:
        """No other user, session or login runs anything with it."""
        ledger.spend("u", "s", {"a": ""})
        for user, nonce, login in [("v", "s", None), ("u", "t", "l"), ("v", "t", "m")]:
            other = ledger.spend(user, nonce, {"a": ""}, login)
            assert (other.approval, other.standing.spent) == (None, frozenset("a"))
            assert ledger.standing(user, nonce, login, ["a"]).spent == {"a"}

    def test_the_first_in_order_of_preference_is_spent(self, ledger: Ledger) -> None:
        """Each call spends one: the first of its own order that is left."""
        spent: frozenset[str] = frozenset()
        for order, expected in [
            ("cab", "c"),
            ("abc", "a"),
            ("cab", "b"),
            ("abc", None),
        ]:
            spending = ledger.spend("u", "s", dict.fromkeys(order, ""))
            assert (spending.approval, spending.standing.spent) == (expected, spent)
            spent |= frozenset(expected or "")
        assert ledger.standing("u", "s", None, "abcd").spent == {"a", "b", "c"}

    def test_only_what_was_asked_about_is_told(self, ledger: Ledger) -> None:
        """Spent approvals that the caller did not name are none of its business."""
        for approval in "abc":
            ledger.spend("u", "s", {approval: ""})
        assert ledger.standing("u", "s", None, ["x", "b"]).spent == {"b"}
        assert ledger.spend("u", "s", {"x": "", "c": ""}).standing.spent == {"c"}
        assert ledger.standing("u", "s").spent == frozenset()
        assert ledger.settle("u", "s", "digest").standing.spent == frozenset()

    @pytest.mark.parametrize("login", [None, "login"])
    def test_an_approval_of_another_generation_is_left_alone(
        self, ledger: Ledger, login: str | None
    ) -> None:
        """It is neither spent nor changed, and one of the current one is found."""
        ledger.revoke_user("u", login)
        now = ledger.standing("u", "s", login).generation
        assert now
        passed_over = {"never": "", "other": "other", "longer": f"{now}x"}
        none = ledger.spend("u", "s", passed_over, login)
        assert (none.approval, none.standing.spent) == (None, frozenset())
        found = ledger.spend("u", "s", {**passed_over, "new": now}, login)
        assert found.approval == "new"
        assert ledger.standing("u", "s", login, [*passed_over, "new"]).spent == {"new"}
        # Left as they were, they open where they are of the current generation.
        assert ledger.spend("v", "s", {"never": ""}).approval == "never"

    def test_a_spent_approval_of_another_generation_is_told(
        self, ledger: Ledger
    ) -> None:
        """That it is spent is known whatever generation it was made under."""
        ledger.spend("u", "s", {"a": ""})
        ledger.revoke_user("u")
        assert ledger.spend("u", "s", {"a": ""}).standing.spent == {"a"}
        now = ledger.standing("u", "s").generation
        assert ledger.spend("u", "s", {"a": now}).approval is None

    @pytest.mark.parametrize(
        "revoke",
        [
            lambda ledger: ledger.revoke_user("u"),
            lambda ledger: ledger.revoke_user("u", "login"),
            lambda ledger: ledger.revoke_session("s"),
        ],
        ids=["user", "login", "session"],
    )
    def test_a_revocation_between_look_up_and_spending_counts(
        self, ledger: Ledger, revoke: Callable[[Ledger], None]
    ) -> None:
        """What was fine when it was looked up is not spent once it is revoked."""
        ledger.revoke_user("u", "login")
        looked_up = ledger.standing("u", "s", "login", ["a"])
        revoke(ledger)
        spending = ledger.spend("u", "s", {"a": looked_up.generation}, "login")
        assert spending.approval is None
        assert spending.standing != looked_up
        assert spending.standing == ledger.standing("u", "s", "login")
        assert not ledger.standing("u", "s", "login", ["a"]).spent

    def test_a_revoked_session_spends_nothing(self, ledger: Ledger) -> None:
        """Nothing is spent in it, and what is spent already is told all the same."""
        ledger.spend("u", "t", {"a": ""})
        ledger.revoke_session("s")
        spending = ledger.spend("u", "s", {"a": "", "b": ""})
        assert spending.approval is None
        assert spending.standing.session_revoked
        assert spending.standing.spent == {"a"}
        assert ledger.spend("u", "t", {"a": "", "b": ""}).approval == "b"

    def test_other_peoples_revocations_do_not_matter(self, ledger: Ledger) -> None:
        """Another user, login or session that was revoked stops no approval."""
        ledger.revoke_user("v")
        ledger.revoke_user("u", "other")
        ledger.revoke_session("t")
        assert ledger.spend("u", "s", {"a": ""}, "login").approval == "a"

    def test_spending_tells_the_standing(self, ledger: Ledger, clock: Any) -> None:
        """All that a look-up tells is told, with a login and without."""
        clock.shift(10)
        ledger.revoke_user("u", "login")
        for login in ("login", None):
            standing = ledger.standing("u", "s", login)
            for approvals in ({}, {"a": "other"}):
                told = ledger.spend("u", "s", approvals, login)
                assert told == Spending(standing, None)
            assert ledger.standing("u", "s", login, ["a"]) == standing
        assert ledger.standing("u", "s", "login", ["a"]).revoked_at == START + 10

    def test_no_approval_is_revoked_by_being_spent(self, ledger: Ledger) -> None:
        """What is spent is no part of what two standings are compared by."""
        before = ledger.standing("u", "s", None, ["a"])
        ledger.spend("u", "s", {"a": ""})
        after = ledger.standing("u", "s", None, ["a"])
        assert before.spent != after.spent
        assert before == after == Standing()
        assert after.revoked_at == -math.inf
        assert len({before, after}) == 1

    def test_spent_approvals_are_kept_for_four_days(
        self, ledger: Ledger, clock: Any
    ) -> None:
        """One is remembered for longer than it serves; then it leaves the ledger."""
        renewed, open_, serves, leeway = 86_400, 86_400, LONGEST_MAX_AGE, 300
        assert SPENT_KEPT == 4 * 86_400 > renewed + open_ + serves + leeway
        ledger.spend("u", "s", {"a": ""})
        clock.shift(SPENT_KEPT - 1)
        ledger.clear("somebody")
        assert ledger.standing("u", "s", None, ["a"]).spent == {"a"}
        assert ledger.spend("u", "s", {"a": ""}).standing.spent == {"a"}
        # What is over is over, whether or not it has been swept away.
        clock.shift(1)
        assert not ledger.standing("u", "s", None, ["a"]).spent
        again = ledger.spend("u", "s", {"a": ""})
        assert (again.approval, again.standing.spent) == ("a", frozenset())
        clock.shift(SPENT_KEPT - 1)
        assert ledger.spend("u", "s", {"a": ""}).approval is None

    def test_trying_a_spent_approval_does_not_keep_it_longer(
        self, ledger: Ledger, clock: Any
    ) -> None:
        """The time of a spent approval runs from its spending."""
        ledger.spend("u", "s", {"a": ""})
        clock.shift(SPENT_KEPT - 10)
        assert ledger.spend("u", "s", {"a": ""}).approval is None
        clock.shift(10)
        assert ledger.spend("u", "s", {"a": ""}).approval == "a"

    def test_an_approval_is_nothing_else_of_its_name(self, ledger: Ledger) -> None:
        """No code is used, no user or session revoked with it, nor the reverse."""
        ledger.settle("u", "s", "x")
        assert ledger.spend("u", "s", {"x": ""}).approval == "x"
        ledger.spend("u", "s", {"y": ""})
        assert ledger.settle("u", "s", "y").first_use
        for name in ("x", "y", "session:x", "user:x"):
            ledger.spend("u", "s", {name: ""})
            assert ledger.standing(name, name, name, [name]) == Standing()
        ledger.revoke_session("z")
        ledger.revoke_user("z")
        assert not ledger.standing("z", "z", None, ["z"]).spent

    def test_spending_leaves_attempts_alone(self, ledger: Ledger) -> None:
        """Only a right code clears attempts."""
        for _ in range(5):
            remaining(ledger, "u", *FIVE)
        ledger.spend("u", "s", {"a": ""})
        assert isinstance(ledger.reserve("u", FIVE), Exhausted)

    def test_approvals_are_spent_one_by_one(self, ledger: Ledger) -> None:
        """Spending one approval spends no other, however alike their ids look."""
        for number, approval in enumerate(ODD_IDS):
            spending = ledger.spend("u", "s", {approval: ""})
            assert spending.approval == approval, approval[:20]
            told = ledger.standing("u", "s", None, ODD_IDS).spent
            assert told == set(ODD_IDS[: number + 1])
        assert ledger.spend("u", "s", dict.fromkeys(ODD_IDS, "")).approval is None

    def test_an_approval_that_is_no_unicode_is_refused(self, ledger: Ledger) -> None:
        """It raises, and then nothing that was named beside it is spent."""
        with pytest.raises(LedgerUnavailable):
            ledger.standing("u", "s", None, ["a", LONE_SURROGATE])
        with pytest.raises(LedgerUnavailable):
            ledger.spend("u", "s", {"a": "", LONE_SURROGATE: ""})
        assert not ledger.standing("u", "s", None, ["a"]).spent

    def test_close_forgets_no_spent_approval(self, ledger: Ledger) -> None:
        """A ledger that was closed and is used again knows what was spent."""
        ledger.spend("u", "s", {"a": ""})
        ledger.close()
        assert ledger.spend("u", "s", {"a": ""}).approval is None
        ledger.close()
        assert ledger.standing("u", "s", None, ["a"]).spent == {"a"}

    def test_threads_race_for_one_approval(self, ledger: Ledger) -> None:
        """Of 32 threads that spend one approval, exactly one runs its view."""
        got = race(32, lambda n: ledger.spend(f"user {n % 2}", "s", {"a": ""}))
        assert sorted(str(spending.approval) for spending in got) == ["None"] * 31 + [
            "a"
        ]
        # Whoever lost was told why, and whoever won that it was there to take.
        for spending in got:
            assert spending.standing.spent == (set() if spending.approval else {"a"})

    def test_threads_race_for_several_approvals(self, ledger: Ledger) -> None:
        """Of 32 threads that know the same 24 approvals, 24 get one each."""
        approvals = dict.fromkeys(map(str, range(24)), "")
        got = [
            s.approval for s in race(32, lambda _: ledger.spend("u", "s", approvals))
        ]
        assert sorted(filter(None, got)) == sorted(approvals)
        assert got.count(None) == 8

    def test_threads_race_with_a_revocation(self, ledger: Ledger) -> None:
        """Each approval is spent before the revocation, or not at all and it is told.

        A spending that does not know of the revocation came before it, and so did all
        others whose approvals are spent.
        """

        def run(number: int) -> Spending | None:
            if number == 12:
                ledger.revoke_user("u")
                return None
            return ledger.spend("u", "s", {str(number): ""})

        for spending in filter(None, race(24, run)):
            assert (spending.approval is None) == bool(spending.standing.generation)


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("5 per 5 minutes", (Limit(5, 300),)),
        ("1 per second", (Limit(1, 1),)),
        ("5 per minute;10 per hour ; 20 per day", (
            Limit(5, 60), Limit(10, 3_600), Limit(20, 86_400),
        )),
        ("5 per 5 minutes; 100 per 30 days", (Limit(5, 300), Limit(100, 2_592_000))),
        ("  3   per   90 seconds  ", (Limit(3, 90),)),
    ],
)  # fmt: skip
def test_limits_are_read(text: str, limits: tuple[Limit, ...]) -> None:
    """A list of limits is read as it is written."""
    assert Limit.parse(text) == limits


@pytest.mark.parametrize(
    "text",
    ["", ";", "5", "5 per", "per minute", "0 per minute", "5 per 0 minutes",
     "-1 per day", "5 per 5 weeks", "5 per minute;", "5.5 per minute", "5/minute",
     "five per minute", "5 per minute, 10 per hour", "99999 per minute"],
)  # fmt: skip
def test_what_is_no_list_of_limits_is_refused(text: str) -> None:
    """What cannot be read as limits is refused with an example of how to write it."""
    with pytest.raises(ConfigurationError, match="'5 per 5 minutes; 100 per 30 days'"):
        Limit.parse(text)


# --- from a URI to a ledger ---


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Ledger]]:
    """Opens a ledger that is closed at the end; by default a file in ``tmp_path``."""
    with ExitStack() as stack:

        def opened(uri: str = "sqlite:///ledger.db", timeout: float = 5.0) -> Ledger:
            ledger = open_ledger(uri, timeout, str(tmp_path))
            stack.callback(ledger.close)
            return ledger

        yield opened


def test_a_relative_file_lies_in_the_folder(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """Three slashes name a file relative to the instance folder."""
    opened("sqlite:///ledger.db")
    opened("sqlite:///deeper/led ger#1 é%.db")
    assert (tmp_path / "ledger.db").is_file()
    assert (tmp_path / "deeper" / "led ger#1 é%.db").is_file()


def test_an_absolute_file_lies_where_it_says(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """Four slashes name a file by its whole path."""
    elsewhere = Path(tempfile.mkdtemp(dir=tmp_path)) / "ledger.db"
    opened(f"sqlite:///{elsewhere}")
    assert elsewhere.is_file()
    assert not (tmp_path / "ledger.db").exists()


def test_memory_leaves_no_file(opened: Callable[..., Ledger], tmp_path: Path) -> None:
    """The ledger in memory touches no disk."""
    remaining(opened("memory://"), "u", *FIVE)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    "uri",
    ["", "sqlite", "sqlite:", "sqlite://", "sqlite:///", "sqlite:ledger.db",
     "sqlite:/ledger.db", "sqlite://ledger.db", "sqlite://host/ledger.db", "ledger.db",
     "/ledger.db", "file:///ledger.db", "memory:", "memory:///", "memory://x", "memory",
     ":memory:", "SQLITE:///ledger.db", " sqlite:///ledger.db", "://", "///",
     "sqlite+pysqlite:///ledger.db", "postgresql://localhost/ledger", "mysql://"],
)  # fmt: skip
def test_a_malformed_uri_is_refused(uri: str, tmp_path: Path) -> None:
    """A URI of no known form is refused, with the forms there are."""
    with pytest.raises(ConfigurationError) as refusal:
        open_ledger(uri, 1.0, str(tmp_path))
    message = str(refusal.value)
    assert "STEPUP_STORAGE_URI" in message
    assert "sqlite:///file" in message
    assert "memory://" in message
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("path", ["a\0b.db", "\ud800.db"], ids=ascii)
def test_a_path_that_cannot_be_is_refused(path: str, tmp_path: Path) -> None:
    """A path that no file system can take is a mistake in the configuration."""
    with pytest.raises(ConfigurationError, match="STEPUP_STORAGE_URI"):
        open_ledger(f"sqlite:///{path}", 1.0, str(tmp_path))


@pytest.mark.parametrize(
    "uri",
    ["redis://:s3cret@127.0.0.1:1/0", "rediss://default:s3cret@127.0.0.1:1",
     "valkey://:s3cret@127.0.0.1:1", "redis:/:s3cret@host", ":s3cret@host",
     "postgresql://me:s3cret@host/ledger", "sqlite://me:s3cret@host/ledger.db",
     "memory://s3cret", "me:s3cret@redis://host"],
)  # fmt: skip
def test_no_password_is_echoed(uri: str, tmp_path: Path) -> None:
    """The refusal of a URI shows none of its credentials, also not in its causes."""
    with pytest.raises(ConfigurationError) as refusal:
        open_ledger(uri, 0.2, str(tmp_path))
    error: BaseException | None = refusal.value
    while error:
        assert "s3cret" not in f"{error} {error!r}"
        error = error.__cause__ or error.__context__


# --- the file ---


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def sql(path: Path, statement: str) -> list[Any]:
    """Look at the file as another program does."""
    with closing(sqlite3.connect(path, timeout=5)) as connection:
        return connection.execute(statement).fetchall()


def test_the_files_are_for_their_owner_alone(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """File, log and index can be read by nobody else, and so can a folder we made."""
    with umask(0):
        ledger = opened("sqlite:///made/ledger.db")
        ledger.revoke_user("u")
    files = sorted((tmp_path / "made").iterdir())
    assert [f.name for f in files] == ["ledger.db", "ledger.db-shm", "ledger.db-wal"]
    assert [mode(f) for f in files] == [0o600] * 3
    assert mode(tmp_path / "made") == 0o700


def test_a_folder_that_was_there_is_left_alone(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """The permissions of a folder that we did not make are not ours to change."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    folder.chmod(0o750)
    opened("sqlite:///theirs/ledger.db")
    assert mode(folder) == 0o750


def test_the_log_is_written_ahead(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """The file is in WAL mode, so that readers wait for no writer."""
    opened()
    assert sql(tmp_path / "ledger.db", "PRAGMA journal_mode") == [("wal",)]


def test_the_log_is_written_ahead_after_a_restore(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """A copy that SQLite made of a ledger (VACUUM INTO) is in WAL mode once opened."""
    opened().close()
    sql(tmp_path / "ledger.db", f"VACUUM INTO '{tmp_path / 'copy.db'}'")
    assert sql(tmp_path / "copy.db", "PRAGMA journal_mode") == [("delete",)]
    opened("sqlite:///copy.db").revoke_user("u")
    assert sql(tmp_path / "copy.db", "PRAGMA journal_mode") == [("wal",)]


def test_all_is_there_after_a_restart(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """A file keeps its id, attempts, used codes and revocations."""
    before = opened()
    ticket = before.reserve("u", FIVE)
    before.settle("v", "s", "digest")
    before.spend("v", "s", {"a": ""})
    before.revoke_session("s")
    before.revoke_user("w")
    standing = before.standing("w", "s")
    before.close()

    after = opened()
    assert after.id == before.id
    assert isinstance(ticket, Ticket)
    assert remaining(after, "u", *FIVE) == ticket.remaining - 1
    assert not after.settle("v", "s", "digest").first_use
    assert after.standing("v", "s", None, ["a", "b"]).spent == {"a"}
    assert after.spend("v", "t", {"a": ""}).approval is None
    assert after.standing("w", "s") == standing
    assert standing.generation
    assert standing.session_revoked


def test_a_ledger_with_other_tables_is_refused_at_start(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """Promise 11: a file of a version that kept less says so, before any request."""
    opened().close()
    path = tmp_path / "ledger.db"
    sql(path, "ALTER TABLE revocations DROP COLUMN at")

    with pytest.raises(ConfigurationError, match="move the file away"):
        opened()


def test_what_is_over_leaves_the_file(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """A thousand users who came and went leave no row behind, and no growing file."""
    ledger, path = opened(), tmp_path / "ledger.db"

    def rows() -> int:
        tables = ("attempts", "claims", "revocations")
        return sum(sql(path, f"SELECT count(*) FROM {t}")[0][0] for t in tables)  # noqa: S608

    sizes = []
    with time_machine.travel(START, tick=False) as clock:
        for _ in range(2):
            for user in range(500):
                ledger.reserve(f"user {user}", FIVE)
                if user % 8 == 0:
                    ledger.settle(f"user {user}", "s", secrets.token_hex(8))
                    ledger.spend(f"user {user}", "s", {secrets.token_hex(6): ""})
                    ledger.revoke_user(f"user {user}")
                    ledger.revoke_session(f"session {user}")
            assert rows() > 500
            clock.shift(31 * 86_400)
            for _ in range(50):
                ledger.clear("somebody")
            assert rows() == 0
            ledger.close()
            sizes.append(path.stat().st_size)
    assert sizes[1] <= sizes[0] * 1.2


def test_each_write_makes_room_for_itself(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """Where users come one after the other, only those of one window are kept."""
    ledger = opened()
    with time_machine.travel(START, tick=False) as clock:
        for user in range(200):
            ledger.reserve(f"user {user}", (Limit(5, 60),))
            clock.shift(10)
    [(kept,)] = sql(tmp_path / "ledger.db", "SELECT count(*) FROM attempts")
    assert kept <= 8


def test_close_gives_back_every_connection(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """After close no file of the ledger is open in this process."""
    ledger = opened()
    race(16, lambda n: ledger.revoke_user(f"user {n}"))
    ledger.close()
    fds = Path("/proc/self/fd")
    if not fds.is_dir():
        pytest.skip("no /proc to see open files in")
    targets = []
    for fd in fds.iterdir():
        with suppress(OSError):
            targets.append(str(fd.readlink()))
    assert not [target for target in targets if str(tmp_path) in target]


@pytest.mark.parametrize("uri", URIS.values(), ids=URIS)
def test_no_connection_is_left_unclosed(uri: str, tmp_path: Path) -> None:
    """A ledger that was closed and dropped causes no ResourceWarning.

    Python warns of unclosed SQLite connections from 3.13 on.
    """
    script = """
import gc, sys
from flask_stepup.ledger import Limit, open_ledger
ledger = open_ledger(sys.argv[1], 5.0, sys.argv[2])
ledger.reserve("u", [Limit(5, 300)])
ledger.close()
del ledger
gc.collect()
"""
    command = [sys.executable, "-W", "error", "-X", "dev", "-c", script]
    done = subprocess.run(
        [*command, uri, str(tmp_path)], capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stderr) == (0, "")


# --- locks ---


@contextmanager
def write_lock_of_another_process(path: Path) -> Iterator[None]:
    """Hold the file's one write lock, as a stuck worker would."""
    script = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
connection.close()
"""
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdin
    assert holder.stdout
    with holder:
        assert holder.stdout.readline() == b"held\n"
        try:
            yield
        finally:
            holder.stdin.close()
            holder.wait(10)


WRITES: dict[str, Callable[[Ledger], object]] = {
    "reserve": lambda ledger: ledger.reserve("u", FIVE),
    "refund": lambda ledger: ledger.refund(Ticket(1, 0, 0.0)),
    "settle": lambda ledger: ledger.settle("u", "s", "digest"),
    "spend": lambda ledger: ledger.spend("u", "s", {"a": "", "b": ""}),
    "clear": lambda ledger: ledger.clear("u"),
    "revoke_session": lambda ledger: ledger.revoke_session("s"),
    "revoke_user": lambda ledger: ledger.revoke_user("u"),
}


def test_a_stuck_writer_stops_writers_alone(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """While another process holds the write lock, each write gives up in time.

    Guarded requests go on, and all works again once the lock is gone.
    """
    timeout = 0.1
    ledger = opened(timeout=timeout)
    ledger.revoke_session("s")
    with write_lock_of_another_process(tmp_path / "ledger.db"):
        for name, write in WRITES.items():
            begun = time.monotonic()
            with pytest.raises(LedgerUnavailable, match="locked"):
                write(ledger)
            assert time.monotonic() - begun < timeout + 0.5, name
            begun = time.monotonic()
            assert ledger.standing("u", "s", None, ["a"]).session_revoked
            assert ledger.spend("u", "s", {}).standing.session_revoked
            assert time.monotonic() - begun < timeout + 0.5, name
    for write in WRITES.values():
        write(ledger)


def test_an_approval_that_could_not_be_spent_is_left(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """While another process holds the write lock nothing is spent, and then it is."""
    ledger = opened(timeout=0.1)
    with write_lock_of_another_process(tmp_path / "ledger.db"):
        with pytest.raises(LedgerUnavailable, match="locked"):
            ledger.spend("u", "s", {"a": "", "b": ""})
        assert not ledger.standing("u", "s", None, ["a", "b"]).spent
    spending = ledger.spend("u", "s", {"a": "", "b": ""})
    assert (spending.approval, spending.standing.spent) == ("a", frozenset())


def watch_statements(
    monkeypatch: pytest.MonkeyPatch, seen: Callable[[str], object]
) -> None:
    """Call with each SQL statement, just before SQLite runs it."""
    connect = sqlite3.connect

    def watched(*args: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **options)
        connection.set_trace_callback(seen)
        return connection

    monkeypatch.setattr(sqlite3, "connect", watched)


@pytest.mark.parametrize("uri", URIS.values(), ids=URIS)
def test_a_look_up_is_one_statement(
    uri: str, opened: Callable[..., Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A guarded request costs one SELECT, which without approvals reads no claims."""
    statements: list[str] = []
    watch_statements(monkeypatch, statements.append)
    ledger = opened(uri)
    ledger.spend("u", "s", {"a": ""})
    del statements[:]
    ledger.standing("u", "s", "login")
    ledger.spend("u", "s", {}, "login")
    ledger.standing("u", "s", "login", ["a", "b"])
    assert [text.split()[0] for text in statements] == ["SELECT"] * 3
    assert ["claims" in text for text in statements] == [False, False, True]


def test_a_look_up_sees_one_moment(
    opened: Callable[..., Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is revoked and what is spent are told as of the same state of the file.

    Another worker revokes and spends before each statement that the look-up makes.
    """
    other, ledger, generations = opened(), opened(), [""]

    def write(statement: str) -> None:
        if statement.startswith("SELECT key"):
            number = len(generations)
            other.revoke_user("u")
            generations.append(other.standing("u", "s").generation)
            other.spend("u", "s", {f"{number}": generations[number]})

    ledger.close()
    watch_statements(monkeypatch, write)
    standing = ledger.standing("u", "s", None, [f"{number}" for number in range(9)])
    assert "1" in standing.spent
    assert standing.generation == generations[len(standing.spent)]


def test_no_revocation_comes_in_the_middle_of_spending(
    opened: Callable[..., Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes before, and counts, or after: while spending is under way it waits.

    Another worker tries to revoke before each statement of the step.
    """
    other, ledger = opened(timeout=0.02), opened()
    revocations, kept_out = [], []

    def revoke(statement: str) -> None:
        try:
            other.revoke_user("u")
        except LedgerUnavailable:
            kept_out.append(statement)
        else:
            revocations.append(other.standing("u", "s"))

    ledger.close()
    watch_statements(monkeypatch, revoke)
    spending = ledger.spend("u", "s", {"a": ""})
    assert spending == Spending(revocations[-1], None)
    assert any("claims" in statement for statement in kept_out)


def test_a_writer_waits_for_its_turn(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """A write lock that is given back within the timeout is only a delay."""
    ledger = opened(timeout=10.0)
    with ThreadPoolExecutor(1) as pool:
        with write_lock_of_another_process(tmp_path / "ledger.db"):
            waiting = pool.submit(remaining, ledger, "u", *FIVE)
            assert not waiting.done()
        assert waiting.result(10) == 4


# --- files that are none ---


def ledger_bytes(folder: Path) -> bytes:
    """The file of a ledger that has a few pages."""
    ledger = open_ledger("sqlite:///model.db", 5.0, str(folder))
    for user in range(40):
        ledger.reserve(f"user {user}", FIVE)
        ledger.settle("u", "s", f"{user:_>64}")
        ledger.revoke_user(f"user {user}")
    ledger.close()
    return (folder / "model.db").read_bytes()


def garbage(length: int) -> bytes:
    return bytes(range(1, 256)) * (length // 255 + 1)


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "garbage": lambda good: garbage(len(good)),
    "zeros": lambda good: bytes(len(good)),
    "text": lambda good: (b"SECRET_KEY=hello\n" * len(good))[: len(good)],
    "short text": lambda good: b"hello\n",
    "a piece of the header": lambda good: good[:50],
    "the header alone": lambda good: good[:100],
    "the first page alone": lambda good: good[:4_096],
    "the first half": lambda good: good[: len(good) // 2],
    "a good header, no schema": lambda good: good[:100] + garbage(len(good) - 100),
    "a good first page": lambda good: good[:4_096] + garbage(len(good) - 4_096),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_file_that_is_no_ledger_is_refused(
    damage: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    """A corrupt file is refused when the app starts, with what to do about it."""
    content = damage(ledger_bytes(tmp_path))
    (tmp_path / "ledger.db").write_bytes(content)
    with pytest.raises(ConfigurationError) as refusal:
        open_ledger("sqlite:///ledger.db", 1.0, str(tmp_path))
    message = str(refusal.value)
    assert str(tmp_path / "ledger.db") in message
    assert "move the file away" in message
    assert "STEPUP_STORAGE_URI" in message
    assert (tmp_path / "ledger.db").read_bytes()[4_096:] == content[4_096:]


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    """A database whose tables have our names and not our columns is refused."""
    sql(tmp_path / "ledger.db", "CREATE TABLE attempts (id INTEGER)")
    with pytest.raises(ConfigurationError, match="move the file away"):
        open_ledger("sqlite:///ledger.db", 1.0, str(tmp_path))


def test_an_empty_file_becomes_a_ledger(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """A file without content, as touch leaves it, is a ledger that nobody founded."""
    (tmp_path / "ledger.db").touch()
    assert remaining(opened(), "u", *FIVE) == 4


def put_file(path: Path, content: bytes) -> None:
    """Put another file in the place of a ledger, as a restore from a backup does."""
    for companion in ("-wal", "-shm"):
        Path(f"{path}{companion}").unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(content)


@pytest.mark.parametrize("damage", ["garbage", "text", "zeros", "a good first page"])
def test_a_file_that_breaks_while_it_is_used(
    opened: Callable[..., Ledger], tmp_path: Path, damage: str
) -> None:
    """A file that gets corrupt raises LedgerUnavailable, and a mended one works.

    What a connection has read already may go on to be answered from its memory, but a
    write finds out, and from then on nothing is answered until the file is mended.
    """
    path = tmp_path / "ledger.db"
    good = ledger_bytes(tmp_path)
    path.write_bytes(good)
    ledger = opened()
    assert ledger.standing("user 3", "s").generation
    with path.open("r+b") as file:
        file.write(DAMAGE[damage](good))
    for _ in range(3):
        with pytest.raises(LedgerUnavailable):
            ledger.reserve("u", FIVE)
    for write in WRITES.values():
        with pytest.raises(LedgerUnavailable):
            write(ledger)
    put_file(path, good)
    assert remaining(ledger, "u", *FIVE) == 4
    assert ledger.standing("user 3", "s").generation
    assert ledger.spend("nobody yet", "s", {"a": ""}).approval == "a"


def test_a_truncated_file_does_not_crash_the_process(tmp_path: Path) -> None:
    """A file that is cut to nothing while it is used raises LedgerUnavailable at most.

    It runs in a process of its own, since what it guards against is the end of one.
    """
    script = """
import os, sys
from flask_stepup.errors import LedgerUnavailable
from flask_stepup.ledger import Limit, open_ledger
ledger = open_ledger("sqlite:///ledger.db", 0.5, sys.argv[1])
ledger.revoke_user("u")
ledger.close()
ledger.standing("u", "s")
os.truncate(os.path.join(sys.argv[1], "ledger.db"), 0)
for step in (
    lambda: ledger.standing("u", "s"),
    lambda: ledger.reserve("u", [Limit(5, 300)]),
    lambda: ledger.standing("u", "s"),
    ledger.close,
):
    try:
        step()
    except LedgerUnavailable:
        pass
print("alive")
"""
    assert_alone_prints("alive\n", script, tmp_path)


def assert_alone_prints(expected: str, script: str, tmp_path: Path) -> None:
    """Run a script as a process of its own; it prints this and ends well."""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, expected, "")


def revoked_for_all(ledger: Ledger, path: Path) -> bool:
    """Whether a revocation is known to whoever opens the file now, or refused."""
    try:
        ledger.revoke_session("just ended")
    except LedgerUnavailable:
        return True
    with closing(open_ledger(f"sqlite:///{path}", 5.0, "/")) as another:
        return another.standing("u", "just ended").session_revoked


def test_a_deleted_file_is_noticed(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """Nothing is written to a file that was deleted, where no other worker looks.

    Either the ledger is unavailable, or it goes on with the file that is there now.
    """
    ledger, path = opened(), tmp_path / "ledger.db"
    ledger.revoke_user("u")
    for file in tmp_path.iterdir():
        file.unlink()
    assert revoked_for_all(ledger, path)


def test_a_deleted_folder_is_noticed(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """Nothing is written to a file whose folder is gone."""
    ledger, path = opened("sqlite:///made/ledger.db"), tmp_path / "made" / "ledger.db"
    ledger.revoke_user("u")
    shutil.rmtree(path.parent)
    assert revoked_for_all(ledger, path)


def test_a_replaced_file_is_noticed(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """Nothing is written to a file in whose place another one was put."""
    path = tmp_path / "ledger.db"
    good = ledger_bytes(tmp_path)
    ledger = opened()
    ledger.revoke_user("u")
    put_file(path, good)
    assert revoked_for_all(ledger, path)


def test_a_new_file_has_another_id(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """A deleted file is no ledger any more: what is made in its place has a new id."""
    first = opened()
    first.close()
    (tmp_path / "ledger.db").unlink()
    assert opened().id != first.id


# --- places where no file can be ---


def is_root() -> bool:
    return os.geteuid() == 0


@pytest.mark.parametrize(
    "uri",
    [
        "sqlite:////proc/stepup.db",  # nobody can make a file here, not even root
        "sqlite:////proc/nothing/stepup.db",
        "sqlite:////dev/full",
        "sqlite:////dev/null",
        "sqlite:////dev/null/stepup.db",
        "sqlite:///.",
        "sqlite:////",
        "sqlite:///folder",
        "sqlite:///file/stepup.db",
        "sqlite:///" + "x" * 300,
        pytest.param(
            "sqlite:///read-only/stepup.db",
            marks=pytest.mark.skipif("is_root()", reason="root may write anywhere"),
        ),
    ],
    ids=lambda uri: uri[:40],
)
def test_a_place_that_cannot_be_written_is_refused(uri: str, tmp_path: Path) -> None:
    """A ledger that cannot be made or written stops the app, with the mend."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "read-only").mkdir(mode=0o500)
    with pytest.raises(ConfigurationError) as refusal:
        open_ledger(uri, 1.0, str(tmp_path))
    assert "cannot be opened for writing" in str(refusal.value)
    assert "permissions" in str(refusal.value)
    assert "STEPUP_STORAGE_URI" in str(refusal.value)


Disk = Callable[[str], Path]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """Mounts a small disk; only root of a machine that lets it can."""
    with ExitStack() as stack:

        def disk(options: str) -> Path:
            folder = Path(tempfile.mkdtemp(dir=tmp_path))
            mount = shutil.which("mount")
            if not mount or not is_root():
                pytest.skip("only root can mount a small disk")
            done = subprocess.run(
                [mount, "-t", "tmpfs", "-o", options, "tmpfs", str(folder)],
                capture_output=True,
                text=True,
            )
            if done.returncode:
                pytest.skip(f"no small disk: {done.stderr.strip()}")
            # Lazily: a test that failed may hold a file open, and no disk shall stay.
            stack.callback(subprocess.run, ["umount", "-l", str(folder)], check=True)
            return folder

        yield disk


def fill(folder: Path) -> None:
    """Take all room that is left, as another program's log does."""
    with (folder / "log").open("ab", buffering=0) as log, suppress(OSError):
        while True:
            log.write(bytes(4_096))


def test_a_read_only_disk_is_refused(disk: Disk) -> None:
    """A ledger on a disk that is mounted read-only stops the app, also for root."""
    folder = disk("ro,size=1m")
    with pytest.raises(ConfigurationError, match="Read-only"):
        open_ledger("sqlite:///ledger.db", 1.0, str(folder))


def test_a_disk_without_room_is_refused(disk: Disk) -> None:
    """A ledger that cannot be founded for want of room stops the app."""
    folder = disk("size=64k")
    with pytest.raises(ConfigurationError, match="full"):
        open_ledger("sqlite:///ledger.db", 1.0, str(folder))


@pytest.mark.parametrize("restarted", [False, True], ids=["at work", "just restarted"])
def test_on_a_full_disk_guarded_reads_go_on(disk: Disk, restarted: bool) -> None:
    """While the disk is full, writes raise LedgerUnavailable and reads are answered.

    When there is room again, so are writes.
    """
    folder = disk("size=1m")
    with closing(open_ledger("sqlite:///ledger.db", 1.0, str(folder))) as ledger:
        ledger.revoke_session("s")
        if restarted:
            # All is in the file and nothing in its log.
            ledger.close()
            assert ledger.standing("u", "s").session_revoked
        for _ in range(3):
            fill(folder)
            with pytest.raises(LedgerUnavailable, match="full"):
                ledger.reserve("u", FIVE)
            with pytest.raises(LedgerUnavailable, match="full"):
                ledger.spend("u", "t", {"a": ""})
            fill(folder)
            assert ledger.standing("u", "s").session_revoked
            assert not ledger.standing("u", "s", None, ["a"]).spent
        (folder / "log").unlink()
        assert ledger.spend("u", "t", {"a": ""}).approval == "a"
        assert remaining(ledger, "u", *FIVE) == 4


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    """Where files may not grow (RLIMIT_FSIZE), writes raise and reads are answered."""
    script = """
import resource, signal, sys
from flask_stepup.errors import LedgerUnavailable
from flask_stepup.ledger import open_ledger
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
before = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (131_072, before[1]))
ledger = open_ledger("sqlite:///ledger.db", 1.0, sys.argv[1])
ledger.revoke_session("s")
for user in range(10_000):
    try:
        ledger.revoke_user(f"user {user}")
    except LedgerUnavailable:
        break
else:
    sys.exit("nothing stopped it")
assert ledger.standing("u", "s").session_revoked
assert ledger.standing("user 0", "s").generation
print("answered")
# What measures coverage writes a file of its own when this ends.
resource.setrlimit(resource.RLIMIT_FSIZE, before)
"""
    assert_alone_prints("answered\n", script, tmp_path)

"""The contract of every ledger: in memory, in a file, and on a real Valkey.

A ledger that is added later joins it by one line in ``KINDS``.
"""

from __future__ import annotations

import math
import secrets
import tempfile
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import ExitStack
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import time_machine
from ledgers import Clock
from ledgers import FIVE
from ledgers import Opener
from ledgers import PATIENT
from ledgers import race
from ledgers import remaining
from ledgers import retry_after
from ledgers import START
from valkey_server import Valkey

from flask_stepup.errors import LedgerUnavailable
from flask_stepup.ledger import Exhausted
from flask_stepup.ledger import Ledger
from flask_stepup.ledger import Limit
from flask_stepup.ledger import open_ledger
from flask_stepup.ledger import Repeated
from flask_stepup.ledger import Settlement
from flask_stepup.ledger import Spending
from flask_stepup.ledger import Standing
from flask_stepup.ledger import Ticket
from flask_stepup.ledger.keys import approval_key
from flask_stepup.ledger.keys import attempt_key
from flask_stepup.ledger.keys import attempts_key
from flask_stepup.ledger.keys import code_key
from flask_stepup.ledger.keys import session_key
from flask_stepup.ledger.keys import user_key
from flask_stepup.ledger.values import REVOCATION_KEPT
from flask_stepup.ledger.values import SPENT_KEPT
from flask_stepup.ledger.values import USED_CODE_KEPT
from flask_stepup.policy_fields import LONGEST_MAX_AGE

#: Each is a ledger of its own for every test.
KINDS = ("memory", "sqlite", "valkey")

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


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(kind: str, request: pytest.FixtureRequest) -> Valkey | None:
    """The server of the ledger, for a ledger on one."""
    if kind != "valkey":
        return None
    name = "valkey_with_clock" if "clock" in request.fixturenames else "valkey"
    found = request.getfixturevalue(name)
    assert isinstance(found, Valkey)
    return found


@pytest.fixture
def new_ledger(kind: str, server: Valkey | None, tmp_path: Path) -> Iterator[Opener]:
    """Opens one more ledger of a kind, apart from all others."""
    with ExitStack() as stack:

        def new() -> Ledger:
            folder = tempfile.mkdtemp(dir=tmp_path)
            uris = {"memory": "memory://", "sqlite": "sqlite:///ledger.db"}
            uri = server.uri(secrets.token_hex(8)) if server else uris[kind]
            ledger = open_ledger(uri, PATIENT, folder, "bank")
            stack.callback(ledger.close)
            return ledger

        yield new


@pytest.fixture
def ledger(new_ledger: Opener) -> Ledger:
    return new_ledger()


@pytest.fixture
def clock(server: Valkey | None) -> Iterator[Clock]:
    """The clock of host and server, that stands still unless it is moved."""
    with time_machine.travel(START, tick=False) as traveller:
        yield Clock(traveller, server)


def about(seconds: float) -> Any:
    """That many seconds from the start, as exactly as clocks can be stopped."""
    return pytest.approx(START + seconds, abs=0.1)


def test_what_is_remembered_keeps_its_name() -> None:
    """Workers of two versions share a ledger while an app is updated."""
    assert user_key("u") == "user:u"
    assert user_key("u", "login") == "login:1:u:login"
    assert session_key("nonce") == "session:nonce"
    assert approval_key("id") == "approval:id"
    assert code_key("digest") == "code:digest"
    assert attempts_key("u") == "attempts:u"
    assert attempt_key("n", "7") == "attempt:n:7"


def test_revocations_are_kept_for_two_days() -> None:
    """Longer than any marker lives and any challenge can be renewed."""
    assert REVOCATION_KEPT == 2 * 86_400


def test_what_is_not_told_is_not_so() -> None:
    """Nothing was revoked, no time is known, and no attempt counts."""
    nothing = Standing()
    assert (nothing.origin, nothing.spent) == ("", frozenset())
    assert (nothing.told_at, nothing.revoked_for) == (0.0, math.inf)
    assert nothing.session_revoked is False
    assert Settlement(True, nothing).is_counted is False


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

    @pytest.mark.parametrize("fraction", [0.0, 0.01, 0.5, 0.98])
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
        assert (second.remaining, second.locked_until) == (0, about(60))
        clock.move_to(START + 60)
        third = ledger.reserve("u", (short, long))
        assert isinstance(third, Ticket)
        assert (third.remaining, third.locked_until) == (0, about(3_600))

    def test_a_limit_of_one_locks_for_its_whole_window(
        self, ledger: Ledger, clock: Any
    ) -> None:
        """A limit of one attempt is used up by the first and for its whole window."""
        only = ledger.reserve("u", (Limit(1, 60),))
        assert isinstance(only, Ticket)
        assert (only.remaining, only.locked_until) == (0, about(60))
        assert retry_after(ledger, "u", Limit(1, 60)) == 60

    def test_a_limit_that_was_lowered_counts_the_newest_attempts(
        self, ledger: Ledger, clock: Any
    ) -> None:
        """Whoever is over it waits until as many have left as are too many."""
        for at in range(0, 50, 10):
            clock.move_to(START + at)
            remaining(ledger, "u", *FIVE)
        refused = ledger.reserve("u", (Limit(2, 300),))
        assert isinstance(refused, Exhausted)
        assert (refused.retry_after, refused.until) == (290, about(330))
        clock.move_to(START + 330)
        assert remaining(ledger, "u", Limit(2, 300)) == 0

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

    def test_the_same_attempt_is_counted_once(self, ledger: Ledger, clock: Any) -> None:
        """Whoever repeats it, by its name, takes no other one."""
        first = ledger.reserve("u", FIVE, "one")
        assert isinstance(first, Ticket)
        assert (first.user_id, first.remaining) == ("u", 4)
        clock.shift(1)
        assert ledger.reserve("u", FIVE, "one") == Repeated()
        for left, name in ((3, "on"), (2, "one1"), (1, "-one")):
            other = ledger.reserve("u", FIVE, name)
            assert isinstance(other, Ticket)
            assert other.remaining == left
        assert remaining(ledger, "u", *FIVE) == 0

    def test_a_name_is_one_users_own(self, ledger: Ledger, clock: Any) -> None:
        """Others may use the same."""
        assert isinstance(ledger.reserve("u", FIVE, "one"), Ticket)
        assert isinstance(ledger.reserve("v", FIVE, "one"), Ticket)

    def test_the_same_attempt_stays_as_old_as_it_was(
        self, ledger: Ledger, clock: Any
    ) -> None:
        """Whoever repeats it locks nobody out for longer."""
        limit = Limit(2, 60)
        assert isinstance(ledger.reserve("u", (limit,), "7"), Ticket)
        clock.shift(30)
        assert ledger.reserve("u", (limit,), "7") == Repeated()
        clock.shift(30.5)
        assert remaining(ledger, "u", limit) == 1

    @pytest.mark.parametrize("name", ["", "one"])
    def test_a_ticket_is_given_once(self, ledger: Ledger, name: str) -> None:
        """To refund it takes no other attempt back, be it of the same name."""
        ids = set()
        for _ in range(50):
            ticket = ledger.reserve("u", FIVE, name)
            assert isinstance(ticket, Ticket)
            ids.add(ticket.id)
            ledger.refund(ticket)
        assert len(ids) == 50
        again = ledger.reserve("u", FIVE, name)
        ledger.refund(ticket)
        assert isinstance(again, Ticket)
        assert remaining(ledger, "u", *FIVE) == 3

    def test_an_attempt_that_was_given_back_can_be_made_again(
        self, ledger: Ledger, clock: Any
    ) -> None:
        """By the same name: nobody has told whether the code is right."""
        first = ledger.reserve("u", FIVE, "7")
        assert isinstance(first, Ticket)
        ledger.refund(first)
        assert isinstance(ledger.reserve("u", FIVE, "7"), Ticket)
        ledger.clear("u")
        assert isinstance(ledger.reserve("u", FIVE, "7"), Ticket)

    def test_where_none_is_left_the_same_attempt_is_told_so(
        self, ledger: Ledger, clock: Any
    ) -> None:
        """What a person needs to know then is until when."""
        limit = Limit(1, 60)
        assert isinstance(ledger.reserve("u", (limit,), "7"), Ticket)
        assert retry_after(ledger, "u", limit) == 60
        assert isinstance(ledger.reserve("u", (limit,), "7"), Exhausted)

    def test_threads_race_with_one_attempt(self, ledger: Ledger) -> None:
        """One of them makes it."""
        made = race(32, lambda _: ledger.reserve("u", FIVE, "7"))
        assert sum(isinstance(one, Ticket) for one in made) == 1
        assert made.count(Repeated()) == 31

    @pytest.mark.parametrize("back", [60, 3_600, 30_000_000])
    def test_a_clock_that_ran_ahead_locks_nobody_out_for_longer(
        self, ledger: Ledger, clock: Any, back: int
    ) -> None:
        """Attempts of a time that has not come yet leave as if they were made now."""
        clock.shift(back)
        for _ in range(5):
            ledger.reserve("u", FIVE)
        clock.shift(-back)
        assert retry_after(ledger, "u", *FIVE) == 300
        clock.shift(301)
        assert remaining(ledger, "u", *FIVE) == 4

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
            assert ledger.standing(user, "s") == Standing(ledger.id)
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
            lambda ledger, odd: ledger.settle(odd, "s", ["digest"]),
            lambda ledger, odd: ledger.settle("u", odd, ["digest"]),
            lambda ledger, odd: ledger.standing("u", "s", None, [odd]),
            lambda ledger, odd: ledger.spend(odd, "s", {"a": ledger.id}),
            lambda ledger, odd: ledger.spend("u", odd, {"a": ledger.id}),
            lambda ledger, odd: ledger.spend("u", "s", {"a": ledger.id}, odd),
            lambda ledger, odd: ledger.spend("u", "s", {odd: ledger.id}),
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

        assert not ledger.settle("u", "s", ["a"], None, one).is_counted
        late = ledger.reserve("u", FIVE)
        assert isinstance(late, Ticket)
        assert ledger.settle("u", "s", ["a"], None, late).is_counted
        assert not ledger.settle("u", "s", ["a"], None, other).is_counted
        assert not ledger.settle("u", "s", ["a"]).is_counted

    def test_a_code_opens_once(self, ledger: Ledger, clock: Any) -> None:
        """A code is used for the first time once, until nobody would accept it."""
        assert ledger.settle("u", "s", ["digest"]).first_use
        assert not ledger.settle("u", "s", ["digest"]).first_use
        assert ledger.settle("u", "s", ["another"]).first_use
        clock.shift(USED_CODE_KEPT - 1)
        assert not ledger.settle("u", "s", ["digest"]).first_use
        clock.shift(1)
        assert ledger.settle("u", "s", ["digest"]).first_use
        assert not ledger.settle("u", "s", ["digest"]).first_use

    def test_used_codes_are_kept_for_three_minutes(self) -> None:
        """A used code is remembered for longer than any server accepts it."""
        assert USED_CODE_KEPT == 180

    def test_trying_a_used_code_does_not_keep_it_longer(
        self, ledger: Ledger, clock: Any
    ) -> None:
        """The time of a used code runs from its first use."""
        ledger.settle("u", "s", ["digest"])
        clock.shift(USED_CODE_KEPT - 10)
        assert not ledger.settle("u", "s", ["digest"]).first_use
        clock.shift(10)
        assert ledger.settle("u", "s", ["digest"]).first_use

    def test_the_first_use_clears_attempts(self, ledger: Ledger, clock: Any) -> None:
        """A right code clears the attempts of its user, and of nobody else."""
        for user in ("u", "v"):
            for _ in range(4):
                remaining(ledger, user, *FIVE)
        ledger.settle("u", "s", ["digest"])
        assert remaining(ledger, "u", *FIVE) == 4
        assert remaining(ledger, "v", *FIVE) == 0

    def test_a_second_use_clears_nothing(self, ledger: Ledger, clock: Any) -> None:
        """A code seen over somebody's shoulder does not lift the limit."""
        ledger.settle("u", "s", ["digest"])
        for _ in range(5):
            remaining(ledger, "u", *FIVE)
        assert not ledger.settle("u", "s", ["digest"]).first_use
        assert isinstance(ledger.reserve("u", FIVE), Exhausted)

    def test_a_settlement_tells_the_standing(self, ledger: Ledger) -> None:
        """What was revoked while a code was checked is known when it is settled."""
        assert ledger.settle("u", "s", ["1"]).standing == Standing(ledger.id)
        ledger.revoke_user("u")
        ledger.revoke_session("s")
        standing = ledger.settle("u", "s", ["2"]).standing
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
        assert {ledger.standing(user, "s") for user in ODD_IDS} == {Standing(ledger.id)}

    def test_a_login_has_the_revocations_of_its_user_too(self, ledger: Ledger) -> None:
        """Both make its generation, in which each revocation shows."""
        seen = [ledger.standing("u", "s", "login").generation]
        for login in ("login", None, "login", None):
            ledger.revoke_user("u", login)
            seen.append(ledger.standing("u", "s", "login").generation)
        assert len(set(seen)) == 5
        assert ledger.settle("u", "s", ["1"], "login").standing.generation == seen[-1]
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
                    round(ledger.standing("u", "s", asked).revoked_at - START, 1)
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

    def test_a_generation_is_short(self, ledger: Ledger) -> None:
        """Six characters for a user and as many for a login: cookies have no room."""
        ledger.revoke_user("u")
        ledger.revoke_user("u", "login")
        assert len(ledger.standing("u", "s").generation) == 6
        assert len(ledger.standing("u", "s", "login").generation) == 12

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
        assert all(len(i) == 6 and i.isascii() and i.isprintable() for i in ids)

    def test_a_code_is_known_by_any_of_its_digests(
        self, ledger: Ledger, clock: Any
    ) -> None:
        """Whoever has one key in common with whom it was used at knows of it."""
        assert ledger.settle("u", "s", ["old", "new"]).first_use
        assert not ledger.settle("u", "s", ["new", "newer"]).first_use
        assert not ledger.settle("u", "s", ["old"]).first_use
        # Also by the one that only came with the attempt to use it again.
        assert not ledger.settle("u", "s", ["newer"]).first_use
        clock.shift(USED_CODE_KEPT)
        assert ledger.settle("u", "s", ["new"]).first_use

    def test_the_ledger_tells_its_time(self, ledger: Ledger, clock: Any) -> None:
        """By its own clock, with every standing, and since when it was revoked."""
        assert ledger.standing("u", "s").told_at == about(0)
        assert ledger.standing("u", "s").revoked_for == math.inf
        ledger.revoke_user("u")
        clock.shift(10)
        for standing in (
            ledger.standing("u", "s"),
            ledger.settle("u", "s", ["digest"]).standing,
            ledger.spend("u", "s", {"a": ledger.id}).standing,
        ):
            assert standing.told_at == about(10)
            assert standing.revoked_for == pytest.approx(10, abs=0.1)

    def test_who_is_refused_is_told_until_when(
        self, ledger: Ledger, clock: Any
    ) -> None:
        """To the moment at which the next attempt is possible."""
        remaining(ledger, "u", Limit(1, 60))
        clock.shift(10)
        refused = ledger.reserve("u", (Limit(1, 60),))
        assert isinstance(refused, Exhausted)
        assert (refused.retry_after, refused.until) == (50, about(60))

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
        settled = race(32, lambda n: ledger.settle("u", f"session {n}", ["digest"]))
        assert sum(settlement.first_use for settlement in settled) == 1

    def test_threads_race_to_refund(self, ledger: Ledger) -> None:
        """A ticket that 32 threads refund at once gives back one attempt."""
        limit = Limit(3, 300)
        first, *_ = [ledger.reserve("u", (limit,)) for _ in range(3)]
        assert isinstance(first, Ticket)
        race(32, lambda _: ledger.refund(first))
        assert remaining(ledger, "u", limit) == 0
        assert isinstance(ledger.reserve("u", (limit,)), Exhausted)


class TestWhatALedgerWouldTellAgain:
    """A standing may be remembered for as long as the ledger says that it is so."""

    def test_only_one_that_is_ours_alone_knows(self, ledger: Ledger, kind: str) -> None:
        """To others, and others' ledgers, many write: they have to be asked."""
        told = ledger.standing("u", "s")
        assert ledger.still_tells(told, time.time()) is (kind == "memory")

    @pytest.mark.parametrize(
        "write",
        [
            lambda ledger: ledger.revoke_session("s"),
            lambda ledger: ledger.revoke_user("u"),
            lambda ledger: ledger.revoke_user("u", "login"),
            lambda ledger: ledger.revoke_user("somebody else"),
            lambda ledger: ledger.reserve("u", FIVE),
            lambda ledger: ledger.settle("u", "s", ["1"]),
            lambda ledger: ledger.spend("u", "s", {"a": ledger.id}),
            lambda ledger: ledger.clear("u"),
        ],
    )
    def test_nothing_is_known_once_something_was_written(
        self, ledger: Ledger, write: Callable[[Ledger], object]
    ) -> None:
        """Whatever it was, and whomever it was about."""
        told = ledger.standing("u", "s")
        write(ledger)
        assert not ledger.still_tells(told, time.time())

    def test_nothing_is_known_once_the_clock_has_moved(
        self, clock: Clock, ledger: Ledger, kind: str
    ) -> None:
        """It wants to be asked every ten seconds, and when time goes backwards."""
        told = ledger.standing("u", "s")
        assert ledger.still_tells(told, START + 10) is (kind == "memory")
        assert not ledger.still_tells(told, START + 10.1)
        assert not ledger.still_tells(told, START - 0.1)

    def test_what_was_made_up_is_not_known(self, ledger: Ledger) -> None:
        """No ledger has told this."""
        assert not ledger.still_tells(Standing(ledger.id), time.time())


class TestSpentApprovals:
    """The contract of every ledger, as far as approvals go."""

    def test_an_approval_serves_one_run(self, ledger: Ledger) -> None:
        """It is spent by the first who asks, and then known to be."""
        assert ledger.standing("u", "s", None, ["a"]).spent == frozenset()
        first = ledger.spend("u", "s", {"a": ledger.id})
        assert (first.approval, first.standing.spent) == ("a", frozenset())
        for _ in range(3):
            later = ledger.spend("u", "s", {"a": ledger.id})
            assert (later.approval, later.standing.spent) == (None, frozenset("a"))
        assert ledger.standing("u", "s", None, ["a"]).spent == {"a"}

    def test_a_look_up_spends_nothing(self, ledger: Ledger) -> None:
        """Whether approvals are spent can be asked any number of times."""
        for _ in range(3):
            assert not ledger.standing("u", "s", "login", ["a", "b"]).spent
        assert ledger.spend("u", "s", {"a": ledger.id}).approval == "a"

    def test_a_spent_approval_is_spent_for_everybody(self, ledger: Ledger) -> None:
        """No other user, session or login runs anything with it."""
        ledger.spend("u", "s", {"a": ledger.id})
        for user, nonce, login in [("v", "s", None), ("u", "t", "l"), ("v", "t", "m")]:
            other = ledger.spend(user, nonce, {"a": ledger.id}, login)
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
            spending = ledger.spend("u", "s", dict.fromkeys(order, ledger.id))
            assert (spending.approval, spending.standing.spent) == (expected, spent)
            spent |= frozenset(expected or "")
        assert ledger.standing("u", "s", None, "abcd").spent == {"a", "b", "c"}

    def test_only_what_was_asked_about_is_told(self, ledger: Ledger) -> None:
        """Spent approvals that the caller did not name are none of its business."""
        for approval in "abc":
            ledger.spend("u", "s", {approval: ledger.id})
        assert ledger.standing("u", "s", None, ["x", "b"]).spent == {"b"}
        assert ledger.spend(
            "u", "s", dict.fromkeys("xc", ledger.id)
        ).standing.spent == {"c"}
        assert ledger.standing("u", "s").spent == frozenset()
        assert ledger.settle("u", "s", ["digest"]).standing.spent == frozenset()

    @pytest.mark.parametrize("login", [None, "login"])
    def test_an_approval_of_another_generation_is_left_alone(
        self, ledger: Ledger, login: str | None
    ) -> None:
        """It is neither spent nor changed, and one of the current one is found."""
        ledger.revoke_user("u", login)
        now = ledger.standing("u", "s", login).origin
        assert now != ledger.id
        passed_over = {"never": ledger.id, "other": "other", "longer": f"{now}x"}
        none = ledger.spend("u", "s", passed_over, login)
        assert (none.approval, none.standing.spent) == (None, frozenset())
        found = ledger.spend("u", "s", {**passed_over, "new": now}, login)
        assert found.approval == "new"
        assert ledger.standing("u", "s", login, [*passed_over, "new"]).spent == {"new"}
        # Left as they were, they open where they are of the current generation.
        assert ledger.spend("v", "s", {"never": ledger.id}).approval == "never"

    def test_a_spent_approval_of_another_generation_is_told(
        self, ledger: Ledger
    ) -> None:
        """That it is spent is known whatever generation it was made under."""
        ledger.spend("u", "s", {"a": ledger.id})
        ledger.revoke_user("u")
        assert ledger.spend("u", "s", {"a": ledger.id}).standing.spent == {"a"}
        now = ledger.standing("u", "s").origin
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
        spending = ledger.spend("u", "s", {"a": looked_up.origin}, "login")
        assert spending.approval is None
        assert spending.standing != looked_up
        assert spending.standing == ledger.standing("u", "s", "login")
        assert not ledger.standing("u", "s", "login", ["a"]).spent

    def test_a_revoked_session_spends_nothing(self, ledger: Ledger) -> None:
        """Nothing is spent in it, and what is spent already is told all the same."""
        ledger.spend("u", "t", {"a": ledger.id})
        ledger.revoke_session("s")
        spending = ledger.spend("u", "s", dict.fromkeys("ab", ledger.id))
        assert spending.approval is None
        assert spending.standing.session_revoked
        assert spending.standing.spent == {"a"}
        assert ledger.spend("u", "t", dict.fromkeys("ab", ledger.id)).approval == "b"

    def test_other_peoples_revocations_do_not_matter(self, ledger: Ledger) -> None:
        """Another user, login or session that was revoked stops no approval."""
        ledger.revoke_user("v")
        ledger.revoke_user("u", "other")
        ledger.revoke_session("t")
        assert ledger.spend("u", "s", {"a": ledger.id}, "login").approval == "a"

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
        assert ledger.standing("u", "s", "login", ["a"]).revoked_at == about(10)

    def test_no_approval_is_revoked_by_being_spent(self, ledger: Ledger) -> None:
        """What is spent is no part of what two standings are compared by."""
        before = ledger.standing("u", "s", None, ["a"])
        ledger.spend("u", "s", {"a": ledger.id})
        after = ledger.standing("u", "s", None, ["a"])
        assert before.spent != after.spent
        assert before == after == Standing(ledger.id)
        assert after.revoked_at == -math.inf
        assert len({before, after}) == 1

    def test_spent_approvals_are_kept_for_four_days(
        self, ledger: Ledger, clock: Any
    ) -> None:
        """One is remembered for longer than it serves; then it leaves the ledger."""
        renewed, open_, serves, leeway = 86_400, 86_400, LONGEST_MAX_AGE, 300
        assert SPENT_KEPT == 4 * 86_400 > renewed + open_ + serves + leeway
        ledger.spend("u", "s", {"a": ledger.id})
        clock.shift(SPENT_KEPT - 1)
        ledger.clear("somebody")
        assert ledger.standing("u", "s", None, ["a"]).spent == {"a"}
        assert ledger.spend("u", "s", {"a": ledger.id}).standing.spent == {"a"}
        # What is over is over, whether or not it has been swept away.
        clock.shift(1)
        assert not ledger.standing("u", "s", None, ["a"]).spent
        again = ledger.spend("u", "s", {"a": ledger.id})
        assert (again.approval, again.standing.spent) == ("a", frozenset())
        clock.shift(SPENT_KEPT - 1)
        assert ledger.spend("u", "s", {"a": ledger.id}).approval is None

    def test_trying_a_spent_approval_does_not_keep_it_longer(
        self, ledger: Ledger, clock: Any
    ) -> None:
        """The time of a spent approval runs from its spending."""
        ledger.spend("u", "s", {"a": ledger.id})
        clock.shift(SPENT_KEPT - 10)
        assert ledger.spend("u", "s", {"a": ledger.id}).approval is None
        clock.shift(10)
        assert ledger.spend("u", "s", {"a": ledger.id}).approval == "a"

    def test_an_approval_is_nothing_else_of_its_name(self, ledger: Ledger) -> None:
        """No code is used, no user or session revoked with it, nor the reverse."""
        ledger.settle("u", "s", ["x"])
        assert ledger.spend("u", "s", {"x": ledger.id}).approval == "x"
        ledger.spend("u", "s", {"y": ledger.id})
        assert ledger.settle("u", "s", ["y"]).first_use
        for name in ("x", "y", "session:x", "user:x"):
            ledger.spend("u", "s", {name: ledger.id})
            assert ledger.standing(name, name, name, [name]) == Standing(ledger.id)
        ledger.revoke_session("z")
        ledger.revoke_user("z")
        assert not ledger.standing("z", "z", None, ["z"]).spent

    def test_spending_leaves_attempts_alone(self, ledger: Ledger) -> None:
        """Only a right code clears attempts."""
        for _ in range(5):
            remaining(ledger, "u", *FIVE)
        ledger.spend("u", "s", {"a": ledger.id})
        assert isinstance(ledger.reserve("u", FIVE), Exhausted)

    def test_approvals_are_spent_one_by_one(self, ledger: Ledger) -> None:
        """Spending one approval spends no other, however alike their ids look."""
        for number, approval in enumerate(ODD_IDS):
            spending = ledger.spend("u", "s", {approval: ledger.id})
            assert spending.approval == approval, approval[:20]
            told = ledger.standing("u", "s", None, ODD_IDS).spent
            assert told == set(ODD_IDS[: number + 1])
        spending = ledger.spend("u", "s", dict.fromkeys(ODD_IDS, ledger.id))
        assert spending.approval is None

    def test_an_approval_that_is_no_unicode_is_refused(self, ledger: Ledger) -> None:
        """It raises, and then nothing that was named beside it is spent."""
        with pytest.raises(LedgerUnavailable):
            ledger.standing("u", "s", None, ["a", LONE_SURROGATE])
        with pytest.raises(LedgerUnavailable):
            ledger.spend("u", "s", dict.fromkeys(("a", LONE_SURROGATE), ledger.id))
        assert not ledger.standing("u", "s", None, ["a"]).spent

    def test_close_forgets_no_spent_approval(self, ledger: Ledger) -> None:
        """A ledger that was closed and is used again knows what was spent."""
        ledger.spend("u", "s", {"a": ledger.id})
        ledger.close()
        assert ledger.spend("u", "s", {"a": ledger.id}).approval is None
        ledger.close()
        assert ledger.standing("u", "s", None, ["a"]).spent == {"a"}

    def test_threads_race_for_one_approval(self, ledger: Ledger) -> None:
        """Of 32 threads that spend one approval, exactly one runs its view."""
        got = race(32, lambda n: ledger.spend(f"user {n % 2}", "s", {"a": ledger.id}))
        assert sorted(str(spending.approval) for spending in got) == ["None"] * 31 + [
            "a"
        ]
        # Whoever lost was told why, and whoever won that it was there to take.
        for spending in got:
            assert spending.standing.spent == (set() if spending.approval else {"a"})

    def test_threads_race_for_several_approvals(self, ledger: Ledger) -> None:
        """Of 32 threads that know the same 24 approvals, 24 get one each."""
        approvals = dict.fromkeys(map(str, range(24)), ledger.id)
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
            return ledger.spend("u", "s", {str(number): ledger.id})

        for spending in filter(None, race(24, run)):
            assert (spending.approval is None) == bool(spending.standing.generation)

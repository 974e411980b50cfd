"""Whom the gate lets pass again: never anybody whom it would not let pass anew."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import closing
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask import session
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from ledgers import START

from flask_stepup import StepUp
from flask_stepup import Subject
from flask_stepup.binding import Binding
from flask_stepup.gate import Gate
from flask_stepup.inquiry import Inquiry
from flask_stepup.ledger import Standing
from flask_stepup.marker import Marker
from flask_stepup.passing import Passing
from flask_stepup.passing import REMEMBERED
from flask_stepup.policy import Policy

ALICE = Subject("alice", "login")
STRICT = Policy("second_factor", 600)
#: Markers for nearly everything.
LAX = Policy("second_factor", 86_400)


class World:
    """One app, at a moment that passes only when it is told to, in one session."""

    def __init__(self, uri: str, folder: Path, clock: Any, **config: Any) -> None:
        self.app = Flask("bank", instance_path=str(folder))
        self.app.config.update(SECRET_KEY="k" * 32, STEPUP_STORAGE_URI=uri, **config)
        StepUp(self.app, verifier=lambda *_: None, subject_loader=lambda: ALICE)
        self.gate: Gate = self.app.extensions["stepup"]
        self.clock = clock
        self.kept: dict[str, Any] = {"_stepup_sid": "nonce"}

    @contextmanager
    def asked(self, **headers: str) -> Iterator[Callable[[], bool]]:
        """A request with this session; tells whether that was read."""
        with self.app.test_request_context(headers=headers) as context:
            session.update(self.kept)
            read: Any = context.session
            read.accessed = False
            yield lambda: read.accessed
            self.kept = dict(session)

    def prove(self, scope: str = "", subject: Subject = ALICE, **ago: int) -> None:
        """Put a marker into the session, and pass by it.

        :param ago: seconds since the ``first`` and the ``second`` factor were proved.
        """
        now = int(time.time())
        with self.asked():
            standing = self.gate.standing(subject)
            proved_at = tuple(
                now - ago[factor] if factor in ago else None
                for factor in ("first", "second")
            )
            marker = Marker(standing.ledger_id, standing.generation, proved_at)  # type: ignore[arg-type]
            binding = self.gate.elevation.binding(subject)
            self.gate.keeping.keep(binding, scope, marker, standing)
            for level in ("first_factor", "second_factor"):
                self.gate.is_met(Policy(level, 86_400, scope))  # type: ignore[arg-type]

    def lets_by(
        self, policy: Policy = STRICT, subject: Subject = ALICE, **headers: str
    ) -> bool:
        """Whether a request passes with little ado.

        It must not, if it would not pass at all.
        """
        with self.asked(**headers):
            passes = self.gate.passing.lets_by(policy, subject)
            anew = self.gate.assess(policy, subject).shortfall is None
        assert anew or not passes
        return passes


@pytest.fixture(params=["memory://", "sqlite:///ledger.db"])
def uri(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world(uri: str, tmp_path: Path) -> Iterator[World]:
    with time_machine.travel(START, tick=False) as clock:
        yield World(uri, tmp_path, clock)


def test_who_has_passed_passes_again(world: World) -> None:
    """The usual request, without which nothing below would mean anything."""
    assert not world.lets_by()
    world.prove(second=0)
    assert world.lets_by()
    world.clock.shift(599)
    assert world.lets_by()
    assert world.lets_by(LAX)


def test_only_until_the_marker_is_too_old(world: World) -> None:
    """Each policy has an age of its own, and none is met by what met another."""
    world.prove(second=0)
    world.clock.shift(600)
    assert not world.lets_by()
    assert world.lets_by(LAX)


def test_each_factor_counts_by_itself(world: World) -> None:
    """What met one level does not meet another."""
    world.prove(first=700, second=0)
    assert world.lets_by()
    assert not world.lets_by(Policy("first_factor", 600))
    assert not world.lets_by(Policy("multi_factor", 600))
    assert world.lets_by(Policy("multi_factor", 701))
    world.prove("other", first=0)
    assert world.lets_by(Policy("first_factor", 600, "other"))
    assert not world.lets_by(Policy("second_factor", 600, "other"))


def test_a_marker_of_one_scope_lets_pass_in_no_other(world: World) -> None:
    """Neither by its name nor under another one."""
    world.prove("pay", second=0)
    assert world.lets_by(Policy(scope="pay"))
    assert not world.lets_by(Policy(scope="other"))
    world.kept["_stepup"] = {"other": world.kept["_stepup"]["pay"]}
    assert not world.lets_by(Policy(scope="other"))


@pytest.mark.parametrize(
    "other",
    [Subject("bob", "login"), Subject("alice"), Subject("alice", "other")],
    ids=["another user", "no login", "another login"],
)
def test_a_marker_lets_nobody_else_pass(world: World, other: Subject) -> None:
    """In the same browser, with the same cookie."""
    world.prove(second=0)
    assert not world.lets_by(subject=other)
    assert world.lets_by()


def test_a_marker_lets_pass_in_no_other_session(world: World) -> None:
    """Its token alone is good for nothing."""
    world.prove(second=0)
    assert world.lets_by()
    world.kept["_stepup_sid"] = "other"
    assert not world.lets_by()
    del world.kept["_stepup_sid"]
    assert not world.lets_by()


def test_a_client_without_cookies_is_assessed(world: World) -> None:
    """Whatever its session holds is not looked at, HTMX in a browser or not."""
    world.prove(second=0)
    assert not world.lets_by(Authorization="Bearer token")
    assert not world.lets_by(Authorization="bearer token", HX_Request="true")
    assert world.lets_by(Authorization="Basic token")


def test_a_client_without_cookies_has_no_session_that_is_read(world: World) -> None:
    """It may be kept where nobody answers just now."""
    with world.asked(Authorization="Bearer token") as session_read:
        assert not world.gate.passing.lets_by(STRICT, ALICE)
        assert not session_read()


def test_whose_claim_counts_is_assessed(world: World) -> None:
    """Factor by factor the fresher counts, which is more than a marker tells."""
    world.prove(second=0)
    assert not world.lets_by(subject=Subject("alice", "login", [0, 0]))
    assert world.lets_by()


@pytest.mark.parametrize("kept", [[], "", 1, None, {"": 1}, {"": []}, {"": None}])
def test_a_session_that_holds_something_else_is_assessed(
    world: World, kept: Any
) -> None:
    """One that is kept on the server may hold whatever there is."""
    world.prove(second=0)
    assert world.lets_by()
    world.kept["_stepup"] = kept
    assert not world.lets_by()


@pytest.mark.parametrize("ended", ["login", "user"])
def test_a_claim_brings_no_marker_back(world: World, ended: str) -> None:
    """Promise 3: who passes by a fresh claim does not make a revoked marker good."""
    world.prove(second=0)
    world.gate.ledger.revoke_user("alice", "login" if ended == "login" else None)
    world.clock.shift(120)
    with world.asked():
        claimed = Subject("alice", "login", [0, 0])
        assert world.gate.assess(STRICT, claimed).shortfall is None
    assert not world.lets_by()
    assert not world.lets_by()


@pytest.mark.parametrize("ended", ["session", "login", "user"])
def test_forgotten_is_gone_for_who_had_passed(world: World, ended: str) -> None:
    """Promise 3: and it stays gone, however often an old cookie is put back."""
    world.prove(second=0)
    assert world.lets_by()
    ledger = world.gate.ledger
    ledger.revoke_session("another's")
    ledger.revoke_user("bob")
    ledger.revoke_user("alice", "another")
    assert world.lets_by()
    if ended == "session":
        ledger.revoke_session("nonce")
    else:
        ledger.revoke_user("alice", "login" if ended == "login" else None)
    for _ in range(3):
        assert not world.lets_by()
        world.clock.shift(4)


def test_what_another_process_has_ended_is_gone(tmp_path: Path) -> None:
    """Promise 3: nothing is remembered of a ledger that others write to."""
    with time_machine.travel(START, tick=False) as clock:
        mine, other = (World("sqlite:///ledger.db", tmp_path, clock) for _ in range(2))
        mine.prove(second=0)
        assert mine.lets_by()
        other.gate.ledger.revoke_user("alice")
        assert not mine.lets_by()


def test_a_marker_of_another_ledger_is_refused(uri: str, tmp_path: Path) -> None:
    """Promise 1: one that was emptied has forgotten what is revoked."""
    with time_machine.travel(START, tick=False) as clock:
        world = World(uri, tmp_path, clock)
        world.prove(second=0)
        assert world.lets_by()
        # More than the leeway and what clocks move by themselves: it gets another id.
        clock.shift(-60)
        assert not world.lets_by()
        clock.shift(60)
        assert not world.lets_by()


@pytest.mark.parametrize("seconds", [-1, -10])
def test_a_second_of_skew_is_no_loop(world: World, seconds: int) -> None:
    """Promise 2: a marker may be from as far in the future as clocks disagree."""
    world.prove(second=0)
    world.clock.shift(seconds)
    assert world.lets_by()


def test_a_marker_from_the_future_is_refused(world: World) -> None:
    """Promise 2: also where the factor from there is not the one that is asked for."""
    world.prove(first=-10, second=0)
    assert world.lets_by()
    world.clock.shift(-1)
    assert not world.lets_by()


class Watched:
    """The ledger of a world, as it is asked by the gate, and by it alone.

    :param ahead: seconds by which its clock is ahead of this host's.
    :param takes: seconds until it answers.
    """

    def __init__(
        self, world: World, ahead: float = 0.0, takes: float = 0.0, leeway: float = 10.0
    ) -> None:
        self._world = world
        self._ledger = world.gate.ledger
        self._ahead = ahead
        self._takes = takes
        self.asked = 0
        it: Any = self
        world.gate.inquiry = Inquiry(it, leeway)
        world.gate.passing = Passing(world.gate.inquiry, leeway)

    def standing(self, *asked: Any) -> Standing:
        self.asked += 1
        self._world.clock.shift(self._takes)
        told = self._ledger.standing(*asked)
        if not self._ahead:
            return told
        return replace(told, told_at=told.told_at + self._ahead, holds=None)

    def still_tells(self, standing: Standing, now: float) -> bool:
        return self._ledger.still_tells(standing, now)


@pytest.mark.parametrize(
    ("ahead", "age", "passes"), [(10, 599, True), (11, 598, True), (11, 599, False)]
)
def test_a_ledger_whose_clock_is_ahead_is_believed(
    world: World, ahead: int, age: int, passes: bool
) -> None:
    """Promise 2: a marker is as old as the later of two clocks says."""
    Watched(world, ahead)
    world.prove(second=0)
    world.clock.shift(age)
    assert world.lets_by() is passes


@pytest.mark.parametrize(("takes", "passes"), [(1, True), (2, False)])
def test_a_marker_may_grow_too_old_while_the_ledger_answers(
    tmp_path: Path, takes: int, passes: bool
) -> None:
    """Promise 2: it is as old as it is when the view would run."""
    with time_machine.travel(START, tick=False) as clock:
        world = World("sqlite:///ledger.db", tmp_path, clock)
        Watched(world, takes=takes)
        world.prove(second=0)
        clock.move_to(START + 598)
        with world.asked():
            assert world.gate.passing.lets_by(STRICT, ALICE) is passes


def asked_by_each(world: World, watched: Watched, requests: int) -> list[int]:
    """How often each of some requests asks the ledger."""
    counts = []
    for _ in range(requests):
        watched.asked = 0
        with world.asked():
            world.gate.is_met(STRICT)
        counts.append(watched.asked)
    return counts


def test_a_ledger_in_memory_is_asked_when_something_was_written(
    tmp_path: Path,
) -> None:
    """And not again before something else is."""
    with time_machine.travel(START, tick=False) as clock:
        world = World("memory://", tmp_path, clock)
        watched = Watched(world)
        world.prove(second=0)
        assert asked_by_each(world, watched, 3) == [0, 0, 0]
        world.gate.ledger.revoke_user("bob")
        assert asked_by_each(world, watched, 3) == [1, 0, 0]


@pytest.mark.parametrize(("ahead", "leeway"), [(0, 10), (0, 0), (15, 10)])
def test_a_ledger_in_a_file_is_asked_once_by_each_request(
    tmp_path: Path, ahead: int, leeway: int
) -> None:
    """Others write there, too. Clocks that are apart make no difference."""
    with time_machine.travel(START, tick=False) as clock:
        config = {"STEPUP_CLOCK_LEEWAY": leeway}
        world = World("sqlite:///ledger.db", tmp_path, clock, **config)
        watched = Watched(world, ahead, 0.001, leeway)
        world.prove(second=0)
        assert asked_by_each(world, watched, 3) == [1, 1, 1]


def test_who_does_not_pass_any_more_is_forgotten(world: World) -> None:
    """The request that notices asks twice; those after it are as all others."""
    watched = Watched(world)
    world.prove(second=0)
    world.gate.ledger.revoke_user("alice")
    assert asked_by_each(world, watched, 3) == [2, 1, 1]


def test_what_was_met_otherwise_is_not_remembered(world: World) -> None:
    """By the markers of a program, or by a claim, while there is a session, too."""
    world.prove("pay", second=0)
    with world.asked():
        standing = world.gate.standing(ALICE)
        marker = Marker(standing.ledger_id, standing.generation, (None, START))
        program = Binding("alice", None, "login")
        seal = world.gate.signer
        both = ",".join(marker.seal(seal, program, scope) for scope in ("", "pay"))
    policy = Policy(scope="pay")
    with world.asked(Authorization="Bearer token", Stepup_Marker=both):
        assert world.gate.assess(policy, ALICE).shortfall is None
        assert not world.gate.passing.lets_by(policy, ALICE)
    twice = ",".join([marker.seal(seal, program, "pay")] * 2)
    with world.asked(Authorization="Bearer token", Stepup_Marker=twice):
        assert world.gate.assess(policy, ALICE).shortfall is None
    assert world.lets_by(policy)

    world.kept["_stepup"][""] = "of somebody else"
    with world.asked():
        claimed = Subject("alice", "login", [0, 0])
        assert world.gate.assess(STRICT, claimed).shortfall is None
    assert not world.lets_by()


def test_only_so_many_markers_are_remembered(world: World) -> None:
    """Each app has room for a number of them, and whoever has none is assessed."""
    assert REMEMBERED == 1_024
    for number in range(REMEMBERED):
        world.kept = {"_stepup_sid": f"nonce {number}"}
        world.prove(second=0)
    assert len(world.gate.passing._passed) == REMEMBERED
    world.kept = {"_stepup_sid": "one more"}
    world.prove(second=0)
    assert len(world.gate.passing._passed) == 1
    assert world.lets_by()


def test_a_ledger_in_memory_keeps_time_for_who_passes_by_it(tmp_path: Path) -> None:
    """It is asked now and then, so that it notices when its clock is set back."""
    with time_machine.travel(START, tick=False) as clock:
        world = World("memory://", tmp_path, clock)
        world.prove(second=0)
        for _ in range(30):
            clock.shift(1)
            with world.asked():
                assert world.gate.is_met(STRICT)
        with world.gate.ledger._database._pool.cursor() as cursor:  # type: ignore[attr-defined]
            ((newest,),) = cursor.execute("SELECT newest FROM identity").fetchall()
        assert newest >= START + 19


def test_a_file_is_asked_each_time(tmp_path: Path) -> None:
    """By one statement, which reads: what it says now is what counts."""
    with time_machine.travel(START, tick=False) as clock:
        world = World("sqlite:///ledger.db", tmp_path, clock)
        world.prove(second=0)
        assert world.lets_by()
        with closing(sqlite3.connect(tmp_path / "ledger.db")) as other:
            other.execute("UPDATE identity SET id = 'other!'")
            other.commit()
        assert not world.lets_by()


def test_what_is_revoked_is_revoked_for_all_threads(tmp_path: Path) -> None:
    """Promise 3: from the moment on at which the call returns."""
    world = World("memory://", tmp_path, None)
    world.prove(second=0)
    revoked, early, late = threading.Event(), [], []

    def go_on() -> None:
        for _ in range(2_000):
            was_revoked = revoked.is_set()
            with world.app.test_request_context():
                session.update(world.kept)
                if world.gate.passing.lets_by(STRICT, ALICE):
                    (late if was_revoked else early).append(time.time())
            if was_revoked:
                break

    threads = [threading.Thread(target=go_on) for _ in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    world.gate.ledger.revoke_user("alice")
    revoked.set()
    for thread in threads:
        thread.join()
    assert early
    assert not late


ages = st.integers(-15, 700)


@settings(deadline=None)
@given(
    first=st.none() | ages,
    second=st.none() | ages,
    level=st.sampled_from(["first_factor", "second_factor", "multi_factor"]),
    max_age=st.integers(1, 700),
    steps=st.lists(
        st.integers(-40, 700)
        | st.sampled_from(["nonce", "alice", "login", "bob", "prove", "claim"]),
        max_size=4,
    ),
)
def test_nobody_passes_who_would_not_pass_anew(
    tmp_path_factory: pytest.TempPathFactory,
    first: int | None,
    second: int | None,
    level: Any,
    max_age: int,
    steps: list[Any],
) -> None:
    """Promise 1: whatever was proved when, is asked for, or is revoked meanwhile."""
    ago = {"first": first, "second": second}
    given = {factor: age for factor, age in ago.items() if age is not None}
    with time_machine.travel(START, tick=False) as clock:
        world = World("memory://", tmp_path_factory.getbasetemp(), clock)
        ledger = world.gate.ledger
        world.prove(**given)
        for step in steps:
            if step == "prove":
                world.prove(**given)
            elif step == "claim":
                with world.asked():
                    claimed = Subject("alice", "login", [0, 0])
                    world.gate.assess(Policy(level, max_age), claimed)
            elif step == "nonce":
                ledger.revoke_session(step)
            elif step == "login":
                ledger.revoke_user("alice", step)
            elif isinstance(step, str):
                ledger.revoke_user(step)
            else:
                clock.shift(step)
            world.lets_by(Policy(level, max_age))
            world.lets_by(Policy(level, max_age))

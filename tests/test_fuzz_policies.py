"""Policies, proofs and claims that nobody thought of, against rules written anew."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
import time_machine
from fuzzing import fuzzed
from fuzzing import JSON
from fuzzing import nested
from fuzzing import ODD_FLOATS
from fuzzing import ODD_INTS
from fuzzing import TEXT
from hypothesis import example
from hypothesis import given
from hypothesis import strategies as st

from flask_stepup.assessment import assess
from flask_stepup.demand import Demand
from flask_stepup.demand import preset
from flask_stepup.demand import PRESETS
from flask_stepup.errors import ConfigurationError
from flask_stepup.ledger import Standing
from flask_stepup.marker import Marker
from flask_stepup.policy import LEVELS
from flask_stepup.policy import Policy
from flask_stepup.policy import Shortfall
from flask_stepup.proofs import claimed
from flask_stepup.proofs import Proofs
from flask_stepup.settings import Settings
from flask_stepup.subject import Subject

NOW = 1_800_000_000
LEDGER, GENERATION = "ledger", "now"

#: Never, long ago, at the boundaries of all that follows, and a little ahead.
TIMES = st.none() | st.sampled_from(
    [NOW + by for by in (0, 1, 9, 10, -1, -59, -60, -61, -119, -120, -299, -300, -301,
                         -599, -600, -601, -3_600, -86_399, -86_400, -86_401)]
    + [0]
) | st.integers(NOW - 90_000, NOW + 10)  # fmt: skip
MAX_AGES = st.one_of(
    st.sampled_from([1, 59, 60, 61, 300, 600, 3_600, 86_400]),
    st.sampled_from([60, 120, 300, 600]),
    st.integers(1, 86_400),
)
LEVEL_NAMES = st.sampled_from(sorted(LEVELS))
LEEWAYS = st.sampled_from([0, 1, 10, 300])
#: Halves: what is reckoned with them is exact.
AGES = st.sampled_from([-1, -1, -1, 0, 0, 0, 1, 4, 5, 9, 10, 11, 59, 60, 1_439]) | (
    st.integers(0, 200).map(lambda halves: halves / 2)
)
CLAIMS = st.one_of(
    st.none(),
    st.lists(AGES, min_size=2, max_size=2),
    st.tuples(AGES, AGES),
    st.tuples(AGES, st.just(-1)),
    st.just((-1, -1)),
)
SELDOM = st.sampled_from([False] * 3 + [True])


# --- markers alone ---


def is_fresh(at: float | None, now: float, max_age: int, leeway: float) -> bool:
    """``-leeway <= now - verified_at < max_age``, which is all that freshness is."""
    return at is not None and at - leeway <= now < at + max_age


@fuzzed(400)
@given(LEVEL_NAMES, MAX_AGES, TIMES, TIMES, LEEWAYS, st.integers(-400, 90_000))
def test_a_policy_is_met_while_its_factors_are_fresh(
    level: Any, max_age: int, first: Any, second: Any, leeway: float, later: int
) -> None:
    """Promise 2: each factor of the level is fresh, at whatever time one looks."""
    policy, now = Policy(level, max_age), NOW + later
    shortfall = policy.shortfall(Proofs(first, second), now, leeway)
    proved = {
        "first_factor": [first],
        "second_factor": [second],
        "multi_factor": [first, second],
    }[level]
    is_met = all(is_fresh(at, now, max_age, leeway) for at in proved)
    assert (shortfall is None) == is_met


@fuzzed(300)
@given(LEVEL_NAMES, MAX_AGES, TIMES, TIMES, LEEWAYS)
def test_what_is_lacking_is_told(
    level: Any, max_age: int, first: Any, second: Any, leeway: float
) -> None:
    """The first factor that is lacking, why, and whether a code would change that."""
    shortfall = Policy(level, max_age).shortfall(Proofs(first, second), NOW, leeway)
    if shortfall is None:
        return
    lacks = [not is_fresh(at, NOW, max_age, leeway) for at in (first, second)]
    if level == "second_factor" or not lacks[0]:
        factor = 1
    else:
        factor = 0
    cause = "missing" if (first, second)[factor] is None else "expired"
    code_helps = level != "first_factor" and lacks[1]
    assert shortfall == Shortfall(factor, cause, code_helps)  # type: ignore[arg-type]


@fuzzed(300)
@given(LEVEL_NAMES, MAX_AGES, TIMES, TIMES, TIMES, TIMES, LEEWAYS)
def test_an_older_proof_opens_nothing_more(
    level: Any, max_age: int, one: Any, two: Any, other: Any, another: Any, leeway: Any
) -> None:
    """What meets a policy also does when a factor was proved later, up to now."""
    older = Proofs(*(_extreme(min, pair) for pair in ((one, other), (two, another))))
    newer = Proofs(*(_extreme(max, pair) for pair in ((one, other), (two, another))))
    policy = Policy(level, max_age)
    if policy.shortfall(newer, NOW, max(leeway, 10)):
        assert policy.shortfall(older, NOW, max(leeway, 10))


def _extreme(choose: Callable[..., Any], pair: tuple[Any, Any]) -> Any:
    """The later or earlier of two times, where never is before all."""
    found = choose(pair, key=lambda at: -math.inf if at is None else at)
    return found


@fuzzed(200)
@given(LEVEL_NAMES, MAX_AGES, TIMES, TIMES)
def test_a_proof_ends_when_it_was_said_to(
    level: Any, max_age: int, first: Any, second: Any
) -> None:
    """No sliding: the policy is met for just the seconds that were told, from any."""
    policy, proofs = Policy(level, max_age), Proofs(first, second)
    if policy.shortfall(proofs, NOW, 10):
        return
    left = policy.expires_in(proofs, NOW)
    assert left > 0
    for later in {0, left // 2, left - 1}:
        assert policy.shortfall(proofs, NOW + later, 10) is None
        assert policy.expires_in(proofs, NOW + later) == left - later
    lacking = policy.shortfall(proofs, NOW + left, 10)
    assert lacking
    assert lacking.cause == "expired"
    assert policy.expires_in(proofs, NOW + left) == 0


def revocations(fva: Any, stated_at: float) -> st.SearchStrategy[Any]:
    """When something was revoked: never, or about when a claim has it proved."""
    boundaries = [
        stated_at - (age + 1) * 60 + by for age in fva or [] for by in (-1, 0, 0, 1, 60)
    ]
    return st.one_of(
        st.none(), TIMES, *[st.sampled_from(boundaries)] * bool(boundaries)
    )


# --- claims alone: Clerk's algorithm ---


def clerk_has(level: str, after_minutes: float, fva: Any) -> bool:
    """Clerk's ``checkReverificationAuthorization``, step by step."""
    if not isinstance(fva, list | tuple) or len(fva) != 2:
        return False
    for age in fva:
        # What is beyond all floats is Infinity to JavaScript.
        if type(age) not in (int, float) or not -1 <= age <= sys.float_info.max:
            return False
        if -1 < age < 0:
            return False
    first, second = fva
    if (first, second) == (-1, -1):
        return False
    fresh = [bool(age != -1 and after_minutes > age) for age in fva]
    if level == "first_factor":
        return fresh[0]
    if level == "second_factor":
        return fresh[0] if second == -1 else fresh[1]
    if second == -1:
        return fresh[0]
    return False if first == -1 else all(fresh)


@fuzzed(500)
@given(
    LEVEL_NAMES,
    st.integers(1, 1_440),
    CLAIMS | JSON | st.lists(JSON | ODD_INTS | AGES, min_size=2, max_size=2),
    LEEWAYS,
)
@example("second_factor", 10, [True, False], 0)
@example("second_factor", 10, [0, 10], 10)
@example("second_factor", 10, [10**400, 0], 10)
@example("second_factor", 10, [-0.0, -0.5], 300)
@example("first_factor", 10, [-0.5, 0], 300)
@example("second_factor", 10, {"0": 0, "1": 0}, 0)
@example("second_factor", 10, "00", 0)
def test_a_claim_counts_as_at_clerk(
    level: Any, minutes: int, fva: Any, leeway: float
) -> None:
    """With its downgrade, a claim meets a policy exactly where Clerk says so."""
    proofs = claimed(fva, NOW, stated_at=NOW, since=-math.inf, downgrade=True)
    shortfall = Policy(level, minutes * 60).shortfall(proofs, NOW, leeway)
    assert (shortfall is None) == clerk_has(level, minutes, fva)


@fuzzed(300)
@given(LEVEL_NAMES, MAX_AGES, CLAIMS, st.integers(0, 900), st.data())
def test_without_downgrade_both_factors_have_to_be_proved(
    level: Any, max_age: int, fva: Any, stated_ago: int, data: st.DataObject
) -> None:
    """As it is unless switched on: who has no second factor does not meet its level."""
    since = data.draw(revocations(fva, NOW - stated_ago))
    proofs = claimed(
        fva, NOW, stated_at=NOW - stated_ago, since=since or -math.inf, downgrade=False
    )

    def proves(age: float) -> bool:
        seconds = age * 60 + stated_ago
        is_after = since is None or since < NOW - seconds - 60
        return age != -1 and seconds < max_age and is_after

    proved = [fva is not None and proves(age) for age in fva or (-1, -1)]
    asked = {"first_factor": [0], "second_factor": [1], "multi_factor": [0, 1]}[level]
    shortfall = Policy(level, max_age).shortfall(proofs, NOW, 10)
    assert (shortfall is None) == all(proved[factor] for factor in asked)


# --- markers, claims and revocations together ---


#: Near enough that what is around them matters.
NEAR = st.sampled_from(
    [None, *(NOW - ago for ago in (-10, 0, 1, 59, 60, 299, 300, 599, 600))]
)
MARKS: st.SearchStrategy[Any] = st.tuples(
    st.sampled_from([GENERATION] * 4 + ["before"]), NEAR, NEAR
)


def best(*times: float | None) -> float | None:
    """The latest of these times; None where there is none."""
    return max((at for at in times if at is not None), default=None)


def model(
    level: str,
    max_age: int,
    mark: Any,
    fva: Sequence[float] | None,
    stated_at: float,
    revoked_at: float,
    *,
    lags: float,
    session_revoked: bool,
    downgrade: bool,
    claimable: bool,
) -> bool:
    """Whether a policy is met, as DESIGN.md has it under "How a policy is met".

    :param lags: seconds, beyond the leeway, that this host's clock is behind.
    """
    first = second = None
    if mark and mark[0] == GENERATION and not session_revoked:
        first, second = (at and at - lags for at in mark[1:])
    stands_in = False
    if fva is not None and claimable and not session_revoked:
        counts = [a != -1 and stated_at - (a + 1) * 60 > revoked_at for a in fva]
        if counts[0]:
            first = best(first, stated_at - fva[0] * 60)
        if counts[1]:
            second = best(second, stated_at - fva[1] * 60)
        stands_in = downgrade and fva[1] == -1 and counts[0]
    has_first, has_second = (is_fresh(a, NOW, max_age, 10) for a in (first, second))
    if level == "first_factor":
        return has_first
    if level == "second_factor":
        return has_second or (stands_in and has_first)
    return has_first and (has_second or stands_in)


@fuzzed(2_000)
@given(
    st.sampled_from(["second_factor", "multi_factor", "first_factor", "second_factor"]),
    st.sampled_from([60, 300, 600]) | MAX_AGES,
    st.none() | MARKS | MARKS,
    CLAIMS,
    st.none() | st.integers(NOW - 900, NOW),
    st.data(),
    st.sampled_from([0, 0, 0, 9, 10, 11, 30, -30, 4_000]),
    SELDOM,
    st.booleans(),
    st.sampled_from([""] * 6 + ["scope", "once", "bind"]),
)
def test_a_policy_is_met_by_marker_and_claim(
    level: Any,
    max_age: int,
    mark: Any,
    fva: Any,
    stated_at: int | None,
    data: st.DataObject,
    ahead: float,
    session_revoked: bool,
    downgrade: bool,
    narrowed: str,
) -> None:
    """Factor by factor the fresher of the two, as far as nothing ended them."""
    ways: dict[str, dict[str, Any]] = {
        "": {},
        "scope": {"scope": "payments"},
        "once": {"once": True, "level": "second_factor"},
        "bind": {"bind": ("to",), "level": "second_factor"},
    }
    more = ways[narrowed]
    revoked_at = data.draw(
        revocations(fva, NOW if stated_at is None else stated_at), "revoked at"
    )
    policy = Policy(**{"level": level, "max_age": max_age} | more)
    markers = [Marker(LEDGER, mark[0], (mark[1], mark[2]))] if mark else []
    revoked_at = -math.inf if revoked_at is None else float(revoked_at)
    # What a claim says of itself is by another clock, with which nobody compares.
    skew = ahead if stated_at is None else 0
    with time_machine.travel(NOW, tick=False):
        assessment = assess(
            policy,
            Subject("alice", factor_ages=fva, stated_at=stated_at),
            markers,
            Standing(
                ledger_id=LEDGER,
                generation=GENERATION,
                revoked_at=revoked_at + skew,
                session_revoked=session_revoked,
                told_at=NOW + skew,
            ),
            Settings(clock_leeway=10, factor_downgrade=downgrade),
        )
    is_met = model(
        policy.level,
        max_age,
        mark,
        fva,
        NOW if stated_at is None else stated_at,
        revoked_at,
        lags=max(0, skew - 10),
        session_revoked=session_revoked,
        downgrade=downgrade,
        claimable=not more,
    )
    assert (assessment.shortfall is None) == is_met
    if mark and (mark[0] != GENERATION or session_revoked) and not is_met and not fva:
        assert assessment.shortfall
        assert assessment.shortfall.cause == "revoked"


# --- what a developer may write ---


class Odd:
    """An object that is nothing in particular."""


class OddText(str):
    """Text of a class of its own."""


async def coroutine() -> dict[str, Any]:
    return {}


JUNK: st.SearchStrategy[Any] = (
    JSON
    | ODD_INTS
    | ODD_FLOATS
    | TEXT
    | st.sampled_from(
        [timedelta(0), timedelta(seconds=-1),
         timedelta(seconds=1), timedelta(microseconds=1), timedelta.max, timedelta.min,
         Decimal("NaN"), Decimal(600), Fraction(600, 1), 600.0, 1 + 0j, b"", b"POST",
         bytearray(b"x"), range(3), Odd, Odd(), OddText(), OddText("POST"), dict, list,
         len, print, coroutine, lambda: {}, iter([]), NotImplemented, ..., object(),
         frozenset({()}), {1: 2}, {"to": Odd()}, ["\ud800"], "\ud800", ["to", "to"],
         {"POST"}, ["post"], ("HEAD",), {"OPTIONS"}, [[]], nested(500)]
    )
    | st.sets(st.sampled_from(["GET", "POST", "put", "x", None, 1, ("POST",)]))
    | st.lists(st.sampled_from(["to", "amount", "", "\n", "é", "x" * 65]), max_size=18)
)  # fmt: skip
FIELDS = ("level", "max_age", "scope", "once", "bind", "reason", "methods")


@fuzzed(600)
@given(st.dictionaries(st.sampled_from(FIELDS), JUNK, min_size=1, max_size=3))
def test_what_is_no_policy_is_a_configuration_error(given: dict[str, Any]) -> None:
    """Whatever a developer writes makes a policy, or an error that tells its name."""
    try:
        demand = Demand(**given)
    except ConfigurationError as error:
        told = str(error)
    else:
        check_policy(demand, *given)
        return
    assert any(name in told for name in (*given, "once and bind"))


def check_policy(demand: Demand, *given: str) -> None:
    """What is true of every policy."""
    policy = demand.policy(PRESETS["lax"])
    assert type(policy.max_age) is int
    assert 0 < policy.max_age <= 86_400
    assert policy.level in LEVELS
    assert type(policy.once) is bool
    assert policy.shortfall(Proofs(), NOW, 10)
    assert not policy.guards("OPTIONS")
    assert policy.guards("HEAD") == policy.guards("GET")
    assert hash(policy) == hash(demand.policy(PRESETS["lax"]))
    assert repr(policy).startswith("Policy(")


@fuzzed(300)
@given(st.dictionaries(st.sampled_from(FIELDS), JUNK, min_size=1, max_size=2))
def test_a_policy_of_its_own_is_checked_alike(given: dict[str, Any]) -> None:
    """``Policy(...)`` takes what a demand takes and refuses the same."""
    try:
        policy = Policy(**given)
    except ConfigurationError:
        return
    assert policy.shortfall(Proofs(), NOW, 10)


@fuzzed(200)
@given(JUNK)
def test_what_is_no_preset_is_a_configuration_error(name: Any) -> None:
    """The name of a preset is one of Clerk's, or refused."""
    with pytest.raises(ConfigurationError):
        preset(name)

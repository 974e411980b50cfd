"""Whether a policy is met: marker and claim taken together, and what ended them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import time_machine
from conftest import MakeApp
from ledgers import START

from flask_stepup.assessment import assess
from flask_stepup.ledger import Standing
from flask_stepup.marker import Approval
from flask_stepup.marker import Marker
from flask_stepup.marker import Operation
from flask_stepup.policy import Policy
from flask_stepup.policy import Shortfall
from flask_stepup.proofs import Proofs
from flask_stepup.settings import Settings
from flask_stepup.subject import Subject

STANDING = Standing("ledger", "grown", revoked_at=START - 1_000, told_at=START)
MARKER = Marker("ledger", "grown", (None, START))
APPROVAL = Approval("ledger", "grown", (None, START), Operation("id", "digest"))
OF_BEFORE = replace(MARKER, generation="before")
ALICE = Subject("alice")
#: Who has proved both factors at the identity provider just now.
CLAIMS = Subject("alice", factor_ages=(0, 0))


@pytest.fixture
def settings(make_app: MakeApp) -> Settings:
    settings: Settings = make_app().extensions["stepup"].settings
    return settings


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with time_machine.travel(START, tick=False):
        yield


def approved(id: str, age: int) -> Approval:
    return replace(
        APPROVAL, proved_at=(None, START - age), operation=Operation(id, "digest")
    )


@pytest.mark.parametrize(
    ("markers", "cause"),
    [
        ([MARKER], None),
        ([], "missing"),
        ([OF_BEFORE], "revoked"),
        ([replace(MARKER, ledger_id="other!")], "revoked"),
        ([OF_BEFORE, MARKER], None),
        ([replace(MARKER, proved_at=(None, START - 600))], "expired"),
        ([replace(MARKER, proved_at=(None, START - 600)), MARKER], None),
        ([replace(MARKER, proved_at=(None, START + 11))], "expired"),
        ([replace(MARKER, proved_at=(None, START + 10))], None),
    ],
)
def test_markers(settings: Settings, markers: Any, cause: str | None) -> None:
    """The newest that still can serve counts, and if none can it is told why."""
    assessment = assess(Policy(), ALICE, markers, STANDING, settings)
    expected = None if cause is None else (1, cause, True)
    assert assessment.shortfall == expected
    assert assessment.standing is STANDING


@pytest.mark.parametrize(
    ("ages", "cause"),
    [
        ({"one": 10}, None),
        ({"one": 10, "spent": 5}, None),
        ({"one": 700, "spent": 5}, "spent"),
        ({"spent": 5}, "spent"),
        ({"one": 700, "spent": 705}, "expired"),
    ],
)
def test_approvals(settings: Settings, ages: dict[str, int], cause: str | None) -> None:
    """A spent one hides none that serves; the newest of all tells the cause."""
    markers = [approved(id, age) for id, age in ages.items()]
    standing = replace(STANDING, spent=frozenset({"spent"}))
    lacking = assess(Policy(once=True), ALICE, markers, standing, settings).shortfall
    assert lacking == (None if cause is None else Shortfall(1, cause))  # type: ignore[arg-type]


@pytest.mark.parametrize("subject", [ALICE, CLAIMS])
def test_nothing_counts_in_a_session_that_was_ended(
    settings: Settings, subject: Subject
) -> None:
    """Promise 3: neither what the marker proves nor the claim beside an old cookie."""
    ended = replace(STANDING, session_revoked=True)
    assessment = assess(Policy(), subject, [MARKER], ended, settings)
    assert assessment.shortfall == (1, "revoked", True)
    assert assessment.proofs == Proofs()


@pytest.mark.parametrize("markers", [[], [OF_BEFORE], [MARKER]])
def test_a_fresh_claim_meets_a_policy(settings: Settings, markers: Any) -> None:
    """Whatever has become of the marker; factor by factor, the fresher counts."""
    assessment = assess(Policy("multi_factor"), CLAIMS, markers, STANDING, settings)
    assert assessment.shortfall is None
    assert assessment.proofs == Proofs(START, START)


@pytest.mark.parametrize("fields", [{"scope": "pay"}, {"once": True}])
def test_a_claim_meets_no_policy_with_more_in_it(
    settings: Settings, fields: Any
) -> None:
    """It opens no scope and approves no run."""
    lacking = assess(Policy(**fields), CLAIMS, [], STANDING, settings).shortfall
    assert lacking == (1, "missing", True)


@pytest.mark.parametrize(
    ("subject", "cause"),
    [
        # 59 s: a minute that is stated may be two.
        (CLAIMS, "revoked"),
        (Subject("alice", factor_ages=(0, -1)), "missing"),
        (Subject("alice", factor_ages=(0, 10)), "missing"),
        (Subject("alice", factor_ages="none"), "missing"),  # type: ignore[arg-type]
    ],
)
def test_a_claim_of_before_the_revocation(
    settings: Settings, subject: Subject, cause: str
) -> None:
    """Promise 3: it counts no more, and is told as revoked if it had met the policy."""
    standing = replace(STANDING, revoked_at=START - 59)
    lacking = assess(Policy(), subject, [], standing, settings).shortfall
    assert lacking == (1, cause, True)
    later = assess(Policy(), CLAIMS, [], replace(standing, revoked_at=0.0), settings)
    assert later.shortfall is None


@pytest.mark.parametrize(
    ("stated_at", "told_at", "revoked_at", "counts"),
    [
        # Counted from now: both by the clock of the ledger, which runs an hour ahead.
        (None, START + 3_600, START + 3_600 - 61, True),
        (None, START + 3_600, START + 3_600 - 60, False),
        # Counted from when it was stated: by the clock that says so, and the ledger's.
        (START - 100, START + 3_600, START - 161, True),
        (START - 100, START + 3_600, START - 160, False),
        (START - 599, START, START - 1_000, True),
        (START - 600, START, START - 1_000, False),
        (0, START, -1_000, False),
    ],
)
def test_when_a_claim_was_stated(
    settings: Settings,
    stated_at: float,
    told_at: float,
    revoked_at: float,
    counts: bool,
) -> None:
    """Its ages are counted from then on, by the clock of whoever states them."""
    standing = replace(STANDING, told_at=told_at, revoked_at=revoked_at)
    subject = replace(CLAIMS, stated_at=stated_at)
    lacking = assess(Policy(), subject, [], standing, settings).shortfall
    assert (lacking is None) is counts


@pytest.mark.parametrize("downgrade", [False, True])
def test_the_first_factor_stands_in_where_the_app_says_so(
    make_app: MakeApp, downgrade: bool
) -> None:
    """``STEPUP_FACTOR_DOWNGRADE``: for who has no second factor enrolled."""
    gate = make_app(STEPUP_FACTOR_DOWNGRADE=downgrade).extensions["stepup"]
    subject = Subject("alice", factor_ages=(0, -1))
    lacking = assess(Policy(), subject, [], STANDING, gate.settings).shortfall
    assert (lacking is None) is downgrade


@pytest.mark.parametrize(
    ("ahead", "proved", "expected"),
    [
        (0, 599, None),
        (10, 599, None),
        (11, 598, None),
        (11, 599, "expired"),
        (609, 0, None),
        (610, 0, "expired"),
        (-3_600, 599, None),
    ],
)
def test_markers_are_as_old_as_the_later_clock_says(
    settings: Settings, ahead: int, proved: int, expected: str | None
) -> None:
    """Promise 2: of this host and the ledger, whose clocks may differ by the leeway."""
    standing = replace(STANDING, told_at=START + ahead)
    marker = replace(MARKER, proved_at=(START, START - proved))
    assessment = assess(Policy(), ALICE, [marker], standing, settings)
    lacking = assessment.shortfall
    assert (lacking and lacking.cause) == expected
    older = max(0, ahead - 10)
    assert assessment.proofs == Proofs(START - older, START - proved - older)


def test_a_claim_has_a_clock_of_its_own(settings: Settings) -> None:
    """Whose ages it counts: the ledger's makes it no older."""
    standing = replace(STANDING, told_at=START + 3_600)
    assert assess(Policy(), CLAIMS, [], standing, settings).shortfall is None


def test_proofs_may_be_older() -> None:
    """Each factor by as much; one that was not proved stays so."""
    assert Proofs(5, None, True).older_by(2) == Proofs(3, None, True)
    assert Proofs(5, 6).older_by(2) == Proofs(3, 4)
    assert Proofs(5, 6).older_by(0) == Proofs(5, 6)

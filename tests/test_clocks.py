"""Hosts whose clocks disagree, and clocks that are set back or run far ahead."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import time_machine
from conftest import MakeApp
from flask import Flask
from people import Codes
from people import Person
from valkey_server import Valkey

from flask_stepup import StepUp
from flask_stepup import Subject

LEEWAY = 10
MAX_AGE = 600


@pytest.fixture
def one_machine(make_app: MakeApp) -> tuple[Flask, Flask]:
    """Two workers with one clock and one file."""
    uri = "sqlite:///stepup.db"
    return make_app(STEPUP_STORAGE_URI=uri), make_app(STEPUP_STORAGE_URI=uri)


@pytest.fixture(params=["sqlite", "valkey"])
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a ledger that two hosts share."""
    if request.param == "sqlite":
        return "sqlite:///stepup.db"
    server: Valkey = request.getfixturevalue("valkey")
    return server.uri(tmp_path.name.replace("[", "").replace("]", ""))


@pytest.fixture
def hosts(make_app: MakeApp, uri: str) -> tuple[Flask, Flask]:
    return make_app(STEPUP_STORAGE_URI=uri), make_app(STEPUP_STORAGE_URI=uri)


def verified(host: Flask, code: str = "right") -> dict[str, object]:
    """Prove a factor at a host, and return what the session holds."""
    person = Person(host, "alice")
    person.step_up(code)
    with person.client.session_transaction() as state:
        return dict(state)


def opens(host: Flask, session: dict[str, object]) -> bool:
    """Whether a host lets the session in.

    Its cookie is made at that host: Flask's own has no leeway.
    """
    person = Person(host)
    with person.client.session_transaction() as state:
        state.update(session)
    return person.open("/vault").status_code == 200


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [(0, True), (1, True), (LEEWAY, True), (LEEWAY + 1, False), (86_400, False)],
)
def test_a_host_whose_clock_is_ahead(
    hosts: tuple[Flask, Flask], ahead: int, expected: bool
) -> None:
    """Promise 2: what it stamps is taken by others up to the leeway, and no further."""
    ahead_of_time, right = hosts
    now = int(time.time())
    with time_machine.travel(now + ahead, tick=False):
        session = verified(ahead_of_time)
        assert opens(ahead_of_time, session)
    with time_machine.travel(now, tick=False):
        assert opens(right, session) is expected


@pytest.mark.parametrize("behind", [1, LEEWAY, 300])
def test_a_host_whose_clock_is_behind(hosts: tuple[Flask, Flask], behind: int) -> None:
    """Promise 2: what it stamps serves others for less, and never for longer."""
    late, right = hosts
    now = int(time.time())
    with time_machine.travel(now - behind, tick=False):
        session = verified(late)
    with time_machine.travel(now, tick=False) as clock:
        assert opens(right, session)
        clock.move_to(now - behind + MAX_AGE - 1)
        assert opens(right, session)
        clock.move_to(now - behind + MAX_AGE)
        assert not opens(right, session)


def test_what_is_far_ahead_is_logged(
    hosts: tuple[Flask, Flask], caplog: pytest.LogCaptureFixture
) -> None:
    """Promise 2: somebody has to set a clock."""
    now = int(time.time())
    with time_machine.travel(now + 3_600, tick=False):
        session = verified(hosts[0])
    with time_machine.travel(now, tick=False):
        assert not opens(hosts[1], session)
    assert "3600 s in the future: set your hosts' clocks" in caplog.text


@pytest.mark.parametrize("passed", [0, MAX_AGE - 1])
@pytest.mark.parametrize("back", [LEEWAY + 3, 3_600])
def test_a_clock_that_is_set_back_opens_nothing_longer(
    one_machine: tuple[Flask, Flask],
    caplog: pytest.LogCaptureFixture,
    passed: int,
    back: int,
) -> None:
    """Promise 2: neither right after the step nor when the time comes round again.

    Whichever worker notices, it is so for all, and whoever proves a factor afterwards
    goes on as ever.
    """
    hosts, now = one_machine, int(time.time())
    with time_machine.travel(now, tick=False) as clock:
        session = verified(hosts[0])
        clock.move_to(now + passed)
        assert opens(hosts[0], session)
        assert opens(hosts[1], session)
        clock.move_to(now + passed - back)
        assert not opens(hosts[1], session)
        assert caplog.text.count("was set back by") == 1
        anew = verified(hosts[1], "right 2")
        for later in range(0, back + MAX_AGE + 1, (back + MAX_AGE) // 5):
            clock.move_to(now + passed - back + later)
            assert not opens(hosts[later % 2], session)
            assert opens(hosts[later % 2], anew) is (later < MAX_AGE)
    assert caplog.text.count("was set back by") == 1


def test_a_clock_that_is_set_back_while_nobody_works_opens_nothing_longer(
    make_app: MakeApp,
) -> None:
    """Promise 2: what the ledger has seen is in its file: a restart forgets nothing."""
    uri = "sqlite:///stepup.db"
    now = int(time.time())
    with time_machine.travel(now, tick=False) as clock:
        session = verified(make_app(STEPUP_STORAGE_URI=uri))
        clock.move_to(now - 300)
        again = make_app(STEPUP_STORAGE_URI=uri)
        assert not opens(again, session)
        for later in (now, now + 1, now + MAX_AGE - 1):
            clock.move_to(later)
            assert not opens(again, session)


def test_time_that_goes_by_is_seen_by_all_workers(
    one_machine: tuple[Flask, Flask],
) -> None:
    """Promise 2: also by one that nobody has asked for long, and by looking alone."""
    now = int(time.time())
    with time_machine.travel(now - 3_600, tick=False) as clock:
        busy, idle = one_machine
        verified(idle, "right 1")
        clock.move_to(now)
        session = verified(busy, "right 2")
        clock.move_to(now + 500)
        assert opens(busy, session)
        clock.move_to(now + 100)
        assert not opens(idle, session)


def test_a_clock_that_ran_ahead_forgets_no_revocation(make_app: MakeApp) -> None:
    """Promise 3: what the wrong time has swept away opens nothing again."""
    uri = "sqlite:///stepup.db"
    now = int(time.time())
    with time_machine.travel(now, tick=False) as clock:
        host = make_app(STEPUP_STORAGE_URI=uri)
        session = verified(host)
        with host.app_context():
            StepUp().revoke("alice")
        clock.move_to(now + 3 * 86_400)
        verified(make_app(STEPUP_STORAGE_URI=uri), "right 2")
        clock.move_to(now + 60)
        assert not opens(make_app(STEPUP_STORAGE_URI=uri), session)


@pytest.mark.parametrize("back", [LEEWAY + 3, 300, 3_600])
def test_a_host_whose_clock_lags_opens_nothing_longer(
    make_app: MakeApp, valkey_with_clock: Valkey, tmp_path: Path, back: int
) -> None:
    """Promise 2: set back or slow from the start, asked before or not.

    On a server markers are as old as the later of the two clocks says, the host's and
    the server's, but for the leeway.
    """
    server, now = valkey_with_clock, int(time.time())
    uri = server.uri(f"lag{back}")
    with time_machine.travel(now, tick=False) as clock:
        server.set_time(now)
        right = make_app(STEPUP_STORAGE_URI=uri)
        session = verified(right)
        assert opens(right, session)
        for passed in (MAX_AGE - 1, MAX_AGE + LEEWAY + 1, back, back + MAX_AGE - 1):
            server.set_time(now + passed)
            clock.move_to(now + passed)
            assert opens(right, session) is (passed < MAX_AGE)
            # Its own clock says that it is right or even too early.
            clock.move_to(now + passed - back)
            late = make_app(STEPUP_STORAGE_URI=uri)
            is_open = opens(late, session) or opens(right, session)
            assert not (is_open and passed >= MAX_AGE + LEEWAY)


@pytest.mark.parametrize(
    ("apart", "told"),
    [
        (LEEWAY + 5, "s ahead"),
        (-LEEWAY - 5, "s behind"),
        (LEEWAY - 5, ""),
        (-LEEWAY + 5, ""),
    ],
)
def test_clocks_that_disagree_are_told_of_once(
    make_app: MakeApp,
    valkey_with_clock: Valkey,
    caplog: pytest.LogCaptureFixture,
    apart: int,
    told: str,
) -> None:
    """Whoever is asked again and again finds out why."""
    now = int(time.time())
    with time_machine.travel(now, tick=False):
        valkey_with_clock.set_time(now + apart)
        app = make_app(STEPUP_STORAGE_URI=valkey_with_clock.uri(f"apart{apart}"))
        for number in range(3):
            verified(app, f"right {number}")

    lines = [line for line in caplog.messages if "the clock of the ledger" in line]
    assert [told in line for line in lines] == [True] * bool(told)


def test_a_clock_that_is_moved_within_the_leeway_costs_nobody_anything(
    hosts: tuple[Flask, Flask],
) -> None:
    """As time services move it all the time."""
    now = int(time.time())
    with time_machine.travel(now, tick=False) as clock:
        session = verified(hosts[0])
        for offset in (5, 0, 9, -1, 3):
            clock.move_to(now + offset)
            assert opens(hosts[0], session)


def test_many_small_steps_back_are_one_large_one(
    one_machine: tuple[Flask, Flask],
) -> None:
    """Promise 2: a clock that is set back again and again does not stop time."""
    hosts, now = one_machine, int(time.time())
    with time_machine.travel(now, tick=False) as clock:
        session = verified(hosts[0])
        clock.move_to(now + 100)
        assert opens(hosts[0], session)
        for back in range(4, LEEWAY + 1, 3):
            clock.move_to(now + 100 - back)
            assert opens(hosts[0], session)
        clock.move_to(now + 100 - LEEWAY - 3)
        assert not opens(hosts[0], session)


def test_without_leeway_a_second_is_no_step(make_app: MakeApp) -> None:
    """Where none is configured, what clocks do by themselves still voids nothing."""
    host = make_app(STEPUP_CLOCK_LEEWAY=0)
    now = int(time.time())
    with time_machine.travel(now, tick=False) as clock:
        clock.move_to(now + 1)
        session = verified(host)
        clock.move_to(now + 2)
        assert opens(host, session)
        clock.move_to(now + 1)
        assert opens(host, session)


def test_an_approval_and_a_prompt_of_before_are_void_too(
    make_app: MakeApp, codes: Codes
) -> None:
    """Promise 2: an old prompt is not young again."""
    host = make_app()
    now = int(time.time())
    with time_machine.travel(now, tick=False) as clock:
        alice = Person(host, "alice")
        prompt = alice.prompted()
        clock.move_to(now + 3_600)
        assert alice.answer(prompt, "wrong").status_code == 400
        clock.move_to(now)
        # Her own cookie is not from the future: she has been here before.
        again = Person(host, "alice")
        with alice.client.session_transaction() as state:
            kept = dict(state)
        with again.client.session_transaction() as state:
            state.update(kept)
        assert again.answer(prompt, "right").status_code == 400
    assert codes.asked == []


@pytest.mark.parametrize("skew", [-3_600, -1, 0, 1, 3_600])
def test_a_claim_after_a_revocation_goes_by_the_clock_of_the_ledger(
    make_app: MakeApp, valkey: Valkey, skew: int
) -> None:
    """Promise 3: a host whose clock is wrong counts no claim of before it was revoked.

    Nor does it refuse one of afterwards. The ages are this host's word, and so are
    counted from its own now; when the revocation was is the ledger's.
    """
    age = 0
    loader = StepUp(
        verifier=Codes(),
        subject_loader=lambda: Subject("alice", factor_ages=(0, age)),
    )
    uri = valkey.uri(f"claims{skew}")
    host = make_app(stepup=loader, STEPUP_STORAGE_URI=uri)
    with time_machine.travel(time.time() + skew, tick=True):
        assert Person(host).json("/vault").status_code == 200
        with host.app_context():
            loader.revoke("alice")
        assert Person(host).json("/vault").json["cause"] == "revoked"
        with valkey.client() as client:
            (key,) = client.keys(f"*claims{skew}*user:alice")
            generation, at = client.get(key).split(" ")
            client.set(key, f"{generation} {float(at) - 200}", ex=1_000)
        age = 3
        assert Person(host).json("/vault").json["cause"] == "revoked"
        age = 2
        assert Person(host).json("/vault").status_code == 200

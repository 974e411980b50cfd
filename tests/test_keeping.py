"""Where markers are kept: what stays in the session, what leaves it, and for whom."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest
import time_machine
from flask import current_app
from flask import Flask
from flask import session
from flask.sessions import SecureCookieSessionInterface
from ledgers import START

from flask_stepup.binding import Binding
from flask_stepup.errors import ConfigurationError
from flask_stepup.keeping import Keeping
from flask_stepup.keeping import name_of_approval
from flask_stepup.ledger import Standing
from flask_stepup.marker import Approval
from flask_stepup.marker import Marker
from flask_stepup.marker import Operation
from flask_stepup.policy import Policy
from flask_stepup.signing import Signer

LEEWAY = 10
STANDING = Standing("ledger", "grown")
BINDING = Binding("alice", "nonce", "login")
BEARER = BINDING._replace(nonce=None)
MARKER = Marker("ledger", "grown", (None, START))
APPROVAL = Approval("ledger", "grown", (None, START), Operation("id", "digest", "tie"))
NAME = name_of_approval(APPROVAL.operation)


@pytest.fixture
def keeping() -> Keeping:
    return Keeping(Signer(["a key"]), LEEWAY)


@pytest.fixture(autouse=True)
def _request() -> Iterator[None]:
    """A request, at a moment that does not pass."""
    app = Flask(__name__)
    app.secret_key = "k"
    with time_machine.travel(START, tick=False), app.test_request_context():
        yield


def tokens() -> dict[str, str]:
    return dict(session["_stepup"])


def test_what_is_kept_is_found_in_its_scope(keeping: Keeping) -> None:
    """A marker by its scope, for its own person and session, and nowhere else."""
    assert keeping.keep(BINDING, "pay", MARKER, STANDING) is None
    assert keeping.markers(BINDING, "pay") == [MARKER]
    assert keeping.markers(BINDING, "") == []
    assert keeping.markers(BINDING._replace(user_id="bob"), "pay") == []
    assert keeping.markers(BEARER, "pay") == []
    assert keeping.approvals(BINDING) == []


def test_approvals_are_found_together(keeping: Keeping) -> None:
    """All that are in the session, and no standing marker among them."""
    other = replace(APPROVAL, operation=Operation("other", "digest", None))
    keeping.keep(BINDING, "pay", MARKER, STANDING)
    keeping.keep(BINDING, NAME, APPROVAL, STANDING)
    keeping.keep(BINDING, name_of_approval(other.operation), other, STANDING)
    assert set(keeping.approvals(BINDING)) == {APPROVAL, other}
    assert keeping.approvals(BINDING._replace(user_id="bob")) == []
    assert keeping.markers(BINDING, NAME) == []


def test_an_approval_has_a_name_that_no_scope_can_have() -> None:
    """Its id after a tab. Sessions outlive updates, and so does the name."""
    assert NAME == "\tid"
    with pytest.raises(ConfigurationError):
        Policy(scope=NAME)


def test_the_newest_come_first(keeping: Keeping) -> None:
    """Behind the one that was just made, whatever it is: those at the end leave."""
    for name, age in {"a": 20, "b": 40, "c": 10, "d": 30}.items():
        marker = replace(MARKER, proved_at=(None, START - age))
        keeping.keep(BINDING, name, marker, STANDING)
    assert list(tokens()) == ["d", "c", "a", "b"]


def test_a_marker_takes_the_place_of_the_last(keeping: Keeping) -> None:
    """There is one for each scope."""
    newer = replace(MARKER, proved_at=(START, START))
    keeping.keep(BINDING, "pay", MARKER, STANDING)
    keeping.keep(BINDING, "pay", newer, STANDING)
    assert keeping.markers(BINDING, "pay") == [newer]
    assert list(tokens()) == ["pay"]


def test_what_cannot_serve_any_more_leaves(keeping: Keeping) -> None:
    """What is spent, revoked, of another ledger, somebody else's, or no token."""
    others = {
        "of another ledger": replace(MARKER, ledger_id="other!"),
        "revoked": replace(MARKER, generation="before"),
        "kept": replace(MARKER, proved_at=(START, None)),
        NAME: APPROVAL,
    }
    for name, marker in others.items():
        standing = Standing(marker.ledger_id, marker.generation)
        before = session.get("_stepup", {})
        keeping.keep(BINDING, name, marker, standing)
        session["_stepup"] = {**before, **tokens()}
    bobs = Signer(["a key"]).dumps("marker", ("bob", "nonce", "login", "bobs"), [])
    session["_stepup"] = {**tokens(), "bobs": bobs, "number": 5, "text": "x.y"}
    spent = replace(STANDING, spent=frozenset({"id"}))

    keeping.keep(BINDING, "new", MARKER, spent)
    assert list(tokens()) == ["new", "kept"]


def test_an_approval_that_is_not_spent_stays(keeping: Keeping) -> None:
    """When something else is kept beside it, too."""
    keeping.keep(BINDING, NAME, APPROVAL, STANDING)
    keeping.keep(BINDING, "new", MARKER, STANDING)
    assert list(tokens()) == ["new", NAME]
    assert keeping.approvals(BINDING) == [APPROVAL]


def test_a_session_that_is_kept_on_a_server_goes_on_under_a_new_id(
    keeping: Keeping,
) -> None:
    """Where its interface can do that, and something is kept in it."""
    renewed = []

    class Renewing(SecureCookieSessionInterface):
        def regenerate(self, session: object) -> None:
            renewed.append(session)

    current_app.session_interface = Renewing()
    keeping.keep(BEARER, "pay", MARKER, STANDING)
    keeping.markers(BINDING, "pay")
    assert renewed == []
    keeping.keep(BINDING, "pay", MARKER, STANDING)
    assert renewed == [session]


def test_who_has_no_session_gets_the_token(keeping: Keeping) -> None:
    """A bearer keeps it itself, and this session holds nothing of it."""
    token = keeping.keep(BEARER, "pay", MARKER, STANDING)
    assert Keeping(Signer(["another"]), LEEWAY).markers(BEARER, "pay") == []
    assert "_stepup" not in session
    expected = MARKER.seal(Signer(["a key"]), BEARER, "pay")
    assert token == expected


def test_what_can_be_bound_to_no_session_is_not_given(keeping: Keeping) -> None:
    """It would be good in every session of this person."""
    nobodys = Binding("alice", None, None)
    assert keeping.keep(nobodys, "pay", MARKER, STANDING) is None
    assert "_stepup" not in session


@pytest.mark.parametrize(("ahead", "expected"), [(LEEWAY, True), (LEEWAY + 1, False)])
@pytest.mark.parametrize("proved_at", [(0, None), (None, 0), (0, -60)])
def test_what_is_ahead_proves_nothing(
    keeping: Keeping,
    caplog: pytest.LogCaptureFixture,
    proved_at: tuple[int | None, int | None],
    ahead: int,
    expected: bool,
) -> None:
    """Promise 2: beyond the leeway it is refused, and somebody is told why."""
    first, second = (at if at is None else START + ahead + at for at in proved_at)
    marker = replace(MARKER, proved_at=(first, second))
    keeping.keep(BINDING, "pay", marker, STANDING)
    assert bool(keeping.markers(BINDING, "pay")) is expected
    told = f"lies {ahead} s in the future"
    assert (told in caplog.text) is not expected
    assert len(caplog.records) == (not expected)


@pytest.mark.parametrize("kind", [Marker, Approval])
def test_so_many_checks_are_remembered_and_no_more(
    keeping: Keeping, kind: type[Marker]
) -> None:
    """Who sends ever new markers fills no memory."""
    before = _alive(kind)
    for number in range(1_100):
        marker = APPROVAL if kind is Approval else MARKER
        marker = replace(marker, proved_at=(None, START - number))
        token = marker.seal(Signer(["a key"]), BINDING, "pay")
        session["_stepup"] = {"pay": token, NAME: token}
        found = keeping.markers(BINDING, "pay") + keeping.approvals(BINDING)
        assert found == [marker]
        del marker, found
    assert _alive(kind) - before == 1_024


def _alive(kind: type[Marker]) -> int:
    gc.collect()
    return sum(type(each) is kind for each in gc.get_objects())


def test_another_ledger_is_told_once(
    keeping: Keeping, caplog: pytest.LogCaptureFixture
) -> None:
    """Promise 1: its markers do not count, however often they come."""
    other = replace(MARKER, ledger_id="other!")
    assert keeping.of_ledger([MARKER, MARKER], "ledger") == [MARKER, MARKER]
    assert keeping.is_of("ledger", "ledger")
    assert caplog.records == []
    for _ in range(3):
        assert keeping.of_ledger([other, MARKER, other], "ledger") == [MARKER]
        assert not keeping.is_of("other!", "ledger")
    logged = [(each.name, each.levelno) for each in caplog.records]
    assert logged == [("flask_stepup", logging.ERROR)]
    assert "point STEPUP_STORAGE_URI of all workers at the same" in caplog.text

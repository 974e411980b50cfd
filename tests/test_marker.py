"""The marker: how small it is, what it tells, and to whom it belongs."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from naming import repr_of

from flask_stepup.binding import Binding
from flask_stepup.errors import InvalidToken
from flask_stepup.ledger import Standing
from flask_stepup.marker import Approval
from flask_stepup.marker import Marker
from flask_stepup.marker import open_approval
from flask_stepup.marker import open_marker
from flask_stepup.marker import Operation
from flask_stepup.signing import Signer

NOW = 1_800_000_000
BINDING = Binding("user_2abcdefghijklmnopqrstuvwxyz", "n0nce-n0nce-n0nce", "sess_2xyz")
SCOPE = "payments"
MARKER = Marker("aB3-_z", "Ab1_-Z", (None, NOW))

#: By what was proved; the ledger's id and generation are as long as they get.
MARKERS = {
    "the second factor": MARKER,
    "the first factor": replace(MARKER, proved_at=(NOW, None)),
    "both at once": replace(MARKER, proved_at=(NOW, NOW)),
    "one after the other": replace(MARKER, proved_at=(NOW - 54_321, NOW)),
    "never revoked": replace(MARKER, generation=""),
    "both, never revoked": replace(
        MARKER, generation="", proved_at=(NOW - 54_321, NOW)
    ),
    "the last second of 32 bits": replace(MARKER, proved_at=(2**32 - 1, 2**32 - 7)),
}


@pytest.fixture
def signer() -> Signer:
    return Signer(["a key"])


@pytest.mark.parametrize("marker", MARKERS.values(), ids=MARKERS)
def test_a_marker_survives_the_session(signer: Signer, marker: Marker) -> None:
    """What is sealed is what is opened: ledger, generation and times."""
    token = marker.seal(signer, BINDING, SCOPE)
    opened = open_marker(signer, token, BINDING, SCOPE)
    assert opened == marker
    assert all(at is None or type(at) is int for at in opened.proved_at)


@pytest.mark.parametrize("marker", MARKERS.values(), ids=MARKERS)
def test_a_marker_is_small(signer: Signer, marker: Marker) -> None:
    """Eight markers leave room in a cookie: each has fewer than 100 bytes."""
    assert len(marker.seal(signer, BINDING, SCOPE)) <= 95


@pytest.mark.parametrize("marker", MARKERS.values(), ids=MARKERS)
def test_a_marker_tells_nobody_whose_it_is(signer: Signer, marker: Marker) -> None:
    """User, nonce, session and scope are not in the token, sealed or decoded."""
    token = marker.seal(signer, BINDING, SCOPE)
    payload = token.split(".")[0]
    read = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode()
    for part in (*BINDING.parts(SCOPE), "user_", "n0nce", "sess_"):
        assert part
        assert part not in token
        assert part not in read


def test_the_length_of_a_marker_tells_nothing(signer: Signer) -> None:
    """A marker is as long for a long id and a long scope as for short ones."""
    long = Binding("u" * 500, "n" * 500, "s" * 500)
    short = Binding("u", "n", "s")
    assert len(MARKER.seal(signer, long, "x" * 64)) == len(
        MARKER.seal(signer, short, "")
    )


@pytest.mark.parametrize(
    ("binding", "scope"),
    [
        (BINDING._replace(user_id="user_2abcdefghijklmnopqrstuvwxyZ"), SCOPE),
        (BINDING._replace(user_id=""), SCOPE),
        (BINDING._replace(nonce="another"), SCOPE),
        (BINDING._replace(nonce=""), SCOPE),
        (BINDING._replace(session_id="sess_another"), SCOPE),
        (BINDING._replace(session_id=None), SCOPE),
        (BINDING._replace(session_id=""), SCOPE),
        (BINDING, "payouts"),
        (BINDING, ""),
        (BINDING, "Payments"),
        # The parts of a binding do not stand in for each other.
        (Binding(BINDING.nonce, BINDING.user_id, BINDING.session_id), SCOPE),
        (Binding(BINDING.user_id + BINDING.nonce, "", BINDING.session_id), SCOPE),
        (Binding(BINDING.user_id, BINDING.nonce, SCOPE), "sess_2xyz"),
    ],
)
def test_a_marker_of_another_binding_is_refused(
    signer: Signer, binding: Binding, scope: str
) -> None:
    """A marker opens for its own user, nonce, session and scope, and no other."""
    token = MARKER.seal(signer, BINDING, SCOPE)
    with pytest.raises(InvalidToken):
        open_marker(signer, token, binding, scope)


def test_no_session_id_is_a_session_id_of_its_own(signer: Signer) -> None:
    """A marker made without a session id opens without one, and not with any."""
    without = BINDING._replace(session_id=None)
    token = MARKER.seal(signer, without, SCOPE)
    assert open_marker(signer, token, without, SCOPE) == MARKER
    for session_id in ("", "None", "null", "sess_2xyz"):
        with pytest.raises(InvalidToken):
            open_marker(signer, token, BINDING._replace(session_id=session_id), SCOPE)


def test_a_marker_of_another_key_is_refused(signer: Signer) -> None:
    """A marker that was signed with a key that is not ours any more is void."""
    token = MARKER.seal(Signer(["an older key"]), BINDING, SCOPE)
    with pytest.raises(InvalidToken):
        open_marker(signer, token, BINDING, SCOPE)


def test_a_token_of_another_use_is_no_marker(signer: Signer) -> None:
    """What was signed for another use, with the same binding, is no marker."""
    value = ["aB3-_z", "", 0, NOW]
    token = signer.dumps("challenge", BINDING.parts(SCOPE), value)
    with pytest.raises(InvalidToken):
        open_marker(signer, token, BINDING, SCOPE)


@pytest.mark.parametrize(
    "value",
    [None, 1, "", "text", [], {}, ["id"], ["id", ""], ["id", "", "x", "y"],
     ["id", "", [], []], ["id", "", {}, {}], ["id", "", *range(8)]],
    ids=repr_of,
)  # fmt: skip
def test_a_marker_of_another_version_is_refused(signer: Signer, value: object) -> None:
    """A marker that another version of this package signed is an invalid token."""
    token = signer.dumps("marker", BINDING.parts(SCOPE), value)
    with pytest.raises(InvalidToken):
        open_marker(signer, token, BINDING, SCOPE)


def test_a_factor_that_was_not_proved_is_none(signer: Signer) -> None:
    """A factor absent from a marker stays absent, and is never proved at time 0."""
    token = replace(MARKER, proved_at=(None, None)).seal(signer, BINDING, SCOPE)
    assert open_marker(signer, token, BINDING, SCOPE).proved_at == (None, None)


@pytest.mark.parametrize(
    ("proved_at", "latest"),
    [((None, NOW), NOW), ((NOW, None), NOW), ((NOW - 5, NOW), NOW),
     ((NOW, NOW - 5), NOW), ((None, None), 0)],
)  # fmt: skip
def test_latest(proved_at: tuple[int | None, int | None], latest: int) -> None:
    """The latest proof is that of either factor."""
    assert replace(MARKER, proved_at=proved_at).latest == latest


def test_parts_put_more_after_the_binding() -> None:
    """What else a token is bound to follows the user, the nonce and the session."""
    assert Binding("u", "n").parts() == ("u", "n", None)
    assert Binding("u", "n", "s").parts("a", "b") == ("u", "n", "s", "a", "b")


# --- approvals ---

APPROVAL = Approval("aB3-_z", "Ab1_-Z", (None, NOW), Operation("id", "digest", "tie"))


@pytest.mark.parametrize("tie", ["tie", "", None])
@pytest.mark.parametrize("generation", ["Ab1_-Z", ""])
def test_an_approval_survives_the_session(
    signer: Signer, generation: str, tie: str | None
) -> None:
    """What is sealed is what is opened: ledger, generation, time and operation."""
    operation = Operation("id", "digest", tie)
    approval = replace(APPROVAL, generation=generation, operation=operation)
    token = approval.seal(signer, BINDING)
    assert open_approval(signer, token, BINDING) == approval


@pytest.mark.parametrize(
    "binding",
    [
        BINDING._replace(user_id="another"),
        BINDING._replace(nonce="another"),
        BINDING._replace(nonce=None),
        BINDING._replace(session_id="another"),
        BINDING._replace(session_id=None),
    ],
    ids=repr,
)
def test_an_approval_of_another_binding_is_refused(
    signer: Signer, binding: Binding
) -> None:
    """An approval opens for its own user, nonce and session, and no other."""
    token = APPROVAL.seal(signer, BINDING)
    with pytest.raises(InvalidToken):
        open_approval(signer, token, binding)


def test_approvals_and_markers_are_not_taken_for_each_other(signer: Signer) -> None:
    """Neither opens as the other, whatever else they have in common."""
    marker, approval = MARKER.seal(signer, BINDING, ""), APPROVAL.seal(signer, BINDING)
    with pytest.raises(InvalidToken):
        open_approval(signer, marker, BINDING)
    with pytest.raises(InvalidToken):
        open_marker(signer, approval, BINDING, "")


@pytest.mark.parametrize(
    "value",
    [None, 1, "", "text", [], {}, ["id"], ["id", NOW], ["id", NOW, "operation"],
     ["id", None, "operation", "digest"], ["id", "soon", "operation", "digest"],
     [1, NOW, "operation", "digest"], ["id", NOW, *range(8)]],
    ids=repr_of,
)  # fmt: skip
def test_an_approval_of_another_version_is_refused(
    signer: Signer, value: object
) -> None:
    """One that another version of this package signed is an invalid token."""
    token = signer.dumps("approval", BINDING.parts(), value)
    with pytest.raises(InvalidToken):
        open_approval(signer, token, BINDING)


def test_an_operation_is_tied_to_no_form_unless_one_is_named() -> None:
    """None is no tie; an empty one is of a request whose form could not be kept."""
    assert Operation("id", "digest").tie is None


def test_an_approval_is_spent_when_its_operation_is() -> None:
    """A standing marker never is, and an approval by its own run alone."""
    standing = Standing(spent=frozenset({"id"}))
    other = replace(APPROVAL, operation=Operation("another", "digest", "tie"))
    spent = [each.is_spent(standing) for each in (MARKER, APPROVAL, other)]
    assert spent == [False, True, False]

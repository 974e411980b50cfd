"""Tokens that nobody thought of: edited, of other keys, and signed but odd."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple
from functools import cache
from io import BytesIO
from typing import Any

from flask import Flask
from flask import session
from fuzzing import fuzzed
from fuzzing import JSON
from fuzzing import nested
from fuzzing import ODD_FLOATS
from fuzzing import ODD_INTS
from fuzzing import SCALARS
from fuzzing import TEXT
from hypothesis import assume
from hypothesis import example
from hypothesis import given
from hypothesis import strategies as st
from people import Codes
from people import Person
from people import Prompt

from flask_stepup import require_reverification
from flask_stepup import StepUp
from flask_stepup.action import Action
from flask_stepup.binding import Binding
from flask_stepup.challenge import Challenge
from flask_stepup.challenge import open_challenge
from flask_stepup.errors import InvalidToken
from flask_stepup.gate import Gate
from flask_stepup.marker import Approval
from flask_stepup.marker import Marker
from flask_stepup.marker import open_approval
from flask_stepup.marker import open_marker
from flask_stepup.marker import Operation
from flask_stepup.signing import Signer
from flask_stepup.subject import Subject
from flask_stepup.suspension import SuspendedForm

USE, BOUND = "marker", ("user", "nonce", None, "scope")
SIGNER = Signer(["a key"])
BINDING = Binding("alice", "n" * 22)
#: What tokens are made of, and what is like it.
TOKEN_CHARS = "abcXYZ019-_.=+/ \n\0é\ud800"

USES = st.sampled_from(["marker", "approval", "challenge", "", "marker ", "marker []"])
BOUNDS = st.lists(st.none() | TEXT, max_size=4).map(tuple)
KEYS = st.binary(min_size=1, max_size=70) | st.sampled_from(
    [b"a", b"b", b"a" * 64, b"a" * 65, b"\xff\xfe", "ключ".encode()]
)


def opened(
    signer: Signer, token: str, use: str = USE, bound_to: Any = BOUND
) -> list[Any]:
    """What is in a token; nothing where it is refused as it has to be."""
    try:
        return [signer.loads(use, bound_to, token)]
    except InvalidToken:
        return []


def same(value: Any) -> str:
    """Text that equal values share, of which NaN is one."""
    return json.dumps(value, sort_keys=True)


def hmac_key(key: bytes) -> bytes:
    """A key as HMAC sees it, which fills short ones up with zeros."""
    return key.ljust(64, b"\0")


# --- signatures ---


@fuzzed(200)
@given(USES, BOUNDS, JSON)
@example(USE, BOUND, nested(200))
@example(USE, BOUND, [10**4299, "x" * 200_000])
def test_whatever_json_is_comes_back(use: str, bound_to: Any, value: Any) -> None:
    """What was signed is what is read, with whatever binding."""
    token = SIGNER.dumps(use, bound_to, value)
    assert token.isascii()
    assert [same(value)] == list(map(same, opened(SIGNER, token, use, bound_to)))


@st.composite
def edits(draw: st.DrawFn, token: str) -> str:
    """A token of which something was replaced, taken out, put in, moved or repeated."""
    start = draw(st.integers(0, len(token)))
    end = draw(st.integers(start, min(len(token), start + draw(st.integers(0, 3)))))
    between = draw(
        st.text(TOKEN_CHARS, max_size=3)
        | st.sampled_from([token, token[start:end] * 2, token[end:], token[:start]])
    )
    return token[:start] + between + token[end:]


@fuzzed(250)
@given(JSON, st.data())
def test_an_edited_token_is_refused(value: Any, data: st.DataObject) -> None:
    """Whatever text a token is changed to, it is refused as not valid."""
    token = SIGNER.dumps(USE, BOUND, value)
    edited = data.draw(edits(token))
    assume(edited != token)
    assert opened(SIGNER, edited) == []


@fuzzed(60)
@given(JSON, st.data())
def test_a_token_cut_off_is_refused(value: Any, data: st.DataObject) -> None:
    """Neither the beginning nor the end of a token is one."""
    token = SIGNER.dumps(USE, BOUND, value)
    cut = data.draw(st.integers(1, len(token)))
    assert opened(SIGNER, token[:-cut]) == []
    assert opened(SIGNER, token[cut:]) == []


@fuzzed(250)
@given(
    st.text(max_size=100)
    | st.text(TOKEN_CHARS, max_size=60)
    | st.binary(max_size=60).map(lambda data: data.decode("latin-1"))
    | st.from_regex(r"\.?[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{43}", fullmatch=True)
    | JSON.map(json.dumps)
    | JSON.map(lambda value: Signer(["another"]).dumps(USE, BOUND, value))
)
@example("." * 100_000)
@example("x" * 100_000 + ".")
def test_text_is_no_token(text: str) -> None:
    """What we did not sign is refused, and nothing else happens."""
    assert opened(SIGNER, text) == []


@fuzzed(120)
@given(USES, BOUNDS, USES, BOUNDS, JSON)
@example("marker", (), "marker []", (), 1)
@example("marker", ("a", None), "marker", ("a",), 1)
@example("marker", ("a", "b"), "marker", ("a,b",), 1)
@example("marker", (None,), "marker", ("",), 1)
@example("marker", (None,), "marker", ("null",), 1)
@example("marker", ("é",), "marker", ("\\u00e9",), 1)
def test_a_token_is_for_its_use_and_binding_alone(
    use: str, bound_to: Any, other_use: str, other_bound: Any, value: Any
) -> None:
    """No two uses or bindings, however alike, open each other's tokens."""
    assume((use, bound_to) != (other_use, other_bound))
    token = SIGNER.dumps(use, bound_to, value)
    assert opened(SIGNER, token, other_use, other_bound) == []


# --- keys ---


@fuzzed(120)
@given(st.lists(KEYS, min_size=1, max_size=5, unique_by=hmac_key), JSON, st.randoms())
def test_the_last_key_signs_and_all_verify(
    keys: list[bytes], value: Any, random: Any
) -> None:
    """In whatever order keys are listed, all open, and the last one alone signs."""
    token = Signer(keys).dumps(USE, BOUND, value)
    assert token == Signer(keys[-1:]).dumps(USE, BOUND, value)
    assert opened(Signer(keys[:-1] or ["another"]), token) == []
    shuffled = random.sample(keys, len(keys))
    assert len(opened(Signer(shuffled), token)) == 1


@fuzzed(120)
@given(st.lists(KEYS, min_size=1, max_size=4), st.lists(KEYS, min_size=1, max_size=4))
def test_keys_without_the_one_that_signed_open_nothing(
    keys: list[bytes], others: list[bytes]
) -> None:
    """A token opens exactly where its key is among those that are listed."""
    token = Signer(keys).dumps(USE, BOUND, 1)
    is_listed = hmac_key(keys[-1]) in map(hmac_key, others)
    assert bool(opened(Signer(others), token)) == is_listed


@fuzzed(120)
@given(st.lists(KEYS, min_size=1, max_size=4), KEYS, st.lists(TEXT), st.lists(TEXT))
def test_a_digest_is_of_its_parts_and_the_oldest_key(
    keys: list[bytes], newer: bytes, parts: list[str], others: list[str]
) -> None:
    """New keys do not change a digest, and other parts always do."""
    digest = Signer(keys).digest("used code", *parts)
    assert digest == Signer([*keys, newer]).digest("used code", *parts)
    assert digest != Signer(keys).digest("action", *parts)
    is_same = parts == others
    assert (digest == Signer(keys).digest("used code", *others)) == is_same


# --- markers, signed but odd ---


#: Numbers and texts as they are in a marker, and others.
_TIMES = st.integers(0, 2**33) | ODD_INTS | ODD_FLOATS | SCALARS
_ORIGINS = st.text("abcABC_-", max_size=12) | JSON
MARKERS = (
    JSON | st.lists(_ORIGINS | _TIMES, max_size=6) | st.tuples(_ORIGINS, _TIMES, _TIMES)
)
APPROVALS = (
    MARKERS
    | st.tuples(_ORIGINS, _TIMES, TEXT, TEXT)
    | st.tuples(_ORIGINS, _TIMES, JSON, JSON, JSON)
)


def is_time(at: object) -> bool:
    """Whether it is what a clock may say."""
    return at is None or (type(at) is int and 0 <= at < 2**53)


def is_marker(marker: Marker) -> bool:
    """Whether all in it is of the kind that is reckoned with."""
    texts = (marker.ledger_id, marker.generation)
    return all(type(t) is str for t in texts) and all(map(is_time, marker.proved_at))


def is_approval(approval: Approval) -> bool:
    """The same of an approval."""
    id_, action, tie = approval.operation
    is_named = type(id_) is str and type(action) is str
    return is_marker(approval) and is_named and (tie is None or type(tie) is str)


@fuzzed(300)
@given(MARKERS)
@example(["abcdef", float("inf"), 0])
@example(["abcdef", 10**400, 0])
@example([["abcdef"], 1, 2])
@example([{"abcdef": 1}, 1, 2])
@example({"a": 1, "b": 2, "c": 3})
@example("abc")
def test_a_signed_marker_is_one_or_is_refused(value: Any) -> None:
    """Whatever is signed as a marker, it is refused or can be reckoned with."""
    token = SIGNER.dumps("marker", BINDING.parts("scope"), value)
    try:
        marker = open_marker(SIGNER, token, BINDING, "scope")
    except InvalidToken:
        return
    assert is_marker(marker)


@fuzzed(300)
@given(APPROVALS)
@example(["abcdef", float("inf"), "id", "action"])
@example(["abcdef", 10**400, "id", "action"])
@example(["abcdef", 1, ["id"], "action", None])
@example([{"abcdef": 1}, 1, "id", "action"])
def test_a_signed_approval_is_one_or_is_refused(value: Any) -> None:
    """Whatever is signed as an approval, it is refused or can be reckoned with."""
    token = SIGNER.dumps("approval", BINDING.parts(), value)
    try:
        approval = open_approval(SIGNER, token, BINDING)
    except InvalidToken:
        return
    assert is_approval(approval)


@fuzzed(120)
@given(
    st.text(min_size=6, max_size=6),
    st.text(max_size=12),
    st.tuples(*[st.none() | st.integers(1, 2**53 - 1)] * 2),
    st.tuples(TEXT, TEXT, st.none() | TEXT),
)
def test_what_we_seal_is_what_we_open(
    ledger_id: str, generation: str, proved_at: Any, operation: Any
) -> None:
    """Markers and approvals survive the session, whatever is in them."""
    marker = Marker(ledger_id, generation, proved_at)
    token = marker.seal(SIGNER, BINDING, "scope")
    assert open_marker(SIGNER, token, BINDING, "scope") == marker

    at = (None, proved_at[1] or 1)
    approval = Approval(ledger_id, generation, at, Operation(*operation))
    token = approval.seal(SIGNER, BINDING)
    assert open_approval(SIGNER, token, BINDING) == approval


# --- challenges, signed but odd, and what an app makes of them ---


@cache
def app() -> Flask:
    """An app in which nobody ever proved a factor, and every code is wrong."""
    app = Flask("bank")
    app.config.update(
        SECRET_KEY="k" * 32,
        STEPUP_STORAGE_URI="memory://",
        STEPUP_ATTEMPT_LIMIT="9999 per second",
    )
    stepup = StepUp(
        app, verifier=Codes(), subject_loader=lambda: session.get("user_id")
    )
    app.extensions["runs"] = runs = []

    @app.get("/sign-in/<user_id>")
    def sign_in(user_id: str) -> str:
        session["user_id"] = user_id
        session["_stepup_sid"] = BINDING.nonce
        return "signed in"

    def vault() -> str:
        runs.append("vault")
        return "the vault is open"

    once = require_reverification(once=True)(vault)
    app.add_url_rule("/grant", "grant", lambda: str(stepup.grant()))
    app.add_url_rule("/vault", "vault", require_reverification(vault))
    app.add_url_rule("/once", "once", once, methods=["POST"])
    return app


def gate() -> Gate:
    found: Gate = app().extensions["stepup"]
    return found


@cache
def alice() -> Person:
    return Person(app(), "alice")


@cache
def challenge_json() -> str:
    """What is in a challenge, with all members that there can be."""
    form = {"note": "a", "pin": "1234", "file": (BytesIO(), "")}
    page = Prompt(alice().open("/once", "POST", data=form)).challenge
    value: dict[str, Any] = gate().signer.loads("challenge", BINDING.parts(), page)
    assert value["form"]["fields"] == [["note", "a"], ["pin", None]]
    assert value["form"]["files"] == ["file"]
    value["action"]["values"].append(["to", "bob"])
    value["form"]["areas"].append("pin")
    return json.dumps(value | {"not_kept": "size", "again": True, "tie": "a tie"})


@st.composite
def odd_challenges(draw: st.DrawFn, told: str) -> Any:
    """A challenge of which a member or two, perhaps deep within, are something else."""
    if draw(st.integers(0, 9)) == 0:
        return draw(JSON)
    value = json.loads(told)
    for name in draw(st.sets(st.sampled_from(["action", "form", "tie", "again"]))):
        del value[name]
    for _ in range(draw(st.integers(0, 2))):
        place: Any = value
        while True:
            keys = sorted(place) if isinstance(place, dict) else [*range(len(place))]
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and draw(st.booleans()):
                place = place[key]
                continue
            if draw(st.integers(0, 9)) == 0:
                del place[key]
            else:
                place[key] = draw(JSON)
            break
    return value


def sealed(value: Any) -> str:
    return gate().signer.dumps("challenge", BINDING.parts(), value)


def is_challenge(challenge: Challenge) -> bool:
    """Whether all in it is of the kind that pages and arithmetic are made for."""
    id_, _, *texts = astuple(challenge)[:6]
    times = (challenge.issued_at, challenge.first_issued_at)
    return (
        all(type(text) is str for text in (id_, *texts))
        and all(type(at) is int and abs(at) < 2**53 for at in times)
        and (challenge.action is None or _is_action(challenge.action))
        and (challenge.form is None or _is_form(challenge.form))
        and (challenge.tie is None or type(challenge.tie) is str)
    )


def _is_action(action: Action) -> bool:
    return type(action.digest) is str and all(type(n) is str for n in action.values)


def _is_form(form: SuspendedForm) -> bool:
    pairs = [tuple(pair) for pair in form.fields]
    texts = [form.enctype, *form.files, *form.areas, *(name for name, _ in pairs)]
    texts += [value for _, value in pairs if value is not None]
    return all(type(text) is str for text in texts)


def is_one_or_refused(value: Any) -> bool:
    """Whether what is signed as a challenge is refused, or can be shown."""
    with app().test_request_context():
        session["_stepup_sid"] = BINDING.nonce
        try:
            challenge = open_challenge(gate(), Subject("alice"), sealed(value))
        except InvalidToken:
            return True
    return is_challenge(challenge)


def places(value: Any) -> Iterator[list[Any]]:
    """The way to each member, however deep within."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield [key]
            yield from ([key, *way] for way in places(value[key]))


def test_each_member_of_a_challenge_may_be_odd() -> None:
    """A challenge with a member of another kind is refused, or can be shown."""
    odd = [None, True, -1, 1.5, 10**400, math.nan, "text", [], [[]], {}, {"a": 1}]
    fails = []
    for way in places(json.loads(challenge_json())):
        for value in odd:
            challenge = place = json.loads(challenge_json())
            for key in way[:-1]:
                place = place[key]
            place[way[-1]] = value
            if not is_one_or_refused(challenge):
                fails.append((way, value))
    assert fails == []


@fuzzed(150)
@given(st.data())
def test_a_signed_challenge_is_one_or_is_refused(data: st.DataObject) -> None:
    """Whatever is signed as a challenge, it is refused or can be shown and answered."""
    assert is_one_or_refused(data.draw(odd_challenges(challenge_json())))


@contextmanager
def no_run() -> Iterator[None]:
    """Nothing that is guarded runs meanwhile."""
    yield
    assert app().extensions["runs"] == []


@fuzzed(120)
@given(st.data(), st.sampled_from(["", "wrong"]))
def test_an_odd_challenge_breaks_no_page(data: st.DataObject, code: str) -> None:
    """The prompt and its answer take any challenge that is signed, and open nothing."""
    token = sealed(data.draw(odd_challenges(challenge_json())))
    told = {"challenge": token, "code": code}
    with no_run():
        answers = [
            alice().open("/stepup/", query_string={"challenge": token}),
            alice().open("/stepup/", "POST", data=told),
            alice().json("/stepup/", "POST", json=told),
        ]
    assert {answer.status_code for answer in answers} <= {200, 303, 400, 422}


@fuzzed(200)
@given(
    st.dictionaries(
        st.sampled_from(["", "\tid", "\t", "other"]),
        st.tuples(st.sampled_from(["marker", "approval"]), APPROVALS),
        min_size=1,
    )
    | JSON
)
def test_odd_tokens_in_a_session_open_nothing(kept: Any) -> None:
    """Whatever is in the session, signed by us or not, a guarded view asks for a code.

    What has the present where a time belongs could open it, and nothing here has.
    """
    if isinstance(kept, dict):
        kept = {name: _signed(name, value) for name, value in kept.items()}
    client = app().test_client()
    with client.session_transaction() as state:
        state.update(user_id="alice", _stepup_sid=BINDING.nonce, _stepup=kept)
    with no_run():
        assert client.get("/vault").status_code == 403
        assert client.post("/once", data={"to": "bob"}).status_code == 403


def _signed(name: str, value: Any) -> Any:
    if not isinstance(value, tuple):
        return value
    use, content = value
    bound_to = BINDING.parts(name) if use == "marker" else BINDING.parts()
    return gate().signer.dumps(use, bound_to, _of_our_ledger(content))


@cache
def origin() -> str:
    """What a marker that is made now begins with."""
    person = Person(app(), "alice")
    person.open("/grant")
    with person.client.session_transaction() as state:
        token = state["_stepup"][""]
    made: str = gate().signer.loads("marker", BINDING.parts(""), token)[0]
    return made


def _of_our_ledger(content: Any) -> Any:
    # Of another one it would be refused before anything else is looked at.
    if isinstance(content, list | tuple) and content and isinstance(content[0], str):
        return [origin() + content[0], *content[1:]]
    return content

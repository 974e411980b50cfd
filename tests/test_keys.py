"""Keys of the app: rotated, in any order of workers, and changed without a fallback."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest
from conftest import MakeApp
from flask import Flask
from people import Codes
from people import Person

OLD, MIDDLE, NEW = "o" * 32, "m" * 32, "n" * 32
#: What the workers of one app have, while a key comes and another one goes.
ROTATION = ([OLD], [OLD, NEW], [NEW])


@pytest.fixture(name="worker")
def _worker(make_app: MakeApp) -> MakeApp:
    """A worker with these keys, the oldest first: ``worker([OLD, NEW])``."""

    def worker(keys: list[str]) -> Flask:
        *fallbacks, key = keys
        return make_app(
            STEPUP_STORAGE_URI="sqlite:///stepup.db",
            SECRET_KEY=key,
            SECRET_KEY_FALLBACKS=fallbacks,
        )

    return worker


def moved(person: Person, app: Flask) -> Person:
    """The same browser, with what it has in its session, at another worker."""
    with person.client.session_transaction() as state:
        kept = dict(state)
    other = Person(app)
    with other.client.session_transaction() as state:
        state.update(kept)
    return other


def test_a_key_that_comes_voids_nothing(worker: MakeApp) -> None:
    """What the old key signed is good while it is a fallback, and no longer."""
    alice = Person(worker([OLD]), "alice")
    alice.step_up("right")
    seen = [
        moved(alice, worker(keys)).open("/vault").status_code
        for keys in ([OLD], [OLD, NEW], [OLD, MIDDLE, NEW], [MIDDLE, OLD], [NEW])
    ]
    assert seen == [200, 200, 200, 200, 303]


def test_the_last_key_signs(worker: MakeApp) -> None:
    """``SECRET_KEY`` signs, however many fallbacks there are: a leaked one may not."""
    alice = Person(worker([OLD, MIDDLE, NEW]), "alice")
    alice.step_up("right")
    seen = {
        name: moved(alice, worker([key])).open("/vault").status_code
        for name, key in {"old": OLD, "middle": MIDDLE, "new": NEW}.items()
    }
    assert seen == {"old": 303, "middle": 303, "new": 200}


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_a_code_opens_once_all_through_a_rotation(
    worker: MakeApp, codes: Codes, order: tuple[int, ...]
) -> None:
    """Promise 5: whichever two of the workers it is sent to, one after the other.

    Those that have no key in common are never at work together: between them come
    workers that have both.
    """
    workers = [worker(list(keys)) for keys in ROTATION]
    first, *others = order
    assert Person(workers[first], "alice").step_up("right").status_code == 303
    for other in others:
        if {first, other} == {0, 2}:
            continue
        alice = Person(workers[other], "alice")
        assert alice.answer(alice.prompted(), "right").status_code == 422
        # Told by the one in the middle, or by itself.
        assert alice.json("/vault").status_code == 403


def test_a_code_is_remembered_when_its_oldest_key_is_dropped(worker: MakeApp) -> None:
    """Promise 5: the end of a rotation does not have used codes open again."""
    Person(worker([OLD, NEW]), "alice").step_up("right")
    alice = Person(worker([NEW]), "alice")
    assert alice.answer(alice.prompted(), "right").status_code == 422


def test_a_changed_key_voids_everything_without_an_error(worker: MakeApp) -> None:
    """Old cookies, prompts and markers are nobody's at every endpoint."""
    old = Person(worker([OLD]), "alice")
    prompt = old.prompted()
    old.step_up("right")
    changed = worker([NEW])
    stale = Person(changed)
    stale.put_back(old.cookie())
    same = moved(old, changed)
    got = {
        "guarded": stale.open("/vault").status_code,
        "guarded json": stale.json("/vault").status_code,
        "answer": stale.answer(prompt, "right 2").status_code,
        "prompt": stale.open(f"/stepup/?challenge={prompt.challenge}").status_code,
        "status": stale.open("/stepup/status").status_code,
        "guarded, signed in": same.open("/vault").status_code,
        "answer, signed in": same.answer(prompt, "right 2").status_code,
        "prompt, signed in": same.open(
            f"/stepup/?challenge={prompt.challenge}"
        ).status_code,
        "status, signed in": same.open("/stepup/status").status_code,
    }
    assert got == {
        "guarded": 401,
        "guarded json": 401,
        "answer": 401,
        "prompt": 401,
        "status": 401,
        "guarded, signed in": 303,
        "answer, signed in": 400,
        "prompt, signed in": 400,
        "status, signed in": 200,
    }
    same.step_up("right 3")
    assert same.open("/vault").status_code == 200


def test_nothing_of_a_key_is_in_the_ledger(worker: MakeApp, tmp_path: Path) -> None:
    """Promise 5: hashes of codes are keyed, and neither code nor key is written."""
    Person(worker([OLD, NEW]), "alice").step_up("right 123456")
    for file in (tmp_path / "instance").iterdir():
        content = file.read_bytes()
        assert not [s for s in (b"123456", OLD.encode(), NEW.encode()) if s in content]

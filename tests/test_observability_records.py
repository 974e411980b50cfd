"""The log: every kind of record is written, with its name and fields and no secret."""

from __future__ import annotations

import ast
import io
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from conftest import MakeApp
from people import Codes
from people import Person
from situations import SITUATIONS
from situations import TRACE
from situations import World

import flask_stepup
from flask_stepup import records
from flask_stepup import require_reverification
from flask_stepup import VerifierUnavailable
from flask_stepup.clerk.breaker import Breaker
from flask_stepup.clerk.breaker import PAUSE

PACKAGE = Path(flask_stepup.__file__).parent
#: Modules that may know of ``logging``, and never write themselves: those that declare,
#: and those that listen, for the command line or to keep others' lines out.
KNOW_LOGGING = {
    "records/",
    "cli/",
    "clerk/network.py",
}
#: What a user id may do to a line.
FORGED = "alice\nERROR forged\r\x1b[31m\x85\u2028"


def declared() -> list[type[records.Record]]:
    """All kinds, in the order of their files."""
    return [
        kind
        for kind in records.Record.__subclasses__()
        if kind.__module__.startswith("flask_stepup.")
    ]


def fields_of(kind: type[records.Record]) -> list[str]:
    return list(kind.__annotations__)


@pytest.fixture(name="world")
def _world(
    make_app: MakeApp,
    codes: Codes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[World]:
    with ExitStack() as stack:
        fixture = request.getfixturevalue
        yield World(make_app, codes, tmp_path, monkeypatch, fixture, stack)


@pytest.mark.parametrize("kind", declared(), ids=lambda kind: kind.name)
def test_each_record_tells_of_something_real(
    kind: type[records.Record], world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """With the name, level, logger and fields that are declared, and on one line.

    The place that it names is where it happened, and no secret is in any of it.
    """
    caplog.set_level(logging.DEBUG, "flask_stepup")

    SITUATIONS[kind](world)

    ours = [r for r in caplog.records if r.name.startswith("flask_stepup")]
    found = [r for r in ours if vars(r)["stepup_event"] == kind.name]
    assert found, [vars(r)["stepup_event"] for r in ours]
    for record in found:
        told = {n: v for n, v in vars(record).items() if n.startswith("stepup_")}
        expected = {"stepup_event", *(f"stepup_{name}" for name in fields_of(kind))}
        assert set(told) == expected
        assert (record.name, record.levelno) == (kind.logger, kind.level)
        assert Path(record.pathname).parent.name != "records"
        assert PACKAGE in Path(record.pathname).parents
        assert len(record.getMessage().splitlines()) == 1
        assert json.loads(json.dumps(told)) == told
    everything = " ".join(f"{vars(r)} {r.getMessage()}" for r in ours)
    assert [secret for secret in world.secrets if secret in everything] == []


def test_no_situation_is_of_nothing() -> None:
    """There is one for each kind, and names are of their classes, each once."""
    names = [kind.name for kind in declared()]

    assert set(SITUATIONS) == set(declared())
    assert len(set(names)) == len(names)
    for kind in declared():
        assert kind.name == re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()
        assert not {"event", "name", "level", "message", "logger"} & set(
            fields_of(kind)
        )


def sources() -> Iterator[tuple[str, ast.Module]]:
    """Every module of the package, by its path in it."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text())


def test_nothing_is_logged_but_what_is_declared() -> None:
    """No module asks for a logger to write to, so that no line is without a name."""
    wrong = []
    for name, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                modules = {alias.name for alias in node.names}
                modules.add(getattr(node, "module", "") or "")
                if "logging" in modules and not name.startswith(tuple(KNOW_LOGGING)):
                    wrong.append(f"{name}, line {node.lineno}")
            # Flask's own: app.logger.
            if isinstance(node, ast.Attribute) and node.attr == "logger":
                if not name.startswith("records/"):
                    wrong.append(f"{name}, line {node.lineno}: {node.attr}")

    assert wrong == []


def test_a_record_that_is_made_is_written_with_all_its_fields() -> None:
    """Each call names what is declared; none is made and then forgotten."""
    used, wrong = set(), []
    kinds = {kind.__name__: set(fields_of(kind)) for kind in declared()}
    for name, tree in sources():
        parents = {c: n for n in ast.walk(tree) for c in ast.iter_child_nodes(n)}
        for node in ast.walk(tree):
            if not (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == "records"
                and node.attr in kinds
            ):
                continue
            used.add(node.attr)
            call = parents[node]
            if isinstance(call, ast.Call) and call.func is node:
                given = {keyword.arg for keyword in call.keywords}
                after = parents[call]
                written = isinstance(after, ast.Attribute) and after.attr == "log"
                if given != kinds[node.attr] or call.args:
                    wrong.append(f"{name}, line {node.lineno}: {given}")
                if not written and not isinstance(after, ast.Return):
                    wrong.append(f"{name}, line {node.lineno}: not written")

    assert wrong == []
    assert used == set(kinds)


def test_nobody_forges_a_line_by_a_name(
    make_app: MakeApp, codes: Codes, caplog: pytest.LogCaptureFixture
) -> None:
    """What breaks lines, colours terminals or cannot be encoded is written out.

    That is so of a user id, and of what a verifier says. The field has the user id as
    it is, for programs to compare.
    """
    caplog.set_level(logging.INFO, "flask_stepup")
    mallory = Person(make_app())
    with mallory.client.session_transaction() as state:
        state["user_id"] = FORGED
    mallory.answer(mallory.prompted(), "wrong")
    codes.raises = VerifierUnavailable("no answer\nERROR forged \x1b[2J")
    mallory.answer(mallory.prompted(), "wrong")

    wrong, outage = caplog.records
    assert wrong.getMessage().startswith(f"no marker for user {FORGED!r}: Incorrect")
    assert outage.getMessage().endswith(r": no answer\nERROR forged \x1b[2J")
    for record in (wrong, outage):
        assert record.getMessage().isprintable()
        assert record.getMessage().encode()
        assert str(vars(record)["stepup_user_id"]) == FORGED


def test_a_name_that_cannot_be_encoded_is_written_all_the_same() -> None:
    """Half a character, as bytes that are no UTF-8 become in command lines."""
    with written() as text:
        records.LockOutLifted(user_id="\udcff").log()

    assert text.getvalue() == "user '\\udcff' has all tries again\n"


def test_messages_stay_the_same_for_what_groups_them(
    app: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Values are filled in by logging: the message without them is the same for all."""
    caplog.set_level(logging.INFO, "flask_stepup")
    for user_id in ("alice", "bob"):
        person = Person(app, user_id)
        person.answer(person.prompted(), "wrong")

    assert len({record.msg for record in caplog.records}) == 1
    assert len({record.getMessage() for record in caplog.records}) == 2


def test_what_nobody_wants_is_not_written() -> None:
    """A record below the level of its logger costs a look, and no more."""
    with written(logging.INFO) as text:
        records.SessionTokenRefused(reason="expired").log()
    with written(logging.DEBUG) as more:
        records.SessionTokenRefused(reason="expired").log()

    assert text.getvalue() == ""
    assert more.getvalue() == "a session token is not good: expired\n"


class Text(io.TextIOWrapper):
    """A file that can be read while it is written."""

    def getvalue(self) -> str:
        self.flush()
        buffer: Any = self.buffer
        return buffer.getvalue().decode()


@contextmanager
def written(level: int = logging.INFO) -> Iterator[Text]:
    """What a handler writes, in UTF-8."""
    logger, text = logging.getLogger("flask_stepup"), Text(io.BytesIO(), "utf-8")
    handler = logging.StreamHandler(text)
    logger.addHandler(handler)
    logger.setLevel(level)
    try:
        yield text
    finally:
        logger.setLevel(logging.NOTSET)
        logger.removeHandler(handler)


def test_an_attempt_is_told_with_its_factor_and_scope(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """ASVS 16.3.1: who, for what, how it ended, and by which kind of code."""
    caplog.set_level(logging.INFO, "flask_stepup")
    app = world.app()
    view = require_reverification(scope="payments")(lambda: "paid")
    app.add_url_rule("/pay", "pay", view)
    world.tries(app, "wrong", "/pay")
    world.tries(app, "right", "/pay")
    world.tries(app, "right", "/pay")

    told = [
        {n: v for n, v in vars(r).items() if n.startswith("stepup_")}
        for r in caplog.records
    ]
    who = {"stepup_user_id": "alice", "stepup_scope": "payments"}
    assert [each | who for each in told] == told
    assert [
        (each["stepup_event"], each.get("stepup_error"), each.get("stepup_code_type"))
        for each in told
    ] == [
        ("reverification_failed", "IncorrectCode", None),
        ("reverification_succeeded", None, "backup_code"),
        ("reverification_failed", "CodeAlreadyUsed", None),
    ]


def test_an_outage_is_told_with_what_support_asks_for(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The status of the backend and its trace id; one failure is a warning."""
    SITUATIONS[records.VerifierUnavailable](world)

    [record] = caplog.records
    told = vars(record)
    assert (told["stepup_status"], told["stepup_trace_id"]) == (503, TRACE)
    assert record.levelname == "WARNING"


def test_a_ledger_that_fails_behind_a_right_code_is_no_fault_of_the_verifier(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The person hears that the outcome is unknown, and the operator why."""
    app = world.on_disk()
    world.codes.meanwhile = world.break_ledger
    world.tries(app, "right")

    [record] = caplog.records
    assert vars(record)["stepup_event"] == "ledger_unavailable"
    assert "unable to open" in vars(record)["stepup_reason"]


@pytest.mark.parametrize("asks", ["a page", "verify", "status"])
def test_an_outage_of_the_ledger_is_told_wherever_it_is_noticed(
    asks: str, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Once for each request that could not be answered for want of it."""
    alice = Person(world.on_disk(), "alice")
    prompt = alice.prompted()
    world.break_ledger()
    requests = {
        "a page": lambda: alice.open("/vault"),
        "verify": lambda: alice.answer(prompt, "right"),
        "status": lambda: alice.json("/stepup/status"),
    }

    assert requests[asks]().status_code == 503
    told = [vars(record)["stepup_event"] for record in caplog.records]
    assert told == ["ledger_unavailable"]


def test_the_breaker_tells_once_of_an_outage_and_once_of_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """However many calls fail in between."""
    caplog.set_level(logging.INFO, "flask_stepup")
    now = [0.0]
    breaker = Breaker(1.0, lambda: now[0])
    for failing in (True, True, True, True, True, False, False):
        now[0] += PAUSE
        with ExitStack() as stack:
            if failing:
                stack.enter_context(pytest.raises(VerifierUnavailable))
            with breaker.call():
                if failing:
                    raise VerifierUnavailable("hangs")

    told = [vars(record)["stepup_event"] for record in caplog.records]
    assert told == ["breaker_opened", "breaker_closed"]
    assert vars(caplog.records[-1])["stepup_failures"] == 5


def test_a_record_has_its_fields_and_no_others() -> None:
    """Where nobody runs a type checker, too."""
    for fields in ({}, {"ledger": "x"}, {"ledger": "x", "reason": "y", "more": "z"}):
        with pytest.raises(TypeError, match=r"has \['ledger', 'reason'\]"):
            records.LedgerBusy(**fields)

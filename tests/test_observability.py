"""The page on observability: its tables are those of the code, and its recipes run."""

from __future__ import annotations

import json
import logging
import os
import re
import sqlite3
import sys
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import closing
from contextlib import contextmanager
from datetime import datetime
from http.client import HTTPConnection
from inspect import getdoc
from pathlib import Path
from typing import Any

import pytest
from conftest import MakeApp
from documented import blocks
from documented import DOCS
from flask import Flask
from people import Codes
from people import Person
from people import Prompt
from serving import get
from serving import port_in
from serving import read_until
from serving import ROOT
from serving import run
from serving import started

from flask_stepup import NotEnrolled
from flask_stepup import OutcomeUnknown
from flask_stepup import records
from flask_stepup import require_reverification
from flask_stepup import StepUp
from flask_stepup import VerifierMisconfigured
from flask_stepup import VerifierUnavailable

PAGE = DOCS / "observability.md"
COUNTERS, SERVED, ONE_LINE, JSON_LOGGER, STRUCTLOG, AUDIT = blocks("observability.md")
#: The files of ``flask_stepup/records``, in the order of the page.
GROUPS = ("attempts", "ledger", "clerk", "app", "sandbox")
HEAD = "| record | |\n|---|---|"


def row(kind: type[records.Record]) -> str:
    """What the page says of a record: two cells, so that a phone has room for them."""
    level = logging.getLevelName(kind.level).lower()
    when, _, then = (getdoc(kind) or "").partition("\n\n")
    told = [" ".join(part.split()) for part in (when, then)]
    fields = ", ".join(f"`{name}`" for name in kind.__annotations__)
    told += [f"Fields: {fields}"] if fields else []
    return f"| `{kind.name}`<br>{level} | {'<br>'.join(told)} |"


def tables() -> str:
    """All records, by the file that declares them."""
    parts = []
    for group in GROUPS:
        module = f"flask_stepup.records.{group}"
        kinds = [k for k in records.Record.__subclasses__() if k.__module__ == module]
        title = (sys.modules[module].__doc__ or "").strip().rstrip(".")
        rows = [row(kind) for kind in kinds]
        parts.append("\n".join([f"### {title}", "", HEAD, *rows]))
    return "\n\n".join(parts)


def test_the_tables_of_records_are_what_is_declared() -> None:
    """Name, level, when, what to do and fields; ``STEPUP_WRITE_DOCS=1`` writes them."""
    page = PAGE.read_text()
    before, begin, rest = page.partition("<!-- records -->\n")
    _, end, after = rest.partition("<!-- end -->")
    assert begin
    assert end
    now = f"{before}{begin}\n{tables()}\n\n{end}{after}"
    if os.environ.get("STEPUP_WRITE_DOCS") == "1":
        PAGE.write_text(now)
    else:
        assert page == now


def test_every_record_is_in_one_of_the_groups() -> None:
    """A new file of records has its table too."""
    folder = Path(records.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__", "record"}

    assert files == set(GROUPS)
    for kind in records.Record.__subclasses__():
        when, _, then = (getdoc(kind) or "").partition("\n\n")
        assert when
        assert then
        assert "|" not in when + then


Samples = dict[str, float]


@pytest.fixture(name="recipe", scope="module")
def _recipe() -> Iterator[dict[str, Any]]:
    """The counters of the page, made once: a name can be registered once a process."""
    prometheus = pytest.importorskip(
        "prometheus_client", reason="missing: prometheus-client"
    )
    names: dict[str, Any] = {}
    exec(COUNTERS, names)  # noqa: S102 (our own page)
    log = logging.getLogger("flask_stepup")
    [counting] = [h for h in log.handlers if isinstance(h, names["CountRecords"])]
    yield names
    log.removeHandler(counting)
    for made in names.values():
        if isinstance(made, prometheus.Counter):
            prometheus.REGISTRY.unregister(made)
    # The receivers are held by these names alone.
    del made, counting
    names.clear()


def served(app: Flask, recipe: dict[str, Any]) -> Callable[[], Samples]:
    """Serve the numbers as the page does; return what reads them."""
    exec(SERVED, dict(recipe) | {"app": app})  # noqa: S102 (our own page)
    browser = app.test_client()

    def read() -> Samples:
        return samples(browser.get("/metrics").text)

    return read


def samples(exposed: str) -> Samples:
    """The series of ours, by name and labels."""
    found = re.findall(r"^(stepup_\w+_total\S*) (\S+)$", exposed, re.MULTILINE)
    return {series: float(value) for series, value in found}


def increase(before: Samples, after: Samples) -> Samples:
    grown = {name: value - before.get(name, 0) for name, value in after.items()}
    return {name: value for name, value in grown.items() if value}


def test_the_counters_count_by_outcome(
    make_app: MakeApp, codes: Codes, recipe: dict[str, Any]
) -> None:
    """Each thing that happens is one more of one series."""
    app = make_app(STEPUP_ATTEMPT_LIMIT="2 per 5 minutes")
    gate, read = app.extensions["stepup"], served(app, recipe)
    alice, bob = Person(app, "alice"), Person(app, "bob")
    before = read()
    alice.answer(alice.prompted(), "wrong")
    alice.step_up("right")
    with app.app_context():
        gate.revoke("alice")
    alice.answer(alice.prompted(), "right")
    for _ in range(3):
        bob.answer(bob.prompted(), "wrong")
    with app.test_request_context(headers={"Cookie": f"session={alice.cookie()}"}):
        gate.forget()
    carol = Person(app, "carol")
    for outcome in (VerifierUnavailable(), OutcomeUnknown(), VerifierMisconfigured()):
        codes.raises = outcome
        carol.answer(carol.prompted(), "right")
    codes.raises = NotEnrolled()
    carol.answer(carol.prompted(), "right")
    codes.raises = ValueError()
    carol.answer(carol.prompted(), "right")

    assert increase(before, read()) == {
        'stepup_asked_total{cause="missing"}': 10,
        'stepup_asked_total{cause="revoked"}': 1,
        'stepup_verified_total{code_type="backup_code"}': 1,
        'stepup_failed_total{error="IncorrectCode"}': 3,
        'stepup_failed_total{error="CodeAlreadyUsed"}': 1,
        'stepup_failed_total{error="TooManyAttempts"}': 1,
        'stepup_failed_total{error="NotEnrolled"}': 1,
        'stepup_failed_total{error="VerifierUnavailable"}': 1,
        'stepup_failed_total{error="OutcomeUnknown"}': 1,
        'stepup_failed_total{error="VerifierMisconfigured"}': 1,
        'stepup_failed_total{error="VerifierFault"}': 1,
        'stepup_verifier_failed_total{error="VerifierUnavailable"}': 1,
        'stepup_verifier_failed_total{error="OutcomeUnknown"}': 1,
        'stepup_verifier_failed_total{error="VerifierMisconfigured"}': 1,
        'stepup_verifier_failed_total{error="VerifierFault"}': 1,
        "stepup_lock_outs_total": 2,
        "stepup_codes_reused_total": 1,
        'stepup_revocations_total{of="user"}': 1,
        'stepup_revocations_total{of="session"}': 1,
        'stepup_records_total{event="attempts_exhausted"}': 2,
        'stepup_records_total{event="verifier_unavailable"}': 2,
        'stepup_records_total{event="verifier_misconfigured"}': 2,
    }


def test_more_people_are_no_more_series(
    make_app: MakeApp, recipe: dict[str, Any]
) -> None:
    """Who they are is no label."""
    app = make_app()
    read = served(app, recipe)

    first = Person(app, "user-0")
    first.answer(first.prompted(), "wrong")
    first.step_up("right 0")
    before = read()
    for number in range(1, 40):
        person = Person(app, f"user-{number}")
        person.answer(person.prompted(), "wrong")
        person.step_up(f"right {number}")
    after = read()

    assert set(after) == set(before)
    assert not [series for series in after if "user-" in series]


def test_what_the_page_alerts_on_is_counted(
    make_app: MakeApp, recipe: dict[str, Any]
) -> None:
    """Series that there are, and those that call somebody are there from the start."""
    yaml = pytest.importorskip("yaml", reason="missing: pyyaml")
    [[broken, guessing]] = [
        group["rules"]
        for rules in blocks("observability.md", "yaml")
        for group in yaml.safe_load(rules)["groups"]
    ]
    named = set(re.findall(r"(stepup_\w+_total)\b", PAGE.read_text()))
    events = broken["expr"].partition('event=~"')[2].partition('"')[0].split("|")
    exposed = served(make_app(), recipe)()
    levels = {kind.name: kind.level for kind in records.Record.__subclasses__()}

    assert named == {counter_of(made) for made in recipe.values()} - {""}
    assert {levels[event] for event in events} == {logging.ERROR}
    assert {f'stepup_records_total{{event="{event}"}}' for event in events} <= {
        *exposed
    }
    assert "stepup_lock_outs_total" in guessing["expr"]
    assert "stepup_lock_outs_total" in exposed


def counter_of(made: object) -> str:
    """The series that a counter exposes; empty for what is none."""
    name = getattr(made, "_name", "")
    return f"{name}_total" if name.startswith("stepup") else ""


APP = """
import os
from flask import Flask, session
from people import Codes
from flask_stepup import StepUp, require_reverification

app = Flask("app", instance_path=os.getcwd())
app.config.update(SECRET_KEY="k" * 32, STEPUP_STORAGE_URI=os.environ["LEDGER"])
stepup = StepUp(app, verifier=Codes(), subject_loader=lambda: session.get("user_id"))

@app.get("/sign-in/<user_id>")
def sign_in(user_id):
    session["user_id"] = user_id
    return "signed in"

@app.get("/vault")
@require_reverification
def vault():
    return "open"

@app.after_request
def tell_worker(response):
    response.headers["Worker"] = os.getpid()
    return response
"""


def environment(**more: str) -> dict[str, str]:
    path = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    return os.environ | {"PYTHONPATH": path, "LEDGER": "memory://"} | more


def test_all_workers_of_gunicorn_are_counted(tmp_path: Path) -> None:
    """Whichever answers, the numbers are those of all."""
    for library in ("prometheus_client", "gunicorn"):
        pytest.importorskip(library, reason=f"missing: {library}")
    (tmp_path / "counted.py").write_text(COUNTERS + APP + SERVED)
    (tmp_path / "numbers").mkdir()
    ledger, numbers = f"sqlite:///{tmp_path}/l.db", str(tmp_path / "numbers")
    env = environment(LEDGER=ledger, PROMETHEUS_MULTIPROC_DIR=numbers)
    options = ("--workers=2", "--bind=127.0.0.1:0", "--no-control-socket")
    command = ("-m", "gunicorn", "counted:app", f"--chdir={tmp_path}", *options)
    with started(env, *command) as master:
        port = port_in(read_until(master.stderr, "Listening at"))
        workers = [asked_by(port) for _ in range(20)]
        while len(set(workers)) < 2 and len(workers) < 500:
            workers.append(asked_by(port))
        counted = {tuple(samples(get(port, "/metrics")).items()) for _ in range(10)}
        master.terminate()
        master.wait(20)

    assert len(set(workers)) == 2
    [told] = map(dict, counted)
    assert told['stepup_asked_total{cause="missing"}'] == len(workers)


def asked_by(port: int) -> str:
    """Be asked for a code; return which worker it was that asked."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", "/sign-in/alice")
        signed_in = connection.getresponse()
        cookie = signed_in.getheader("Set-Cookie") or ""
        signed_in.read()
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", "/vault", headers={"Cookie": cookie.split(";")[0]})
        refused = connection.getresponse()
        assert refused.status == 403
        return refused.getheader("Worker") or ""


def lines_of(recipe: str, flow: str) -> list[dict[str, Any]]:
    """What a program with this recipe writes for the flow, line by line."""
    program = f"{APP}\n{recipe}\nfrom people import Person\n{flow}"
    done = run(environment(), "-c", program)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


WRONG_CODE = """
alice = Person(app, "alice")
alice.answer(alice.prompted(), "wrong")
"""


def test_a_line_of_json_is_what_the_page_shows() -> None:
    """With the recipe of the standard library, and the time of the page."""
    [shown] = [json.loads(block) for block in blocks("observability.md", "json")]
    [line] = lines_of(ONE_LINE, WRONG_CODE)
    now = datetime.fromisoformat(line["time"])

    assert abs(now.timestamp() - time.time()) < 600
    assert (line | {"time": shown["time"]}) == shown
    assert list(line) == list(shown)


def test_a_line_of_json_tells_of_exceptions_and_of_others() -> None:
    """The recipe is for all loggers, outside of requests too."""
    flow = """
import logging
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("shop").exception("no change for %s", "a line\\nbroken")
"""
    [line] = lines_of(ONE_LINE, flow)

    assert line["message"] == "no change for a line\nbroken"
    assert line["exception"].endswith("ZeroDivisionError: division by zero")
    assert "endpoint" not in line


@pytest.mark.parametrize(
    ("library", "recipe"),
    [("pythonjsonlogger", JSON_LOGGER), ("structlog", STRUCTLOG)],
    ids=["python-json-logger", "structlog"],
)
def test_libraries_for_json_write_the_fields(library: str, recipe: str) -> None:
    """With the few lines of the page."""
    pytest.importorskip(library, reason=f"missing: {library}")
    [line] = lines_of(f"{ONE_LINE}\n{recipe}", WRONG_CODE)
    [shown] = [json.loads(block) for block in blocks("observability.md", "json")]
    ours = {n: value for n, value in shown.items() if n.startswith("stepup_")}

    assert line | ours == line
    assert shown["message"] in line.values()


@pytest.fixture(name="trail")
def _trail(make_app: MakeApp, stepup: StepUp) -> Iterator[tuple[Flask, Any]]:
    """An app with the audit trail of the page, and its table."""
    app = make_app(stepup=stepup)
    paid = require_reverification(scope="payments", reason="Send money", once=True)
    app.add_url_rule("/pay", "pay", paid(lambda: "paid"), methods=["POST"])
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute(
            "CREATE TABLE confirmations"
            " (at, user_id, scope, reason, once, code_type, client)"
        )

        @contextmanager
        def transaction() -> Iterator[sqlite3.Connection]:
            with database:
                yield database

        names = {"app": app, "transaction": transaction}
        exec(AUDIT, names)  # noqa: S102 (our own page)
        yield app, database
        names.clear()


def test_the_trail_tells_who_confirmed_what(trail: tuple[Flask, Any]) -> None:
    """Once for each code that opened something, and never for one that did not."""
    app, database = trail
    alice = Person(app, "alice")
    alice.answer(alice.prompted(), "wrong")
    alice.step_up("right")
    prompt = Prompt(alice.open("/pay", "POST", data={"amount": "5"}))
    alice.answer(prompt, "right 2")
    alice.answer(prompt, "right 3")

    rows = database.execute("SELECT * FROM confirmations").fetchall()
    assert [row[1:] for row in rows] == [
        ("alice", "", None, 0, "backup_code", "127.0.0.1"),
        ("alice", "payments", "Send money", 1, "backup_code", "127.0.0.1"),
    ]
    assert all(abs(row[0] - time.time()) < 600 for row in rows)


def test_a_trail_that_cannot_be_written_is_a_500_and_the_code_counts(
    trail: tuple[Flask, Any],
) -> None:
    """As the page says: where no trail must mean no deed, the view has to write it."""
    app, database = trail
    database.execute("DROP TABLE confirmations")
    alice = Person(app, "alice")

    assert alice.answer(alice.prompted(), "right").status_code == 500
    assert alice.open("/vault").status_code == 200

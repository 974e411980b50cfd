"""The reference pages say what the code says: no more, no less, nothing else."""

from __future__ import annotations

import ast
import os
import re
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import time_machine
from click.testing import CliRunner
from conftest import MakeApp
from documented import blocks
from documented import DOCS
from flask import Flask
from people import Codes
from people import Person

import flask_stepup
from flask_stepup import ConfigurationError
from flask_stepup import IncorrectCode
from flask_stepup import NotEnrolled
from flask_stepup import OutcomeUnknown
from flask_stepup import require_reverification
from flask_stepup import StepUp
from flask_stepup import Subject
from flask_stepup import VerifierUnavailable
from flask_stepup.cli import stepup as command_line
from flask_stepup.demand import Demands
from flask_stepup.errors import StepUpError
from flask_stepup.problem_table import PROBLEMS
from flask_stepup.sandbox import demo_users
from flask_stepup.sandbox import Sandbox
from flask_stepup.settings import Settings

SETTINGS = (DOCS / "settings.md").read_text()
DEFAULTS = {f"STEPUP_{f.name.upper()}": f.default for f in fields(Settings)}
#: Keys whose default is said in words.
IN_WORDS = {
    "STEPUP_CLERK_SECRET_KEY": "`None`, and then `CLERK_SECRET_KEY` of the environment",
    "STEPUP_CLERK_JWT_KEY": "`None`, and then `CLERK_JWT_KEY` of the environment",
    "STEPUP_SECRET_FIELDS": "`flask_stepup.secret_fields.SECRET_FIELDS`",
}


def table(page: str, heading: str) -> list[list[str]]:
    """The rows of the table whose first column has this heading, without it."""
    text = (DOCS / page).read_text()
    [found] = re.findall(
        rf"^\| {re.escape(heading)} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE
    )
    return [
        [cell.strip() for cell in row.strip("|").split(" | ")]
        for row in found.splitlines()
    ]


def names(cell: str) -> list[str]:
    """What a cell has in code."""
    return re.findall(r"`([^`]+)`", cell)


# Settings


def sections() -> dict[str, str]:
    """The text below the heading of each setting."""
    parts = re.split(r"^### `(STEPUP_\w+)`\n", SETTINGS, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def said(key: str, what: str) -> str:
    """What is said of a setting, after *Takes*, *Default* or *Refused*."""
    [line] = re.findall(rf"^- {what}: (.+)$", sections()[key], re.MULTILINE)
    return line


def test_every_setting_has_its_section_and_its_row() -> None:
    """In the order of the code, with one default in both places."""
    rows = {names(key)[0]: default for key, default in table("settings.md", "key")}

    assert list(sections()) == list(DEFAULTS)
    assert list(rows) == list(DEFAULTS)
    for key, default in DEFAULTS.items():
        if key in IN_WORDS:
            assert said(key, "Default") == IN_WORDS[key]
        else:
            assert said(key, "Default") == rows[key]
            assert ast.literal_eval(names(rows[key])[0]) == default


@pytest.fixture(name="bare_app")
def _bare_app(tmp_path: Path) -> Flask:
    """An app that can be served, as soon as it has a setting less wrong."""
    app = Flask("settings", instance_path=str(tmp_path))
    app.config.update(
        SECRET_KEY="k" * 32,
        STEPUP_STORAGE_URI="memory://",
        STEPUP_CLERK_SECRET_KEY="sk_test_local",
    )
    return app


@pytest.mark.parametrize("key", DEFAULTS)
def test_what_is_refused_stops_the_start(key: str, bare_app: Flask) -> None:
    """Each value that the page calls refused, with an error that names the key."""
    refused = ast.literal_eval(f"[{', '.join(names(said(key, 'Refused')))}]")

    assert len(refused) >= 2
    for value in refused:
        bare_app.config[key] = value
        with pytest.raises(ConfigurationError, match=key):
            StepUp(bare_app)


@pytest.mark.parametrize("key", DEFAULTS)
def test_examples_of_settings_are_taken(key: str, bare_app: Flask) -> None:
    """Each example sets the key that its section is about, to something else."""
    [program] = re.findall(r"```python\n(.*?)```", sections()[key], re.DOTALL)
    key_file = type("Path", (), {"__init__": lambda *_: None})
    key_file.read_text = lambda _: Sandbox(demo_users()).jwt_key  # type: ignore[attr-defined]
    exec(program, {"app": bare_app, "Path": key_file})  # noqa: S102 (our own page)

    assert bare_app.config[key] != DEFAULTS[key]
    read = Settings.read(bare_app)
    if key not in ("STEPUP_STORAGE_URI", "STEPUP_BASE_TEMPLATE"):
        StepUp(bare_app, subject_loader=lambda: None)
    assert getattr(read, key.removeprefix("STEPUP_").lower()) is not None


@pytest.mark.parametrize("key", [k for k in DEFAULTS if " from `" in said(k, "Takes")])
def test_bounds_of_numbers_are_where_the_page_has_them(
    key: str, bare_app: Flask
) -> None:
    """Both ends are taken, and nothing beyond."""
    takes = said(key, "Takes")
    least, most = map(ast.literal_eval, names(takes))
    step = 1 if takes.startswith("a whole number") else 0.01
    for value in (least, most):
        bare_app.config[key] = value
        Settings.read(bare_app)
    for value in (least - step, most + step):
        bare_app.config[key] = value
        with pytest.raises(ConfigurationError, match=key):
            Settings.read(bare_app)


def test_bounds_are_told_of_every_number() -> None:
    """A setting whose default is a number has bounds on the page."""
    numbers = {
        key
        for key, default in DEFAULTS.items()
        if isinstance(default, int | float) and not isinstance(default, bool)
    }

    assert {key for key in DEFAULTS if " from `" in said(key, "Takes")} == numbers


def test_presets_are_those_of_the_page() -> None:
    """Named where the setting is, and shown in the API by a doctest."""
    from flask_stepup.demand import PRESETS

    takes = said("STEPUP_PRESET", "Takes")
    assert [ast.literal_eval(name) for name in names(takes)] == list(PRESETS)


# Signals


def sends() -> Iterator[tuple[str, frozenset[str]]]:
    """Each place of the package that sends a signal, with its arguments."""
    for path in Path(flask_stepup.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="send")):
                    if name in vars(flask_stepup.signals):
                        yield name, frozenset(k.arg or "" for k in node.keywords)


def test_every_signal_is_on_its_page_with_its_arguments() -> None:
    """As it is sent, everywhere that it is."""
    rows = {
        names(name)[0]: frozenset(names(arguments))
        for name, _, arguments in table("signals.md", "signal")
    }

    assert set(sends()) == set(rows.items())
    explained = {names(row[0])[0] for row in table("signals.md", "argument")}
    assert explained == frozenset.union(*rows.values())


def test_the_example_of_the_page_on_signals(app: Flask, codes: Codes) -> None:
    """Five wrong codes are told to the owner, once."""
    mails: list[tuple[str, str]] = []
    shown = {"app": app, "send_mail": lambda *mail: mails.append(mail)}
    exec(blocks("signals.md")[0], shown)  # noqa: S102 (our own page)
    alice = Person(app, "alice")
    codes.raises = IncorrectCode()
    for _ in range(6):
        alice.answer(alice.prompted(), "000000")

    assert [user_id for user_id, _ in mails] == ["alice"]


# Endpoints


def test_the_endpoints_are_those_of_the_page(app: Flask) -> None:
    """Each with its address and method, and no other but static files."""
    rows = {
        names(name)[0]: names(request)[0].partition("?")[0]
        for name, request, _ in table("endpoints.md", "endpoint")
    }
    rules = {
        rule.endpoint: f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) & {"GET", "POST"}
        if rule.endpoint.startswith("stepup.") and rule.endpoint != "stepup.static"
    }

    assert rules == rows


def field_table(page_part: str) -> set[str]:
    """The fields of the first table below a heading of the page on endpoints."""
    text = (DOCS / "endpoints.md").read_text().split(f"{page_part}\n", 1)[1]
    rows = re.findall(r"^\| `(\w+)` \|", text.split("\n#", 1)[0], re.MULTILINE)
    return set(rows)


@pytest.fixture(name="api_app")
def _api_app(make_app: MakeApp, codes: Codes) -> Flask:
    """With every kind of policy, for a browser and for a bearer token."""

    def subject() -> Subject:
        return Subject("alice", session_id="sess_1")

    app = make_app(stepup=StepUp(verifier=codes, subject_loader=subject))

    @app.post("/pay")
    @require_reverification(bind=("to",), reason="Pay")
    def pay() -> str:
        return "paid"

    return app


def test_the_fields_of_a_problem_are_those_of_the_page(api_app: Flask) -> None:
    """Of a standing policy and of an approval together, and no others."""
    client = api_app.test_client()
    standing = client.get("/vault").json
    approval = client.post("/pay", data={"to": "bob"}).json
    assert standing
    assert approval

    policy = {
        "level",
        "max_age",
        "scope",
        "once",
        "bind",
        "reason",
    }
    assert field_table("### The problem") == {*standing, *approval} | policy
    assert {*standing["policy"], *approval["policy"]} == policy
    assert "clerk_error" not in approval


def test_the_fields_of_success_are_those_of_the_page(api_app: Flask) -> None:
    """A bearer gets the marker, a browser has it in its session."""
    client = api_app.test_client()

    def verified(**headers: str) -> dict[str, Any]:
        challenge = (client.get("/vault", headers=headers).json or {})["challenge"]
        sent = {"challenge": challenge, "code": f"right {len(headers)}"}
        answer = client.post("/stepup/", json=sent, headers=headers)
        assert answer.json
        return answer.json

    browser, bearer = verified(), verified(Authorization="Bearer of-a-token")
    shown = field_table("## `POST /stepup/`")
    assert {*bearer} == {*browser, "marker"}
    assert shown == {*bearer, "challenge", "code", "submission"}
    status = client.get("/stepup/status").json
    assert status
    assert field_table("## `GET /stepup/status`") == set(status)


# Errors


def test_every_problem_code_is_on_its_page_with_its_status() -> None:
    """Those of the table in the code, and the unmet policy."""
    told: dict[str, set[int]] = {"reverification_required": {403, 401}}
    for problem in PROBLEMS.values():
        told.setdefault(problem.code, set()).add(problem.status)
    told["value_refused"].add(422)
    rows = {
        names(code)[0]: {int(number) for number in re.findall(r"\d{3}", status)}
        for code, status, *_ in table("errors.md", "code")
    }

    assert rows == told


def test_the_members_of_problems_are_those_of_the_page(
    api_app: Flask, codes: Codes
) -> None:
    """Each error answer of verify, member by member."""
    rows = {
        names(code)[0]: set(names(members)) - {"Retry-After"}
        for code, members in table("endpoints.md", "code")
    }
    alice = Person(api_app)
    seen: dict[str, set[str]] = {}

    def tell(answer: Any) -> None:
        assert answer.json, answer.text
        common = {"type", "title", "status", "code", "detail"}
        assert common <= set(answer.json)
        seen[answer.json["code"]] = set(answer.json) - common
        told_to_wait = "retry_after" in answer.json
        assert told_to_wait == ("Retry-After" in answer.headers)

    challenge = alice.json().json["challenge"]
    failures = (
        NotEnrolled(),
        VerifierUnavailable(),
        OutcomeUnknown(),
        *[IncorrectCode()] * 5,
    )
    for number, failure in enumerate(failures):
        codes.raises = failure
        sent = {"challenge": challenge, "code": f"{number:06}"}
        tell(alice.json("/stepup/", "POST", json=sent))
    tell(alice.json("/pay", "POST"))
    with time_machine.travel(time.time() + 1_000):
        sent = {"challenge": challenge, "code": "000000"}
        tell(alice.json("/stepup/", "POST", json=sent))

    assert seen.keys() == rows.keys()
    for code, members in seen.items():
        assert members == rows[code], code


def test_the_tree_of_exceptions_is_that_of_the_classes() -> None:
    """Each below its own parent, and none left out."""

    def tree(kind: type) -> Iterator[tuple[str, str]]:
        for child in kind.__subclasses__():
            if ".sandbox" not in child.__module__ and "flask_stepup" in str(child):
                yield child.__name__, kind.__name__
                yield from tree(child)

    drawn, path = [], {-1: ""}
    for line in blocks("errors.md", "text")[0].splitlines():
        name = line.lstrip("│├└─ ")
        depth = (len(line) - len(name)) // 4
        path[depth] = name
        drawn.append((name, path[depth - 1]))

    assert sorted(drawn[1:]) == sorted(set(tree(StepUpError)))


def test_every_exception_is_described() -> None:
    """Those of the tree have an entry below it, or on the page of the API."""
    drawn = re.findall(r"(\w+)$", blocks("errors.md", "text")[0], re.MULTILINE)
    pages = (DOCS / "errors.md").read_text() + (DOCS / "api.md").read_text()
    described = re.findall(
        r"^\.\. auto(?:exception|class):: flask_stepup\.(?:errors\.)?(\w+)$",
        pages,
        re.MULTILINE,
    )

    assert set(drawn) <= set(described)
    assert len(described) == len(set(described))


# The API and the command line


def test_the_keywords_of_a_policy_are_those_of_the_page() -> None:
    """Each with a row, in the order of the code."""
    rows = [names(row[0])[0] for row in table("api.md", "keyword")]

    assert rows == list(Demands.__annotations__)


def test_every_command_is_on_its_page() -> None:
    """With a heading of its own, or in one."""
    page = DOCS / "command-line.md"
    headings = " ".join(re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE))

    for command in command_line.commands:
        assert re.search(rf"\b{command}\b", headings), command


def test_the_options_of_commands_are_what_help_prints() -> None:
    """``STEPUP_WRITE_DOCS=1`` writes them anew."""
    page = DOCS / "commands.md"
    text = introduction = page.read_text().partition("\n## ")[0].rstrip() + "\n"
    for command in ("", *sorted(command_line.commands)):
        name = f"flask stepup {command}".strip()
        runner = CliRunner(env={"NO_COLOR": "1"})
        arguments = [*command.split(), "--help"]
        done = runner.invoke(
            command_line, arguments, prog_name="flask stepup", terminal_width=80
        )
        assert done.exit_code == 0
        text += f"\n## `{name}`\n\n```text\n{done.output}```\n"

    if os.environ.get("STEPUP_WRITE_DOCS") == "1":
        page.write_text(text)
    assert len(text) > len(introduction)
    assert page.read_text() == text

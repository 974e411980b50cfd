"""From settings to a ledger: limits, and where a URI leads."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import closing
from contextlib import ExitStack
from pathlib import Path

import pytest
import time_machine
from ledgers import FIVE
from ledgers import remaining
from ledgers import START

from flask_stepup.errors import ConfigurationError
from flask_stepup.ledger import Ledger
from flask_stepup.ledger import Limit
from flask_stepup.ledger import open_ledger


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("5 per 5 minutes", (Limit(5, 300),)),
        ("1 per second", (Limit(1, 1),)),
        ("5 per minute;10 per hour ; 20 per day", (
            Limit(5, 60), Limit(10, 3_600), Limit(20, 86_400),
        )),
        ("5 per 5 minutes; 100 per 30 days", (Limit(5, 300), Limit(100, 2_592_000))),
        ("  3   per   90 seconds  ", (Limit(3, 90),)),
    ],
)  # fmt: skip
def test_limits_are_read(text: str, limits: tuple[Limit, ...]) -> None:
    """A list of limits is read as it is written."""
    assert Limit.parse(text) == limits


@pytest.mark.parametrize(
    "text",
    ["", ";", "5", "5 per", "per minute", "0 per minute", "5 per 0 minutes",
     "-1 per day", "5 per 5 weeks", "5 per minute;", "5.5 per minute", "5/minute",
     "five per minute", "5 per minute, 10 per hour", "99999 per minute"],
)  # fmt: skip
def test_what_is_no_list_of_limits_is_refused(text: str) -> None:
    """What cannot be read as limits is refused with an example of how to write it."""
    with pytest.raises(ConfigurationError, match="'5 per 5 minutes; 100 per 30 days'"):
        Limit.parse(text)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Ledger]]:
    """Opens a ledger that is closed at the end; by default a file in ``tmp_path``."""
    with ExitStack() as stack:

        def opened(uri: str = "sqlite:///ledger.db", timeout: float = 5.0) -> Ledger:
            ledger = open_ledger(uri, timeout, str(tmp_path), "bank")
            stack.callback(ledger.close)
            return ledger

        yield opened


def test_a_relative_file_lies_in_the_folder(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """Three slashes name a file relative to the instance folder."""
    opened("sqlite:///ledger.db")
    opened("sqlite:///deeper/led ger#1 é%.db")
    assert (tmp_path / "ledger.db").is_file()
    assert (tmp_path / "deeper" / "led ger#1 é%.db").is_file()


def test_an_absolute_file_lies_where_it_says(
    opened: Callable[..., Ledger], tmp_path: Path
) -> None:
    """Four slashes name a file by its whole path."""
    elsewhere = Path(tempfile.mkdtemp(dir=tmp_path)) / "ledger.db"
    opened(f"sqlite:///{elsewhere}")
    assert elsewhere.is_file()
    assert not (tmp_path / "ledger.db").exists()


def test_memory_leaves_no_file(opened: Callable[..., Ledger], tmp_path: Path) -> None:
    """The ledger in memory touches no disk."""
    remaining(opened("memory://"), "u", *FIVE)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("uri", ["memory://", "sqlite:///ledger.db"])
@pytest.mark.parametrize(
    ("options", "back", "is_other"),
    [({}, 2.5, True), ({"leeway": 60.0}, 30.0, False), ({"leeway": 60.0}, 63.0, True)],
    ids=str,
)
def test_a_clock_may_be_set_back_by_the_leeway(
    uri: str, options: dict[str, float], back: float, is_other: bool, tmp_path: Path
) -> None:
    """By default by none: a clock that is set back makes another ledger."""
    with time_machine.travel(START, tick=False) as traveller:
        with closing(open_ledger(uri, 5.0, str(tmp_path), "bank", **options)) as ledger:
            before = ledger.standing("u", "s").ledger_id
            traveller.shift(-back)
            after = ledger.standing("u", "s").ledger_id
    assert (after != before) is is_other


@pytest.mark.parametrize(
    "uri",
    ["", "sqlite", "sqlite:", "sqlite://", "sqlite:///", "sqlite:ledger.db",
     "sqlite:/ledger.db", "sqlite://ledger.db", "sqlite://host/ledger.db", "ledger.db",
     "/ledger.db", "file:///ledger.db", "memory:", "memory:///", "memory://x", "memory",
     ":memory:", "SQLITE:///ledger.db", " sqlite:///ledger.db", "://", "///",
     "sqlite+pysqlite:///ledger.db", "postgresql://localhost/ledger", "mysql://"],
)  # fmt: skip
def test_a_malformed_uri_is_refused(uri: str, tmp_path: Path) -> None:
    """A URI of no known form is refused, with the forms there are."""
    with pytest.raises(ConfigurationError) as refusal:
        open_ledger(uri, 1.0, str(tmp_path), "bank")
    message = str(refusal.value)
    assert "STEPUP_STORAGE_URI" in message
    assert "sqlite:///file" in message
    assert "memory://" in message
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("path", ["a\0b.db", "\ud800.db"], ids=ascii)
def test_a_path_that_cannot_be_is_refused(path: str, tmp_path: Path) -> None:
    """A path that no file system can take is a mistake in the configuration."""
    with pytest.raises(ConfigurationError, match="STEPUP_STORAGE_URI"):
        open_ledger(f"sqlite:///{path}", 1.0, str(tmp_path), "bank")


@pytest.mark.parametrize(
    "uri",
    ["redis://:s3cret@127.0.0.1:1/0", "rediss://default:s3cret@127.0.0.1:1",
     "valkey://:s3cret@127.0.0.1:1", "redis:/:s3cret@host", ":s3cret@host",
     "postgresql://me:s3cret@host/ledger", "sqlite://me:s3cret@host/ledger.db",
     "memory://s3cret", "me:s3cret@redis://host"],
)  # fmt: skip
def test_no_password_is_echoed(uri: str, tmp_path: Path) -> None:
    """The refusal of a URI shows none of its credentials, also not in its causes."""
    with pytest.raises(ConfigurationError) as refusal:
        open_ledger(uri, 0.2, str(tmp_path), "bank")
    error: BaseException | None = refusal.value
    while error:
        assert "s3cret" not in f"{error} {error!r}"
        error = error.__cause__ or error.__context__

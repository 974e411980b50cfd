"""Whose domains there are, and where they point: in memory, and gone with the demo."""

from __future__ import annotations

import ipaddress
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from datetime import date
from datetime import timedelta
from itertools import count

LONGEST_TEXT = 255
MOST_RECORDS = 40
#: RFC 1035, 2.3.4, with the underscore that services and proofs have in front.
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?", re.IGNORECASE)
_HOST = re.compile(rf"@|(?:\*\.)?{_LABEL}(?:\.{_LABEL})*", re.IGNORECASE)


class Refused(ValueError):
    """What a person typed cannot be done; the message tells them why.

    :param name: the form field to mend.
    """

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True)
class Record:
    """One line of a zone; ``host`` is ``@`` for the domain itself."""

    host: str
    kind: str
    value: str

    def __str__(self) -> str:
        return f"{self.host} {self.kind} {self.value}"


@dataclass
class Domain:
    """A domain and its records, by a number that stays theirs."""

    name: str
    expires: date
    transfer_code: str
    records: dict[int, Record] = field(default_factory=dict)
    _numbers: count[int] = field(default_factory=lambda: count(1))

    def add(self, *records: Record) -> None:
        """Have all of these records besides, or none."""
        if len(self.records) + len(records) > MOST_RECORDS:
            raise Refused("value", f"A domain has {MOST_RECORDS} records at most.")
        self.records.update((next(self._numbers), record) for record in records)


def read_record(host: str, kind: str, value: str) -> Record:
    """Return the record that somebody has typed in.

    :raises Refused: no such record can be.
    """
    host, value = host.strip() or "@", " ".join(value.split())
    if kind not in KINDS:
        raise Refused("kind", "Choose one of these types.")
    if not _HOST.fullmatch(host):
        raise Refused("host", "Use letters, digits and hyphens, or @ for the domain.")
    is_right, example = KINDS[kind]
    if not is_right(value):
        raise Refused("value", f"Enter {example}.")
    return Record(host.lower(), kind, value)


def read_records(text: str) -> list[Record]:
    """Return the records of a file, which has one on each line.

    :raises Refused: a line is none; the message tells which.
    """
    lines = (line.partition(";")[0].split(maxsplit=2) for line in text.splitlines())
    records = [_read_line(*each) for each in enumerate(lines, 1) if each[1]]
    if not records:
        raise Refused("file", "Choose a text file with a record on each line.")
    return records


def _read_line(number: int, parts: list[str]) -> Record:
    if len(parts) < 3:
        message = "Write host, type and value, as in www A 192.0.2.7."
        raise Refused("file", f"Line {number}: {message}")
    try:
        return read_record(*parts)
    except Refused as refused:
        raise Refused("file", f"Line {number}: {refused}") from refused


def domains_of(place: int) -> dict[str, Domain]:
    """Return the domains of the first customer, or of the second."""
    names = (
        ("ropewalk-bakery.example", "harbour-choir.example"),
        ("old-mill-cycles.example",),
    )[place % 2]
    return {name: _domain(name, days=48 + 11 * len(name)) for name in names}


def _domain(name: str, *, days: int) -> Domain:
    code = "-".join(secrets.token_hex(2).upper() for _ in range(4))
    domain = Domain(name, date.today() + timedelta(days), code)
    domain.add(
        Record("@", "A", "192.0.2.40"),
        Record("@", "MX", "10 mail.postbox.example"),
        Record("www", "CNAME", name),
        Record("shop", "A", "198.51.100.12"),
        Record("@", "TXT", "v=spf1 include:postbox.example -all"),
    )
    return domain


def _is_address(version: int) -> Callable[[str], bool]:
    def is_right(value: str) -> bool:
        try:
            return ipaddress.ip_address(value).version == version
        except ValueError:
            return False

    return is_right


def _is_name(value: str) -> bool:
    return bool(_NAME.fullmatch(value)) and not value.replace(".", "").isdigit()


def _is_mail_server(value: str) -> bool:
    priority, _, name = value.partition(" ")
    return bool(re.fullmatch("[0-9]{1,4}", priority)) and _is_name(name)


def _is_text(value: str) -> bool:
    return 0 < len(value) <= LONGEST_TEXT


#: Types of records: what is one, and what to enter.
KINDS: dict[str, tuple[Callable[[str], bool], str]] = {
    "A": (_is_address(4), "an IPv4 address, such as 192.0.2.7"),
    "AAAA": (_is_address(6), "an IPv6 address, such as 2001:db8::7"),
    "CNAME": (_is_name, "another name, such as shops.example"),
    "MX": (_is_mail_server, "priority and server, such as 10 mail.example"),
    "TXT": (_is_text, f"a text of at most {LONGEST_TEXT} characters"),
}

"""Who has what: people, accounts, and the entries that make balances."""

from __future__ import annotations

import re
from dataclasses import dataclass
from dataclasses import field
from datetime import date
from datetime import timedelta

LONGEST_ADDRESS = 80


class Refused(ValueError):
    """What a person typed cannot be done; the message tells them why.

    :param name: the form field to mend.
    """

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True)
class Entry:
    """One line of an account; ``pence`` is below zero where money went out."""

    day: date
    text: str
    pence: int


@dataclass
class Account:
    """An account; its balance is the sum of its entries."""

    name: str
    number: str
    entries: list[Entry] = field(default_factory=list)

    @property
    def balance(self) -> int:
        return sum(entry.pence for entry in self.entries)

    @property
    def last_digits(self) -> str:
        return self.number[-4:]


@dataclass
class Person:
    """A customer."""

    user_id: str
    name: str
    everyday: Account
    savings: Account
    payout_address: str

    @property
    def accounts(self) -> tuple[Account, Account]:
        return self.everyday, self.savings

    def move_to(self, address: str) -> None:
        """Have payouts sent to another address."""
        # Browsers fill an address in as on an envelope.
        lines = (" ".join(line.split()).rstrip(",") for line in address.splitlines())
        address = ", ".join(filter(None, lines))
        if not address:
            raise Refused("address", "Enter the address that payouts are to go to.")
        if len(address) > LONGEST_ADDRESS:
            raise Refused(
                "address", f"Use at most {LONGEST_ADDRESS} characters, please."
            )
        self.payout_address = address


def read_pence(amount: str) -> int:
    """Return the pence in what a person typed: ``25``, ``25.50``, ``£1,250.00``."""
    typed = re.fullmatch(
        r"£?\s*(\d{1,3}(?:,\d{3})+|\d{1,9})(?:\.(\d{2}))?", amount.strip(), re.ASCII
    )
    if typed is None:
        raise Refused("amount", "Enter an amount in pounds, such as 25 or 25.50.")
    pence = 100 * int(typed[1].replace(",", "")) + int(typed[2] or 0)
    if pence == 0:
        raise Refused("amount", "Enter an amount above zero.")
    return pence


def pounds(pence: int) -> str:
    """Return an amount as statements print it."""
    sign = "\N{MINUS SIGN}" if pence < 0 else ""
    return f"{sign}£{abs(pence) // 100:,}.{abs(pence) % 100:02}"


def spoken(day: date) -> str:
    """Return a day as people say it."""
    today = date.today()
    near = {today: "Today", today - timedelta(1): "Yesterday"}
    return near.get(day, f"{day.day} {day:%B}")

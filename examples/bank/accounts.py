"""The bank's books, in memory: people, accounts, and the entries that make balances."""

from __future__ import annotations

import re
from dataclasses import dataclass
from dataclasses import field
from datetime import date
from datetime import timedelta
from threading import Lock

LONGEST_ADDRESS = 80
LONGEST_REFERENCE = 30
LIFEBOATS = "lifeboats"


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
        address = " ".join(address.split())
        if not address:
            raise Refused("address", "Enter the address that payouts are to go to.")
        if len(address) > LONGEST_ADDRESS:
            raise Refused(
                "address", f"Use at most {LONGEST_ADDRESS} characters, please."
            )
        self.payout_address = address


class Books:
    """Everybody's accounts, and the money that moves between them.

    :param names: of the people who may sign in, by user id.
    """

    def __init__(self, names: dict[str, str]) -> None:
        self.people = {
            user_id: _customer(user_id, name, place)
            for place, (user_id, name) in enumerate(names.items())
        }
        self.lifeboats = _charity()
        self._everybody = self.people | {LIFEBOATS: self.lifeboats}
        self._moving = Lock()

    def recipients(self, sender: Person) -> list[Person]:
        """Everybody but the sender."""
        return [person for person in self._everybody.values() if person is not sender]

    def send(self, sender: Person, to: str, amount: str, reference: str) -> str:
        """Move money between two everyday accounts; return what was done, in words."""
        recipient = self._everybody.get(to)
        if recipient is None or recipient is sender:
            raise Refused("to", "Choose who the money is for.")
        pence = read_pence(amount)
        reference = " ".join(reference.split())[:LONGEST_REFERENCE]
        note = f" \N{MIDDLE DOT} {reference}" if reference else ""
        out = Entry(date.today(), f"To {recipient.name}{note}", -pence)
        into = Entry(date.today(), f"From {sender.name}{note}", pence)
        with self._moving:
            if pence > sender.everyday.balance:
                raise Refused("amount", "That is more than your everyday account has.")
            sender.everyday.entries.append(out)
            recipient.everyday.entries.append(into)
        return f"{pounds(pence)} sent to {recipient.name}."


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


def _customer(user_id: str, name: str, place: int) -> Person:
    """A customer with a few weeks of history, all of it made up."""
    today = date.today()

    def ago(days: int, text: str, pence: int) -> Entry:
        return Entry(today - timedelta(days), text, pence)

    return Person(
        user_id,
        name,
        Account(
            "Everyday account",
            f"0000 10{place + 1}7 4{place}71",
            [
                ago(24, "Opening balance", 128_450 - 30_315 * place),
                ago(16, "Salary", 284_000 + 11_250 * place),
                ago(12, "Rent", -96_000 + 4_500 * place),
                ago(9, "To savings", -40_000),
                ago(5, "Harbour Market", -6_385 - 1_240 * place),
                ago(2, "Ferry season ticket", -4_800),
                ago(1, "Tide Bookshop", -2_349 + 560 * place),
            ],
        ),
        Account(
            "Savings",
            f"0000 20{place + 1}7 8{place}36",
            [
                ago(24, "Opening balance", 1_860_000 - 442_000 * place),
                ago(9, "From everyday account", 40_000),
                ago(3, "Interest", 4_318 - 1_027 * place),
            ],
        ),
        ("14 Quay Street, Harbourtown", "3 Lighthouse Lane, Harbourtown")[place % 2],
    )


def _charity() -> Person:
    """Somebody to send money to who never signs in."""
    return Person(
        LIFEBOATS,
        "Harbour Lifeboats",
        Account("Everyday account", "0000 3007 1894"),
        Account("Savings", "0000 3008 1894"),
        "1 Slipway, Harbourtown",
    )

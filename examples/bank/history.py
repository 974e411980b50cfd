"""A few weeks of history to begin with, all of it made up."""

from __future__ import annotations

from datetime import date
from datetime import timedelta

from accounts import Account
from accounts import Entry
from accounts import Person

LIFEBOATS = "lifeboats"


def customer(user_id: str, name: str, place: int) -> Person:
    """A customer.

    :param place: among all customers, so that no two have the same numbers.
    """
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


def charity() -> Person:
    """Somebody to send money to who never signs in."""
    return Person(
        LIFEBOATS,
        "Harbour Lifeboats",
        Account("Everyday account", "0000 3007 1894"),
        Account("Savings", "0000 3008 1894"),
        "1 Slipway, Harbourtown",
    )

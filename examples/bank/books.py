"""The bank's books, in memory: everybody's accounts, and what moves between them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from threading import Lock

from accounts import Entry
from accounts import Person
from accounts import pounds
from accounts import read_pence
from accounts import Refused
from history import charity
from history import customer
from history import LIFEBOATS

LONGEST_REFERENCE = 30


@dataclass(frozen=True)
class Transfer:
    """Money that is to go from one everyday account to another."""

    sender: Person
    recipient: Person
    pence: int
    reference: str

    @property
    def in_words(self) -> dict[str, str]:
        """What the sender has to approve, as people say it."""
        account = self.recipient.everyday.last_digits
        return {
            "To": f"{self.recipient.name}, account ending in {account}",
            "Amount": pounds(self.pence),
            "Reference": self.reference,
        }

    def check_balance(self) -> None:
        """Return if the sender's account has the money."""
        if self.pence > self.sender.everyday.balance:
            raise Refused("amount", "That is more than your everyday account has.")


class Books:
    """Everybody's accounts, and the money that moves between them.

    :param names: of the people who may sign in, by user id.
    """

    def __init__(self, names: dict[str, str]) -> None:
        self.people = {
            user_id: customer(user_id, name, place)
            for place, (user_id, name) in enumerate(names.items())
        }
        self.lifeboats = charity()
        self._everybody = self.people | {LIFEBOATS: self.lifeboats}
        self._moving = Lock()

    def recipients(self, sender: Person) -> list[Person]:
        """Everybody but the sender."""
        return [person for person in self._everybody.values() if person is not sender]

    def draw_up(self, sender: Person, to: str, amount: str, reference: str) -> Transfer:
        """Return the transfer that somebody has typed in; nothing is moved yet.

        :raises Refused: it could not be carried out.
        """
        recipient = self._everybody.get(to)
        if recipient is None or recipient is sender:
            raise Refused("to", "Choose who the money is for.")
        reference = " ".join(reference.split())[:LONGEST_REFERENCE]
        transfer = Transfer(sender, recipient, read_pence(amount), reference)
        transfer.check_balance()
        return transfer

    def carry_out(self, transfer: Transfer) -> str:
        """Move the money; return what was done, in words.

        :raises Refused: it cannot be done any more.
        """
        sender, recipient, pence = transfer.sender, transfer.recipient, transfer.pence
        note = f" \N{MIDDLE DOT} {transfer.reference}" if transfer.reference else ""
        out = Entry(date.today(), f"To {recipient.name}{note}", -pence)
        into = Entry(date.today(), f"From {sender.name}{note}", pence)
        with self._moving:
            # Once more: other money may have left since it was drawn up.
            transfer.check_balance()
            sender.everyday.entries.append(out)
            recipient.everyday.entries.append(into)
        return f"{pounds(pence)} sent to {recipient.name}."

"""What the API keeps for each user, in memory: account numbers, keys and money."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from dataclasses import field
from threading import Lock


class Refused(ValueError):
    """What was asked cannot be done; the message says why, to a person."""


@dataclass
class Account:
    """The account of one user.

    :param place: in the order in which accounts were opened, for numbers of its own.
    :param pence: what can be sent.
    """

    place: int
    pence: int = 250_000
    keys: list[str] = field(default_factory=list)
    _sending: Lock = field(default_factory=Lock)

    @property
    def numbers(self) -> dict[str, str]:
        return {
            "Operating": f"0000 51{self.place:02} 7741",
            "Reserve": f"0000 52{self.place:02} 8836",
        }

    def new_key(self) -> str:
        """Return a key, which is shown this once."""
        key = f"tern_test_{secrets.token_hex(10)}"
        self.keys.append(key)
        return key

    def send(self, to: object, amount: object) -> dict[str, str]:
        """Send money; return what was done."""
        if not isinstance(to, str) or not to.strip():
            raise Refused("Say who the money is for.")
        pence = _read_pence(amount)
        with self._sending:
            if pence > self.pence:
                raise Refused(f"That is more than your {_pounds(self.pence)}.")
            self.pence -= pence
        return {"sent": _pounds(pence), "to": to.strip(), "left": _pounds(self.pence)}


class Accounts:
    """Everybody's accounts: one is opened for each user who comes along."""

    def __init__(self) -> None:
        self._opened: dict[str, Account] = {}
        self._opening = Lock()

    def of(self, user_id: str) -> Account:
        """Return the account of a user."""
        with self._opening:
            place = len(self._opened) + 1
            return self._opened.setdefault(user_id, Account(place))


def _read_pence(amount: object) -> int:
    typed = re.fullmatch(r"(\d{1,7})(?:\.(\d\d))?", str(amount).strip(), re.ASCII)
    pence = 100 * int(typed[1]) + int(typed[2] or 0) if typed else 0
    if pence == 0:
        raise Refused("Enter an amount such as 25 or 25.50.")
    return pence


def _pounds(pence: int) -> str:
    return f"£{pence // 100:,}.{pence % 100:02}"

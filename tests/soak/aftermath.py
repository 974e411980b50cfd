"""When the disasters are over: all is well again, and what was ended stays ended."""

from __future__ import annotations

import time
from collections.abc import Iterable
from collections.abc import Sequence
from threading import Event
from typing import TypeVar

from flask_stepup.sandbox import SandboxUser

from .evidence import AMOUNT
from .load import approve
from .load import guess_at
from .load import prove
from .load import put_back_one
from .load import Town
from .verifier import codes_of

#: How many are looked at where there are many.
MOST = 150
#: What may be answered when nothing is out of order.
QUIET = {
    "open": {200},
    "sign-in": {200},
    "vault": {200, 403},
    "transfer": {200, 403},
    "verify": {200, 422, 429},
}

T = TypeVar("T")


def look_around(town: Town, newcomers: Iterable[SandboxUser]) -> list[str]:
    """Return what is not well, a line each.

    :param newcomers: who come until one of them is served, with no help of ours.
    """
    town.stopped = Event()
    if not any(recovers(town, newcomer) for newcomer in newcomers):
        return ["nobody new can verify, look and transfer"]
    seen = len(town.asked)
    for old in some(town.old):
        put_back_one(town, old)
    for user in some([*{a.user for a in town.asked if a.problem == "incorrect_code"}]):
        with town.browser(user) as browser:
            browser.sign_in()
            guess_at(browser, browser.vault().challenge)
    with town.browser() as browser:
        browser.open()
    return [
        f"not answered as on a quiet day: {asked}"
        for asked in town.asked[seen:]
        if asked.status not in QUIET[asked.kind]
    ]


def recovers(town: Town, user: SandboxUser) -> bool:
    """Whether somebody new can verify, look and transfer."""
    to, codes = f"{user.user_id}_0", codes_of(user)
    with town.browser(user.user_id) as browser:
        is_well = (
            browser.sign_in()
            and prove(town, browser, codes)
            and browser.vault().opened
            and approve(town, browser, to, codes)
            and browser.transfer(to, AMOUNT, approved=True).opened
        )
    if not is_well:
        time.sleep(0.5)
    return is_well


def some(items: Sequence[T]) -> Sequence[T]:
    """At most so many, from beginning to end."""
    return items[:: len(items) // MOST + 1]

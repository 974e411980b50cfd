"""Good and bad users, each in threads of their own, until they are told to stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from dataclasses import field
from itertools import count
from threading import Event

from flask_stepup.sandbox import SandboxUser

from .browser import Answer
from .browser import at_once
from .browser import Browser
from .evidence import AMOUNT
from .evidence import Asked
from .verifier import codes_of

#: Seconds between two tries while something is out of order.
PAUSE = 0.05
#: Seconds that a victim's codes are guessed before it is another's turn.
TURN = 0.5

_guesses = count()
_turns = count()


@dataclass(frozen=True)
class Old:
    """A cookie that serves no more, and what it may try to open.

    :param transfer: whose approval it held; empty for a standing marker.
    """

    user: str
    cookie: str
    transfer: str = ""


@dataclass
class Town:
    """The bank's port, and the people in front of it.

    :param users: who nobody has been yet.
    :param victims: whose codes are guessed.
    :param old: cookies that were put aside.
    """

    port: int
    users: Iterator[SandboxUser]
    victims: list[SandboxUser]
    asked: list[Asked]
    old: list[Old] = field(default_factory=list)
    stopped: Event = field(default_factory=Event)
    began: float = field(default_factory=time.monotonic)

    def browser(self, user: str = "", **kwargs: bool | str) -> Browser:
        """A new browser of somebody's."""
        return Browser(self.port, self.asked, user, **kwargs)  # type: ignore[arg-type]

    def run(self, disasters: Callable[[], None]) -> None:
        """Let all of them loose, until the disasters are over."""
        with ThreadPoolExecutor(len(PEOPLE)) as pool:
            lives = [pool.submit(self._keep_at, live) for live in PEOPLE]
            try:
                disasters()
            finally:
                self.stopped.set()
        for life in lives:
            life.result()

    def _keep_at(self, live: Callable[[Town], None]) -> None:
        try:
            while not self.stopped.wait(0.005):
                live(self)
        except StopIteration:
            return  # nobody is left to be
        except BaseException:
            self.stopped.set()
            raise


def view(town: Town) -> None:
    """Verify, look into the vault, and leave; the cookie is put aside.

    Somebody who has just the password looks in from another browser meanwhile.
    """
    user = next(town.users)
    with town.browser(user.user_id) as browser, town.browser(user.user_id) as other:
        if not (browser.sign_in() and other.sign_in()):
            return
        if not prove(town, browser, codes_of(user)):
            return
        for _ in range(6):
            browser.vault()
            other.vault()
        old = Old(user.user_id, browser.cookie)
        way = "forget" if int(old.user.removeprefix("user_")) % 2 else "revoke"
        if leave(town, browser, way):
            town.old.append(old)


def send(town: Town, *, pages: bool = True) -> None:
    """Make some transfers, with double clicks; leave with one approved and not done."""
    user = next(town.users)
    codes = codes_of(user)
    with town.browser(user.user_id, pages=pages) as browser:
        if not browser.sign_in():
            return
        for number in range(3):
            to = f"{user.user_id}_{number}"
            if not approve(town, browser, to, codes, mistakes=number):
                return
            approved = Old(user.user_id, browser.cookie, to)
            if number == 2:
                if leave(town, browser, "forget"):
                    town.old.append(approved)
                return
            browser.transfer(to, AMOUNT + 1)  # more than what was approved
            resend(town, browser, to)
            town.old.append(approved)


def send_as_program(town: Town) -> None:
    """The same, without pages."""
    send(town, pages=False)


def prove(town: Town, browser: Browser, codes: Iterator[str]) -> bool:
    """Go through the prompt with a right code."""
    for code in codes:
        challenge = browser.vault().challenge
        if challenge and browser.verify(challenge, code).opened:
            return True
        if town.stopped.wait(PAUSE):
            break
    return False


def approve(
    town: Town, browser: Browser, to: str, codes: Iterator[str], mistakes: int = 0
) -> bool:
    """Have a transfer approved: a right code, submitted twice at the same moment."""
    for code in codes:
        challenge = browser.transfer(to, AMOUNT).challenge
        if challenge:
            for _ in range(mistakes):
                guess_at(browser, challenge, transfer=to)
            mistakes = 0
            if at_once(browser, 2, Browser.verify, challenge, code, transfer=to):
                return True
        if town.stopped.wait(PAUSE):
            break
    return False


def resend(town: Town, browser: Browser, to: str) -> None:
    """Send the approved form from four connections at once, until one is answered."""
    for _ in range(20):
        done = at_once(browser, 4, Browser.transfer, to, AMOUNT, approved=True)
        if done or town.stopped.wait(PAUSE):
            return


def leave(town: Town, browser: Browser, way: str) -> bool:
    """End the elevation, with the cookie put back until that is acknowledged."""
    cookie = browser.cookie
    for _ in range(200):
        browser.cookie = cookie
        if browser.end(way).status == 200:
            return True
        if town.stopped.wait(PAUSE):
            break
    return False


def guess(town: Town) -> None:
    """Guess the codes of one victim, together with others, as fast as can be.

    Every other turn the victim is a new one; in between, earlier ones are guessed at
    again, to see whether they have more attempts after what happened since.
    """
    turn = int((time.monotonic() - town.began) / TURN)
    which = turn // 2 if turn % 2 == 0 else turn * 7 % (turn // 2 + 1)
    victim = town.victims[which % len(town.victims)]
    with town.browser(victim.user_id) as browser:
        challenge = browser.vault().challenge if browser.sign_in() else ""
        while challenge and not town.stopped.is_set():
            at_once(browser, 4, guess_at, challenge)
            if (time.monotonic() - town.began) // TURN != turn:
                return


def mistype(town: Town) -> None:
    """Have some wrong codes answered, one after the other, and give up."""
    user = next(town.users)
    tries = 1 + int(user.user_id.removeprefix("user_")) % 4
    with town.browser(user.user_id) as browser:
        if not browser.sign_in():
            return
        challenge = browser.vault().challenge
        while challenge and tries and not town.stopped.wait(PAUSE):
            tries -= guess_at(browser, challenge).status == 422


def guess_at(browser: Browser, challenge: str, transfer: str = "") -> Answer:
    """Submit a wrong code that nobody has submitted before."""
    return browser.verify(challenge, f"guess {next(_guesses)}", transfer=transfer)


def put_back(town: Town) -> None:
    """Put a cookie back that was forgotten, revoked or spent, of any age."""
    if town.old:
        put_back_one(town, town.old[next(_turns) * 31 % len(town.old)])
    town.stopped.wait(0.01)


def put_back_one(town: Town, old: Old) -> None:
    """Try what a cookie used to open."""
    with town.browser(old.user, cookie=old.cookie) as browser:
        if old.transfer:
            browser.transfer(old.transfer, AMOUNT)
        else:
            browser.vault()


def stay_outside(town: Town) -> None:
    """Be nobody, and then somebody who never proves anything."""
    user = next(town.users).user_id
    with town.browser() as nobody, town.browser(user, pages=True) as unverified:
        for _ in range(10):
            nobody.vault()
            nobody.transfer("nobody", AMOUNT)
            town.stopped.wait(PAUSE)
        if unverified.sign_in():
            for number in range(10):
                challenge = unverified.transfer(f"{user}_{number}", AMOUNT).challenge
                unverified.verify(challenge, "")
                unverified.verify(challenge[:-1], "123456")
                unverified.transfer(f"{user}_{number}", AMOUNT)
                town.stopped.wait(PAUSE)


def pass_by(town: Town) -> None:
    """Look at what is open to all."""
    with town.browser() as browser:
        for _ in range(50):
            browser.open()
            if town.stopped.wait(0.02):
                return


PEOPLE = (
    *(view, view, send, send, send_as_program),
    *(guess, guess, guess, guess),
    *(mistype, put_back, stay_outside, pass_by),
)

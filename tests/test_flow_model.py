"""The whole flow against a plain model: what people do, in any order, at any time.

Each step is done twice: by requests to a real app, and by the model in ``flow_model``.
What the app answers, which views run, what the verifier is asked, and what signals tell
has to be the same. Beside that ``flow_promises`` watches over the promises themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flow_app import Codes
from flow_app import make_app
from flow_app import VIEWS
from flow_model import Answer
from flow_model import Challenge
from flow_model import LEEWAY
from flow_model import Model
from flow_model import Session
from flow_model import View
from flow_promises import Seen
from fuzzing import fuzzed
from hypothesis import strategies as st
from hypothesis.stateful import initialize
from hypothesis.stateful import invariant
from hypothesis.stateful import precondition
from hypothesis.stateful import rule
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import run_state_machine_as_test
from people import Person
from people import Prompt
from valkey_server import running
from werkzeug.test import TestResponse

from flask_stepup import signals

START = 1_800_000_000
#: No step of the clock goes beyond: what is revoked is remembered for two days.
END = START + 47 * 3_600
USERS = ("alice", "bob")
#: Whether each client is a browser, and who is signed in at the beginning.
CLIENTS = ((True, "alice"), (False, "alice"), (True, "alice"), (True, "bob"),
           (False, "bob"), (True, "bob"))  # fmt: skip
#: What is compared of each.
SIGNALS = {
    signals.reverification_required: ("required", "user_id", "cause"),
    signals.reverification_succeeded: ("succeeded", "user_id", "code_type"),
    signals.reverification_failed: ("failed", "user_id", "error"),
    signals.attempts_exhausted: ("exhausted", "user_id", "until"),
    signals.code_reused: ("reused", "user_id"),
    signals.verifier_failed: ("verifier failed", "user_id", "error"),
    signals.elevation_revoked: ("revoked", "user_id"),
}


# --- worlds: a ledger, and a clock ---


@dataclass
class World:
    """Where an example happens.

    :param uri: of a ledger that nobody has used.
    :param folder: for its files.
    :param set_time: of a ledger that has a clock of its own.
    """

    uri: str
    folder: Path
    set_time: Callable[[float], object] | None = None

    @property
    def has_own_clock(self) -> bool:
        """Whether it has one; it cannot be stopped at just the end of something."""
        return self.set_time is not None


NewWorld = Callable[[], World]


# --- what people do ---


@dataclass
class Client:
    """A browser, or a program that keeps cookies, and what is in its cookie."""

    person: Person
    is_browser: bool
    session: Session

    @property
    def cookie(self) -> str | None:
        cookie = self.person.client.get_cookie("session")
        return cookie.value if cookie else None

    def open(self, path: str, method: str, **body: Any) -> TestResponse:
        send = self.person.open if self.is_browser else self.person.json
        response: TestResponse = send(path, method, **body)
        return response


#: Mostly those of one person, where more comes of each step.
CLIENT = st.sampled_from([0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 4, 5])
USER = st.sampled_from(USERS)
VIEW = st.sampled_from(VIEWS)
VALUES = st.builds(
    # In one order: another one would be another form.
    lambda to, amount, note: {"to": to, "amount": amount, "note": note},
    st.sampled_from(["carol", "dave"]),
    st.sampled_from(["10", "20"]),
    st.sampled_from(["a", "b"]),
)
#: Counted from the end: the last, and now and then an older one.
LATELY = st.integers(0, 2) | st.integers(0, 30)
#: How far the clock goes on by itself.
WAITS = st.sampled_from([0.5, 1, 9, 30, 59.5, 60, 119, 120, 180, 300, 599.5, 600,
                         900, 3_599, 3_600, 43_200, 86_399, 86_400])  # fmt: skip


#: A client, a view and what is sent to it; None is where somebody was last.
Place = tuple[int, View, dict[str, str]]
PLACE = st.none() | st.tuples(CLIENT, VIEW, VALUES)
#: Seconds until somebody has found the phone, by a clock that may be set meanwhile.
PAUSE = st.sampled_from([0] * 8 + [0.5, 30, -0.5, -9, -10, -12, 899.5, 900, 900.5])
#: How a code that was used is typed once more.
SPELLING = st.sampled_from([str, str.upper, lambda code: code.replace("-", " ")])
#: What happens while the verifier is asked.
MEANWHILE = st.sampled_from([""] * 4 + ["revoke", "unlock"])
#: What the verifier is like.
MODE = st.sampled_from(["right"] * 8 + ["down", "unknown", "not enrolled", "broken"])


class Flow(RuleBasedStateMachine):
    """Two people with two browsers and a program each, an app, and the model of it."""

    def __init__(self, new_world: NewWorld) -> None:
        super().__init__()
        self.world = new_world()
        self.travel = time_machine.travel(START, tick=False)
        self.clock = self.travel.start()
        self.codes = Codes()
        self.codes.meanwhile = self.do_meanwhile
        self.meanwhile = ""
        self.model = Model(START, has_own_clock=self.world.has_own_clock)
        self.events: list[tuple[Any, ...]] = []
        self.place: Place = (0, VIEWS[0], {"to": "carol", "amount": "10", "note": "a"})
        self.elapsed = 0.0
        self.set_time(START)
        self.app = make_app(self.world.uri, self.world.folder, self.codes)
        self.receivers = [self.listen(*signal) for signal in SIGNALS.items()]
        self.clients = [
            Client(Person(self.app), is_browser, Session()) for is_browser, _ in CLIENTS
        ]
        #: All cookies that were seen, and what the model says is in them.
        self.cookies: dict[str, Session] = {}
        self.challenges: list[tuple[str, Challenge, Client]] = []
        self.numbers = count()
        self.right_codes: list[str] = []
        self.seen = Seen()

    @initialize()
    def sign_everybody_in(self) -> None:
        for client, (_, user) in zip(self.clients, CLIENTS, strict=True):
            self.enter(client, user)

    def teardown(self) -> None:
        for signal, receiver in self.receivers:
            signal.disconnect(receiver, self.app)
        self.app.extensions["stepup"].ledger.close()
        self.travel.stop()

    # --- rules: views, prompts and codes ---

    @rule(place=PLACE)
    def visit(self, place: Place | None) -> None:
        self.open(*self.go_to(place))

    @rule(place=PLACE, mode=MODE, pause=PAUSE, meanwhile=MEANWHILE)
    def go_through(
        self, place: Place | None, mode: str, pause: float, meanwhile: str
    ) -> None:
        """Open a view, with a right code if need be, and open it again."""
        one, view, values = self.go_to(place)
        before = len(self.challenges)
        self.open(one, view, values)
        if len(self.challenges) > before:
            token, challenge, _ = self.challenges[-1]
            self.pass_time(pause)
            self.codes.mode = self.model.mode = mode
            self.submit(one, token, challenge, self.fresh_code(), meanwhile)
            self.open(one, view, values)

    @rule(place=PLACE)
    def go_through_at_once(self, place: Place | None) -> None:
        self.go_through(place, "right", 0, "")

    @rule(place=PLACE, mode=MODE, spelling=SPELLING)
    def press_the_button_twice(
        self, place: Place | None, mode: str, spelling: Callable[[str], str]
    ) -> None:
        """Send a right code by two requests with the same cookie."""
        one, view, values = self.go_to(place)
        before = len(self.challenges)
        self.open(one, view, values)
        if len(self.challenges) == before:
            return
        token, challenge, _ = self.challenges[-1]
        cookie, code = one.cookie, self.fresh_code()
        for each, typed in (("right", code), (mode, spelling(code))):
            self.codes.mode = self.model.mode = each
            self.put_back(one, cookie)
            self.submit(one, token, challenge, typed)

    @precondition(lambda self: self.model.used)
    @rule(view=VIEW, values=VALUES, off_by=st.sampled_from([-0.5, 0, 0.5]))
    def use_a_code_once_more(
        self, view: View, values: dict[str, str], off_by: float
    ) -> None:
        """Enter a code that was right when it is just forgotten, or not yet."""
        (user, code), forgotten = next(reversed(self.model.used.items()))
        self.move(forgotten + off_by - self.model.lag)
        one = next((c for c in self.clients if c.session.user == user), None)
        before = len(self.challenges)
        if one:
            self.open(one, view, values)
        if one and len(self.challenges) > before:
            self.codes.mode = self.model.mode = "right"
            self.submit(one, *self.challenges[-1][:2], code)

    @rule(place=PLACE, times=st.integers(2, 9))
    def approve_in_advance(self, place: Place | None, times: int) -> None:
        """Open a view in so many tabs, and enter a right code in each; go on in one."""
        one, view, values = self.go_to(place)
        before = len(self.challenges)
        for _ in range(times):
            self.open(one, view, values)
        self.codes.mode = self.model.mode = "right"
        asked = self.challenges[before:]
        for token, challenge, _ in asked:
            self.submit(one, token, challenge, self.fresh_code())
        self.open(one, view, values)
        for token, challenge, _ in asked[:1] + asked[-1:]:
            self.submit(one, token, challenge, "wrong")

    @precondition(lambda self: self.challenges)
    @rule(client=CLIENT, lately=LATELY, is_own=st.sampled_from([True, True, False]))
    def look_at_the_prompt(self, client: int, lately: int, is_own: bool) -> None:
        token, challenge, owner = self.lately(self.challenges, lately)
        one = owner if is_own else self.clients[client]
        expected = self.model.look(one.session, challenge)
        got = one.person.open("/stepup/", query_string={"challenge": token})
        self.settle(one, got, expected)
        assert got.status_code == expected.status
        if expected.challenge:
            self.keep(Prompt(got).challenge, expected.challenge, one)

    @precondition(lambda self: self.challenges)
    @rule(
        client=CLIENT,
        lately=LATELY,
        is_own=st.sampled_from([True, True, True, False]),
        code=st.sampled_from(["right", "right", "wrong", "again", "odd", ""]),
        older=LATELY,
        spelling=SPELLING,
        mode=MODE,
        meanwhile=MEANWHILE,
    )
    def answer(
        self, client: int, lately: int, is_own: bool, code: str, older: int,
        spelling: Callable[[str], str], mode: str, meanwhile: str,
    ) -> None:  # fmt: skip
        token, challenge, owner = self.lately(self.challenges, lately)
        one = owner if is_own else self.clients[client]
        typed = {"wrong": "wrong", "odd": "\0", "": ""}.get(code)
        if code == "right" or not self.right_codes:
            typed = self.fresh_code()
        if typed is None:
            # Used before, perhaps.
            typed = spelling(self.lately(self.right_codes, older))
        self.codes.mode = self.model.mode = mode
        self.submit(one, token, challenge, typed, meanwhile)

    @precondition(lambda self: self.challenges)
    @rule(lately=LATELY, mode=MODE, off_by=st.sampled_from([None, -0.5, 0, 0.5]))
    def guess(self, lately: int, mode: str, off_by: float | None) -> None:
        """Try wrong codes in a row, and one more when the lock ends, or about then."""
        token, challenge, owner = self.lately(self.challenges, lately)
        for each in ("right", mode, "right"):
            self.codes.mode = self.model.mode = each
            self.submit(owner, token, challenge, "wrong")
        user = challenge.user
        if off_by is not None and self.model.is_full(user):
            self.move(self.model.free_again(user) + off_by - self.model.lag)
            self.submit(owner, token, challenge, "wrong")

    @rule(place=PLACE, off_by=st.sampled_from([-0.5, 0, 0.5]))
    def leave_the_prompt_open(self, place: Place | None, off_by: float) -> None:
        """Answer when it is too old, and once more a day after it was first shown."""
        one, view, values = self.go_to(place)
        before = len(self.challenges)
        self.open(one, view, values)
        if len(self.challenges) == before:
            return
        asked_at = int(self.model.now)
        for then in (asked_at + 900, asked_at + 86_400 + off_by):
            self.move(then)
            self.submit(one, *self.challenges[-1][:2], self.fresh_code())

    # --- rules: what begins and ends elevation ---

    @rule(client=CLIENT, how=st.sampled_from(
        ["alice", "bob", "forget", "leave", "leave rudely"]
    ))  # fmt: skip
    def come_or_go(self, client: int, how: str) -> None:
        one = self.clients[client]
        if how in USERS:
            self.enter(one, how)
        elif how == "forget":
            self.leave(one, "/leave?user=stays", self.model.forget(one.session))
        elif how == "leave":
            self.model.forget(one.session)
            self.leave(one, "/leave", Session())
        else:
            got = one.open("/leave-rudely", "GET")
            self.settle(one, got, Answer(200, replace(one.session, user=None)))

    @rule(user=USER, what=st.sampled_from(["unlock", "revoke"]))
    def decide(self, user: str, what: str) -> None:
        """What an app decides about one of its users."""
        self.meanwhile = what
        self.model.do(what, user)
        self.do_meanwhile(user)
        if what == "unlock":
            self.seen.cleared(user)
        else:
            self.seen.revoked(user, self.cookies)
        self.compare_events()

    @rule(client=CLIENT, scope=st.sampled_from(["", "payments"]))
    def grant(self, client: int, scope: str) -> None:
        one = self.clients[client]
        self.take_a_second(one)
        expected = self.model.grant(one.session, scope)
        got = one.open("/grant", "GET", query_string={"scope": scope})
        assert got.status_code == expected.status
        if expected.status == 200:
            self.seen.proved(one.session.user, scope, self.model.ledger_now)
        self.settle(one, got, expected)

    @rule(place=PLACE, how=st.sampled_from(["forget", "leave"]))
    def leave_and_put_the_cookie_back(self, place: Place | None, how: str) -> None:
        """As whoever has copied it may do, who then tries what was open before."""
        one, view, values = self.go_to(place)
        cookie = one.cookie
        if cookie:
            self.come_or_go(self.clients.index(one), how)
            self.put_back(one, cookie)
            self.open(one, view, values)

    @precondition(lambda self: self.cookies)
    @rule(client=CLIENT, lately=LATELY)
    def put_an_old_cookie_back(self, client: int, lately: int) -> None:
        self.put_back(self.clients[client], self.lately([*self.cookies], lately))

    # --- rules: time ---

    @rule(seconds=WAITS)
    def wait(self, seconds: float) -> None:
        self.move(self.model.now + seconds)

    @rule(which=st.integers(0, 50), off_by=st.sampled_from([-0.5, 0, 0.5]))
    def wait_until_something_ends(self, which: int, off_by: float) -> None:
        """Go to where a time matters, or just before or after it."""
        now = self.model.now
        ahead = sorted(at for at in self.instants() if at + off_by > now)
        if ahead:
            self.move(ahead[which % len(ahead)] + off_by)

    @rule(seconds=st.sampled_from([0.5, 1, 4, 9, 10, 10.5, 12, 12.5, 30, 130]))
    def step_back(self, seconds: float) -> None:
        """Set the clock back, by so little that nobody notices, or by more."""
        self.pass_time(-seconds)

    @precondition(lambda self: self.model.lag)
    @rule()
    def set_the_clock_right(self) -> None:
        """Have the host say what the ledger says."""
        then, self.model.lag = self.model.ledger_now, 0.0
        self.set_time(then)

    # --- invariants ---

    @invariant()
    def what_the_app_says_of_itself_is_true(self) -> None:
        one = self.clients[len(self.cookies) % len(self.clients)]
        for scope in ("", "payments"):
            got = one.person.json(f"/stepup/status?scope={scope}")
            if one.session.user is None:
                assert got.status_code == 401
            else:
                told = {k: v for k, v in got.get_json().items() if k != "level"}
                assert told == self.roughly(self.model.status(one.session, scope))

    # --- what rules are made of ---

    def go_to(self, place: Place | None) -> tuple[Client, View, dict[str, str]]:
        self.place = client, view, values = place or self.place
        return self.clients[client], view, values

    def open(self, one: Client, view: View, values: dict[str, str]) -> None:
        as_form = one.is_browser
        expected = self.model.visit(one.session, view, values, as_form=as_form)
        cookie, runs = one.cookie, self.app.extensions["runs"]
        body: dict[str, Any] = {}
        if view.method == "POST":
            body = {"data" if as_form else "json": values}
        got = one.open(view.path, view.method, **body)
        user = one.session.user
        self.settle(one, got, expected)
        assert got.status_code == expected.status
        assert runs == ([view.path] if expected.ran else [])
        if runs:
            slack = 1 + LEEWAY if self.world.has_own_clock else 0
            self.seen.ran(user, view, cookie, self.model.ledger_now - slack)
            runs.clear()
        if expected.challenge:
            if not as_form:
                assert got.get_json()["cause"] == expected.told["cause"]
            self.keep(token_in(got), expected.challenge, one)

    def submit(
        self, one: Client, token: str, challenge: Challenge, typed: str,
        meanwhile: str = "",
    ) -> None:  # fmt: skip
        """Answer a challenge, and compare what comes of it."""
        self.take_a_second(one)
        self.meanwhile = meanwhile
        known = typed if typed.isprintable() else ""
        expected = self.model.answer(one.session, challenge, known, meanwhile)
        told = {"challenge": token, "code": typed}
        body = {"data": told} if one.is_browser else {"json": told}
        got = one.open("/stepup/", "POST", **body)
        asked, self.codes.asked[:] = [*self.codes.asked], []
        assert asked == ([(challenge.user, typed)] if expected.is_asked else [])
        if asked:
            self.write_down(expected, challenge, typed)
        self.settle(one, got, expected)
        compare = self.compare_page if one.is_browser else self.compare_json
        compare(got, expected, challenge)
        has_token = one.is_browser or expected.code == "challenge_expired"
        if expected.challenge and has_token:
            self.keep(token_in(got), expected.challenge, one)

    def write_down(self, expected: Answer, challenge: Challenge, code: str) -> None:
        """Tell those who watch over the promises that the verifier was asked."""
        if self.codes.mode not in ("down", "unknown"):
            self.seen.tried(challenge.user, self.elapsed)
        if self.meanwhile == "revoke":
            self.seen.revoked(challenge.user, self.cookies)
        # Right is what is answered by 400 too: the elevation has ended meanwhile.
        if self.meanwhile == "unlock" or expected.status in (200, 400):
            self.seen.cleared(challenge.user)
        if expected.status == 200:
            self.seen.opened(challenge, code, self.elapsed, self.model.ledger_now)

    def compare_json(
        self, got: TestResponse, expected: Answer, challenge: Challenge
    ) -> None:
        """What a program is told."""
        assert got.status_code == expected.status, got.text
        told = got.get_json()
        if expected.status == 200:
            assert told == {"verified": True} | self.roughly(expected.told)
            return
        assert told["code"] == expected.code
        assert {k: told.get(k) for k in expected.told} == expected.told
        if "retry_after" in expected.told:
            assert got.headers["Retry-After"] == str(expected.told["retry_after"])

    def compare_page(
        self, got: TestResponse, expected: Answer, challenge: Challenge
    ) -> None:
        """What a person is told, and where the browser goes."""
        if expected.status == 200 and not challenge.has_form:
            assert got.status_code == 303
            page = challenge.view.path if challenge.action is None else "/"
            assert got.location == page
            return
        assert got.status_code == expected.status, got.text
        if "attempts_remaining" in expected.told:
            assert tries_left(got.text) == expected.told["attempts_remaining"]
        if "retry_after" in expected.told:
            assert got.headers["Retry-After"] == str(expected.told["retry_after"])

    def enter(self, one: Client, user: str) -> None:
        got = one.open(f"/enter/{user}", "GET")
        self.settle(one, got, Answer(200, replace(one.session, user=user)))

    def put_back(self, one: Client, cookie: str | None) -> None:
        assert cookie
        one.person.put_back(cookie)
        one.session = self.cookies[cookie]

    def leave(self, one: Client, path: str, left: Session) -> None:
        if one.session.nonce is not None:
            self.seen.forgot(one.session.nonce, self.cookies)
        got = one.open(path, "GET")
        self.settle(one, got, Answer(200, left))

    def settle(self, one: Client, got: TestResponse, expected: Answer) -> None:
        """Take over what the browser has now, and compare what signals have told."""
        one.session = expected.session
        assert got.status_code < 500 or expected.status >= 500, got.text
        self.compare_events()
        cookie = one.cookie
        if cookie is None:
            assert one.session == Session()
        else:
            assert self.cookies.setdefault(cookie, one.session) == one.session

    def compare_events(self) -> None:
        told, expected = self.events[:], self.model.events[:]
        self.events.clear()
        self.model.events.clear()
        assert len(told) == len(expected), (told, expected)
        for one, other in zip(told, expected, strict=True):
            # Ledgers with a clock of their own are a little off.
            *same, until = one
            *expected_same, expected_until = other
            if one[0] == "exhausted":
                assert until == pytest.approx(expected_until, abs=0.4)
            else:
                assert until == expected_until
            assert same == expected_same

    def roughly(self, told: dict[str, Any]) -> dict[str, Any]:
        """What is told, give or take a second where two clocks are compared."""
        if not self.model.lag:
            return told
        return {
            name: pytest.approx(fact, abs=1) if type(fact) is int else fact
            for name, fact in told.items()
        }

    def listen(self, signal: Any, told: tuple[str, ...]) -> Any:
        name, *members = told

        def receive(sender: Any, **facts: Any) -> None:
            self.events.append((name, *(said(facts[member]) for member in members)))

        signal.connect(receive, self.app)
        return signal, receive

    def do_meanwhile(self, user: str) -> None:
        stepup = self.app.extensions["bank"]
        does = {"revoke": stepup.revoke, "unlock": stepup.unlock, "": str}
        with self.app.app_context():
            does[self.meanwhile](user)

    def fresh_code(self) -> str:
        self.right_codes.append(f"right-{next(self.numbers)}")
        return self.right_codes[-1]

    def keep(self, token: str, challenge: Challenge, one: Client) -> None:
        self.challenges.append((token, challenge, one))

    @staticmethod
    def lately(things: list[Any], back: int) -> Any:
        return things[-1 - back % len(things)]

    def instants(self) -> set[float]:
        """When something is over, or not yet."""
        marks = {m for one in self.clients for m in one.session.marks}
        ages = {view.max_age for view in VIEWS}
        asked = {challenge for _, challenge, _ in self.challenges[-5:]}
        return (
            self.model.ledger_instants()
            | {mark.at + age for mark in marks for age in ages}
            | {challenge.issued_at + 900 for challenge in asked}
            | {challenge.first_issued_at + 86_400 for challenge in asked}
        )

    def pass_time(self, seconds: float) -> None:
        """Go on, or set the clock back.

        It is that of the host; one of a server's goes on as it was.
        """
        then = self.model.now + seconds
        if seconds >= 0:
            self.move(then)
        elif self.world.has_own_clock:
            self.model.lag -= seconds
            self.set_time(then)
        elif then >= START and self.model.may_be(then):
            self.set_time(then)

    def move(self, then: float) -> None:
        """Go on to a later time."""
        if then < self.model.now:
            return
        lag, instants = self.model.lag, self.model.ledger_instants()
        while self.world.has_own_clock and then + lag in instants:
            then += 0.5
        if then <= END:
            self.elapsed += then - self.model.now
            self.set_time(then)

    def take_a_second(self, one: Client) -> None:
        """Let no two marks be of one second, as it takes one to enter a code."""
        while int(self.model.now) in {mark.at for mark in one.session.marks}:
            self.move(self.model.now + 1)

    def set_time(self, then: float) -> None:
        self.clock.move_to(then)
        self.model.now = then
        if self.world.set_time:
            self.world.set_time(self.model.ledger_now)


def said(fact: Any) -> Any:
    """A fact of a signal; of an error just what it is."""
    return type(fact).__name__ if isinstance(fact, Exception) else fact


def token_in(got: TestResponse) -> str:
    """The challenge in an answer: in its address, its JSON or its form."""
    if got.status_code == 303:
        return str(re.split("challenge=", got.location)[1])
    if got.is_json or got.mimetype == "application/problem+json":
        return str(got.get_json()["challenge"])
    return Prompt(got).challenge


def tries_left(text: str) -> int:
    """How many tries a page says that there are."""
    if "This was your last try" in text:
        return 0
    if "You have one try left" in text:
        return 1
    found = re.search(r"You have (\d+) tries left", text)
    assert found, text
    return int(found[1])


# --- the test ---


@pytest.fixture
def memory(tmp_path: Path) -> NewWorld:
    return lambda: World("memory://", tmp_path)


@pytest.fixture
def sqlite(tmp_path: Path) -> NewWorld:
    numbers = count()
    return lambda: World(f"sqlite:///{next(numbers)}.db", tmp_path)


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[NewWorld]:
    numbers = count()
    with running(tmp_path / "valkey", has_own_clock=True) as server:

        def new_world() -> World:
            moves = count()

            def set_time(seconds: float) -> None:
                # More than it may be off by: no span is shorter than it is said to be.
                server.set_time(seconds + 0.002 * next(moves))

            return World(server.uri(f"world-{next(numbers)}"), tmp_path, set_time)

        yield new_world


#: Ledgers, each made by the fixture of its name, and examples that are tried on it.
WORLDS = {"memory": 120, "sqlite": 8, "valkey": 12}


@pytest.mark.parametrize(("name", "examples"), WORLDS.items(), ids=WORLDS)
def test_the_app_does_what_the_model_does(
    name: str, examples: int, request: pytest.FixtureRequest
) -> None:
    """Whatever people do, views run, codes are asked and tries counted as promised."""
    new_world: NewWorld = request.getfixturevalue(name)
    run_state_machine_as_test(
        partial(Flow, new_world), settings=fuzzed(examples, stateful_step_count=50)
    )

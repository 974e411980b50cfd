"""What an app with step-up does, as plain as it can be said: sets, lists and times.

It knows nothing of tokens, cookies or databases, and shares no code with what it is
compared to. What a browser keeps is a value, so that an old cookie is an old value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from itertools import count
from typing import Any

LEEWAY = 10
#: A clock that is set back by more has nobody know how old anything is, provided that
#: somebody has looked at it: how late it is, is written down every ten seconds.
STEP_BACK, LOOKED_AT = 12, 10
USED_CODE_KEPT = 180
CHALLENGE_MAX_AGE = 900
CHALLENGE_LIFE = 86_400
MOST_KEPT = 8
#: Tries, and the seconds in which there are no more of them.
LIMITS = ((3, 60), (6, 600))
LIMITS_AS_SET = "3 per minute; 6 per 10 minutes"


@dataclass(frozen=True)
class View:
    """A guarded view.

    :param approves: the names of what one run is approved with, empty for a view of
        ``once``; None where a standing marker does.
    """

    path: str
    scope: str = ""
    max_age: int = 600
    approves: tuple[str, ...] | None = None

    @property
    def method(self) -> str:
        return "GET" if self.approves is None else "POST"

    def action(self, values: dict[str, str]) -> Any:
        """What a code is asked for; None where it is no single run."""
        if self.approves is None:
            return None
        return self.path, *(values[name] for name in self.approves)


@dataclass(frozen=True)
class Mark:
    """What a browser was given for a right code, at a time in whole seconds.

    :param name: of a scope, or the number of a challenge.
    :param epoch: the number of the user's last revocation, and before it that of the
        last time that a clock was set back.
    :param tie: the form that it approves; None is any.
    """

    user: str
    nonce: int
    name: str | int
    at: int
    epoch: tuple[int, int]
    action: Any = None
    tie: str | None = None


@dataclass(frozen=True)
class Session:
    """What a browser has in its cookie."""

    user: str | None = None
    nonce: int | None = None
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Challenge:
    """What was asked of whom, in which session.

    :param number: stays when it is renewed.
    :param has_form: whether a form goes back with it.
    :param era: the number of the last time that a clock was set back.
    """

    number: int
    user: str
    nonce: int
    view: View
    action: Any
    tie: str | None
    has_form: bool
    issued_at: int
    first_issued_at: int
    era: int = 0


@dataclass
class Answer:
    """What comes of a request.

    :param session: what the browser has afterwards.
    :param is_asked: whether the verifier was asked.
    :param challenge: a new one, or a renewed one, that the answer holds.
    :param told: what else the answer says.
    """

    status: int
    session: Session
    code: str = ""
    ran: bool = False
    is_asked: bool = False
    challenge: Challenge | None = None
    told: dict[str, Any] = field(default_factory=dict)


class Over(Exception):
    """A challenge that nobody can answer any more.

    :param is_voided: because of too many tries.
    """

    def __init__(self, *, is_voided: bool = False) -> None:
        super().__init__()
        self.is_voided = is_voided


class Model:
    """All that is remembered, and what follows from it."""

    def __init__(self, now: float, *, has_own_clock: bool) -> None:
        self.now = self.latest = now
        #: By how much the clock of the app lags behind that of its ledger.
        self.lag = 0.0
        self._has_own_clock = has_own_clock
        self.mode = "right"
        self.events: list[tuple[Any, ...]] = []
        self.attempts: dict[str, list[tuple[int, float]]] = {}
        self.used: dict[tuple[str, str], float] = {}
        self.spent: set[Any] = set()
        self.ended: set[int] = set()
        self.epochs: dict[str, int] = {}
        self.era = 0
        self._numbers = count(1)

    # --- a guarded view ---

    def visit(
        self, session: Session, view: View, values: dict[str, str], *, as_form: bool
    ) -> Answer:
        """Open a guarded view.

        :param as_form: as a page, with the values in a form; else as a program.
        """
        if session.user is None:
            return Answer(401, session, "unauthenticated")
        self._watch_the_clock()
        tie = "" if view.approves == () else None
        if as_form and tie is not None:
            tie = " ".join(values.values())
        action = view.action(values)
        cause = self._pass(session, view, action, tie or "")
        if cause is None:
            return Answer(200, session, ran=True)
        self.events.append(("required", session.user, cause))
        bound = self._bound(session)
        has_form = as_form and action is not None
        challenge = Challenge(
            next(self._numbers),
            session.user,
            bound.nonce or 0,
            view,
            action,
            # A program's request is not kept, nor is what was shown tied to a form.
            tie if has_form else None,
            has_form,
            int(self.now),
            int(self.now),
            self.era,
        )
        status = 303 if as_form and not has_form else 403
        told = {"cause": cause}
        return Answer(status, bound, "reverification_required", False, False,
                      challenge, told)  # fmt: skip

    def _pass(self, session: Session, view: View, action: Any, form: str) -> str | None:
        """Why the view does not run; None where it does, by spending what it needs."""
        if action is None:
            return self.lacking(session, self._of(session, view.scope), view.max_age)
        marks = [m for m in self._readable(session) if m.action == action]
        if any(m.tie is not None for m in marks):
            marks = [m for m in marks if m.tie in (None, form)]
        marks.sort(key=lambda m: (m.tie is None, m.at))
        current = [m for m in marks if self._is_fresh(m.at, view.max_age)]
        was_spent = {m.name for m in current} & self.spent
        unspent = [m for m in current if self._counts(m) and m.name not in self.spent]
        if unspent and session.nonce not in self.ended:
            self.spent.add(unspent[0].name)
            if self._serves(unspent[0], view.max_age):
                return None
        return self.lacking(session, marks, view.max_age, was_spent) or "expired"

    def lacking(
        self,
        session: Session,
        marks: list[Mark],
        max_age: int,
        spent: set[Any] | frozenset[Any] = frozenset(),
    ) -> str | None:
        """Why none of these marks counts; None where one does."""
        if session.nonce in self.ended:
            return "revoked"
        counting = [m for m in marks if self._counts(m)]
        if not counting:
            return "revoked" if marks else "missing"
        newest_first = sorted(counting, key=lambda m: -m.at)
        unspent = [m for m in newest_first if m.name not in spent]
        if unspent and self._serves(unspent[0], max_age):
            return None
        return "spent" if newest_first[0].name in spent else "expired"

    # --- a challenge ---

    def look(self, session: Session, challenge: Challenge) -> Answer:
        """Open the page of a prompt."""
        if session.user is None:
            return Answer(401, session, "unauthenticated")
        invalid = Answer(400, session, "challenge_invalid")
        if not self._is_for(session, challenge) or challenge.has_form:
            return invalid
        try:
            if self._assess(session, challenge) is None:
                return Answer(303, session)
        except Over:
            return invalid
        renewed = self._kept_open(challenge)
        if renewed is None:
            return invalid
        return Answer(200, session, challenge=renewed)

    def answer(
        self, session: Session, challenge: Challenge, code: str, meanwhile: str = ""
    ) -> Answer:
        """Answer a challenge.

        :param code: as it is known to whoever knows codes; empty for none.
        :param meanwhile: what happens while the verifier is asked.
        """
        if session.user is None:
            return Answer(401, session, "unauthenticated")
        invalid = Answer(400, session, "challenge_invalid")
        if not self._is_for(session, challenge):
            return invalid
        try:
            if self._assess(session, challenge) is None:
                return self._success(session, challenge, session)
        except Over as over:
            if over.is_voided and self.is_full(session.user):
                return self._locked(session, session.user)
            return invalid
        if not self._is_fresh(challenge.issued_at, CHALLENGE_MAX_AGE):
            renewed = self._kept_open(challenge)
            if renewed is None:
                return invalid
            return Answer(400, session, "challenge_expired", challenge=renewed)
        if not code:
            return Answer(400, session, "code_missing", challenge=challenge)
        answer = self._try(session, challenge, code, meanwhile)
        has_prompt = answer.status in (422, 503)
        answer.challenge = challenge if has_prompt else None
        return answer

    def _try(
        self, session: Session, challenge: Challenge, code: str, meanwhile: str
    ) -> Answer:
        user = challenge.user
        if self.is_full(user):
            self.events.append(("failed", user, "TooManyAttempts"))
            return self._locked(session, user)
        ticket = (next(self._numbers), self.ledger_now)
        self.attempts.setdefault(user, []).append(ticket)
        remaining = min(most - len(self._in_window(user, s)) for most, s in LIMITS)
        until = self.free_again(user) if remaining == 0 else None
        before = self._standing(session, user)
        self.do(meanwhile, user)
        verdict = self.mode
        if verdict == "right" and not fold(code).startswith("right"):
            verdict = "wrong"
        kind, status, name = VERDICTS[verdict]
        told: dict[str, Any] = {}
        if verdict == "right":
            return self._settle(session, challenge, code, ticket, until, before)
        if verdict in ("down", "unknown"):
            if ticket in self.attempts.get(user, []):
                self.attempts[user].remove(ticket)
        elif until is not None:
            self.events.append(("exhausted", user, until))
            # Not where the elevation has ended meanwhile, and its operations with it.
            if challenge.action and self._standing(session, user) == before:
                self.spent.add(("void", challenge.number))
        if verdict == "wrong":
            told["attempts_remaining"] = remaining
        elif verdict != "not enrolled":
            self.events.append(("verifier failed", user, kind))
        self.events.append(("failed", user, kind))
        return Answer(status, session, name, is_asked=True, told=told)

    def _settle(
        self,
        session: Session,
        challenge: Challenge,
        code: str,
        ticket: tuple[int, float],
        until: float | None,
        before: Any,
    ) -> Answer:
        user = challenge.user
        key = user, fold(code)
        if self.used.get(key, -math.inf) > self.ledger_now:
            if until is not None and ticket in self.attempts.get(user, []):
                self.events.append(("exhausted", user, until))
            self.events.append(("reused", user))
            self.events.append(("failed", user, "CodeAlreadyUsed"))
            return Answer(422, session, "code_already_used", is_asked=True)
        self.used[key] = self.ledger_now + USED_CODE_KEPT
        self.attempts.pop(user, None)
        if self._standing(session, user) != before:
            self.events.append(("failed", user, "InvalidToken"))
            return Answer(400, session, "challenge_invalid", is_asked=True)
        name = challenge.view.scope if challenge.action is None else challenge.number
        mark = Mark(user, challenge.nonce, name, int(self.now), self.epoch(user),
                    challenge.action, challenge.tie)  # fmt: skip
        self.events.append(("succeeded", user, "backup_code"))
        return self._success(session, challenge, self._keeping(session, mark), True)

    def _success(
        self, old: Session, challenge: Challenge, new: Session, is_asked: bool = False
    ) -> Answer:
        serving = self._serving(old if not is_asked else new, challenge)
        # What was made just now is not looked at once more.
        lag = 0 if is_asked else self._lag_that_counts
        at = max(m.at for m in serving) - lag
        left = challenge.view.max_age - (self.now - at)
        told = {
            "code_type": "backup_code" if is_asked else None,
            "expires_in": max(0, int(left)),
        }
        return Answer(200, new, is_asked=is_asked, told=told)

    def _assess(self, session: Session, challenge: Challenge) -> str | None:
        """What a challenge lacks: a code, and why; None where it needs none."""
        self._watch_the_clock()
        if challenge.era != self.era:
            raise Over
        marks, number = self._serving(session, challenge), challenge.number
        lacking = self.lacking(session, marks, challenge.view.max_age, self.spent)
        if lacking and session.nonce in self.ended:
            raise Over
        if number in self.spent:
            raise Over
        if lacking and ("void", number) in self.spent:
            raise Over(is_voided=True)
        return lacking

    def _serving(self, session: Session, challenge: Challenge) -> list[Mark]:
        if challenge.action is None:
            return self._of(session, challenge.view.scope)
        return self._of(session, challenge.number)

    def _kept_open(self, challenge: Challenge) -> Challenge | None:
        if self._is_fresh(challenge.issued_at, CHALLENGE_MAX_AGE):
            return challenge
        if self.now - challenge.first_issued_at >= CHALLENGE_LIFE:
            return None
        return replace(challenge, issued_at=int(self.now))

    # --- what ends and begins elevation ---

    def grant(self, session: Session, scope: str) -> Answer:
        """The app itself has checked a code."""
        if session.user is None:
            return Answer(401, session)
        self._watch_the_clock()
        bound = self._bound(session)
        at, epoch = int(self.now), self.epoch(session.user)
        mark = Mark(session.user, bound.nonce or 0, scope, at, epoch)
        return Answer(200, self._keeping(bound, mark))

    def forget(self, session: Session) -> Session:
        if session.nonce is not None:
            self._watch_the_clock()
            self.ended.add(session.nonce)
            self.events.append(("revoked", None))
        return Session(session.user)

    def revoke(self, user: str) -> None:
        self._watch_the_clock()
        self.epochs[user] = next(self._numbers)
        self.events.append(("revoked", user))

    def unlock(self, user: str) -> None:
        self._watch_the_clock()
        self.attempts.pop(user, None)

    def do(self, what: str, user: str) -> None:
        """Revoke or unlock."""
        if what == "revoke":
            self.revoke(user)
        elif what == "unlock":
            self.unlock(user)

    # --- times ---

    @property
    def ledger_now(self) -> float:
        """What the clock of the ledger says: of its server, or of the machine."""
        return self.now + self.lag

    def may_be(self, then: float) -> bool:
        """Whether the machine's clock may be set back so far.

        What was over by then is over: nobody promises to remember it. And whether such
        a step is noticed must not depend on when somebody looked.
        """
        back = self.latest - then
        is_clear = back <= STEP_BACK or back > STEP_BACK + LOOKED_AT
        is_over = any(then <= at <= self.now for at in self.ledger_instants())
        return is_clear and not is_over

    def ledger_instants(self) -> set[float]:
        """When something that all workers remember is over."""
        tried = {at for attempts in self.attempts.values() for _, at in attempts}
        freed = {at + seconds for at in tried for _, seconds in LIMITS}
        return freed | {*self.used.values()}

    def status(self, session: Session, scope: str) -> dict[str, Any]:
        """What the status endpoint tells of the default policy in a scope."""
        self._watch_the_clock()
        marks = self._of(session, scope)
        counts = session.nonce not in self.ended
        proved = [m.at for m in marks if counts and self._counts(m)]
        met = self.lacking(session, marks, 600) is None
        told: dict[str, Any] = {"reverified": met, "verified_at": None, "expires_in": 0}
        if proved:
            at = max(proved) - self._lag_that_counts
            left = max(0, int(600 - (self.now - at)))
            told |= {"verified_at": int(at), "expires_in": left}
        return told

    def epoch(self, user: str) -> tuple[int, int]:
        return self.era, self.epochs.get(user, 0)

    def _watch_the_clock(self) -> None:
        """Void everything where the clock was set back since it was last looked at."""
        if self._has_own_clock:
            return
        is_set_back = self.latest - self.now > STEP_BACK
        self.era += is_set_back
        self.latest = self.now if is_set_back else max(self.latest, self.now)

    # --- small things ---

    def _is_fresh(self, at: float, max_age: float) -> bool:
        return -LEEWAY <= self.now - at < max_age

    @property
    def _lag_that_counts(self) -> float:
        return max(0.0, self.lag - LEEWAY)

    def _serves(self, mark: Mark, max_age: float) -> bool:
        """Whether a mark is fresh, by whichever clock has it older."""
        return self._is_fresh(mark.at - self._lag_that_counts, max_age)

    def _counts(self, mark: Mark) -> bool:
        return mark.epoch == self.epoch(mark.user)

    def _readable(self, session: Session) -> list[Mark]:
        """The marks of this person in this session; what a wrong clock made is none."""
        return [
            m
            for m in session.marks
            if (m.user, m.nonce) == (session.user, session.nonce)
            and m.at - self.now <= LEEWAY
            and m.epoch[0] == self.era
        ]

    def _of(self, session: Session, name: str | int) -> list[Mark]:
        return [m for m in self._readable(session) if m.name == name]

    def _is_for(self, session: Session, challenge: Challenge) -> bool:
        return (challenge.user, challenge.nonce) == (session.user, session.nonce)

    def _bound(self, session: Session) -> Session:
        if session.nonce in self.ended:
            session = Session(session.user)
        if session.nonce is None:
            return replace(session, nonce=next(self._numbers))
        return session

    def _keeping(self, session: Session, mark: Mark) -> Session:
        others = [
            m
            for m in self._readable(session)
            if m.name != mark.name and self._counts(m) and m.name not in self.spent
        ]
        others.sort(key=lambda m: -m.at)
        kept = [mark, *others][:MOST_KEPT]
        # No two are of the same second, so that a cookie holds one value alone.
        return replace(session, marks=tuple(sorted(kept, key=lambda m: -m.at)))

    def _standing(self, session: Session, user: str) -> Any:
        return self.epoch(user), session.nonce in self.ended

    def _in_window(self, user: str, seconds: int) -> list[float]:
        attempts = self.attempts.get(user, [])
        return sorted(at for _, at in attempts if at > self.ledger_now - seconds)

    def is_full(self, user: str) -> bool:
        """Whether no try is left."""
        return any(len(self._in_window(user, s)) >= most for most, s in LIMITS)

    def free_again(self, user: str) -> float:
        """When the next try is possible, where nothing is tried until then.

        No later than a whole window from now, whatever the clock has been at before.
        """
        return max(
            min(self._in_window(user, s)[-most], self.ledger_now) + s
            for most, s in LIMITS
            if len(self._in_window(user, s)) >= most
        )

    def _locked(self, session: Session, user: str) -> Answer:
        wait = math.ceil(self.free_again(user) - self.ledger_now)
        told = {"retry_after": wait}
        return Answer(429, session, "too_many_attempts", told=told)


def fold(code: str) -> str:
    """What all spellings of a code have in common."""
    return "".join(filter(str.isalnum, code.lower()))


#: The error that is told to signals, status and name of the answer.
VERDICTS = {
    "right": ("", 200, ""),
    "wrong": ("IncorrectCode", 422, "incorrect_code"),
    "not enrolled": ("NotEnrolled", 403, "not_enrolled"),
    "down": ("VerifierUnavailable", 503, "verifier_unavailable"),
    "unknown": ("OutcomeUnknown", 503, "outcome_unknown"),
    "broken": ("VerifierFault", 503, "verifier_unavailable"),
}

"""A Clerk front end, made of the packages that real ones have, and a live API."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask import g
from flask import request
from front_end import node
from serving import served

from flask_stepup import require_reverification
from flask_stepup import StepUp
from flask_stepup import Subject
from flask_stepup.sandbox import demo_users
from flask_stepup.sandbox import Sandbox
from flask_stepup.sandbox import SandboxUser

pytestmark = [node.needs_node, node.needs_packages]

stepup = StepUp()


def _within(view: Callable[[], Any]) -> Callable[[], Any]:
    """Guard a view as its own code may do it, in its midst."""

    def guarded() -> Any:
        stepup.require("lax", reason="See all of it")
        return view()

    return guarded


#: Routes that Clerk's modal can open: the guard, the modal's level, and the hint.
ROUTES: dict[str, tuple[Any, str, Any]] = {
    "bare": (require_reverification, "second_factor", "strict"),
    "strict_mfa": (
        require_reverification("strict_mfa"),
        "multi_factor",
        "strict_mfa",
    ),
    "strict": (require_reverification("strict"), "second_factor", "strict"),
    "moderate": (require_reverification("moderate"), "second_factor", "moderate"),
    "lax": (require_reverification("lax"), "second_factor", "lax"),
    "within": (_within, "second_factor", "lax"),
    "hour": (
        require_reverification(max_age=timedelta(hours=1), reason="Send money"),
        "second_factor",
        "moderate",
    ),
    "first": (
        require_reverification(level="first_factor", max_age=300),
        "first_factor",
        {"level": "first_factor", "afterMinutes": 5},
    ),
    "brief": (
        require_reverification(max_age=90),
        "second_factor",
        {"level": "second_factor", "afterMinutes": 1.5},
    ),
    "both": (
        require_reverification(level="multi_factor", max_age=7_200),
        "multi_factor",
        {"level": "multi_factor", "afterMinutes": 120},
    ),
}
STALE = (2_000, 2_000)
FRESH = (0, 0)


@pytest.fixture(name="user", scope="module")
def _user() -> SandboxUser:
    return demo_users()[0]


@pytest.fixture(name="sandbox", scope="module")
def _sandbox(user: SandboxUser) -> Sandbox:
    return Sandbox([user])


@pytest.fixture(name="app")
def _app(sandbox: Sandbox) -> Iterator[Flask]:
    """An API as its developer writes it: a key, and a decorator for each route."""
    with sandbox.serve() as url:
        app = Flask("api")
        app.config.update(
            SECRET_KEY="k" * 32,
            STEPUP_STORAGE_URI="memory://",
            STEPUP_CLERK_SECRET_KEY=sandbox.secret_key,
            STEPUP_CLERK_API_URL=url,
            STEPUP_CLERK_JWT_KEY=sandbox.jwt_key,
        )
        stepup.init_app(app)
        app.extensions["runs"] = []
        for name, (guard, _, _) in ROUTES.items():
            _route(app, name, guard)
        _route(app, "bound", require_reverification(scope="payments"))
        yield app
        app.extensions["stepup"].verifier._api.close()


def _route(app: Flask, name: str, guard: Any) -> None:
    def view() -> dict[str, Any]:
        app.extensions["runs"].append(request.get_json(silent=True))
        return {"done": name}

    app.add_url_rule(f"/{name}", name, guard(view), methods=["GET", "POST"])


@dataclass
class Came:
    """What came of a call of the front end."""

    opened: list[str]
    responses: list[dict[str, Any]]
    result: Any
    hint: bool
    error: dict[str, str] | None
    browser: dict[str, dict[str, str]]

    @property
    def statuses(self) -> list[int]:
        return [response["status"] for response in self.responses]


@dataclass
class FrontEnd:
    """A page of somebody's, with a session token in a cookie or in a header."""

    run: Callable[[Any], Any]
    site: str
    carrier: str
    cookies: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def refused(self) -> int:
        """The status of what an unmet policy is answered with."""
        return 401 if self.carrier == "bearer" else 403

    def elsewhere(self) -> FrontEnd:
        """The same page in another browser, with nobody signed in."""
        return FrontEnd(self.run, self.site, self.carrier)

    def carried(self, token: str) -> dict[str, dict[str, str]]:
        """What the page has of this session token."""
        if self.carrier == "bearer":
            return {"headers": {"Authorization": f"Bearer {token}"}}
        return {"cookies": {self.carrier: token}}

    def hold(self, token: str) -> None:
        """Go on with this session token."""
        carried = self.carried(token)
        self.cookies |= carried.get("cookies", {})
        self.headers |= carried.get("headers", {})

    def call(self, path: str, method: str = "POST", **job: Any) -> Came:
        """Fetch, through the hook where the job has an ``answer`` for it."""
        url = f"{self.site}{path}"
        browser = {"cookies": self.cookies, "headers": self.headers}
        job = {"url": url, "method": method, **browser, **job}
        came = Came(**self.run(job))
        self.cookies, self.headers = came.browser["cookies"], came.browser["headers"]
        return came


@pytest.fixture(name="run", scope="module")
def _run() -> Iterator[Callable[[Any], Any]]:
    with node.script("reverification.mjs") as run:
        yield run


@pytest.fixture(name="front_end", params=["__session", "bearer"])
def _front_end(
    app: Flask, run: Callable[[Any], Any], request: pytest.FixtureRequest
) -> Iterator[FrontEnd]:
    with served(app) as site:
        yield FrontEnd(run, site, request.param)


@dataclass
class Tokens:
    """Session tokens of one person in one session, as Clerk would issue them."""

    sandbox: Sandbox
    user: SandboxUser

    def __call__(self, *factor_ages: int, **claims: Any) -> str:
        # Longer than Clerk's minute: nothing here is about when they end.
        return self.sandbox.session_token(
            self.user.user_id,
            session_id="sess_1",
            factor_ages=factor_ages or None,
            lifetime=600,
            **claims,
        )


@pytest.fixture(name="tokens")
def _tokens(sandbox: Sandbox, user: SandboxUser) -> Tokens:
    return Tokens(sandbox, user)


def test_the_packages_are_those_that_are_pinned() -> None:
    """What was installed for an earlier release is not what is tested."""
    pinned = json.loads((node.HERE / "package.json").read_text())["dependencies"]
    installed = {
        name: json.loads((node.NODE_MODULES / name / "package.json").read_text())
        for name in pinned
    }

    for name, version in pinned.items():
        assert installed[name]["version"] == version.rpartition("@")[2]


# Clerk's own dialogue


@pytest.mark.parametrize("name", ROUTES)
def test_clerk_takes_the_answer_for_its_hint(
    front_end: FrontEnd, tokens: Tokens, name: str
) -> None:
    """For each preset and custom policy, also where a token has no factor ages."""
    front_end.hold(tokens())

    came = front_end.call(f"/{name}", "GET")

    assert came.statuses == [front_end.refused]
    assert came.hint is True
    assert came.result["status"] == front_end.refused
    assert came.result["clerk_error"] == {
        "type": "forbidden",
        "reason": "reverification-error",
        "metadata": {"reverification": ROUTES[name][2]},
    }
    told = came.responses[0]["headers"].get("www-authenticate", "")
    by_header = told.startswith('Bearer error="insufficient_user_authentication"')
    assert by_header == (front_end.carrier == "bearer")


@pytest.mark.parametrize("name", ROUTES)
def test_the_hook_opens_once_and_its_retry_succeeds(
    front_end: FrontEnd, tokens: Tokens, app: Flask, name: str
) -> None:
    """The modal is of the level that the policy asks for; the view runs once."""
    front_end.hold(tokens(*STALE))

    came = front_end.call(
        f"/{name}", json={"to": "Bob"}, answer=front_end.carried(tokens(*FRESH))
    )

    assert came.opened == [ROUTES[name][1]]
    assert came.statuses == [front_end.refused, 200]
    assert came.result == {"done": name}
    assert app.extensions["runs"] == [{"to": "Bob"}]


@pytest.mark.parametrize("name", ROUTES)
def test_somebody_fresh_at_clerk_is_not_asked(
    front_end: FrontEnd, tokens: Tokens, app: Flask, name: str
) -> None:
    """One call, no modal."""
    front_end.hold(tokens(*FRESH))

    came = front_end.call(f"/{name}", answer={"cancel": True})

    assert (came.opened, came.statuses, came.result) == ([], [200], {"done": name})
    assert len(app.extensions["runs"]) == 1


def test_cancelling_leaves_a_clear_error(
    front_end: FrontEnd, tokens: Tokens, app: Flask
) -> None:
    """The error is Clerk's own for it, and nothing is sent once more."""
    front_end.hold(tokens(*STALE))

    came = front_end.call("/strict", answer={"cancel": True})

    assert came.error
    assert came.error["name"] == "ClerkRuntimeError"
    assert came.error["code"] == "reverification_cancelled"
    assert came.statuses == [front_end.refused]
    assert app.extensions["runs"] == []


def test_a_token_that_stays_stale_makes_no_loop(
    front_end: FrontEnd, tokens: Tokens, app: Flask
) -> None:
    """The hook asks once, tries once more, and has the refusal for its result."""
    front_end.hold(tokens(*STALE))

    came = front_end.call("/strict", answer=front_end.carried(tokens(*STALE)))

    assert came.opened == ["second_factor"]
    assert came.statuses == [front_end.refused] * 2
    assert came.hint is True
    assert came.result["cause"] == "expired"
    assert app.extensions["runs"] == []


def test_a_scoped_route_is_a_clear_error_to_the_hook(
    front_end: FrontEnd, tokens: Tokens, app: Flask
) -> None:
    """Clerk's modal could not help: it is not opened, and there is no loop."""
    front_end.hold(tokens(*FRESH))

    came = front_end.call("/bound", answer=front_end.carried(tokens(*FRESH)))

    assert (came.opened, came.statuses) == ([], [front_end.refused])
    assert came.hint is False
    assert came.error is None
    problem = came.result
    assert "clerk_error" not in problem
    assert problem["code"] == "reverification_required"
    assert problem["detail"].endswith(".")
    assert problem["challenge"]
    assert problem["verify_url"] == "/stepup/"
    assert app.extensions["runs"] == []


# A dialogue of the page's own


@pytest.mark.parametrize("name", ["strict", "lax", "within", "brief"])
def test_a_code_in_a_dialogue_of_the_pages_own_does_as_well(
    front_end: FrontEnd, tokens: Tokens, user: SandboxUser, app: Flask, name: str
) -> None:
    """The session token stays as stale as it was: our marker meets the policy."""
    front_end.hold(tokens(*STALE))

    came = front_end.call(
        f"/{name}", json={"to": "Bob"}, answer={"code": user.current_code()}
    )

    assert came.opened == [ROUTES[name][1]]
    assert came.statuses == [front_end.refused, 200, 200]
    assert came.result == {"done": name}
    assert app.extensions["runs"] == [{"to": "Bob"}]
    verified = json.loads(came.responses[1]["body"])
    assert verified["verified"] is True
    assert verified["code_type"] == "totp"
    assert ("marker" in verified) == (front_end.carrier == "bearer")


@pytest.mark.parametrize("name", ["strict_mfa", "both"])
def test_a_code_and_a_fresh_first_factor_are_both_factors(
    front_end: FrontEnd, tokens: Tokens, user: SandboxUser, name: str
) -> None:
    """The claim proves the first, the marker the second."""
    front_end.hold(tokens(0, 2_000))

    came = front_end.call(f"/{name}", answer={"code": user.current_code()})

    assert came.opened == ["multi_factor"]
    assert came.statuses == [front_end.refused, 200, 200]
    assert came.result == {"done": name}


def test_a_wrong_code_opens_nothing(
    front_end: FrontEnd, tokens: Tokens, app: Flask
) -> None:
    """The dialogue is told so, and the hook's call ends as one that was cancelled."""
    front_end.hold(tokens(*STALE))

    came = front_end.call("/strict", answer={"code": "000000"})

    assert came.statuses == [front_end.refused, 422]
    assert json.loads(came.responses[1]["body"])["code"] == "incorrect_code"
    assert came.error
    assert came.error["code"] == "reverification_cancelled"
    assert app.extensions["runs"] == []


def test_a_scoped_route_opens_by_a_code(
    front_end: FrontEnd, tokens: Tokens, user: SandboxUser
) -> None:
    """A page that reads the problem itself can post the code and go on."""
    front_end.hold(tokens(*FRESH))
    refused = front_end.call("/bound").result
    code = {"challenge": refused["challenge"], "code": user.current_code()}

    verified = front_end.call(refused["verify_url"], json=code)
    if "marker" in verified.result:
        front_end.headers["Stepup-Marker"] = verified.result["marker"]

    assert front_end.call("/bound").result == {"done": "bound"}


def test_a_dialogue_may_be_open_for_longer_than_a_token_lives(
    front_end: FrontEnd, tokens: Tokens, user: SandboxUser
) -> None:
    """In a cookie, which nothing may have renewed meanwhile, an old one does for this.

    A page that sends a header asks Clerk for the token each time, and gets a new one.
    """
    good, over = tokens(*STALE), tokens(*STALE, iat=time.time() - 660)
    front_end.hold(good)
    challenge = front_end.call("/strict").result["challenge"]
    code = {"challenge": challenge, "code": user.current_code()}

    front_end.hold(over)
    verified = front_end.call("/stepup/", json=code)

    in_a_cookie = front_end.carrier != "bearer"
    assert verified.statuses == [200 if in_a_cookie else 401]
    assert front_end.call("/strict").statuses == [401]
    front_end.hold(good)
    assert front_end.call("/strict").statuses == [200 if in_a_cookie else 401]


# JSON, and nothing else


def test_every_answer_is_json(
    front_end: FrontEnd, tokens: Tokens, sandbox: Sandbox, user: SandboxUser
) -> None:
    """No redirect, no empty answer, no page: the hook parses whatever it is given."""
    stranger = front_end.elsewhere()
    forged = front_end.elsewhere()
    forged.hold(Tokens(Sandbox([user]), user)(*FRESH))
    posing = front_end.elsewhere()
    posing.hold(tokens(*FRESH, act={"iss": "x", "sid": "sess_2", "sub": "user_2"}))
    front_end.hold(tokens(*STALE))
    refused = front_end.call("/strict")
    challenge = refused.result["challenge"]

    def verify(someone: FrontEnd, **sent: Any) -> Came:
        return someone.call("/stepup/", json=sent)

    answers = {
        "refused": (refused, front_end.refused),
        "refused, by GET": (front_end.call("/strict", "GET"), front_end.refused),
        "refused in a scope": (front_end.call("/bound"), front_end.refused),
        "status, before": (front_end.call("/stepup/status", "GET"), 200),
        "no code": (verify(front_end, challenge=challenge), 400),
        "no challenge": (verify(front_end, code="123456"), 400),
        "no object": (front_end.call("/stepup/", json=["code"]), 400),
        "wrong code": (verify(front_end, challenge=challenge, code="000000"), 422),
        "anonymous": (stranger.call("/strict"), 401),
        "anonymous verify": (verify(stranger, challenge=challenge, code="1"), 401),
        "anonymous status": (stranger.call("/stepup/status", "GET"), 401),
        "forged": (forged.call("/strict"), 401),
        "impersonated": (posing.call("/strict"), 403),
        "impersonated verify": (verify(posing, challenge=challenge, code="1"), 403),
        "altered challenge": (
            verify(front_end, challenge=f"{challenge}x", code="123456"),
            400,
        ),
        "verified": (
            verify(front_end, challenge=challenge, code=user.current_code()),
            200,
        ),
        "status, after": (front_end.call("/stepup/status", "GET"), 200),
    }

    for name, (came, status) in answers.items():
        assert came.error is None, name
        (response,) = came.responses
        assert response["status"] == status, (name, came.result)
        assert not response["redirected"], name
        kind = response["headers"]["content-type"].split(";")[0]
        problem = status >= 400
        assert kind == f"application/{'problem+' if problem else ''}json", name
        assert isinstance(came.result, dict), name
        assert ("code" in came.result) == problem, name
    codes = {name: came.result.get("code") for name, (came, _) in answers.items()}
    assert codes["anonymous"] == codes["forged"] == "unauthenticated"
    assert codes["impersonated"] == "impersonation_refused"


def test_too_many_codes_are_json_with_the_time_to_wait(
    front_end: FrontEnd, tokens: Tokens
) -> None:
    """The hook's call ends, and the page can say when to come back."""
    front_end.hold(tokens(*STALE))
    challenge = front_end.call("/strict").result["challenge"]
    wrong = {"challenge": challenge, "code": "000000"}

    came = [front_end.call("/stepup/", json=wrong) for _ in range(6)]

    assert [one.statuses for one in came] == [[422]] * 5 + [[429]]
    locked = came[-1]
    assert locked.result["code"] == "too_many_attempts"
    assert 0 < locked.result["retry_after"] <= 300
    (response,) = locked.responses
    assert response["headers"]["retry-after"] == str(locked.result["retry_after"])


# Clerk's algorithm

_AGES = [-1, -2, -1.0, -0.5, 0, 0.0, 0.5, 1, 1.5, 4, 5, 9, 10, 59, 60, 119, 120]
_AGES += [1_439, 1_440, 99_999, 10**308, 10**400, float("inf"), float("-inf")]
_AGES += [True, False, None, "0", "", [], [0], {}]
#: Claims as a session token may have them, and as none should.
CLAIMS: list[Any] = [
    *([first, second] for first in _AGES for second in _AGES),
    *(None, True, False, 0, 1, -1, "", "0", "00", "0,0", "[0, 0]"),
    *([], [0], [0, 0, 0], [[0, 0]], [[0], [0]], [[0, 0], [0, 0]]),
    *({}, {"0": 0, "1": 0}, {"0": 0, "1": 0, "length": 2}, {"fva": [0, 0]}),
]
#: Clerk's presets, in minutes.
PRESETS = {
    "strict_mfa": ("multi_factor", 10),
    "strict": ("second_factor", 10),
    "moderate": ("second_factor", 60),
    "lax": ("second_factor", 1_440),
}
#: A preset, or level and seconds.
DEMANDS: list[Any] = [
    *PRESETS,
    ("first_factor", 300),
    ("first_factor", 86_400),
    ("second_factor", 1),
    ("second_factor", 60),
    ("second_factor", 90),
    ("multi_factor", 90),
    ("multi_factor", 3_600),
]


def _as_clerk_says_it(demand: Any) -> Any:
    if isinstance(demand, str):
        return demand
    return {"level": demand[0], "afterMinutes": demand[1] / 60}


@pytest.fixture(name="clerk", scope="module")
def _clerk() -> Any:
    """What Clerk's ``has({reverification})`` says of each claim and demand."""
    configs = [_as_clerk_says_it(demand) for demand in DEMANDS]
    with node.script("authorization.mjs") as ask:
        return ask({"ages": CLAIMS, "configs": configs})


def _ours(downgrade: bool) -> list[list[bool]]:
    """What an app says of the same, whose sessions have no markers."""
    app = Flask("api")
    app.config.update(
        SECRET_KEY="k" * 32,
        STEPUP_STORAGE_URI="memory://",
        STEPUP_CLERK_SECRET_KEY="sk_test_x",
        STEPUP_FACTOR_DOWNGRADE=downgrade,
    )
    StepUp(app, subject_loader=lambda: Subject("alice", "sess_1", g.claim))

    def is_reverified(claim: Any, demand: Any) -> bool:
        g.claim = claim
        if isinstance(demand, str):
            return stepup.is_reverified(demand)
        return stepup.is_reverified(level=demand[0], max_age=demand[1])

    with app.test_request_context():
        table = [
            [is_reverified(claim, demand) for demand in DEMANDS] for claim in CLAIMS
        ]
    app.extensions["stepup"].verifier._api.close()
    return table


def test_the_presets_are_clerks(clerk: Any) -> None:
    """Level and minutes of each name are what Clerk's own code makes of it."""
    read = dict(zip(PRESETS, clerk["read"], strict=False))

    assert read == {
        name: {"level": level, "afterMinutes": minutes}
        for name, (level, minutes) in PRESETS.items()
    }


def test_with_the_downgrade_a_claim_is_worth_what_clerk_says(clerk: Any) -> None:
    """For every claim and demand, however odd, the answer is the same."""
    ours = _ours(downgrade=True)

    assert _differences(ours, clerk["met"]) == []
    # Neither side says no, or yes, to everything.
    assert 0 < sum(map(sum, ours)) < len(CLAIMS) * len(DEMANDS)


def test_without_it_a_missing_second_factor_is_never_replaced(clerk: Any) -> None:
    """Stricter than Clerk on purpose where the claim says -1, and nowhere else."""
    expected = [
        [
            met and not _is_downgrade(claim, demand)
            for met, demand in zip(row, DEMANDS, strict=True)
        ]
        for claim, row in zip(CLAIMS, clerk["met"], strict=True)
    ]

    assert _differences(_ours(downgrade=False), expected) == []
    assert expected != clerk["met"]


def _is_downgrade(claim: Any, demand: Any) -> bool:
    """Whether Clerk takes the first factor for a second that is not enrolled."""
    level = PRESETS[demand][0] if isinstance(demand, str) else demand[0]
    return level != "first_factor" and claim[1] == -1


def _differences(ours: list[list[bool]], others: list[list[bool]]) -> list[Any]:
    return [
        (claim, demand, mine, other)
        for claim, row, row_of_others in zip(CLAIMS, ours, others, strict=True)
        for demand, mine, other in zip(DEMANDS, row, row_of_others, strict=True)
        if mine is not other
    ]

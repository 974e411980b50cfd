"""Who is signed in at Clerk: which token of a request speaks, and what it says."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask import jsonify
from hostile import answer
from hostile import Hang
from hostile import HostileServer
from hostile import Script
from minting import ABSENT
from minting import CLERK
from minting import key_set
from minting import PARTY
from minting import SECRET_KEY
from minting import SESSION
from minting import session_claims
from minting import STRANGER
from minting import USER
from naming import repr_of

from flask_stepup import StepUp
from flask_stepup import Subject
from flask_stepup.clerk import ClerkBackendAPI
from flask_stepup.clerk_session import clerk_session
from flask_stepup.clerk_session import ClerkSession
from flask_stepup.clerk_session import MOST_TOKENS
from flask_stepup.errors import ConfigurationError
from flask_stepup.session_token import SessionTokens
from flask_stepup.settings import Settings

NOW = 1_800_000_000
LEEWAY = 10
app = Flask(__name__)


@pytest.fixture(name="clerk")
def _clerk() -> ClerkSession:
    return ClerkSession(SessionTokens(CLERK.pem, leeway=LEEWAY))


def who(
    clerk: ClerkSession, *cookies: tuple[str, str], authorization: str | None = None
) -> str | None:
    """Who asks, by the Cookie and Authorization headers of a request."""
    with app.test_request_context(headers=headers(cookies, authorization)):
        subject = clerk()
    return subject.user_id if subject else None


def who_was(
    clerk: ClerkSession,
    *cookies: tuple[str, str],
    authorization: str | None = None,
    max_age: float = 900,
) -> str | None:
    """Who asked until lately."""
    with app.test_request_context(headers=headers(cookies, authorization)):
        subject = clerk.expired_subject(max_age)
    return subject.user_id if subject else None


def headers(
    cookies: tuple[tuple[str, str], ...], authorization: str | None
) -> dict[str, str]:
    sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies)}
    return sent | ({"Authorization": authorization} if authorization else {})


def token_of(user_id: str, **claims: Any) -> str:
    return CLERK.token(sub=user_id, **claims)


def expired_token_of(user_id: str, seconds: int = 60, **claims: Any) -> str:
    now = int(time.time())
    return token_of(user_id, exp=now - seconds, iat=now - seconds - 60, **claims)


BAD = STRANGER.token()


# -- What a token says


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({}, {}),
        ({"fva": ABSENT}, {"factor_ages": None}),
        ({"fva": None}, {"factor_ages": None}),
        ({"fva": [0, 0]}, {"factor_ages": (0, 0)}),
        # Not judged here: whatever stands in a list goes on.
        ({"fva": ["0", True]}, {"factor_ages": ("0", True)}),
        ({"fva": []}, {"factor_ages": ()}),
        # What is no list could not even be looked into.
        ({"fva": "00"}, {"factor_ages": None}),
        ({"fva": {"0": 0}}, {"factor_ages": None}),
        ({"fva": 0}, {"factor_ages": None}),
        ({"iat": ABSENT}, {"stated_at": None}),
        ({"iat": 0}, {"stated_at": 0}),
        ({"iat": NOW - 5}, {"stated_at": NOW - 5}),
        ({"act": {"sub": "user_admin"}}, {"impersonated": True}),
        ({"act": {}}, {"impersonated": True}),
        ({"act": False}, {"impersonated": True}),
        ({"act": None}, {"impersonated": False}),
    ],
    ids=repr_of,
)
def test_a_token_becomes_a_subject(
    claims: dict[str, Any], expected: dict[str, Any], clerk: ClerkSession
) -> None:
    """User, session, factor ages, when they were stated, and whether it is another."""
    whole = {"factor_ages": (3, -1), "impersonated": False, "stated_at": NOW} | expected
    with time_machine.travel(NOW, tick=False):
        cookie = CLERK.token(**claims)
        with app.test_request_context(headers={"Cookie": f"__session={cookie}"}):
            assert clerk() == Subject(USER, SESSION, **whole)


def test_nobody_is_nobody(clerk: ClerkSession) -> None:
    """A request without a token is anonymous."""
    assert who(clerk) is None
    assert who(clerk, ("session", token_of("a"))) is None


# -- Which token speaks


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEARER"])
def test_a_bearer_token_speaks(scheme: str, clerk: ClerkSession) -> None:
    """The scheme's case does not matter (RFC 9110, 11.1), nor do spaces after it."""
    token = token_of("alice")

    assert who(clerk, authorization=f"{scheme} {token}") == "alice"
    assert who(clerk, authorization=f"{scheme}   {token} ") == "alice"


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer",
        "Bearer ",
        f"Bearer {BAD}",
        "Bearer null",
        "Bearer undefined",
        "Bearer a=b",
        f"Bearer token={token_of('bob')}",
        f"Bearer {token_of('bob')}, Bearer {token_of('bob')}",
        f"Bearer Bearer {token_of('bob')}",
        f'Bearer "{token_of("bob")}"',
        "Bearer é",
        f"bearer {expired_token_of('bob')}",
    ],
    ids=lambda text: text[:12],
)
def test_a_bad_bearer_token_is_not_made_good_by_a_cookie(
    authorization: str, clerk: ClerkSession
) -> None:
    """Who comes with a bearer token is judged by it alone."""
    cookie = ("__session", token_of("alice"))
    was = ("__session", expired_token_of("alice"))

    assert who(clerk, cookie, authorization=authorization) is None
    assert who_was(clerk, was, authorization=authorization) is None


def test_a_good_bearer_token_comes_before_cookies(clerk: ClerkSession) -> None:
    """Even before a cookie that was issued later."""
    bearer = token_of("bearer", iat=int(time.time()) - 30)
    cookie = ("__session", token_of("cookie"))

    assert who(clerk, cookie, authorization=f"Bearer {bearer}") == "bearer"


@pytest.mark.parametrize(
    "authorization",
    [
        "Basic c3RhZ2luZzpodW50ZXIy",
        "Basic !",
        "Basic",
        'Digest username="a"',
        "DPoP abc",
        "BearerX abc",
        f"Bearer\t{token_of('bob')}",
        token_of("bob"),
        f"{token_of('bob')} x",
    ],
    ids=lambda text: text[:12],
)
def test_another_scheme_does_not_sign_people_out(
    authorization: str, clerk: ClerkSession
) -> None:
    """The password of a staging site, and a token without a scheme, say nothing."""
    cookie = ("__session", token_of("alice"))

    assert who(clerk, authorization=authorization) is None
    assert who(clerk, cookie, authorization=authorization) == "alice"
    was = ("__session", expired_token_of("alice"))
    assert who_was(clerk, was, authorization=authorization) == "alice"


@pytest.mark.parametrize(
    "name", ["__session", "__session_AbCd12-_", "__session_________"]
)
def test_these_cookies_are_clerks(name: str, clerk: ClerkSession) -> None:
    """With and without the eight characters that stand for an instance."""
    assert who(clerk, (name, token_of("alice"))) == "alice"


@pytest.mark.parametrize(
    "name",
    [
        "session",
        "_session",
        "__sessionid",
        "__session_",
        "__session_1234567.",
        "__session_1234567+",
        "__session-12345678",
        "__Session",
        "__SESSION_12345678",
        "x__session",
        "__Host-__session",
        "__client",
        "__session.12345678",
    ],
)
def test_these_cookies_are_not_clerks(name: str, clerk: ClerkSession) -> None:
    """A cookie of another name is not looked at, good or bad."""
    cookie = ("__session_12345678", token_of("alice"))

    assert who(clerk, (name, token_of("bob"))) is None
    assert who(clerk, (name, token_of("bob")), cookie) == "alice"
    assert who(clerk, (name, BAD), cookie) == "alice"
    assert who(clerk, (name, ""), cookie) == "alice"


def test_a_bad_cookie_does_not_hide_a_good_one(clerk: ClerkSession) -> None:
    """In whichever order, and under whichever of the names."""
    for bad in (BAD, "", "x", expired_token_of("bob"), token_of("bob", sts="pending")):
        for one, two in (("__session", "__session_12345678"), ("__session",) * 2):
            good = token_of("alice")
            assert who(clerk, (one, bad), (two, good)) == "alice"
            assert who(clerk, (one, good), (two, bad)) == "alice"
            assert who(clerk, (two, good), (one, bad)) == "alice"


def test_the_token_that_was_issued_last_speaks(clerk: ClerkSession) -> None:
    """Of several that are good, whatever their order and names."""
    now = int(time.time())
    old = CLERK.token(sid="old", iat=now - 30)
    new = CLERK.token(sid="new", iat=now - 5)
    ageless = CLERK.token(sid="ageless", iat=ABSENT)

    def session(*cookies: tuple[str, str]) -> str | None:
        with app.test_request_context(headers=headers(cookies, None)):
            subject = clerk()
        return subject.session_id if subject else None

    for one, two in (("__session", "__session_12345678"), ("__session",) * 2):
        assert session((one, old), (two, new)) == "new"
        assert session((one, new), (two, old)) == "new"
        assert session((two, new), (one, old)) == "new"
        assert session((one, ageless), (two, old)) == "old"
        assert session((one, old), (two, ageless)) == "old"
        assert session((one, ageless)) == "ageless"


def test_tokens_of_different_people_are_nobodys(clerk: ClerkSession) -> None:
    """One of them was put there by somebody else, from a neighbouring host."""
    alice, bob = token_of("alice"), token_of("bob")
    for one, two in (("__session", "__session_12345678"), ("__session",) * 2):
        assert who(clerk, (one, alice), (two, bob)) is None
        assert who(clerk, (one, alice), (two, expired_token_of("bob"))) == "alice"
        assert (
            who_was(
                clerk, (one, expired_token_of("a")), (two, expired_token_of("b", 90))
            )
            is None
        )


def test_with_too_many_tokens_it_is_nobody(clerk: ClerkSession) -> None:
    """Nobody can crowd the good one out, or have signatures verified without end."""
    forged = [STRANGER.token(jti=str(number)) for number in range(50)]
    tossed = [(f"__session_{n:08}", token) for n, token in enumerate(forged)]
    good, evil = token_of("alice"), token_of("evil")

    assert who(clerk, *tossed[: MOST_TOKENS - 1], ("__session", good)) == "alice"
    assert who(clerk, *tossed[:MOST_TOKENS], ("__session", good)) is None
    for first in (evil, good):
        crowd = [("__session", f) for f in (first, *forged[: MOST_TOKENS - 1])]
        assert (
            who(clerk, *crowd, ("__session", good if first == evil else evil)) is None
        )


def test_what_is_no_token_crowds_nobody_out(clerk: ClerkSession) -> None:
    """However many cookies have one of Clerk's names."""
    rubbish = [("__session", f"{n}") for n in range(50)]

    assert who(clerk, *rubbish, ("__session", token_of("alice"))) == "alice"


def test_who_leaves_is_whoever_is_named(clerk: ClerkSession) -> None:
    """By good tokens and expired ones, by cookies and header; and by no forged one."""
    cookies = (
        ("__session", token_of("good")),
        ("__session_x", expired_token_of("expired", 900)),
        ("__session_y", STRANGER.token(sub="forged")),
        ("__session_z", expired_token_of("too old", 5_000)),
    )
    bearer = f"Bearer {expired_token_of('bearer')}"

    def leaving(authorization: str | None) -> set[str]:
        sent = headers(cookies, authorization)
        with app.test_request_context(headers=sent):
            return {subject.user_id for subject in clerk.named_subjects(1_000)}

    assert leaving(bearer) == {"good", "expired", "bearer"}
    assert leaving("Bearer rubbish") == leaving(None) == {"good", "expired"}


def test_one_token_in_two_cookies_is_one_token(clerk: ClerkSession) -> None:
    """Clerk sets both cookies to one token; copies take no place of another."""
    copies = [(f"__session_{number:08}", BAD) for number in range(50)]

    assert who(clerk, *copies, ("__session", token_of("alice"))) == "alice"


# -- Who it was until lately


def test_an_expired_cookie_tells_who_it_was(clerk: ClerkSession) -> None:
    """With all but the factor ages, which are as old as the token at least."""
    with time_machine.travel(NOW, tick=False):
        cookie = expired_token_of("alice", act={"sub": "user_admin"})
        with app.test_request_context(headers={"Cookie": f"__session={cookie}"}):
            was = clerk.expired_subject(900)
            assert clerk() is None

    assert was == Subject("alice", SESSION, None, True, NOW - 120)


def test_an_expired_cookie_tells_it_for_so_long(clerk: ClerkSession) -> None:
    """For the seconds that are given, and the leeway."""
    with time_machine.travel(NOW, tick=False):
        for age, known in ((11, True), (300, True), (310, True), (311, False)):
            cookie = ("__session", expired_token_of("alice", age))
            expected = "alice" if known else None
            assert who_was(clerk, cookie, max_age=300) == expected, age
            assert who(clerk, cookie) is None
        for max_age in (0, -1, float("nan")):
            cookie = ("__session", expired_token_of("alice", 11))
            assert who_was(clerk, cookie, max_age=max_age) is None


def test_only_what_has_expired_is_told(clerk: ClerkSession) -> None:
    """Where a cookie is good, no expired one speaks; and it has its own way to."""
    good, was = token_of("alice"), expired_token_of("bob")

    assert who_was(clerk, ("__session", good)) is None
    assert who_was(clerk, ("__session", good), ("__session_12345678", was)) is None
    assert who_was(clerk, ("__session", was), ("__session_12345678", good)) is None


def test_a_bearer_token_never_was(clerk: ClerkSession) -> None:
    """An expired bearer token tells nobody, with or without a cookie."""
    was = expired_token_of("alice")

    assert who_was(clerk, authorization=f"Bearer {was}") is None
    assert who_was(clerk, ("__session", was), authorization=f"Bearer {was}") is None


@pytest.mark.parametrize(
    "claims",
    [{"sts": "pending"}, {"sid": ABSENT}, {"aud": "x"}, {"nbf": 4_102_444_800}],
    ids=repr_of,
)
def test_an_expired_cookie_has_no_other_fault(
    claims: dict[str, Any], clerk: ClerkSession
) -> None:
    """What would have been refused while it was young tells nobody now."""
    now = int(time.time())
    times = {"exp": now - 60, "iat": now - 120}

    assert who_was(clerk, ("__session", CLERK.token(**times))) == USER
    assert who_was(clerk, ("__session", CLERK.token(**times, **claims))) is None
    assert who_was(clerk, ("__session", STRANGER.token(**times))) is None


# -- What apps see


@pytest.fixture(name="server")
def _server() -> Iterator[HostileServer]:
    with HostileServer(answer(200, key_set(CLERK.jwk))) as server:
        yield server


def guarded(loader: ClerkSession) -> Flask:
    """An app that tells who asks."""
    guarded = Flask("guarded")

    @guarded.get("/")
    def me() -> Any:
        subject, was = loader(), loader.expired_subject(900)
        return jsonify(
            is_=subject and subject.user_id, was=was and was.user_id, ok=True
        )

    return guarded


def read(config: dict[str, Any]) -> Settings:
    configured = Flask("configured")
    configured.config.update(config)
    return Settings.read(configured)


def test_no_request_makes_an_app_fail(clerk: ClerkSession) -> None:
    """Whatever is in the headers, the answer is no error."""
    client = guarded(clerk).test_client()
    dice = random.Random(20261124)  # noqa: S311
    values = [CLERK.token(), BAD, expired_token_of("bob"), "a=b", '"', "\\", ";", "é"]
    values += [CLERK.saying(b"[" * 3_000), "x" * 9_000, "%00", "a, b", "=", "*=''"]
    for _ in range(300):
        value = "".join(dice.choices([*values, "\x7f", "\xff", " ", ","], k=3))
        if dice.random() < 0.3:
            value = dice.randbytes(60).decode("latin-1")
        value = "".join(char for char in value if char not in "\r\n\0")
        scheme = dice.choice(["Bearer", "Basic", "Digest", "bearer", ""])
        environ = {
            "HTTP_AUTHORIZATION": f"{scheme} {value}",
            "HTTP_COOKIE": f"__session={value}; __session_12345678={value[::-1]}",
        }
        assert client.get("/", environ_overrides=environ).status_code == 200
        del environ["HTTP_AUTHORIZATION"]
        assert client.get("/", environ_overrides=environ).status_code == 200


def test_settings_decide_what_is_good() -> None:
    """Key, parties and leeway come from the app's configuration."""
    settings = read(
        {
            "STEPUP_CLERK_JWT_KEY": CLERK.pem.replace("\n", "\\n"),
            "STEPUP_CLERK_AUTHORIZED_PARTIES": [PARTY],
            "STEPUP_CLOCK_LEEWAY": 20,
        }
    )
    clerk = clerk_session(settings, None)
    with time_machine.travel(NOW, tick=False):
        assert who(clerk, ("__session", token_of("a", exp=NOW - 19))) == "a"
        assert who(clerk, ("__session", token_of("a", exp=NOW - 20))) is None
        assert who(clerk, ("__session", token_of("a", azp="https://x.example"))) is None
        assert who(clerk, ("__session", token_of("a", azp=ABSENT))) is None


def test_with_a_pem_nobody_is_asked(server: HostileServer) -> None:
    """Not even where there is a backend to ask, and for no kid."""
    settings = read({"STEPUP_CLERK_JWT_KEY": CLERK.pem})
    with closing(ClerkBackendAPI(SECRET_KEY, base_url=server.url)) as api:
        clerk = clerk_session(settings, api)
        assert who(clerk, ("__session", token_of("alice"))) == "alice"
        assert who(clerk, ("__session", STRANGER.token({"kid": "x"}))) is None

    assert server.connections == 0


def test_without_a_pem_the_keys_are_fetched(server: HostileServer) -> None:
    """Once, when the first token comes, and never for what could not be a token."""
    with closing(ClerkBackendAPI(SECRET_KEY, base_url=server.url)) as api:
        clerk = clerk_session(read({}), api)
        for rubbish in ("", "x", "a.b.c", CLERK.token(algorithm="RS512")):
            assert who(clerk, ("__session", rubbish)) is None
        assert server.requests == []

        for _ in range(20):
            assert who(clerk, ("__session", token_of("alice"))) == "alice"
            assert who(clerk, ("__session", STRANGER.token())) is None
        for number in range(200):
            forged = STRANGER.token({"kid": f"forged-{number}"})
            assert who(clerk, authorization=f"Bearer {forged}") is None

    # Once for the first, and once for the first of those that nobody knows.
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "script", [answer(500), answer(200, "{}"), (Hang(),)], ids=["500", "{}", "hangs"]
)
def test_without_keys_people_are_anonymous(
    script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    """An outage of the backend is no error of the app's, and is logged."""
    with (
        HostileServer(script) as server,
        closing(ClerkBackendAPI(SECRET_KEY, base_url=server.url, timeout=0.3)) as api,
    ):
        client = guarded(clerk_session(read({}), api)).test_client()
        client.set_cookie("__session", token_of("alice"))
        for _ in range(20):
            answered = client.get("/")
            assert answered.status_code == 200
            assert answered.json == {"is_": None, "was": None, "ok": True}
        assert len(server.requests) == 1

    assert "the keys of session tokens cannot be had" in caplog.text
    assert SECRET_KEY not in caplog.text


def test_without_any_key_an_app_does_not_start() -> None:
    """The error names both of the settings that would do."""
    with pytest.raises(ConfigurationError, match="STEPUP_CLERK_JWT_KEY") as raised:
        clerk_session(read({}), None)

    assert "STEPUP_CLERK_SECRET_KEY" in str(raised.value)


def test_a_bad_pem_stops_an_app_at_its_start() -> None:
    """And not at its first request."""
    with pytest.raises(ConfigurationError, match="private key"):
        clerk_session(read({"STEPUP_CLERK_JWT_KEY": CLERK.private_pem}), None)


def test_it_is_a_subject_loader(clerk: ClerkSession) -> None:
    """Of the kind that StepUp takes."""
    StepUp(subject_loader=clerk)


def test_why_a_token_is_refused_is_logged_for_developers(
    clerk: ClerkSession, caplog: pytest.LogCaptureFixture
) -> None:
    """At level DEBUG, by the fault alone: no token, claim or key."""
    caplog.set_level(logging.DEBUG)
    tokens = [
        token_of("user_1", sts="pending"),
        STRANGER.token(),
        CLERK.saying({**session_claims(), "exp": "soon"}),
        expired_token_of("user_1"),
    ]
    for token in tokens:
        assert who(clerk, ("__session", token)) is None

    assert [record.levelname for record in caplog.records] == ["DEBUG"] * 4
    assert "not active" in caplog.text
    for secret in [*tokens, *(p for t in tokens for p in t.split(".")), "user_1", USER]:
        assert secret not in caplog.text

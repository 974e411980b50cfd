"""Clerk's official Python SDK and we, on the same requests.

Each row asserts what both sides really answer, so that it fails when either changes.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from clerk_backend_api.security import authenticate_request
from clerk_backend_api.security.types import AuthenticateRequestOptions
from flask import Flask
from flask import request
from minting import ABSENT
from minting import CLERK
from minting import CURVED
from minting import PARTY
from minting import session_claims
from minting import STRANGER
from minting import USER

from flask_stepup.clerk_session import ClerkSession
from flask_stepup.session_token import SessionTokens

LEEWAY = 10
#: Seconds on either side of a limit, so that a busy machine does not cross it.
MARGIN = 60
app = Flask(__name__)


@dataclass(frozen=True)
class Row:
    """A request, and who it is by the SDK and by us; None is nobody.

    :param cookies: the header, with ``{}`` where the token goes.
    :param because: why the two differ, where they do.
    """

    name: str
    token: Callable[[], str] = CLERK.token
    cookies: str | None = None
    authorization: str | None = None
    parties: tuple[str, ...] = (PARTY,)
    because: str = ""

    @property
    def headers(self) -> dict[str, str]:
        token = self.token()
        cookies = "__session={}" if self._is_plain else self.cookies
        sent = {"Cookie": cookies, "Authorization": self.authorization}
        return {
            name: value.replace("{}", token).replace("{bad}", STRANGER.token())
            for name, value in sent.items()
            if value is not None
        }

    @property
    def _is_plain(self) -> bool:
        return self.cookies is None and self.authorization is None


def by_the_sdk(row: Row) -> str | None:
    """Who it is by ``authenticate_request``."""
    state = authenticate_request(
        request,
        AuthenticateRequestOptions(
            jwt_key=CLERK.pem,
            authorized_parties=list(row.parties) or None,
            clock_skew_in_ms=LEEWAY * 1_000,
            accepts_token=["session_token"],
        ),
    )
    if not state.is_signed_in:
        return None
    assert state.payload is not None
    return str(state.payload.get("sub", "somebody"))


def by_us(row: Row) -> str | None:
    """Who it is by the subject loader."""
    tokens = SessionTokens(CLERK.pem, authorized_parties=row.parties, leeway=LEEWAY)
    subject = ClerkSession(tokens)()
    return subject.user_id if subject else None


def both(row: Row) -> tuple[str | None, str | None]:
    with app.test_request_context(headers=row.headers):
        return by_the_sdk(row), by_us(row)


def saying(**claims: Any) -> Callable[[], str]:
    return lambda: CLERK.token(**claims)


def in_seconds(claim: str, seconds: int) -> Callable[[], str]:
    return lambda: CLERK.token(**{claim: int(time.time()) + seconds})


def headed(**header: Any) -> Callable[[], str]:
    whole = {"alg": "RS256", "kid": CLERK.kid, "typ": "JWT", **header}
    return lambda: CLERK.signed(whole, session_claims())


#: Who has these is signed in, both say.
GOOD = [
    Row("a cookie"),
    Row("a cookie with a suffix", cookies="__session_AbCd1234={}"),
    Row("both cookies", cookies="__session={}; __session_AbCd1234={}"),
    Row("a cookie among others", cookies="theme=dark; __session={}; __client_uat=1"),
    Row("a bearer token", authorization="Bearer {}"),
    Row(
        "a bearer token and a bad cookie",
        authorization="Bearer {}",
        cookies="__session={bad}",
    ),
    Row("no parties configured", parties=(), token=saying(azp="https://x.example")),
    Row("no parties, no azp", parties=(), token=saying(azp=ABSENT)),
    Row("the second of two parties", parties=("https://a.example", PARTY)),
    Row("no iat, no nbf", token=saying(iat=ABSENT, nbf=ABSENT)),
    Row("no fva", token=saying(fva=ABSENT)),
    Row("no iss", token=saying(iss=ABSENT)),
    Row("version 1", token=saying(v=ABSENT, sts=ABSENT, org_id="org_1")),
    Row("claims of its own", token=saying(metadata={"role": "owner"}, plan=[1])),
    Row("headers of its own", token=headed(cat="cl_B7d4PD111AAA", oiat=1)),
    Row("no typ", token=lambda: CLERK.token({"typ": None})),
    Row("no kid", token=lambda: CLERK.signed({"alg": "RS256"}, session_claims())),
    Row("an aud that names nobody", token=saying(aud=[])),
    Row("somebody in another's name", token=saying(act={"sub": "user_admin"})),
    Row("expired within the leeway", token=in_seconds("exp", -LEEWAY // 2)),
    Row("early within the leeway", token=in_seconds("nbf", LEEWAY // 2)),
    Row("of the future within the leeway", token=in_seconds("iat", LEEWAY // 2)),
]

#: Who has these is not, both say.
BAD = [
    Row("nothing", cookies="", authorization=None),
    Row("an empty cookie", cookies="__session="),
    Row("rubbish", token=lambda: "rubbish"),
    Row("three dots", token=lambda: "..."),
    Row("no signature", token=lambda: CLERK.token().rpartition(".")[0] + "."),
    Row("another instance's token", token=STRANGER.token),
    Row("a curve's signature", token=lambda: CURVED.token(algorithm="ES256")),
    Row("RS512", token=lambda: CLERK.token(algorithm="RS512")),
    Row("alg none", token=headed(alg="none")),
    Row("HS256 in its name", token=headed(alg="HS256")),
    Row("no alg", token=lambda: CLERK.signed({"kid": CLERK.kid}, session_claims())),
    Row("an unknown extension", token=headed(crit=["exp"])),
    Row("b64 is false", token=headed(b64=False, crit=["b64"])),
    Row("kid is a number", token=headed(kid=1)),
    Row("claims in a list", token=lambda: CLERK.saying([session_claims()])),
    Row("claims too deep", token=lambda: CLERK.saying(b"[" * 2_500 + b"]" * 2_500)),
    Row("expired", token=in_seconds("exp", -LEEWAY - MARGIN)),
    Row("not yet", token=in_seconds("nbf", LEEWAY + MARGIN)),
    Row("of the future", token=in_seconds("iat", LEEWAY + MARGIN)),
    Row("exp is null", token=saying(exp=None)),
    Row("exp is true", token=saying(exp=True)),
    Row("exp is a date", token=saying(exp="2100-01-01")),
    Row("exp is NaN", token=saying(exp=float("nan"))),
    Row("exp is infinite", token=saying(exp=float("inf"))),
    Row("nbf is text", token=saying(nbf="soon")),
    Row("iat is an object", token=saying(iat={})),
    Row("sub is a number", token=saying(sub=1)),
    Row("jti is a number", token=saying(jti=1)),
    Row("an ID token", token=saying(aud="client_1")),
    Row("another party", token=saying(azp="https://evil.example")),
    Row("a party with a slash", token=saying(azp=f"{PARTY}/")),
    Row("a party in capitals", token=saying(azp=PARTY.upper())),
    Row("no party", token=saying(azp=ABSENT)),
    Row("party is null", token=saying(azp=None)),
    Row("party is a list", token=saying(azp=[PARTY])),
    Row("a bad bearer token", authorization="Bearer {bad}"),
    Row(
        "a bad bearer token and a good cookie",
        authorization="Bearer {bad}",
        cookies="__session={}",
    ),
    Row("two bearer tokens", authorization="Bearer {}, Bearer {}"),
    Row("an API key", authorization="Bearer ak_0123456789"),
    Row("an opaque access token", authorization="Bearer oat_0123456789"),
    Row("no more than a password", authorization="Basic c3RhZ2luZzpodW50ZXIy"),
]

#: The SDK lets these in, and we do not, on purpose.
STRICTER = [
    Row(
        "pending",
        token=saying(sts="pending"),
        because="a task of sign-in is left to do: signed out, by default, in Clerk's "
        "JavaScript",
    ),
    Row(
        "sts is null",
        token=saying(sts=None),
        because="whatever is not active is not",
    ),
    Row(
        "no sid",
        token=saying(sid=ABSENT),
        because="markers are bound to the session, and machine tokens have none",
    ),
    Row(
        "sid is a number",
        token=saying(sid=1),
        because="as none",
    ),
    Row(
        "no sub",
        token=saying(sub=ABSENT),
        because="it names nobody",
    ),
    Row(
        "sub is empty",
        token=saying(sub=""),
        because="it names nobody",
    ),
    Row(
        "sub has half a character",
        token=saying(sub="user_\ud800"),
        because="no ledger and no log could keep it",
    ),
    Row(
        "no exp",
        token=saying(exp=ABSENT),
        because="it would be good for ever",
    ),
    Row(
        "exp is text",
        token=saying(exp="4102444800"),
        because="times are numbers (RFC 7519, 2)",
    ),
    Row(
        "exp is beyond reckoning",
        token=saying(exp=1e300),
        because="times are such that arithmetic with them cannot fail",
    ),
    Row(
        "iat is below zero",
        token=saying(iat=-1),
        because="as above; it becomes the time of the factor ages",
    ),
    Row(
        "iat is text",
        token=saying(iat="0"),
        because="as above",
    ),
    Row(
        "an OAuth access token",
        token=lambda: CLERK.token({"typ": "at+jwt"}),
        because="Clerk signs access tokens of other apps with the same key (RFC 9068, "
        "2.1; RFC 8725, 3.11), and its JavaScript tells them apart like this",
    ),
    Row(
        "an extension that PyJWT knows",
        token=headed(b64=True, crit=["b64"]),
        because="Clerk has no use for any",
    ),
    Row(
        "a bare token",
        authorization="{}",
        because="an Authorization header begins with a scheme (RFC 9110, 11.6.2)",
    ),
    Row(
        "the scheme twice",
        authorization="Bearer Bearer {}",
        because="a token has no space in it (RFC 6750, 2.1)",
    ),
    Row(
        "more than 8,192 characters",
        token=saying(metadata="m" * 8_192),
        because="no cookie and no header of ordinary servers holds so much",
    ),
    Row(
        "another app's cookie",
        cookies="__sessionid={}",
        because="Clerk's cookie has another name",
    ),
]

#: The SDK loses people whom we keep.
KEPT = [
    Row(
        "the password of a staging site",
        cookies="__session={}",
        authorization="Basic c3RhZ2luZzpodW50ZXIy",
        because="the SDK takes any Authorization header for a token",
    ),
    Row(
        "Digest",
        cookies="__session={}",
        authorization='Digest username="staging"',
        because="as above",
    ),
    Row(
        "another app's cookie before Clerk's",
        cookies="__session_x=1; __session={}",
        because="the SDK takes the first cookie whose name begins with __session",
    ),
    Row(
        "another app's session id before Clerk's",
        cookies="__sessionid=1; __session_AbCd1234={}",
        because="as above",
    ),
    Row(
        "another instance's cookie before this one's",
        cookies="__session={bad}; __session_AbCd1234={}",
        because="as above: two apps on one host, as on localhost",
    ),
    Row(
        "the cookie of a session that ended",
        cookies="__session=; __session_AbCd1234={}",
        because="as above",
    ),
    Row(
        "bearer in lower case",
        authorization="bearer {}",
        because="a scheme is the same in any case (RFC 9110, 11.1)",
    ),
]


def named(row: Row) -> str:
    return row.name


@pytest.mark.parametrize("row", GOOD, ids=named)
def test_both_let_in(row: Row) -> None:
    """What is good for the SDK is good for us."""
    assert both(row) == (USER, USER)


@pytest.mark.parametrize("row", BAD, ids=named)
def test_both_keep_out(row: Row) -> None:
    """What is bad for the SDK is bad for us."""
    assert both(row) == (None, None)


@pytest.mark.parametrize("row", STRICTER, ids=named)
def test_we_are_stricter_on_purpose(row: Row) -> None:
    """The SDK takes it, we do not, and the row says why."""
    by_sdk, by_ours = both(row)

    assert row.because
    assert by_sdk is not None
    assert by_ours is None


@pytest.mark.parametrize("row", KEPT, ids=named)
def test_we_keep_whom_the_sdk_loses(row: Row) -> None:
    """The SDK signs a person out for what is none of Clerk's, and we do not."""
    assert row.because
    assert both(row) == (None, USER)


def test_the_rows_are_what_they_say() -> None:
    """No name stands for two rows, and the password is one."""
    names = [row.name for rows in (GOOD, BAD, STRICTER, KEPT) for row in rows]

    assert len(names) == len(set(names))
    assert base64.b64decode("c3RhZ2luZzpodW50ZXIy") == b"staging:hunter2"

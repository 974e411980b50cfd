"""Misuse from outside, by headers: no answer of 500, and no gate that opens."""

from __future__ import annotations

import math
from itertools import cycle
from typing import Any

import pytest
from conftest import MakeApp
from flask import Flask
from minting import CLERK
from minting import session_claims
from misusing import Callers
from misusing import doors_of
from misusing import ENDPOINTS
from misusing import environ_of
from misusing import faults
from misusing import HTMX
from misusing import in_login
from misusing import OLD_PAGE
from misusing import send
from misusing import still_opens
from people import Codes
from people import PAGE

from flask_stepup import StepUp

#: For every header; bytes that are no text in UTF-8 too.
HOSTILE = (
    "",
    "\0",
    " \t\x7f\x0b\x0c ",
    "\x80\xff\xc3\xbc\xed\xa0\x80",
    "'\"<script>&",
    "%00%ff%ed%a0%80%",
    "{,;=,;=",
    "null",
    "-1",
    "1e999",
    "9" * 5_000,
    "[" * 20_000,
    "//evil.example/\\@localhost",
    "http://[",
)
#: What besides means something in just this header.
ODD = {
    "Accept": (
        "text/html;q=nan",
        "text/html;q=-1,*/*;q=",
        "text/html;q=1e999",
        "text/html;" * 5_000,
        "*/*," * 500,
        "TEXT/HTML",
        'text/html;q=0, application/xhtml+xml;level="',
    ),
    "Authorization": (
        "Bearer",
        "bearer ",
        "Bearer \xff",
        "Bearer \0",
        "Bearer " + "a" * 50_000,
        "Bearer a.b.c",
        "Bearer x, Bearer y",
        "Bearer\tx",
        'Bearer a=b, c="d',
        "Basic !",
        "Basic " + "/" * 5_000,
        'Digest username="\xff, realm=',
    ),
    "Content-Type": (
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\xff",
        "multipart/form-data; boundary=" + "b" * 5_000,
        "multipart/form-data; boundary*=utf-8''%ff",
        "application/json; charset=utf-7",
        "application/json; charset=\0",
        "application/x-www-form-urlencoded; charset=utf-16",
        "application/json" + ";" * 5_000,
        "text/html, application/json",
        "/",
        ";",
    ),
    "Content-Length": ("0", "5", "5, 5", " 5", "+5", "0x5", "99999999", "9" * 400),
    "Cookie": (
        "session",
        "session=",
        "session=;session=;session=a.b.c",
        "session=a.b.c",
        "session=.a.b.c",
        "session=.eJw.b.c",
        "session=\xff",
        'session="\\377\\000\\"',
        "session=" + "e" * 50_000,
        "session=" + "." * 50_000,
        ";" * 10_000,
        "__session=a.b.c; __session_x=a.b.c",
        "remember_token=1|x; _stepup=x; _stepup_sid=y",
    ),
    "HX-Current-URL": (
        "http://localhost",
        "http://localhost:99999/",
        "http://localhost/" + "a" * 50_000,
        "http://localhost/\xff?\xff#\xff",
        "http://localhost/stepup/",
        "http://[::1]:x/",
        "http://localhost/\0",
        "http://localhost/?" + "&" * 20_000,
    ),
    "HX-Request": ("TRUE", "true, true"),
    "Origin": ("http://localhost", "null", "http://localhost, null", "http://[::1"),
    "Sec-Fetch-Mode": ("navigate", "cors", "navigate, cors"),
    "Sec-Fetch-Site": ("same-origin", "none", "cross-site", "same-origin, none"),
    "Stepup-Marker": (
        "," * 20_000,
        "a.b.c," * 20,
        ".a.b.c",
        ".eJw.b.c",
        "a.b." + "\xff" * 30,
        "." * 20_000,
        "\xff.\xff.\xff",
    ),
    "Transfer-Encoding": ("chunked", "gzip, chunked", "identity", "chunked, chunked"),
}
ODD["Referer"] = ODD["HX-Current-URL"]
#: What nothing of ours reads.
NOT_OURS = (
    "Accept-Language",
    "Content-Encoding",
    "Expect",
    "Forwarded",
    "If-None-Match",
    "Range",
    "Upgrade",
    "User-Agent",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Prefix",
    "X-HTTP-Method-Override",
    "X-Original-URL",
)


@pytest.fixture(name="app")
def _app(make_app: MakeApp, codes: Codes) -> Flask:
    stepup = StepUp(verifier=codes, subject_loader=in_login)
    return doors_of(make_app(stepup=stepup), stepup)


@pytest.mark.parametrize("header", ODD)
def test_no_header_opens_anything_or_makes_a_500(
    app: Flask, codes: Codes, header: str
) -> None:
    """Whatever is in it, with every kind of client and every way of guarding."""
    callers = Callers(app)
    found = faults(
        app,
        (
            environ_of(method, path, with_header(headers, header, value), body)
            for value in (*HOSTILE, *ODD[header])
            for method, path, headers, body in callers.everywhere()
        ),
    )

    assert found == []
    assert codes.asked == []
    assert still_opens(app)


def test_no_headers_together_open_anything_or_make_a_500(app: Flask) -> None:
    """All of them hostile at once, but for those that tell the kind of client."""
    chooses = {"Authorization", "Cookie", "HX-Request", "Accept", "Sec-Fetch-Mode"}
    others = [*sorted(ODD.keys() - chooses), *NOT_OURS]
    callers = Callers(app)

    found = faults(
        app,
        (
            environ_of(method, path, headers | dict.fromkeys(others, value), body)
            for value in HOSTILE
            for method, path, headers, body in callers.everywhere()
        ),
    )

    assert found == []


# Tokens that Clerk has signed, with claims that it never makes.

CLAIMS: tuple[dict[str, Any], ...] = (
    *(
        {"fva": ages}
        for ages in (
            None,
            0,
            "00",
            {"0": 0, "1": 0},
            [],
            [0],
            [0, 0, 0],
            ["0", "0"],
            [None, None],
            [[], {}],
            [True, False],
            [-2, -2],
            [0, -2],
            [-1e308, 1e308],
            [10**400, 10**400],
            [math.nan, math.nan],
            [-math.inf, math.inf],
        )
    ),
    *({"fva": [0, 0], "act": actor} for actor in ({}, [], "", 0, False, "eve")),
    {"fva": [0, 0], "sub": "\ud800"},
    {"fva": [0, 0], "sub": "a\0b"},
    {"fva": [0, 0], "sid": ["x"]},
    {"fva": [0, 0], "iat": 2**60},
    {"fva": [0, 0], "sub": {}},
    {"fva": [-1, -1], "sub": "../../me?x#y", "sid": "' OR 1=1 --"},
    {"fva": [-1, -1], "sub": "a" * 4_000, "sid": "b" * 1_000},
)


@pytest.mark.parametrize("where", ["bearer", "cookie"])
def test_no_claims_are_a_500(make_app: MakeApp, codes: Codes, where: str) -> None:
    """Signed by Clerk as they may be: what is no age of a factor is the age of none."""
    stepup = StepUp(verifier=codes)
    app = doors_of(make_app(stepup=stepup, STEPUP_CLERK_JWT_KEY=CLERK.pem), stepup)
    # For one of them is the end of the session: nothing would open after it.
    endpoints = [(method, path) for method, path in ENDPOINTS if path != "/forget"]
    kinds = cycle(({}, PAGE, HTMX, OLD_PAGE, PAGE))
    good = environ_of("GET", "/vault", carrying({"fva": [0, 0]}, where))
    found = faults(
        app,
        (
            environ_of(method, path, next(kinds) | odd)
            for odd in [carrying(claims, where) for claims in CLAIMS]
            for method, path in endpoints
        ),
    )

    assert send(app, good).status == 200
    assert found == []
    assert codes.asked == []


def carrying(claims: dict[str, Any], where: str) -> dict[str, str]:
    token = CLERK.saying(session_claims(**claims))
    if where == "bearer":
        return {"Authorization": f"Bearer {token}"}
    return {"Cookie": f"__session={token}"}


def with_header(headers: dict[str, str], header: str, value: str) -> dict[str, str]:
    """A hostile cookie comes beside the good one, before it or after it."""
    good = headers.get(header) if header == "Cookie" else None
    if good:
        value = f"{value}; {good}" if len(value) % 2 else f"{good}; {value}"
    return headers | {header: value}

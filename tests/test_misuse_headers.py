"""Misuse from outside, by headers: no answer of 500, and no gate that opens."""

from __future__ import annotations

import pytest
from conftest import MakeApp
from flask import Flask
from misusing import Callers
from misusing import doors_of
from misusing import environ_of
from misusing import faults
from misusing import in_login
from misusing import still_opens
from people import Codes

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


def with_header(headers: dict[str, str], header: str, value: str) -> dict[str, str]:
    """A hostile cookie comes beside the good one, before it or after it."""
    good = headers.get(header) if header == "Cookie" else None
    if good:
        value = f"{value}; {good}" if len(value) % 2 else f"{good}; {value}"
    return headers | {header: value}

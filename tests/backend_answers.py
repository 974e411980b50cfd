"""What the backend API may do with a request, and what has to come of it.

One row a behaviour. Each is played by :class:`hostile.HostileServer`, to the wrapper
alone and to the whole extension; none depends on the clock. Every body that can
hold it holds ``BODY``, which therefore must not turn up anywhere.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass

from hostile import answer
from hostile import Close
from hostile import Drip
from hostile import Hang
from hostile import raw
from hostile import REFUSED
from hostile import Repeat
from hostile import Reset
from hostile import Script
from hostile import Send

from flask_stepup.errors import IncorrectCode
from flask_stepup.errors import NotEnrolled
from flask_stepup.errors import OutcomeUnknown
from flask_stepup.errors import VerifierError
from flask_stepup.errors import VerifierMisconfigured
from flask_stepup.errors import VerifierUnavailable
from flask_stepup.verification import Verification

USER = "user_2abcDEF"
KEY = "sk_test_Vw9hQyKmZr7uXs3tGp"
#: A backup code, which no hexadecimal address in a log could contain.
CODE = "mgk7wtzp"
BODY = "only-in-the-body"
TRACE = "0af7651916cd43dd8448eb211c80319c"

TEN_MEGABYTES = Send(b" " * 100_000, times=100)


@dataclass(frozen=True)
class Row:
    """One behaviour of the backend.

    :param script: what the server does.
    :param expected: what is returned, or the class of what is raised.
    :param status: what the error carries, as ``code``, ``trace_id`` and
        ``retry_after``.
    :param posts: how many POSTs arrive.
    :param timeouts: how many times its timeout the call may take.
    """

    name: str
    script: Script
    expected: Verification | type[VerifierError]
    status: int | None = None
    code: str | None = None
    trace_id: str | None = None
    retry_after: int | None = None
    posts: int = 1
    timeouts: int = 0


def said(code: object, trace_id: object = TRACE) -> str:
    """A body as Clerk's error answers have it."""
    error = {"message": BODY, "long_message": BODY, "code": code, "meta": {"a": BODY}}
    return json.dumps({"errors": [error], "clerk_trace_id": trace_id})


def judged(**members: object) -> str:
    """A body as Clerk's 200 has it."""
    return json.dumps({**members, "more": BODY})


HTML = f"<!doctype html><title>{BODY}</title>"
RIGHT = judged(verified=True, code_type="totp")
WRONG = said("totp_incorrect_code")
CHUNKED = {"Transfer-Encoding": "chunked"}
SAME = f"/v1/users/{USER}/verify_totp"


def _answered(
    name: str,
    status: int,
    body: str | bytes,
    expected: type[VerifierError],
    headers: dict[str, str] | None = None,
    *,
    code: str | None = None,
    trace_id: str | None = None,
    retry_after: int | None = None,
) -> Row:
    return Row(
        f"{status} {name}",
        answer(status, body, headers),
        expected,
        status=status,
        code=code,
        trace_id=trace_id,
        retry_after=retry_after,
    )


def _coded(
    status: int,
    code: str,
    expected: type[VerifierError],
    headers: dict[str, str] | None = None,
    *,
    retry_after: int | None = None,
) -> Row:
    return _answered(
        code,
        status,
        said(code),
        expected,
        headers,
        code=code,
        trace_id=TRACE,
        retry_after=retry_after,
    )


VERIFIED = [
    Row("200 totp", answer(200, RIGHT), Verification("totp")),
    Row(
        "200 backup_code",
        answer(200, judged(verified=True, code_type="backup_code")),
        Verification("backup_code"),
    ),
    Row(
        "200 no code_type",
        answer(200, judged(verified=True)),
        Verification("unknown"),
    ),
    Row(
        "200 code_type is a number",
        answer(200, judged(verified=True, code_type=6)),
        Verification("unknown"),
    ),
    Row(
        "200 code_type is prose",
        answer(200, judged(verified=True, code_type="t o t p\n" * 50)),
        Verification("unknown"),
    ),
    Row(
        "200 code_type echoes the code",
        answer(200, judged(verified=True, code_type=CODE)),
        Verification("unknown"),
    ),
    Row(
        "200 as text/html",
        answer(200, RIGHT, {"Content-Type": "text/html"}),
        Verification("totp"),
    ),
    Row(
        "200 chunked",
        answer(200, f"{len(RIGHT):x}\r\n{RIGHT}\r\n0\r\n\r\n", CHUNKED, length=-1),
        Verification("totp"),
    ),
    Row(
        "200 up to the end of the connection",
        (*answer(200, RIGHT, length=-1), Close()),
        Verification("totp"),
    ),
    Row(
        "200 of HTTP/1.0",
        (*answer(200, RIGHT, version="HTTP/1.0"), Close()),
        Verification("totp"),
    ),
    Row(
        "200 after 100 and 103",
        (
            Send(b"HTTP/1.1 100 Continue\r\n\r\n"),
            Send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
            *answer(200, RIGHT),
        ),
        Verification("totp"),
    ),
]

_WITHOUT_VERDICT: dict[str, str | bytes] = {
    '"true"': judged(verified="true"),
    "1": judged(verified=1),
    "verified null": judged(verified=None),
    "verified list": judged(verified=[True]),
    "no verdict": judged(code_type="totp"),
    "Verified": judged(Verified=True),
    "verdict inside": judged(data={"verified": True}),
    "list": f"[{RIGHT}]",
    "true alone": "true",
    "null": "null",
    "empty": "",
    "HTML": HTML,
    "garbage": b"\xff\x00\xfe" + BODY.encode(),
    "cut JSON": RIGHT[:-1],
    "two JSONs": RIGHT + RIGHT,
    "nested JSON": "[" * 30_000 + "]" * 30_000,
    "nested objects": '{"verified":' * 5_000 + "true" + "}" * 5_000,
    "number without end": '{"verified": ' + "1" * 60_000 + "}",
}
NO_VERDICT = [
    _answered(name, 200, body, VerifierUnavailable)
    for name, body in _WITHOUT_VERDICT.items()
]

REFUSALS = [
    _answered("false", 200, judged(verified=False), IncorrectCode),
    _answered(
        "false and totp", 200, judged(verified=False, code_type="totp"), IncorrectCode
    ),
    _coded(422, "totp_incorrect_code", IncorrectCode),
    _coded(422, "totp_invalid_length", IncorrectCode),
    _answered("empty", 422, "", IncorrectCode),
    _answered("HTML", 422, HTML, IncorrectCode),
    _answered("list", 422, f"[{WRONG}]", IncorrectCode),
    _answered("verified true", 422, RIGHT, IncorrectCode),
    _answered("no errors", 422, '{"errors": []}', IncorrectCode),
    _answered("errors is text", 422, json.dumps({"errors": BODY}), IncorrectCode),
    _answered("errors of text", 422, json.dumps({"errors": [BODY]}), IncorrectCode),
    _answered("error without code", 422, '{"errors": [{}]}', IncorrectCode),
    _answered("code is a number", 422, said(5, 6), IncorrectCode),
    _answered("code is prose", 422, said(f"{BODY} " * 9, "a b"), IncorrectCode),
    _answered("nested JSON", 422, "[" * 30_000, IncorrectCode),
    _coded(400, "totp_disabled", NotEnrolled),
    _coded(404, "resource_not_found", NotEnrolled),
    _answered("empty", 404, "", NotEnrolled),
    _answered("HTML", 404, HTML, NotEnrolled),
]

MISCONFIGURED = [
    _coded(400, "request_body_invalid", VerifierMisconfigured),
    _coded(400, "api_version_invalid", VerifierMisconfigured),
    _answered("empty", 400, "", VerifierMisconfigured),
    _answered("HTML", 400, HTML, VerifierMisconfigured),
    _answered("list", 400, f"[{said('totp_disabled')}]", VerifierMisconfigured),
    _answered(
        "totp_disabled second",
        400,
        '{"errors": [{"code": "bad_request"}, {"code": "totp_disabled"}]}',
        VerifierMisconfigured,
        code="bad_request",
    ),
    _coded(401, "clerk_key_invalid", VerifierMisconfigured),
    _answered("empty", 401, "", VerifierMisconfigured),
    _coded(403, "authorization_invalid", VerifierMisconfigured),
    _answered("HTML", 403, HTML, VerifierMisconfigured),
]

UNEXPECTED = [
    _answered("verified true", 201, RIGHT, VerifierUnavailable),
    _answered("verified true", 202, RIGHT, VerifierUnavailable),
    _answered("verified true", 206, RIGHT, VerifierUnavailable),
    Row("204", answer(204, length=-1), VerifierUnavailable, status=204),
    *(
        _answered("to itself", status, RIGHT, VerifierUnavailable, {"Location": SAME})
        for status in (300, 301, 302, 303, 307, 308)
    ),
    _answered("no Location", 302, "", VerifierUnavailable),
    _answered(
        "bad Location", 307, "", VerifierUnavailable, {"Location": "http://[\xff"}
    ),
    Row("304", answer(304, length=-1), VerifierUnavailable, status=304),
    _coded(409, "resource_locked", VerifierUnavailable),
    _coded(415, "unsupported_content_type", VerifierUnavailable),
    _answered("teapot", 418, HTML, VerifierUnavailable),
    _coded(500, "internal_clerk_error", VerifierUnavailable),
    _answered("verified true", 500, RIGHT, VerifierUnavailable),
    _answered(
        "HTML with CF-Ray",
        502,
        HTML,
        VerifierUnavailable,
        {"CF-Ray": "9a1b2c3d4e5f6071-FRA"},
        trace_id="9a1b2c3d4e5f6071-FRA",
    ),
    _answered("odd CF-Ray", 502, HTML, VerifierUnavailable, {"CF-Ray": "a b\xff"}),
    _coded(503, "service_unavailable", VerifierUnavailable),
    _answered(
        "Retry-After",
        503,
        HTML,
        VerifierUnavailable,
        {"Retry-After": "7"},
        retry_after=7,
    ),
    _coded(504, "gateway_timeout", VerifierUnavailable),
    _answered("no such status", 999, HTML, VerifierUnavailable),
]

TOO_MANY = [
    _coded(429, "too_many_requests", VerifierUnavailable),
    *(
        _answered(
            f"Retry-After {text[:40]!r}",
            429,
            said("too_many_requests"),
            VerifierUnavailable,
            {"Retry-After": text},
            code="too_many_requests",
            trace_id=TRACE,
            retry_after=seconds,
        )
        for text, seconds in {
            "30": 30,
            "0": 0,
            "  12\t": 12,
            "999999": 3_600,
            "9" * 5_000: 3_600,
            "Fri, 31 Dec 2199 23:59:59 GMT": 3_600,
            "Sun, 06 Nov 1994 08:49:37 GMT": 0,
            "Sun, 06 Nov 1994 08:49:37 -0000": 0,
            "": None,
            "soon": None,
            "-5": None,
            "1.5": None,
            "1e3": None,
            "²": None,
            "Sun, 99 Nov 1994 08:49:37 GMT": None,
            "Sun, 06 Nov 1994 08:49:37 +9999": None,
            "Sun, 06 Nov 99999999999999999999 08:49:37 GMT": None,
            "Sun, 06 Nov 1994 08:49:37 +99999999999999999999": None,
        }.items()
    ),
    Row(
        "429 Retry-After twice",
        (
            Send(
                b"HTTP/1.1 429 Said\r\nRetry-After: 5\r\nretry-after: 6\r\n"
                b"Content-Length: 0\r\n\r\n"
            ),
        ),
        VerifierUnavailable,
        status=429,
    ),
]

# What is beyond the cap is not read: no verdict, but still a status.
HUGE = [
    *(
        Row(
            f"{status} 10 MB",
            (Send(raw(status, body, length=len(body) + 10_000_000)), TEN_MEGABYTES),
            expected,
            status=status,
        )
        for status, body, expected in (
            (200, RIGHT, VerifierUnavailable),
            (422, WRONG, IncorrectCode),
            (500, said("internal_clerk_error"), VerifierUnavailable),
        )
    ),
    Row(
        "200 chunks for ever",
        (
            *answer(200, headers=CHUNKED, length=-1),
            Repeat(b"1000\r\n" + b" " * 4_096 + b"\r\n"),
        ),
        VerifierUnavailable,
        status=200,
    ),
]

ENCODED = [
    _answered(
        f"gzip {name}",
        status,
        gzip.compress(content),
        expected,
        {"Content-Encoding": "gzip"},
    )
    for name, status, content, expected in (
        ("verified true", 200, RIGHT.encode(), VerifierUnavailable),
        ("bomb", 200, RIGHT.encode() + b" " * 10_000_000, VerifierUnavailable),
        ("bomb", 422, WRONG.encode() + b" " * 10_000_000, IncorrectCode),
    )
]

# The echo is what would bring a secret into an error: as the error's code, as trace
# id, in whole or in part.
ECHOES = [
    _answered("echoes code and key", 422, said(CODE, KEY), IncorrectCode),
    _answered("echoes key and code", 500, said(KEY, CODE), VerifierUnavailable),
    _answered(
        "echoes in words", 409, said(f"x_{CODE}", f"y-{KEY}"), VerifierUnavailable
    ),
    _answered(
        "echoes the key cut", 401, said(KEY[:-4], KEY[8:]), VerifierMisconfigured
    ),
]

UNANSWERED = [
    Row("hangs", (Hang(),), OutcomeUnknown, timeouts=1),
    Row("closes", (Close(),), OutcomeUnknown),
    Row("resets", (Reset(),), OutcomeUnknown),
    Row("half a status line", (Send(b"HTTP/1.1 20"), Close()), OutcomeUnknown),
    Row(
        "half the headers",
        (Send(raw(200, RIGHT)[:40]), Close()),
        OutcomeUnknown,
    ),
    Row(
        "half the headers and reset",
        (Send(raw(422, WRONG)[:40]), Reset()),
        OutcomeUnknown,
    ),
    Row(
        "half the headers and hang",
        (Send(raw(422, WRONG)[:40]), Hang()),
        OutcomeUnknown,
        timeouts=1,
    ),
    Row(
        "drips the headers",
        (Drip(raw(200, RIGHT)),),
        OutcomeUnknown,
        timeouts=1,
    ),
    Row(
        "continues for ever",
        (Repeat(b"HTTP/1.1 100 Continue\r\n\r\n" * 100),),
        OutcomeUnknown,
        timeouts=1,
    ),
    Row(
        "continues now and then",
        (Repeat(b"HTTP/1.1 102 Processing\r\n\r\n", every=0.05),),
        OutcomeUnknown,
        timeouts=1,
    ),
    *(
        Row(name, (Send(data), Close()), OutcomeUnknown)
        for name, data in {
            "no status line": f"{RIGHT}\r\n\r\n".encode(),
            "status of letters": raw("OK", RIGHT),
            "status of two digits": raw("20", RIGHT),
            "status 099": raw("099", RIGHT),
            "HTTP/2": raw(200, RIGHT, version="HTTP/2"),
            "SSH": b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
            "header without colon": b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
            "length of letters": raw(200, RIGHT, {"Content-Length": "many"}, length=-1),
            "negative length": raw(200, RIGHT, {"Content-Length": "-5"}, length=-1),
            "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
            b"Content-Length: 3\r\n\r\n{}",
        }.items()
    ),
    Row(
        "10 MB of headers",
        (Send(b"HTTP/1.1 422 No\r\n"), Send(b"X-Y: zzzz\r\n" * 10_000, times=90)),
        OutcomeUnknown,
    ),
    Row(
        "a header of 10 MB",
        (Send(b"HTTP/1.1 422 No\r\nX: "), TEN_MEGABYTES),
        OutcomeUnknown,
    ),
    Row(
        "a status line of 10 MB",
        (Send(b"HTTP/1.1 422 "), TEN_MEGABYTES),
        OutcomeUnknown,
    ),
]

# A 200 is a verdict only with all of its body; every other status is an answer in
# itself.
CUT = [
    Row(
        "200 half the body",
        (Send(raw(200, RIGHT, length=500)), Close()),
        OutcomeUnknown,
    ),
    Row(
        "200 half the body and reset",
        (Send(raw(200, RIGHT, length=500)), Reset()),
        OutcomeUnknown,
    ),
    Row(
        "200 half the body and hang",
        (Send(raw(200, RIGHT, length=500)), Hang()),
        OutcomeUnknown,
        timeouts=1,
    ),
    Row(
        "200 drips the body",
        (Send(raw(200, length=len(RIGHT))), Drip(RIGHT.encode())),
        OutcomeUnknown,
        timeouts=1,
    ),
    Row(
        "200 bad chunk",
        (*answer(200, f"wrong\r\n{RIGHT}\r\n", CHUNKED, length=-1), Close()),
        OutcomeUnknown,
    ),
    Row(
        "200 chunk cut",
        (*answer(200, f"fff\r\n{RIGHT}", CHUNKED, length=-1), Close()),
        OutcomeUnknown,
    ),
    Row(
        "422 half the body",
        (Send(raw(422, WRONG, length=5_000)), Close()),
        IncorrectCode,
        status=422,
    ),
    Row(
        "422 half the body and reset",
        (Send(raw(422, WRONG, length=5_000)), Reset()),
        IncorrectCode,
        status=422,
    ),
    Row(
        "422 half the body and hang",
        (Send(raw(422, WRONG, length=5_000)), Hang()),
        IncorrectCode,
        status=422,
        timeouts=1,
    ),
    Row(
        "422 drips the body",
        (Send(raw(422, length=len(WRONG))), Drip(WRONG.encode())),
        IncorrectCode,
        status=422,
        timeouts=1,
    ),
    Row(
        "422 bad chunk",
        (*answer(422, f"wrong\r\n{WRONG}\r\n", CHUNKED, length=-1), Close()),
        IncorrectCode,
        status=422,
    ),
    Row(
        "400 half the body",
        (Send(raw(400, said("totp_disabled"), length=5_000)), Close()),
        VerifierMisconfigured,
        status=400,
    ),
    Row(
        "404 half the body",
        (Send(raw(404, HTML, length=5_000)), Close()),
        NotEnrolled,
        status=404,
    ),
    Row(
        "503 half the body",
        (Send(raw(503, HTML, {"Retry-After": "9"}, length=5_000)), Close()),
        VerifierUnavailable,
        status=503,
        retry_after=9,
    ),
]

UNREACHABLE = [
    Row("connection refused", REFUSED, VerifierUnavailable, posts=0),
]

ROWS = [
    *VERIFIED,
    *NO_VERDICT,
    *REFUSALS,
    *MISCONFIGURED,
    *UNEXPECTED,
    *TOO_MANY,
    *HUGE,
    *ENCODED,
    *ECHOES,
    *UNANSWERED,
    *CUT,
    *UNREACHABLE,
]

"""The sandbox answers as the document of Clerk's backend API says, over real HTTP."""

from __future__ import annotations

import http.client
import json
import logging
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import time_machine
import yaml
from openapi_schema_validator import OAS30Validator

from flask_stepup.clerk import ClerkBackendAPI
from flask_stepup.errors import ConfigurationError
from flask_stepup.errors import IncorrectCode
from flask_stepup.errors import NotEnrolled
from flask_stepup.errors import VerifierMisconfigured
from flask_stepup.errors import VerifierUnavailable
from flask_stepup.sandbox import demo_users
from flask_stepup.sandbox import Sandbox
from flask_stepup.sandbox import SandboxUser

DOCUMENT = yaml.safe_load(
    Path(__file__).with_name("verify_totp.openapi.yml").read_text(encoding="utf-8")
)
OPERATION = DOCUMENT["paths"]["/users/{user_id}/verify_totp"]["post"]
#: What any call of the API may be answered with; the document does not repeat it.
GLOBAL_STATUSES = {401, 405, 413, 415}
ALICE, BOB, CAROL = demo_users()
NOBODY = "user_" + "9" * 27


@dataclass
class Backend:
    """A running sandbox, and a client that checks its answers by the document."""

    sandbox: Sandbox
    url: str
    client: httpx.Client

    def post(self, user_id: str, code: str) -> httpx.Response:
        return self.send(user_id, json={"code": code})

    def send(
        self,
        user_id: str = ALICE.user_id,
        *,
        method: str = "POST",
        path: str = "/users/{}/verify_totp",
        headers: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> httpx.Response:
        answer = self.client.request(
            method,
            self.url + path.format(user_id),
            headers={
                "Authorization": f"Bearer {self.sandbox.secret_key}",
                **(headers or {}),
            },
            **kwargs,
        )
        check_by_document(answer)
        return answer


def check_by_document(answer: httpx.Response) -> None:
    documented = {int(status) for status in OPERATION["responses"]}
    schema = {"$ref": "#/components/schemas/ClerkErrors"}
    if answer.status_code == 200:
        schema = OPERATION["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer.status_code in documented | GLOBAL_STATUSES
    assert answer.headers["Content-Type"] == "application/json"
    if answer.request.method != "HEAD":
        rules = {**schema, "components": DOCUMENT["components"]}
        OAS30Validator(rules).validate(answer.json())


def error_of(answer: httpx.Response) -> dict[str, Any]:
    (error,) = answer.json()["errors"]
    assert isinstance(error, dict)
    return error


def wrong_code(user: SandboxUser) -> str:
    shown = {user.current_code(step) for step in range(-3, 4)}
    return next(code for code in map("{:06}".format, range(8)) if code not in shown)


@pytest.fixture
def backend() -> Iterator[Backend]:
    sandbox = Sandbox([ALICE, BOB, CAROL])
    with sandbox.serve() as url, httpx.Client(trust_env=False) as client:
        yield Backend(sandbox, url, client)


@pytest.fixture
def api(backend: Backend) -> Iterator[ClerkBackendAPI]:
    key = backend.sandbox.secret_key
    with closing(ClerkBackendAPI(key, base_url=backend.url)) as api:
        yield api


def test_right_totp(backend: Backend) -> None:
    """The code that the authenticator shows is verified as TOTP."""
    answer = backend.post(ALICE.user_id, ALICE.current_code())

    assert answer.status_code == 200
    assert answer.json() == {"verified": True, "code_type": "totp"}


@pytest.mark.parametrize(
    ("step", "status"), [(-2, 422), (-1, 200), (0, 200), (1, 200), (2, 422)]
)
def test_steps(backend: Backend, step: int, status: int) -> None:
    """A code is right in its own step and in the one on either side."""
    with time_machine.travel(1_800_000_015, tick=False):
        answer = backend.post(ALICE.user_id, ALICE.current_code(step))

    assert answer.status_code == status


def test_wrong_code(backend: Backend) -> None:
    """A wrong code is answered with Clerk's own words."""
    answer = backend.post(ALICE.user_id, wrong_code(ALICE))

    assert answer.status_code == 422
    assert error_of(answer) == {
        "message": "incorrect TOTP",
        "long_message": "The provided TOTP code is incorrect",
        "code": "totp_incorrect_code",
    }


@pytest.mark.parametrize(
    "code", ["", " ", "12345", "1234567", "\ud800", "é" * 8, "x" * 9_000]
)
def test_no_code_at_all(backend: Backend, code: str) -> None:
    """Text that cannot be a code is a wrong code, and breaks nothing."""
    answer = backend.send(content=json.dumps({"code": code}), headers=JSON)

    assert answer.status_code == 422
    assert error_of(answer)["code"] == "totp_incorrect_code"


def test_other_digits(backend: Backend) -> None:
    """Digits of another script are not taken for the ASCII digits of a code."""
    fullwidth = "".join(chr(ord(digit) + 0xFEE0) for digit in ALICE.current_code())

    assert backend.post(ALICE.user_id, fullwidth).status_code == 422


def test_codes_of_others(backend: Backend) -> None:
    """Neither code of Bob is a code of Alice."""
    assert backend.post(ALICE.user_id, BOB.current_code()).status_code == 422
    assert backend.post(ALICE.user_id, BOB.backup_codes[0]).status_code == 422


def test_backup_code_once(backend: Backend) -> None:
    """A backup code is verified once, and no other one is spent by it."""
    first, second = ALICE.backup_codes[:2]

    answers = [backend.post(ALICE.user_id, code) for code in (first, first, second)]

    assert [answer.status_code for answer in answers] == [200, 422, 200]
    assert answers[0].json() == {"verified": True, "code_type": "backup_code"}
    assert error_of(answers[1])["code"] == "totp_incorrect_code"


def test_backup_code_raced(backend: Backend) -> None:
    """Of sixteen threads that send one backup code at once, one is let through."""
    together = Barrier(16)

    def send(_: int) -> int:
        together.wait()
        return backend.post(BOB.user_id, BOB.backup_codes[0]).status_code

    with ThreadPoolExecutor(16) as pool:
        statuses = sorted(pool.map(send, range(16)))

    assert statuses == [200] + [422] * 15


def test_spent_in_one_sandbox() -> None:
    """Sandboxes that share their users do not share what was spent."""
    for _ in range(2):
        sandbox = Sandbox([ALICE])
        api = ClerkBackendAPI(
            sandbox.secret_key,
            base_url="http://localhost/v1",
            transport=httpx.WSGITransport(sandbox),
        )
        verification = api.verify_totp(ALICE.user_id, ALICE.backup_codes[0])

        assert verification.code_type == "backup_code"


def test_unknown_user(backend: Backend) -> None:
    """An id that nobody has is answered with 404, which names it."""
    answer = backend.post(NOBODY, "123456")

    assert answer.status_code == 404
    assert error_of(answer)["code"] == "resource_not_found"
    assert error_of(answer)["long_message"] == f"No user was found with id {NOBODY}"


def test_not_enrolled(backend: Backend) -> None:
    """A user without an authenticator is answered with 400, whatever the code."""
    answer = backend.post(CAROL.user_id, "123456")

    assert answer.status_code == 400
    assert error_of(answer)["code"] == "totp_disabled"


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        pytest.param(
            {"headers": {"Authorization": value}, "json": {"code": "123456"}},
            401,
            "authorization_header_format_invalid",
            id=f"authorization {value!r}",
        )
        for value in ("", "Bearer", "sk_test_x", "Basic eDp5", "Bearer a b")
    ]
    + [
        pytest.param(
            {"headers": {"Authorization": b"Bearer " + key}, "json": {"code": "1"}},
            401,
            "clerk_key_invalid",
            id=f"key {key!r}",
        )
        for key in (b"sk_test_other", b"pk_test_x", b"\xe9", b"\xc3\xa9")
    ]
    + [
        pytest.param(
            {"headers": {"Content-Type": value}, "content": '{"code": "123456"}'},
            415,
            "unsupported_content_type",
            id=f"content type {value!r}",
        )
        for value in ("", "text/plain", "application/x-www-form-urlencoded", "json")
    ]
    + [
        pytest.param(
            {"headers": JSON, "content": body},
            400,
            "request_body_invalid",
            id=f"body {body[:12]!r}",
        )
        for body in (b"", b"{", b"[]", b'"123456"', b"null", b"\xff", b"[" * 60_000)
    ]
    + [
        pytest.param(
            {"headers": {"Clerk-API-Version": value}, "json": {"code": "123456"}},
            400,
            "api_version_invalid",
            id=f"version {value!r}",
        )
        for value in ("", "2026-05-13", "latest")
    ]
    + [
        pytest.param(
            {"params": {"__clerk_api_version": "1"}, "json": {"code": "123456"}},
            400,
            "api_version_invalid",
            id="version in the query",
        ),
        pytest.param(
            {
                "headers": {"Clerk-API-Version": "2026-05-12"},
                "params": {"__clerk_api_version": "2026-05-12"},
                "json": {"code": "123456"},
            },
            400,
            "api_version_invalid",
            id="version twice",
        ),
        pytest.param({"path": "/users"}, 404, "resource_not_found", id="path /users"),
        pytest.param({"path": "//x"}, 404, "resource_not_found", id="path //x"),
        pytest.param(
            {"user_id": ""}, 404, "resource_not_found", id="path without an id"
        ),
        pytest.param(
            {"user_id": "a%2Fb"}, 404, "resource_not_found", id="path with a slash"
        ),
    ],
)
def test_refused(
    backend: Backend, request_: dict[str, Any], status: int, code: str
) -> None:
    """What is not a whole and proper call is refused as Clerk's catalogue says."""
    answer = backend.send(**request_)

    assert (answer.status_code, error_of(answer)["code"]) == (status, code)


@pytest.mark.parametrize(
    ("body", "code", "name"),
    [
        ({}, "form_param_missing", "code"),
        ({"code": 123456}, "form_param_type_invalid", "code"),
        ({"code": None}, "form_param_type_invalid", "code"),
        ({"code": ["123456"]}, "form_param_type_invalid", "code"),
        ({"code": "123456", "user": "x"}, "form_param_unknown", "user"),
    ],
)
def test_bad_field(backend: Backend, body: object, code: str, name: str) -> None:
    """A field that is missing, of another type or too many is named in the meta."""
    answer = backend.send(json=body)

    assert answer.status_code == 422
    assert error_of(answer)["code"] == code
    assert error_of(answer)["meta"] == {"param_name": name}


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "FOO"])
def test_other_methods(backend: Backend, method: str) -> None:
    """Methods other than POST are answered with 405, which names the right one."""
    answer = backend.send(method=method)

    assert answer.status_code == 405
    assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize("size", [65_537, 3_000_000])
def test_large_body(backend: Backend, size: int) -> None:
    """A body above the limit is answered with 413, however far above."""
    answer = backend.send(json={"code": "x" * size})

    assert answer.status_code == 413
    assert error_of(answer)["code"] == "request_body_too_large"


def test_chunked_body(backend: Backend) -> None:
    """A body may come in chunks, and has the same limit."""
    whole = json.dumps({"code": ALICE.current_code()}).encode()

    answer = backend.send(content=iter([whole[:5], whole[5:]]), headers=JSON)
    large = backend.send(content=iter([b"x" * 9_000] * 9), headers=JSON)

    assert answer.status_code == 200
    assert large.status_code == 413


@pytest.mark.parametrize(
    "version",
    "2021-02-05 2024-10-01 2025-03-12 2025-04-10 2025-11-10 2026-05-12".split(),
)
def test_versions(backend: Backend, version: str) -> None:
    """Each published version of the API passes, in header or query."""
    code = {"code": ALICE.current_code()}

    by_header = backend.send(json=code, headers={"Clerk-API-Version": version})
    by_query = backend.send(json=code, params={"__clerk_api_version": version})

    assert (by_header.status_code, by_query.status_code) == (200, 200)


def test_live_key(backend: Backend) -> None:
    """A live key is refused with a warning, and is not told back."""
    key = "sk_live_example"

    answer = backend.send(
        json={"code": ALICE.current_code()}, headers={"Authorization": f"Bearer {key}"}
    )

    assert answer.status_code == 401
    assert error_of(answer)["code"] == "clerk_key_invalid"
    assert "must never be sent to a sandbox" in error_of(answer)["long_message"]
    assert key not in answer.text


def test_trace_ids(backend: Backend) -> None:
    """Every error has a trace id of its own."""
    ids = {backend.post(NOBODY, "1").json()["clerk_trace_id"] for _ in range(3)}

    assert len(ids) == 3


def test_what_the_wrapper_makes_of_it(backend: Backend, api: ClerkBackendAPI) -> None:
    """The package's own client reads every kind of answer as what it means."""
    totp = api.verify_totp(ALICE.user_id, ALICE.current_code())
    backup = api.verify_totp(ALICE.user_id, ALICE.backup_codes[0])

    assert (totp.code_type, backup.code_type) == ("totp", "backup_code")
    with pytest.raises(IncorrectCode, match="totp_incorrect_code"):
        api.verify_totp(ALICE.user_id, wrong_code(ALICE))
    with pytest.raises(NotEnrolled, match="totp_disabled"):
        api.verify_totp(CAROL.user_id, "123456")
    with pytest.raises(NotEnrolled, match="resource_not_found"):
        api.verify_totp(NOBODY, "123456")
    with (
        closing(ClerkBackendAPI("sk_test_other", base_url=backend.url)) as stranger,
        pytest.raises(VerifierMisconfigured, match="clerk_key_invalid"),
    ):
        stranger.verify_totp(ALICE.user_id, ALICE.current_code())


def test_kept_alive(backend: Backend) -> None:
    """One connection carries many calls, refused ones and their bodies included."""
    connection = http.client.HTTPConnection(urlsplit(backend.url).netloc)
    connection.connect()
    first = connection.sock
    statuses = []
    for path in ("/v1/nothing", f"/v1/users/{ALICE.user_id}/verify_totp") * 3:
        connection.request("POST", path, body="x" * 9_000)
        response = connection.getresponse()
        response.read()
        statuses.append(response.status)

    assert statuses == [404, 401] * 3
    assert connection.sock is first
    connection.close()


def test_pipelined(backend: Backend) -> None:
    """Calls that were sent at once are answered in turn, and then the line ends."""
    head = f"POST /v1/users/{ALICE.user_id}/verify_totp HTTP/1.1\r\nHost: x\r\n"
    call = f"{head}Content-Length: 2\r\n\r\n{{}}"
    last = f"{head}Content-Length: 2\r\nConnection: close\r\n\r\n{{}}"
    with socket.create_connection(_address(backend.url)) as connection:
        connection.sendall((call * 2 + last).encode())
        answers = b"".join(iter(lambda: connection.recv(65_536), b""))

    assert answers.count(b"HTTP/1.1 401 ") == 3
    assert answers.count(b"Connection: close") == 1


def test_half_a_body(backend: Backend) -> None:
    """A body that breaks off is no body, and the server goes on."""
    head = (
        f"POST /v1/users/{ALICE.user_id}/verify_totp HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {backend.sandbox.secret_key}\r\n"
        "Content-Type: application/json\r\nContent-Length: 99\r\n\r\n"
    )
    with socket.create_connection(_address(backend.url)) as connection:
        connection.sendall(head.encode() + b'{"code": "123')
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"request_body_invalid" in answer
    assert backend.post(ALICE.user_id, ALICE.current_code()).status_code == 200


def test_end_of_serving() -> None:
    """When serving ends, kept connections end with it and the port is free."""
    sandbox = Sandbox([ALICE])
    with sandbox.serve() as url:
        kept = ClerkBackendAPI(sandbox.secret_key, base_url=url)
        kept.verify_totp(ALICE.user_id, ALICE.current_code())

    with closing(kept):
        with pytest.raises(VerifierUnavailable):
            kept.verify_totp(ALICE.user_id, ALICE.current_code())
        with sandbox.serve(port=_address(url)[1]) as again:
            kept.verify_totp(ALICE.user_id, ALICE.current_code())
    assert again == url


def test_serving_never_left() -> None:
    """A program that forgets to leave the context still comes to its end."""
    program = (
        "from flask_stepup.sandbox import Sandbox, SandboxUser; "
        "serving = Sandbox([SandboxUser('a', 'A')]).serve(); "
        "print(serving.__enter__())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30
    )

    assert done.returncode == 0
    assert done.stdout.startswith("http://127.0.0.1:")


def test_in_process() -> None:
    """It is a WSGI app, which needs no server within the process."""
    sandbox = Sandbox([ALICE], secret_key="sk_test_local")
    transport = httpx.WSGITransport(sandbox)
    with httpx.Client(transport=transport, base_url="http://localhost/v1") as client:
        answer = client.post(
            f"users/{ALICE.user_id}/verify_totp",
            json={"code": ALICE.current_code()},
            headers={"Authorization": "Bearer sk_test_local"},
        )

    check_by_document(answer)
    assert answer.status_code == 200


def test_ipv6() -> None:
    """The loopback address of IPv6 is served too, where there is one."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 on this machine")
    with Sandbox([ALICE]).serve("::1") as url, httpx.Client(trust_env=False) as client:
        assert url.startswith("http://[::1]:")
        assert client.post(f"{url}/users").status_code == 404


def test_localhost() -> None:
    """``localhost`` is served at its address, not at whatever a resolver says."""
    with Sandbox([ALICE]).serve("localhost") as url:
        assert url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "example.com"])  # noqa: S104 (refused)
def test_open_to_others(host: str) -> None:
    """An address that others could reach is refused, and the mend is named."""
    serving = Sandbox([ALICE]).serve(host)

    with pytest.raises(ConfigurationError, match=r"use 127\.0\.0\.1"):
        serving.__enter__()


def test_port_taken(backend: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    """A port that is taken is an error that names the mend, and prints nothing."""
    serving = Sandbox([ALICE]).serve(port=_address(backend.url)[1])

    with pytest.raises(ConfigurationError, match="choose another port, or 0"):
        serving.__enter__()

    assert capsys.readouterr() == ("", "")


def test_no_such_port() -> None:
    """A number that is no port is an error that names the mend."""
    with pytest.raises(ConfigurationError, match="choose another port, or 0"):
        Sandbox([ALICE]).serve(port=70_000).__enter__()


def test_keys_of_a_sandbox() -> None:
    """A sandbox makes a new key each time, in the shape of Clerk's test keys."""
    keys = {Sandbox([ALICE]).secret_key for _ in range(3)}

    assert len(keys) == 3
    assert all(re.fullmatch("sk_test_[0-9A-Za-z]{40}", key) for key in keys)


@pytest.mark.parametrize("key", ["sk_live_example", "", "example", "sk_test_a b"])
def test_key_refused(key: str) -> None:
    """A key that is not a test key is refused without being told back."""
    with pytest.raises(ConfigurationError, match=r"leave .*out") as caught:
        Sandbox([ALICE], secret_key=key)

    assert not key or key not in str(caught.value)


def test_demo_users() -> None:
    """The demo has two people with new secrets, and one without an authenticator."""
    alice, bob, carol = demo_users()
    codes = alice.backup_codes + bob.backup_codes

    assert [user.name for user in (alice, bob, carol)] == ["Alice", "Bob", "Carol"]
    for user, before in zip((alice, bob, carol), (ALICE, BOB, CAROL), strict=True):
        assert re.fullmatch("user_[0-9A-Za-z]{27}", user.user_id)
        assert user.user_id == before.user_id
    assert len({u.totp_secret for u in (alice, bob, ALICE, BOB)}) == 4
    assert len(set(codes)) == 20
    assert all(re.fullmatch("[a-z0-9]{8}", code) for code in codes)
    assert (carol.totp_secret, carol.backup_codes) == (None, ())


def test_otpauth_uri() -> None:
    """The enrolment names issuer, person and secret, as authenticator apps want it."""
    assert ALICE.otpauth_uri == (
        f"otpauth://totp/flask-stepup:Alice?secret={ALICE.totp_secret}"
        "&issuer=flask-stepup"
    )


def test_rfc_6238() -> None:
    """The codes are those of RFC 6238, appendix B, as far as six digits show them."""
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    user = SandboxUser(NOBODY, "Nobody", secret)

    with time_machine.travel(1_111_111_109, tick=False):
        assert user.current_code() == "081804"
        assert user.current_code(step=1) == "050471"


def test_no_authenticator_to_ask() -> None:
    """Asking for the code of somebody without an authenticator names the mend."""
    with pytest.raises(ConfigurationError, match="give the SandboxUser a totp_secret"):
        CAROL.current_code()


def test_no_secret_in_a_repr() -> None:
    """Neither a user's nor a sandbox's repr tells a secret."""
    sandbox = Sandbox([ALICE])

    assert ALICE.totp_secret not in repr(ALICE)
    assert ALICE.backup_codes[0] not in repr(ALICE)
    assert sandbox.secret_key not in repr(sandbox)


@pytest.mark.parametrize("secret", ["", "not base32!", "JBSWY3DP"])
def test_bad_totp_secret(secret: str) -> None:
    """A secret that is none is told when the sandbox is made, without the secret."""
    with pytest.raises(ConfigurationError, match=r"pyotp\.random_base32") as caught:
        Sandbox([SandboxUser(NOBODY, "Nobody", secret)])

    assert not secret or secret not in str(caught.value)


def test_one_id_twice() -> None:
    """Two users with one id are told when the sandbox is made."""
    with pytest.raises(ConfigurationError, match="each needs one of its own"):
        Sandbox([ALICE, SandboxUser(ALICE.user_id, "Another")])


def test_without_pyotp(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pyotp, what to install is said."""
    monkeypatch.setitem(sys.modules, "pyotp", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'flask-stepup\[sand"):
        demo_users()
    with pytest.raises(ConfigurationError, match=r"pip install 'flask-stepup\[sand"):
        ALICE.current_code()


def test_log(backend: Backend, caplog: pytest.LogCaptureFixture) -> None:
    """Every answer is logged in one line, without code and key and as plain text."""
    caplog.set_level(logging.INFO, "flask_stepup.sandbox")
    code = ALICE.backup_codes[0]

    backend.post(ALICE.user_id, code)
    backend.post("x%0Ay", code)

    lines = [r.getMessage() for r in caplog.records if r.name == "flask_stepup.sandbox"]
    assert lines == [
        f"POST /v1/users/{ALICE.user_id}/verify_totp -> 200 verified",
        "POST /v1/users/x%0Ay/verify_totp -> 404 resource_not_found",
    ]


def test_import_is_light() -> None:
    """Importing the package or its commands loads neither sandbox nor pyotp."""
    program = (
        "import sys, flask_stepup, flask_stepup.cli; "
        "print({'flask_stepup.sandbox', 'pyotp', 'segno'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "set()"


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port

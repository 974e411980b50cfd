"""The sandbox's session tokens pass where Clerk's would, and are what they are told."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from typing import Any

import httpx
import jwt
import pytest
import time_machine
from clerk_backend_api.security import authenticate_request
from clerk_backend_api.security import verify_token
from clerk_backend_api.security.types import AuthenticateRequestOptions
from clerk_backend_api.security.types import TokenVerificationError
from clerk_backend_api.security.types import TokenVerificationErrorReason
from clerk_backend_api.security.types import VerifyTokenOptions
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from flask_stepup.errors import ConfigurationError
from flask_stepup.sandbox import Sandbox

USER = "user_" + "9" * 27
ORIGIN = "https://bank.example"
NOW = 1_800_000_000
JSON_WEB_KEY = {"use", "kty", "kid", "alg", "n", "e"}


@dataclass
class Running:
    """A sandbox that knows nobody, served over HTTP."""

    sandbox: Sandbox
    url: str
    client: httpx.Client

    def ask(
        self, method: str = "GET", key: str | None = None, **kwargs: Any
    ) -> httpx.Response:
        key = key or f"Bearer {self.sandbox.secret_key}"
        headers = {"Authorization": key, **kwargs.pop("headers", {})}
        return self.client.request(
            method, f"{self.url}/jwks", headers=headers, **kwargs
        )

    def the_key(self) -> dict[str, str]:
        """The one key of the set."""
        (key,) = self.ask().json()["keys"]
        assert isinstance(key, dict)
        return key


@pytest.fixture(scope="module", name="sandbox")
def _sandbox() -> Sandbox:
    """One for all tests here: each key takes some time to make."""
    return Sandbox([])


@pytest.fixture(name="running")
def _running(sandbox: Sandbox) -> Iterator[Running]:
    with sandbox.serve() as url, httpx.Client(trust_env=False) as client:
        yield Running(sandbox, url, client)


def read(sandbox: Sandbox, token: str) -> dict[str, Any]:
    """The claims, for the verification of which the test has no use."""
    unchecked = {f"verify_{name}": False for name in ("exp", "nbf", "iat", "sub")}
    return jwt.decode(token, sandbox.jwt_key, ["RS256"], options=unchecked)  # type: ignore[arg-type]


def error_of(answer: httpx.Response) -> dict[str, Any]:
    (error,) = answer.json()["errors"]
    assert isinstance(error, dict)
    return error


def test_the_claims_are_clerks(sandbox: Sandbox) -> None:
    """A token has the claims that every session token of Clerk has, and no other."""
    with time_machine.travel(NOW, tick=False):
        claims = read(sandbox, sandbox.session_token(USER))

    assert re.fullmatch("[0-9a-f]{20}", claims.pop("jti"))
    assert claims == {
        "iss": "http://clerk.sandbox",
        "sub": USER,
        "sid": "sess_sandbox",
        "iat": NOW,
        "nbf": NOW - 10,
        "exp": NOW + 60,
        "v": 2,
        "sts": "active",
    }


def test_what_is_given_is_claimed(sandbox: Sandbox) -> None:
    """Session, factor ages, party and lifetime are what they were asked to be."""
    token = sandbox.session_token(
        USER,
        session_id="sess_a",
        factor_ages=(3, -1),
        authorized_party=ORIGIN,
        lifetime=5,
    )
    claims = read(sandbox, token)

    assert claims["exp"] - claims["iat"] == 5
    assert (claims["sid"], claims["fva"], claims["azp"]) == ("sess_a", [3, -1], ORIGIN)


def test_each_token_has_its_own_id(sandbox: Sandbox) -> None:
    """``jti`` differs between tokens that say the same."""
    ids = {read(sandbox, sandbox.session_token(USER))["jti"] for _ in range(3)}

    assert len(ids) == 3


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("act", {"iss": "https://dashboard.clerk.com", "sid": "s", "sub": "user_a"}),
        ("sts", "pending"),
        ("sub", 5),
        ("sid", ""),
        ("azp", [ORIGIN]),
        ("fva", [True, "0", -2, None]),
        ("exp", "soon"),
        ("nbf", 0),
        ("iat", True),
        ("o", {"id": "org_a", "rol": "admin"}),
    ],
)
def test_a_claim_is_put_in_as_it_is(sandbox: Sandbox, claim: str, value: Any) -> None:
    """Any claim can be added, or take the place of one, however odd."""
    token = sandbox.session_token(
        USER, factor_ages=(0, 0), authorized_party=ORIGIN, **{claim: value}
    )
    claimed = read(sandbox, token)[claim]

    assert (claimed, type(claimed)) == (value, type(value))


@pytest.mark.parametrize(
    "claim", "iss sub sid iat nbf exp v sts jti azp fva nothing".split()
)
def test_a_claim_is_taken_out(sandbox: Sandbox, claim: str) -> None:
    """None takes a claim out, whoever put it there, and leaves the others."""
    every: dict[str, Any] = {"factor_ages": (0, 0), "authorized_party": ORIGIN}
    whole = read(sandbox, sandbox.session_token(USER, **every))
    less = read(sandbox, sandbox.session_token(USER, **every | {claim: None}))

    assert set(less) == set(whole) - {claim}


@pytest.mark.parametrize("issued", [NOW - 3_600, NOW + 0.5])
def test_the_times_follow_iat(sandbox: Sandbox, issued: float) -> None:
    """From another ``iat``, ``nbf`` and ``exp`` are reckoned, unless given too."""
    with time_machine.travel(NOW, tick=False):
        claims = read(sandbox, sandbox.session_token(USER, lifetime=30, iat=issued))
        given = read(sandbox, sandbox.session_token(USER, iat=issued, exp=NOW, nbf=1))
        odd = [read(sandbox, sandbox.session_token(USER, iat=i)) for i in ("x", True)]

    assert (claims["nbf"], claims["exp"]) == (issued - 10, issued + 30)
    assert (given["iat"], given["nbf"], given["exp"]) == (issued, 1, NOW)
    assert [(o["nbf"], o["exp"]) for o in odd] == [(NOW - 10, NOW + 60)] * 2


@pytest.mark.parametrize(
    ("arguments", "mend"),
    [
        *(({"user_id": value}, "add sub=") for value in (5, "", None, b"user_a")),
        *(({"session_id": value}, "add sid=") for value in (5, "", None)),
        *(
            ({"factor_ages": value}, "add fva=")
            for value in (5, "00", (), (0,), (0, 0, 0), (0, -2), (True, 0), (0.5, 0))
        ),
        *(({"authorized_party": value}, "add azp=") for value in (5, "", [ORIGIN])),
        *(({"lifetime": value}, "add exp=") for value in ("60", 0.5, True, None)),
        ({"when": object()}, "nothing but what JSON has"),
    ],
)
def test_mistakes(sandbox: Sandbox, arguments: dict[str, Any], mend: str) -> None:
    """What Clerk could not have put in is an error that names the mend."""
    with pytest.raises(ConfigurationError, match=mend):
        sandbox.session_token(**{"user_id": USER, **arguments})


def test_the_pem(sandbox: Sandbox) -> None:
    """The PEM holds a public RSA key of 2048 bits, and verifies with PyJWT."""
    key = load_pem_public_key(sandbox.jwt_key.encode())
    token = sandbox.session_token(USER)

    assert sandbox.jwt_key.startswith("-----BEGIN PUBLIC KEY-----\n")
    assert isinstance(key, RSAPublicKey)
    assert key.key_size == 2048
    assert jwt.decode(token, sandbox.jwt_key, ["RS256"])["sub"] == USER


def test_the_jwks(running: Running) -> None:
    """The set that is served has one key, public, which verifies with PyJWT."""
    answer = running.ask()
    key = running.the_key()
    token = running.sandbox.session_token(USER)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert set(answer.json()) == {"keys"}
    assert set(key) == JSON_WEB_KEY
    assert (key["use"], key["kty"], key["alg"]) == ("sig", "RSA", "RS256")
    assert key["e"] == "AQAB"
    assert re.fullmatch("ins_[0-9A-Za-z]{27}", key["kid"])
    assert jwt.decode(token, jwt.PyJWK(key), ["RS256"])["sub"] == USER


def test_the_header_names_the_key(running: Running) -> None:
    """The header has algorithm, type and the id that the set gives its key."""
    header = jwt.get_unverified_header(running.sandbox.session_token(USER))

    assert header == {"alg": "RS256", "typ": "JWT", "kid": running.the_key()["kid"]}


def test_pem_and_jwks_are_one_key(running: Running) -> None:
    """What is configured and what is fetched is the same."""
    from_pem = load_pem_public_key(running.sandbox.jwt_key.encode())

    assert jwt.PyJWK(running.the_key()).key == from_pem


def test_each_sandbox_has_its_own_key(sandbox: Sandbox) -> None:
    """A token of one sandbox is forged to another, though the secret key is the same.

    Nor do they share a key id: who remembers the one's key has to ask for the other's.
    """
    other = Sandbox([], sandbox.secret_key)
    token = other.session_token(USER)

    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token, sandbox.jwt_key, ["RS256"])
    assert (
        jwt.get_unverified_header(token)["kid"]
        != (jwt.get_unverified_header(sandbox.session_token(USER))["kid"])
    )


def signed_in(sandbox: Sandbox, headers: dict[str, str]) -> Any:
    """What the official SDK says of a request."""
    return authenticate_request(
        httpx.Request("GET", "http://localhost/", headers=headers),
        AuthenticateRequestOptions(
            jwt_key=sandbox.jwt_key,
            authorized_parties=[ORIGIN],
            accepts_token=["session_token"],
        ),
    )


@pytest.mark.parametrize(
    ("header", "before"), [("Authorization", "Bearer "), ("Cookie", "__session=")]
)
def test_the_official_sdk_takes_it(sandbox: Sandbox, header: str, before: str) -> None:
    """Clerk's own SDK signs in with it, and reads from it who it is and how fresh."""
    token = sandbox.session_token(USER, factor_ages=(2, 1), authorized_party=ORIGIN)
    state = signed_in(sandbox, {header: f"{before}{token}"})

    assert state.is_signed_in, state.message
    auth = state.to_auth()
    assert (auth.sub, auth.sid, auth.azp) == (USER, "sess_sandbox", ORIGIN)
    assert (auth.v, auth.fva) == (2, [2, 1])


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"lifetime": -30}, "TOKEN_EXPIRED"),
        ({"iat": NOW - 3_600}, "TOKEN_EXPIRED"),
        ({"nbf": NOW + 30}, "TOKEN_NOT_ACTIVE_YET"),
        ({"azp": None}, "TOKEN_INVALID_AUTHORIZED_PARTIES"),
        ({"azp": "https://other.example"}, "TOKEN_INVALID_AUTHORIZED_PARTIES"),
        ({"aud": "another"}, "TOKEN_INVALID_AUDIENCE"),
    ],
)
def test_the_official_sdk_refuses_what_it_should(
    sandbox: Sandbox, arguments: dict[str, Any], reason: str
) -> None:
    """A token made with one fault is refused by Clerk's own SDK for that fault."""
    with time_machine.travel(NOW, tick=False):
        token = sandbox.session_token(USER, authorized_party=ORIGIN, **arguments)
        state = signed_in(sandbox, {"Authorization": f"Bearer {token}"})

    assert not state.is_signed_in
    assert state.reason is TokenVerificationErrorReason[reason]


def test_the_official_sdk_fetches_the_key(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clerk's own SDK finds the key at the sandbox, with the sandbox's secret key."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    origin = running.url.removesuffix("/v1")
    token = running.sandbox.session_token(USER)

    def verified(secret_key: str) -> dict[str, Any]:
        options = VerifyTokenOptions(secret_key=secret_key, api_url=origin)
        return verify_token(token, options)

    with pytest.raises(TokenVerificationError) as refused:
        verified("sk_test_other")
    assert refused.value.reason is TokenVerificationErrorReason.JWK_FAILED_TO_LOAD
    assert verified(running.sandbox.secret_key)["sub"] == USER


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("Bearer sk_test_other", "clerk_key_invalid"),
        ("Bearer sk_live_example", "clerk_key_invalid"),
        ("Bearer", "authorization_header_format_invalid"),
        ("Basic eDp5", "authorization_header_format_invalid"),
    ],
)
def test_the_jwks_needs_the_secret_key(running: Running, key: str, code: str) -> None:
    """Without the sandbox's own key the set is not told."""
    answer = running.ask(key=key)

    assert (answer.status_code, error_of(answer)["code"]) == (401, code)


def test_the_jwks_needs_any_key(running: Running) -> None:
    """A call that sends no key at all is refused too."""
    answer = running.client.get(f"{running.url}/jwks")

    assert answer.status_code == 401
    assert error_of(answer)["code"] == "authorization_header_format_invalid"


@pytest.mark.parametrize(
    ("version", "status"), [("2026-05-12", 200), ("2021-02-05", 200), ("2020", 400)]
)
def test_versions_of_the_jwks(running: Running, version: str, status: int) -> None:
    """Its versions are those of the other call, in header or query."""
    by_header = running.ask(headers={"Clerk-API-Version": version})
    by_query = running.ask(params={"__clerk_api_version": version})

    assert (by_header.status_code, by_query.status_code) == (status, status)


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "DELETE", "OPTIONS", "FOO"])
def test_other_methods_of_the_jwks(running: Running, method: str) -> None:
    """Methods other than GET are answered with 405, which names the right one."""
    answer = running.ask(method)

    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET"


@pytest.mark.parametrize("path", ["/jwks/", "/jwks/x", "/JWKS", "/.well-known/jwks"])
def test_other_paths(running: Running, path: str) -> None:
    """No other path has the set, and the answer names the calls that there are."""
    answer = running.client.get(running.url + path)

    assert answer.status_code == 404
    assert error_of(answer)["long_message"].startswith(
        "The sandbox answers POST /v1/users/{user_id}/verify_totp and GET /v1/jwks "
    )


def test_the_log_of_the_jwks(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    """The call is logged in one line, as the other one is."""
    caplog.set_level(logging.INFO, "flask_stepup.sandbox")

    running.ask()
    running.ask(key="Bearer sk_test_other")

    lines = [r.getMessage() for r in caplog.records if r.name == "flask_stepup.sandbox"]
    assert lines == [
        "GET /v1/jwks -> 200 one key",
        "GET /v1/jwks -> 401 clerk_key_invalid",
    ]


def test_one_key_for_all_threads() -> None:
    """Threads that need the key at once, and first, get the same one."""
    sandbox = Sandbox([])
    together = Barrier(8)

    def key(_: int) -> str:
        together.wait()
        return sandbox.jwt_key

    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(key, range(8)))

    assert keys == {sandbox.jwt_key}


def run(program: str, *arguments: str) -> list[str]:
    """The lines that a program in an interpreter of its own prints."""
    command = [sys.executable, "-W", "error", "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_sandbox_loads_no_cryptography() -> None:
    """Neither import nor Sandbox(...) loads PyJWT or cryptography; the key does."""
    lines = run(
        "import sys\n"
        "from flask_stepup.sandbox import demo_users, Sandbox\n"
        "def show(): print(sorted({'jwt', 'cryptography'} & set(sys.modules)))\n"
        "sandbox = Sandbox(demo_users())\n"
        "show()\n"
        "sandbox.jwt_key\n"
        "show()\n"
    )

    assert lines == ["[]", "['cryptography', 'jwt']"]


@pytest.mark.parametrize("missing", ["jwt", "cryptography"])
def test_without_the_extra(missing: str) -> None:
    """Without a library, what to install is said, and codes are verified still."""
    lines = run(
        "import sys\n"
        "sys.modules[sys.argv[1]] = None\n"
        "import httpx\n"
        "from flask_stepup.errors import ConfigurationError\n"
        "from flask_stepup.sandbox import demo_users, Sandbox\n"
        "sandbox = Sandbox(demo_users())\n"
        "for ask in (lambda: sandbox.jwt_key, lambda: sandbox.session_token('a')):\n"
        "    try: ask()\n"
        "    except ConfigurationError as error: print(error)\n"
        "client = httpx.Client(transport=httpx.WSGITransport(sandbox),\n"
        "    base_url='http://localhost/v1',\n"
        "    headers={'Authorization': 'Bearer ' + sandbox.secret_key})\n"
        "answer = client.get('jwks')\n"
        "print(answer.status_code, answer.json()['errors'][0]['long_message'])\n"
        "alice = sandbox.users[0]\n"
        "print(client.post(f'users/{alice.user_id}/verify_totp',\n"
        "    json={'code': alice.current_code()}).status_code)\n",
        missing,
    )

    told = (
        "the sandbox signs session tokens with PyJWT and cryptography: run "
        "pip install 'flask-stepup[sandbox]'"
    )
    assert lines == [told, told, f"500 {told}", "200"]

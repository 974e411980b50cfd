"""Session tokens: which are good, and that nothing else ever is, or raises."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import closing
from contextlib import ExitStack
from typing import Any

import jwt
import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization import PublicFormat
from cryptography.x509 import CertificateBuilder
from cryptography.x509 import Name
from cryptography.x509 import random_serial_number
from hostile import answer
from hostile import HostileServer
from minting import ABSENT
from minting import base64url
from minting import CLERK
from minting import CURVED
from minting import Issuer
from minting import key_set
from minting import PARTY
from minting import publishing
from minting import SECRET_KEY
from minting import SESSION
from minting import session_claims
from minting import SHORT
from minting import STRANGER
from minting import USER
from naming import repr_of

from flask_stepup.clerk import ClerkBackendAPI
from flask_stepup.clerk import PublishedKeys
from flask_stepup.clerk.published_keys import FRESH
from flask_stepup.errors import ConfigurationError
from flask_stepup.errors import InvalidToken
from flask_stepup.session_token import LONGEST_TOKEN
from flask_stepup.session_token import SessionTokens

NOW = 1_800_000_000
LEEWAY = 10


@pytest.fixture(name="tokens", scope="module", params=["PEM", "published"])
def _tokens(request: pytest.FixtureRequest) -> Iterator[SessionTokens]:
    """The reader of an app that has the PEM, and of one that has the keys fetched."""
    with ExitStack() as stack:
        if request.param == "PEM":
            keys: Any = CLERK.pem
        else:
            keys = stack.enter_context(publishing(CLERK.jwk))
        yield SessionTokens(keys, leeway=LEEWAY)


@pytest.fixture(name="fetched")
def _fetched() -> Iterator[Callable[..., SessionTokens]]:
    """A function that returns a reader to which these keys are published."""
    with ExitStack() as stack:
        yield lambda *jwks: SessionTokens(stack.enter_context(publishing(*jwks)))


def is_good(tokens: SessionTokens, token: str, **kwargs: Any) -> bool:
    """Whether a token is taken; nothing but InvalidToken says that it is not."""
    try:
        claims = tokens.read(token, **kwargs)
    except InvalidToken:
        return False
    assert claims["sub"]
    assert claims["sid"]
    return True


# -- Good ones


def test_a_good_token_says_what_clerk_said(tokens: SessionTokens) -> None:
    """All claims of an authentic, current token are returned as they are."""
    claims = session_claims(act={"sub": "user_admin"}, metadata={"role": "owner"})

    assert tokens.read(CLERK.saying(claims)) == claims


GOOD: dict[str, Callable[[], str]] = {
    "as Clerk mints it": CLERK.token,
    "with unknown claims": lambda: CLERK.token(o={"id": "org_1"}, pla="u:free"),
    "with unknown headers": lambda: CLERK.token({"cat": "cl_B7d4PD111AAA", "oiat": 1}),
    "without typ": lambda: CLERK.token({"typ": None}),
    "without iat and nbf": lambda: CLERK.token(iat=ABSENT, nbf=ABSENT),
    "without azp": lambda: CLERK.token(azp=ABSENT),
    "without sts": lambda: CLERK.token(sts=ABSENT),
    "without fva": lambda: CLERK.token(fva=ABSENT),
    "without iss": lambda: CLERK.token(iss=ABSENT),
    "with an aud that names nobody": lambda: CLERK.token(aud=[]),
    "with fractions of seconds": lambda: CLERK.token(exp=time.time() + 60.5),
    "with b64 as it is by default": lambda: CLERK.signed(
        {"alg": "RS256", "kid": CLERK.kid, "b64": True}, session_claims()
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_these_are_good(name: str, tokens: SessionTokens) -> None:
    """What Clerk may leave out, add or change makes a token no worse."""
    assert is_good(tokens, GOOD[name]())


def test_a_token_needs_no_kid_where_there_is_one_key() -> None:
    """With a PEM the key is not chosen by the token."""
    header = {"alg": "RS256", "typ": "JWT"}

    assert is_good(SessionTokens(CLERK.pem), CLERK.signed(header, session_claims()))


# -- Bad ones


def signed_by_hmac(secret: str) -> str:
    """A token under a key that everybody knows: the public one as HMAC secret."""
    head = json.dumps({"alg": "HS256", "kid": CLERK.kid, "typ": "JWT"}).encode()
    text = f"{base64url(head)}.{base64url(json.dumps(session_claims()).encode())}"
    algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    return f"{text}.{base64url(algorithm.sign(text.encode(), secret.encode()))}"


def unsigned(alg: str) -> str:
    head = json.dumps({"alg": alg, "kid": CLERK.kid, "typ": "JWT"}).encode()
    return f"{base64url(head)}.{base64url(json.dumps(session_claims()).encode())}."


def with_header(header: Any) -> str:
    return CLERK.signed(header, session_claims())


def spliced(token: str, *, claims: dict[str, Any]) -> str:
    """A token with other claims under its signature."""
    head, _, signature = token.split(".")
    return f"{head}.{base64url(json.dumps(claims).encode())}.{signature}"


BAD: dict[str, Callable[[], str]] = {
    # What is no token at all.
    "empty": lambda: "",
    "a word": lambda: "null",
    "dots": lambda: "..",
    "many dots": lambda: "." * 8_000,
    "five parts": lambda: CLERK.token() + ".e30.e30",
    "not ASCII": lambda: CLERK.token() + "é",
    "half a character": lambda: CLERK.token() + "\ud800",
    "a newline at its end": lambda: CLERK.token() + "\n",
    "a space before it": lambda: " " + CLERK.token(),
    "NUL": lambda: CLERK.token().replace(".", "\0", 1),
    "not base64": lambda: "!!!!.????.====",
    "header is no JSON": lambda: CLERK.signed(b"{", session_claims()),
    "header is a list": lambda: with_header([]),
    "header is a word": lambda: with_header("RS256"),
    "header is null": lambda: with_header(None),
    "header is deep": lambda: CLERK.signed(b"[" * 4_000, b"{}"),
    "header is not UTF-8": lambda: CLERK.signed(b"\xff\xfe{}", b"{}"),
    "header has a huge int": lambda: CLERK.signed(b'{"kid":%s}' % (b"9" * 5_000), b""),
    "payload is no JSON": lambda: CLERK.saying(b"{"),
    "payload is empty": lambda: CLERK.saying(b""),
    "payload is a list": lambda: CLERK.saying([session_claims()]),
    "payload is a word": lambda: CLERK.saying("sub"),
    "payload is a number": lambda: CLERK.saying(1),
    "payload is null": lambda: CLERK.saying(None),
    "payload is deep": lambda: CLERK.saying(b'{"a":' * 1_100),
    "payload is deep and whole": lambda: CLERK.saying(b"[" * 2_500 + b"]" * 2_500),
    "payload is not UTF-8": lambda: CLERK.saying(b'{"sub":"\xff\xfe"}'),
    "payload has a huge int": lambda: CLERK.saying(b'{"exp":%s}' % (b"9" * 5_000)),
    # Signatures and keys.
    "no signature": lambda: CLERK.token().rpartition(".")[0] + ".",
    "another token's signature": lambda: spliced(
        CLERK.token(), claims=session_claims(sub="user_admin")
    ),
    "another instance's key": STRANGER.token,
    "another instance's key under another name": lambda: Issuer(
        "ins_other", STRANGER.private
    ).token(),
    "its own key in the header": lambda: STRANGER.token({"jwk": STRANGER.jwk}),
    "its own key at an address": lambda: STRANGER.token(
        {"jku": "http://127.0.0.1:1/jwks", "x5u": "http://127.0.0.1:1/"}
    ),
    "alg none": lambda: unsigned("none"),
    "alg None": lambda: unsigned("None"),
    "HS256 with the PEM as secret": lambda: signed_by_hmac(CLERK.pem),
    "HS256 with the stripped PEM as secret": lambda: signed_by_hmac(CLERK.pem.strip()),
    "HS256 with the modulus as secret": lambda: signed_by_hmac(CLERK.jwk["n"]),
    "HS256 with nothing as secret": lambda: signed_by_hmac(""),
    "RS512": lambda: CLERK.token(algorithm="RS512"),
    "PS256": lambda: CLERK.token(algorithm="PS256"),
    "ES256": lambda: CURVED.token(algorithm="ES256"),
    "alg in lower case": lambda: with_header({"alg": "rs256", "kid": CLERK.kid}),
    "alg is a list": lambda: with_header({"alg": ["RS256"], "kid": CLERK.kid}),
    "alg is an object": lambda: with_header({"alg": {"a": 1}, "kid": CLERK.kid}),
    "alg is a number": lambda: with_header({"alg": 256, "kid": CLERK.kid}),
    "alg is missing": lambda: with_header({"kid": CLERK.kid}),
    # Headers.
    "kid is a number": lambda: with_header({"alg": "RS256", "kid": 1}),
    "kid is null": lambda: with_header({"alg": "RS256", "kid": None}),
    "kid is a list": lambda: with_header({"alg": "RS256", "kid": [CLERK.kid]}),
    "crit": lambda: CLERK.token({"crit": ["exp"]}),
    "crit that PyJWT knows": lambda: with_header(
        {"alg": "RS256", "kid": CLERK.kid, "b64": True, "crit": ["b64"]}
    ),
    "crit is empty": lambda: with_header(
        {"alg": "RS256", "kid": CLERK.kid, "crit": []}
    ),
    "crit is null": lambda: with_header(
        {"alg": "RS256", "kid": CLERK.kid, "crit": None}
    ),
    "b64 is false": lambda: with_header(
        {"alg": "RS256", "kid": CLERK.kid, "b64": False, "crit": ["b64"]}
    ),
    "an OAuth access token": lambda: CLERK.token({"typ": "at+jwt"}),
    "typ is a number": lambda: with_header(
        {"alg": "RS256", "kid": CLERK.kid, "typ": 1}
    ),
    # Claims.
    "no sub": lambda: CLERK.token(sub=ABSENT),
    "no sid": lambda: CLERK.token(sid=ABSENT),
    "no exp": lambda: CLERK.token(exp=ABSENT),
    "sub is empty": lambda: CLERK.token(sub=""),
    "sub is null": lambda: CLERK.token(sub=None),
    "sub is a number": lambda: CLERK.saying(session_claims(sub=1)),
    "sub is true": lambda: CLERK.saying(session_claims(sub=True)),
    "sub is a list": lambda: CLERK.saying(session_claims(sub=[USER])),
    "sub has half a character": lambda: CLERK.token(sub="user_\ud800"),
    "sub has a NUL": lambda: CLERK.token(sub="user_\0"),
    "sid is empty": lambda: CLERK.token(sid=""),
    "sid is null": lambda: CLERK.token(sid=None),
    "sid is a number": lambda: CLERK.token(sid=1),
    "sid is an object": lambda: CLERK.token(sid={"id": SESSION}),
    "sid has a newline": lambda: CLERK.token(sid=SESSION + "\n"),
    "pending": lambda: CLERK.token(sts="pending"),
    "sts is empty": lambda: CLERK.token(sts=""),
    "sts is null": lambda: CLERK.token(sts=None),
    "sts is true": lambda: CLERK.token(sts=True),
    "sts is a list": lambda: CLERK.token(sts=["active"]),
    "an ID token": lambda: CLERK.token(aud="client_1"),
    "aud is a list": lambda: CLERK.token(aud=["https://api.bank.example"]),
    "aud is a number": lambda: CLERK.token(aud=1),
    "jti is a number": lambda: CLERK.token(jti=1),
    "expired": lambda: CLERK.token(exp=int(time.time()) - LEEWAY - 60),
    "not yet": lambda: CLERK.token(nbf=int(time.time()) + LEEWAY + 60),
    "from the future": lambda: CLERK.token(iat=int(time.time()) + LEEWAY + 60),
}
_NO_TIMES: dict[str, bytes] = {
    "text": b'"4102444800"',
    "empty text": b'""',
    "a date": b'"2100-01-01T00:00:00Z"',
    "null": b"null",
    "true": b"true",
    "a list": b"[4102444800]",
    "an object": b"{}",
    "NaN": b"NaN",
    "Infinity": b"Infinity",
    "-Infinity": b"-Infinity",
    "1e400": b"1e400",
    "1e308": b"1e308",
    "2**53": b"9007199254740992",
    "a huge int": b"9" * 4_000,
    "a huge int below zero": b"-" + b"9" * 4_000,
    "below zero": b"-1",
}


@pytest.mark.parametrize("expired_for", [0, float("nan"), -1])
@pytest.mark.parametrize("name", BAD)
def test_these_are_bad(name: str, expired_for: float, tokens: SessionTokens) -> None:
    """A token with any fault is invalid."""
    assert not is_good(tokens, BAD[name](), expired_for=expired_for)


@pytest.mark.parametrize("expired_for", [900, float("inf")])
@pytest.mark.parametrize("name", [name for name in BAD if name != "expired"])
def test_these_are_bad_even_where_expired_ones_are_not(
    name: str, expired_for: float, tokens: SessionTokens
) -> None:
    """That it may have expired, however long ago, excuses no other fault."""
    assert not is_good(tokens, BAD[name](), expired_for=expired_for)


@pytest.mark.parametrize("expired_for", [0, 900, float("inf")])
@pytest.mark.parametrize("name", _NO_TIMES)
@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
def test_what_is_no_time_is_bad(
    claim: str, name: str, expired_for: float, tokens: SessionTokens
) -> None:
    """A time that is no number, or none that can be reckoned with, is refused."""
    rest = json.dumps(session_claims(**{claim: ABSENT}))[1:].encode()
    token = CLERK.saying(b'{"%s":%s,' % (claim.encode(), _NO_TIMES[name]) + rest)

    assert not is_good(tokens, token, expired_for=expired_for)


def test_the_table_differs_from_a_good_token_in_one_thing(
    tokens: SessionTokens,
) -> None:
    """The makers of bad tokens make good ones where nothing is wrong with them."""
    rest = json.dumps(session_claims(exp=ABSENT))[1:].encode()
    good = {"alg": "RS256", "kid": CLERK.kid, "typ": "JWT"}

    assert is_good(tokens, with_header(good))
    assert is_good(tokens, CLERK.saying(session_claims()))
    assert is_good(tokens, CLERK.saying(b'{"exp":4102444800,' + rest))
    same = session_claims()
    assert is_good(tokens, spliced(CLERK.saying(same), claims=same))


@pytest.mark.parametrize("shift", range(1, 9))
def test_each_bit_of_a_token_counts(shift: int, tokens: SessionTokens) -> None:
    """A token with one character changed anywhere is another token, and a bad one."""
    token = CLERK.token()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # All but the last, which has bits to spare that older PyJWTs pass over.
    for at in range(shift, len(token) - 1, 8):
        old = token[at]
        new = alphabet[(alphabet.index(old) + shift) % 64] if old != "." else "A"
        assert not is_good(tokens, token[:at] + new + token[at + 1 :])


# -- Times


@pytest.mark.parametrize("leeway", [0, 10])
@pytest.mark.parametrize(
    ("claim", "beyond"), [("exp", 0), ("nbf", 1), ("iat", 1)], ids=["exp", "nbf", "iat"]
)
def test_the_leeway_is_kept_to_the_second(claim: str, beyond: int, leeway: int) -> None:
    """Clocks may disagree by the leeway and not by a second more."""
    tokens = SessionTokens(CLERK.pem, leeway=leeway)
    last = NOW - leeway + 1 if claim == "exp" else NOW + leeway
    first_bad = NOW - leeway if claim == "exp" else NOW + leeway + beyond
    with time_machine.travel(NOW, tick=False):
        assert is_good(tokens, CLERK.token(**{claim: last}))
        assert not is_good(tokens, CLERK.token(**{claim: first_bad}))


@pytest.mark.parametrize("leeway", [0, 10])
@pytest.mark.parametrize("expired_for", [1, 900, 900.5])
def test_an_expired_token_is_told_by_its_age(expired_for: float, leeway: int) -> None:
    """So many seconds, and the leeway, after its end a token tells who it was."""
    tokens = SessionTokens(CLERK.pem, leeway=leeway)
    end = NOW - expired_for - leeway
    with time_machine.travel(NOW, tick=False):
        at_the_end, later = CLERK.token(exp=end), CLERK.token(exp=end - 1)

        assert is_good(tokens, at_the_end, expired_for=expired_for)
        assert is_good(tokens, CLERK.token(), expired_for=expired_for)
        assert not is_good(tokens, later, expired_for=expired_for)
        assert not is_good(tokens, at_the_end)


def test_an_expired_token_is_checked_as_any_other(tokens: SessionTokens) -> None:
    """A token that did expire may have no other fault."""
    exp = int(time.time()) - 300
    assert is_good(tokens, CLERK.token(exp=exp), expired_for=900)
    for token in (
        STRANGER.token(exp=exp),
        CLERK.token(exp=exp, sts="pending"),
        CLERK.token(exp=exp, nbf=int(time.time()) + 60),
        CLERK.token(exp=exp, iat=int(time.time()) + 60),
        CLERK.token(exp=exp, aud="client_1"),
        CLERK.token(exp=exp, sid=ABSENT),
        CLERK.token({"crit": ["exp"]}, exp=exp),
    ):
        assert not is_good(tokens, token, expired_for=900)


def test_the_leeway_of_an_expired_token_is_its_end_alone() -> None:
    """Seconds since it expired are no leeway for a token from the future."""
    tokens = SessionTokens(CLERK.pem, leeway=LEEWAY)
    with time_machine.travel(NOW, tick=False):
        future = CLERK.token(iat=NOW + LEEWAY + 1)
        not_yet = CLERK.token(nbf=NOW + LEEWAY + 1)

    with time_machine.travel(NOW, tick=False):
        assert not is_good(tokens, future, expired_for=900)
        assert not is_good(tokens, not_yet, expired_for=900)


# -- Authorized parties


@pytest.mark.parametrize("expired_for", [0, 900])
@pytest.mark.parametrize(
    ("azp", "good"),
    [
        (PARTY, True),
        ("https://admin.bank.example", True),
        (ABSENT, False),
        (None, False),
        ("", False),
        (f"{PARTY}/", False),
        (PARTY.upper(), False),
        (f"{PARTY}.evil.example", False),
        ("http://bank.example", False),
        ([PARTY], False),
        ([PARTY, "https://admin.bank.example"], False),
        ({PARTY: 1}, False),
        (1, False),
        (True, False),
    ],
    ids=repr_of,
)
def test_only_authorized_parties_get_in(
    azp: Any, good: bool, expired_for: float
) -> None:
    """Where parties are named, azp must be one of them, to the letter."""
    tokens = SessionTokens(
        CLERK.pem, authorized_parties=(PARTY, "https://admin.bank.example")
    )

    assert is_good(tokens, CLERK.token(azp=azp), expired_for=expired_for) is good


# -- Size


def test_a_long_token_is_not_even_looked_at(tokens: SessionTokens) -> None:
    """A token of more than 8,192 characters is refused, and one of that many is not."""
    token = CLERK.token(metadata="")
    # Three characters of four come out of each step, more or less the padding.
    for size in range(5_000, 7_000):
        token = CLERK.saying(session_claims(metadata="m" * size))
        if len(token) >= LONGEST_TOKEN - 2:
            break
    longer = CLERK.saying(session_claims(metadata="m" * (size + 20)))

    assert LONGEST_TOKEN - 2 <= len(token) <= LONGEST_TOKEN < len(longer)
    assert is_good(tokens, token)
    assert not is_good(tokens, longer)
    assert not is_good(tokens, "[" * 10_000_000)


# -- Fuzz


def test_noise_is_bad_and_nothing_worse(tokens: SessionTokens) -> None:
    """Whatever bytes come, no exception but InvalidToken does."""
    dice = random.Random(20261122)  # noqa: S311
    token = CLERK.token()
    for _ in range(400):
        noise = dice.randbytes(dice.randrange(400))
        assert not is_good(tokens, noise.decode("latin-1"))
        assert not is_good(tokens, noise.decode("ascii", "ignore"))
        parts = [base64url(dice.randbytes(dice.randrange(60))) for _ in range(3)]
        assert not is_good(tokens, ".".join(parts))
        assert not is_good(tokens, token[: dice.randrange(len(token))])
        assert not is_good(tokens, token[dice.randrange(1, len(token)) :])


def test_signed_noise_is_nothing_worse_either(tokens: SessionTokens) -> None:
    """Nor does any where Clerk itself signed claims of the wrong kinds."""
    dice = random.Random(20261123)  # noqa: S311
    values: list[Any] = [None, True, 0, -1, 1e300, "", "a", [], [[]], {}, {"a": 1}]
    values += [float("nan"), float("inf"), 2**64, -(2**64), "\ud800", "\0", 0.5]
    names = [*session_claims(), "aud", "act", "crit"]
    headers = ["alg", "kid", "typ", "crit", "b64", "jku", "x5c"]
    for _ in range(400):
        changed = dice.sample(names, 3)
        claims = session_claims(**{name: dice.choice(values) for name in changed})
        is_good(tokens, CLERK.saying(claims))
        is_good(tokens, CLERK.saying(claims), expired_for=900)
        header = {"alg": "RS256", "kid": CLERK.kid}
        header |= {name: dice.choice(values) for name in dice.sample(headers, 2)}
        is_good(tokens, CLERK.signed(header, claims))


# -- What is said of a bad token


@pytest.mark.parametrize("name", BAD)
def test_no_error_tells_the_token(name: str, tokens: SessionTokens) -> None:
    """Neither the error nor what is behind it has the token, or a claim, in it."""
    token = BAD[name]()
    with pytest.raises(InvalidToken) as raised:
        tokens.read(token)

    assert raised.value.__context__ is None
    assert raised.value.__cause__ is None
    told = [str(raised.value), repr(raised.value), repr(vars(raised.value))]
    told.append("".join(traceback.format_exception_only(raised.value)))
    for text in told:
        for part in (token, *token.split("."), USER, SESSION, CLERK.kid, "user_"):
            assert len(part) < 5 or part not in text


# -- Published keys


@pytest.mark.parametrize(
    "change",
    [
        {"kty": "EC"},
        {"kty": "oct"},
        {"kty": "OKP"},
        {"kty": None},
        {"kty": ["RSA"]},
        {"alg": "RS512"},
        {"alg": "ES256"},
        {"alg": "HS256"},
        {"alg": "none"},
        {"alg": None},
        {"use": "enc"},
        {"use": None},
        {"n": ""},
        {"n": None},
        {"n": 5},
        {"n": "!"},
        {"n": "AQAB"},
        {"n": [CLERK.jwk["n"]]},
        {"e": ""},
        {"e": "AQ"},
        {"e": "Ag"},
        {"e": None},
        {"e": CLERK.jwk["n"]},
        {"d": "AQAB"},
    ],
    ids=repr_of,
)
def test_a_key_that_is_not_for_rs256_opens_nothing(
    change: dict[str, Any], fetched: Callable[..., SessionTokens]
) -> None:
    """A token that names a key of another kind is refused, and again the next time."""
    tokens = fetched({**CLERK.jwk, **change})

    assert not is_good(tokens, CLERK.token())
    assert not is_good(tokens, CLERK.token())


@pytest.mark.parametrize("name", ["alg", "use"])
def test_a_key_need_not_say_what_it_is_for(
    name: str, fetched: Callable[..., SessionTokens]
) -> None:
    """``use`` and ``alg`` of a JSON Web Key may be left out (RFC 7517, 4)."""
    jwk = {key: value for key, value in CLERK.jwk.items() if key != name}

    assert is_good(fetched(jwk), CLERK.token())


def test_a_published_key_of_another_kind_opens_nothing(
    fetched: Callable[..., SessionTokens],
) -> None:
    """Neither a curve, nor a secret, nor a short key verifies a token."""
    header = {"alg": "RS256", "kid": SHORT.kid, "typ": "JWT"}
    secret = {"kty": "oct", "kid": CLERK.kid, "k": base64url(b"s" * 32)}

    assert not is_good(fetched(CURVED.jwk), CURVED.token(algorithm="ES256"))
    assert not is_good(fetched(SHORT.jwk), SHORT.signed(header, session_claims()))
    assert not is_good(fetched(secret), signed_by_hmac("s" * 32))
    assert not is_good(fetched({**secret, "alg": "RS256"}), signed_by_hmac("s" * 32))


def test_a_key_is_chosen_by_its_name_alone(
    fetched: Callable[..., SessionTokens],
) -> None:
    """Of several keys the one that the token names verifies it, or none does."""
    old, new = Issuer("ins_old", CLERK.private), Issuer("ins_new", STRANGER.private)
    tokens = fetched(old.jwk, CURVED.jwk, new.jwk)

    assert is_good(tokens, old.token())
    assert is_good(tokens, new.token())
    assert not is_good(tokens, new.token({"kid": old.kid}))
    assert not is_good(tokens, old.token({"kid": new.kid}))
    assert not is_good(tokens, old.token({"kid": CURVED.kid}))
    assert not is_good(tokens, old.token({"kid": ""}))
    assert not is_good(tokens, old.token({"kid": "ins_old" * 100}))
    assert not is_good(tokens, old.signed({"alg": "RS256"}, session_claims()))


def test_a_key_that_is_replaced_under_its_name_opens_nothing_more() -> None:
    """What was parsed of the old key goes with it."""
    new = Issuer(CLERK.kid, STRANGER.private)
    now = [0.0]
    scripts = [answer(200, key_set(CLERK.jwk)), answer(200, key_set(new.jwk))]
    with (
        HostileServer(*scripts) as server,
        closing(ClerkBackendAPI(SECRET_KEY, base_url=server.url)) as api,
    ):
        tokens = SessionTokens(PublishedKeys(api, clock=lambda: now[0]))
        assert is_good(tokens, CLERK.token())
        assert not is_good(tokens, new.token())
        now[0] += FRESH

        assert is_good(tokens, new.token())
        assert not is_good(tokens, CLERK.token())


def test_many_keys_serve_side_by_side(fetched: Callable[..., SessionTokens]) -> None:
    """More keys than are kept in parsed form all verify, in any order."""
    issuers = [Issuer(f"ins_{number}", CLERK.private) for number in range(40)]
    tokens = fetched(*(issuer.jwk for issuer in issuers))

    for issuer in [*issuers, *reversed(issuers)]:
        assert is_good(tokens, issuer.token())


# -- The PEM as people paste it


def lines(pem: str) -> list[str]:
    return pem.strip().split("\n")


FORMS: dict[str, Callable[[str], str]] = {
    "as it is": lambda pem: pem,
    "without the last newline": str.strip,
    "CRLF": lambda pem: pem.replace("\n", "\r\n"),
    "CR": lambda pem: pem.replace("\n", "\r"),
    "literal backslash-n": lambda pem: pem.replace("\n", "\\n"),
    "literal backslash-r-backslash-n": lambda pem: pem.replace("\n", "\\r\\n"),
    "two backslashes": lambda pem: pem.replace("\n", "\\\\n"),
    "spaces": lambda pem: " ".join(lines(pem)),
    "no separators": lambda pem: "".join(lines(pem)),
    "tabs": lambda pem: "\t".join(lines(pem)),
    "indented": lambda pem: "\n    ".join(["", *lines(pem), ""]),
    "blank lines": lambda pem: "\n\n".join(lines(pem)),
    "in double quotes": lambda pem: f'"{pem}"',
    "in single quotes": lambda pem: f"'{pem.strip()}'",
    "quotes and backslash-n": lambda pem: json.dumps(pem),
    "with a byte order mark": lambda pem: "\ufeff" + pem,
    "wrapped elsewhere": lambda pem: "\n".join(
        [lines(pem)[0], "".join(lines(pem)[1:-1]), lines(pem)[-1]]
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_pem_may_be_pasted_like_this(form: str) -> None:
    """However environments and forms break the lines, the key is the same."""
    tokens = SessionTokens(FORMS[form](CLERK.pem))

    assert is_good(tokens, CLERK.token())
    assert not is_good(tokens, STRANGER.token())


def test_a_pem_may_be_of_the_older_kind() -> None:
    """PKCS#1, which OpenSSL calls an RSA PUBLIC KEY, is the same key."""
    public = CLERK.private.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()  # type: ignore[arg-type]

    assert is_good(SessionTokens(pem), CLERK.token())


def certificate() -> str:
    from datetime import datetime
    from datetime import timedelta
    from datetime import UTC

    private: Any = CLERK.private
    now = datetime.now(UTC)
    builder = CertificateBuilder(Name([]), Name([]), private.public_key())
    builder = builder.serial_number(random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return builder.sign(private, SHA256()).public_bytes(Encoding.PEM).decode()


NO_PEMS: dict[str, tuple[Callable[[], str], str]] = {
    "a private key": (lambda: CLERK.private_pem, "private key"),
    "a private key on one line": (
        lambda: "".join(lines(CLERK.private_pem)),
        "private key",
    ),
    "a private key beside the public one": (
        lambda: CLERK.pem + CLERK.private_pem,
        "private key",
    ),
    "a certificate": (certificate, "certificate"),
    "an EC key": (lambda: CURVED.pem, "RSA"),
    "a short key": (lambda: SHORT.pem, "2048"),
    "two keys": (lambda: CLERK.pem + STRANGER.pem, "not one public key"),
    "a key and a word": (lambda: CLERK.pem + "secret", "not one public key"),
    "a word": (lambda: "hunter2", "not one public key"),
    "a space": (lambda: " ", "not one public key"),
    "a secret key": (lambda: "sk_test_0123456789", "not one public key"),
    "a path": (lambda: "/run/secrets/clerk.pem", "not one public key"),
    "no armour": (lambda: "".join(lines(CLERK.pem)[1:-1]), "not one public key"),
    "half of it": (lambda: CLERK.pem[: len(CLERK.pem) // 2], "not one public key"),
    "nothing inside": (
        lambda: "-----BEGIN PUBLIC KEY----- -----END PUBLIC KEY-----",
        "no RSA key",
    ),
    "something else inside": (
        lambda: "-----BEGIN PUBLIC KEY-----hunter2-----END PUBLIC KEY-----",
        "no RSA key",
    ),
    "a line too few": (
        lambda: "\n".join([*lines(CLERK.pem)[:3], *lines(CLERK.pem)[4:]]),
        "no RSA key",
    ),
    "armour that does not match": (
        lambda: CLERK.pem.replace("BEGIN PUBLIC", "BEGIN RSA PUBLIC"),
        "not one public key",
    ),
    "half a character": (lambda: CLERK.pem + "\ud800", "not one public key"),
}


@pytest.mark.parametrize("name", NO_PEMS)
def test_what_is_no_public_rsa_key_fails_at_once(name: str) -> None:
    """The error names the setting, the fault and the mend, and not what was pasted."""
    make, fault = NO_PEMS[name]
    pasted = make()
    with pytest.raises(ConfigurationError, match="STEPUP_CLERK_JWT_KEY") as raised:
        SessionTokens(pasted)

    message = str(raised.value)
    assert fault in message
    assert "API keys page" in message
    assert raised.value.__context__ is None
    for line in lines(pasted.replace("-----", "\n")):
        inside = line not in ("BEGIN PUBLIC KEY", "END PUBLIC KEY", "", " ")
        assert not inside or len(line) < 5 or line not in message


def test_a_larger_key_is_as_good() -> None:
    """Only what is short is refused."""
    large = Issuer(private=generate_private_key(65_537, 3_072))

    assert is_good(SessionTokens(large.pem), large.token())


# -- Libraries


@pytest.mark.parametrize("missing", ["jwt", "cryptography"])
@pytest.mark.parametrize("keys", ["pem", "PublishedKeys(api)"])
def test_a_missing_library_is_named_at_once(missing: str, keys: str) -> None:
    """Without PyJWT or cryptography the error says what to install."""
    program = f"""
import sys
sys.modules[{missing!r}] = None
from flask_stepup import ConfigurationError
from flask_stepup.clerk import ClerkBackendAPI, PublishedKeys
from flask_stepup.session_token import SessionTokens

pem, api = {CLERK.pem!r}, ClerkBackendAPI("sk_test_1", base_url="http://127.0.0.1:1")
try:
    SessionTokens({keys})
except ConfigurationError as error:
    print(error)
"""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True
    )

    assert "pip install 'flask-stepup[clerk]'" in ended.stdout, ended.stderr


def test_one_reader_serves_many_threads(tokens: SessionTokens) -> None:
    """Threads that read at once each get the claims of their own token."""
    from concurrent.futures import ThreadPoolExecutor

    def read(number: int) -> str:
        token = CLERK.token(sub=f"user_{number}")
        return str(tokens.read(token)["sub"])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, range(64))) == [f"user_{n}" for n in range(64)]

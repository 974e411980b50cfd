"""Signatures: which keys, uses and bindings open a token, and which do not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
from collections.abc import Sequence

import pytest

from flask_stepup.errors import InvalidToken
from flask_stepup.signing import Signer

USE = "marker"
BOUND = ("user", "nonce", None, "scope")
VALUE = ["ledger", "", 0, 1_800_000_000]

Binding = Sequence[str | None]


@pytest.fixture
def signer() -> Signer:
    return Signer(["a key"])


@pytest.fixture
def token(signer: Signer) -> str:
    return signer.dumps(USE, BOUND, VALUE)


def opens(
    signer: Signer, token: str, use: str = USE, bound_to: Binding = BOUND
) -> bool:
    """Whether the token opens, where InvalidToken is the only other answer."""
    try:
        signer.loads(use, bound_to, token)
    except InvalidToken:
        return False
    return True


@pytest.mark.parametrize(
    "value",
    [None, True, 0, 1.5, "", "text", [], {}, ["a", 1, None],
     {"b": [1], "a": {"c": "é"}}, "\0", "🔑", "x" * 100_000],
    ids=lambda value: ascii(value)[:20],
)  # fmt: skip
def test_a_value_comes_back(signer: Signer, value: object) -> None:
    """What was signed is what is read."""
    token = signer.dumps(USE, BOUND, value)
    assert signer.loads(USE, BOUND, token) == value


def test_a_token_goes_into_urls_and_headers(signer: Signer) -> None:
    """A token needs no quoting in a URL, a cookie or a header."""
    token = signer.dumps(USE, ("ü ser", "\0", None), {"path": "/a?b=c&d", "é": "🔑 "})
    assert token.isascii()
    assert set(token) <= set(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
    )


def test_order_of_members_makes_no_difference(signer: Signer) -> None:
    """Equal values have equal tokens."""
    one = signer.dumps(USE, BOUND, {"a": 1, "b": 2})
    assert signer.dumps(USE, BOUND, {"b": 2, "a": 1}) == one


# --- keys ---


def test_tokens_of_every_key_verify() -> None:
    """A token of any key in the list is good, wherever in the list that key is."""
    tokens = {key: Signer([key]).dumps(USE, BOUND, key) for key in "abc"}
    for keys in itertools.permutations("abc"):
        signer = Signer(keys)
        assert [signer.loads(USE, BOUND, tokens[key]) for key in "abc"] == list("abc")


@pytest.mark.parametrize("keys", [["a"], ["a", "b"], ["a", "b", "c"], ["c", "b", "a"]])
def test_only_the_newest_key_signs(keys: list[str]) -> None:
    """The last key in the list is the one that signs."""
    token = Signer(keys).dumps(USE, BOUND, VALUE)
    assert opens(Signer([keys[-1]]), token)
    for key in keys[:-1]:
        assert not opens(Signer([key]), token)


def test_removing_a_key_voids_its_tokens() -> None:
    """What a key signed is void once the key is gone, and nothing else is."""
    old, new = (Signer([key]).dumps(USE, BOUND, VALUE) for key in ("old", "new"))
    assert opens(Signer(["old", "new"]), old)
    assert not opens(Signer(["new"]), old)
    assert opens(Signer(["new"]), new)


@pytest.mark.parametrize("key", ["plain", "ümläut 🔑", "with\0nul"])
def test_text_and_bytes_are_the_same_key(key: str) -> None:
    """A key may be text or its UTF-8 bytes, and they sign alike."""
    text, data = Signer([key]), Signer([key.encode()])
    token = text.dumps(USE, BOUND, VALUE)
    assert token == data.dumps(USE, BOUND, VALUE)
    assert opens(data, token)
    assert text.digest(USE, "user") == data.digest(USE, "user")


def test_a_key_may_be_any_bytes() -> None:
    """A key that os.urandom made, and that is no text, signs as well."""
    signer = Signer([bytes(range(256))])
    assert opens(signer, signer.dumps(USE, BOUND, VALUE))


def test_a_token_is_signed_by_hmac_sha_256() -> None:
    """A token is ``value.HMAC-SHA-256``, by a key that is derived from the salt so."""
    token = Signer([b"a key"]).dumps("marker", ("user", None), ["v"])
    payload, signature = token.encode().split(b".")
    salt = b'flask-stepup marker ["user", null]'
    derived = hmac.digest(b"a key", salt, hashlib.sha256)
    expected = hmac.digest(derived, payload, hashlib.sha256)
    assert base64.urlsafe_b64decode(signature + b"=") == expected


# --- use and binding ---


@pytest.mark.parametrize(
    "use", ["challenge", "Marker", "marker ", " marker", "", "marker []", "mark"]
)
def test_a_token_of_another_use_is_refused(
    signer: Signer, token: str, use: str
) -> None:
    """A token is good for the use that it was made for, and no other."""
    assert not opens(signer, token, use=use)
    assert not opens(signer, signer.dumps(use, BOUND, VALUE))


#: Bindings that a careless salt could take for one another.
BINDINGS: list[Binding] = [
    (),
    ("",),
    (None,),
    ("None",),
    ("null",),
    ("a",),
    ("A",),
    (" a",),
    ("a", ""),
    ("a", None),
    ("", "a"),
    (None, "a"),
    ("ab",),
    ("a", "b"),
    ("a,b",),
    ("a, b",),
    ('a", "b',),
    ('"a", "b"',),
    ('["a", "b"]',),
    ("a", "b", None),
    ("a", "b", ""),
    ("a", None, "b"),
    (None, "a", "b"),
    ("b", "a"),
    ("a", "b", "c"),
    ("a b",),
    ("a.b",),
    ("a\0b",),
    ("a\nb",),
    ("1",),
    ("é",),
    ("e\u0301",),
    ("\\u00e9",),
    ("\ud800",),
    ("\\ud800",),
    ("\udfff",),
    ("🔑",),
    ("x" * 10_000,),
    ("x" * 10_001,),
]


def test_each_binding_opens_its_own_tokens_alone(signer: Signer) -> None:
    """No binding, however alike it looks, opens the token of another one."""
    tokens = [signer.dumps(USE, bound_to, VALUE) for bound_to in BINDINGS]
    assert len(set(tokens)) == len(BINDINGS)
    for bound_to, made in zip(BINDINGS, tokens, strict=True):
        fits = [token for token in tokens if opens(signer, token, bound_to=bound_to)]
        assert fits == [made], ascii(bound_to)[:40]


def test_use_and_binding_do_not_run_into_each_other(signer: Signer) -> None:
    """A use that ends as a binding begins makes no token of another use."""
    token = signer.dumps("a", ("b",), VALUE)
    for use, bound_to in (
        ('a ["b"]', ()),
        ("", ("a", "b")),
        ("a b", ()),
        ("b", ("a",)),
    ):
        assert not opens(signer, token, use=use, bound_to=bound_to)


def test_a_binding_may_be_a_list(signer: Signer, token: str) -> None:
    """What counts is what a token is bound to, and not in which kind of sequence."""
    assert opens(signer, token, bound_to=list(BOUND))


def test_what_it_is_bound_to_is_not_in_a_token(signer: Signer) -> None:
    """A token tells nobody to whom it belongs."""
    made = signer.dumps(USE, ("user_2abcdef", "nonce-xyz", "sess_1"), ["v"])
    payload = made.split(".")[0]
    read = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    assert read == b'["v"]'


# --- what is no token ---

ALPHABET = "ABab01-_"


def test_changing_any_character_of_the_value_voids_a_token(
    signer: Signer, token: str
) -> None:
    """No character of the signed value can be another one."""
    for place in range(token.index(".") + 1):
        for char in {*ALPHABET, ".", "=", " "} - {token[place]}:
            assert not opens(signer, token[:place] + char + token[place + 1 :]), place


def test_changing_any_character_of_the_signature_voids_a_token(
    signer: Signer, token: str
) -> None:
    """No character of the signature can be another one, the last one included."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for place in range(token.index(".") + 1, len(token)):
        for char in {*letters, ".", "=", " "} - {token[place]}:
            assert not opens(signer, token[:place] + char + token[place + 1 :]), place


@pytest.mark.parametrize(
    "more", ["=", "A", ".", " ", "\n", "\0", "é", "\ud800", "!", "%"]
)
def test_a_token_is_its_whole_text(signer: Signer, token: str, more: str) -> None:
    """A token with anything added at either end or within is not that token."""
    middle = len(token) - 10
    assert not opens(signer, token + more)
    assert not opens(signer, more + token)
    assert not opens(signer, token[:middle] + more + token[middle:])
    assert not opens(signer, token[:5] + more + token[5:])


def test_each_part_of_a_token_is_no_token(signer: Signer, token: str) -> None:
    """A token that was cut off anywhere is void."""
    for end in range(len(token)):
        assert not opens(signer, token[:end])
        assert not opens(signer, token[end + 1 :])


def test_parts_of_two_tokens_make_no_third(signer: Signer) -> None:
    """The value of one token and the signature of another do not go together."""
    one, other = (signer.dumps(USE, BOUND, value).split(".") for value in ("1", "2"))
    assert not opens(signer, f"{one[0]}.{other[1]}")
    assert not opens(signer, f"{other[0]}.{one[1]}")


@pytest.mark.parametrize(
    "junk",
    ["", ".", "..", "...", "a", "a.", ".a", "a.b", "a.b.c", "-._", "=", "=.=", " ",
     "\n", "\0", "\0.\0", "é", "é.é", "\ud800", "\ud800.\udfff", "\uffff.x", "🔑.🔑",
     "null", "None", "{}", "[].x", ".eJwDAAAAAAE.x", "\u0660.\u0661",
     "a" * 100_000 + "." + "b" * 43, "a" * 5_000_000, "." * 100_000, "é" * 1_000_000,
     "[" * 100_000 + ".x"],
    ids=lambda junk: f"{ascii(junk)[:16]}-{len(junk)}",
)  # fmt: skip
def test_junk_is_an_invalid_token(signer: Signer, junk: str) -> None:
    """Whatever is sent as a token raises InvalidToken and nothing else."""
    with pytest.raises(InvalidToken):
        signer.loads(USE, BOUND, junk)


def test_a_refusal_shows_no_token(signer: Signer, token: str) -> None:
    """The message of a refusal carries neither token nor binding."""
    with pytest.raises(InvalidToken) as refusal:
        signer.loads("challenge", BOUND, token)
    text = f"{refusal.value} {refusal.value!r}"
    assert token not in text
    assert "nonce" not in text


# --- digests ---


def test_a_digest_outlives_a_new_key() -> None:
    """A key that is added as the newest changes no digest."""
    digest = Signer(["a"]).digest("used code", "user", "123456")
    assert Signer(["a", "b"]).digest("used code", "user", "123456") == digest
    assert Signer(["a", "b", "c"]).digest("used code", "user", "123456") == digest


def test_a_digest_depends_on_its_key() -> None:
    """Who has no key cannot make a digest, and so not guess what is in one."""
    digests = {Signer([key]).digest("used code", "user", "123456") for key in "abc"}
    assert len(digests) == 3


def test_a_digest_differs_per_use_user_and_code(signer: Signer) -> None:
    """Two uses, users or codes have no digest in common, however they are split."""
    parts = [
        ("used code", "user", "123456"),
        ("used code", "user", "123457"),
        ("used code", "user2", "123456"),
        ("used code", "user1", "23456"),
        ("used code", "user123456"),
        ("used code", "user", "123456", ""),
        ("used code", "", "user", "123456"),
        ("used code", "123456", "user"),
        ("used code user", "123456"),
        ("used", "code", "user", "123456"),
        ("another use", "user", "123456"),
        ("", "used code", "user", "123456"),
        ("used code", "\ud800", "123456"),
        ("used code", "\\ud800", "123456"),
    ]
    assert len({signer.digest(*part) for part in parts}) == len(parts)


def test_a_digest_is_stable_and_tells_nothing(signer: Signer) -> None:
    """The same parts have the same digest: 43 characters, none of them the code's."""
    digest = signer.digest("used code", "user", "123456")
    assert digest == Signer(["a key"]).digest("used code", "user", "123456")
    assert len(digest) == 43
    assert digest.isascii()
    assert "123456" not in digest
    assert "user" not in digest


def test_there_is_a_digest_by_each_key() -> None:
    """Digests are, oldest key first, those that each key makes alone."""
    parts = ("used code", "user", "123456")
    expected = [Signer([key]).digest(*parts) for key in "abc"]
    assert Signer(["a", "b", "c"]).digests(*parts) == expected


def test_a_digest_is_no_signature(signer: Signer) -> None:
    """What a digest is made of cannot be passed off as a signed value."""
    payload, signature = signer.dumps("used code", (), "x").split(".")
    assert signer.digest("used code", "x") != signature
    forged = f"{payload}.{signer.digest('used code', 'x')}"
    assert not opens(signer, forged, use="used code", bound_to=())

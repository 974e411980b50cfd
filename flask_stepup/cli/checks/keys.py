"""``SECRET_KEY`` and its fallbacks, with which markers and challenges are signed."""

from __future__ import annotations

import re
from hashlib import sha256

from ...settings import signing_keys
from .finding import Finding
from .finding import Findings
from .finding import right
from .finding import risky
from .finding import wrong
from .review import Review

#: Bytes: what can be guessed by trying, and what HMAC-SHA-1 and SHA-256 have use for.
SHORTEST, GOOD = 16, 32
#: Different bytes of a key that is a pattern, and not random.
FEWEST = 5
#: SHA-256 of keys that stand in Flask's documentation, and so in many an app.
_PUBLISHED = {
    "2598f7d6adc142d88161630f3db12ab2bd3403521c281811e5e1ce60d4ac5d76",
    "9d0f4f5072c13dbd970c045ee6196734249b16917e0e8185c5035e0c1dbcde6b",
}
#: Characters that have to be left when the words of examples are taken out.
LEAST_LEFT = 8
#: What stands in place of a key in tutorials. The longer ones first.
_PLACEHOLDERS = re.compile(
    "production|development|changeme|something|insecure|example|default|replace"
    "|private|session|testing|secret|random|string|please|signing|change|signed"
    "|flask|super|hello|world|really|token|value|guess|never|work|pass|word|this|that"
    "|test|your|with|here|hard|very|long|prod|used|dev|key|app|the|not|for|use|and|jwt"
    "|abc|qwerty|foo|bar|123+"
    "|me|my|to|in|is|so|it|be"
)
_NEW = "python -c 'import secrets; print(secrets.token_hex())'"
#: Of a key that somebody else may know, and of one that is merely short.
_MEND_KNOWN = f"a new one, which ends every session:\n{_NEW}"
_MEND_SHORT = (
    f"a new one:\n{_NEW}\n"
    "and this one at the end of SECRET_KEY_FALLBACKS for a month, as long as sessions "
    "live"
)
_MEND_FALLBACK = "take it out: what it signs is taken as long as it is in the list"


def check_keys(review: Review) -> Findings:
    """Look at the length of each key, and whether it is one that people know."""
    *fallbacks, current = signing_keys(review.app)
    yield _looked_at("SECRET_KEY", current, _MEND_KNOWN, _MEND_SHORT)
    for number, key in enumerate(fallbacks):
        name = f"SECRET_KEY_FALLBACKS[{number}]"
        yield _looked_at(name, key, _MEND_FALLBACK, _MEND_FALLBACK)


def _looked_at(
    name: str, key: str | bytes, mend_known: str, mend_short: str
) -> Finding:
    data = key.encode(errors="surrogatepass") if isinstance(key, str) else key
    told = f"{name} has {len(data)} bytes"
    if is_placeholder(data):
        fault = f"{name} is a placeholder, which anybody would try first"
        return wrong(fault, mend_known)
    if sha256(data).hexdigest() in _PUBLISHED:
        return wrong(f"{name} stands in Flask's documentation", mend_known)
    if len(set(data)) < FEWEST:
        return wrong(f"{name} is a few characters over and over", mend_known)
    if len(data) < SHORTEST:
        return wrong(f"{told}, and can be guessed by trying", mend_known)
    if is_repeated(data):
        return wrong(f"{name} is a few characters over and over", mend_known)
    if len(data) < GOOD:
        return risky(f"{told}, where {GOOD} are due", mend_short)
    return right(told)


def is_repeated(key: bytes) -> bool:
    """Whether a key is a shorter text again and again, the last time perhaps cut off.

    So it is if it lies upon itself when it is moved on by the length of that text,
    which may be half of the key at most.
    """
    return any(key[length:] == key[:-length] for length in range(1, len(key) // 2 + 1))


def is_placeholder(key: bytes) -> bool:
    """Whether a key is made of the words that stand in place of one in tutorials."""
    if not key.isascii():
        return False
    letters = re.sub(r"[\W_]", "", key.decode().lower())
    left = _PLACEHOLDERS.sub("", letters)
    return left != letters and len(left) < LEAST_LEFT

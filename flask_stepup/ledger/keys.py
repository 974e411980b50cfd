"""Names of what a ledger remembers, the same in each kind of ledger."""

from __future__ import annotations


def user_key(user_id: str, session_id: str | None = None) -> str:
    """Return the key of a user, or of one session of the user's at the provider."""
    if session_id is None:
        return f"user:{user_id}"
    # With its length, so that no two pairs make one key.
    return f"login:{len(user_id)}:{user_id}:{session_id}"


def session_key(nonce: str) -> str:
    """Return the key of a browser's session."""
    return f"session:{nonce}"


def approval_key(approval: str) -> str:
    """Return the key of an approval's claim."""
    return f"approval:{approval}"


def code_key(digest: str) -> str:
    """Return the key of a used code's claim."""
    return f"code:{digest}"


def attempts_key(user_id: str) -> str:
    """Return the key of a user's attempts."""
    return f"attempts:{user_id}"


def attempt_key(name: str, ticket_id: str) -> str:
    """Return the key of the claim that an attempt has a name; those of one are a range.

    :param ticket_id: digits.
    """
    return f"attempt:{name}:{ticket_id}"

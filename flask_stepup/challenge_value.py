"""A challenge as the JSON value that its token signs, and back."""

from __future__ import annotations

from typing import Any

from .action import Action
from .errors import InvalidToken
from .policy import Policy
from .shapes import fits
from .shapes import Maybe
from .suspension import SuspendedForm

_SHAPE = {
    "id": str,
    "policy": dict,
    "method": str,
    "path": str,
    "came_from": str,
    "ledger_id": str,
    "issued_at": int,
    "first_issued_at": int,
    "action": Maybe({"digest": str, "values": [(str, object)]}),
    "form": Maybe(
        {
            "enctype": str,
            "fields": [(str, Maybe(str))],
            "files": [str],
            "areas": [str],
        }
    ),
    "not_kept": Maybe(str),
    "again": Maybe(bool),
    "tie": Maybe(str),
}


def packed(challenge: Any) -> dict[str, Any]:
    """Return the value of a challenge's token."""
    value = _told(challenge) | {"policy": _told(challenge.policy)}
    if challenge.form:
        value["form"] = _told(challenge.form)
    if challenge.action:
        # Pairs: tokens do not keep the order of names, in which they are shown.
        pairs = list(challenge.action.values.items())
        value["action"] = {"digest": challenge.action.digest, "values": pairs}
    return value


def unpacked(value: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of the challenge that a token has this value of.

    :raises InvalidToken: it has another shape.
    :raises TypeError: or ValueError: what is in it was made by another version.
    """
    if not fits(value, _SHAPE):
        raise InvalidToken("a challenge of another version")
    parts: dict[str, Any] = {"policy": Policy(**value["policy"])}
    if "action" in value:
        digest, pairs = value["action"]["digest"], value["action"]["values"]
        parts["action"] = Action(digest, dict(pairs))
    if "form" in value:
        parts["form"] = SuspendedForm(**value["form"])
    return value | parts


def _told(value: Any) -> dict[str, Any]:
    # None is left out: addresses have room for little.
    facts = ((name, getattr(value, name)) for name in value.__dataclass_fields__)
    return {name: fact for name, fact in facts if fact is not None}

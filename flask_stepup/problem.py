"""A problem, as people and programs are told of it (RFC 9457)."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from typing import Any

from .spans import Moment


@dataclass(frozen=True)
class Problem:
    """A problem, as RFC 9457 calls it, for a page and for JSON alike.

    :param code: for programs; never translated.
    :param detail: for people.
    :param members: what else JSON clients get.
    :param until: a moment that the detail tells.
    """

    code: str
    status: int
    title: str
    detail: str
    members: dict[str, Any] = field(default_factory=dict)
    until: Moment | None = None

    @property
    def retry_after(self) -> int | None:
        """Seconds for the ``Retry-After`` header."""
        return self.members.get("retry_after")

    def plus(self, **members: Any) -> Problem:
        """The same problem with more, or other, members."""
        return replace(self, members=self.members | members)

    def as_json(self) -> dict[str, Any]:
        """The body of an ``application/problem+json`` answer."""
        return {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            **self.members,
        }

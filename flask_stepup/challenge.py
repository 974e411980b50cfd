"""The signed token that carries an unmet policy and the way back through the prompt."""

from __future__ import annotations

import time
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import replace
from typing import Any
from urllib.parse import quote
from urllib.parse import urlsplit

from flask import request
from flask import url_for

from .client import is_our_host
from .errors import InvalidToken
from .errors import TokenExpired
from .gate import Gate
from .policy import is_current
from .policy import Policy
from .required import ReverificationRequired
from .subject import Subject

#: Seconds from its first issue in which an expired challenge may be renewed.
LONGEST_LIFE = 86_400
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Challenge:
    """A question put to one person in one session.

    It is at once the prompt's protection against cross-site requests and the proof
    that the way back is ours. Nothing about it is kept in the session, so that two
    tabs cannot overwrite each other's.

    :param method: of the request that met the unmet policy.
    :param path: of that request, with ``script_root`` and query, percent-encoded.
    :param came_from: the page that led to it: where "Cancel" goes, and where a person
        goes on whose request cannot simply be repeated.
    :param issued_at: seconds since the epoch; ``first_issued_at`` before renewals.
    """

    policy: Policy
    method: str
    path: str
    came_from: str
    ledger_id: str
    issued_at: int
    first_issued_at: int

    @property
    def repeats_itself(self) -> bool:
        """Whether following a link is all it takes to repeat the request."""
        return self.method in SAFE_METHODS

    @property
    def way_back(self) -> str:
        """Where the person goes on after a right code."""
        return self.path if self.repeats_itself else self.came_from

    def seal(self, gate: Gate, subject: Subject) -> str:
        """Return the token, good for this person in this session alone.

        :raises LedgerUnavailable: it cannot be known whether the session is revoked.
        """
        value = asdict(self)
        # The methods are the route's business: nobody re-checks them here.
        del value["policy"]["methods"]
        parts = gate.elevation.bind(subject).parts()
        return gate.signer.dumps("challenge", parts, value)

    def led_back_to(self, page: str) -> Challenge:
        """The same question, after which the person goes on from that page."""
        return replace(self, path=page, came_from=page)

    def renewed(self) -> Challenge:
        """The same question, asked now.

        :raises InvalidToken: it was first asked too long ago.
        """
        now = int(time.time())
        if not now - self.first_issued_at < LONGEST_LIFE:
            raise InvalidToken("first issued more than a day ago")
        return replace(self, issued_at=now)


def new_challenge(gate: Gate, required: ReverificationRequired) -> Challenge:
    """Return the challenge that the current request gets."""
    now = int(time.time())
    return Challenge(
        policy=replace(required.policy, methods=None),
        method=request.method,
        path=current_path(),
        came_from=referring_path(),
        ledger_id=gate.ledger.id,
        issued_at=now,
        first_issued_at=now,
    )


def open_challenge(gate: Gate, subject: Subject, token: str) -> Challenge:
    """Return the challenge in a token.

    :raises InvalidToken: not made for this person in this session by this app, or
        with another ledger.
    """
    parts = gate.elevation.binding(subject).parts()
    value: dict[str, Any] = gate.signer.loads("challenge", parts, token)
    try:
        challenge = Challenge(**{**value, "policy": Policy(**value["policy"])})
    except (TypeError, ValueError, KeyError) as error:
        raise InvalidToken("a challenge of another version") from error
    if not gate.elevation.is_ours(challenge.ledger_id):
        raise InvalidToken("made with another ledger")
    return challenge


def check_age(gate: Gate, challenge: Challenge) -> None:
    """Return if the challenge may still be answered.

    :raises TokenExpired: it may not.
    """
    age = time.time() - challenge.issued_at
    settings = gate.settings
    if not is_current(age, settings.challenge_max_age, settings.clock_leeway):
        raise TokenExpired(f"issued {age:.0f} s ago")


def current_path() -> str:
    """Path and query of the current request, percent-encoded."""
    path = quote(request.script_root + request.path, safe=_IN_PATH)
    query = quote(request.query_string, safe=_IN_QUERY)
    return _local(f"{path}?{query}" if query else path)


def referring_path() -> str:
    """The page of ours that led to the current request, else the front page."""
    return _path_of_ours(request.referrer) or home_path()


def htmx_path() -> str:
    """The page of ours that a person looks at while HTMX asks for a part of it."""
    return _path_of_ours(request.headers.get("HX-Current-URL")) or referring_path()


def _path_of_ours(url: str | None) -> str | None:
    if not url or not is_our_host(url):
        return None
    parts = urlsplit(url)._replace(scheme="", netloc="", fragment="")
    path = _local(parts.geturl())
    return None if path.startswith(url_for("stepup.prompt")) else path


def home_path() -> str:
    """The front page."""
    return _local(request.script_root + "/")


def _local(path: str) -> str:
    # Following it never leaves this origin: a browser takes two slashes, or one and
    # a backslash, for the start of a host.
    return "/" + path.lstrip("/\\")


# RFC 3986, 3.3 and 3.4; what came percent-encoded in a query stays as it came.
_IN_PATH = "!$&'()*+,/:;=@"
_IN_QUERY = _IN_PATH + "?%"

"""What a reviewer looks at, one file to a subject; nothing is changed by it."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator

from .backend import check_backend
from .cookies import check_cookies
from .finding import Finding as Finding
from .finding import Findings
from .finding import risky as risky
from .finding import Verdict as Verdict
from .finding import wrong as wrong
from .keys import check_keys
from .ledger import check_ledger
from .policy_settings import check_policy_settings
from .proxy import check_proxy
from .review import Review as Review
from .session_tokens import check_session_tokens
from .templates import check_templates

#: By the word that a line of the report has for its subject.
CHECKS: dict[str, Callable[[Review], Findings]] = {
    "keys": check_keys,
    "cookie": check_cookies,
    "proxy": check_proxy,
    "ledger": check_ledger,
    "backend": check_backend,
    "session": check_session_tokens,
    "policy": check_policy_settings,
    "looks": check_templates,
}


def findings(review: Review) -> Iterator[tuple[str, Finding]]:
    """Return all findings, each with its subject; a check that fails ends no other."""
    for about, check in CHECKS.items():
        try:
            for finding in check(review):
                yield about, finding
        except Exception as error:
            # Its kind alone: what it says may hold anything of the app's.
            yield (
                about,
                wrong(
                    f"this could not be looked at: {type(error).__name__}",
                    "whatever of the app's own raises that: see flask run --debug",
                ),
            )

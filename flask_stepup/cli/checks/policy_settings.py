"""The settings that decide how much a policy asks for, and where people are led."""

from __future__ import annotations

import math

from ...errors import ConfigurationError
from ...ledger import Limit
from ...subject import FlaskLogin
from ..audit import audit
from ..policy_words import asked_for
from ..policy_words import preset_name
from .finding import Finding
from .finding import Findings
from .finding import right
from .finding import risky
from .finding import wrong
from .review import Review

#: At most so many wrong codes in so many seconds (NIST SP 800-63B-4, 3.2.2; 5.2.2 of
#: the revision before it).
MOST_ATTEMPTS, IN_SECONDS = 100, 30 * 86_400
LONGEST_LEEWAY = 60


def check_policy_settings(review: Review) -> Findings:
    """Look at what weakens policies, and what leads people nowhere."""
    settings = review.settings
    yield _policies(review)
    yield _attempts(settings.attempt_limit)
    if settings.factor_downgrade:
        yield risky(
            "STEPUP_FACTOR_DOWNGRADE is on: who has no second factor at Clerk passes "
            "with a fresh first one, so that a stolen password is enough",
            "leave it out, and have people enrol: STEPUP_ENROLL_URL",
        )
    if settings.allow_impersonation:
        yield risky(
            "STEPUP_ALLOW_IMPERSONATION is on: your staff, signed in as somebody else, "
            "can step up in that person's name",
            "leave it out, or guard who may impersonate as what it opens",
        )
    if settings.clock_leeway > LONGEST_LEEWAY:
        yield risky(
            f"STEPUP_CLOCK_LEEWAY is {settings.clock_leeway} s, by which what was "
            "proved and session tokens serve too long",
            "have a time service set all clocks, and STEPUP_CLOCK_LEEWAY = 10",
        )
    yield from _ways(review)


def _policies(review: Review) -> Finding:
    try:
        audit(review.app, review.settings.preset)
    except ConfigurationError as error:
        return wrong(str(error), "its policy, or STEPUP_PRESET")
    preset = review.settings.preset
    return right(
        f"a bare @require_reverification is {preset_name(preset)}: {asked_for(preset)}"
    )


def _attempts(limits: tuple[Limit, ...]) -> Finding:
    most = min(most_attempts(limit) for limit in limits)
    if most <= MOST_ATTEMPTS:
        return right(f"at most {most:,} codes can be tried for a user in 30 days")
    return risky(
        f"STEPUP_ATTEMPT_LIMIT lets {most:,} codes be tried for a user in 30 days, "
        f"where NIST SP 800-63B-4 (3.2.2) has {MOST_ATTEMPTS}",
        'STEPUP_ATTEMPT_LIMIT = "5 per 5 minutes; 100 per 30 days"',
    )


def most_attempts(limit: Limit) -> int:
    """How many attempts a limit lets through in 30 days."""
    return limit.count * math.ceil(IN_SECONDS / limit.seconds)


def _ways(review: Review) -> Findings:
    settings = review.settings
    if settings.enroll_url is None:
        yield risky(
            "STEPUP_ENROLL_URL is not set: who has no authenticator is told so, and "
            "led nowhere",
            'STEPUP_ENROLL_URL = "/security", where people set one up',
        )
    if settings.login_url is None and not _login_leads_on(review):
        yield risky(
            "STEPUP_LOGIN_URL is not set: a browser in which nobody is signed in gets "
            "a bare 401",
            'STEPUP_LOGIN_URL = "/login"',
        )


def _login_leads_on(review: Review) -> bool:
    """Whether Flask-Login knows what to do with a browser that nobody uses."""
    manager = getattr(review.app, "login_manager", None)
    ways = ("login_view", "blueprint_login_views", "unauthorized_callback")
    is_asked = isinstance(review.loader, FlaskLogin)
    return is_asked and any(getattr(manager, way, None) for way in ways)

"""What checks the codes: Clerk's backend API, or a verifier of the app's own."""

from __future__ import annotations

from urllib.parse import urlsplit

from ...clerk import is_loopback
from ...clerk import Probe
from ...errors import VerifierError
from ...errors import VerifierMisconfigured
from ...verifiers import TOTPVerifier
from .duration import duration
from .finding import Finding
from .finding import Findings
from .finding import right
from .finding import risky
from .finding import wrong
from .review import Review


def check_backend(review: Review) -> Findings:
    """Ask the backend API for its keys, which changes nothing; call nothing else."""
    if not review.asks_clerk:
        yield _own_verifier(review)
    needs_keys = review.reads_session_tokens and not review.settings.clerk_jwt_key
    if review.asks_clerk or needs_keys:
        answer = review.backend
        if isinstance(answer, Probe):
            yield _answered(review, answer)
            yield _clock(review, answer.clock_ahead)
        elif answer:
            yield _failed(review, answer)
        yield from _instance(review)


def _own_verifier(review: Review) -> Finding:
    verifier = review.gate.verifier
    if isinstance(verifier, TOTPVerifier):
        return right("codes are checked with TOTP secrets that the app keeps itself")
    return right("codes are checked by a verifier of the app's own, not called here")


def _failed(review: Review, error: VerifierError) -> Finding:
    if isinstance(error, VerifierMisconfigured):
        mend = (
            "copy STEPUP_CLERK_SECRET_KEY whole from the API keys page of the Clerk "
            "dashboard, and leave STEPUP_CLERK_API_URL out unless you need it"
        )
    else:
        url = review.settings.clerk_api_url
        mend = f"see that this machine reaches {url}, and https://status.clerk.com"
    what = "code" if review.asks_clerk else "session token"
    return wrong(f"{error}: no {what} can be checked", mend)


def _answered(review: Review, probe: Probe) -> Finding:
    timeout = review.settings.clerk_timeout
    told = f"the backend API takes the key and answers in {duration(probe.seconds)}"
    if probe.seconds < timeout / 2:
        return right(told)
    return risky(
        f"{told}, of the {timeout:g} s that it may take",
        "look at the way there, or raise STEPUP_CLERK_TIMEOUT",
    )


def _clock(review: Review, ahead: float | None) -> Finding:
    leeway, mend = review.settings.clock_leeway, "have a time service set this clock"
    if ahead is None:
        return risky("the backend API tells no time to compare this clock with", mend)
    if abs(ahead) <= leeway:
        return right(
            f"its clock and ours agree, within STEPUP_CLOCK_LEEWAY ({leeway} s)"
        )
    which = "behind" if ahead > 0 else "ahead of"
    told = f"this clock is {abs(ahead):.0f} s {which} the backend's, and "
    told += f"STEPUP_CLOCK_LEEWAY is {leeway} s"
    if review.reads_session_tokens:
        return wrong(f"{told}: session tokens are refused, or serve too long", mend)
    return risky(f"{told}: so it may be with other hosts, which share markers", mend)


def _instance(review: Review) -> Findings:
    if review.is_development:
        return
    key, url = review.settings.clerk_secret_key or "", review.settings.clerk_api_url
    if is_loopback(urlsplit(url).hostname or ""):
        yield risky(
            f"STEPUP_CLERK_API_URL is this machine ({url}), where a sandbox may answer",
            "leave STEPUP_CLERK_API_URL out: it is Clerk's then",
        )
    if key.startswith("sk_test_"):
        yield risky(
            "STEPUP_CLERK_SECRET_KEY is of a development instance (sk_test_)",
            "the key of the production instance, sk_live_",
        )

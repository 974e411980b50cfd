"""The judge of the soak sees what it is there for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from soak.bank import LIMIT
from soak.evidence import Asked
from soak.evidence import Call
from soak.evidence import Evidence
from soak.evidence import Run
from soak.judge import violations

ASKED = Asked("r1", "u", "vault", 1, 2, 200, proved=True)
VERIFY = replace(ASKED, reference="", kind="verify", code="right")
WRONG = replace(VERIFY, status=422, problem="incorrect_code", remaining=4)
CALL = Call("u", "right", 0.5, right=True)
RUN = Run("r1", "u", 1.5)
SENT = replace(RUN, transfer="t", amount="10")
APPROVED = replace(VERIFY, transfer="t")


def guesses(count: int) -> dict[str, list[Asked] | list[Call]]:
    """Wrong codes, one each second, as they were answered and as they were heard."""
    asked = [
        replace(WRONG, sent=n, done=n + 0.5, code=str(n), remaining=LIMIT - 1 - n)
        for n in range(count)
    ]
    return {"asked": asked, "calls": [Call("u", a.code, a.sent, False) for a in asked]}


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ({"asked": [ASKED], "calls": [CALL], "runs": [RUN]}, ""),
        ({"calls": [CALL], "runs": [RUN]}, "who had not asked"),
        (
            {"asked": [replace(ASKED, proved=False)], "calls": [CALL], "runs": [RUN]},
            "without a proof",
        ),
        ({"asked": [ASKED], "runs": [RUN]}, "before any code"),
        ({"asked": [ASKED], "calls": [CALL], "runs": [RUN, RUN]}, "ran its view 2"),
        ({"asked": [ASKED], "calls": [CALL]}, "as if it had run"),
        (guesses(LIMIT), ""),
        (guesses(LIMIT + 1), "more than 5 calls"),
        ({"calls": [CALL] + 20 * [replace(CALL, right=False)]}, "21 calls with 1"),
        ({"asked": [WRONG, replace(WRONG, sent=3, done=4)]}, "4 left of at most 3"),
        ({"asked": [replace(WRONG, remaining=3)]}, "3 left instead of 4"),
        (
            {"asked": [ASKED, APPROVED], "calls": [CALL, CALL], "runs": [SENT, SENT]},
            "t was sent 2 times",
        ),
        ({"asked": [ASKED], "calls": [CALL], "runs": [SENT]}, "nobody has approved"),
        (
            {
                "asked": [ASKED, APPROVED],
                "calls": [CALL],
                "runs": [replace(SENT, amount="11")],
            },
            "nobody has approved",
        ),
        ({"asked": [VERIFY, VERIFY], "calls": [CALL]}, "opened 2 times"),
        ({"asked": [replace(ASKED, kind="open", status=500)]}, "answered 500"),
        ({"asked": [replace(ASKED, kind="open", status=503)]}, "answered 503"),
        ({"asked": [replace(ASKED, status=503)]}, "without Retry-After"),
        ({"asked": [replace(ASKED, status=-1)]}, "answered -1"),
        ({"asked": [replace(ASKED, status=0)]}, ""),
    ],
)
def test_the_judge_sees(seen: dict[str, Any], expected: str) -> None:
    """Each violation is told, and nothing of what is as it should be."""
    told = violations(Evidence(LIMIT, 300, **seen))
    assert expected in "\n".join(told)
    assert bool(told) == bool(expected)

"""How cases are made up for tests, and odd values to make them of.

``STEPUP_FUZZ=20`` tries twenty times as many cases, other ones in each run.
"""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck
from hypothesis import Phase
from hypothesis import settings
from hypothesis import strategies as st

FACTOR = int(os.environ.get("STEPUP_FUZZ", "0"))

#: Whole numbers that some arithmetic, conversion or printing cannot take.
ODD_INTS = st.sampled_from(
    [-1, 0, 1, 2**31, 2**53, 2**63, -(2**63) - 1, 2**64, 10**30, 10**308, 10**400]
)
ODD_FLOATS = st.sampled_from(
    [-0.0, 0.5, 1e-320, 1e308, float("inf"), float("-inf"), float("nan")]
)
#: Text that some parser, page or path cannot take.
ODD_TEXT = st.sampled_from(
    ["", " ", "\0", "\n", "é", "🔑", "\u202e", "-", ".", "..", "/", "//x",
     "\\", "%", "%00", "<b>", "null", "NaN", "1", "-1", "1e999", "x" * 5_000]
)  # fmt: skip

#: Half of a surrogate pair, which cannot be encoded, is in none of it.
TEXT = ODD_TEXT | st.text(max_size=20) | st.text("abc", max_size=3)
SCALARS = (
    st.none()
    | st.booleans()
    | ODD_INTS
    | st.integers()
    | ODD_FLOATS
    | st.floats()
    | TEXT
)
#: Whatever JSON can be, as Python's own parser knows it: NaN and 10**400 too.
JSON: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda one: st.lists(one, max_size=5) | st.dictionaries(TEXT, one, max_size=5),
    max_leaves=10,
)


def nested(depth: int) -> list[Any]:
    """Lists in lists."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def fuzzed(examples: int, **more: Any) -> settings:
    """Settings for so many examples, or a multiple of them where that is wanted.

    :param more: other settings of Hypothesis.
    """
    return settings(
        max_examples=examples * (FACTOR or 1),
        # Other cases in each run would have changes fail that broke nothing.
        derandomize=not FACTOR,
        database=None,
        deadline=None,
        # How long it takes to make a case up depends on who else uses the machine.
        suppress_health_check=[HealthCheck.too_slow],
        # To explain what is found takes longer than to find it.
        phases=[Phase.explicit, Phase.generate, Phase.target, Phase.shrink],
        **more,
    )

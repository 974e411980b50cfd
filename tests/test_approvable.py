"""Values to be approved: each is told from all others, and what is too much is not."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import random
from collections import namedtuple
from collections import UserDict
from decimal import Decimal
from enum import Enum
from enum import Flag
from enum import IntEnum
from enum import StrEnum
from typing import Any
from uuid import UUID

import pytest
from markupsafe import Markup
from naming import repr_of

from flask_stepup.approvable import LONGEST_VALUE
from flask_stepup.approvable import read_argument
from flask_stepup.approvable import read_value
from flask_stepup.approvable import shown
from flask_stepup.errors import ConfigurationError
from flask_stepup.errors import ValueRefused

UTC_NOON = dt.datetime(2026, 1, 2, 12, tzinfo=dt.UTC)
ID = "12345678-1234-5678-1234-567812345678"
Pair = namedtuple("Pair", "first second")


class Currency(Enum):
    EUR = 1


class OtherCurrency(Enum):
    EUR = 1


class Size(IntEnum):
    ONE = 1


class Word(StrEnum):
    NAME = "value"


class Rights(Flag):
    READ = 1
    WRITE = 2


class Odd(float):
    """A float as numpy has them."""

    def __repr__(self) -> str:
        return "Odd"

    __str__ = __repr__


#: No two of them are the same to a view.
DIFFERENT: list[Any] = [
    None, True, False, 0, 1, -1, 0.0, -0.0, 1.0, "", "0", "1", "1.0", "True", "None",
    "none", "yes", "true", " 1", "1 ", "é", "e\u0301", "\n", "\r\n", Decimal(1),
    Decimal("1.0"), Decimal("1E1"), UUID(ID), ID, dt.date(2026, 1, 2), "2026-01-02",
    dt.datetime(2026, 1, 2), "2026-01-02 00:00:00", dt.datetime(2026, 1, 2, 12),
    UTC_NOON, dt.time(12), "12:00:00", dt.time(12, tzinfo=dt.UTC),
    dt.timedelta(hours=12), dt.timedelta(1), Currency.EUR, OtherCurrency.EUR, "EUR",
    Size.ONE, Word.NAME, "value", "NAME", Rights.READ, Rights.READ | Rights.WRITE,
    Rights(0), [], {}, {"a": Decimal(1)}, [Decimal(1)], [None], [[]], [""],
    ["a", "b"], ["ab"], ["b", "a"], ["a", ["b"]], ["a,b"],
    ["str", "1"], ["int", "1"], ["list", []], "[]", "{}", '["a", "b"]', {"a": "b"},
    {"a": ["b"]}, {"a": 1}, {"a": "1"}, {"a": None}, {"a": {}}, {"": ""}, {"dict": {}},
    {"a": 1, "b": 2}, {"a": 2, "b": 1}, [{"a": 1}, {"b": 2}], [{"a": 1, "b": 2}],
    ["dict", {}],
]  # fmt: skip


def typed(value: object) -> str:
    """The JSON that stands for a value."""
    return json.dumps(read_value("x", value).typed, sort_keys=True)


def plain(value: object) -> Any:
    return read_value("x", value).plain


def fault(value: object) -> tuple[str, int | None]:
    """What is told of a value that is refused, which is never the value."""
    with pytest.raises(ValueRefused) as caught:
        read_value("x", value)
    assert caught.value.name_of_value == "x"
    return caught.value.fault, caught.value.code


def test_different_values_are_told_apart() -> None:
    """Whatever differs in value or type differs in what is digested."""
    same = [
        (a, b) for a, b in itertools.combinations(DIFFERENT, 2) if typed(a) == typed(b)
    ]

    assert same == []


@pytest.mark.parametrize(
    ("one", "other"),
    [(("a", 1), ["a", 1]), ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
     (UserDict(a=1), {"a": 1}), (Markup("<b>"), "<b>"), (Pair(1, 2), [1, 2]),
     (Odd(1.5), 1.5), ([{"b": (1,), "a": 2}], [{"a": 2, "b": [1]}])],
    ids=repr_of,
)  # fmt: skip
def test_the_same_values_are_the_same(one: object, other: object) -> None:
    """A tuple is a list, keys have no order, and a subclass is what it is built on."""
    assert typed(one) == typed(other)
    assert plain(one) == plain(other)
    assert type(plain(one)) is type(plain(other))


def grown(dice: random.Random, depth: int = 0) -> Any:
    """A value at random, from few enough that some come twice."""
    kind = dice.randrange(7 if depth < 3 else 5)
    if kind == 5:
        return [grown(dice, depth + 1) for _ in range(dice.randrange(3))]
    if kind == 6:
        return {k: grown(dice, depth + 1) for k in dice.sample("ab", dice.randrange(3))}
    singles = [1, 1.0, True, None, "", "1", "a", '"', ",", "]", Decimal(1), Size.ONE]
    return dice.choice(singles)


def told_apart(value: Any) -> Any:
    """A model of what tells a value apart, made of types and not of text."""
    if isinstance(value, list):
        return (list, *map(told_apart, value))
    if isinstance(value, dict):
        return (dict, frozenset((k, told_apart(v)) for k, v in value.items()))
    return (type(value), value)


def test_what_is_digested_is_the_same_just_where_values_are() -> None:
    """Of many pairs at random, all are told apart that differ, and no others."""
    dice = random.Random(4)  # noqa: S311
    values = [grown(dice) for _ in range(400)]
    made = [(value, told_apart(value), typed(value)) for value in values]
    equal = different = 0
    for (a, model_a, typed_a), (b, model_b, typed_b) in itertools.combinations(made, 2):
        is_same = model_a == model_b
        equal, different = equal + is_same, different + (not is_same)
        assert (typed_a == typed_b) is is_same, (a, b)

    assert min(equal, different) > 1_000


@pytest.mark.parametrize(
    ("value", "expected", "page"),
    [("a", "a", "a"), ("", "", ""), (" ", " ", " "), (True, True, "yes"),
     (False, False, "no"), (None, None, "none"), (0, 0, "0"), (1.0, 1.0, "1.0"),
     (10**30, 10**30, str(10**30)), (Decimal("10.50"), "10.50", "10.50"),
     (UUID(ID), ID, ID), (dt.date(2026, 1, 2), "2026-01-02", "2026-01-02"),
     (UTC_NOON, "2026-01-02 12:00:00+00:00", "2026-01-02 12:00:00+00:00"),
     (dt.time(9, 30), "09:30:00", "09:30:00"),
     (dt.timedelta(1, 1), "1 day, 0:00:01", "1 day, 0:00:01"),
     (Currency.EUR, "EUR", "EUR"), (Size.ONE, "ONE", "ONE"),
     (Word.NAME, "NAME", "NAME"),
     (Rights(0), "0", "0"), (Rights(3), "READ|WRITE", "READ|WRITE"),
     ([1, "é", None, True], [1, "é", None, True], '[1, "é", null, true]'),
     ({"b": Decimal(1), "a": (1.5,)}, {"b": "1", "a": [1.5]}, '{"a": [1.5], "b": "1"}'),
     ("a\u202eb", "a\u202eb", "a[U+202E]b"), (["\u202e"], ["\u202e"], '["[U+202E]"]'),
     ("[1]", "[1]", "[1]"), ({}, {}, "{}"), ([], [], "[]")],
    ids=repr_of,
)  # fmt: skip
def test_values_are_shown(value: object, expected: object, page: str) -> None:
    """As JSON, values stay what they are where they can; on a page they are text."""
    found = plain(value)

    assert found == expected
    assert type(found) is type(expected)
    assert shown(found) == page


@pytest.mark.parametrize("value", DIFFERENT, ids=repr_of)
def test_a_value_is_shown_the_same_after_a_journey(value: object) -> None:
    """What went through JSON, with its keys sorted or not, is shown as before."""
    found = plain(value)
    for is_sorted in (True, False):
        back = json.loads(json.dumps(found, sort_keys=is_sorted))
        assert shown(back) == shown(found)


@pytest.mark.parametrize(
    ("fits", "too_long"),
    [("x" * LONGEST_VALUE, "x" * (LONGEST_VALUE + 1)),
     ("\u202e" * LONGEST_VALUE, "\u202e" * (LONGEST_VALUE + 1)),
     (10**499, 10**500), (-(10**498), -(10**499)),
     (Decimal("1" * 500), Decimal("1" * 501)),
     (["x" * 496], ["x" * 497]), ({"": "x" * 492}, {"": "x" * 493}),
     ({"x" * 493: 1}, {"x" * 494: 1}), (["\\" * 248], ["\\" * 249]),
     ([0] * 166, [0] * 167), ([[]] * 125, [[]] * 126)],
    ids=lambda value: repr(value)[:20],
)  # fmt: skip
def test_a_value_has_500_characters_at_most(fits: object, too_long: object) -> None:
    """As the person would read it: of containers, the whole of their JSON counts."""
    read_value("x", fits)
    assert fault(too_long) == ("is too long to be read and approved", 422)


def test_a_value_may_hold_16_containers_within_each_other() -> None:
    """Deeper ones are as good as endless."""
    value: Any = 1
    for depth in range(1, 20):
        value = {"a": value} if depth % 2 else [value]
        if depth <= 16:
            read_value("x", value)
        else:
            assert fault(value)[1] == 422


def endless() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def doubled(times: int) -> Any:
    value: Any = ["x"]
    for _ in range(times):
        value = [value, value]
    return value


@pytest.mark.parametrize(
    "value",
    [endless(), doubled(15), 1 << 100_000_000, "x" * 10_000_000, [1] * 1_000_000,
     dict.fromkeys(map(str, range(1_000_000))), ["x" * 10_000_000],
     Decimal("1" * 9_999), [1 << 100_000_000], {"x" * 10_000_000: 1}, [""] * 1_000_000,
     [[[[]] * 1_000] * 1_000] * 1_000, 10**5_000],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_has_no_end_is_refused_at_once(value: object) -> None:
    """Nothing is written out that could not be shown: not one million of items."""
    assert fault(value) == ("is too long to be read and approved", 422)


@pytest.mark.parametrize(
    "value",
    ["\ud800", "a\udfffb", ["\ud800"], {"\ud800": 1}, {"a": "\udc80"}],
    ids=ascii,
)
def test_halves_of_characters_are_refused(value: object) -> None:
    """A lone surrogate, as JSON may hold one, is nothing that can be shown or sent."""
    assert fault(value) == ("is not valid text", 422)


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), float("-inf"), [float("nan")], Decimal("NaN"),
     Decimal("sNaN"), {"a": Decimal("-Infinity")}],
    ids=repr_of,
)  # fmt: skip
def test_numbers_that_are_none_are_refused(value: object) -> None:
    """A form may well make one of "nan", and then it is not the developer's mistake."""
    assert fault(value) == ("is not a finite number", 400)


class Secret:
    """An object that must not be seen."""

    def __repr__(self) -> str:
        return "hunter2"

    __str__ = __repr__


@pytest.mark.parametrize(
    "value",
    [Secret(), [Secret()], {"a": Secret()}, {Secret(): 1}, {1: 2}, {None: 1},
     b"hunter2", {"hunter2"}, 1j, object(), range(3), bytearray(b"hunter2"), str],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_other_types_are_the_developers_mistake(value: object) -> None:
    """The error names the type and those that there are, and never the value."""
    with pytest.raises(ConfigurationError, match="bound as 'x' holds a") as caught:
        read_value("x", value)

    assert "hunter2" not in str(caught.value)
    assert "use text, a number" in str(caught.value)


def test_arguments_have_no_limit_but_may_have_no_text() -> None:
    """What a view is called with is not read by a person, and may be any object."""
    assert read_argument("x" * 5_000) != read_argument("x" * 5_001)
    assert read_argument("\ud800") is None
    assert read_argument(Secret()) is None
    assert read_argument([Secret()]) is None
    assert read_argument(1) != read_argument("1")
    assert read_argument(None) is not None

"""What a policy accepts, what it demands, and when that is met."""

from __future__ import annotations

import dataclasses
import math
from datetime import timedelta
from typing import Any

import pytest
from naming import repr_of

from flask_stepup.demand import Demand
from flask_stepup.demand import preset
from flask_stepup.demand import PRESETS
from flask_stepup.errors import ConfigurationError
from flask_stepup.policy import is_current
from flask_stepup.policy import LEVELS
from flask_stepup.policy import Policy
from flask_stepup.policy import Shortfall
from flask_stepup.proofs import Proofs

NOW = 1_800_000_000
LEEWAY = 10
#: When a factor was proved, for a policy of 600 s with a leeway of 10 s.
PROOFS = {
    "none": None,
    "fresh": NOW - 599,
    "expired": NOW - 600,
    "a little ahead": NOW + 10,
    "future": NOW + 11,
}
MET = ("fresh", "a little ahead")


# --- presets ---


@pytest.mark.parametrize(
    ("name", "level", "max_age"),
    [
        ("strict_mfa", "multi_factor", 600),
        ("strict", "second_factor", 600),
        ("moderate", "second_factor", 3_600),
        ("lax", "second_factor", 86_400),
    ],
)
def test_presets_are_clerks(name: str, level: str, max_age: int) -> None:
    """A preset demands what Clerk's preset of that name demands, and nothing more."""
    assert preset(name) == Policy(level, max_age)  # type: ignore[arg-type]
    assert Demand(name).policy(PRESETS["lax"]) == preset(name)


def test_a_bare_policy_is_the_strict_one() -> None:
    """The default of every field is what a bare decorator demands."""
    bare = Policy()
    assert bare == preset("strict")
    assert (bare.level, bare.max_age, bare.scope) == ("second_factor", 600, "")
    assert (bare.once, bare.methods, bare.bind, bare.reason) == (False, *[None] * 3)


def test_there_are_four_presets() -> None:
    """There are Clerk's presets and no others."""
    assert list(PRESETS) == ["strict_mfa", "strict", "moderate", "lax"]


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("strickt", "strict"),
        ("Strict", "strict"),
        ("strict ", "strict"),
        ("strict-mfa", "strict_mfa"),
        ("strictmfa", "strict_mfa"),
        ("moderat", "moderate"),
        ("laxx", "lax"),
    ],
)
def test_an_unknown_preset_suggests_the_nearest(name: str, nearest: str) -> None:
    """A misspelt preset is refused, with all there are and the one that was meant."""
    for make in (preset, Demand):
        with pytest.raises(ConfigurationError) as refusal:
            make(name)
        message = str(refusal.value)
        assert repr(name) in message
        assert f"did you mean {nearest!r}?" in message
        assert all(repr(known) in message for known in PRESETS)


@pytest.mark.parametrize("name", ["", "xyzzy", 5, [], {}, b"strict", ("strict",), True])
def test_what_is_no_preset_is_refused(name: Any) -> None:
    """Anything but the name of a preset is refused with the names there are."""
    for make in (preset, Demand):
        with pytest.raises(ConfigurationError, match="'strict_mfa', 'strict'"):
            make(name)


# --- a demand ---


def test_a_bare_demand_is_the_apps_preset() -> None:
    """What is not given comes from the preset that the app chose."""
    for default in PRESETS.values():
        assert Demand().policy(default) is not None
        assert Demand().policy(default) == default


def test_what_is_given_goes_before_the_preset() -> None:
    """What is given replaces the preset's own value, and only that."""
    demand = Demand(max_age=60, scope="payments")
    assert demand.policy(PRESETS["strict"]) == Policy("second_factor", 60, "payments")
    assert demand.policy(PRESETS["strict_mfa"]) == Policy(
        "multi_factor", 60, "payments"
    )
    named = Demand("moderate", level="first_factor", reason="Send money")
    assert named.policy(PRESETS["strict_mfa"]) == Policy(
        "first_factor", 3_600, reason="Send money"
    )


@pytest.mark.parametrize(
    "word", ["maxage", "max_agee", "preset", "name_", "levels", "x"]
)
def test_an_unknown_keyword_is_refused(word: str) -> None:
    """A keyword that is no part of a policy is refused with those that are."""
    with pytest.raises(ConfigurationError) as refusal:
        Demand("strict", **{word: 1})
    assert f"{word}=" in str(refusal.value)
    for field in dataclasses.fields(Policy):
        assert repr(field.name) in str(refusal.value)


def test_a_demand_is_checked_when_it_is_written() -> None:
    """A bad value is an error at decoration, before any app or request."""
    with pytest.raises(ConfigurationError, match="max_age=0"):
        Demand(max_age=0)
    with pytest.raises(ConfigurationError, match="level='third_factor'"):
        Demand("lax", level="third_factor")  # type: ignore[arg-type]


# --- values ---

#: Field, bad value, and what its message must say to use.
BAD: list[tuple[str, Any, str]] = [
    *(
        ("level", level, "'first_factor', 'second_factor', 'multi_factor'")
        for level in (None, "", "third_factor", "second", "SECOND_FACTOR", 1, True, {},
                      b"second_factor", ("second_factor",), ["second_factor"], set())
    ),
    *(
        ("max_age", age, "above 0 and at most 86400")
        for age in (None, True, False, -1, 0, 0.0, 0.5, 1.5, 86_401, 86_400.5, 10**400,
                    -(10**400), math.nan, math.inf, -math.inf, "600", "", b"600", [600],
                    (600,), {}, 600j, timedelta(0), timedelta(seconds=-1),
                    timedelta(microseconds=1), timedelta(seconds=1, microseconds=1),
                    timedelta(days=1, seconds=1), timedelta.max)
    ),
    *(
        ("scope", scope, "at most 64 printable characters")
        for scope in (None, 5, True, b"x", ["x"], "x" * 65, "a\nb", "a\0b", "\ud800",
                      "a\tb", "\x7f", "\u200b", "\u202e")
    ),
    *(
        ("reason", reason, "use text, or a plain function")
        for reason in (5, True, b"x", ["x"], {"x": 1})
    ),
    *(
        ("methods", methods, "use")
        for methods in ("POST", "", b"POST", 5, True, [], (), set(), frozenset(), {},
                        {"POST": 1}, {"FETCH"}, {"POST", "FETCH"}, {"OPTIONS"}, {"*"},
                        {"TRACE"}, {"CONNECT"}, {""}, {" POST"}, {"POST,PUT"}, {None},
                        {5}, {b"POST"}, [["POST"]], object(), iter(["POST"]))
    ),
    *(
        ("once", once, "True or False")
        for once in (None, 0, 1, "", "yes", ["POST"])
    ),
    *(
        ("bind", bind, "('to', 'amount')")
        for bind in ("", "to", (), [], ("to", "to"), ("",), ("x" * 65,), (5,), 5, True,
                     {"to"}, tuple("abcdefghijklmnopq"))
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value", "use"), BAD, ids=lambda value: repr_of(value)[:40]
)
def test_a_bad_value_is_refused(field: str, value: Any, use: str) -> None:
    """A bad value is a ConfigurationError, and so a ValueError, that names the mend."""
    for make in (Policy, Demand):
        with pytest.raises(ConfigurationError) as refusal:
            make(**{field: value})
        assert isinstance(refusal.value, ValueError)
        assert str(refusal.value).startswith(f"{field}={value!r}")
        assert use in str(refusal.value)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (1, 1),
        (86_400, 86_400),
        (600.0, 600),
        (timedelta(minutes=5), 300),
        (timedelta(seconds=1), 1),
        (timedelta(days=1), 86_400),
        (timedelta(milliseconds=2_000), 2),
    ],
)
def test_max_age_is_seconds_or_a_timedelta(
    given: int | timedelta, seconds: int
) -> None:
    """An age may be given in whole seconds or as a timedelta, up to a day."""
    policy = Demand(max_age=given).policy(PRESETS["strict"])
    assert policy.max_age == seconds
    assert type(policy.max_age) is int


def test_text_may_be_in_any_language() -> None:
    """Scope and reason take any printable text, up to their lengths."""
    policy = Policy(
        scope="ü" * 64, reason="Überweisung an 山田さん: 5 €".ljust(200, "é")
    )
    assert len(policy.scope) == 64
    assert len(policy.reason or "") == 200
    assert Policy(scope="", reason=None) == Policy()


def test_a_policy_does_not_change() -> None:
    """A policy is a value: frozen, hashable, and equal to one of equal fields."""
    policy = Policy(methods={"POST"})  # type: ignore[arg-type]
    with pytest.raises(dataclasses.FrozenInstanceError):
        policy.max_age = 5  # type: ignore[misc]
    assert {policy: 1}[Policy(methods=["post"])] == 1  # type: ignore[arg-type]


def test_a_policy_does_not_show_what_it_binds() -> None:
    """Values may be what somebody has typed: they are in no log of a policy."""
    assert "DE02" not in repr(Policy(bind={"iban": "DE02"}))  # type: ignore[arg-type]
    assert "bind" not in repr(Policy(bind=("iban",)))


# --- approvals ---


@pytest.mark.parametrize(
    ("fields", "needed"),
    [
        ({}, False),
        ({"once": False}, False),
        ({"once": True}, True),
        ({"bind": ("to",)}, True),
        ({"bind": ["to"]}, True),
        ({"bind": {"to": "bob"}}, True),
        ({"bind": {}}, True),
        ({"bind": dict}, True),
        ({"once": True, "bind": ("to",)}, True),
    ],
)
def test_which_policies_need_an_approval(fields: Any, needed: bool) -> None:
    """``bind`` implies ``once``; a claim, which proves it for all, approves nothing."""
    policy = Policy(**fields)
    assert policy.needs_approval is needed
    assert policy.is_claimable is not needed


def test_a_claim_opens_no_scope() -> None:
    """What a claim proves, it proves for everything."""
    assert not Policy(scope="payments").is_claimable


def test_what_is_bound_is_kept_as_it_was_given() -> None:
    """Names become a tuple, a mapping a function, and a function is itself."""
    bound: Any = Policy(bind={"to": "bob"}).bind  # type: ignore[arg-type]
    assert bound() == {"to": "bob"}
    assert Policy(bind=["to", "amount"]).bind == ("to", "amount")  # type: ignore[arg-type]
    assert Policy(bind=dict).bind is dict


@pytest.mark.parametrize("approval", [{"once": True}, {"bind": ("to",)}])
@pytest.mark.parametrize("level", ["first_factor", "multi_factor"])
def test_a_code_approves_no_first_factor(approval: Any, level: Any) -> None:
    """Nor both: it proves the second alone."""
    with pytest.raises(ConfigurationError, match=f"no {level}: use level='second_f"):
        Policy(level=level, **approval)


@pytest.mark.parametrize("approval", [{"once": True}, {"bind": ("to",)}])
def test_what_is_spent_is_not_spent_by_looking(approval: Any) -> None:
    """Methods that links and images send of themselves cannot be approved."""
    for methods in ({"GET"}, {"HEAD"}, {"GET", "POST"}):
        with pytest.raises(ConfigurationError, match=r"with methods=\{'POST'\}"):
            Policy(methods=methods, **approval)
    assert Policy(methods={"POST"}, **approval).methods == {"POST"}  # type: ignore[arg-type]
    assert Policy(**approval).methods is None


# --- methods ---

ALL = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "PROPFIND")


@pytest.mark.parametrize(
    ("methods", "guarded"),
    [
        (None, ALL),
        ({"POST"}, ("POST",)),
        ({"post", "Delete"}, ("POST", "DELETE")),
        (["PUT", "PATCH"], ("PUT", "PATCH")),
        ({"GET"}, ("GET", "HEAD")),
        ({"HEAD"}, ("GET", "HEAD")),
        (("HEAD", "POST"), ("GET", "HEAD", "POST")),
    ],
)
def test_which_methods_are_guarded(methods: Any, guarded: tuple[str, ...]) -> None:
    """A policy guards the methods that it names, all by default, and HEAD as GET."""
    policy = Policy(methods=methods)
    assert tuple(method for method in ALL if policy.guards(method)) == guarded


@pytest.mark.parametrize("methods", [None, {"GET"}, {"POST"}, {"GET", "HEAD", "POST"}])
def test_options_is_exempt(methods: Any) -> None:
    """A CORS preflight carries no credentials, so no policy guards it."""
    assert not Policy(methods=methods).guards("OPTIONS")


# --- when it is met ---


@pytest.mark.parametrize(
    ("age", "current"),
    [
        (-10.001, False),
        (-10, True),
        (-9.999, True),
        (-1, True),
        (0, True),
        (599, True),
        (599.999, True),
        (600, False),
        (600.001, False),
        (10**12, False),
        (math.nan, False),
        (math.inf, False),
        (-math.inf, False),
    ],
)
def test_freshness_is_absolute(age: float, current: bool) -> None:
    """A proof serves while -leeway <= age < max_age, at each boundary."""
    assert is_current(age, 600, LEEWAY) is current
    if math.isfinite(age):
        shortfall = Policy(max_age=600).shortfall(Proofs(None, 0), age, LEEWAY)
        assert (shortfall is None) is current


def test_without_leeway_the_future_is_refused() -> None:
    """With a leeway of 0 a proof that is a second ahead is refused."""
    assert is_current(0, 600, 0)
    assert not is_current(-1, 600, 0)


def expected(level: str, proofs: tuple[str, str]) -> Shortfall | None:
    """Say what is lacking, factor by factor, in the words of the contract."""
    code_helps = level != "first_factor" and proofs[1] not in MET
    for factor in LEVELS[level]:
        if proofs[factor] == "none":
            return Shortfall(factor, "missing", code_helps)
        if proofs[factor] not in MET:
            return Shortfall(factor, "expired", code_helps)
    return None


@pytest.mark.parametrize("second", PROOFS)
@pytest.mark.parametrize("first", PROOFS)
@pytest.mark.parametrize("level", LEVELS)
def test_what_is_lacking(level: Any, first: str, second: str) -> None:
    """A level looks at its own factors alone, and names the first that is lacking."""
    policy = Policy(level, 600)
    lacking = policy.shortfall(Proofs(PROOFS[first], PROOFS[second]), NOW, LEEWAY)
    assert lacking == expected(level, (first, second))


@pytest.mark.parametrize(
    ("level", "proofs", "lacking"),
    [
        ("first_factor", ("fresh", "none"), None),
        ("first_factor", ("none", "none"), (0, "missing", False)),
        ("first_factor", ("expired", "fresh"), (0, "expired", False)),
        ("second_factor", ("none", "fresh"), None),
        ("second_factor", ("fresh", "none"), (1, "missing", True)),
        ("second_factor", ("fresh", "expired"), (1, "expired", True)),
        ("second_factor", ("fresh", "future"), (1, "expired", True)),
        ("multi_factor", ("fresh", "fresh"), None),
        ("multi_factor", ("fresh", "none"), (1, "missing", True)),
        ("multi_factor", ("none", "fresh"), (0, "missing", False)),
        ("multi_factor", ("none", "none"), (0, "missing", True)),
        ("multi_factor", ("expired", "none"), (0, "expired", True)),
        ("multi_factor", ("fresh", "future"), (1, "expired", True)),
    ],
)
def test_what_is_lacking_by_example(
    level: Any, proofs: tuple[str, str], lacking: Any
) -> None:
    """Both factors count for multi_factor; a code helps where the second is lacking."""
    first, second = (PROOFS[proof] for proof in proofs)
    assert Policy(level, 600).shortfall(Proofs(first, second), NOW, LEEWAY) == lacking


def test_a_code_helps_unless_told_otherwise() -> None:
    """So that who is asked for an approval gets the prompt."""
    assert Shortfall(1, "expired") == (1, "expired", True)


def test_time_0_is_a_time() -> None:
    """A factor proved at the epoch is expired, not missing: only None is missing."""
    assert Policy().shortfall(Proofs(None, 0), NOW, LEEWAY) == (1, "expired", True)


@pytest.mark.parametrize(
    ("level", "proved_at", "seconds"),
    [
        ("second_factor", (None, NOW), 600),
        ("second_factor", (None, NOW - 1), 599),
        ("second_factor", (None, NOW - 599), 1),
        ("second_factor", (None, NOW - 600), 0),
        ("second_factor", (None, NOW - 6_000), 0),
        ("second_factor", (NOW, None), 0),
        ("second_factor", (NOW - 500, NOW), 600),
        ("first_factor", (NOW - 500, NOW), 100),
        ("multi_factor", (NOW - 500, NOW), 100),
        ("multi_factor", (NOW, NOW - 500), 100),
        ("multi_factor", (None, NOW), 0),
        ("multi_factor", (None, None), 0),
    ],
)
def test_expires_in(
    level: Any, proved_at: tuple[int | None, int | None], seconds: int
) -> None:
    """Proofs meet a policy as long as the eldest that it needs is fresh."""
    assert Policy(level, 600).expires_in(Proofs(*proved_at), NOW) == seconds


def test_expires_in_never_promises_too_much() -> None:
    """A part of a second that is left is not rounded up."""
    assert Policy(max_age=600).expires_in(Proofs(None, NOW), NOW + 0.5) == 599
    assert Policy(max_age=600).expires_in(Proofs(None, NOW), NOW + 599.5) == 0


def test_a_reason_is_made_to_fit() -> None:
    """It may hold what somebody has typed, which is no mistake of the developer's."""
    for reason, fitting in {
        "x" * 201: "x" * 199 + "…",
        "a\nb\r\0\x1b[1m": "ab[1m",
        "\u202egnp.exe\u2028": "gnp.exe",
        "\ud800": "",
    }.items():
        assert Demand(reason=reason).policy(PRESETS["strict"]).reason == fitting


def test_an_approval_that_binds_nothing_is_a_mistake() -> None:
    """Where a value is None by mistake, any marker would do."""
    with pytest.raises(ConfigurationError, match="leave it out"):
        Demand(bind=None)  # type: ignore[typeddict-item]


# --- proofs ---


@pytest.mark.parametrize(
    ("proofs", "expected"),
    [
        (Proofs(5, None, True), True),
        (Proofs(5, 4, True), True),
        (Proofs(5, 5, True), True),
        (Proofs(5, 6, True), False),
        (Proofs(0, None, True), True),
        (Proofs(0, 0, True), True),
        (Proofs(None, None, True), True),
        (Proofs(None, 1, True), False),
        (Proofs(5, None), False),
    ],
    ids=repr,
)
def test_when_the_first_factor_stands_in(proofs: Proofs, expected: bool) -> None:
    """Where there is no second, unless one was proved later all the same."""
    assert proofs.first_stands_in is expected


@pytest.mark.parametrize("swapped", [False, True])
def test_two_proofs_are_the_fresher_of_each_factor(swapped: bool) -> None:
    """And what either says of a second factor that is not there."""
    for one, other, both in (
        (Proofs(1, 2), Proofs(2, 1), Proofs(2, 2)),
        (Proofs(1, None), Proofs(None, 2), Proofs(1, 2)),
        (Proofs(0, None), Proofs(), Proofs(0, None)),
        (Proofs(1, None, True), Proofs(2, 3), Proofs(2, 3, True)),
        (Proofs(1, 2, True), Proofs(3, None, True), Proofs(3, 2, True)),
    ):
        assert (other.or_fresher(one) if swapped else one.or_fresher(other)) == both

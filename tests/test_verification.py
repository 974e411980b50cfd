"""A code as people type it."""

from __future__ import annotations

import pytest

from flask_stepup.errors import CodeMissing
from flask_stepup.errors import Rejection
from flask_stepup.verification import folded
from flask_stepup.verification import read_code
from flask_stepup.verification import Verification


@pytest.mark.parametrize(
    "typed",
    [
        "123456",
        "123 456",
        "123-456",
        "12 34 56",
        "12-34-56",
        "1 2 3 4 5 6",
        "1-2-3 4-5-6",
        "123  456",
        " 123456",
        "123456 ",
        "\n123456\n",
        "\r\n123 456\r\n",
        "\t123456\t",
        "\x0b\x0c123456",
        "\u00a0123456\u00a0",
        "\u3000123456\u3000",
        "\u2028123456\u2029",
        "123\u00a0456",  # no-break space
        "123\u202f456",  # narrow no-break space
        "123\u2009456",  # thin space
        "123\u2007456",  # figure space
        "123\u00ad456",  # soft hyphen
        "123\u200b456",  # zero-width space
        "123\u2010456",  # hyphen
        "123\u2011456",  # no-break hyphen
        "123\u2012456",  # figure dash
        "123\u2013456",  # en dash
        "１２３４５６",  # noqa: RUF001 (full width)
        "１２３ ４５６",  # noqa: RUF001
        "123４５６",  # noqa: RUF001
        "\u0661\u0662\u0663\u0664\u0665\u0666",  # Arabic-Indic
        "\u0661\u0662\u0663 \u0664\u0665\u0666",
        "\u06f1\u06f2\u06f3\u06f4\u06f5\u06f6",  # extended Arabic-Indic
        "\u0967\u0968\u0969\u096a\u096b\u096c",  # Devanagari
        "\U0001d7cf\U0001d7d0\U0001d7d1\U0001d7d2\U0001d7d3\U0001d7d4",  # bold
    ],
    ids=ascii,
)
def test_six_digits_are_recognised(typed: str) -> None:
    """Six digits are the same code however they are grouped, and in any script."""
    assert read_code(typed) == "123456"


def test_zeros_are_digits_too() -> None:
    """A code keeps its zeros, leading ones above all."""
    assert read_code("000 012") == "000012"
    assert read_code("\u0660\u0660\u0660 \u0660\u0660\u0660") == "000000"


@pytest.mark.parametrize(
    "typed",
    [
        "abcd-efgh",
        "ABCD EFGH",
        "AbCd",
        "1234-5678",
        "12345",
        "1234567",
        "12345-67",
        "12345 67890",
        "123-456-789",
        "a23456",
        "12345x",
        "123.456",
        "½23456",
        "-",
        "--------",
        "a",
        "ünï-cödé",
        "１２３４",  # noqa: RUF001
        "x" * 72,
        "é" * 36,
        "'; DROP TABLE users; --",
        '{"code": 1}',
    ],
    ids=ascii,
)
def test_a_backup_code_is_left_as_it_is(typed: str) -> None:
    """What is not six digits may be a backup code: nothing in it is changed."""
    assert read_code(typed) == typed


def test_space_around_a_backup_code_is_taken_off() -> None:
    """Space that was copied along with a backup code does not belong to it."""
    assert read_code(" \n\tABCD efgh\u00a0\r\n") == "ABCD efgh"


@pytest.mark.parametrize(
    "typed",
    [
        "",
        " ",
        "\n",
        "\t \r\n",
        "\u00a0\u3000",
        " " * 10_000_000,
        "x" * 73,
        "é" * 37,
        "🔑" * 19,
        "1" * 73,
        "1" * 10_000_000,
        "x" * 10_000_000,
        "123456" + " " * 10_000_000,
        "-" * 10_000_000,
        "\0",
        "123\000456",
        "123456\0",
        "abcd\0efgh",
        "abcd\nefgh",
        "abcd\tefgh",
        "abcd\refgh",
        "\x1b[31mabcd",
        "abcd\x7f",
        "abcd\x80efgh",
        "\ud800",
        "123\udfff456",
        "abcd\ud83d",
        "\u202eabcd",
        "abcd\u2028efgh",
        "\ufffe",
        "\ue000",
    ],
    ids=lambda typed: f"{typed[:12]!a}-{len(typed)}",
)
def test_what_cannot_be_a_code_is_refused(typed: str) -> None:
    """Empty, too long, or with characters nobody can type: nobody is asked."""
    with pytest.raises(CodeMissing) as refusal:
        read_code(typed)
    assert isinstance(refusal.value, Rejection)


def test_a_refusal_does_not_show_what_was_typed() -> None:
    """A code that is refused may be a password typed in the wrong place."""
    with pytest.raises(CodeMissing) as refusal:
        read_code("correct horse\tbattery staple")
    error: BaseException | None = refusal.value
    while error:
        assert "horse" not in f"{error} {error!r}"
        error = error.__cause__ or error.__context__


def test_the_code_type_is_free_text() -> None:
    """A verification is of a TOTP unless its verifier says otherwise."""
    assert Verification() == Verification("totp")
    assert Verification("backup_code").code_type == "backup_code"


@pytest.mark.parametrize(
    "typed", ["12345\u2076", "\u2460\u2461\u2462\u2463\u2464\u2465"]
)
def test_compatibility_forms_of_digits_are_digits(typed: str) -> None:
    """What a verifier would take for the code is the code."""
    assert read_code(typed) == "123456"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("abcd-efgh", "ABCD EFGH"),
        ("12345678", "1234\u20135678"),
        ("12345678", "\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18"),
        ("\u017fs", "SS"),
    ],
)
def test_spellings_of_one_code_are_folded_into_one(one: str, other: str) -> None:
    """A verifier that passes over case or dashes does not make a used code new."""
    assert folded(one) == folded(other)


def test_different_codes_stay_different_when_they_are_folded() -> None:
    """Also where nothing in them is a letter or digit."""
    codes = ["abcdefgh", "abcdefgi", "!!", "??", "12345678", "1234567"]

    assert len({folded(code) for code in codes}) == len(codes)

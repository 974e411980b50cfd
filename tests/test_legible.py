"""Text that came from elsewhere: nothing in it is hidden, and nothing is cut in two."""

from __future__ import annotations

import sys
from unicodedata import category

import pytest

from flask_stepup.legible import one_line
from flask_stepup.legible import visible

#: Default_Ignorable_Code_Point, from DerivedCoreProperties.txt of Unicode 17.
IGNORABLE = [
    (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160),
    (0x17B4, 0x17B5), (0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E),
    (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
]  # fmt: skip
HIDDEN = {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp", "Zs"}
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
FAMILY = "👩\u200d👩\u200d👧"


def test_every_character_is_seen_or_named() -> None:
    """Of all code points, those of the hidden categories are replaced, ASCII is not."""
    wrong = []
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        hidden = category(char) in HIDDEN and char != " "
        if hidden and visible(char) != f"[U+{code:04X}]":
            wrong.append(hex(code))
        if not hidden and category(char)[0] in "NP" and visible(char) != char:
            wrong.append(hex(code))

    assert wrong == []
    ascii_text = "".join(map(chr, range(32, 127)))
    assert visible(ascii_text) == ascii_text


def test_what_fonts_ignore_is_named() -> None:
    """Whatever has Default_Ignorable_Code_Point is shown, of every category."""
    ignored = [code for low, high in IGNORABLE for code in range(low, high + 1)]

    assert [hex(c) for c in ignored if visible(chr(c)) != f"[U+{c:04X}]"] == []


@pytest.mark.parametrize(
    "char",
    ["\u2800", "\ufffc", "\U00013441", "\U00013442", "\U00016fe4", "\U0001d159"],
    ids=ascii,
)
def test_blank_letters_and_symbols_are_named(char: str) -> None:
    """A symbol, letter or mark that is drawn as nothing is shown too."""
    assert visible(f"a{char}b") == f"a[U+{ord(char):04X}]b"


@pytest.mark.parametrize(
    ("text", "seen"),
    [("", ""), ("DE89 3704 0044", "DE89 3704 0044"), ("  a  ", "  a  "),
     ("Zoë, Łódź, 東京, नमस्ते, 👩", "Zoë, Łódź, 東京, नमस्ते, 👩"),
     ("👩\u200d👧", "👩[U+200D]👧"), ("1\ufe0f", "1[U+FE0F]"),
     ("a\nb\tc\r", "a[U+000A]b[U+0009]c[U+000D]"), ("\0", "[U+0000]"),
     ("evil\u202egpj.exe", "evil[U+202E]gpj.exe"), ("a\u00a0b", "a[U+00A0]b"),
     ("10\u200b0", "10[U+200B]0"), ("\ud83d", "[U+D83D]"), ("a\u2028", "a[U+2028]"),
     ("\U000e0041", "[U+E0041]"), ("é e\u0301", "é e\u0301"),
     ("<b>&\"'", "<b>&\"'")],
    ids=ascii,
)  # fmt: skip
def test_text_for_approval(text: str, seen: str) -> None:
    """People's scripts stay as they are; what plays tricks is named in its place."""
    assert visible(text) == seen


def test_what_is_visible_can_be_encoded() -> None:
    """Lone surrogates do not break the page, and what was made visible stays so."""
    once = visible("".join(map(chr, range(0xD7F0, 0xE010))))

    assert once.encode()
    assert visible(once) == once


@pytest.mark.parametrize(
    "hidden",
    ["\0", "\n", "\r", "\t", "\x1b", "\x7f", "\x85", "\ud800", "\u2028", "\u2029",
     *BIDI],
    ids=ascii,
)  # fmt: skip
def test_one_line_has_no_controls(hidden: str) -> None:
    """What would end the line, or reorder it, is dropped, wherever it is."""
    assert one_line(f"{hidden}Send {hidden}money{hidden}", 20) == "Send money"


@pytest.mark.parametrize(
    "text",
    ["Send money to Zoë 👩\u200d💻", "é", "e\u0301", "a\u00a0b", "क\u094d\u200cष", ""],
    ids=ascii,
)
def test_one_line_keeps_what_scripts_need(text: str) -> None:
    """Joiners and combining marks are part of how people write."""
    assert one_line(text, 200) == text


def test_one_line_is_cut_where_it_is_too_long() -> None:
    """So many characters fit exactly; of one more, the ellipsis is the last one."""
    assert one_line("abcde", 5) == "abcde"
    assert one_line("abcdef", 5) == "abcd…"
    assert one_line("a\n\n\n\nbcde", 5) == "abcde"
    assert one_line("ab", 1) == "…"
    assert one_line("x" * 10_000_000, 200) == "x" * 199 + "…"


@pytest.mark.parametrize(
    ("text", "cut"),
    [("abce\u0301f", "abc…"), ("abcde\u0301", "abcd…"), ("ab❤\ufe0f\ufe0fxx", "ab…"),
     ("a" + FAMILY, "a…"), ("ab👍🏽ccc", "ab👍🏽…"), ("abc👍🏽cc", "abc…"),
     ("abc👍\U0001f3fbcc", "abc…"), ("abc👍\U0001f3ffcc", "abc…"),
     ("abcक\u0940cc", "abc…"), ("abc1\u20e3cc", "abc…"),
     ("a🏴\U000e0067\U000e0062\U000e007fxx", "a…"), ("abcd👩\u200d👧", "abcd…")],
    ids=ascii,
)  # fmt: skip
def test_a_character_of_several_is_not_cut_in_two(text: str, cut: str) -> None:
    """An accent goes with its letter, and a joined emoji stays or goes as one."""
    assert one_line(text, 5) == cut


def test_what_is_one_sequence_is_cut_all_the_same() -> None:
    """A letter under a thousand accents is no reason to show nothing, or everything."""
    assert one_line("a" + "\u0301" * 1_000, 5) == "a\u0301\u0301\u0301…"
    assert one_line("\u0301" * 1_000, 5) == "\u0301\u0301\u0301\u0301…"


def test_the_lines_of_a_text_area_are_told_apart_by_arrows() -> None:
    """A carriage return or line feed alone is no line end of a browser's."""
    assert visible("one\r\ntwo\n\rthree") == "one↵two[U+000A][U+000D]three"

"""Text that came from elsewhere, so that a person sees what is in it."""

from __future__ import annotations

from itertools import islice
from unicodedata import category

_ZWJ = "\u200d"
#: What the bidirectional algorithm obeys (UAX #9, 2): it reorders its surroundings.
_BIDI = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
#: Shown as nothing, though Unicode has them among letters, marks and symbols: those
#: with Default_Ignorable_Code_Point (UAX #44, 5.1), and others that are blank.
_BLANK = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0\ufffc"
    "\U00013441\U00013442\U00016fe4\U0001d159"
) | {chr(code) for code in (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))}
#: The modifiers of an emoji, which follow it: skin tones, and the tags of some flags.
_EMOJI_TAILS = frozenset(map(chr, (*range(0x1F3FB, 0x1F400), *range(0xE0020, 0xE0080))))


def visible(text: str) -> str:
    """Return text for a person who approves it.

    Each character that cannot be seen, or that changes how others are shown, line ends
    and all blanks but the plain space too, is replaced by its code point:
    ``"[U+202E]"``; the line end of a browser's text area by an arrow. The result can
    always be encoded.
    """
    text = text.replace("\r\n", "↵")
    return "".join(char if _is_seen(char) else f"[U+{ord(char):04X}]" for char in text)


def one_line(text: str, longest: int) -> str:
    """Return text of the developer's, which may hold somebody else's, for one line.

    Control characters, lone surrogates and what reorders text are dropped. What is
    longer than ``longest`` characters ends with an ellipsis, which is the last of them.
    Combining sequences and joined emoji are not cut in two (pairs of letters that make
    a flag may be), unless nothing else would be left.
    """
    kept = "".join(islice((char for char in text if _is_kept(char)), longest + 1))
    if len(kept) <= longest:
        return kept
    end = longest - 1
    while end and (_continues(kept[end]) or kept[end - 1] == _ZWJ):
        end -= 1
    return kept[: end or longest - 1] + "…"


def _is_seen(char: str) -> bool:
    # Not printable are, by Python's definition, all of the categories Other and
    # Separator but the plain space.
    return char.isprintable() and char not in _BLANK


def _is_kept(char: str) -> bool:
    return category(char) not in {"Cc", "Cs", "Zl", "Zp"} and char not in _BIDI


def _continues(char: str) -> bool:
    """Whether a character belongs to the one before it."""
    return category(char)[0] == "M" or char == _ZWJ or char in _EMOJI_TAILS

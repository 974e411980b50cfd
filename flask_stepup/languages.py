"""The language that a person is spoken to in, and the catalogues of what is said."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from gettext import NullTranslations
from gettext import translation
from pathlib import Path

from flask import current_app
from flask import has_request_context

from .client import accepted_languages

#: The name of the catalogues: ``translations/de/LC_MESSAGES/flask_stepup.mo``.
DOMAIN = "flask_stepup"
SHIPPED = Path(__file__).parent / "translations"

#: What the messages in the code are written in.
_SOURCE = "en"
_RIGHT_TO_LEFT = frozenset("ar arc ckb dv fa he ks nqo ps sd syr ug ur yi".split())


@dataclass(frozen=True, slots=True)
class Language:
    """A language that there is a catalogue for.

    :param tag: for the attribute ``lang`` (BCP 47).
    """

    tag: str
    catalogue: NullTranslations

    @property
    def direction(self) -> str:
        """For the attribute ``dir``."""
        return "rtl" if self.tag.partition("-")[0] in _RIGHT_TO_LEFT else "ltr"


def current_language() -> Language:
    """Return the language of the current request.

    Flask-Babel tells, where the app has it; else the header ``Accept-Language``. An
    app may have catalogues of its own, in its folder ``translations``: of languages
    that are not shipped, or with other words for some of the messages.
    """
    if not has_request_context():
        return _language("", _SOURCE)
    folder = _folder(current_app.root_path)
    wanted = [_babels_choice()] if _has_babel() else accepted_languages()
    return _language(folder, _best(wanted, _known(folder)))


def translate(message: str, /, **values: object) -> str:
    """Return a message in the language of the current request.

    :param values: for its placeholders, ``%(name)s``.
    """
    text = current_language().catalogue.gettext(message)
    return text % values if values else text


def translate_plural(one: str, many: str, num: int, /, **values: object) -> str:
    """Return that of two messages, or of as many as the language has, for a number.

    :param num: which is ``%(num)s`` in them.
    """
    text = current_language().catalogue.ngettext(one, many, num)
    return text % (values | {"num": num})


def marked(message: str) -> str:
    """Return the message as it is: translated when it is told, not where it stands."""
    return message


def _has_babel() -> bool:
    return "babel" in current_app.extensions


def _babels_choice() -> str:
    from flask_babel import get_locale

    return str(get_locale()).replace("_", "-")


def _best(wanted: Iterable[str], known: Mapping[str, str]) -> str:
    """The first wanted one that is known, be it by less of its tag (RFC 4647, 3.4).

    :param known: tags by themselves in lower case.
    """
    for tag in map(str.lower, wanted):
        while tag:
            if tag in known:
                return known[tag]
            tag = tag.rpartition("-")[0]
    return _SOURCE


@cache
def _folder(root_path: str) -> str:
    return str(Path(root_path, "translations"))


@cache
def _known(folder: str) -> dict[str, str]:
    found = (
        path.parts[-3].replace("_", "-")
        for place in (Path(folder), SHIPPED)
        for path in sorted(place.glob(f"*/LC_MESSAGES/{DOMAIN}.mo"))
    )
    return {tag.lower(): tag for tag in (_SOURCE, *found)}


@cache  # Of no more languages than there are catalogues.
def _language(folder: str, tag: str) -> Language:
    catalogues = [
        translation(DOMAIN, place, [tag.replace("-", "_")])
        for place in (folder, SHIPPED)
        if Path(place, tag.replace("-", "_"), "LC_MESSAGES", f"{DOMAIN}.mo").is_file()
    ]
    first = catalogues[0] if catalogues else NullTranslations()
    for other in catalogues[1:]:
        first.add_fallback(other)
    return Language(tag, first)

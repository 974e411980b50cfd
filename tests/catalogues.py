"""The catalogues of messages: made from the code, and compiled. See CONTRIBUTING.md.

make catalogues               # bring all up to date with the code, and compile them
make catalogues LANGUAGE=fr   # begin one
"""

from __future__ import annotations

import sys
from datetime import datetime
from datetime import UTC
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.catalog import Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.messages.pofile import write_po

import flask_stepup
from flask_stepup.languages import DOMAIN
from flask_stepup.languages import SHIPPED

PACKAGE = Path(flask_stepup.__file__).parent
#: Calls whose arguments are messages, and which of these are.
KEYWORDS = {
    "translate": None,
    "marked": None,
    "translate_plural": (1, 2),
    "ValueRefused": (2,),
}


def messages() -> Catalog:
    """Every message of the code and the templates, with nothing said for it."""
    found = Catalog(project=DOMAIN)
    for file, _, message, comments, _ in extract_from_dir(
        PACKAGE,
        method_map=[("**.py", "python"), ("**.html", "jinja2")],
        options_map={"**.html": {"silent": "false"}},
        keywords=KEYWORDS,
        comment_tags=["Translators:"],
        strip_comment_tags=True,
    ):
        found.add(message, locations=[(file, 0)], auto_comments=comments)
    return found


def files() -> dict[str, Path]:
    """The catalogues that there are, by their language."""
    found = sorted(SHIPPED.glob(f"*/LC_MESSAGES/{DOMAIN}.po"))
    return {path.parts[-3]: path for path in found}


def read(language: str, path: Path) -> Catalog:
    """Return a catalogue as translators write it."""
    with path.open("rb") as file:
        return read_po(file, language, DOMAIN)


def compiled(catalogue: Catalog) -> bytes:
    """Return a catalogue as gettext reads it."""
    buffer = BytesIO()
    write_mo(buffer, catalogue)
    return buffer.getvalue()


def untranslated(catalogue: Catalog) -> list[str | tuple[str, ...]]:
    """The messages for which nothing, or not every plural form, is said."""
    return [
        message.id
        for message in catalogue
        if message.id and not all(forms(message, catalogue.num_plurals))
    ]


def forms(message: Message, count: int) -> list[str]:
    """What is said for a message: for a plural, as many as the language has."""
    said = message.string or ""
    return [said] if isinstance(said, str) else [*said, *[""] * (count - len(said))]


def renew(language: str, path: Path) -> None:
    """Bring a catalogue up to date with the code, and compile it."""
    catalogue = read(language, path) if path.exists() else Catalog(language)
    template = messages()
    catalogue.update(template, no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    catalogue.fuzzy = False
    catalogue.header_comment = f"# flask-stepup, {catalogue.locale.english_name}."
    # The same code makes the same file, whoever runs this and when.
    catalogue.project, catalogue.version = "flask-stepup", ""
    catalogue.last_translator = catalogue.language_team = ""
    catalogue.msgid_bugs_address = ""
    catalogue.creation_date = catalogue.revision_date = datetime(2026, 1, 1, tzinfo=UTC)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, catalogue, width=88, omit_header=False, include_lineno=False)
    path.with_suffix(".mo").write_bytes(compiled(catalogue))
    left = len(untranslated(catalogue))
    print(f"{path.relative_to(PACKAGE.parent)}: {left} messages are left to translate")


if __name__ == "__main__":
    begun = {
        name: SHIPPED / name / "LC_MESSAGES" / f"{DOMAIN}.po" for name in sys.argv[1:]
    }
    for name, place in (files() | begun).items():
        renew(name, place)

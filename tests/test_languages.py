"""Every word of ours in the language of the person, and no word left out."""

from __future__ import annotations

import re
from gettext import GNUTranslations
from pathlib import Path
from typing import Any

import catalogues
import pytest
from conftest import MakeApp
from flask import Flask
from flask import session
from flask_babel import Babel
from flask_babel import force_locale
from flask_babel import lazy_gettext
from people import Person
from people import Prompt
from werkzeug.test import TestResponse

from flask_stepup import require_reverification
from flask_stepup.languages import DOMAIN
from flask_stepup.languages import translate_plural

HEADINGS = {
    "en": "Confirm it’s you",
    "de": "Bestätigen Sie, dass Sie es sind",
    "es": "Confirme que es usted",
    "ar": "أكّد هويتك",
}
WRONG = {
    "en": "That code is not right",
    "de": "Dieser Code ist nicht richtig",
    "es": "Ese código no es correcto",
    "ar": "هذا الرمز غير صحيح",
}


def prompted(app: Flask, accepted: str) -> Prompt:
    """The prompt for somebody whose browser asks for these languages."""
    person = Person(app, "alice")
    return Prompt(person.open("/vault", "POST", headers=asking(accepted)))


def asking(accepted: str) -> dict[str, str]:
    return {"Accept-Language": accepted}


def html_tag(page: TestResponse) -> str:
    found = re.search("<html[^>]*>", page.text)
    assert found
    return found[0]


# Complete


@pytest.mark.parametrize("language", catalogues.files())
def test_a_catalogue_has_every_message(language: str) -> None:
    """Of the code and the templates as they are now, in every plural form."""
    catalogue = catalogues.read(language, catalogues.files()[language])
    said = {message.id for message in catalogue if message.id}
    wanted = {message.id for message in catalogues.messages() if message.id}

    assert wanted - said == set(), "run: make catalogues"
    assert said - wanted == set(), "run: make catalogues"
    assert catalogues.untranslated(catalogue) == []
    assert [message.id for message in catalogue if message.fuzzy] == []


@pytest.mark.parametrize("language", catalogues.files())
def test_a_catalogue_is_compiled(language: str) -> None:
    """What gettext reads is what the translator has written."""
    path = catalogues.files()[language]
    catalogue = catalogues.read(language, path)
    with path.with_suffix(".mo").open("rb") as file:
        compiled = GNUTranslations(file)

    for number in range(200):
        for message in catalogue:
            if isinstance(message.id, tuple):
                form = compiled.plural(number)  # type: ignore[attr-defined]
                assert compiled.ngettext(*message.id, number) == message.string[form]
            elif message.id and not number:
                assert compiled.gettext(message.id) == message.string
    assert len(compiled._catalog) > len(catalogue)  # type: ignore[attr-defined]


@pytest.mark.parametrize("language", catalogues.files())
def test_a_translation_has_the_placeholders_of_its_message(language: str) -> None:
    """No more, which would be an error, and no fewer, which would say less.

    A form for one or two may have a word in place of the number.
    """
    catalogue = catalogues.read(language, catalogues.files()[language])
    for message in catalogue:
        if not message.id:
            continue
        ids = [message.id] if isinstance(message.id, str) else [*message.id]
        wanted = set(re.findall(r"%\(\w+\)s", ids[-1]))
        for said in catalogues.forms(message, catalogue.num_plurals):
            found = set(re.findall(r"%\(\w+\)s", said))
            assert found == wanted or (found | {"%(num)s"} == wanted), said
            assert "%" not in re.sub(r"%\(\w+\)s", "", said), said


def test_no_word_stands_outside_of_a_message() -> None:
    """What a template says it says by way of the catalogues."""
    folder = catalogues.PACKAGE / "templates" / "stepup" / "default"
    for path in folder.glob("*.html"):
        text = re.sub(r"{#.*?#}|{%.*?%}|{{.*?}}", "", path.read_text(), flags=re.DOTALL)
        words = re.sub(r"<[^>]*>", "", text, flags=re.DOTALL).replace("\u2013", "")
        assert words.split() == [], path.name
        attributes = re.findall(r'(?:alt|title|aria-label|placeholder)="([^"]*)"', text)
        assert all(value == "" for value in attributes), path.name


def test_the_languages_of_the_contract_are_there() -> None:
    """English is what the messages are written in."""
    assert set(catalogues.files()) >= {"de", "es", "ar"}


# Chosen


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("de", "de"),
        ("de-AT", "de"),
        ("DE-ch, en;q=0.5", "de"),
        ("es-419,es;q=0.9", "es"),
        ("ar-EG", "ar"),
        ("fr, es;q=0.5", "es"),
        ("fr", "en"),
        ("en-GB, de", "en"),
        ("en;q=0.5, de;q=0.9", "de"),
        ("de;q=0, es", "es"),
        ("*", "en"),
        ("", "en"),
        ("d" * 5_000, "en"),
        ("../../../etc, de;q=x, \x7f", "en"),
        ("-" * 20_000 + ", es", "es"),
        (", ".join(["fr"] * 30) + ", es", "en"),
    ],
)
def test_the_browser_says_which_language(
    app: Flask, accepted: str, language: str
) -> None:
    """The best that there is of those it asks for, else English."""
    page = prompted(app, accepted).response

    assert HEADINGS[language] in page.text
    assert f'lang="{language}"' in html_tag(page)
    assert page.headers["Content-Language"] == language
    assert "accept-language" in page.vary.as_set()


@pytest.mark.parametrize(("language", "direction"), [("ar", "rtl"), ("de", "ltr")])
def test_the_page_runs_as_its_language_does(
    app: Flask, language: str, direction: str
) -> None:
    """From the right in Arabic; the code itself is figures in any language."""
    page = prompted(app, language).response

    assert f'dir="{direction}"' in html_tag(page)
    assert re.search(r'<input id="stepup-code"[^>]* dir="ltr"', page.text)


@pytest.mark.parametrize("language", HEADINGS)
def test_problems_are_told_in_the_language(app: Flask, language: str) -> None:
    """To people all of it; to programs title and detail, but never the code."""
    alice = Person(app, "alice")
    prompt = alice.prompted()
    page = alice.answer(prompt, "wrong", headers=asking(language))
    body = {"challenge": prompt.challenge, "code": "wrong"}
    told = alice.json("/stepup/", "POST", json=body, headers=asking(language))

    assert WRONG[language] in page.text
    assert told.json["title"] == WRONG[language]
    assert (told.json["code"], told.json["attempts_remaining"]) == ("incorrect_code", 3)
    assert told.headers["Content-Language"] == language
    refused = alice.json(headers=asking(language)).json
    assert refused["code"] == "reverification_required"
    assert ("Confirm with a code" in refused["detail"]) is (language == "en")


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (1, "بقيت لك محاولة واحدة."),
        (2, "بقيت لك محاولتان."),
        (3, "بقيت لك 3 محاولات."),
        (10, "بقيت لك 10 محاولات."),
        (11, "بقيت لك 11 محاولة."),
        (99, "بقيت لك 99 محاولة."),
        (100, "بقيت لك 100 محاولة."),
    ],
)
def test_arabic_has_its_six_plural_forms(
    make_app: MakeApp, left: int, words: str
) -> None:
    """Each in its place, on the page."""
    app = make_app(STEPUP_ATTEMPT_LIMIT=f"{left + 1} per 5 minutes")
    alice = Person(app, "alice")

    page = alice.answer(alice.prompted(), "wrong", headers=asking("ar"))

    assert words in page.text


def test_outside_of_a_request_english_is_spoken(app: Flask) -> None:
    """On a command line, say."""
    with app.app_context():
        assert translate_plural("%(num)s day", "%(num)s days", 2) == "2 days"


# The app's own


def write_catalogue(app: Flask, language: str, messages: dict[str, str]) -> None:
    """Put a catalogue of the app's own where Flask-Babel has them too."""
    catalogue = catalogues.Catalog(language)
    for message, said in messages.items():
        catalogue.add(message, said)
    path = Path(app.root_path, "translations", language, "LC_MESSAGES", f"{DOMAIN}.mo")
    path.parent.mkdir(parents=True)
    path.write_bytes(catalogues.compiled(catalogue))


def test_an_app_adds_a_language_and_words_of_its_own(
    make_app: MakeApp, tmp_path: Path
) -> None:
    """What it does not say is said as ever."""
    app = make_app()
    app.root_path = str(tmp_path / "app")
    write_catalogue(app, "fr", {"Confirm it’s you": "Confirmez votre identité"})
    write_catalogue(app, "de", {"Confirm it’s you": "Sind Sie es?"})

    french, german = prompted(app, "fr-CA").response, prompted(app, "de").response

    assert "Confirmez votre identité" in french.text
    assert ">Cancel<" in french.text
    assert 'lang="fr"' in html_tag(french)
    assert "Sind Sie es?" in german.text
    assert ">Abbrechen<" in german.text


# Flask-Babel


@pytest.fixture(name="babel_app")
def _babel_app(make_app: MakeApp) -> Flask:
    """An app that keeps the language in the session."""
    app = make_app()
    Babel(app, locale_selector=lambda: session.get("language"))

    @app.get("/speak/<language>")
    def speak(language: str) -> str:
        session["language"] = language
        return language

    return app


@pytest.mark.parametrize(
    ("chosen", "language"),
    [("de", "de"), ("de_AT", "de"), ("ar", "ar"), ("zh_Hans_CN", "en"), ("en", "en")],
)
def test_flask_babel_says_which_language(
    babel_app: Flask, chosen: str, language: str
) -> None:
    """And not the browser, where an app has it."""
    alice = Person(babel_app, "alice")
    alice.open(f"/speak/{chosen}")

    page = alice.open("/vault", "POST", headers=asking("es"))

    assert HEADINGS[language] in page.text
    assert f'lang="{language}"' in html_tag(page)


def test_the_default_of_flask_babel_counts(make_app: MakeApp) -> None:
    """Where its selector leaves it open, or there is none."""
    app = make_app()
    Babel(app, default_locale="de")

    assert HEADINGS["de"] in prompted(app, "es").text


def test_a_forced_locale_counts(babel_app: Flask) -> None:
    """As everywhere with Flask-Babel."""
    with (
        babel_app.test_request_context(headers=asking("es")),
        force_locale("de"),
    ):
        assert translate_plural("%(num)s day", "%(num)s days", 2) == "2 Tage"


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_reason_may_be_lazy_text(babel_app: Flask, language: str) -> None:
    """It is looked up in the language of each request."""
    place = Path(babel_app.root_path)
    assert not (place / "translations").exists()
    spoken = {"en": "2 days", "de": "2 Tage"}

    class Lazy(type(lazy_gettext("x"))):  # type: ignore[misc]
        """As lazy_gettext makes it, of words that there is a catalogue for."""

    reason = Lazy(lambda: translate_plural("%(num)s day", "%(num)s days", 2))
    view = require_reverification(reason=reason)(lambda: "done")
    babel_app.add_url_rule("/lazy", view_func=view)
    alice = Person(babel_app, "alice")
    alice.open(f"/speak/{language}")

    assert spoken[language] in alice.prompted("/lazy").says
    assert alice.json("/lazy").json["policy"]["reason"] == spoken[language]


def test_a_template_of_the_apps_keeps_its_own_words(
    babel_app: Flask, tmp_path: Path
) -> None:
    """Its ``_`` is the app's, and ours has another name."""
    folder = tmp_path / "templates"
    (folder / "stepup").mkdir(parents=True)
    babel_app.template_folder = str(folder)
    (folder / "stepup" / "prompt.html").write_text(
        '{% extends "stepup/default/prompt.html" %}'
        '{% block stepup_brand %}{{ _("Our bank") }}{% endblock %}'
    )

    says = Person(babel_app, "alice").prompted().says

    assert says.startswith("Our bank Confirm it’s you")


def test_the_words_of_a_value_that_is_refused(make_app: MakeApp, stepup: Any) -> None:
    """Its name stays as it is."""
    app = make_app(stepup=stepup)
    view = require_reverification(bind=("to",))(lambda: "done")
    app.add_url_rule("/send", view_func=view, methods=["POST"])

    told = Person(app, "alice").json("/send", "POST", headers=asking("de")).json

    assert (told["code"], told["detail"]) == ("value_refused", "„to“ fehlt.")

"""The pages of ours in an app's own frame: its templates go before ours."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from conftest import MakeApp
from flask import Flask
from jinja2 import TemplateNotFound
from people import Person

import flask_stepup
from flask_stepup import ConfigurationError

CLERK_JS = '<script src="https://clerk.example/clerk.js" defer></script>'
HEAD = f"""{{% extends "stepup/default/layout.html" %}}
{{% block head %}}{CLERK_JS}{{% endblock %}}"""
PROMPT = """{% extends "stepup/default/prompt.html" %}
{% block content %}<p>Before</p>{{ super() }}<p>After</p>{% endblock %}"""


@pytest.fixture(name="app")
def _app(make_app: MakeApp, tmp_path: Path) -> Flask:
    app = make_app()
    app.template_folder = str(tmp_path / "templates")
    (tmp_path / "templates" / "stepup").mkdir(parents=True)
    return app


def write(app: Flask, name: str, text: str) -> None:
    assert app.template_folder
    (Path(app.template_folder) / "stepup" / name).write_text(text)


def test_the_head_of_every_page_can_be_filled(app: Flask) -> None:
    """One template brings clerk-js, which keeps Clerk's cookie alive, to all pages."""
    write(app, "layout.html", HEAD)
    alice = Person(app, "alice")
    prompt = alice.prompted()

    for page in (prompt.response, alice.open("/stepup/"), alice.answer(prompt, "x")):
        head = page.text.partition("</head>")[0]
        assert head.count(CLERK_JS) == 1
        assert "stepup.css" in page.text


def test_a_block_of_the_prompt_can_be_filled(app: Flask) -> None:
    """What is ours stays between, and tells of a wrong code as ever."""
    write(app, "prompt.html", PROMPT)
    alice = Person(app, "alice")

    wrong = alice.answer(alice.prompted(), "wrong")

    before, _, rest = wrong.text.partition("<p>Before</p>")
    assert 'aria-invalid="true"' in rest
    assert "That code is not right" in rest.partition("<p>After</p>")[0]
    assert "aria-invalid" not in before


# The app's own base template

BASE = """<!doctype html><html lang="fr"><head><title>
{%- block title %}{% endblock %} | Bank</title></head><body><nav>Accounts</nav>
<main>{% block content %}{% endblock %}</main>
<footer>{{ config.NAME }}</footer></body></html>"""


@pytest.fixture(name="app_with_base")
def _app_with_base(make_app: MakeApp, tmp_path: Path) -> MakeApp:
    """A function that makes an app with a base template of this text."""

    def with_base(text: str = BASE, **config: Any) -> Flask:
        app = make_app(STEPUP_BASE_TEMPLATE="base.html", **config)
        app.template_folder = str(tmp_path)
        (tmp_path / "base.html").write_text(text)
        return app

    return with_base


def test_the_prompt_goes_into_the_apps_own_page(app_with_base: MakeApp) -> None:
    """Every page of ours, with style sheet, script and language; just one of each."""
    app = app_with_base(NAME="Harbour")
    alice = Person(app, "alice")
    prompt = alice.prompted()

    for page in (prompt.response, alice.open("/stepup/"), alice.answer(prompt, "x")):
        before, _, rest = page.text.partition(
            '<div class="stepup" lang="en" dir="ltr">'
        )
        assert before.startswith('<!doctype html><html lang="fr">')
        assert "<nav>Accounts</nav>" in before
        assert "<footer>Harbour</footer>" in rest
        assert page.text.count("<main>") == page.text.count("<!doctype") == 1
        assert page.text.count("stepup.css") == page.text.count("stepup.js") == 1
    assert "<title>Confirm it’s you | Bank" in prompt.text


@pytest.mark.parametrize(
    "text", ["<!doctype html><p>Hi", "{% block body %}{% endblock %}"]
)
def test_a_base_template_without_the_block_is_told(
    app_with_base: MakeApp, text: str
) -> None:
    """Rather than that a person sees a page with nothing to enter."""
    alice = Person(app_with_base(text), "alice")
    alice.app.testing = True

    with pytest.raises(ConfigurationError, match=r"base\.html.*block content"):
        alice.prompted()


def test_a_base_template_that_is_not_there_is_told(make_app: MakeApp) -> None:
    """By the setting that names it."""
    alice = Person(make_app(STEPUP_BASE_TEMPLATE="bsae.html"), "alice")
    alice.app.testing = True

    with pytest.raises(ConfigurationError, match=r"STEPUP_BASE_TEMPLATE='bsae\.html'"):
        alice.prompted()


def test_a_prompt_of_the_apps_own_needs_no_card_of_ours(
    app_with_base: MakeApp, tmp_path: Path
) -> None:
    """Its template altogether, in the same page, is what it wants to show."""
    app = app_with_base(NAME="Harbour")
    (tmp_path / "stepup").mkdir()
    write(
        app,
        "prompt.html",
        '{% extends "base.html" %}{% block content %}{{ token }} here{% endblock %}',
    )

    assert " here</main>" in Person(app, "alice").prompted().text


def test_the_apps_own_names_mean_what_they_do_in_its_page(
    app_with_base: MakeApp,
) -> None:
    """Those of its context processors that others may have too."""
    app = app_with_base("{{ language }} {{ home }} {% block content %}{% endblock %}")
    app.context_processor(lambda: {"language": "fr", "home": "Start"})

    assert Person(app, "alice").prompted().text.startswith("fr Start ")


def test_what_else_is_missing_is_told_as_ever(app_with_base: MakeApp) -> None:
    """An include of the app's own that is not there is no matter of ours."""
    alice = Person(app_with_base('{% include "nav.html" %}'), "alice")
    alice.app.testing = True

    with pytest.raises(TemplateNotFound, match=r"nav\.html"):
        alice.prompted()


# Looks


def test_name_logo_and_help_are_the_apps(make_app: MakeApp) -> None:
    """The name is what the logo says to who cannot see it."""
    looks = {
        "STEPUP_APP_NAME": "Smith & Sons",
        "STEPUP_LOGO_URL": "/static/logo.svg",
        "STEPUP_SUPPORT_URL": "tel:+441632960000",
    }
    page = Person(make_app(**looks), "alice").prompted().text

    assert '<img src="/static/logo.svg" alt="Smith &amp; Sons">' in page
    assert "<title>Confirm it’s you \u2013 Smith &amp; Sons</title>" in page
    assert '<a href="tel:+441632960000">Get help</a>' in page
    assert "<svg" not in page


def test_a_name_alone_stands_beside_the_shield(make_app: MakeApp) -> None:
    """And a logo without a name is decoration."""
    named = Person(make_app(STEPUP_APP_NAME="Smith"), "alice").prompted()
    drawn = Person(make_app(STEPUP_LOGO_URL="/logo.svg"), "alice").prompted()

    assert named.says.startswith("Smith Confirm it’s you")
    assert "<svg" in named.text
    assert '<img src="/logo.svg" alt="">' in drawn.text


@pytest.mark.parametrize("nonce", ["r4nd0m", lambda: "r4nd0m"])
def test_a_nonce_of_the_apps_policy_is_used(app: Flask, nonce: object) -> None:
    """Where its templates have one, as Flask-Talisman's do."""
    app.jinja_env.globals["csp_nonce"] = nonce
    page = Person(app, "alice").prompted().text

    assert 'stepup.js" defer nonce="r4nd0m"' in page
    assert 'stepup.css" nonce="r4nd0m"' in page


def test_the_documents_name_every_block_and_property() -> None:
    """Those that there are, and no others."""
    package = Path(flask_stepup.__file__).parent
    default = package / "templates" / "stepup" / "default"
    looks = (package.parent / "docs" / "looks.md").read_text()

    blocks = {
        name
        for path in default.glob("*.html")
        for name in re.findall(r"block (\w+)", path.read_text())
    }
    listed = set(re.findall(r"`(stepup_\w+|head|title|content)`", looks))
    assert listed == blocks - {"stepup"}
    told = set(re.findall(r"^\| (.*--stepup.*) \|", looks, re.MULTILINE))
    style = (package / "static" / "stepup.css").read_text()
    public = set(re.findall(r"--stepup-[a-z-]+(?=:)", style)) - {"--stepup-faint-line"}
    assert set(re.findall(r"--stepup-[a-z-]+", " ".join(told))) == public


def test_the_defaults_are_whole_without_an_app(make_app: MakeApp) -> None:
    """An app that overrides nothing gets them."""
    page = Person(make_app(), "alice").prompted().response.text

    assert page.startswith("<!doctype html>")
    assert page.count("<h1>") == 1

"""The pages of ours in an app's own frame: its templates go before ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import MakeApp
from flask import Flask
from people import Person

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


def test_the_defaults_are_whole_without_an_app(make_app: MakeApp) -> None:
    """An app that overrides nothing gets them."""
    page = Person(make_app(), "alice").prompted().response.text

    assert page.startswith("<!doctype html>")
    assert page.count("<h1>") == 1

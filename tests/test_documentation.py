"""The site of the documentation: it builds, its links lead somewhere, all is on it."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from documented import DOCS

import flask_stepup
from flask_stepup import testing

ROOT = DOCS.parent
#: Everything that people read as Markdown.
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])
#: What a browser loads by itself, as against links that a person follows.
LOADED = re.compile(
    r"""<(?:script|img|iframe|source|link)\b[^>]*?(?:src|href)="(https?:[^"]*)"""
)


def build(builder: str, to: Path) -> subprocess.CompletedProcess[str]:
    """Run Sphinx as ``make docs`` does, in a folder of our own."""
    options = ["-W", "--keep-going", "-q", "-b", builder, "-d", f"{to}/doctrees"]
    command = [sys.executable, "-m", "sphinx", *options, str(DOCS), str(to / builder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.fixture(name="site", scope="module")
def _site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build("html", folder)
    assert done.stderr == ""
    assert done.returncode == 0
    return folder / "html"


def test_the_site_builds_without_a_warning(site: Path) -> None:
    """Each page of the folder is a page of the site."""
    pages = {page.stem for page in DOCS.glob("*.md")}

    assert pages <= {page.stem for page in site.glob("*.html")}


def test_the_examples_of_the_pages_show_what_python_shows(tmp_path: Path) -> None:
    """Doctests of pages and docstrings, messages of exceptions included."""
    done = build("doctest", tmp_path)
    summary = (tmp_path / "doctest" / "output.txt").read_text()

    assert done.stderr == ""
    assert done.returncode == 0
    tried = re.search(r"(\d+) tests?\n\s+0 failures in tests", summary)
    assert tried
    assert int(tried[1]) >= 8


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    """No font, script or picture of another host: the site works without a network."""
    for page in site.rglob("*.html"):
        assert LOADED.findall(page.read_text()) == [], page.name
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*[\"']?https?:", sheet.read_text())


def test_links_of_the_site_lead_to_its_pages(site: Path) -> None:
    """What is a file of the repository on a code host is a page here, or plain text."""
    for page in site.glob("*.html"):
        body = re.sub(r"<pre>.*?</pre>", "", page.read_text(), flags=re.DOTALL)
        for target in re.findall(r'href="([^"#:?]+)(?:[#?][^"]*)?"', body):
            assert (site / html.unescape(target)).exists(), (page.name, target)
    threats = (site / "threat-model.html").read_text()
    assert 'href="contributing.html"' in threats
    assert 'href="security.html#what-is-promised"' in threats
    assert 'id="what-is-promised"' in (site / "security.html").read_text()


def test_every_page_is_in_the_contents_once() -> None:
    """A page that nobody is led to would not be read."""
    index = (DOCS / "index.md").read_text()
    trees = re.findall(r"```\{toctree\}\n(.*?)```", index, re.DOTALL)
    listed = [
        line
        for tree in trees
        for line in tree.splitlines()
        if line and not line.startswith(":")
    ]

    assert sorted(listed) == sorted(
        p.stem for p in DOCS.glob("*.md") if p.stem != "index"
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    """To a file, and to a heading in it, on a code host as on the site."""
    for target in links_of(page.read_text()):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert file.is_relative_to(ROOT), target
        if anchor:
            assert anchor in anchors_of(file.read_text()), target


def test_what_is_exported_is_documented_once(site: Path) -> None:
    """Each exported name, and no other of that module, by its signature."""
    found = [
        match
        for page in ("api", "errors")
        for match in re.findall(
            r'<dt class="sig sig-object py" id="flask_stepup\.(\w+)"',
            (site / f"{page}.html").read_text(),
        )
    ]

    assert sorted(found) == flask_stepup.__all__


def test_the_test_kit_is_documented_once(site: Path) -> None:
    """Each of its names, and no other."""
    page = (site / "api.html").read_text()
    pattern = r'<dt class="sig sig-object py" id="flask_stepup\.testing\.(\w+)"'

    assert sorted(re.findall(pattern, page)) == testing.__all__


def test_signatures_have_their_types(site: Path) -> None:
    """As they are written in the code."""
    page = html.unescape(re.sub("<[^>]+>", "", (site / "api.html").read_text()))
    page = re.sub(r"\s+", " ", page)

    assert "grant( level: Literal['first_factor', 'second_factor'" in page
    assert "revoke(user_id: str | int) → None" in page
    assert "subject() → Subject | None" in page


def links_of(markdown: str) -> Iterator[str]:
    """The targets of relative links."""
    text = re.sub(r"^```.*?^```", "", markdown, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"``.+?``|`[^`]*`", "code", text)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", target):
            yield target


def anchors_of(markdown: str) -> set[str]:
    """The anchors of headings, as code hosts and MyST make them."""
    text = re.sub(r"^```.*?^```", "", markdown, flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#{1,4} (.+)$", text, re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in headings
    }

"""What htmx does with answers if it is not told: the table of ``docs/htmx.md``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask import request
from flask import Response
from flask import send_from_directory
from front_end import node
from front_end.chromium import chromium
from front_end.chromium import needs_chromium
from playwright.sync_api import Browser
from playwright.sync_api import Page
from serving import served

DOCS = Path(__file__).parent.parent / "docs"
RELEASES = {"htmx 2": "htmx.org-2", "htmx 4": "htmx.org"}
#: Answers, as the page names them.
ANSWERS = {
    "403 or 401 with `HX-Redirect`": (403, {"HX-Redirect": "/elsewhere"}),
    "403 without": (403, {}),
    "422": (422, {}),
    "303": (303, {"Location": "/elsewhere"}),
}
#: What becomes of the page, in its words.
OUTCOMES = {
    "/elsewhere: A page.": "leaves the page",
    "/: A page.": "nothing",
    "/: An answer.": "shows it in the target",
    "/: Another page.": "shows the page that it leads to in the target",
}
PAGE = """<!doctype html>
<html lang="en">
<title>Page</title>
<script src="/htmx/{release}/dist/htmx.js"></script>
<script src="/note.js"></script>
<p id="target">A page.</p>
<button hx-post="/answer/{number}" hx-target="#target">Ask</button>
"""
#: Keeps what happens where the page that follows can read it.
NOTE = """
for (const name of ["htmx:responseError", "htmx:response:error"])
  document.addEventListener(name, () => (sessionStorage.told = name));
const done = () => (document.title = "Done");
for (const name of ["htmx:afterRequest", "htmx:finally:request"])
  document.addEventListener(name, () => setTimeout(done, 50));
"""


@pytest.fixture(name="site")
def _site() -> Iterator[str]:
    app = Flask("answers")

    @app.get("/")
    def page() -> str:
        return PAGE.format(**request.args)

    @app.get("/htmx/<path:path>")
    def htmx(path: str) -> Response:
        return send_from_directory(node.NODE_MODULES, path)

    @app.get("/note.js")
    def note() -> Response:
        return Response(NOTE, mimetype="text/javascript")

    @app.post("/answer/<int:number>")
    def answer(number: int) -> Response:
        status, headers = list(ANSWERS.values())[number]
        return Response("An answer.", status, headers)

    @app.get("/elsewhere")
    def elsewhere() -> str:
        by_htmx = "HX-Request" in request.headers
        return "Another page." if by_htmx else "<title>Done</title><p>A page.</p>"

    with served(app) as site:
        yield site


@pytest.fixture(name="browser", scope="module")
def _browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def documented() -> dict[str, dict[str, str]]:
    """The table: what each htmx does with each answer."""
    lines = (DOCS / "htmx.md").read_text().splitlines()
    rows = [re.split(r"\s*\|\s*", ln.strip("| ")) for ln in lines if ln[:1] == "|"]
    head = next(row for row in rows if row[0] == "answer")
    rows = [row for row in rows if row[0] in ANSWERS]
    return {row[0]: dict(zip(head, row, strict=True)) for row in rows}


def outcome(page: Page) -> str:
    """What has become of the page, and what a listener is told."""
    path = re.sub(r"^\w+://[^/]+|\?.*$", "", page.url)
    seen = OUTCOMES[f"{path}: {page.locator('p').inner_text()}"]
    told = page.evaluate("sessionStorage.told")
    return f"{seen}, tells `{told}`" if told else seen


@needs_chromium
@node.needs_packages
@pytest.mark.parametrize("version", RELEASES)
@pytest.mark.parametrize("answer", ANSWERS)
def test_the_table_says_what_htmx_does(
    browser: Browser, site: str, version: str, answer: str
) -> None:
    """With the file that its authors publish, and no configuration."""
    number = list(ANSWERS).index(answer)
    with browser.new_page() as page:
        page.set_default_timeout(15_000)
        page.goto(f"{site}/?release={RELEASES[version]}&number={number}")
        page.get_by_role("button", name="Ask").click()
        page.wait_for_function("document.title === 'Done'")

        assert outcome(page) == documented()[answer][version]

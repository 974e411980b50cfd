"""How Sphinx makes a site of these pages: ``make docs``.

The pages are plain Markdown, and read well where nobody builds them. What differs on
the site is here: pages for the files of the repository's root, and links to them.
"""

from __future__ import annotations

import doctest
import re
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

project = "flask-stepup"
author = "the flask-stepup authors"
project_copyright = author
version = release = version_of("flask-stepup")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
]
exclude_patterns = ["_build", "pictures"]
highlight_language = "text"
#: Code with an ellipsis in it is still coloured as far as it goes.
suppress_warnings = ["misc.highlighting_failure"]
nitpicky = True
#: Names of other libraries, which have documentation of their own: nothing is fetched
#: from elsewhere to link to them.
nitpick_ignore_regex = [
    (r"py:.*", r"(blinker|collections|datetime|flask|httpx|typing|werkzeug)\..*"),
    (r"py:.*", r"SansIOResponse|(flask_stepup\.[\w.]+\.)?[A-Z]"),
    # Of ours, what apps get and never make.
    (r"py:.*", r"flask_stepup\.(action\.Action|policy\.Shortfall|.*\.Call)"),
]

myst_heading_anchors = 4
# Not "smartquotes": quotes in these pages are what somebody types, or reads.
smartquotes = False

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"exclude-members": "__init__, __new__"}
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 72
# Messages are compared too, which Sphinx leaves out if it is not told.
doctest_default_flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

html_theme = "furo"
html_title = "flask-stepup"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/shield.svg"
html_show_sourcelink = False
html_copy_source = False
html_theme_options: dict[str, Any] = {
    # The prompt's own colours.
    "light_css_variables": {
        "color-brand-primary": "#1f4fd8",
        "color-brand-content": "#1f4fd8",
        "color-brand-visited": "#1f4fd8",
        "font-stack": "system-ui, sans-serif",
    },
    "dark_css_variables": {
        "color-brand-primary": "#8fb0ff",
        "color-brand-content": "#8fb0ff",
        "color-brand-visited": "#8fb0ff",
    },
}

#: Files of the repository's root, and the pages that include them.
_PAGES = {
    "README.md#what-is-promised": "security.md#what-is-promised",
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "reporting.md",
}
_CODE = re.compile(
    r"\[([^\]]+)\]\((?:\.\./)?(?:flask_stepup|examples|tests)(?:/[^)]*)?\)"
)


def _on_the_site(text: str) -> str:
    """Markdown whose links lead to pages of the site.

    A link to code is only its text there: where the code is, the site does not know.
    """
    for file, page in _PAGES.items():
        text = re.sub(rf"\]\((?:\.\./)?{re.escape(file)}", f"]({page}", text)
    return _CODE.sub(r"\1", text.replace("](docs/", "]("))


def _read_page(_app: Sphinx, _page: str, source: list[str]) -> None:
    source[0] = _on_the_site(source[0])


def _read_included(_app: Sphinx, path: Path, _page: str, source: list[str]) -> None:
    if path.suffix == ".md":
        source[0] = _on_the_site(source[0])


def _find_documented(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, text: nodes.Element
) -> nodes.reference | None:
    """Link a name to where it is documented, wherever its module may be."""
    name = node.get("reftarget", "").rpartition(".")[2]
    python = env.domains.python_domain
    # Each is known by the name it is exported under, and by that of its module too.
    found = {
        entry.node_id: full
        for full, entry in python.objects.items()
        if full.rpartition(".")[2] == name
    }
    if node.get("refdomain") != "py" or len(found) != 1:
        return None
    [full] = found.values()
    place, kind = node["refdoc"], node["reftype"]
    link: nodes.reference | None = python.resolve_xref(
        env, place, app.builder, kind, full, node, text
    )
    return link


def _let_names_break(
    _: Sphinx, __: str, ___: str, page: dict[str, Any], ____: Any
) -> None:
    """Let code in tables break where its parts meet, and not just anywhere."""
    page["body"] = re.sub(
        r'(?<=<span class="pre">)[^<]+',
        lambda code: re.sub(r"([_/=.,:?])(?=\w)", r"\1<wbr>", code[0]),
        page.get("body") or "",
    )


def setup(app: Sphinx) -> None:
    app.connect("html-page-context", _let_names_break)
    app.connect("source-read", _read_page)
    app.connect("include-read", _read_included)
    app.connect("missing-reference", _find_documented)

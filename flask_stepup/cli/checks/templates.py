"""The prompt's templates that the app overrides, read and not rendered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from flask import Flask
from jinja2 import nodes
from jinja2 import TemplateNotFound
from jinja2 import TemplateSyntaxError

from .finding import Finding
from .finding import Findings
from .finding import right
from .finding import risky
from .finding import wrong
from .review import Review

_OURS = Path(__file__).parents[2] / "templates"
_DEFAULT = "stepup/default/"


class _Template(NamedTuple):
    """A template as it was read.

    :param extends: another's name; None for none, empty where only rendering tells.
    :param blocks: all that are in it.
    :param fills: those that are in no other block.
    """

    name: str
    is_ours: bool
    extends: str | None
    blocks: frozenset[str]
    fills: tuple[str, ...]


def check_templates(review: Review) -> Findings:
    """Look at each template of ours that the app has one of its own for."""
    findings = [
        finding
        for path in sorted(_OURS.rglob("*.html"))
        for finding in _overriding(review, path.relative_to(_OURS).as_posix())
    ]
    # Several may meet with the same fault further up.
    yield from dict.fromkeys(findings) or [
        right("the app overrides no template of the prompt")
    ]
    if review.settings.base_template:
        yield _base(review, review.settings.base_template)


def _overriding(review: Review, name: str) -> Findings:
    try:
        if _read(review.app, name).is_ours:
            return
        chain = list(_chain(review, name))
    except (TemplateSyntaxError, TemplateNotFound) as error:
        yield _unusable(error)
        return
    default = _DEFAULT + name.removeprefix("stepup/")
    if name.startswith(_DEFAULT):
        yield risky(
            f"{name} is overridden, which is ours to change with every version",
            "a template of your own in stepup/, which extends it, or a style sheet "
            "with our properties",
        )
    elif default not in [template.name for template in chain]:
        yield risky(
            f"{name} replaces ours: what the prompt needs in a later version, and "
            "tells in other languages, will be missing",
            f'{{% extends "{default}" %}}, and fill its blocks',
        )
    else:
        yield _filling(name, chain)


def _filling(name: str, chain: list[_Template]) -> Finding:
    first, *rest = chain
    known = frozenset[str]().union(*(template.blocks for template in rest))
    unknown = sorted(set(first.fills) - known)
    if unknown and rest[-1].extends != "":
        return risky(
            f"{name} fills {', '.join(unknown)}, which is no block and is never shown",
            f"one of {', '.join(sorted(known))}",
        )
    return right(f"{name} is overridden, and extends ours")


def _base(review: Review, name: str) -> Finding:
    try:
        chain = list(_chain(review, name))
    except (TemplateSyntaxError, TemplateNotFound) as error:
        return _unusable(error)
    told = f"STEPUP_BASE_TEMPLATE ({name})"
    if any("content" in template.blocks for template in chain):
        return right(f"{told} has the block content, in which the prompt goes")
    if chain[-1].extends == "":
        return risky(
            f"{told} extends what only rendering tells: whether there is a block "
            "content, in which the prompt goes, is not known",
            "look at the prompt once",
        )
    return wrong(
        f"{told} has no block content, in which the prompt goes",
        "{% block content %}{% endblock %}",
    )


def _unusable(error: TemplateSyntaxError | TemplateNotFound) -> Finding:
    if isinstance(error, TemplateNotFound):
        return wrong(f"the template {error.name} is not there", "its name, or the file")
    return wrong(
        f"{error.name}, line {error.lineno}, is no template: {error.message}",
        "what is written there",
    )


def _chain(review: Review, name: str) -> Iterator[_Template]:
    """A template and all that it extends, as far as can be told without rendering."""
    following: str | None = name
    seen: set[str] = set()
    while following and following not in seen:
        seen.add(following)
        template = _read(review.app, following)
        yield template
        following = template.extends
        if template.is_ours and following == "":
            # Of ours, one extends what the settings say.
            following = review.settings.base_template or f"{_DEFAULT}document.html"


def _read(app: Flask, name: str) -> _Template:
    loader = app.jinja_env.loader
    assert loader
    source, filename, _ = loader.get_source(app.jinja_env, name)
    tree = app.jinja_env.parse(source, name, filename)
    extends = next((_constant(node) for node in tree.find_all(nodes.Extends)), None)
    return _Template(
        name,
        filename is not None and Path(filename).is_relative_to(_OURS),
        extends,
        frozenset(block.name for block in tree.find_all(nodes.Block)),
        tuple(node.name for node in tree.body if isinstance(node, nodes.Block)),
    )


def _constant(extends: nodes.Extends) -> str:
    name = extends.template
    return str(name.value) if isinstance(name, nodes.Const) else ""

"""The lowest versions that are supported, as pyproject.toml has them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from collections.abc import Iterator
from importlib.metadata import requires
from itertools import chain
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent.parent


def declared() -> dict[str, str]:
    """Return the lowest version of each library that the package or an extra needs.

    And of the extensions of Flask that it works with: those in the group of the tests.
    """
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = pyproject["project"]
    extras = chain.from_iterable(project["optional-dependencies"].values())
    return lowest([*project["dependencies"], *extras, *_extensions(pyproject)])


def inherited(names: Iterable[str]) -> dict[str, str]:
    """Return the lowest versions that installed libraries need for themselves.

    The package uses Werkzeug, Jinja and httpcore, too, by way of Flask and httpx.
    """
    return lowest(each for name in names for each in requires(name) or ())


def lowest(requirements: Iterable[str]) -> dict[str, str]:
    """Return the lowest version of each requirement that has one, by its name."""
    found = {}
    for requirement in map(Requirement, requirements):
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        for bound in requirement.specifier:
            if bound.operator in (">=", "==", "~="):
                name = canonicalize_name(requirement.name)
                found[name] = bound.version.removesuffix(".*")
    return found


def _extensions(pyproject: dict[str, Any]) -> Iterator[str]:
    for requirement in _group("tests", pyproject["dependency-groups"]):
        if canonicalize_name(Requirement(requirement).name).startswith("flask-"):
            yield requirement


def _group(name: str, groups: dict[str, list[Any]]) -> Iterator[str]:
    """Return what is in a group, and in those that it includes (PEP 735)."""
    for each in groups[name]:
        if isinstance(each, str):
            yield each
        else:
            yield from _group(each["include-group"], groups)

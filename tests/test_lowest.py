"""What `make lowest` installs is what pyproject.toml says, read and not repeated."""

from __future__ import annotations

import tomllib
from itertools import chain

import pytest
from lowest.bounds import inherited
from lowest.bounds import lowest
from lowest.bounds import ROOT
from packaging.requirements import Requirement


@pytest.mark.parametrize(
    ("requirement", "pins"),
    [
        ("flask>=3.1", {"flask": "3.1"}),
        ("flask[async]>=3.1,<4", {"flask": "3.1"}),
        ("PyJWT[crypto]>=2.10", {"pyjwt": "2.10"}),
        ("httpcore==1.*", {"httpcore": "1"}),
        ("flask_login~=0.6.3", {"flask-login": "0.6.3"}),
        ("anyio", {}),
        ("click<9", {}),
        ("tomli>=2; python_version < '3'", {}),
        ("asgiref>=3.2; extra == 'async'", {}),
    ],
)
def test_a_lower_bound_is_the_version(requirement: str, pins: dict[str, str]) -> None:
    """Where there is one, and it is of this Python and of no extra."""
    assert lowest([requirement]) == pins


def test_all_that_the_package_needs_has_a_lower_bound() -> None:
    """Without one, nobody would know what it was tried with."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = chain.from_iterable(project["optional-dependencies"].values())

    for requirement in (*project["dependencies"], *extras):
        assert lowest([requirement]), Requirement(requirement).name


def test_what_comes_with_flask_and_httpx_has_one_too() -> None:
    """Werkzeug, Jinja and httpcore, which the package imports itself."""
    assert {"werkzeug", "jinja2", "httpcore"} <= set(inherited(["flask", "httpx"]))

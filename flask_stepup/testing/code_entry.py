"""``enter_code``: a code for a challenge, as a program sends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from werkzeug.test import Client
from werkzeug.test import TestResponse

from ..errors import ConfigurationError
from .endpoints import path_of


def enter_code(
    client: Client,
    problem: Mapping[str, Any],
    code: str = "123456",
    *,
    path: str | None = None,
    **sent: Any,
) -> TestResponse:
    """Send a code for a challenge to the app's verify endpoint, and return its answer.

    :param problem: that :func:`assert_requires_reverification` has returned.
    :param code: without it the right one of a :class:`FakeVerifier`.
    :param path: of the endpoint, where the app is behind another in the test.
    :param sent: what else goes with the request, such as ``headers``.
    :raises ConfigurationError: no code would help.
    """
    __tracebackhide__ = True
    if "challenge" not in problem:
        raise ConfigurationError(
            "there is no challenge to answer: no code proves the first factor; sign "
            "in again, or call reverify(client, level='multi_factor')"
        )
    path = path or path_of(client, "stepup.verify", "/stepup/")
    body = {"challenge": problem["challenge"], "code": code}
    return client.post(path, json=body, **sent)

"""The scripts that run in the server: one for each step, so that a step is atomic."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import redis
from redis.exceptions import NoScriptError

#: What each script is made of.
_PARTS = {
    "look_up": ("clock", "standing", "look_up"),
    "reserve": ("clock", "reserve"),
    "settle": ("clock", "standing", "settle"),
    "spend": ("clock", "standing", "spend"),
    "revoke": ("clock", "revoke"),
}


class Scripts:
    """Runs the scripts, each in one round trip."""

    def __init__(self, client: redis.Redis) -> None:
        self._execute: Callable[..., Any] = client.execute_command
        self._scripts = {
            name: client.register_script("\n".join(map(_source, parts)))
            for name, parts in _PARTS.items()
        }

    def run(
        self, name: str, keys: Sequence[str], arguments: Sequence[object]
    ) -> list[Any]:
        """Run a script, and return what it answers.

        A server that has been restarted does not know it yet, and is sent it whole.

        :param arguments: of which the first is random.
        :raises redis.ConnectionError: the answer is one to another question.
        """
        script, sent = self._scripts[name], (len(keys), *keys, *arguments)
        try:
            word, *answer = self._execute("EVALSHA", script.sha, *sent)
        except NoScriptError:
            word, *answer = self._execute("EVAL", script.script, *sent)
        if word != arguments[0]:
            raise redis.ConnectionError("an answer to another question came")
        return list(answer)


def _source(part: str) -> str:
    return (files(__package__) / "lua" / f"{part}.lua").read_text()

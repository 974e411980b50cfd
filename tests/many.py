"""Many clients at once, in front of threads, and of processes that share a ledger."""

from __future__ import annotations

import html
import os
import re
import sys
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from contextlib import contextmanager
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import cycle
from pathlib import Path
from threading import Barrier
from typing import TypeVar
from urllib.parse import urlencode
from urllib.parse import urlsplit

from flask import Flask
from people import PAGE
from serving import port_in
from serving import read_until
from serving import ROOT
from serving import started
from werkzeug.serving import make_server

#: Clients that come at once, and workers that serve them.
CLIENTS = 32
WORKERS = 4
#: Seconds that one of them may take on a busy machine.
PATIENCE = 50.0
T = TypeVar("T")


def work(make_app: Callable[[Path, str], Flask]) -> None:
    """Be one worker process until it is ended: folder and ledger are its arguments."""
    server = make_server(
        "127.0.0.1", 0, make_app(Path(sys.argv[1]), sys.argv[2]), threaded=True
    )
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


@contextmanager
def workers(app: str, folder: Path, ledger: str) -> Iterator[list[str]]:
    """Addresses of workers that share a ledger.

    :param app: module and name of the function that makes it.
    """
    module, _, name = app.partition(":")
    script = f"from many import work; from {module} import {name}; work({name})"
    env = os.environ | {"PYTHONPATH": f"{ROOT / 'tests'}{os.pathsep}{ROOT}"}
    with ExitStack() as stack:
        processes = [
            stack.enter_context(started(env, "-c", script, str(folder), ledger))
            for _ in range(WORKERS)
        ]
        ports = [port_in(read_until(each.stdout, "http://")) for each in processes]
        yield [f"http://127.0.0.1:{port}" for port in ports]


@dataclass(frozen=True)
class Answer:
    """What one client got, and the session cookie that it has afterwards."""

    status: int
    text: str
    cookie: str

    @property
    def fields(self) -> dict[str, str]:
        found = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', self.text)
        return {name: html.unescape(value) for name, value in found}


class Browser:
    """One person's browser; its requests go to one worker after the other."""

    def __init__(self, addresses: list[str], user_id: str = "alice") -> None:
        self._addresses = cycle(addresses)
        self.cookie = ""
        self.cookie = self.send(f"/sign-in/{user_id}", method="GET").cookie

    def send(
        self,
        path: str,
        data: dict[str, str] | None = None,
        method: str = "POST",
        cookie: str = "",
    ) -> Answer:
        """Send a form with this cookie, or the browser's, which stays as it is."""
        host = urlsplit(next(self._addresses)).netloc
        sent = cookie or self.cookie
        headers = PAGE | {
            "Cookie": sent,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        with closing(HTTPConnection(host, timeout=PATIENCE)) as connection:
            connection.request(method, path, urlencode(data or {}), headers)
            answer = connection.getresponse()
            cookie = answer.headers.get("Set-Cookie", sent).partition(";")[0]
            return Answer(answer.status, answer.read().decode(), cookie)


def at_once(run: Callable[[int], T], clients: int = CLIENTS) -> list[T]:
    """What that many clients get that start at the same moment."""
    line = Barrier(clients)

    def start(number: int) -> T:
        line.wait(PATIENCE)
        return run(number)

    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(start, range(clients)))

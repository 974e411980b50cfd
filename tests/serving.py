"""Apps as they are run: served to browsers, and as processes of their own."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread
from threading import Timer
from typing import IO

import pytest
from flask import Flask
from werkzeug.serving import make_server

ROOT = Path(__file__).parent.parent


@contextmanager
def served(app: Flask, *, over_tls: bool = False) -> Iterator[str]:
    """Serve the app on this machine while the context lasts; yield its address.

    :param over_tls: with a certificate that nobody vouches for.
    """
    tls = "adhoc" if over_tls else None
    server = make_server("127.0.0.1", 0, app, threaded=True, ssl_context=tls)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def started(env: dict[str, str], *command: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process that is gone afterwards, and after a minute whatever happens."""
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = Timer(60, process.kill)
    deadline.start()
    with process:
        try:
            yield process
        finally:
            deadline.cancel()
            process.kill()


def run(env: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    """Run one where it is expected to end by itself."""
    with started(env, *command) as process:
        printed, errors = process.communicate()
    return subprocess.CompletedProcess([], process.returncode, printed, errors)


def read_until(stream: IO[str] | None, text: str) -> str:
    """What is printed, up to the line with the text."""
    read = ""
    for line in stream or ():
        read += line
        if text in line:
            return read
    pytest.fail(f"{text!r} was not printed: {read}")


def port_in(printed: str) -> int:
    """The port of the address that is printed."""
    found = re.search(r"http://127\.0\.0\.1:(\d+)", printed)
    assert found, printed
    return int(found[1])


def get(port: int, path: str) -> str:
    """Fetch a page."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.status == 200
        return answer.read().decode()

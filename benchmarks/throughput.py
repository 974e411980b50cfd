"""How many requests a second a server of several workers answers."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping

import httpx

from benchmarks.figures import Figure
from benchmarks.run import Run
from benchmarks.tables import Table
from benchmarks.visits import PROGRAM
from benchmarks.web_server import CONNECTIONS
from benchmarks.web_server import gunicorn
from benchmarks.web_server import is_measurable
from benchmarks.web_server import requests_a_second
from benchmarks.web_server import THREADS

WORKERS = (1, 2, 4)
TITLE = "Throughput"
PLAIN = "plain route"
OURS = "flask-stepup, SQLite"
SECURITY = "Flask-Security, within=10, dictionary"

#: By name and workers: requests a second.
Found = Mapping[tuple[str, int], Figure]


def measure(run: Run) -> Iterator[Table]:
    """Serve each app with each number of workers, and let wrk at it."""
    if not is_measurable():
        note = "not measured: wrk is not installed"
        yield Table(TITLE, ("", "requests a second"), [], [note])
        return
    rounds, seconds = (1, 1) if run.effort.is_quick else (3, 2)
    taken: dict[tuple[str, int], list[float]] = {}
    for number in range(rounds):
        for workers in WORKERS:
            for name, app in _apps(run, f"{number}-{workers}").items():
                with gunicorn(app, workers) as url:
                    cookies = _let_in(name, url)
                    # The first seconds of a server are not like the others.
                    requests_a_second(f"{url}/account", cookies, 1)
                    told = requests_a_second(f"{url}/account", cookies, seconds)
                taken.setdefault((name, workers), []).append(told)
    yield _table({key: Figure.of(values) for key, values in taken.items()})


def _apps(run: Run, name: str) -> dict[str, str]:
    ledger = f"sqlite:///{run.folder}/served-{name}.db"
    return {
        PLAIN: "bare:served()",
        OURS: f"ours:guarded_app({ledger!r})",
        SECURITY: "security:guarded_app()",
    }


def _let_in(name: str, url: str) -> str:
    """Sign in, and prove what has to be proved; return the cookies."""
    with httpx.Client(base_url=url, headers=PROGRAM) as client:
        if name == OURS:
            _step_up(client)
        if name == SECURITY:
            _sign_in(client)
        assert client.get("/account").status_code == 200
        return "; ".join(f"{key}={value}" for key, value in client.cookies.items())


def _step_up(client: httpx.Client) -> None:
    client.get("/sign-in")
    refused = client.get("/account")
    assert refused.status_code == 403
    answer = {"challenge": refused.json()["challenge"], "code": "123456"}
    assert client.post("/stepup/", json=answer).status_code == 200


def _sign_in(client: httpx.Client) -> None:
    from benchmarks.apps.security import EMAIL
    from benchmarks.apps.security import PASSWORD

    assert client.get("/account").status_code == 401
    login = {"email": EMAIL, "password": PASSWORD}
    assert client.post("/login", json=login).status_code == 200


def _table(found: Found) -> Table:
    names = (PLAIN, OURS, SECURITY)
    rows = [
        (
            name,
            *(found[name, workers].told() for workers in WORKERS),
            *(
                f"{found[name, workers].over(found[PLAIN, workers]).median:.2f}"
                for workers in WORKERS
            ),
        )
        for name in names
    ]
    columns = (
        "requests a second",
        *(f"{workers} worker{'s' * (workers > 1)}" for workers in WORKERS),
        *(f"to plain, {workers}" for workers in WORKERS),
    )
    note = (
        f"gunicorn, gthread with {THREADS} threads a worker; wrk keeps {CONNECTIONS} "
        "connections busy, on the same machine"
    )
    return Table(TITLE, columns, rows, [note])

"""What ``flask stepup check`` finds in ledger and backend, asked over the wire."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from contextlib import closing
from contextlib import suppress
from email.utils import formatdate
from pathlib import Path

import pytest
from command_line import bare_app
from command_line import checked
from command_line import good_app
from command_line import invoke
from command_line import lines
from command_line import nobody
from flask import Flask
from hostile import answer
from hostile import Hang
from hostile import HostileServer
from hostile import Pause
from hostile import raw
from hostile import REFUSED
from hostile import Script
from hostile import Send
from people import Codes
from valkey_server import running
from valkey_server import Valkey
from wire import wire_to

from flask_stepup import StepUp
from flask_stepup.sandbox import demo_users
from flask_stepup.sandbox import Sandbox

DEBUG = {"FLASK_DEBUG": "1"}
KEY = "sk_live_0123456789abcdefghij"
PARTY = "https://app.example.com"


def says(found: list[tuple[str, str]], text: str) -> str:
    """The verdict of the one line that has a text."""
    [verdict] = [verdict for verdict, said in found if text in said]
    return verdict


# The ledger


def test_memory(tmp_path: Path) -> None:
    """A ledger that each process has for itself is wrong, and nothing else is said."""
    app = good_app(tmp_path, STEPUP_STORAGE_URI="memory://")
    [(verdict, said)] = checked(app, "ledger")

    assert verdict == "wrong"
    assert "private to each process" in said


def test_a_file(tmp_path: Path) -> None:
    """Where it is, who shares it, who can read it, and how fast it is."""
    found = checked(good_app(tmp_path), "ledger")

    assert {verdict for verdict, _ in found} == {"right"}
    assert found[0][1].startswith(f"{tmp_path}/instance/stepup.db is shared by all")
    assert found[1][1] == "others on this machine cannot read its file"
    assert found[2][1].endswith("(median of 5)")


@pytest.mark.skipif(os.name != "posix", reason="has no such permissions")
@pytest.mark.parametrize("end", ["", "-wal"])
@pytest.mark.parametrize(
    ("mode", "verdict"), [(0o604, "risky"), (0o602, "risky"), (0o660, "right")]
)
def test_a_file_that_others_can_read(
    tmp_path: Path, end: str, mode: int, verdict: str
) -> None:
    """A copy that was put back, or its log, may have lost the mode that it had."""
    app = good_app(tmp_path)
    file = tmp_path / "instance" / f"stepup.db{end}"
    file.chmod(mode)
    found = checked(app, "ledger")

    assert found[1][0] == verdict
    assert verdict == "right" or file.name in found[1][1].split("write ")[1]


@pytest.mark.skipif(os.name != "posix", reason="has no such permissions")
@pytest.mark.parametrize(("mode", "verdict"), [(0o703, "risky"), (0o775, "right")])
def test_a_folder_that_others_can_write(
    tmp_path: Path, mode: int, verdict: str
) -> None:
    """They could put another file in the ledger's place."""
    app = good_app(tmp_path)
    (tmp_path / "instance").chmod(mode)
    found = checked(app, "ledger")

    assert found[1][0] == verdict
    assert ("put another file in its place" in found[1][1]) is (verdict == "risky")


def test_a_server(tmp_path: Path, valkey: Valkey) -> None:
    """A real one on this machine: its address without a password, and its prefix."""
    app = good_app(tmp_path, STEPUP_STORAGE_URI=valkey.uri("shop"))
    found = checked(app, "ledger")

    assert {verdict for verdict, _ in found} == {"right"}
    assert found[0][1] == (
        f"valkey://127.0.0.1:{valkey.port} (database 0), prefix shop is shared by "
        "every worker that reaches it, with this prefix"
    )
    assert found[1][1] == "the server is on this machine"


def test_a_socket(tmp_path: Path, valkey: Valkey) -> None:
    """It leads nowhere else."""
    uri = f"unix://{valkey.socket.absolute()}?prefix=shop"
    found = checked(good_app(tmp_path, STEPUP_STORAGE_URI=uri), "ledger")

    assert [verdict for verdict, _ in found] == ["right", "right"]


def another_address() -> str:
    """An address of this machine that is not its loopback."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        with suppress(OSError):
            # Nothing is sent by this.
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
    pytest.skip("this machine has no address but its loopback")


@pytest.mark.parametrize("user", ["", ":tell-nobody@"])
def test_a_server_over_the_network(tmp_path: Path, user: str) -> None:
    """Without TLS it is risky, and so it is without a password, which is not shown."""
    host = another_address()
    with (
        running(tmp_path / "valkey") as server,
        wire_to(server.port, host=host) as wire,
    ):
        if user:
            with closing(server.client()) as client:
                client.config_set("requirepass", "tell-nobody")
        uri = f"redis://{user}{host}:{wire.port}/0?prefix=shop"
        app = good_app(tmp_path, STEPUP_STORAGE_URI=uri)
        found = checked(app, "ledger")
        output = invoke(app, "check").output

    assert says(found, "is not encrypted") == "risky"
    assert ("asks for no password" in output) is not bool(user)
    assert "tell-nobody" not in output


def test_a_server_over_tls(tmp_path: Path, valkey: Valkey) -> None:
    """What goes over the network is encrypted then."""
    host = another_address()
    file, context = certificate(tmp_path, host)
    with wire_to(valkey.port, context, host) as wire:
        uri = f"rediss://{host}:{wire.port}/0?prefix=tls&ssl_ca_certs={file}"
        found = checked(good_app(tmp_path, STEPUP_STORAGE_URI=uri), "ledger")

    assert says(found, "reached over TLS") == "right"


def certificate(folder: Path, address: str) -> tuple[Path, ssl.SSLContext]:
    """A certificate of an address that vouches for itself, and a server with it."""
    if not shutil.which("openssl"):
        pytest.skip("missing: openssl")
    file, key = folder / "certificate.pem", folder / "key.pem"
    command = f"openssl req -x509 -nodes -days 1 -newkey ec -subj /CN={address}"
    options = f"-pkeyopt ec_paramgen_curve:P-256 -addext subjectAltName=IP:{address}"
    subprocess.run(
        [*command.split(), *options.split(), "-keyout", key, "-out", file],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    return file, context


def test_a_ledger_that_went_down(tmp_path: Path) -> None:
    """It is wrong, and ends no other check."""
    with running(tmp_path / "valkey") as server:
        app = good_app(tmp_path, STEPUP_STORAGE_URI=server.uri("shop"))
    found = lines(invoke(app, "check").output)
    [down] = [line for line in found if line.verdict == "wrong"]

    assert down.about == "ledger"
    assert down.says.endswith("guarded routes answer 503")
    assert found[-1].about == "looks"


def test_a_slow_ledger(tmp_path: Path, valkey: Valkey) -> None:
    """Each guarded request waits for it."""
    with wire_to(valkey.port) as wire:
        uri = f"redis://127.0.0.1:{wire.port}/0?prefix=slow"
        app = good_app(tmp_path, STEPUP_STORAGE_URI=uri, STEPUP_STORAGE_TIMEOUT=20)
        wire.seconds_per_byte = 0.003
        found = checked(app, "ledger")

    assert says(found, "for which each guarded request waits") == "risky"


def test_no_attempt_is_reserved(tmp_path: Path, valkey: Valkey) -> None:
    """In the ledger there is nothing afterwards that was not there when it started."""
    app = good_app(tmp_path, STEPUP_STORAGE_URI=valkey.uri("untouched"))
    with closing(valkey.client()) as client:
        before = set(client.scan_iter("{stepup:untouched}:*"))
        invoke(app, "check")
        after = set(client.scan_iter("{stepup:untouched}:*"))

    # What proves at start that it can be written is gone within a second.
    assert after - {"{stepup:untouched}:proof"} <= before


# The backend


def clerk_app(folder: Path, url: str, key: str = KEY, **config: object) -> Flask:
    """An app whose codes Clerk checks, and whose session tokens are Clerk's."""
    config = {
        "STEPUP_CLERK_API_URL": url,
        "STEPUP_CLERK_SECRET_KEY": key,
        "STEPUP_CLERK_AUTHORIZED_PARTIES": [PARTY],
        **config,
    }
    return good_app(folder, StepUp(), **config)


def published(keys: object, seconds: float = 0, **headers: str) -> Script:
    date = formatdate(time.time() + seconds, usegmt=True)
    return answer(200, json.dumps(keys), {"Date": date, **headers})


def test_the_sandbox(tmp_path: Path) -> None:
    """A backend that answers is right; one on this machine, in debug mode alone."""
    sandbox = Sandbox(demo_users())
    with sandbox.serve() as url:
        app = clerk_app(tmp_path, url, sandbox.secret_key)
        in_debug = checked(app, "backend", env=DEBUG)
        deployed = checked(app, "backend")

    assert [verdict for verdict, _ in in_debug] == ["right", "right"]
    assert in_debug[0][1].startswith("the backend API takes the key and answers in ")
    assert in_debug[1][1].startswith("its clock and ours agree")
    assert says(deployed, "STEPUP_CLERK_API_URL is this machine") == "risky"
    assert says(deployed, "development instance (sk_test_)") == "risky"


def test_a_key_that_is_refused(tmp_path: Path) -> None:
    """It is told apart from a backend that is not there."""
    with Sandbox(demo_users()).serve() as url:
        app = clerk_app(tmp_path, url)
        found = checked(app, "backend", env=DEBUG)
        output = invoke(app, "check").output

    assert says(found, "refuses the secret key (status 401") == "wrong"
    assert "copy STEPUP_CLERK_SECRET_KEY whole" in " ".join(output.split())
    assert KEY not in output


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (REFUSED, "cannot be reached"),
        ((Hang(),), "gave no answer"),
        (answer(503, "{}"), "gave an unexpected answer"),
        (answer(200, "<html>"), "without a key set"),
    ],
)
def test_a_backend_that_cannot_answer(
    tmp_path: Path, script: Script, said: str
) -> None:
    """It is wrong, in the time that a call may take, and asked once."""
    timeout = 0.3 if script == (Hang(),) else 5.0
    with HostileServer(script) as server:
        app = clerk_app(tmp_path, server.url, STEPUP_CLERK_TIMEOUT=timeout)
        found = checked(app, "backend", env=DEBUG)

    assert says(found, said) == "wrong"
    assert len(found) == 1
    assert len(server.requests) <= 1


def test_nothing_but_the_keys_is_asked_for(tmp_path: Path) -> None:
    """One GET, which changes nothing, serves all checks."""
    with HostileServer(published({"keys": [{"kty": "RSA"}]})) as server:
        pem = Sandbox(demo_users()).jwt_key
        invoke(clerk_app(tmp_path, server.url, STEPUP_CLERK_JWT_KEY=pem), "check")

    assert [(r.method, r.target) for r in server.requests] == [("GET", "/v1/jwks")]


@pytest.mark.parametrize(
    ("seconds", "leeway", "verdict", "said"),
    [
        (100, 10, "wrong", "behind the backend's, and STEPUP_CLOCK_LEEWAY is 10 s"),
        (-100, 10, "wrong", "ahead of the backend's"),
        (40, 60, "right", "agree, within STEPUP_CLOCK_LEEWAY (60 s)"),
    ],
)
def test_clocks(
    tmp_path: Path, seconds: int, leeway: int, verdict: str, said: str
) -> None:
    """They are compared by the answer's Date, within the leeway."""
    script = published({"keys": [{"kty": "RSA"}]}, seconds)
    with HostileServer(script) as server:
        app = clerk_app(tmp_path, server.url, STEPUP_CLOCK_LEEWAY=leeway)
        found = checked(app, "backend", env=DEBUG)

    assert says(found, said) == verdict


def test_clocks_without_session_tokens(tmp_path: Path) -> None:
    """Where codes alone are checked, by Clerk's own clock, it is a risk."""
    with HostileServer(published({"keys": [{"kty": "RSA"}]}, 100)) as server:
        app = bare_app(
            tmp_path, STEPUP_CLERK_API_URL=server.url, STEPUP_CLERK_SECRET_KEY=KEY
        )
        StepUp(app, subject_loader=nobody)
        found = checked(app, "backend", env=DEBUG)

    assert says(found, "behind the backend's") == "risky"


def test_a_backend_that_tells_no_time(tmp_path: Path) -> None:
    """Clocks that nobody compared may be wrong."""
    with HostileServer(answer(200, '{"keys": [{"kty": "RSA"}]}')) as server:
        found = checked(clerk_app(tmp_path, server.url), "backend", env=DEBUG)

    assert says(found, "tells no time") == "risky"


def test_a_slow_backend(tmp_path: Path) -> None:
    """One that takes half of what it may is risky."""
    slowly = (Pause(1.6), Send(raw(200, '{"keys": [{"kty": "RSA"}]}')))
    with HostileServer(slowly) as server:
        app = clerk_app(tmp_path, server.url, STEPUP_CLERK_TIMEOUT=3)
        found = checked(app, "backend", env=DEBUG)

    assert says(found, "of the 3 s that it may take") == "risky"


# Session tokens


def test_the_key_of_the_instance(tmp_path: Path) -> None:
    """The PEM has to hold one of the keys that are published; else nobody gets in."""
    ours, other = Sandbox(demo_users()), Sandbox(demo_users())
    with ours.serve() as url:
        verdicts = {}
        for name, sandbox in (("ours", ours), ("other", other)):
            app = clerk_app(
                tmp_path / name,
                url,
                ours.secret_key,
                STEPUP_CLERK_JWT_KEY=sandbox.jwt_key.replace("\n", "\\n"),
            )
            verdicts[name] = checked(app, "session")[0]

    assert verdicts["ours"] == (
        "right",
        "STEPUP_CLERK_JWT_KEY can be read, and is the key that the backend API "
        "publishes",
    )
    assert verdicts["other"][0] == "wrong"
    assert "is of another instance than STEPUP_CLERK_SECRET_KEY" in verdicts["other"][1]


@pytest.mark.parametrize(
    "keys", [[{"kty": "RSA"}], [{"kty": "RSA", "n": ""}], [{"n": "AQAB"}, {"n": 7}]]
)
def test_published_keys_that_are_none(tmp_path: Path, keys: object) -> None:
    """A part of a key is not taken for the key."""
    with HostileServer(published({"keys": keys})) as server:
        pem = Sandbox(demo_users()).jwt_key
        app = clerk_app(tmp_path, server.url, STEPUP_CLERK_JWT_KEY=pem)

        assert says(checked(app, "session"), "of another instance") == "wrong"


def test_keys_that_are_fetched(tmp_path: Path) -> None:
    """Without a PEM the backend is asked, also where a verifier is the app's own."""
    sandbox = Sandbox(demo_users())
    with sandbox.serve() as url:
        app = bare_app(
            tmp_path,
            STEPUP_CLERK_API_URL=url,
            STEPUP_CLERK_SECRET_KEY=sandbox.secret_key,
            STEPUP_CLERK_AUTHORIZED_PARTIES=[PARTY],
        )
        StepUp(app, verifier=Codes())
        backend = checked(app, "backend", env=DEBUG)
        session = checked(app, "session")

    assert says(session, "keys are fetched") == "right"
    assert says(backend, "takes the key") == "right"
    assert says(backend, "of the app's own") == "right"


def test_a_key_that_cannot_be_compared(tmp_path: Path) -> None:
    """Without a secret key there are no published keys, and nobody is asked."""
    app = bare_app(
        tmp_path,
        STEPUP_CLERK_JWT_KEY=Sandbox(demo_users()).jwt_key,
        STEPUP_CLERK_AUTHORIZED_PARTIES=[PARTY],
    )
    StepUp(app, verifier=Codes())

    assert says(checked(app, "session"), "no published keys to compare") == "right"


@pytest.mark.parametrize(
    ("parties", "verdict", "said"),
    [
        ([PARTY], "right", f"session tokens are taken from {PARTY}"),
        (["http://localhost:3000"], "right", "taken from http://localhost:3000"),
        (["http://app.localhost"], "right", "taken from http://app.localhost"),
        ([], "risky", "STEPUP_CLERK_AUTHORIZED_PARTIES is empty"),
        ([PARTY, "http://example.com"], "risky", "http://example.com of STEPUP_"),
        (["http://localhost.example.com"], "risky", "can be anybody on the way"),
    ],
)
def test_authorized_parties(
    tmp_path: Path, parties: list[str], verdict: str, said: str
) -> None:
    """None at all, and plain http over a network, are risky."""
    app = bare_app(
        tmp_path,
        STEPUP_CLERK_JWT_KEY=Sandbox(demo_users()).jwt_key,
        STEPUP_CLERK_AUTHORIZED_PARTIES=parties,
    )
    StepUp(app, verifier=Codes())

    assert says(checked(app, "session"), said) == verdict


@pytest.mark.parametrize("library", ["jwt"])
def test_without_pyjwt(
    tmp_path: Path, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What would fail at the first request is told, with what to install."""
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setitem(sys.modules, f"{library}.algorithms", None)
    with HostileServer(published({"keys": [{"kty": "RSA"}]})) as server:
        app = good_app(
            tmp_path,
            StepUp(),
            STEPUP_CLERK_API_URL=server.url,
            STEPUP_CLERK_SECRET_KEY=KEY,
        )
        found = checked(app, "session")

    assert says(found, "pip install 'flask-stepup[clerk]'") == "wrong"

"""The backend API wrapper against a server on loopback that answers badly.

Nothing is replaced but the backend: requests go over real sockets. The tests of TLS
make their certificates with the ``openssl`` command and are skipped without it.
"""

from __future__ import annotations

import json
import logging
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import closing
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import httpx
import pytest
import time_machine
from backend_answers import BODY
from backend_answers import CODE
from backend_answers import judged
from backend_answers import KEY
from backend_answers import RIGHT
from backend_answers import Row
from backend_answers import ROWS
from backend_answers import USER
from backend_answers import WRONG
from hostile import answer
from hostile import Close
from hostile import Drip
from hostile import Hang
from hostile import Hear
from hostile import HostileServer
from hostile import Pause
from hostile import raw
from hostile import Request
from hostile import Reset
from hostile import Script
from hostile import Send

from flask_stepup.clerk import ClerkBackendAPI
from flask_stepup.errors import ConfigurationError
from flask_stepup.errors import IncorrectCode
from flask_stepup.errors import NotEnrolled
from flask_stepup.errors import OutcomeUnknown
from flask_stepup.errors import VerifierError
from flask_stepup.errors import VerifierMisconfigured
from flask_stepup.errors import VerifierUnavailable
from flask_stepup.verification import Verification

#: Seconds: for calls that are to run into it, and for those that are not.
SHORT, LONG = 0.3, 5.0
#: Seconds that a call may take beyond its timeouts, on a busy machine.
SLACK = 1.0

needs_openssl = pytest.mark.skipif(
    not shutil.which("openssl"), reason="missing: openssl"
)


def client(url: str, timeout: float = LONG) -> closing[ClerkBackendAPI]:
    """A wrapper whose connections are closed when the ``with`` block is left."""
    return closing(ClerkBackendAPI(KEY, base_url=url, timeout=timeout))


def outcome(
    api: ClerkBackendAPI, user_id: str = USER, code: str = CODE
) -> Verification | VerifierError:
    """What a call returns, or what it raises of the errors that it may raise."""
    try:
        return api.verify_totp(user_id, code)
    except VerifierError as error:
        return error


def named(request: Request) -> Script:
    """An answer whose code type is the user id of the request."""
    user_id = request.target.split("/")[3]
    return answer(200, judged(verified=True, code_type=user_id))


def texts(error: BaseException) -> Iterator[str]:
    """All that an error and those behind it would write into a log or a report."""
    yield "".join(traceback.format_exception(error))
    link: BaseException | None = error
    while link:
        yield from (str(link), repr(link), repr(vars(link)))
        # An error of httpx that knows its request holds key and code.
        assert getattr(link, "_request", None) is None
        link = link.__cause__ or link.__context__


def assert_silent(written: Iterable[str], *more: str) -> None:
    """Assert that no key, code or body is in what was written."""
    for text in written:
        for secret in (KEY, KEY[8:-4], CODE, BODY, *more):
            assert secret not in text


# -- What each answer comes to


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_answer_has_its_meaning(
    row: Row, caplog: pytest.LogCaptureFixture
) -> None:
    """Every behaviour of the backend comes to one outcome, in time, by one POST."""
    caplog.set_level(logging.DEBUG)
    timeout = SHORT if row.timeouts else LONG
    with HostileServer(row.script) as server, client(server.url, timeout) as api:
        start = time.monotonic()
        got = outcome(api)
        seconds = time.monotonic() - start

    assert seconds <= row.timeouts * timeout + SLACK
    assert server.posts == len(server.requests) == row.posts
    assert_silent([caplog.text])
    if isinstance(row.expected, Verification):
        assert got == row.expected
    else:
        assert type(got) is row.expected
        assert got.status == row.status
        assert got.code == row.code
        assert got.trace_id == row.trace_id
        assert got.retry_after == row.retry_after
        assert_silent(texts(got))


@pytest.mark.parametrize(
    "row",
    [row for row in ROWS if row.posts and not row.timeouts],
    ids=lambda row: row.name,
)
def test_no_answer_spoils_the_next_call(row: Row) -> None:
    """After every behaviour of the backend the next call has its own answer."""
    right = answer(200, RIGHT)
    with HostileServer(row.script, right) as server, client(server.url) as api:
        outcome(api)

        assert outcome(api) == Verification("totp")
        assert server.posts == 2


@pytest.mark.parametrize(
    "surplus",
    [raw(200, RIGHT), b"HTTP/1.1 500 No\r\n", RIGHT.encode(), b"\r\n\r\n", b"\0"],
    ids=["an answer", "half an answer", "a body", "blank lines", "a byte"],
)
@pytest.mark.parametrize("gap", [0.0, 0.05], ids=["at once", "later"])
def test_bytes_beyond_an_answer_are_nobodys_answer(surplus: bytes, gap: float) -> None:
    """What a backend sends after an answer is not taken for the next answer."""
    first = raw(422, WRONG)
    script: Script = (Send(first), Pause(gap), Send(surplus))
    with (
        HostileServer(
            script if gap else (Send(first + surplus),), answer(404)
        ) as server,
        client(server.url) as api,
    ):
        assert isinstance(outcome(api), IncorrectCode)
        time.sleep(2 * gap)

        assert isinstance(outcome(api), NotEnrolled)


@pytest.mark.parametrize("status", [204, 304])
def test_a_body_where_none_may_be_is_nobodys_answer(status: int) -> None:
    """The body of an answer that has none is not taken for the next answer."""
    with (
        HostileServer(answer(status, RIGHT), answer(404)) as server,
        client(server.url) as api,
    ):
        assert isinstance(outcome(api), VerifierUnavailable)

        assert isinstance(outcome(api), NotEnrolled)


def test_a_late_answer_is_nobodys_answer() -> None:
    """An answer that comes after the deadline is not taken for the next answer."""
    late: Script = (Pause(SHORT + 0.1), *answer(200, RIGHT))
    with (
        HostileServer(late, (Pause(0.2), *answer(404))) as server,
        client(server.url, SHORT) as api,
    ):
        assert isinstance(outcome(api), OutcomeUnknown)

        assert isinstance(outcome(api), NotEnrolled)


@time_machine.travel("2026-11-22T12:00:00Z")
@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        ("Sun, 22 Nov 2026 12:00:30 GMT", 30),
        ("Sunday, 22-Nov-26 12:00:30 GMT", 30),
        ("Sun Nov 22 12:00:30 2026", 30),
        ("Sun, 22 Nov 2026 13:00:30 +0100", 30),
        ("Sun, 22 Nov 2026 11:59:30 GMT", 0),
        ("Sun, 22 Nov 2026 18:00:00 GMT", 3_600),
    ],
)
def test_retry_after_may_be_a_date(date: str, seconds: int) -> None:
    """A Retry-After in any of the three forms of an HTTP date is counted from now."""
    script = answer(429, "", {"Retry-After": date})
    with HostileServer(script) as server, client(server.url) as api:
        error = outcome(api)

    assert isinstance(error, VerifierUnavailable)
    assert error.retry_after == seconds


def test_the_debug_logs_of_the_http_library_are_seen(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The tests for silence would see a secret in the debug logs of httpcore."""
    caplog.set_level(logging.DEBUG)
    with HostileServer(answer(422, WRONG)) as server, client(server.url) as api:
        outcome(api)

    assert "httpcore" in {record.name.split(".")[0] for record in caplog.records}


@pytest.mark.parametrize(
    "script",
    [
        answer(422, WRONG, {"CF-Ray": CODE, "X-Authorization": f"Bearer {KEY}"}),
        answer(302, "", {"Location": f"/v1/?code={CODE}&key={KEY}"}),
        answer(422, WRONG, {"Set-Cookie": f"seen={CODE}"}),
        (Send(f"HTTP/1.1 422 {CODE} {KEY}\r\nContent-Length: 0\r\n\r\n".encode()),),
        (Send(f"{CODE} {KEY}\r\n\r\n".encode()), Close()),
        (Send(f"HTTP/1.1 422 No\r\n{CODE} {KEY}\r\n\r\n".encode()), Close()),
    ],
    ids=["header", "Location", "cookie", "reason", "status line", "header line"],
)
def test_an_echo_beside_the_body_stays_out_of_the_error(script: Script) -> None:
    """Key and code that a backend echoes in its head are in no error."""
    with HostileServer(script) as server, client(server.url) as api:
        error = outcome(api)

    assert isinstance(error, VerifierError)
    assert_silent(texts(error))


@pytest.mark.parametrize(
    "script",
    [
        answer(422, WRONG, {"CF-Ray": CODE, "X-Authorization": f"Bearer {KEY}"}),
        (Send(f"HTTP/1.1 422 {CODE} {KEY}\r\nContent-Length: 0\r\n\r\n".encode()),),
        (Send(f"{CODE} {KEY}\r\n\r\n".encode()), Close()),
        (Send(raw(200, RIGHT, length=1)),),
    ],
    ids=["header", "reason", "status line", "body"],
)
def test_an_echo_beside_the_body_stays_out_of_the_log(
    script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    """Key and code that a backend echoes in its head are in no log, debug included."""
    caplog.set_level(logging.DEBUG)
    with HostileServer(script) as server, client(server.url) as api:
        outcome(api)
        outcome(api)

    assert_silent([caplog.text])


# -- What is sent


def test_the_request_is_exactly_this() -> None:
    """One POST goes out with these headers, no others, and a body of one key."""
    with HostileServer(answer(200, RIGHT)) as server, client(server.url) as api:
        api.verify_totp("user_2abc", "123456")

    [request] = server.requests
    assert request.method == "POST"
    assert request.target == "/v1/users/user_2abc/verify_totp"
    assert json.loads(request.body) == {"code": "123456"}
    assert {name.lower(): value for name, value in request.headers} == {
        "host": f"127.0.0.1:{server.port}",
        "authorization": f"Bearer {KEY}",
        "accept": "application/json",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "content-length": str(len(request.body)),
        "clerk-api-version": "2026-05-12",
        "user-agent": f"flask-stepup/{version('flask-stepup')}",
    }
    assert len(request.headers) == 8


@pytest.mark.parametrize(
    "code", ["123456", "päss", 'a"b\\c', "</script>", "\u0661", "\x00\r\n", "😀"]
)
def test_any_code_arrives_as_it_is(code: str) -> None:
    """A code is sent as it is, whatever it is made of."""
    with HostileServer(answer(422)) as server, client(server.url) as api:
        outcome(api, code=code)

    assert json.loads(server.requests[0].body) == {"code": code}


def test_a_code_that_is_no_text_is_in_no_error() -> None:
    """A code with half a character in it ends in an outcome that does not tell it."""
    with HostileServer(answer(422)) as server, client(server.url) as api:
        error = outcome(api, code=f"{CODE}\ud800")

    assert isinstance(error, VerifierError)
    assert_silent(texts(error))


@pytest.mark.parametrize(
    "user_id",
    [
        "user_2abcDEF",
        "a/b",
        "../../sessions",
        "a?b=c",
        "a#b",
        "a%2Fb",
        "%2e%2e",
        "..%2f",
        "...",
        ". .",
        "..;",
        "..\\",
        "a b",
        "a+b",
        "é",
        "a\nb",
        "a\r\nX-Y: z",
        "\x00",
        "\ud800",
        "😀",
        "a@b:c",
        "u" * 2_000,
    ],
    ids=ascii,
)
def test_a_user_id_stays_in_its_segment(user_id: str) -> None:
    """Whatever a user id is made of, it is one segment of the path, and comes back."""
    with HostileServer(answer(200, RIGHT)) as server, client(server.url) as api:
        api.verify_totp(user_id, CODE)

    [request] = server.requests
    empty, v1, users, segment, verb = request.target.split("/")
    assert (empty, v1, users, verb) == ("", "v1", "users", "verify_totp")
    assert not set(segment) & set("?#\\;")
    assert segment.isascii()
    assert segment.isprintable()
    assert unquote_to_bytes(segment) == user_id.encode(errors="surrogatepass")
    assert len(request.headers) == 8


@pytest.mark.parametrize("user_id", ["", ".", ".."])
def test_a_user_id_that_is_no_segment_is_not_sent(user_id: str) -> None:
    """For a user id that would change the path no connection is even made."""
    with HostileServer(answer(200, RIGHT)) as server, client(server.url) as api:
        error = outcome(api, user_id)

    assert type(error) is VerifierMisconfigured
    assert "user id" in str(error)
    assert server.connections == 0


def test_a_user_id_that_no_url_can_hold_is_an_outcome() -> None:
    """A user id of any length ends in one of the errors that a verifier may raise."""
    with HostileServer(answer(404)) as server, client(server.url) as api:
        error = outcome(api, "u" * 70_000)

    assert isinstance(error, VerifierError)


def test_no_cookie_is_kept() -> None:
    """A cookie that the backend sets is not sent back."""
    script = answer(200, RIGHT, {"Set-Cookie": "__cf_bm=1; Path=/"})
    with HostileServer(script) as server, client(server.url) as api:
        api.verify_totp(USER, CODE)
        api.verify_totp(USER, CODE)

    assert [request.values("Cookie") for request in server.requests] == [[], []]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    """Neither key nor code goes where a redirect points, on this host or another."""
    with HostileServer(answer(200, RIGHT)) as other:
        script = answer(status, "", {"Location": f"{other.url}/users/x/verify_totp"})
        with HostileServer(script) as server, client(server.url) as api:
            error = outcome(api)

    assert type(error) is VerifierUnavailable
    assert (server.posts, other.connections) == (1, 0)


def test_the_environment_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Proxies and .netrc of the environment are not used."""
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with HostileServer(answer(500)) as proxy, HostileServer(answer(404)) as server:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
            monkeypatch.setenv(name.lower(), proxy.url)
        with client(server.url) as api:
            error = outcome(api)

    assert isinstance(error, NotEnrolled)
    assert proxy.connections == 0
    assert server.requests[0].values("Authorization") == [f"Bearer {KEY}"]


# -- Connections


def test_connections_are_pooled() -> None:
    """Calls one after the other share one connection, whatever was answered."""
    scripts = [answer(200, RIGHT), answer(422, WRONG), answer(500), answer(404)]
    with HostileServer(*scripts) as server, client(server.url) as api:
        for _ in range(8):
            outcome(api)

    assert (server.posts, server.connections) == (8, 1)


@pytest.mark.parametrize("end", [Close(), Reset()], ids=["FIN", "RST"])
@pytest.mark.parametrize(
    "farewell", [b"", raw(408)], ids=["silent", "with a word of farewell"]
)
def test_a_connection_that_the_backend_closed_is_not_used(
    end: Close | Reset, farewell: bytes
) -> None:
    """A call after the backend closed an idle connection opens another one."""
    first: Script = (*answer(422, WRONG), Pause(0.05), Send(farewell), end)
    with (
        HostileServer(first, answer(200, RIGHT)) as server,
        client(server.url) as api,
    ):
        outcome(api)
        server.wait_until(lambda server: server.ended == 1)

        assert outcome(api) == Verification("totp")
        assert (server.posts, server.connections) == (2, 2)


def test_many_threads_get_their_own_answers() -> None:
    """Sixteen threads at once on one client each get the answer to their question."""
    threads = 16
    together = threading.Barrier(threads)
    answers: dict[str, list[Verification | VerifierError]] = {}

    def ask(user_id: str) -> None:
        together.wait()
        answers[user_id] = [outcome(api, user_id) for _ in range(10)]

    with HostileServer(named) as server, client(server.url) as api:
        crowd = [
            threading.Thread(target=ask, args=(f"user_{number}",))
            for number in range(threads)
        ]
        for thread in crowd:
            thread.start()
        for thread in crowd:
            thread.join()

    assert answers == {
        f"user_{number}": [Verification(f"user_{number}")] * 10
        for number in range(threads)
    }
    assert server.posts == threads * 10
    assert server.connections <= threads


def test_a_closed_client_can_be_used_again() -> None:
    """Closing drops the connections and nothing else."""
    with HostileServer(answer(200, RIGHT)) as server, client(server.url) as api:
        api.verify_totp(USER, CODE)
        api.close()
        api.close()
        api.verify_totp(USER, CODE)

    assert server.connections == 2


# -- Processes


def run(program: str, url: str) -> subprocess.CompletedProcess[str]:
    """Run a program that asks the backend at the URL; every warning is an error."""
    return subprocess.run(
        # A fork beside a thread is what some of them are about.
        [
            sys.executable,
            "-W",
            "error",
            "-W",
            "ignore:This process",
            "-c",
            program,
            url,
        ],
        capture_output=True,
        text=True,
        timeout=20,
    )


ASK = f"""
import os, sys, threading
from flask_stepup.clerk import ClerkBackendAPI
api = ClerkBackendAPI({KEY!r}, base_url=sys.argv[1])

def ask(name, times=20):
    for number in range(times):
        user_id = f"{{name}}-{{number}}"
        got = api.verify_totp(user_id, "123456").code_type
        assert got == user_id, (got, user_id)
"""


def connections(server: HostileServer, name: str) -> set[int]:
    """The connections by which somebody's requests came."""
    requests = [r for r in server.requests if f"/users/{name}-" in r.target]
    assert requests
    return {request.connection for request in requests}


def test_a_forked_child_has_its_own_connection() -> None:
    """Parent and child ask at the same time, and no answer goes to the other one."""
    program = """
ask("before")
child = os.fork()
ask("parent" if child else "child")
if child:
    assert os.waitpid(child, 0)[1] == 0
    ask("after")
"""
    with HostileServer(named) as server:
        ended = run(ASK + program, server.url)

    assert ended.returncode == 0, ended.stderr
    assert connections(server, "before") == {1}
    assert connections(server, "parent") == {1}
    assert connections(server, "after") == {1}
    assert connections(server, "child") == {2}


def test_a_forked_child_exits_in_silence() -> None:
    """A child of a process with an open connection warns of no forgotten socket."""
    program = """
ask("before", 1)
child = os.fork()
ask("parent" if child else "child", 1)
if child:
    assert os.waitpid(child, 0)[1] == 0
"""
    with HostileServer(named) as server:
        ended = run(ASK + program, server.url)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_a_fork_during_a_call_leaves_a_client_that_works() -> None:
    """A child made while another thread waits for its answer can ask by itself."""
    program = """
thread = threading.Thread(target=ask, args=("waiting", 1))
thread.start()
ask("ready", 1)
child = os.fork()
if child:
    assert os.waitpid(child, 0)[1] == 0
    ask("release", 1)
    thread.join()
else:
    ask("child")
"""

    def when(name: str) -> Callable[[HostileServer], bool]:
        return lambda server: any(f"/{name}-" in r.target for r in server.requests)

    def script(request: Request) -> Script:
        if "/waiting-" in request.target:
            server.wait_until(when("release"))
        if "/ready-" in request.target:
            server.wait_until(when("waiting"))
        return named(request)

    with HostileServer(script) as server:
        ended = run(ASK + program, server.url)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert not connections(server, "child") & connections(server, "ready")
    assert not connections(server, "child") & connections(server, "waiting")


def test_a_process_exits_at_once_and_in_silence() -> None:
    """A process with an open pooled connection exits cleanly, without a warning."""
    program = "ask('once', 1); print('asked', flush=True)"
    arguments = [sys.executable, "-W", "error", "-X", "dev", "-c", ASK + program]
    with (
        HostileServer(named) as server,
        subprocess.Popen(
            [*arguments, server.url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == "asked\n"
        assert process.wait(timeout=SLACK) == 0
        assert process.stderr.read() == ""
        server.wait_until(lambda server: server.ended == 1)


# -- Reaching the backend


@pytest.fixture
def two_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """``localhost`` has two addresses, as it does on most machines."""
    look_up = socket.getaddrinfo

    def look_up_both(host: str, port: int, *args: int, **kwargs: int) -> object:
        names = ("::1", "127.0.0.1") if host == "localhost" else (host,)
        return [a for name in names for a in look_up(name, port, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up_both)


def listener_that_accepts_nobody(port: int, stack: ExitStack) -> None:
    """Occupy the port of ::1 so that connecting to it takes for ever."""
    listener = stack.enter_context(socket.socket(socket.AF_INET6))
    try:
        listener.bind(("::1", port))
    except OSError as error:
        pytest.skip(f"needs the port of 127.0.0.1 on ::1 too: {error}")
    listener.listen(0)
    # One more than it keeps waiting; from then on it does not answer.
    for _ in range(4):
        visitor = stack.enter_context(socket.socket(socket.AF_INET6))
        visitor.setblocking(False)
        visitor.connect_ex(("::1", port))


@pytest.mark.usefixtures("two_addresses")
def test_the_second_address_is_tried_when_the_first_refuses() -> None:
    """A host is reached by whichever of its addresses answers, with one POST."""
    with HostileServer(answer(200, RIGHT)) as server:
        with client(f"http://localhost:{server.port}/v1") as api:
            assert outcome(api) == Verification("totp")

    assert server.posts == 1


@pytest.mark.usefixtures("two_addresses")
def test_the_second_address_is_tried_when_the_first_hangs() -> None:
    """An address that does not answer leaves the next one its share of the time."""
    with HostileServer(answer(200, RIGHT)) as server, ExitStack() as stack:
        listener_that_accepts_nobody(server.port, stack)
        with client(f"http://localhost:{server.port}/v1", 0.6) as api:
            start = time.monotonic()

            assert outcome(api) == Verification("totp")
            assert time.monotonic() - start < 0.6

    assert server.posts == 1


@pytest.mark.usefixtures("two_addresses")
def test_all_addresses_share_one_deadline() -> None:
    """A second address does not give a call a second timeout."""
    with HostileServer((Hang(),)) as server, ExitStack() as stack:
        listener_that_accepts_nobody(server.port, stack)
        with client(f"http://localhost:{server.port}/v1", 1.2) as api:
            start = time.monotonic()

            assert isinstance(outcome(api), OutcomeUnknown)
            assert 1.1 < time.monotonic() - start < 1.2 + 0.5

    assert server.posts == 1


def test_a_name_that_nobody_has_is_unavailable() -> None:
    """A host whose name cannot be looked up is an outage (RFC 6761, 6.4)."""
    with client("https://clerk.invalid/v1") as api:
        error = outcome(api)

    assert type(error) is VerifierUnavailable


# -- TLS


def certificate(folder: Path, name: str) -> Path:
    """Make a self-signed certificate with its key, in one file."""
    path, key = folder / "certificate.pem", folder / "key.pem"
    command = "openssl req -x509 -nodes -days 1 -newkey ec -subj /CN=backend"
    command += " -pkeyopt ec_paramgen_curve:prime256v1"
    command += " -addext keyUsage=critical,keyCertSign,digitalSignature"
    command += f" -addext subjectAltName={name} -keyout {key} -out {path}"
    subprocess.run(command.split(), check=True, capture_output=True)
    path.write_text(path.read_text() + key.read_text())
    return path


def tls(path: Path) -> ssl.SSLContext:
    """What a server with this certificate speaks."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@needs_openssl
def test_a_certificate_that_nobody_vouches_for_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is sent to a server with a self-signed certificate."""
    caplog.set_level(logging.DEBUG)
    context = tls(certificate(tmp_path, "IP:127.0.0.1"))
    with HostileServer(answer(200, RIGHT), tls=context) as server:
        with client(server.url) as api:
            error = outcome(api)

    assert type(error) is VerifierUnavailable
    assert (server.posts, server.connections) == (0, 1)
    assert_silent([caplog.text, *texts(error)])


@needs_openssl
def test_a_certificate_of_another_host_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent to a server whose trusted certificate names another host."""
    path = certificate(tmp_path, "DNS:backend.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with HostileServer(answer(200, RIGHT), tls=tls(path)) as server:
        with client(server.url) as api:
            error = outcome(api)

    assert type(error) is VerifierUnavailable
    assert server.posts == 0


@needs_openssl
def test_an_authority_of_the_environment_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With SSL_CERT_FILE calls go over TLS, one after the other by one connection."""
    path = certificate(tmp_path, "IP:127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with HostileServer(named, tls=tls(path)) as server:
        with client(server.url) as api:
            got = [outcome(api, f"user_{number}") for number in range(5)]

    assert got == [Verification(f"user_{number}") for number in range(5)]
    assert server.connections == 1


@needs_openssl
@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ((Hang(),), OutcomeUnknown),
        ((Drip(raw(200, RIGHT)),), OutcomeUnknown),
        ((Send(raw(200, length=len(RIGHT))), Drip(RIGHT.encode())), OutcomeUnknown),
        ((Send(raw(422, length=len(WRONG))), Drip(WRONG.encode())), IncorrectCode),
    ],
    ids=["hang", "headers", "body of 200", "body of 422"],
)
def test_the_deadline_holds_over_tls(
    script: Script,
    expected: type[VerifierError],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A backend that drips inside TLS holds a call no longer than its timeout."""
    path = certificate(tmp_path, "IP:127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with HostileServer(script, tls=tls(path)) as server:
        with client(server.url, SHORT) as api:
            start = time.monotonic()
            error = outcome(api)
            seconds = time.monotonic() - start

    assert type(error) is expected
    assert seconds <= SHORT + SLACK
    assert server.posts == 1


@pytest.mark.parametrize(
    ("greeting", "timeouts"),
    [
        ((Hang(),), 1),
        # The head of a TLS record of 16 KB, which then comes byte by byte.
        ((Drip(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc" + bytes(1_000)),), 1),
        ((Send(b"HTTP/1.1 200 OK\r\n\r\n"), Hang()), 0),
        ((Close(),), 0),
        # Once the handshake has begun: a reset before it makes Python 3.11 itself
        # forget a socket (SSLSocket._create), and warn of it.
        ((Hear(), Reset()), 0),
    ],
    ids=["hangs", "drips", "speaks HTTP", "closes", "resets"],
)
def test_a_handshake_that_fails_is_unavailable(greeting: Script, timeouts: int) -> None:
    """A TLS handshake that fails or never ends is an outage, and ends in time."""
    timeout = SHORT if timeouts else LONG
    with HostileServer(greeting=greeting) as server:
        with client(server.url.replace("http:", "https:"), timeout) as api:
            start = time.monotonic()
            error = outcome(api)
            seconds = time.monotonic() - start

    assert type(error) is VerifierUnavailable
    assert seconds <= timeouts * timeout + SLACK
    assert server.posts == 0


# -- Configuration


@pytest.mark.parametrize(
    "url",
    [
        "https://api.clerk.com/v1",
        "https://api.clerk.com/v1/",
        "HTTPS://API.CLERK.COM/v1",
        "https://api.clerk.com:8443",
        "https://clérk.example/v1",
        "https://192.0.2.1/v1",
        "http://localhost:5000/v1",
        "http://127.0.0.1/v1",
        "http://127.8.8.8:1/v1",
        "http://[::1]:5000/v1",
    ],
)
def test_these_urls_can_be_used(url: str) -> None:
    """Any https URL is taken, and plain http to this machine."""
    ClerkBackendAPI(KEY, base_url=url).close()


@pytest.mark.parametrize(
    "url",
    [
        "",
        " ",
        "/v1",
        "api.clerk.com/v1",
        "//api.clerk.com/v1",
        "https:",
        "https:///v1",
        "https://:443/v1",
        "ftp://127.0.0.1/v1",
        "file:///etc/passwd",
        "http://api.clerk.com/v1",
        "http://127.0.0.1.evil.example/v1",
        "http://localhost.evil.example/v1",
        "http://10.0.0.1/v1",
        "http://0.0.0.0/v1",
        "http://2130706433/v1",
        "http://[::ffff:10.0.0.1]/v1",
        "http://[::1",
        "https://somebody:hunter2@api.clerk.com/v1",
        "https://somebody@api.clerk.com/v1",
        "http://localhost@evil.example/v1",
        "http://127.0.0.1\\@evil.example/v1",
        "http://evil.example\\@127.0.0.1/v1",
        "http://evil.example#@127.0.0.1/v1",
        "https://api.clerk.com/v1?a=b",
        "https://api.clerk.com/v1?",
        "https://api.clerk.com/v1#a",
        "https://api.clerk.com/v1#",
        "https://api.clerk.com/v1/?",
        "https://api.clerk.com:port/v1",
        "https://api.clerk.com:99999/v1",
        "https://api.clerk.com:-1/v1",
        "https://api.clerk.com/v 1",
        "https://api.clerk.com/v1\n",
        "https://api.cl\nerk.com/v1",
        "\thttps://api.clerk.com/v1",
        "https://api..clerk.com/v1",
        "https://.clerk.com/v1",
        f"https://{'a' * 64}.example/v1",
        "https://api.clerk.com\\evil/v1",
        None,
        443,
        b"https://api.clerk.com/v1",
    ],
    ids=ascii,
)
def test_a_url_that_cannot_work_fails_at_once(url: object) -> None:
    """A base URL that would fail or leak later is refused when the client is made."""
    with pytest.raises(ConfigurationError, match="STEPUP_CLERK_API_URL") as raised:
        ClerkBackendAPI(KEY, base_url=url)  # type: ignore[arg-type]

    assert_silent(texts(raised.value), "hunter2")


@pytest.mark.parametrize(
    "key",
    [
        "",
        " ",
        f"{KEY}\n",
        f" {KEY}",
        f"{KEY} ",
        f"{KEY}\r\nX-Y: z",
        f"{KEY}\t",
        f"{KEY}\x00",
        f"{KEY}é",
        f"{KEY}\ud800",
        KEY.encode(),
        None,
    ],
    ids=ascii,
)
def test_a_key_that_cannot_be_sent_fails_at_once(key: object) -> None:
    """A key that no header can hold is refused, by an error that does not show it."""
    with pytest.raises(ConfigurationError, match="STEPUP_CLERK_SECRET_KEY") as raised:
        ClerkBackendAPI(key)  # type: ignore[arg-type]

    shown = [text for text in texts(raised.value) if KEY in text]
    assert shown == []


@pytest.mark.parametrize(
    "seconds",
    [0, -1, -0.0, float("nan"), float("inf"), 61, 10**400, True, False, "5", None, 1j],
    ids=lambda seconds: repr(seconds)[:9],
)
def test_a_timeout_that_is_none_fails_at_once(seconds: object) -> None:
    """Only a number of seconds above 0 and at most 60 is a timeout."""
    with pytest.raises(ConfigurationError, match="STEPUP_CLERK_TIMEOUT"):
        ClerkBackendAPI(KEY, timeout=seconds)  # type: ignore[arg-type]


def test_the_client_does_not_show_its_key() -> None:
    """The repr of a client has no key in it."""
    with client("https://api.clerk.com/v1") as api:
        assert_silent([repr(api), str(api)])


def test_a_base_url_may_have_a_slash_at_its_end() -> None:
    """A slash at the end of the base URL does not become an empty segment."""
    with HostileServer(answer(200, RIGHT)) as server:
        with client(f"{server.url}/") as api:
            api.verify_totp("user_2abc", CODE)

    assert server.requests[0].target == "/v1/users/user_2abc/verify_totp"


# -- Transports of one's own


def test_a_mock_transport_takes_the_place_of_the_network() -> None:
    """An httpx.MockTransport gets the request and gives the answer."""
    seen: list[httpx.Request] = []

    def backend(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(422, json=json.loads(WRONG))

    with closing(ClerkBackendAPI(KEY, transport=httpx.MockTransport(backend))) as api:
        error = outcome(api)

    [request] = seen
    assert str(request.url) == f"https://api.clerk.com/v1/users/{USER}/verify_totp"
    assert isinstance(error, IncorrectCode)
    assert error.code == "totp_incorrect_code"


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (httpx.ConnectError, VerifierUnavailable),
        (httpx.ConnectTimeout, VerifierUnavailable),
        (httpx.PoolTimeout, VerifierUnavailable),
        (httpx.ReadTimeout, OutcomeUnknown),
        (httpx.WriteTimeout, OutcomeUnknown),
        (httpx.WriteError, OutcomeUnknown),
        (httpx.RemoteProtocolError, OutcomeUnknown),
    ],
)
def test_an_error_of_a_transport_becomes_ours(
    failure: type[httpx.TransportError], expected: type[VerifierError]
) -> None:
    """What a transport raises becomes an outcome, and stays out of its chain."""

    def backend(request: httpx.Request) -> httpx.Response:
        raise failure(f"{CODE} {KEY} {BODY}", request=request)

    with closing(ClerkBackendAPI(KEY, transport=httpx.MockTransport(backend))) as api:
        error = outcome(api)

    assert type(error) is expected
    assert failure.__name__ in str(error)
    assert_silent(texts(error))


def test_a_wsgi_application_takes_the_place_of_the_network() -> None:
    """An httpx.WSGITransport lets an application in this process answer."""
    seen: list[tuple[str, str, bytes]] = []

    def backend(
        environ: dict[str, Any], start_response: Callable[..., object]
    ) -> list[bytes]:
        body = environ["wsgi.input"].read()
        seen.append((environ["REQUEST_METHOD"], environ["PATH_INFO"], body))
        start_response("200 OK", [("Content-Type", "application/json")])
        return [RIGHT.encode()]

    with closing(
        ClerkBackendAPI(KEY, transport=httpx.WSGITransport(app=backend))
    ) as api:
        assert api.verify_totp("a/b", "123456") == Verification("totp")

    [(method, path, body)] = seen
    assert (method, path) == ("POST", "/v1/users/a/b/verify_totp")
    assert json.loads(body) == {"code": "123456"}

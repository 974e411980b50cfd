"""What is true of the ledger on Redis and Valkey beyond the contract of every ledger.

All of it with a real server, whose process is paused, killed and misled, and a wire to
it that is cut and stretched.
"""

from __future__ import annotations

import logging
import re
import secrets
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from contextlib import contextmanager
from contextlib import ExitStack
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import time_machine
from ledgers import alarm
from ledgers import FIVE
from ledgers import race
from ledgers import remaining
from ledgers import retry_after
from valkey_server import running
from valkey_server import Valkey
from wire import wire_to

from flask_stepup.deadline import deadline
from flask_stepup.errors import ConfigurationError
from flask_stepup.errors import LedgerUnavailable
from flask_stepup.ledger import Exhausted
from flask_stepup.ledger import Ledger
from flask_stepup.ledger import Limit
from flask_stepup.ledger import open_ledger
from flask_stepup.ledger import Repeated
from flask_stepup.ledger import Standing
from flask_stepup.ledger import Ticket
from flask_stepup.ledger.redis.address import Address
from flask_stepup.ledger.redis.connections import connect
from flask_stepup.ledger.redis.server import Server
from flask_stepup.ledger.redis.standings import read_standing

#: Seconds that a step may take here, and what a busy machine may add to them.
TIMEOUT = 0.4
GRACE = 1.0

Opener = Callable[..., Ledger]
#: Every step that a ledger knows.
STEPS: dict[str, Callable[[Ledger], object]] = {
    "standing": lambda ledger: ledger.standing("u", "s", "login", ["a"]),
    "reserve": lambda ledger: ledger.reserve("u", FIVE),
    "refund": lambda ledger: ledger.refund(Ticket("u", "t", 1, 0.0)),
    "settle": lambda ledger: ledger.settle("u", "s", ["digest", "older"], "login"),
    "spend": lambda ledger: ledger.spend("u", "s", {"a": ledger.id}, "login"),
    "clear": lambda ledger: ledger.clear("u"),
    "revoke_session": lambda ledger: ledger.revoke_session("s"),
    "revoke_user": lambda ledger: ledger.revoke_user("u", "login"),
}
every_step = pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)


@pytest.fixture
def shared(valkey: Valkey) -> Valkey:
    """A server for tests that do it no harm, each with a prefix of its own."""
    return valkey


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Valkey]:
    """A server for one test, which keeps what it acknowledged."""
    options = ("--appendonly", "yes", "--appendfsync", "always")
    with running(tmp_path / "valkey", *options) as server:
        yield server


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opener]:
    """Opens a ledger that is closed at the end."""
    with ExitStack() as stack:

        def opened(uri: str, timeout: float = TIMEOUT, app: str = "bank") -> Ledger:
            ledger = open_ledger(uri, timeout, str(tmp_path), app)
            stack.callback(ledger.close)
            return ledger

        yield opened


@pytest.fixture
def prefix() -> str:
    """Names a ledger that nobody else uses."""
    return secrets.token_hex(8)


def fails_in_time(step: Callable[[Ledger], object], ledger: Ledger) -> str:
    """Have a step fail, and return its reason."""
    before = time.monotonic()
    with pytest.raises(LedgerUnavailable) as failure:
        step(ledger)
    assert time.monotonic() - before < TIMEOUT + GRACE
    return failure.value.reason


# --- addresses ---


@pytest.mark.parametrize("scheme", ["redis", "valkey"])
def test_both_names_lead_to_the_same_ledger(
    shared: Valkey, opened: Opener, scheme: str, prefix: str
) -> None:
    """Redis and Valkey speak one protocol, and so their addresses mean the same."""
    prefix = secrets.token_hex(8)
    ledger = opened(shared.uri(prefix, scheme))
    ledger.revoke_session("s")
    assert opened(shared.uri(prefix)).standing("u", "s").session_revoked


def test_a_socket_of_the_file_system_leads_to_it_too(
    shared: Valkey, opened: Opener, prefix: str
) -> None:
    """With a database and a prefix in the query."""
    path = shared.socket.resolve()
    by_socket = opened(f"unix://{path}?db=3&prefix=socket")
    by_socket.revoke_session("s")
    by_port = opened(f"redis://127.0.0.1:{shared.port}/3?prefix=socket")
    assert by_port.id == by_socket.id
    assert by_port.standing("u", "s").session_revoked
    assert opened(f"redis://127.0.0.1:{shared.port}/4?prefix=socket").id != by_port.id


def test_it_can_be_reached_over_tls(
    shared: Valkey, opened: Opener, tmp_path: Path, prefix: str
) -> None:
    """Where the certificate is vouched for, and else not."""
    file, context = certificate(tmp_path)
    with wire_to(shared.port, context) as wire:
        uri = f"rediss://localhost:{wire.port}/0?prefix=tls"
        ledger = opened(f"{uri}&ssl_ca_certs={file}")
        ledger.revoke_session("s")
        ledger.close()
        with pytest.raises(ConfigurationError, match="certificate"):
            opened(uri)
    assert opened(shared.uri("tls")).standing("u", "s").session_revoked


def test_a_certificate_of_another_host_is_refused(
    shared: Valkey, opened: Opener, tmp_path: Path
) -> None:
    """Whoever is trusted, and is not the host that is asked for, is not it."""
    file, context = certificate(tmp_path, "other.example")
    with wire_to(shared.port, context) as wire:
        with pytest.raises(ConfigurationError, match="certificate"):
            opened(f"rediss://localhost:{wire.port}?ssl_ca_certs={file}")


def test_a_server_that_asks_for_a_certificate_is_shown_it(
    shared: Valkey, opened: Opener, tmp_path: Path, prefix: str
) -> None:
    """Its key lies in a file of its own, or in the same one."""
    file, context = certificate(tmp_path)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(file)
    key, both = tmp_path / "key.pem", tmp_path / "both.pem"
    both.write_text(key.read_text() + file.read_text())
    with wire_to(shared.port, context) as wire:
        uri = f"rediss://localhost:{wire.port}?prefix={prefix}&ssl_ca_certs={file}"
        for shown in (f"{file}&ssl_keyfile={key}", both):
            ledger = opened(f"{uri}&ssl_certfile={shown}", timeout=20.0)
            assert ledger.standing("u", "s").ledger_id == ledger.id
            ledger.close()
        with pytest.raises(ConfigurationError, match="cannot be used"):
            opened(uri)


def test_certificates_that_cannot_be_read_are_told_at_start(tmp_path: Path) -> None:
    """By the names of their settings; nobody is connected to."""
    (tmp_path / "empty.pem").touch()
    for file in ("nowhere.pem", "empty.pem", "%00"):
        for name in ("ssl_ca_certs", "ssl_certfile"):
            uri = f"rediss://127.0.0.1:1?{name}={tmp_path / file}"
            with pytest.raises(ConfigurationError, match=f"look at {name}"):
                open_ledger(uri, TIMEOUT, "/nowhere", "bank")


def test_a_handshake_that_hangs_ends_in_time(opened: Opener) -> None:
    """Over TLS as without: who takes connections and says nothing is busy."""
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        before = time.monotonic()
        ledger = opened(f"rediss://127.0.0.1:{silent.getsockname()[1]}")
        fails_in_time(STEPS["standing"], ledger)
        assert time.monotonic() - before < 4 * TIMEOUT + GRACE


def test_an_app_whose_name_is_no_prefix_is_asked_for_one(shared: Valkey) -> None:
    """Keys of one app can be no keys of another, whatever the app is called."""
    for name in ("a}:user:x", "my app", "", "x" * 101, "bänk"):
        with pytest.raises(ConfigurationError, match="prefix="):
            open_ledger(shared.uri(), TIMEOUT, "/nowhere", name)


def test_a_user_and_a_password_are_used(tmp_path: Path, opened: Opener) -> None:
    """Percent-encoded; a wrong or missing one is told at start, and never shown."""
    with running(tmp_path / "valkey") as server:
        with closing(server.client()) as client:
            client.acl_setuser(
                "bank",
                enabled=True,
                passwords=["+p@ss/w:rd"],
                keys="*",
                commands=["+@all"],
            )
            client.config_set("requirepass", "s3cret")
        place = f"127.0.0.1:{server.port}"
        assert opened(f"redis://bank:p%40ss%2Fw%3Ard@{place}").id
        assert opened(f"redis://:s3cret@{place}").id
        for wrong in (f"redis://:wr0ng@{place}", f"redis://{place}"):
            with pytest.raises(ConfigurationError, match="password") as refusal:
                opened(wrong)
            assert "wr0ng" not in str(refusal.value)
            assert place in str(refusal.value)


def test_what_is_not_installed_is_named() -> None:
    """Without redis-py the mend is told at start."""
    program = """
import sys
sys.modules["redis"] = None
from flask_stepup.ledger import open_ledger
from flask_stepup.ledger import Repeated
try:
    open_ledger("redis://127.0.0.1", 1, ".", "bank")
except Exception as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("ConfigurationError")
    assert "pip install 'flask-stepup[redis]'" in done.stdout


# --- what is kept ---


def test_every_key_has_the_prefix_and_an_end(
    shared: Valkey, opened: Opener, prefix: str
) -> None:
    """All keys of an app are in one slot, and none stays for ever."""
    ledger = opened(shared.uri(prefix))
    for _ in range(2):
        for step in STEPS.values():
            step(ledger)
        ledger.reserve("v", (Limit(1, 2_592_000),))
    (slot,) = {key.partition("}")[0] for key in keys(shared, prefix)}
    with closing(shared.client()) as client:
        lives = {key.partition(":")[2]: client.ttl(key) for key in keys(shared, prefix)}
    assert slot.startswith("{stepup:")
    assert all(0 < life <= 2_592_001 for life in lives.values()), lives
    assert next(life for key, life in lives.items() if key.endswith("id")) <= 90_000


def test_what_is_remembered_keeps_its_name(
    shared: Valkey, opened: Opener, prefix: str
) -> None:
    """Workers of two versions share a server while an app is updated."""
    opened(shared.uri(prefix)).revoke_user("u")
    slot = f"{{stepup:{prefix}}}"
    assert {f"{slot}:id", f"{slot}:user:u"} <= set(keys(shared, prefix))


def test_close_gives_back_every_connection(server: Valkey, opened: Opener) -> None:
    """Nothing of a ledger that was closed is left open; the next step opens it anew."""
    with closing(server.client()) as client:
        before = len(client.client_list())
        ledger = opened(server.uri())
        race(4, lambda _: ledger.standing("u", "s"))
        assert len(client.client_list()) > before
        ledger.close()
        patience = time.monotonic() + 20
        while len(client.client_list()) > before and time.monotonic() < patience:
            time.sleep(0.02)
        assert len(client.client_list()) == before
    assert ledger.standing("u", "s").ledger_id == ledger.id


def test_attempts_leave_when_they_count_no_more(
    shared: Valkey, opened: Opener, prefix: str
) -> None:
    """Those of somebody who tries again and again, too, whose key never ends."""
    ledger = opened(shared.uri(prefix))
    for _ in range(5):
        remaining(ledger, "u", Limit(100, 1))
    [key] = [key for key in keys(shared, prefix) if "attempts:" in key]
    with closing(shared.client()) as client:
        assert client.zcard(key) > 0
        time.sleep(1.1)
        assert remaining(ledger, "u", Limit(100, 1)) == 99
        assert client.zcard(key) == 1


def test_apps_on_one_server_share_nothing(shared: Valkey, opened: Opener) -> None:
    """Each has its own name in front, unless the address gives both the same one."""
    uri = shared.uri()
    one, other = opened(uri, app="one"), opened(uri, app="other")
    one.revoke_session("s")
    one.reserve("u", (Limit(1, 60),))
    assert one.id != other.id
    assert other.standing("u", "s") == Standing(other.id)
    assert remaining(other, "u", Limit(1, 60)) == 0
    shared_uri = shared.uri("together")
    assert opened(shared_uri, app="one").id == opened(shared_uri, app="other").id


def test_codes_are_not_in_it_as_they_are(
    shared: Valkey, opened: Opener, prefix: str
) -> None:
    """What is written down is what the ledger was given: keyed hashes."""
    ledger = opened(shared.uri(prefix))
    ledger.settle("u", "s", ["keyed-hash"])
    (code,) = [key for key in keys(shared, prefix) if ":code:" in key]
    assert code.endswith(":code:keyed-hash")


def test_a_host_that_has_the_time_wrong_changes_nothing(
    shared: Valkey, opened: Opener, prefix: str
) -> None:
    """Windows, codes and revocations go by the server's clock alone."""
    uri = shared.uri(prefix)
    right, wrong = opened(uri), opened(uri)
    now = time.time()
    ticket = right.reserve("u", (Limit(2, 60),))
    assert isinstance(ticket, Ticket)
    right.settle("v", "s", ["digest"])
    right.revoke_user("u")
    for hours in (-48, -1, 1, 48):
        with time_machine.travel(now + hours * 3_600, tick=True):
            assert not wrong.settle("v", "s", ["digest"]).first_use
            standing = wrong.standing("u", "s")
            assert standing == right.standing("u", "s")
            assert 0 <= standing.revoked_for < 60
            last = wrong.reserve("u", (Limit(2, 60),))
            assert isinstance(last, Ticket)
            assert last.locked_until == pytest.approx(now + 60, abs=30)
            assert 30 < retry_after(wrong, "u", Limit(2, 60)) <= 60
            wrong.refund(last)


# --- what goes over the wire ---


def test_a_server_is_not_greeted(shared: Valkey, opened: Opener, prefix: str) -> None:
    """It is spoken to as any version understands."""
    with wire_to(shared.port) as wire:
        opened(f"redis://127.0.0.1:{wire.port}?prefix={prefix}").close()
    assert b"EVALSHA" in b"".join(wire.heard)
    assert b"HELLO" not in b"".join(wire.heard)


def test_nobody_waits_for_a_connection(server: Valkey, opened: Opener) -> None:
    """However many ask at once while the server takes its time."""
    ledger = opened(server.uri(), timeout=20.0)
    server.pause()
    waking = threading.Timer(1.0, server.resume)
    waking.start()
    ids = race(120, lambda _: ledger.standing("u", "s").ledger_id)
    waking.join()
    assert set(ids) == {ledger.id}


@every_step
def test_each_step_is_one_round_trip(
    shared: Valkey, opened: Opener, step: Callable[[Ledger], object], prefix: str
) -> None:
    """One command each, on a connection that is kept."""
    with wire_to(shared.port) as wire:
        ledger = opened(f"redis://127.0.0.1:{wire.port}?prefix=wire")
        step(ledger)
        wire.heard.clear()
        for _ in range(3):
            step(ledger)
        ledger.close()
    assert [commands(heard) for heard in wire.heard] == [1, 1, 1]


def test_a_server_that_forgot_the_scripts_is_sent_them(
    shared: Valkey, opened: Opener, prefix: str
) -> None:
    """After a restart or a flush of scripts each is sent once, and then known again."""
    with wire_to(shared.port) as wire, closing(shared.client()) as client:
        ledger = opened(f"redis://127.0.0.1:{wire.port}?prefix={secrets.token_hex(8)}")
        client.script_flush()
        wire.heard.clear()
        assert [remaining(ledger, "u", *FIVE) for _ in range(3)] == [4, 3, 2]
        ledger.close()
    assert sum(commands(heard) for heard in wire.heard) == 4


# --- faults ---


@every_step
def test_a_server_that_hangs_fails_in_time(
    server: Valkey, opened: Opener, step: Callable[[Ledger], object]
) -> None:
    """A paused server costs the timeout and no more, with a connection or without."""
    ledger = opened(server.uri())
    server.pause()
    try:
        assert "Timeout" in fails_in_time(step, ledger)
        assert "Timeout" in fails_in_time(step, ledger)
    finally:
        server.resume()
    time.sleep(0.1)
    step(ledger)


def test_a_question_that_a_server_which_hangs_does_not_take_ends_in_time(
    server: Valkey, opened: Opener
) -> None:
    """One that is too long for what lies between the two."""
    ledger = opened(server.uri())
    server.pause()
    reason = fails_in_time(lambda _: ledger.revoke_session("s" * 2**25), ledger)
    assert reason.startswith("Redis: TimeoutError: ")


def test_who_reads_into_a_buffer_waits_no_longer_than_the_step() -> None:
    """As redis-py does where hiredis is installed; to look is not to wait."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        uri = f"redis://127.0.0.1:{listener.getsockname()[1]}"
        pool = connect(Address.parse(uri, "bank")).connection_pool
        with deadline(20.0):
            near = pool.make_connection()._connect()
        far, _ = listener.accept()
        with near, far:
            buffer = bytearray(8)
            with deadline(0.1), pytest.raises(TimeoutError):
                near.recv_into(buffer)
            near.settimeout(0)
            with deadline(20.0), pytest.raises(BlockingIOError):
                near.recv_into(buffer)
            near.settimeout(None)
            far.sendall(b"told")
            with deadline(20.0):
                assert near.recv_into(buffer, 3) == 3
            assert bytes(buffer) == b"tol" + bytes(5)


@every_step
def test_a_server_that_is_gone_fails_and_is_found_again(
    server: Valkey, opened: Opener, step: Callable[[Ledger], object]
) -> None:
    """A crash costs requests until it is back, and not one more; nothing is lost."""
    ledger = opened(server.uri(), timeout=10.0)
    race(8, lambda _: ledger.standing("u", "s"))
    ledger.revoke_session("before")
    server.kill()
    assert "Connection" in fails_in_time(step, ledger)
    server.start()
    race(8, lambda _: step(ledger))
    assert ledger.standing("u", "before").session_revoked


@every_step
def test_an_answer_that_drips_ends_in_time(
    shared: Valkey, opened: Opener, step: Callable[[Ledger], object], prefix: str
) -> None:
    """The timeout is for the whole step, however slowly it goes on."""
    with wire_to(shared.port) as wire:
        ledger = opened(f"redis://127.0.0.1:{wire.port}?prefix={secrets.token_hex(8)}")
        wire.seconds_per_byte = TIMEOUT / 2
        fails_in_time(step, ledger)
        wire.seconds_per_byte = 0.0
        step(ledger)
        ledger.close()


@every_step
def test_a_step_whose_answer_is_lost_is_not_sent_again(
    shared: Valkey, opened: Opener, step: Callable[[Ledger], object], prefix: str
) -> None:
    """Whether it was done cannot be known: what spends would spend twice."""
    with wire_to(shared.port) as wire:
        ledger = opened(f"redis://127.0.0.1:{wire.port}?prefix={secrets.token_hex(8)}")
        step(ledger)
        wire.heard.clear()
        wire.loses_answers = True
        fails_in_time(step, ledger)
        wire.loses_answers = False
        assert sum(commands(heard) for heard in wire.heard) == 1
        step(ledger)
        ledger.close()


def test_a_connection_that_was_cut_while_idle_costs_nothing(
    shared: Valkey, opened: Opener, prefix: str
) -> None:
    """As firewalls and restarts cut them: it is noticed before anything is sent."""
    with wire_to(shared.port) as wire:
        ledger = opened(f"redis://127.0.0.1:{wire.port}?prefix={secrets.token_hex(8)}")
        race(8, lambda _: ledger.standing("u", "s"))
        for left in (4, 3, 2):
            wire.cut()
            time.sleep(0.05)
            assert remaining(ledger, "u", *FIVE) == left
        ledger.close()


def test_a_step_that_fails_leaves_those_of_others_alone(
    shared: Valkey, opened: Opener, prefix: str
) -> None:
    """Idle connections are closed with it, and no other."""
    with wire_to(shared.port) as wire, ThreadPoolExecutor(1) as pool:
        uri = f"redis://127.0.0.1:{wire.port}?prefix={prefix}"
        ledger = opened(uri, timeout=20.0)
        race(2, lambda _: ledger.standing("u", "s"))
        wire.heard.clear()
        wire.seconds_per_byte = 0.01
        slow = pool.submit(ledger.standing, "u", "s")
        while not wire.heard:
            time.sleep(0.01)
        with pytest.raises(LedgerUnavailable):
            ledger.standing("\ud800", "s")
        assert not slow.done()
        assert slow.result().ledger_id == ledger.id
        ledger.close()


def test_connections_that_nobody_hears_any_more_cost_one_step(
    shared: Valkey, opened: Opener, prefix: str
) -> None:
    """As of a host that was unplugged: what is found out of one is true of all."""
    with wire_to(shared.port) as wire:
        uri = f"redis://127.0.0.1:{wire.port}?prefix={prefix}"
        ledger = opened(uri, timeout=1.5)
        # So slowly that each of four has a connection of its own.
        wire.seconds_per_byte = 0.0005
        race(4, lambda _: ledger.standing("u", "s"))
        wire.silence()
        with pytest.raises(LedgerUnavailable):
            ledger.standing("u", "s")
        told = race(4, lambda _: ledger.standing("u", "s").ledger_id)
        wire.seconds_per_byte = 0.0
        assert told == [ledger.id] * 4
        ledger.close()


@pytest.mark.parametrize("times", [1, 5])
def test_an_attempt_that_was_not_answered_is_given_back(
    server: Valkey, opened: Opener, times: int
) -> None:
    """The server may have taken it when it woke up; nobody was asked about a code."""
    ledger = opened(server.uri())
    limit = Limit(2, 300)
    # By which the server learns the script: it cannot run one that it does not know.
    ledger.reserve("somebody else", (limit,))
    for _ in range(times):
        server.pause()
        with pytest.raises(LedgerUnavailable):
            ledger.reserve("u", (limit,))
        server.resume()
        time.sleep(0.05)
    assert [remaining(ledger, "u", limit) for _ in range(2)] == [1, 0]
    assert isinstance(ledger.reserve("u", (limit,)), Exhausted)


def test_attempts_of_many_threads_that_were_not_answered_are_given_back(
    server: Valkey, opened: Opener
) -> None:
    """Each of them, though all went astray at once."""
    ledger = opened(server.uri())
    # Connections for all: a new one would be noticed not to be answered.
    race(5, lambda _: ledger.reserve("somebody else", (Limit(10, 300),)))

    def unanswered(_: int) -> None:
        with suppress(LedgerUnavailable):
            ledger.reserve("u", FIVE)

    server.pause()
    race(5, unanswered)
    server.resume()
    time.sleep(0.05)
    assert [remaining(ledger, "u", *FIVE) for _ in range(5)] == [4, 3, 2, 1, 0]


def test_an_attempt_that_is_left_is_given_back(
    shared: Valkey, opened: Opener, prefix: str
) -> None:
    """Whatever ends it while its answer is on its way, such as an alarm."""
    with wire_to(shared.port) as wire:
        ledger = opened(f"redis://127.0.0.1:{wire.port}?prefix={prefix}", timeout=5.0)
        ledger.reserve("somebody else", FIVE)
        wire.seconds_per_byte = 0.01
        for _ in range(6):
            with alarm(0.1):
                ledger.reserve("u", FIVE)
        wire.seconds_per_byte = 0.0
        assert remaining(ledger, "u", *FIVE) == 4
        ledger.close()


def test_a_full_server_takes_none_back_before_it_refuses(
    server: Valkey, opened: Opener
) -> None:
    """An attempt that is owed makes no room for another that could not be settled."""
    ledger = opened(server.uri())
    ledger.reserve("u", FIVE)
    server.pause()
    with pytest.raises(LedgerUnavailable):
        ledger.reserve("u", FIVE)
    server.resume()
    with closing(server.client()) as client:
        client.config_set("maxmemory", 1)
        for _ in range(2):
            with pytest.raises(LedgerUnavailable, match="OutOfMemory"):
                ledger.reserve("u", FIVE)
        client.config_set("maxmemory", 0)
    assert remaining(ledger, "u", *FIVE) == 3


@pytest.mark.parametrize("way", ["forget", "revoke"])
def test_a_server_whose_clock_jumps_and_is_put_right_brings_nothing_back(
    valkey_with_clock: Valkey, opened: Opener, prefix: str, way: str
) -> None:
    """With what is revoked the ledger's id has left, and with it all tokens."""
    server = valkey_with_clock
    server.set_time(time.time())
    ledger = opened(server.uri(prefix))
    before = ledger.standing("u", "s").origin
    if way == "forget":
        ledger.revoke_session("s")
    else:
        ledger.revoke_user("u")
    server.set_time(time.time() + 3 * 86_400)
    assert ledger.standing("u", "s").ledger_id
    server.set_time(time.time())
    after = ledger.standing("u", "s")
    assert after.session_revoked or after.origin != before


def test_what_one_worker_owes_takes_nothing_from_another(
    server: Valkey, opened: Opener
) -> None:
    """Attempts of the same names that were counted elsewhere meanwhile stay counted."""
    mine, other = opened(server.uri("p")), opened(server.uri("p"))
    with closing(server.client()) as client:
        client.config_set("maxmemory", 1)
        for number in range(5):
            with pytest.raises(LedgerUnavailable):
                mine.reserve("u", FIVE, f"{number}")
        client.config_set("maxmemory", 0)
    for number in range(5):
        assert isinstance(other.reserve("u", FIVE, f"{number}"), Ticket)
    for name in ("0", "5", ""):
        assert isinstance(mine.reserve("u", FIVE, name), Exhausted)


def test_an_attempt_that_was_not_answered_can_be_made_again(
    server: Valkey, opened: Opener
) -> None:
    """By the same name: it is given back first, and so is none that is repeated."""
    ledger = opened(server.uri("p"))
    ledger.reserve("somebody else", FIVE)
    server.pause()
    with pytest.raises(LedgerUnavailable):
        ledger.reserve("u", FIVE, "7")
    server.resume()
    patience = time.monotonic() + 20
    while "{stepup:p}:attempts:u" not in keys(server, "p"):
        assert time.monotonic() < patience
    again = ledger.reserve("u", FIVE, "7")
    assert isinstance(again, Ticket)
    assert again.remaining == 4
    assert ledger.reserve("u", FIVE, "7") == Repeated()


def test_an_attempt_that_could_not_be_refunded_is_given_back(
    server: Valkey, opened: Opener
) -> None:
    """With the next one of theirs, when the server is there again."""
    ledger = opened(server.uri())
    ticket = ledger.reserve("u", FIVE)
    assert isinstance(ticket, Ticket)
    server.kill()
    with pytest.raises(LedgerUnavailable):
        ledger.refund(ticket)
    server.start()
    assert [remaining(ledger, "u", *FIVE) for _ in range(2)] == [4, 3]


def test_a_look_up_goes_on_where_the_id_cannot_be_kept_longer(
    server: Valkey, opened: Opener
) -> None:
    """Who is verified goes on while nothing can be written, whenever that is."""
    ledger = opened(server.uri("p"))
    with closing(server.client()) as client:
        client.expire("{stepup:p}:id", 23 * 3_600)
        client.config_set("min-replicas-to-write", 1)
        assert ledger.standing("u", "s").ledger_id == ledger.id
        client.config_set("min-replicas-to-write", 0)
        client.replicaof("127.0.0.1", "1")
        assert ledger.standing("u", "s").ledger_id == ledger.id


@pytest.mark.parametrize("name", ["standing", "reserve", "settle", "spend"])
def test_an_answer_is_never_taken_for_one_to_another_question(
    shared: Valkey, opened: Opener, prefix: str, name: str
) -> None:
    """One that was late, say, and came when the next question had been asked."""
    with wire_to(shared.port) as wire:
        ledger = opened(f"redis://127.0.0.1:{wire.port}?prefix={prefix}")
        STEPS[name](ledger)
        late = wire.told[-1]
        ledger.revoke_session("s")
        wire.says = late
        assert "another question" in fails_in_time(STEPS[name], ledger)
        wire.says = b""
        wire.cut()
        assert ledger.standing("u", "s").session_revoked
        ledger.close()


@pytest.mark.parametrize(
    "answer",
    [b":1\r\n", b"+OK\r\n", b"$-1\r\n", b"*0\r\n", b"*1\r\n" * 100_000,
     b"*1\r\n$1\r\n\xff\r\n", b"?\r\n", b"\r\n"],
    ids=lambda answer: repr(answer[:12]),
)  # fmt: skip
def test_an_answer_of_another_shape_is_a_failure(
    shared: Valkey, opened: Opener, prefix: str, answer: bytes
) -> None:
    """Whatever it is, it opens nothing and is no fault of the app."""
    with wire_to(shared.port) as wire:
        ledger = opened(f"redis://127.0.0.1:{wire.port}?prefix={prefix}")
        wire.says = answer
        for name in ("standing", "reserve", "settle", "spend"):
            fails_in_time(STEPS[name], ledger)
        ledger.close()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"-WRONGTYPE Operation on alice", "Redis: ResponseError WRONGTYPE"),
        (b"-alice may not", "Redis: ResponseError"),
        (b"-USER:ALICE may not", "Redis: ResponseError"),
        (b"-NOPERM alice may not", "Redis: NoPermissionError"),
    ],
    ids=str,
)
def test_of_what_a_server_says_the_first_word_is_told(
    shared: Valkey, opened: Opener, prefix: str, answer: bytes, expected: str
) -> None:
    """If it is one of its own: what follows may quote whoever was asked about."""
    with wire_to(shared.port) as wire:
        ledger = opened(f"redis://127.0.0.1:{wire.port}?prefix={prefix}")
        wire.says = answer + b"\r\n"
        assert fails_in_time(STEPS["standing"], ledger).startswith(expected)
        assert "alice" not in fails_in_time(STEPS["standing"], ledger).lower()
        ledger.close()


def test_a_step_that_is_left_leaves_no_answer_behind(
    shared: Valkey, opened: Opener, prefix: str
) -> None:
    """Whatever ends it while its answer is on its way, such as an alarm."""
    with wire_to(shared.port) as wire:
        uri = f"redis://127.0.0.1:{wire.port}?prefix={prefix}"
        ledger = opened(uri, timeout=5.0)
        ledger.revoke_session("ended")
        wire.seconds_per_byte = 0.0005
        for number in range(30):
            with alarm(0.0005 * (number + 1)):
                ledger.standing("u", "fresh")
            assert ledger.standing("u", "ended").session_revoked
        wire.seconds_per_byte = 0.0
        ledger.close()


def test_a_full_server_takes_no_more_and_goes_on_telling(
    server: Valkey, opened: Opener
) -> None:
    """Writing fails, so that nothing opens that would have to be written down."""
    ledger = opened(server.uri())
    ledger.revoke_session("gone")
    ticket = ledger.reserve("u", FIVE)
    assert isinstance(ticket, Ticket)
    with closing(server.client()) as client:
        client.config_set("maxmemory", 1)
        for name in ("reserve", "settle", "spend", "revoke_session", "revoke_user"):
            assert "OutOfMemory" in fails_in_time(STEPS[name], ledger)
        assert ledger.standing("u", "gone").session_revoked
        ledger.refund(ticket)
        client.config_set("maxmemory", 0)
    assert remaining(ledger, "u", *FIVE) == 4
    assert ledger.settle("u", "t", ["digest", "older"]).first_use


def test_a_replica_takes_nothing_and_is_refused_at_start(
    server: Valkey, opened: Opener, tmp_path: Path
) -> None:
    """Neither at start nor when the primary becomes one."""
    ledger = opened(server.uri())
    source = ("--replicaof", "127.0.0.1", str(server.port))
    with running(tmp_path / "replica", *source) as replica:
        with pytest.raises(ConfigurationError, match="ReadOnly"):
            opened(replica.uri())
        with closing(server.client()) as client:
            client.replicaof("127.0.0.1", str(replica.port))
            for name in ("reserve", "settle", "spend", "revoke_session", "revoke_user"):
                assert "ReadOnly" in fails_in_time(STEPS[name], ledger)
            client.replicaof("NO", "ONE")
    assert remaining(ledger, "u", *FIVE) == 4


def test_a_server_that_hangs_at_start_keeps_nobody_from_starting(
    server: Valkey, opened: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told, and the ledger serves when the server does."""
    server.pause()
    before = time.monotonic()
    ledger = opened(server.uri())
    assert time.monotonic() - before < 2 * TIMEOUT + GRACE
    assert "is busy" in caplog.text
    fails_in_time(STEPS["standing"], ledger)
    server.resume()
    time.sleep(0.1)
    assert ledger.standing("u", "s").ledger_id == ledger.id != ""


def test_a_server_that_is_still_loading_keeps_nobody_from_starting(
    shared: Valkey, opened: Opener, caplog: pytest.LogCaptureFixture, prefix: str
) -> None:
    """As it is after a restart; what it has told is what a wire tells here."""
    with wire_to(shared.port) as wire:
        wire.says = b"-LOADING Valkey is loading the dataset in memory\r\n"
        ledger = opened(f"redis://127.0.0.1:{wire.port}?prefix={prefix}")
        [told] = caplog.records
        assert (told.name, told.levelno) == ("flask_stepup", logging.ERROR)
        assert f"127.0.0.1:{wire.port} (database 0) is busy: Redis: Busy" in caplog.text
        wire.says = b""
        wire.cut()
        assert remaining(ledger, "u", *FIVE) == 4
        ledger.close()


def test_an_address_where_nobody_is_keeps_the_app_from_starting(
    opened: Opener,
) -> None:
    """Whether connections are refused, or nobody says anything at all."""
    with dead_address() as port:
        before = time.monotonic()
        with pytest.raises(ConfigurationError, match="nobody answers"):
            opened(f"redis://127.0.0.1:{port}")
        # All of the time is for its one address.
        assert time.monotonic() - before > TIMEOUT * 0.9
    with pytest.raises(ConfigurationError, match="refused"):
        opened(f"redis://127.0.0.1:{port}")


def test_a_socket_where_nobody_takes_connections_keeps_the_app_from_starting(
    opened: Opener,
) -> None:
    """It ends in time, as with an address."""
    # Paths of sockets end at some hundred bytes.
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        path = f"{folder}/s"
        full = stack.enter_context(closing(socket.socket(socket.AF_UNIX)))
        full.bind(path)
        full.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(closing(socket.socket(socket.AF_UNIX)))
            waiting.setblocking(False)
            waiting.connect_ex(path)
        before = time.monotonic()
        with pytest.raises(ConfigurationError, match="cannot be used"):
            opened(f"unix://{path}")
        assert time.monotonic() - before < TIMEOUT + GRACE


def test_an_address_that_is_dead_leaves_time_for_the_next(
    shared: Valkey, opened: Opener, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a host that has several; what its name leads to is made up here."""
    look_up = socket.getaddrinfo
    with dead_address() as port:

        def found(host: str, *args: Any, **options: Any) -> list[Any]:
            if host != "ledger.example":
                return look_up(host, *args, **options)
            places = [("127.0.0.1", port), ("127.0.0.1", shared.port)]
            return [a for p in places for a in look_up(*p, type=socket.SOCK_STREAM)]

        monkeypatch.setattr(socket, "getaddrinfo", found)
        ledger = opened(f"redis://ledger.example?prefix={prefix}", timeout=2.0)
        assert ledger.standing("u", "s").ledger_id == ledger.id


def test_a_user_who_may_only_read_is_refused_at_start(
    tmp_path: Path, opened: Opener
) -> None:
    """Permissions are looked at before the first request."""
    with running(tmp_path / "valkey") as server, closing(server.client()) as client:
        client.acl_setuser(
            "reader", enabled=True, nopass=True, keys="*", commands=["+@all", "-set"]
        )
        with pytest.raises(ConfigurationError, match="NoPermission"):
            opened(f"redis://reader:x@127.0.0.1:{server.port}")


def test_the_permissions_that_the_docs_name_are_enough(
    tmp_path: Path, opened: Opener
) -> None:
    """A user with no others does all that there is to do, in another database too."""
    docs = (Path(__file__).parent.parent / "docs" / "ledgers.md").read_text()
    asked = docs.partition("who is for this alone needs")[2].partition("\n\n")[0]
    pattern, *names = re.findall(r"`([^`]+)`", asked)
    with running(tmp_path / "valkey") as server, closing(server.client()) as client:
        words = [pattern, *(f"+{name}" for name in names)]
        client.execute_command("ACL", "SETUSER", "bank", "on", "nopass", *words)
        ledger = opened(f"redis://bank:x@127.0.0.1:{server.port}/1?prefix=bank")
        for step in STEPS.values():
            step(ledger)


@pytest.mark.parametrize("name", ["id", "session:s", "user:u", "login:1:u:login"])
@pytest.mark.parametrize("value", ["a list", "garbage", ""])
def test_what_cannot_be_read_opens_nothing(
    shared: Valkey, opened: Opener, name: str, value: str, prefix: str
) -> None:
    """A key of another type or shape is never taken for "not revoked"."""
    ledger = opened(shared.uri(prefix))
    ledger.revoke_user("u")
    with closing(shared.client()) as client:
        key = f"{{stepup:{prefix}}}:{name}"
        client.delete(key)
        client.rpush(key, "x") if value == "a list" else client.set(key, value)
    if value != "a list" and name == "session:s":
        assert ledger.standing("u", "s", "login").session_revoked
        return
    for step in ("standing", "settle", "spend"):
        fails_in_time(STEPS[step], ledger)


def test_what_cannot_be_read_is_not_shown(
    shared: Valkey, opened: Opener, prefix: str
) -> None:
    """Logs tell what kind of failure it was, and nothing of what was found."""
    ledger = opened(shared.uri(prefix))
    with closing(shared.client()) as client:
        client.set(f"{{stepup:{prefix}}}:user:u", "generation s3cret")
    assert fails_in_time(STEPS["standing"], ledger) == "Redis: ValueError"


@pytest.mark.parametrize(
    "told",
    [
        ["short", "1.0", None, None, None, 0],
        ["longer!", "1.0", None, None, None, 0],
        ["ledger", "1.0", None, None, None],
        ["ledger", "1.0", None, None, None, 0, 0],
        ["ledger", "soon", None, None, None, 0],
        ["ledger", "1.0", None, "grown", None, 0],
        ["ledger", "1.0", None, "grown soon", None, 0],
        ["ledger", "1.0", None],
    ],
    ids=str,
)
def test_what_is_told_in_another_shape_is_not_believed(told: list[Any]) -> None:
    """Neither that nothing is revoked nor that an approval is not spent."""
    told_well = ["ledger", "1.0", None, "grown 0.5", None, 0]
    assert read_standing(told_well, ["a"]) == Standing("ledger", "grown", 0.5)
    with pytest.raises(ValueError):
        read_standing(told, ["a"])


def test_attempts_that_cannot_be_read_are_not_taken_for_none(
    shared: Valkey, opened: Opener, prefix: str
) -> None:
    """Nobody is asked, and a right code is not half settled."""
    ledger = opened(shared.uri(prefix))
    ledger.reserve("u", FIVE)
    (attempts,) = [key for key in keys(shared, prefix) if "attempts" in key]
    ticket = Ticket("u", "t", 1, 0.0)
    with closing(shared.client()) as client:
        client.delete(attempts)
        client.set(attempts, "garbage")
        fails_in_time(STEPS["reserve"], ledger)
        with pytest.raises(LedgerUnavailable):
            ledger.settle("u", "s", ["digest"], None, ticket)
        client.delete(attempts)
    assert ledger.settle("u", "s", ["digest"], None, ticket).first_use


def test_an_emptied_server_is_another_ledger(
    shared: Valkey, opened: Opener, prefix: str
) -> None:
    """It has forgotten what is revoked, and so nothing made before may count."""
    ledger = opened(shared.uri(prefix))
    before = ledger.standing("u", "s")
    with closing(shared.client()) as client:
        client.delete(*keys(shared, prefix))
    after = ledger.standing("u", "s")
    assert before.ledger_id != after.ledger_id
    assert before != after
    assert ledger.id == after.ledger_id
    assert ledger.spend("u", "s", {"a": before.origin}).approval is None
    assert ledger.spend("u", "s", {"a": after.origin}).approval == "a"


def test_the_id_lives_on_while_the_ledger_is_used(
    shared: Valkey, opened: Opener, prefix: str
) -> None:
    """Its end is moved on by look-ups, before it comes, and not with every one."""
    ledger = opened(shared.uri(prefix))
    (key,) = [key for key in keys(shared, prefix) if key.endswith(":id")]
    with closing(shared.client()) as client:
        lives = []
        for left in (86_430, 86_370, 5):
            client.expire(key, left)
            ledger.standing("u", "s")
            lives.append(round(client.ttl(key) / 3_600, 1))
        assert lives == [24.0, 25.0, 25.0]


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl", "noeviction"])
def test_a_server_that_may_drop_what_counts_is_told_of(
    tmp_path: Path, opened: Opener, caplog: pytest.LogCaptureFixture, policy: str
) -> None:
    """At start, with the mend; without a limit of memory nothing is dropped."""
    options = ("--maxmemory-policy", policy)
    with running(tmp_path / "valkey", *options) as server:
        with caplog.at_level(logging.WARNING, "flask_stepup"):
            opened(server.uri())
            assert caplog.messages == []
            with closing(server.client()) as client:
                client.config_set("maxmemory", 100_000_000)
            opened(server.uri())
    expected = 0 if policy == "noeviction" else 1
    assert len(caplog.messages) == expected
    assert all("noeviction" in m and policy in m for m in caplog.messages)
    place = f"127.0.0.1:{server.port} (database 0)"
    assert all(each.name == "flask_stepup" for each in caplog.records)
    assert all(place in message for message in caplog.messages)


def test_a_server_that_does_not_tell_what_it_drops_is_told_of(
    tmp_path: Path, opened: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    """What may not be asked may be so."""
    with running(tmp_path / "valkey") as server, closing(server.client()) as client:
        client.execute_command(
            *("ACL", "SETUSER", "bank", "on", "nopass", "~*", "+@all", "-info")
        )
        opened(f"redis://bank:x@127.0.0.1:{server.port}")
    assert "permit INFO" in caplog.text


@pytest.mark.parametrize(
    "answer",
    [b":1\r\n", b"$0\r\n\r\n", b"$11\r\nmaxmemory:1\r\n"],
    ids=str,
)
def test_a_server_that_tells_of_its_memory_in_another_shape_does_not_tell(
    shared: Valkey, answer: bytes
) -> None:
    """Some that speak the same protocol do not know what it may drop."""
    with wire_to(shared.port) as wire:
        address = Address.parse(f"redis://127.0.0.1:{wire.port}", "bank")
        with closing(Server(address, TIMEOUT)) as server:
            assert server.eviction_policy() == "noeviction"
            wire.says = answer
            with pytest.raises(LedgerUnavailable):
                server.eviction_policy()


def test_no_failure_tells_what_was_sent(server: Valkey, opened: Opener) -> None:
    """Servers quote commands in their errors, and with them ids and hashes."""
    ledger = opened(server.uri())
    with closing(server.client()) as client:
        client.acl_setuser(
            "default", commands=["-eval", "-evalsha"], reset_commands=False
        )
        with pytest.raises(LedgerUnavailable) as failure:
            ledger.settle("a-user", "a-nonce", ["a-hash"], "a-login")
    error: BaseException | None = failure.value
    while error:
        assert not [
            w for w in ("user", "nonce", "hash", "login") if f"a-{w}" in repr(error)
        ]
        error = error.__cause__ or error.__context__


def keys(server: Valkey, prefix: str) -> list[str]:
    """All keys of a ledger, as the server has them."""
    with closing(server.client()) as client:
        return sorted(client.keys(f"{{stepup:{prefix}}}:*"))


def commands(heard: bytes) -> int:
    """How many commands were sent at once: each begins as an array."""
    return sum(line.startswith(b"*") for line in heard.split(b"\r\n"))


@contextmanager
def dead_address() -> Iterator[int]:
    """A port here where nobody refuses connections, and nobody takes them."""
    with ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        place = full.getsockname()
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(place)
        yield place[1]


def certificate(folder: Path, host: str = "localhost") -> tuple[Path, ssl.SSLContext]:
    """A certificate for a host that vouches for itself, and a server with it."""
    file, key = folder / "certificate.pem", folder / "key.pem"
    command = f"openssl req -x509 -nodes -days 1 -newkey ec -subj /CN={host}"
    options = [
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-addext",
        f"subjectAltName=DNS:{host}",
    ]
    try:
        subprocess.run(
            [*command.split(), *options, "-keyout", key, "-out", file],
            check=True,
            capture_output=True,
        )
    except FileNotFoundError:
        pytest.skip("missing: openssl")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    return file, context

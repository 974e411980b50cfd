"""The example API behind Clerk: with a test client, as a process, and in a browser."""

from __future__ import annotations

import base64
import html
import json
import os
import re
import signal
import socket
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from example_scripts import loaded
from flask import Flask
from front_end.chromium import chromium
from front_end.chromium import needs_chromium
from people import PAGE
from playwright.sync_api import Browser
from playwright.sync_api import expect
from playwright.sync_api import Locator
from playwright.sync_api import Page
from playwright.sync_api import Route
from serving import get
from serving import port_in
from serving import read_until
from serving import run
from serving import served
from serving import started
from werkzeug.test import TestResponse

from flask_stepup.sandbox import SandboxUser

EXAMPLE = Path(__file__).parent.parent / "examples" / "clerk_api"
SCRIPT = "examples/clerk_api/app.py"
HOST = "clerk.tern.example"
#: The second has the host in it.
KEYS = {
    "CLERK_SECRET_KEY": "sk_test_not_to_be_told",
    "CLERK_PUBLISHABLE_KEY": "pk_test_Y2xlcmsudGVybi5leGFtcGxlJA==",
}
GUARDED = {
    "/api/account-numbers": "GET",
    "/api/keys": "POST",
    "/api/transfers": "POST",
}
TRANSFER = {"to": "Harbour Lifeboats", "amount": "25.00"}


@pytest.fixture(name="tern", scope="module")
def _tern() -> Iterator[Any]:
    with loaded(EXAMPLE) as module:
        yield module


@pytest.fixture(name="backend")
def _backend(tern: Any, tmp_path: Path) -> Iterator[Any]:
    """A running sandbox, and a ledger of this test alone."""
    ledger = {"STEPUP_STORAGE_URI": f"sqlite:///{tmp_path}/stepup.db"}
    with tern.clerk_demo.sandbox() as backend:
        yield replace(backend, settings=backend.settings | ledger)


@pytest.fixture(name="app")
def _app(tern: Any, backend: Any) -> Iterator[Flask]:
    app = tern.create_app(backend)
    yield app
    app.extensions["stepup"].verifier._api.close()


@dataclass
class FrontEnd:
    """A browser with Clerk's JavaScript in it, as far as the API notices."""

    app: Flask
    user: SandboxUser

    def __post_init__(self) -> None:
        self.client = self.app.test_client()

    def clerk(self, method: str, path: str, **sent: Any) -> TestResponse:
        """Ask the stand-in for Clerk's Frontend API."""
        return self.client.open(f"/sandbox-clerk{path}", method=method, json=sent)

    def sign_in(self, *, as_support: bool = False) -> None:
        user_id = self.user.user_id
        self.clerk("POST", "/sign-ins", user_id=user_id, as_support=as_support)
        self.renew()

    def renew(self) -> None:
        """Put a new session token into Clerk's cookie."""
        answer = self.clerk("POST", "/tokens")
        assert answer.status_code == 200
        self.client.set_cookie("__session", answer.json["jwt"])

    def use_modal(self, code: str, level: str = "second_factor") -> TestResponse:
        answer = self.clerk("POST", "/verifications", code=code, level=level)
        self.renew()
        return answer

    def call(self, path: str, sent: Any = None) -> TestResponse:
        return self.client.open(path, method=GUARDED.get(path, "GET"), json=sent)

    def send(self, **changed: Any) -> TestResponse:
        return self.call("/api/transfers", TRANSFER | changed)

    def prompt(self, code: str) -> TestResponse:
        """Send a code to where a refused transfer says."""
        refusal = self.send().json
        sent = {"challenge": refusal["challenge"], "code": code}
        return self.client.post(refusal["verify_url"], json=sent)

    @property
    def pence(self) -> int:
        accounts = self.app.extensions["accounts"]
        return int(accounts.of(self.user.user_id).pence)


@pytest.fixture(name="alice")
def _alice(app: Flask, backend: Any) -> FrontEnd:
    front_end = FrontEnd(app, backend.sandbox.users[0])
    front_end.sign_in()
    return front_end


@pytest.fixture(name="bob")
def _bob(app: Flask, backend: Any) -> FrontEnd:
    front_end = FrontEnd(app, backend.sandbox.users[1])
    front_end.sign_in()
    return front_end


# What the API answers


def test_nobody_is_told_to_sign_in(app: Flask, backend: Any) -> None:
    """Every route of the API answers 401, as JSON."""
    nobody = FrontEnd(app, backend.sandbox.users[0])

    for path in ("/api/me", *GUARDED):
        answer = nobody.call(path)
        assert answer.status_code == 401
        assert "signed in" in answer.json["detail"]
    for method, path in (("POST", "/tokens"), ("GET", "/code")):
        assert nobody.clerk(method, path).status_code == 401


def test_who_is_signed_in(alice: FrontEnd) -> None:
    """Clerk's session token tells it; no loader of the example's own does."""
    assert alice.call("/api/me").json == {
        "user_id": alice.user.user_id,
        "factor_ages": [61, 61],
        "reverified": False,
    }


@pytest.mark.parametrize(
    ("path", "config"),
    [
        ("/api/account-numbers", "strict"),
        ("/api/keys", {"level": "second_factor", "afterMinutes": 5}),
    ],
)
def test_what_clerks_modal_can_prove_has_its_hint(
    alice: FrontEnd, path: str, config: Any
) -> None:
    """403 until the modal was answered; the next session token opens the route."""
    refusal = alice.call(path)
    assert (refusal.status_code, refusal.json["code"]) == (
        403,
        "reverification_required",
    )
    assert refusal.json["clerk_error"] == {
        "type": "forbidden",
        "reason": "reverification-error",
        "metadata": {"reverification": config},
    }

    assert alice.use_modal("000000").status_code == 422
    assert alice.call(path).status_code == 403
    assert alice.use_modal(alice.user.current_code()).status_code == 200

    assert alice.call(path).status_code in (200, 201)
    assert alice.call("/api/me").json["factor_ages"] == [61, 0]


def test_what_is_behind_the_modal(alice: FrontEnd, bob: FrontEnd) -> None:
    """Numbers that are nobody else's, and another key each time."""
    for person in (alice, bob):
        person.use_modal(person.user.current_code())

    told = [who.call("/api/account-numbers").json for who in (alice, bob, alice)]
    keys = [alice.call("/api/keys").json["key"] for _ in range(2)]

    numbers = [n for one in told[:2] for n in one["account_numbers"].values()]
    assert len(set(numbers)) == 4
    assert all(re.fullmatch(r"\d{4} \d{4} \d{4}", number) for number in numbers)
    assert told[0] == told[2]
    assert keys[0] != keys[1]


def test_money_has_a_scope_of_its_own(alice: FrontEnd) -> None:
    """Clerk's modal cannot open it, so there is no hint: the page asks for the code."""
    alice.use_modal(alice.user.current_code())
    refusal = alice.send()
    assert refusal.status_code == 403
    assert "clerk_error" not in refusal.json
    assert refusal.json["policy"]["scope"] == "payments"
    assert refusal.json["policy"]["reason"] == "Send money"

    wrong, right = alice.prompt("000000"), alice.prompt(alice.user.current_code())

    assert (wrong.status_code, wrong.json["code"]) == (422, "incorrect_code")
    assert (right.status_code, right.json["verified"]) == (200, True)
    assert alice.send().json == {
        "sent": "£25.00",
        "to": "Harbour Lifeboats",
        "left": "£2,475.00",
    }


def test_the_prompt_for_money_opens_nothing_else(alice: FrontEnd) -> None:
    """The marker is of one scope, and the session token is as old as it was."""
    alice.prompt(alice.user.current_code())

    assert alice.send().status_code == 200
    assert alice.call("/api/account-numbers").status_code == 403
    assert alice.call("/api/keys").status_code == 403


@pytest.mark.parametrize(
    ("changed", "detail"),
    [
        ({"amount": ""}, "Enter an amount"),
        ({"amount": "ten"}, "Enter an amount"),
        ({"amount": "-5"}, "Enter an amount"),
        ({"amount": "1.5"}, "Enter an amount"),
        ({"amount": "٢٥"}, "Enter an amount"),
        ({"amount": "0.00"}, "Enter an amount"),
        ({"amount": None}, "Enter an amount"),
        ({"amount": ["5"]}, "Enter an amount"),
        ({"amount": "2500.01"}, "more than your £2,500.00"),
        ({"to": "  "}, "Say who"),
        ({"to": None}, "Say who"),
        ({"to": {"iban": 1}}, "Say who"),
    ],
)
def test_what_cannot_be_sent_is_told(
    alice: FrontEnd, changed: dict[str, Any], detail: str
) -> None:
    """422 with a sentence for people, and no money has moved."""
    alice.prompt(alice.user.current_code())

    answer = alice.send(**changed)

    assert answer.status_code == 422
    assert detail in answer.json["detail"]
    assert alice.pence == 250_000


@pytest.mark.parametrize(("body", "status"), [("[]", 400), ("{", 400), (None, 415)])
def test_what_is_no_transfer_is_told_as_json(
    alice: FrontEnd, body: str | None, status: int
) -> None:
    """Flask's own errors are JSON too."""
    alice.prompt(alice.user.current_code())
    sent = {"data": body, "content_type": "application/json"} if body else {}

    answer = alice.client.post("/api/transfers", **sent)

    assert answer.status_code == status
    assert answer.json["detail"]


def test_money_sent_at_the_same_time_adds_up(tern: Any) -> None:
    """Many transfers at once leave no account below zero."""
    account = tern.business.Account(1)

    def send(_: int) -> int:
        try:
            account.send("Bob", "100")
        except tern.business.Refused:
            return 0
        return 10_000

    with ThreadPoolExecutor(8) as pool:
        sent = sum(pool.map(send, range(60)))

    assert (sent, account.pence) == (250_000, 0)


def test_support_acts_for_nobody_here(alice: FrontEnd) -> None:
    """An impersonated session says who it is, and opens nothing that is guarded."""
    alice.sign_in(as_support=True)

    assert alice.call("/api/me").json["user_id"] == alice.user.user_id
    for path in GUARDED:
        answer = alice.call(path)
        assert (answer.status_code, answer.json["code"]) == (
            403,
            "impersonation_refused",
        )


def test_signing_in_again_starts_again(alice: FrontEnd) -> None:
    """Another session at Clerk has neither factor ages nor marker of the last one."""
    alice.use_modal(alice.user.current_code())
    alice.prompt(alice.user.current_code())
    assert alice.send().status_code == 200

    alice.clerk("DELETE", "/client")
    assert alice.clerk("GET", "/client").json == {"session": None}
    assert alice.clerk("POST", "/tokens").status_code == 401
    alice.sign_in()

    assert {alice.call(path).status_code for path in GUARDED} == {403}


def test_a_bearer_needs_no_cookies(alice: FrontEnd) -> None:
    """What ``reverification.js`` says of other origins: 401, and a marker to send."""
    token = alice.clerk("POST", "/tokens").json["jwt"]
    headers = {"Authorization": f"Bearer {token}"}
    client = alice.app.test_client(use_cookies=False)
    refused = client.post("/api/transfers", json=TRANSFER, headers=headers)
    sent = {
        "challenge": refused.json["challenge"],
        "code": alice.user.current_code(),
    }
    verified = client.post(refused.json["verify_url"], json=sent, headers=headers)
    headers["Stepup-Marker"] = verified.json["marker"]

    assert refused.status_code == 401
    answer = client.post("/api/transfers", json=TRANSFER, headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("level", "ages"),
    [("second_factor", [61, 0]), ("first_factor", [0, 61]), ("multi_factor", [0, 0])],
)
def test_the_stand_in_knows_clerks_levels(
    alice: FrontEnd, level: str, ages: list[int]
) -> None:
    """A guard that is changed to another preset works as well."""
    alice.use_modal(alice.user.current_code(), level)

    assert alice.call("/api/me").json["factor_ages"] == ages


def test_the_authenticator_never_shows_a_code_that_is_used(alice: FrontEnd) -> None:
    """After the API has taken a code, the next one is shown."""
    first = alice.clerk("GET", "/code").json
    assert 1 <= first["seconds"] <= 30
    assert not first["used"]

    assert alice.prompt(first["code"]).status_code == 200

    assert alice.clerk("GET", "/code").json["code"] != first["code"]


# The page, with the stand-in and with Clerk's own JavaScript


def test_the_page_needs_nothing_but_its_own_origin(app: Flask) -> None:
    """No inline script or style, no address of elsewhere, and a policy that says so."""
    page = app.test_client().get("/", headers=PAGE)

    assert "sandbox-clerk.js" in page.text
    assert not re.search(r"<style|\sstyle=|<script(?![^>]* src)|\son\w+=", page.text)
    assert not re.search(r'(?:src|href|action)="(?!/[^/])', page.text)
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    for path in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert app.test_client().get(path, buffered=True).status_code == 200


def test_the_page_shows_the_decorators_as_they_are(app: Flask) -> None:
    """What stands beside a button is what stands above its route."""
    page = app.test_client().get("/", headers=PAGE).text
    shown = re.findall(r'<code>(.+?)</code><br><code class="guard">(.+?)</code>', page)
    source = (EXAMPLE / "app.py").read_text()

    assert len(shown) == 4
    for request, guard in shown:
        method, path = request.split(" /api")
        decorators = [f'@api.{method.lower()}("{path}")', html.unescape(guard)]
        assert "\n".join(d for d in decorators if d.startswith("@")) in source


def test_with_clerks_keys_the_page_loads_clerk(
    tern: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the host in the publishable key; nothing of the stand-in is there, and the
    backend API is not asked for anything yet.
    """
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    with socket.create_server(("127.0.0.1", 0)) as clerk_api:
        clerk_api.setblocking(False)
        settings = {
            "STEPUP_CLERK_API_URL": f"http://127.0.0.1:{clerk_api.getsockname()[1]}",
            "STEPUP_STORAGE_URI": f"sqlite:///{tmp_path}/stepup.db",
        }
        with tern.clerk_demo.open_backend() as backend:
            settings |= backend.settings
            app = tern.create_app(replace(backend, settings=settings))
        client = app.test_client()
        page = client.get("/")
        answers = [client.get("/api/me"), client.get("/api/account-numbers")]
        app.extensions["stepup"].verifier._api.close()
        with pytest.raises(BlockingIOError):
            clerk_api.accept()

    sources = re.findall(r'<script defer[^>]* src="([^"]+)"', page.text)
    assert sources == [
        f"https://{HOST}/npm/@clerk/ui@1/dist/ui.browser.js",
        f"https://{HOST}/npm/@clerk/clerk-js@6/dist/clerk.browser.js",
    ]
    key = KEYS["CLERK_PUBLISHABLE_KEY"]
    assert f'data-clerk-publishable-key="{key}"' in page.text
    policy = page.headers["Content-Security-Policy"]
    assert f"script-src 'self' https://{HOST} " in policy
    assert f"connect-src 'self' https://{HOST};" in policy
    assert [answer.status_code for answer in answers] == [401, 401]
    assert "sandbox" not in page.text
    assert "Only in this demo" not in page.text
    for path in (
        "client",
        "code",
        "static/sandbox-clerk.js",
        "static/authenticator.js",
    ):
        assert client.get(f"/sandbox-clerk/{path}").status_code == 404


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("prefix", ["pk_test_", "pk_live_"])
@pytest.mark.parametrize("host", [HOST, "happy-fox-1.clerk.accounts.dev", "a.b"])
def test_a_publishable_key_names_a_host(tern: Any, prefix: str, host: str) -> None:
    """With the padding of base64 and without, as Clerk gives it."""
    key = prefix + encoded(f"{host}$")

    for spelled in (key, key.rstrip("=")):
        clerk_js = tern.clerk_demo.ClerkJS.of(spelled)
        assert clerk_js.host == host
        assert clerk_js.publishable_key == spelled


@pytest.mark.parametrize(
    "key",
    [
        "pk_test_",
        "pk_test_mistyped",
        "pk_test_with space",
        f"pk_test_{encoded(HOST)}",
        f"pk_test_{encoded('localhost$')}",
        f"pk_test_{encoded('a.b; script-src *$')}",
        f"pk_test_{encoded('a.b/c$')}",
        f"pk_test_{encoded('ä.b$')}",
        f"pk_{encoded(f'{HOST}$')}",
        f"sk_test_{encoded(f'{HOST}$')}",
        f'pk_test_{encoded(f"{HOST}$")}"><script>',
    ],
)
def test_what_is_no_publishable_key_names_no_host(tern: Any, key: str) -> None:
    """So nothing of it gets into the page, or into its policy."""
    with pytest.raises(ValueError, match="pk_test_ or pk_live_"):
        tern.clerk_demo.ClerkJS.of(key)


# As a process


@pytest.fixture(name="environment")
def _environment() -> dict[str, str]:
    here = {k: v for k, v in os.environ.items() if not k.startswith("CLERK_")}
    return here | {"PORT": "0"}  # any that is free


def test_the_script_says_where_it_is_and_ends_well(environment: dict[str, str]) -> None:
    """It prints what to open and where the code is; Ctrl-C ends it with status 0."""
    with started(environment, SCRIPT) as process:
        printed = read_until(process.stdout, "Ctrl-C")
        page = get(port_in(printed), "/")
        # As good as any address that is not the one it listens to.
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.2", port_in(printed)), timeout=5).close()
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate()

    assert "Alice or Bob" in printed
    assert "code is on the page" in printed
    assert "CLERK_PUBLISHABLE_KEY=" in printed
    assert len(printed.splitlines()) < 15
    assert "An API that asks first" in page
    assert "landed" in rest
    assert (process.returncode, errors) == (0, "")


def test_the_script_runs_with_clerk(environment: dict[str, str]) -> None:
    """With both keys there is no sandbox, and no secret is told."""
    with started(environment | KEYS, SCRIPT) as process:
        printed = read_until(process.stdout, "Ctrl-C")
        page = get(port_in(printed), "/")

    assert f"Clerk ({HOST})" in printed
    assert f"https://{HOST}/" in page
    assert "sandbox" not in printed + page
    assert KEYS["CLERK_SECRET_KEY"] not in printed + page


@pytest.mark.parametrize("given", KEYS)
def test_one_key_asks_for_the_other(environment: dict[str, str], given: str) -> None:
    """In one line that names both and tells none."""
    done = run(environment | {given: KEYS[given]}, SCRIPT)

    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    (missing,) = KEYS.keys() - {given}
    assert done.stderr.startswith(f"{missing} is missing")
    assert KEYS[given] not in done.stderr


def test_a_key_that_is_none_is_told_in_one_line(environment: dict[str, str]) -> None:
    """It names the variable and where the right one is."""
    mistyped = KEYS | {"CLERK_PUBLISHABLE_KEY": "pk_test_mistyped"}
    done = run(environment | mistyped, SCRIPT)

    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert "CLERK_PUBLISHABLE_KEY cannot be used" in done.stderr
    assert "mistyped" not in done.stderr


def test_a_port_that_cannot_be_had_is_told_in_one_line(
    environment: dict[str, str],
) -> None:
    """Taken, or no port at all: the line says which, and the way to choose another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = [str(taken.getsockname()[1]), "abc", "-1", "65536", "\u0663"]
        utf8 = environment | {"PYTHONUTF8": "1"}
        done = [run(utf8 | {"PORT": port}, SCRIPT) for port in ports]

    assert [(d.returncode, d.stdout) for d in done] == [(1, "")] * len(ports)
    for port, one in zip(ports, done, strict=True):
        assert len(one.stderr.splitlines()) == 1
        assert port in one.stderr
        assert "PORT=5001" in one.stderr


def test_flask_run_serves_it(environment: dict[str, str]) -> None:
    """``flask --app examples/clerk_api/app.py run`` finds the factory."""
    command = f"-m flask --app {SCRIPT} run --port 0"
    with started(environment, *command.split()) as process:
        page = get(port_in(read_until(process.stderr, "Running on")), "/")

    assert "An API that asks first" in page


# In a browser


@pytest.fixture(name="browser", scope="module")
def _browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(name="site")
def _site(app: Flask) -> Iterator[str]:
    with served(app) as site:
        yield site


NewPage = Callable[..., Page]


@pytest.fixture(name="new_page")
def _new_page(browser: Browser, site: str) -> Iterator[NewPage]:
    """A function that opens the page; what the browser complains about is a failure,
    and so is a request to anywhere else.
    """
    complaints: list[str] = []
    elsewhere: list[str] = []

    def watch(url: str) -> None:
        if not url.startswith(f"{site}/"):
            elsewhere.append(url)

    def new_page(*, width: int = 1280, scheme: Any = "light") -> Page:
        page = browser.new_page(
            viewport={"width": width, "height": 800}, color_scheme=scheme
        )
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("request", lambda request: watch(request.url))
        page.goto(site)
        return page

    yield new_page
    for context in browser.contexts:
        context.close()
    # Of the refusals, which are what this is about.
    told = "Failed to load resource: the server responded with a status of 4"
    assert [text for text in complaints if not text.startswith(told)] == []
    assert elsewhere == []


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def sign_in(page: Page, name: str = "Sign in as Alice") -> None:
    press(page, "Sign in")
    press(page, name)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def outcome(page: Page, title: str) -> Locator:
    """What the page says of the last call of one kind."""
    return page.get_by_role("article", name=title).get_by_role("status")


def wire(page: Page) -> Locator:
    """The steps of the last press: one line each for a call, and for the modal."""
    return page.locator(".group:first-child :is(summary, .note)")


def answer_modal(page: Page, code: str | None = None) -> None:
    """Type a code into what stands in for Clerk's modal, of itself the one shown."""
    dialog = page.get_by_role("dialog", name="Verification required")
    expect(dialog.locator("[data-code]")).to_have_text(re.compile(r"\d{3} \d{3}"))
    shown = dialog.locator("[data-code]").inner_text()
    dialog.get_by_label("Verification code").fill(code or shown)
    dialog.get_by_role("button", name="Continue").click()


def answer_prompt(page: Page, code: str | None = None) -> None:
    """Type a code into the page's own prompt."""
    dialog = page.get_by_role("dialog", name="Confirm it\u2019s you")
    shown = dialog.locator("[data-code]").inner_text()
    dialog.get_by_label("Code", exact=True).fill(code or shown)
    dialog.get_by_role("button", name="Confirm").click()


@needs_chromium
def test_the_modal_and_the_call_again(new_page: NewPage) -> None:
    """403, Clerk's modal, 200, with nothing but a decorator on the route."""
    page = new_page()
    sign_in(page)
    expect(page.get_by_text(re.compile("second factor 6. min ago"))).to_be_visible()

    press(page, "Show them")
    expect(page.get_by_label("Verification code")).to_be_focused()
    answer_modal(page, "000 000")
    page.get_by_role("alert").get_by_text("That code is not right").wait_for()
    answer_modal(page)

    expect(outcome(page, "Account numbers")).to_contain_text("Operating 0000 51")
    expect(page.get_by_text("second factor just now")).to_be_visible()
    expect(wire(page)).to_have_text(
        [
            "403 GET /api/account-numbers fva [61, 61]",
            "Clerk\u2019s modal opens, for level second_factor",
            "Clerk\u2019s modal has put a new session token into its cookie",
            "200 GET /api/account-numbers fva [61, 0]",
        ]
    )
    # And for ten minutes nothing is asked again, in a page that is new as well.
    page.reload()
    press(page, "Create one")
    expect(outcome(page, "A new API key")).to_contain_text("tern_test_")
    expect(wire(page)).to_have_text(["201 POST /api/keys fva [61, 0]"])


@needs_chromium
@pytest.mark.parametrize("how", ["Cancel", "Escape"])
@pytest.mark.parametrize("button", ["Show them", "Send"])
def test_a_prompt_that_is_given_up_does_nothing(
    new_page: NewPage, button: str, how: str
) -> None:
    """By its button and by Escape: one call, no second one, and the page says so."""
    page = new_page()
    sign_in(page)
    press(page, button)
    expect(page.get_by_role("dialog")).to_be_visible()

    if how == "Cancel":
        page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    else:
        page.keyboard.press("Escape")

    title = "Account numbers" if button == "Show them" else "Send money"
    expect(outcome(page, title)).to_have_text("Cancelled. Nothing was done.")
    expect(page.get_by_role("button", name=button, exact=True)).to_be_focused()
    expect(wire(page).locator(".status")).to_have_text(["403"])


@needs_chromium
def test_money_is_sent_by_the_pages_own_prompt(new_page: NewPage) -> None:
    """A wrong code is told in it, a right one sends, and the next needs none."""
    page = new_page(width=360)
    sign_in(page)
    press(page, "Send")
    expect(page.get_by_label("Code", exact=True)).to_be_focused()
    expect(page.get_by_role("dialog").get_by_text("Send money")).to_be_visible()

    answer_prompt(page, "000000")
    page.get_by_role("alert").get_by_text("You have 4 tries left.").wait_for()
    answer_prompt(page)

    done = outcome(page, "Send money")
    expect(done).to_have_text("£25.00 sent to Harbour Lifeboats. £2,475.00 left.")
    expect(wire(page)).to_have_text(
        [
            "403 POST /api/transfers fva [61, 61]",
            "422 POST /stepup/ fva [61, 61]",
            "200 POST /stepup/ fva [61, 61]",
            "200 POST /api/transfers fva [61, 61]",
        ]
    )
    page.get_by_label("Amount (£)").fill("75")
    page.get_by_label("Amount (£)").press("Enter")
    expect(done).to_have_text("£75.00 sent to Harbour Lifeboats. £2,400.00 left.")
    page.get_by_label("Amount (£)").fill("9999")
    press(page, "Send")
    expect(done).to_have_text("That is more than your £2,400.00.")


@needs_chromium
def test_the_wire_shows_no_code_and_no_whole_token(new_page: NewPage) -> None:
    """What was typed is dotted out, and tokens are cut short."""
    page = new_page()
    sign_in(page)
    press(page, "Send")
    typed = page.get_by_role("dialog").locator("[data-code]").inner_text()
    answer_prompt(page)
    expect(outcome(page, "Send money")).to_contain_text("sent")

    shown = page.locator("[data-wire]").inner_text()
    assert '"code": "······"' in shown
    assert typed not in shown
    assert typed.replace(" ", "") not in shown
    assert re.search(r'"challenge": "\S{10}… \(\d+ characters\)"', shown)
    assert not re.search(r"\S{60}", shown)


@needs_chromium
def test_signing_out_leaves_nothing_behind(new_page: NewPage) -> None:
    """Neither what was shown, nor what was confirmed."""
    page = new_page()
    sign_in(page)
    press(page, "Show them")
    answer_modal(page)
    expect(outcome(page, "Account numbers")).to_contain_text("Operating")

    press(page, "Sign out")

    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(page.locator("[data-authenticator]")).to_be_hidden()
    assert "0000 51" not in page.inner_text("body")
    assert page.evaluate("document.cookie") == ""
    press(page, "Show them")
    expect(outcome(page, "Account numbers")).to_contain_text("signed in")
    sign_in(page, "Sign in as Bob")
    press(page, "Show them")
    expect(page.get_by_role("dialog", name="Verification required")).to_be_visible()


@needs_chromium
def test_support_is_told_why_not(new_page: NewPage) -> None:
    """Whoever acts for Alice sees it said, and is not asked for her code."""
    page = new_page()
    sign_in(page, "Sign in as support, in Alice\u2019s name")

    expect(page.get_by_text("Support, as Alice")).to_be_visible()
    for button, title in (("Show them", "Account numbers"), ("Send", "Send money")):
        press(page, button)
        expect(outcome(page, title)).to_contain_text("only the owner of the account")
        expect(wire(page)).to_have_text([re.compile("^403")])


@needs_chromium
# Layout is a matter of the width, contrast of the scheme: two runs see all of both.
@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "dark")])
def test_every_state_is_accessible(new_page: NewPage, scheme: str, width: int) -> None:
    """axe finds no violations in any state, and nothing is wider than the screen."""
    page = new_page(width=width, scheme=scheme)

    def check() -> None:
        results = Axe().run(page)
        assert results.violations_count == 0, results.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") <= width

    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    check()
    press(page, "Ask")
    expect(outcome(page, "Who am I?")).to_contain_text("signed in")
    check()
    press(page, "Sign in")
    check()
    press(page, "Sign in as Alice")
    press(page, "Show them")
    answer_modal(page, "000000")
    page.get_by_role("alert").get_by_text("not right").wait_for()
    check()
    answer_modal(page)
    expect(outcome(page, "Account numbers")).to_contain_text("Operating")
    check()
    press(page, "Send")
    answer_prompt(page, "000000")
    page.get_by_role("alert").get_by_text("not right").wait_for()
    check()
    page.keyboard.press("Escape")
    expect(outcome(page, "Send money")).to_contain_text("Cancelled")
    check()


# With Clerk's JavaScript, as far as the page uses it, from Clerk's host

CLERK_JS = """
const tokens = %s;
const script = document.querySelector("script[data-clerk-publishable-key]");
function hold(token) {
  document.cookie = `__session=${token}; path=/`;
  return token;
}
window.Clerk = {
  key: script.dataset.clerkPublishableKey,
  user: { id: "user_x", firstName: null },
  async load(options) {
    this.options = options;
    this.session = { id: "sess_x", actor: null, getToken: async () => hold(tokens[0]) };
    hold(tokens[0]);
  },
  addListener(listener) { listener(this); },
  __internal_openReverification(props) {
    this.opened = { ...props };
    tokens.shift();
    props.afterVerification();
  },
};
"""


@needs_chromium
def test_the_page_with_clerks_own_javascript(
    tern: Any, backend: Any, browser: Browser
) -> None:
    """Its policy lets it load, its scripts come in order, and the modal is Clerk's."""
    user_id, mint = backend.sandbox.users[0].user_id, backend.sandbox.session_token
    tokens = [mint(user_id, factor_ages=ages) for ages in ((61, 61), (61, 0))]
    scripts = {
        "ui@1/dist/ui.browser.js": "window.__internal_ClerkUICtor = 'components';",
        "clerk-js@6/dist/clerk.browser.js": CLERK_JS % json.dumps(tokens),
    }
    loaded: list[str] = []
    complaints: list[str] = []

    def answer(route: Route) -> None:
        name = route.request.url.removeprefix(f"https://{HOST}/npm/@clerk/")
        loaded.append(name)
        headers = {
            "Access-Control-Allow-Origin": "*",
            "Content-Type": "text/javascript",
        }
        route.fulfill(body=scripts[name], headers=headers)

    app = tern.create_app(with_clerk(tern, backend))
    with served(app) as site:
        page = browser.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text))
        page.route(re.compile("^https:"), answer)
        page.goto(site)
        expect(page.get_by_text("user_x")).to_be_visible()
        press(page, "Show them")
        expect(outcome(page, "Account numbers")).to_contain_text("Operating")
        said = page.evaluate("[Clerk.key, Clerk.options, Clerk.opened.level]")
        expect(wire(page).locator(".status")).to_have_text(["403", "200"])
        page.close()
    app.extensions["stepup"].verifier._api.close()

    assert sorted(loaded) == sorted(scripts)
    assert said == [
        KEYS["CLERK_PUBLISHABLE_KEY"],
        {"telemetry": False, "ui": {"ClerkUI": "components"}},
        "second_factor",
    ]
    assert [text for text in complaints if "status of 403" not in text] == []


@needs_chromium
def test_without_clerks_javascript_the_page_says_so(
    tern: Any, backend: Any, browser: Browser
) -> None:
    """Where Clerk cannot be reached, that is told, and calls are made as nobody."""
    app = tern.create_app(with_clerk(tern, backend))
    with served(app) as site:
        page = browser.new_page()
        page.route(re.compile("^https:"), lambda route: route.abort())
        page.goto(site)
        expect(page.get_by_role("alert")).to_contain_text("could not be loaded")
        press(page, "Ask")
        expect(outcome(page, "Who am I?")).to_contain_text("signed in")
        page.close()
    app.extensions["stepup"].verifier._api.close()


def with_clerk(tern: Any, backend: Any) -> Any:
    """The page of Clerk's own front end, and the sandbox's key for its tokens."""
    clerk_js = tern.clerk_demo.ClerkJS.of(KEYS["CLERK_PUBLISHABLE_KEY"])
    policy = {"CONTENT_SECURITY_POLICY": clerk_js.content_security_policy}
    return replace(backend, settings=backend.settings | policy, clerk_js=clerk_js)

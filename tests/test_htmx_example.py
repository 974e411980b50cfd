"""The example app of htmx: with a test client, as a process, and in a real browser."""

from __future__ import annotations

import io
import os
import re
import signal
import socket
import time
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine
from axe_playwright_python.sync_playwright import Axe
from example_scripts import loaded
from flask import Flask
from front_end import node
from front_end.chromium import CHROMIUM
from front_end.chromium import chromium
from people import PAGE
from people import Prompt
from playwright.sync_api import Browser
from playwright.sync_api import expect
from playwright.sync_api import Page
from playwright.sync_api import Request
from playwright.sync_api import Route
from serving import get
from serving import port_in
from serving import read_until
from serving import run
from serving import served
from serving import started
from werkzeug.test import TestResponse

from flask_stepup.sandbox import SandboxUser

# A browser that is led away in the middle of a picture may leave its file open.
pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)

FOLDER = Path(__file__).parent.parent / "examples" / "htmx"
SCRIPT = "examples/htmx/app.py"

HOME = "/domains/ropewalk-bakery.example"
RECORD = {"host": "shop", "kind": "A", "value": "203.0.113.9"}
#: What asks for a code, and how: method, path and fields.
GUARDED = [
    ("DELETE", f"{HOME}/records/4", None),
    ("GET", f"{HOME}/transfer-code", None),
    ("POST", f"{HOME}/records", RECORD),
    ("POST", f"{HOME}/records/4", RECORD),
    ("GET", f"{HOME}/import", None),
    ("POST", f"{HOME}/import", {}),
]
SEND_AGAIN = "you will have to send it again"
FREE = ["/", HOME, f"{HOME}?edit=4", f"{HOME}?edit=new"]


@pytest.fixture(name="signpost", scope="module")
def _signpost() -> Iterator[Any]:
    with loaded(FOLDER) as module:
        yield module


@pytest.fixture(name="backend")
def _backend(signpost: Any, tmp_path: Path) -> Iterator[Any]:
    """A running sandbox, and a ledger of this test alone."""
    ledger = {"STEPUP_STORAGE_URI": f"sqlite:///{tmp_path}/stepup.db"}
    with signpost.run_demo.sandbox() as backend:
        yield replace(backend, settings=backend.settings | ledger)


@pytest.fixture(name="app")
def _app(signpost: Any, backend: Any) -> Iterator[Flask]:
    app = signpost.create_app(backend)
    yield app
    app.extensions["stepup"].verifier._api.close()


@dataclass
class Visitor:
    """Somebody in front of the app, by whose browser pages and htmx ask."""

    app: Flask
    user: SandboxUser

    def __post_init__(self) -> None:
        self.client = self.app.test_client()
        #: Right ones, each once, whatever the time is.
        self.codes = iter(self.user.backup_codes)

    def open(self, path: str, method: str = "GET", **kwargs: Any) -> TestResponse:
        """Ask as a page does."""
        headers = PAGE | kwargs.pop("headers", {})
        return self.client.open(path, method=method, headers=headers, **kwargs)

    def htmx(self, path: str, method: str = "GET", **kwargs: Any) -> TestResponse:
        """Ask as htmx 4 does, from the page of the domain."""
        headers = {
            "HX-Request": "true",
            "HX-Current-URL": f"http://localhost{HOME}",
            "Accept": "text/html",
            "Sec-Fetch-Mode": "same-origin",
            "Sec-Fetch-Site": "same-origin",
            "X-CSRFToken": self.token(),
        }
        return self.client.open(path, method=method, headers=headers, **kwargs)

    def token(self) -> str:
        """The one that the page has for htmx."""
        found = re.search(r'"X-CSRFToken": "([^"]+)"', self.open("/sign-in").text)
        assert found
        return found[1]

    def post(self, path: str, **data: Any) -> TestResponse:
        """Send a form of a page."""
        return self.open(path, "POST", data=data | {"csrf_token": self.token()})

    def sign_in(self, query: str = "") -> TestResponse:
        return self.post(f"/sign-in{query}", user_id=self.user.user_id)

    def answer(self, prompt: Prompt, code: str | None = None) -> TestResponse:
        data = prompt.fields | {"code": code or next(self.codes)}
        return self.open("/stepup/", "POST", data=data)

    def step_up(self) -> None:
        """Go through the prompt with a right code."""
        asked = self.open(self.open(f"{HOME}/transfer-code").location)
        assert self.answer(Prompt(asked)).status_code == 303

    def go_on(self, page: Prompt) -> TestResponse:
        """Press the button of the page that sends a kept form on."""
        action = re.search(r'action="([^"]+)" enctype=', page.text)
        assert action
        return self.open(action[1], "POST", data=page.fields)

    @property
    def records(self) -> dict[int, Any]:
        """Those of the domain that the tests are about."""
        domains = self.app.extensions["domains"][self.user.user_id]
        records: dict[int, Any] = domains[HOME.rpartition("/")[2]].records
        return records

    def says(self, path: str = HOME) -> str:
        return Prompt(self.open(path)).says


@pytest.fixture(name="alice")
def _alice(app: Flask, backend: Any) -> Visitor:
    visitor = Visitor(app, backend.users[0])
    visitor.sign_in()
    return visitor


@pytest.fixture(name="stranger")
def _stranger(app: Flask, backend: Any) -> Visitor:
    return Visitor(app, backend.users[0])


# Signing in


@pytest.mark.parametrize("path", FREE)
def test_a_stranger_is_sent_to_sign_in(stranger: Visitor, path: str) -> None:
    """A page is redirected; htmx is told where to go, and gets nothing to show."""
    page, part = stranger.open(path), stranger.htmx(path)

    assert page.status_code == 303
    assert page.location.startswith("/sign-in?next=/")
    assert part.status_code == 401
    assert part.headers["HX-Redirect"] == f"/sign-in?next={HOME}"
    assert part.text == ""


@pytest.mark.parametrize(("method", "path", "data"), GUARDED)
@pytest.mark.parametrize("signs_out", [False, True])
def test_a_session_that_is_over_leads_htmx_to_the_sign_in(
    stranger: Visitor, method: str, path: str, data: Any, signs_out: bool
) -> None:
    """Whoever finds it out first: the guard, or the check of a token of no session."""
    stranger.sign_in()
    token = stranger.token()
    if signs_out:
        stranger.post("/sign-out")
    else:
        stranger.client.delete_cookie("signpost")
    headers = {"HX-Request": "true", "HX-Current-URL": f"http://localhost{HOME}"}
    response = stranger.client.open(
        path, method=method, data=data, headers=headers | {"X-CSRFToken": token}
    )

    assert response.status_code == 401
    assert "Location" not in response.headers
    where = response.headers["HX-Redirect"].replace("%2F", "/")
    assert where == f"/sign-in?next={HOME}"


def test_an_address_that_cannot_be_led_to(stranger: Visitor) -> None:
    """It has a line end, which no header may have: the overview follows."""
    signed_in = stranger.sign_in(f"?next={HOME}?%0d%0aSet-Cookie:+a=b")

    assert (signed_in.status_code, signed_in.location) == (303, "/")


def test_after_the_sign_in_the_person_is_where_they_were(stranger: Visitor) -> None:
    """With the address that htmx was given."""
    sent = stranger.htmx(HOME).headers["HX-Redirect"]

    assert stranger.sign_in(sent.removeprefix("/sign-in")).location == HOME


@pytest.mark.parametrize(
    "address",
    [
        "//evil.example",
        "https://evil.example/domains/ropewalk-bakery.example",
        "/\\evil.example",
        "/nowhere",
        "javascript:alert(1)",
        f"{HOME}@evil.example",
        "",
    ],
)
def test_the_sign_in_leads_to_no_other_page(stranger: Visitor, address: str) -> None:
    """Promise 10: for the part of it that is the app's own."""
    response = stranger.open(
        "/sign-in",
        "POST",
        query_string={"next": address},
        data={"user_id": stranger.user.user_id, "csrf_token": stranger.token()},
    )

    assert response.location == "/"


def test_domains_of_somebody_else_are_not_there(app: Flask, backend: Any) -> None:
    """Neither for a page, nor for htmx, nor with a code."""
    bob = Visitor(app, backend.users[1])
    bob.sign_in()

    assert bob.open(HOME).status_code == 404
    gone = bob.htmx(HOME)
    assert (gone.status_code, gone.headers["HX-Retarget"]) == (404, "#notice")
    asked = Prompt(bob.open(bob.open(f"{HOME}/transfer-code").location))
    assert bob.open(bob.answer(asked).location).status_code == 404


# What asks for a code


@pytest.mark.parametrize("path", FREE)
def test_looking_is_free(alice: Visitor, path: str) -> None:
    """Forms are shown as well, and say that a code will be asked for."""
    response = alice.open(path)

    assert response.status_code == 200
    says = Prompt(response).says
    assert "Needs a code" in says
    assert ("What you enter is kept meanwhile." in says) == ("edit" in path)


@pytest.mark.parametrize(("method", "path", "data"), GUARDED)
def test_htmx_is_led_to_the_prompt(
    alice: Visitor, method: str, path: str, data: Any
) -> None:
    """By a 403 that no version of htmx puts into the page; nothing has been done."""
    before = dict(alice.records)
    response = alice.htmx(path, method, data=data)

    assert response.status_code == 403
    prompt = Prompt(alice.open(response.headers["HX-Redirect"]))
    told = SEND_AGAIN in prompt.says
    assert told == (method != "GET")
    assert alice.answer(prompt).location == HOME
    assert alice.records == before


@pytest.mark.parametrize("path", [f"{HOME}/records", f"{HOME}/records/4"])
def test_a_form_without_htmx_is_kept(alice: Visitor, path: str) -> None:
    """Promise 8: what ``lose_nothing.js`` relies on, and browsers without scripts."""
    asked = alice.post(path, **RECORD)
    assert asked.status_code == 403
    assert "What you entered is kept" in Prompt(asked).says
    wrong = alice.answer(Prompt(asked), "000000")
    assert wrong.status_code == 422

    response = alice.go_on(Prompt(alice.answer(Prompt(wrong))))

    assert (response.status_code, response.location) == (303, HOME)
    assert str(list(alice.records.values())[-1 if path[-1] != "4" else 3]) == (
        "shop A 203.0.113.9"
    )
    assert "shop A 203.0.113.9" in alice.says()


@pytest.mark.parametrize(("method", "path", "data"), GUARDED[:5])
def test_htmx_gets_a_part_and_a_page_all_of_it(
    alice: Visitor, method: str, path: str, data: Any
) -> None:
    """After a code, with what has been done as a part for the notice."""
    alice.step_up()
    part = alice.htmx(path, method, data=data)

    assert part.status_code == 200
    assert part.text.lstrip().startswith("<section")
    assert "<body" not in part.text
    assert part.headers["Cache-Control"] == "no-store"
    if method == "GET":
        assert "</html>" in alice.open(path).text
    else:
        assert re.search(r'id="notice" hx-swap-oob.*shop A ', part.text, re.DOTALL)


@pytest.mark.parametrize("minutes", [3, 10, 20])
def test_a_form_with_a_file_may_be_sent_for_longer_than_it_is_shown(
    stranger: Visitor, minutes: int
) -> None:
    """Who has just opened it has ten minutes at least; nothing of it can be kept."""
    alice = stranger
    with time_machine.travel(time.time(), tick=True) as traveller:
        alice.sign_in()
        alice.step_up()
        traveller.shift(60 * minutes)
        file = (io.BytesIO(b"www A 192.0.2.7\n; old\n\nmail A 192.0.2.8"), "zone.txt")
        shown = alice.open(f"{HOME}/import")
        sent = alice.post(f"{HOME}/import", file=file)

        said = Prompt(sent).says if minutes > 15 else alice.says()

    assert (shown.status_code == 200) == (minutes < 5)
    assert (sent.status_code == 303) == (minutes < 15)
    assert ("Files cannot be kept" if minutes > 15 else "Imported: www, mail") in said


def test_lock_again_asks_again(alice: Visitor) -> None:
    """And says so."""
    alice.step_up()
    assert alice.htmx(f"{HOME}/transfer-code").status_code == 200

    assert alice.post("/lock").location == "/"

    assert "Locked again." in alice.says("/")
    assert alice.htmx(f"{HOME}/transfer-code").status_code == 403


# What is wrong


@pytest.mark.parametrize(
    ("path", "data", "said"),
    [
        ("records", {"host": "?"}, "Use letters, digits and hyphens"),
        ("records", {"kind": "PTR"}, "Choose one of these types."),
        ("records", {"value": "1.2.3"}, "Enter an IPv4 address, such as 192.0.2.7."),
        ("records/4", {"kind": "MX"}, "Enter priority and server"),
        ("records/4", {"kind": "CNAME"}, "Enter another name"),
        ("records/4", {"kind": "AAAA"}, "Enter an IPv6 address"),
        ("records/4", {"kind": "TXT", "value": "x" * 256}, "Enter a text of at most"),
    ],
)
def test_what_cannot_be_is_told_with_the_form(
    alice: Visitor, path: str, data: dict[str, str], said: str
) -> None:
    """By 422, to htmx as to a page, with what was typed."""
    alice.step_up()
    before, typed = dict(alice.records), RECORD | data

    for response in (
        alice.htmx(f"{HOME}/{path}", "POST", data=typed),
        alice.post(f"{HOME}/{path}", **typed),
    ):
        assert response.status_code == 422
        assert "HX-Retarget" not in response.headers
        assert said in response.text
        assert f'value="{typed["value"]}"' in response.text
    assert alice.records == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("www A 192.0.2.7\nmail", "Line 2: Write host, type and value"),
        ("www A 192.0.2", "Line 1: Enter an IPv4 address"),
        ("; nothing", "Choose a text file with a record on each line."),
        ("www A 192.0.2.7\n" * 36, "A domain has 40 records at most."),
    ],
)
def test_a_file_is_taken_whole_or_not_at_all(
    alice: Visitor, text: str, said: str
) -> None:
    """And the line is named."""
    alice.step_up()
    file = (io.BytesIO(text.encode()), "zone.txt")
    response = alice.post(f"{HOME}/import", file=file)

    assert response.status_code == 422
    assert said in Prompt(response).says
    assert len(alice.records) == 5


@pytest.mark.parametrize(
    ("path", "method", "said"),
    [
        (f"{HOME}/records/99", "DELETE", "This is not here any more."),
        ("/nowhere", "GET", "This is not here any more."),
        ("/fault", "GET", "it is our fault"),
    ],
)
def test_an_error_is_a_notice_to_htmx(
    stranger: Visitor, path: str, method: str, said: str
) -> None:
    """It does not take the place of the part of the page that was asked for."""
    stranger.app.add_url_rule("/fault", view_func=lambda: [][0])
    stranger.sign_in()
    stranger.step_up()
    response = stranger.htmx(path, method)

    assert response.status_code >= 400
    assert response.headers["HX-Retarget"] == "#notice"
    assert response.headers["HX-Reswap"] == "innerHTML"
    assert response.text.strip().startswith('<p class="notice is-bad">')
    assert said in response.text


def test_the_reason_of_the_extension_is_a_notice_too(
    alice: Visitor, tmp_path: Path
) -> None:
    """Promise 7: with its own status and headers, in words instead of JSON."""
    for file in tmp_path.glob("stepup.db*"):
        file.unlink()
    (tmp_path / "stepup.db").write_bytes(b"no database" * 1_000)
    response = alice.htmx(f"{HOME}/transfer-code")

    assert response.status_code == 503
    assert response.mimetype == "text/html"
    assert int(response.headers["Retry-After"]) > 0
    assert '<p class="notice is-bad"><strong>' in response.text
    assert "{" not in response.text


@pytest.mark.parametrize(("method", "path", "data"), [*GUARDED[2:4], GUARDED[0]])
def test_without_the_token_nothing_is_done(
    alice: Visitor, method: str, path: str, data: Any
) -> None:
    """Flask-WTF looks at htmx's requests as at any other."""
    alice.step_up()
    before = dict(alice.records)
    page = alice.open(path, method, data=data)
    part = alice.open(path, method, data=data, headers={"HX-Request": "true"})

    assert (page.status_code, part.status_code) == (400, 400)
    assert "open for too long" in part.text
    assert alice.records == before


def test_a_page_may_be_left_open(stranger: Visitor) -> None:
    """For hours, while the session lasts: its token is not refused for its age."""
    with time_machine.travel(time.time(), tick=True) as traveller:
        stranger.sign_in()
        token = stranger.token()
        traveller.shift(5 * 3600)
        data = RECORD | {"csrf_token": token}
        response = stranger.open(f"{HOME}/records", "POST", data=data)

    assert response.status_code == 403
    assert "What you entered is kept" in Prompt(response).says


# What every page is


def test_no_page_needs_anything_but_its_own_origin(alice: Visitor) -> None:
    """No inline script or style, no address of elsewhere, and a policy that says so."""
    responses = [alice.open("/sign-in"), *(alice.open(path) for path in FREE)]
    responses += [alice.open("/nowhere"), alice.post(f"{HOME}/records/4", **RECORD)]
    alice.step_up()
    responses += [alice.open(path) for method, path, _ in GUARDED if method == "GET"]

    for response in responses:
        assert not re.search(r"<style|\sstyle=|<script(?! src)|\son\w+=", response.text)
        assert not re.search(r'(?:src|href|action)="(?!/[^/]|#main")', response.text)
        assert not re.search(r'hx-(?:on|vals)|"js:', response.text)
        policies = response.headers.getlist("Content-Security-Policy")
        assert policies[-1].startswith("default-src 'self';")
        assert response.headers["Cache-Control"] == "no-store"


@node.needs_packages
def test_the_copy_of_htmx_is_what_its_authors_publish() -> None:
    """Byte for byte, with its licence beside it."""
    package = node.NODE_MODULES / "htmx.org"

    for ours, theirs in {
        "htmx.min.js": package / "dist" / "htmx.min.js",
        "htmx.LICENSE.txt": package / "LICENSE",
    }.items():
        assert (FOLDER / "static" / ours).read_bytes() == theirs.read_bytes()


def test_the_code_is_on_the_page_until_it_is_used(alice: Visitor) -> None:
    """The panel shows the next one then, and nothing to whoever is not signed in."""
    first = alice.htmx("/code").text
    code = re.sub(r"\s", "", re.findall(r'class="code">([^<]+)', first)[0])
    asked = Prompt(alice.open(alice.open(f"{HOME}/transfer-code").location))
    assert alice.answer(asked, code).status_code == 303

    second = alice.htmx("/code").text
    assert f"{code[:3]} {code[3:]}" not in second
    alice.post("/sign-out")
    assert alice.htmx("/code").status_code == 204


# As a process


@pytest.fixture(name="environment")
def _environment() -> dict[str, str]:
    here = {k: v for k, v in os.environ.items() if not k.startswith("CLERK_")}
    return here | {"PORT": "0"}  # any that is free


def test_the_script_says_where_it_is_and_ends_well(environment: dict[str, str]) -> None:
    """It prints what to open and what to do; Ctrl-C ends it with status 0."""
    with started(environment, SCRIPT) as process:
        printed = read_until(process.stdout, "Ctrl-C")
        port = port_in(printed)
        page = get(port, "/sign-in")
        script = get(port, "/static/htmx.min.js")
        # As good as any address that is not the one it listens to.
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.2", port), timeout=5).close()
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate()

    assert "Alice or Bob" in printed
    assert len(printed.splitlines()) < 12
    assert "Welcome to Signpost" in page
    assert len(script) > 10_000
    assert "closed" in rest
    assert (process.returncode, errors) == (0, "")


def test_flask_run_serves_it(environment: dict[str, str]) -> None:
    """``flask --app examples/htmx/app.py run`` finds the factory and its neighbours."""
    command = "-m flask --app examples/htmx/app.py run --port 0"
    with started(environment, *command.split()) as process:
        page = get(port_in(read_until(process.stderr, "Running on")), "/sign-in")

    assert "Welcome to Signpost" in page


def test_a_port_that_cannot_be_is_told_in_one_line(environment: dict[str, str]) -> None:
    """Whether it is taken or no number at all; there is no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        results = [run(environment | {"PORT": p}, SCRIPT) for p in (port, "abc")]

    for done in results:
        assert (done.returncode, done.stdout) == (1, "")
        assert len(done.stderr.splitlines()) == 1
        assert "PORT=5001" in done.stderr


# In a browser

#: Both lines of htmx that are in use: the example has the first.
RELEASES = ("htmx.org", "htmx.org-2")


@pytest.fixture(name="browser", scope="module")
def _browser() -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip("missing: chromium (apt-get install chromium)")
    with chromium() as browser:
        yield browser


NewPage = Callable[..., Page]


@pytest.fixture(name="new_page")
def _new_page(browser: Browser, app: Flask) -> Iterator[NewPage]:
    """A function that opens the app; what the browser complains about is a failure."""
    complaints: list[str] = []

    def new_page(
        *,
        release: str | None = None,
        width: int = 1280,
        scheme: Any = "light",
        scripts: bool = True,
        site: str,
    ) -> Page:
        page = browser.new_page(
            base_url=site,
            viewport={"width": width, "height": 800},
            color_scheme=scheme,
            java_script_enabled=scripts,
        )
        if release:
            file = node.NODE_MODULES / release / "dist" / "htmx.min.js"
            page.route("**/static/htmx.min.js", lambda route: route.fulfill(path=file))
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text))
        page.goto("/")
        page.get_by_role("button", name="Sign in as Alice").click()
        page.get_by_role("heading", name="Your domains").wait_for()
        page.goto(HOME)
        return page

    with served(app) as site:
        yield partial(new_page, site=site)
        for context in browser.contexts:
            context.close()
    # Of statuses that a browser notes. A test types faster than a page takes the focus.
    told = ("Failed to load resource: the server", "Autofocus processing was blocked")
    assert [text for text in complaints if not text.startswith(told)] == []


@pytest.fixture(name="page", params=RELEASES)
def _page(request: pytest.FixtureRequest, new_page: NewPage) -> Page:
    """Alice's domain, with either htmx."""
    if not (node.NODE_MODULES / ".stamp").exists():
        pytest.skip("missing: the packages of tests/front_end (make test)")
    return new_page(release=request.param)


def press(page: Page, name: str, role: Any = "button", **kwargs: Any) -> None:
    page.get_by_role(role, name=name, exact=True).click(**kwargs)


def confirm(page: Page, code: str, **kwargs: Any) -> None:
    """Type a code into the prompt and submit it."""
    page.get_by_label("Code", exact=True).fill(code)
    press(page, "Confirm", **kwargs)


def shown_code(page: Page) -> str:
    """The code that the panel shows."""
    return page.locator(".demo .code").inner_text()


def type_in(page: Page, label: str, text: str) -> None:
    """Fill a field in, as soon as a person could: htmx 2 takes 20 ms to settle."""
    page.get_by_label(label).wait_for()
    expect(page.locator(".htmx-settling")).to_have_count(0)
    page.get_by_label(label).fill(text)


def edit_shop(page: Page, value: str = "203.0.113.9") -> None:
    """Open the form of a record and type another value."""
    press(page, "Edit shop A 198.51.100.12", "link")
    expect(page.get_by_label("Host")).to_have_value("shop")
    type_in(page, "Value", value)


def step_up(page: Page) -> None:
    """Go through the prompt, and be back."""
    press(page, "Show it", "link")
    confirm(page, shown_code(page))
    page.get_by_text("Confirmed").first.wait_for()


def is_new(page: Page) -> bool:
    """Whether the page was loaded since this was asked last."""
    is_new = page.evaluate("const was = window.seen; window.seen = true; !was")
    return bool(is_new)


def ways(page: Page) -> list[str]:
    """What is asked of the app from now on, other than files and the panel's code."""
    asked: list[str] = []

    def note(request: Request) -> None:
        path = urlsplit(request.url).path
        if "/static/" not in path and path != "/code":
            asked.append(f"{request.method} {path}")

    page.on("request", note)
    return asked


def test_a_button_leads_to_the_prompt_and_is_pressed_again(
    page: Page, alice: Visitor
) -> None:
    """The whole way: click, prompt, wrong code, code, back on the page, done."""
    press(page, "Delete shop A 198.51.100.12")
    page.wait_for_url("**/stepup/?challenge=*")
    assert page.get_by_text(SEND_AGAIN).is_visible()
    confirm(page, "000000")
    page.get_by_role("alert").get_by_text("That code is not right").wait_for()
    confirm(page, shown_code(page))

    page.wait_for_url(f"**{HOME}")
    assert 4 in alice.records
    assert is_new(page)
    press(page, "Delete shop A 198.51.100.12")
    notice = page.get_by_role("status")
    notice.get_by_text("Deleted: shop A 198.51.100.12").wait_for()
    assert 4 not in alice.records
    assert not is_new(page)
    expect(page.get_by_role("heading", name="Where it points")).to_be_focused()


def test_a_part_is_fetched_after_a_code(page: Page) -> None:
    """Nothing was sent, so nothing is said of sending it again."""
    press(page, "Show it", "link")
    page.wait_for_url("**/stepup/?challenge=*")
    assert page.get_by_text(SEND_AGAIN).count() == 0
    assert page.get_by_text("Show the transfer code").is_visible()
    confirm(page, shown_code(page))

    page.wait_for_url(f"**{HOME}")
    assert page.locator(".secret").count() == 0
    press(page, "Show it", "link")
    page.locator(".secret").wait_for()
    assert urlsplit(page.url).path == HOME


def test_what_was_typed_into_a_form_is_sent_after_the_code(
    page: Page, alice: Visitor
) -> None:
    """Promise 8: htmx is refused, the browser sends the form, the prompt keeps it."""
    edit_shop(page)
    asked = ways(page)
    press(page, "Save")
    page.get_by_text("What you entered is kept.").wait_for()
    confirm(page, "000000")
    page.get_by_role("alert").get_by_text("That code is not right").wait_for()
    assert alice.records[4].value == "198.51.100.12"
    confirm(page, shown_code(page))

    page.get_by_role("status").get_by_text("Saved: shop A 203.0.113.9").wait_for()
    assert alice.records[4].value == "203.0.113.9"
    assert urlsplit(page.url).path == HOME
    assert asked == [
        f"POST {HOME}/records/4",  # of htmx
        f"POST {HOME}/records/4",  # of the browser
        "POST /stepup/",
        "POST /stepup/",
        f"POST {HOME}/records/4",
        f"GET {HOME}",
    ]


def test_after_the_code_htmx_sends_the_form(page: Page, alice: Visitor) -> None:
    """Within the same page, and what cannot be is told beside what was typed."""
    step_up(page)
    assert is_new(page)
    edit_shop(page, "203.0.113")
    press(page, "Save")
    page.get_by_text("Enter an IPv4 address, such as 192.0.2.7.").wait_for()
    value = page.get_by_label("Value")
    expect(value).to_be_focused()
    expect(value).to_have_value("203.0.113")
    assert value.get_attribute("aria-invalid") == "true"

    type_in(page, "Value", "203.0.113.9")
    press(page, "Save")
    page.get_by_role("status").get_by_text("Saved: shop A 203.0.113.9").wait_for()
    press(page, "Add a record", "link")
    type_in(page, "Host", "new")
    type_in(page, "Value", "192.0.2.9")
    page.keyboard.press("Enter")
    page.get_by_role("status").get_by_text("Added: new A 192.0.2.9").wait_for()

    assert not is_new(page)
    assert str(alice.records[6]) == "new A 192.0.2.9"


def test_the_button_that_was_pressed_is_sent_too(page: Page) -> None:
    """A form may have two, and the one that sent it is part of what was sent."""
    edit_shop(page)
    page.get_by_role("button", name="Save").evaluate(
        "(button) => Object.assign(button, {name: 'then', value: 'stay'})"
    )
    press(page, "Save")
    with page.expect_request(f"**{HOME}/records/4") as sent:
        confirm(page, shown_code(page))

    assert (sent.value.post_data or "").endswith("&then=stay")
    page.get_by_role("status").get_by_text("Saved").wait_for()


def test_a_boosted_form_is_kept_as_well(page: Page) -> None:
    """What htmx takes over by ``hx-boost`` is a form with method and action."""

    def boost(route: Route) -> None:
        answer = route.fetch()
        body = re.sub(r'hx-post="[^"]*"', 'hx-boost="true"', answer.text())
        route.fulfill(response=answer, body=body)

    page.route("**?edit=4", boost)
    edit_shop(page)
    assert page.locator("[hx-post]").count() == 0
    with page.expect_request(f"**{HOME}/records/4") as sent:
        press(page, "Save")
    assert sent.value.headers["hx-boosted"] == "true"
    page.get_by_text("What you entered is kept.").wait_for()
    confirm(page, shown_code(page))

    page.get_by_role("status").get_by_text("Saved: shop A 203.0.113.9").wait_for()


def test_a_file_is_chosen_after_the_code(page: Page, alice: Visitor) -> None:
    """The form is fetched anew once a code was given, and is sent as any form."""
    press(page, "Choose a file", "link")
    page.wait_for_url("**/stepup/?challenge=*")
    assert page.get_by_text("Import records").is_visible()
    confirm(page, shown_code(page))
    page.wait_for_url(f"**{HOME}")
    press(page, "Choose a file", "link")
    page.get_by_label("Text file").set_input_files(
        {"name": "zone.txt", "mimeType": "text/plain", "buffer": b"ftp A 192.0.2.3"}
    )
    press(page, "Import")

    page.get_by_role("status").get_by_text("Imported: ftp").wait_for()
    assert str(alice.records[6]) == "ftp A 192.0.2.3"


def test_a_double_click_does_it_once(page: Page, alice: Visitor) -> None:
    """On a form that is kept, on the button of the prompt, and on one of htmx."""
    press(page, "Add a record", "link")
    type_in(page, "Value", "192.0.2.9")
    press(page, "Add", click_count=2)
    confirm(page, shown_code(page), click_count=2)
    page.get_by_role("status").get_by_text("Added: @ A 192.0.2.9").wait_for()
    assert list(alice.records) == [1, 2, 3, 4, 5, 6]

    asked = ways(page)
    press(page, "Delete shop A 198.51.100.12", click_count=2)
    page.get_by_role("status").get_by_text("Deleted: shop").wait_for()
    # The panel asks once a second: by then another request would be on its way.
    for _ in range(2):
        page.wait_for_event("response", lambda response: "/code" in response.url)
    assert asked == [f"DELETE {HOME}/records/4"]
    assert page.locator(".is-bad").count() == 0
    assert list(alice.records) == [1, 2, 3, 5, 6]


def test_a_double_click_without_a_code_leads_to_one_prompt(page: Page) -> None:
    """And back to the page where the person was."""
    press(page, "Delete shop A 198.51.100.12", click_count=2)
    page.wait_for_url("**/stepup/?challenge=*")
    confirm(page, shown_code(page))

    page.wait_for_url(f"**{HOME}")


@pytest.mark.parametrize("button", ["Delete shop A 198.51.100.12", "Save", "Show it"])
def test_a_session_that_is_over_leads_to_the_sign_in_and_back(
    page: Page, button: str
) -> None:
    """Nothing of the sign-in is put into the page."""
    edit_shop(page)
    if button.startswith("Delete"):
        press(page, "Cancel", "link")
    # The demo's panel asks each second, and would be led away first.
    page.route("**/code", lambda route: route.fulfill(status=204))
    page.context.clear_cookies()
    press(page, button, "link" if button == "Show it" else "button")
    page.get_by_role("heading", name="Welcome to Signpost").wait_for()
    press(page, "Sign in as Alice")

    page.get_by_role("heading", name="ropewalk-bakery.example").wait_for()
    assert urlsplit(page.url).path == HOME


def test_an_error_leaves_the_page_as_it_is(page: Page, alice: Visitor) -> None:
    """It is told above, and what was typed is still there."""
    step_up(page)
    edit_shop(page)
    del alice.records[4]
    press(page, "Save")

    notice = page.get_by_role("status").get_by_text("This is not here any more.")
    notice.wait_for()
    assert page.get_by_label("Value").input_value() == "203.0.113.9"
    box = notice.bounding_box()
    assert box
    assert 0 <= box["y"] <= 800


def test_without_scripts_all_but_deleting_works(
    new_page: NewPage, alice: Visitor
) -> None:
    """Forms are kept as well, and sent on by a button; nothing is offered in vain."""
    page = new_page(scripts=False)
    assert page.get_by_role("button", name="Delete").count() == 0
    edit_shop(page)
    press(page, "Save")
    confirm(page, "000000")
    page.get_by_role("alert").get_by_text("That code is not right").wait_for()
    confirm(page, shown_code(page))
    press(page, "Continue")

    page.get_by_role("status").get_by_text("Saved: shop A 203.0.113.9").wait_for()
    assert alice.records[4].value == "203.0.113.9"
    press(page, "Show it", "link")
    assert page.locator(".secret").is_visible()
    press(page, "Choose a file", "link")
    assert page.get_by_label("Text file").is_visible()


def test_the_panel_keeps_up_with_the_code(new_page: NewPage) -> None:
    """Every second, by htmx."""
    page = new_page()
    page.locator(".demo .code").evaluate("(code) => { code.textContent = 'old' }")

    expect(page.locator(".demo .code")).not_to_have_text("old")


# Layout is a matter of the width, contrast of the scheme: two runs see all of both.
@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (1280, "dark")])
def test_every_page_is_accessible(new_page: NewPage, scheme: str, width: int) -> None:
    """axe finds no violations in any state, and nothing is wider than the screen."""
    page = new_page(scheme=scheme, width=width)

    def check() -> None:
        results = Axe().run(page)
        assert results.violations_count == 0, results.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url

    check()
    edit_shop(page)
    check()
    press(page, "Save")
    page.get_by_label("Code", exact=True).wait_for()
    check()
    confirm(page, "000000")
    page.get_by_role("alert").wait_for()
    check()
    confirm(page, shown_code(page))
    page.get_by_role("status").get_by_text("Saved").wait_for()
    check()
    press(page, "Show it", "link")
    press(page, "Choose a file", "link")
    page.locator(".secret").wait_for()
    page.get_by_label("Text file").wait_for()
    press(page, "Add a record", "link")
    type_in(page, "Host", "?")
    type_in(page, "Value", "?")
    press(page, "Add")
    page.get_by_text("Use letters, digits and hyphens").wait_for()
    for summary in page.locator("summary").all():
        summary.click()
    check()
    page.goto(f"{HOME}/transfer-code")
    check()
    for path in ("/", "/nowhere", "/sign-in"):
        page.goto(path)
        check()

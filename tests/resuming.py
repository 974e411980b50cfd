"""A bank whose transfers are guarded, and people in browsers who type them in."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from io import BytesIO
from itertools import count
from threading import Condition
from typing import Any

from conftest import signed_in
from flask import Flask
from flask import redirect
from flask import render_template_string
from flask import request
from flask import Response
from flask import session
from flask.typing import ResponseReturnValue
from flask_wtf import CSRFProtect
from markupsafe import Markup
from people import Codes
from playwright.sync_api import Browser
from playwright.sync_api import Page
from serving import served

from flask_stepup import require_reverification
from flask_stepup import StepUp

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Transfer</title>
<h1>Transfer</h1>
{{ form }}
"""
CSRF = '<input type="hidden" name="csrf_token" value="{{ csrf_token() }}">'
#: Seconds after which a test has failed.
LONGEST_WAIT = 10
BOUNDARY = re.compile(r"boundary=([^;]+)")


@dataclass(frozen=True)
class Post:
    """A request that is not merely for reading, as it came over the wire."""

    method: str
    target: str
    content_type: str
    body: bytes
    headers: dict[str, str] = field(compare=False)

    @property
    def is_attempt(self) -> bool:
        """Whether it is a code for the prompt, not anything for the bank itself."""
        return self.target == "/stepup/"

    def comparable(self) -> Post:
        """The same without what differs each time: boundary, and the token's time.

        Parts of file inputs that were left empty come last: all others keep their
        order.
        """
        kind = self.content_type
        parts = [re.sub(rb"(?<=csrf_token=)[^&]+", b"T", self.body)]
        if found := BOUNDARY.search(kind):
            kind = kind.replace(found[1], "B")
            parts = self.body.split(b"--" + found[1].encode())
            token = rb'(?<=name="csrf_token"\r\n\r\n)[^\r]+'
            parts = [re.sub(token, b"T", part) for part in parts]
            parts[1:-1] = sorted(parts[1:-1], key=lambda part: b'filename=""' in part)
        return replace(self, content_type=kind, body=b"--B".join(parts))


@dataclass
class Wire:
    """Keeps what is posted, before anything of the app reads it."""

    app: Any
    posts: list[Post] = field(default_factory=list)
    answered: list[Post] = field(default_factory=list)
    _changed: Condition = field(default_factory=Condition)

    def wait_until(self, happened: Callable[[], bool]) -> None:
        """Wait for a post or an answer, in whichever thread."""
        with self._changed:
            assert self._changed.wait_for(happened, LONGEST_WAIT)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        answer: Iterable[bytes]
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            answer = self.app(environ, start_response)
            return answer
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        post = Post(
            environ["REQUEST_METHOD"],
            environ["REQUEST_URI"],
            environ.get("CONTENT_TYPE", ""),
            body,
            {name[5:]: value for name, value in environ.items() if name[:5] == "HTTP_"},
        )
        self._tell(self.posts, post)
        environ |= {"wsgi.input": BytesIO(body), "bank.post": post}
        answer = self.app(environ, start_response)
        self._tell(self.answered, post)
        return answer

    def _tell(self, posts: list[Post], post: Post) -> None:
        with self._changed:
            posts.append(post)
            self._changed.notify_all()


@dataclass
class Bank:
    """An app with forms, and what became of them.

    :param forms: by name, as templates; the page is found at ``/page/<name>``, where
        what has no action is posted to as well.
    :param runs: what the guarded views saw, run by run.
    :param after: where views send people when they are done.
    :param meanwhile: called within each run.
    """

    app: Flask
    stepup: StepUp
    codes: Codes
    wire: Wire
    forms: dict[str, str] = field(default_factory=dict)
    runs: list[Any] = field(default_factory=list)
    after: str | None = None
    meanwhile: Callable[[], object] = list

    @property
    def transfers(self) -> list[Post]:
        """What was posted to the bank itself."""
        return [post for post in self.wire.posts if not post.is_attempt]

    @property
    def attempts(self) -> list[Post]:
        """What was posted to the prompt."""
        return [post for post in self.wire.posts if post.is_attempt]

    def done(self, **arguments: str) -> ResponseReturnValue:
        """Run: remember what there is to see of the request."""
        form = request.form
        self.runs.append(
            {
                "arguments": arguments,
                "method": request.method,
                "path": request.path,
                "query": list(request.args.items(multi=True)),
                "type": request.mimetype,
                "fields": _told(form.items(multi=True)),
                "files": [
                    (name, file.filename, file.read())
                    for name, file in request.files.items(multi=True)
                ],
                "json": request.get_json(silent=True),
            }
        )
        self.meanwhile()
        return redirect(self.after, 303) if self.after else "<h1>Done</h1>"


def _told(fields: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(n, "T" if n == "csrf_token" else value) for n, value in fields]


def open_bank(**config: Any) -> Bank:
    """Make the app: with protection against CSRF, and answers in its own policy."""
    app, codes = Flask("bank"), Codes()
    app.config.update(SECRET_KEY="k" * 32, STEPUP_STORAGE_URI="memory://")
    policy = config.pop("CONTENT_SECURITY_POLICY", None)
    app.config.update(config)
    CSRFProtect(app)
    stepup = StepUp(app, verifier=codes, subject_loader=signed_in)
    wire = Wire(app.wsgi_app)
    app.wsgi_app = wire  # type: ignore[method-assign]
    bank = Bank(app, stepup, codes, wire)
    _mount(bank)

    @app.after_request
    def add_policy(response: Response) -> Response:
        if policy:
            response.headers["Content-Security-Policy"] = policy
        return response

    return bank


def _mount(bank: Bank) -> None:
    app = bank.app

    @app.get("/sign-in/<user_id>")
    def sign_in(user_id: str) -> str:
        session["user_id"] = user_id
        return "signed in"

    @app.get("/sign-out")
    def sign_out() -> str:
        bank.stepup.forget()
        session.clear()
        return "signed out"

    @app.get("/favicon.ico")
    def icon() -> tuple[str, int]:
        return "", 204

    @app.route("/page/<name>", methods=["GET", "POST"])
    @require_reverification(methods={"POST"}, reason="Transfer")
    def page(name: str) -> ResponseReturnValue:
        if request.method == "POST":
            return bank.done(name=name)
        form = Markup(render_template_string(bank.forms[name]))  # noqa: S704
        return render_template_string(PAGE, form=form)

    @app.route("/transfer/<account>", methods=["POST", "PUT"])
    @require_reverification(reason="Send money")
    def transfer(account: str) -> ResponseReturnValue:
        return bank.done(account=account)

    @app.post("/once")
    @require_reverification(bind=("to", "amount"), reason="Send money")
    def once() -> ResponseReturnValue:
        return bank.done()


@contextmanager
def visiting(
    browser: Browser,
    bank: Bank,
    scripts: bool,
    serve: Any = served,
    complains: str = "$^",
) -> Iterator[Visitor]:
    """Somebody signed in, in a browser of their own, in front of a served bank.

    Errors in its console are failures, but for those that tell the status of an answer.
    """
    known = re.compile(f"with a status of|{complains}")
    complaints: list[str] = []

    def keep(text: str, is_error: bool = True) -> None:
        if is_error and not known.search(text):
            complaints.append(text)

    with (
        serve(bank.app) as site,
        browser.new_context(
            base_url=site, java_script_enabled=scripts, ignore_https_errors=True
        ) as context,
    ):
        context.set_default_timeout(LONGEST_WAIT * 1_000)
        context.on("console", lambda said: keep(said.text, said.type == "error"))
        context.on("weberror", lambda raised: keep(str(raised.error)))
        visitor = Visitor(context.new_page(), scripts)
        visitor.page.goto("/sign-in/alice")
        yield visitor
    assert not complaints, complaints


_codes = map("right{}".format, count())


@dataclass
class Visitor:
    """Somebody in front of a page; scripts run there or not."""

    page: Page
    scripts: bool

    @property
    def heading(self) -> str:
        return self.page.locator("h1").inner_text()

    @property
    def says(self) -> str:
        """What a person reads, on one line."""
        return " ".join(self.page.locator("body").inner_text().split())

    def sees(self, heading: str) -> None:
        """Wait for a page, style sheet and all: it places buttons and spells words."""
        self.page.get_by_role("heading", name=heading, exact=True).wait_for()
        self.page.wait_for_load_state()

    def press(self, button: str, **options: Any) -> None:
        self.page.get_by_role("button", name=button, exact=True).click(**options)

    def type_code(self) -> None:
        self.page.get_by_label("Code", exact=True).fill(next(_codes))

    def in_another_tab(self) -> Visitor:
        """The same person, who has opened another page of the same browser."""
        return replace(self, page=self.page.context.new_page())

    def confirm(self) -> None:
        """Enter a right code."""
        self.sees("Confirm it\u2019s you")
        self.type_code()
        self.press("Confirm")

    def go_on(self) -> None:
        """Do what is left to do after a right code, until all is done."""
        if not self.scripts:
            self.sees("Confirmed")
            self.press("Continue")
        self.sees("Done")

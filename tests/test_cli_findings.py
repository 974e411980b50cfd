"""What ``flask stepup check`` finds in settings: each right, risky and wrong case."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import pytest
from command_line import bare_app
from command_line import checked
from command_line import good_app
from command_line import invoke
from command_line import lines
from command_line import nobody
from flask import Flask
from flask_login import LoginManager
from people import Codes
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_stepup import require_reverification
from flask_stepup import StepUp
from flask_stepup import TOTPVerifier

DEBUG = {"FLASK_DEBUG": "1"}


def verdict_on(app: Flask, about: str, name: str, **kwargs: Any) -> str:
    """The verdict on what a line names; empty where no line does."""
    found = [v for v, says in checked(app, about, **kwargs) if name in says]
    assert len(found) <= 1
    return found[0] if found else ""


# Keys


# Not as parameters, whose text is part of the paths that a report shows.
KEYS: list[tuple[str | bytes, tuple[str, str]]] = [
    ("dev", ("wrong", "SECRET_KEY is a placeholder")),
    ("changeme", ("wrong", "SECRET_KEY is a placeholder")),
    ("change-me-please-this-is-not-a-secret", ("wrong", "is a placeholder")),
    ("SuperSecretKey123!", ("wrong", "is a placeholder")),
    (b"development key of my flask app, 2024", ("wrong", "is a placeholder")),
    ("k" * 40, ("wrong", "SECRET_KEY is a few characters over and over")),
    ("0101" * 10, ("wrong", "a few characters over and over")),
    ("abcdefgh" * 4, ("wrong", "a few characters over and over")),
    ("q7Zx94LmW2" * 3 + "q7Z", ("wrong", "a few characters over and over")),
    ("a-very-long-secret-key-do-not-use-in-prod", ("wrong", "is a placeholder")),
    (
        "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
        ("wrong", "SECRET_KEY stands in Flask's documentation"),
    ),
    (b'_5#y2L"F4Q8z\n\xec]/', ("wrong", "stands in Flask's documentation")),
    ("7Gq!x9Lz", ("wrong", "SECRET_KEY has 8 bytes, and can be guessed")),
    ("q7Zx94LmW2r8TbY", ("wrong", "has 15 bytes")),
    ("q7Zx94LmW2r8TbYe", ("risky", "has 16 bytes, where 32 are due")),
    ("q7Zx94LmW2r8TbYePd5Kv3Jh6Nc1GsA", ("risky", "has 31 bytes")),
    ("q7Zx94LmW2r8TbYePd5Kv3Jh6Nc1GsAu", ("right", "has 32 bytes")),
    (b"\xff\x00devkey" + b"\x91\xee\x17\x08" * 6, ("right", "has 32 bytes")),
]


@pytest.mark.parametrize("number", range(len(KEYS)))
def test_keys(tmp_path: Path, number: int) -> None:
    """A key is judged by its length and its pattern, and never shown."""
    key, expected = KEYS[number]
    app = good_app(tmp_path, SECRET_KEY=key)
    [(verdict, says)] = checked(app, "keys")

    assert verdict == expected[0]
    assert expected[1] in says
    shown = key if isinstance(key, str) else key.decode("latin-1")
    if len(shown) > 3:
        assert shown not in invoke(app, "check").output


@pytest.mark.parametrize("make", [secrets.token_hex, secrets.token_urlsafe])
def test_random_keys_are_right(tmp_path: Path, make: Any) -> None:
    """Whatever words chance makes in them."""
    fallbacks = [make(32) for _ in range(200)]
    found = checked(good_app(tmp_path, SECRET_KEY_FALLBACKS=fallbacks), "keys")

    assert len(found) == 201
    assert {verdict for verdict, _ in found} == {"right"}


def test_fallbacks(tmp_path: Path) -> None:
    """What an old key signs is taken, so that it is judged as the new one."""
    app = good_app(tmp_path, SECRET_KEY_FALLBACKS=["hunter2hunter2", "0" * 64])
    found = [
        line for line in lines(invoke(app, "check").output) if line.about == "keys"
    ]

    assert [line.verdict for line in found] == ["right", "wrong", "wrong"]
    assert found[1].says.startswith("SECRET_KEY_FALLBACKS[0] has 14 bytes")
    assert found[2].says.startswith("SECRET_KEY_FALLBACKS[1] is a few")
    assert found[2].mend.startswith("take it out")


# The cookie


@pytest.mark.parametrize(
    ("name", "value", "verdict"),
    [
        ("SESSION_COOKIE_SECURE", True, "right"),
        ("SESSION_COOKIE_SECURE", False, "risky"),
        ("SESSION_COOKIE_HTTPONLY", True, "right"),
        ("SESSION_COOKIE_HTTPONLY", False, "risky"),
        ("SESSION_COOKIE_SAMESITE", "Lax", "right"),
        ("SESSION_COOKIE_SAMESITE", "Strict", "right"),
        ("SESSION_COOKIE_SAMESITE", "lax", "right"),
        ("SESSION_COOKIE_SAMESITE", None, "risky"),
        ("SESSION_COOKIE_SAMESITE", "None", "risky"),
        ("SESSION_COOKIE_DOMAIN", None, "right"),
        ("SESSION_COOKIE_DOMAIN", "example.com", "risky"),
    ],
)
def test_the_cookie(tmp_path: Path, name: str, value: object, verdict: str) -> None:
    """Each attribute has its line."""
    assert verdict_on(good_app(tmp_path, **{name: value}), "cookie", name) == verdict


def test_a_cookie_that_no_browser_keeps(tmp_path: Path) -> None:
    """SameSite=None without Secure is worse than a risk: nobody stays signed in."""
    app = good_app(
        tmp_path, SESSION_COOKIE_SAMESITE="None", SESSION_COOKIE_SECURE=False
    )

    assert verdict_on(app, "cookie", "browsers keep no such cookie") == "wrong"


# Proxy and HTTPS


class Middleware:
    """Somebody else's."""

    def __init__(self, application: Any) -> None:
        self.application = application

    def __call__(self, *args: Any) -> Any:
        return self.application(*args)


@pytest.mark.parametrize(
    ("options", "verdict", "says"),
    [
        ({"x_host": 1}, "right", "trusts x_proto=1 and x_host=1"),
        ({"x_host": 0}, "right", "without x_host"),
        ({"x_host": 1, "x_proto": 0}, "risky", "without x_proto"),
    ],
)
@pytest.mark.parametrize("wrap", [lambda wsgi_app: wsgi_app, Middleware])
def test_proxy_fix(
    tmp_path: Path, options: dict[str, int], verdict: str, says: str, wrap: Any
) -> None:
    """It is found under other middleware, and what it trusts is told."""
    app = good_app(tmp_path)
    plain = Flask.wsgi_app.__get__(app)
    app.wsgi_app = wrap(ProxyFix(plain, **options))  # type: ignore[method-assign]

    assert verdict_on(app, "proxy", "ProxyFix") == verdict
    assert verdict_on(app, "proxy", says) == verdict


@pytest.mark.parametrize(
    ("hosts", "verdict"), [(None, "risky"), (["bank.example"], "right")]
)
def test_no_proxy_fix(tmp_path: Path, hosts: list[str] | None, verdict: str) -> None:
    """Where only trusted hosts are answered, a proxy that hides them is found out."""
    app = good_app(tmp_path, TRUSTED_HOSTS=hosts)
    app.wsgi_app = Middleware(Flask.wsgi_app.__get__(app))  # type: ignore[method-assign]

    assert verdict_on(app, "proxy", "no ProxyFix") == verdict


@pytest.mark.parametrize(("scheme", "verdict"), [("https", "right"), ("http", "risky")])
def test_the_scheme_of_links(tmp_path: Path, scheme: str, verdict: str) -> None:
    """Links in mails are looked at, too."""
    app = good_app(tmp_path, PREFERRED_URL_SCHEME=scheme)

    assert verdict_on(app, "proxy", "PREFERRED_URL_SCHEME") == verdict


def test_debug_mode(tmp_path: Path) -> None:
    """It is risky; and off it is right."""
    app = good_app(tmp_path)

    assert verdict_on(app, "proxy", "debug mode is on", env=DEBUG) == "risky"
    assert verdict_on(app, "proxy", "debug mode is off") == "right"


# Who is signed in


def test_a_loader_of_the_apps_own(tmp_path: Path) -> None:
    """It is said to be that."""
    assert verdict_on(good_app(tmp_path), "session", "of the app's own") == "right"


@pytest.mark.parametrize(
    ("has_login", "verdict", "says"),
    [(True, "right", "Flask-Login tells"), (False, "wrong", "nothing tells who")],
)
def test_flask_login(tmp_path: Path, has_login: bool, verdict: str, says: str) -> None:
    """Without any loader it has to be there."""
    app = bare_app(tmp_path)
    if has_login:
        LoginManager(app)
    StepUp(app, verifier=Codes())

    assert verdict_on(app, "session", says) == verdict


# The verifier


@pytest.mark.parametrize(
    ("verifier", "says"),
    [
        (Codes(), "by a verifier of the app's own, not called"),
        (lambda user_id, code: None, "by a verifier of the app's own, not called"),
        (TOTPVerifier(lambda user_id: None), "TOTP secrets that the app keeps"),
    ],
)
def test_verifiers_of_the_apps_own(tmp_path: Path, verifier: Any, says: str) -> None:
    """They are said to be that, and a key for Clerk that nothing needs is not used."""
    stepup = StepUp(verifier=verifier, subject_loader=nobody)
    app = good_app(tmp_path, stepup, STEPUP_CLERK_SECRET_KEY="sk_test_unused")

    assert [verdict for verdict, _ in checked(app, "backend")] == ["right"]
    assert verdict_on(app, "backend", says) == "right"


# Policies


@pytest.mark.parametrize(
    ("limit", "verdict", "says"),
    [
        ("5 per 5 minutes; 100 per 30 days", "right", "at most 100 codes"),
        ("3 per day", "right", "at most 90 codes"),
        ("100 per 365 days", "right", "at most 100 codes"),
        ("4 per day", "risky", "lets 120 codes"),
        ("101 per 30 days", "risky", "lets 101 codes"),
        ("60 per 20 days", "risky", "lets 120 codes"),
        ("5 per 5 minutes", "risky", "lets 43,200 codes"),
        ("100 per 29 days", "risky", "lets 200 codes"),
    ],
)
def test_the_attempt_limit(tmp_path: Path, limit: str, verdict: str, says: str) -> None:
    """What it lets through in 30 days is compared with NIST's 100."""
    app = good_app(tmp_path, STEPUP_ATTEMPT_LIMIT=limit)

    assert verdict_on(app, "policy", says) == verdict


@pytest.mark.parametrize(
    ("name", "risky", "good"),
    [
        ("STEPUP_FACTOR_DOWNGRADE", True, False),
        ("STEPUP_ALLOW_IMPERSONATION", True, False),
        ("STEPUP_CLOCK_LEEWAY", 61, 60),
        ("STEPUP_ENROLL_URL", None, "/security"),
        ("STEPUP_LOGIN_URL", None, "/login"),
    ],
)
def test_settings_that_weaken(
    tmp_path: Path, name: str, risky: object, good: object
) -> None:
    """Each is told where it is so, and not mentioned where it is not."""
    assert verdict_on(good_app(tmp_path, **{name: risky}), "policy", name) == "risky"
    assert verdict_on(good_app(tmp_path / "b", **{name: good}), "policy", name) == ""


@pytest.mark.parametrize(("view", "verdict"), [("login", ""), (None, "risky")])
def test_flask_login_leads_on(tmp_path: Path, view: str | None, verdict: str) -> None:
    """Where Flask-Login knows where to sign in, no ``STEPUP_LOGIN_URL`` is missed."""
    app = bare_app(tmp_path, STEPUP_LOGIN_URL=None)
    LoginManager(app).login_view = view
    StepUp(app, verifier=Codes())

    assert verdict_on(app, "policy", "STEPUP_LOGIN_URL") == verdict


def test_the_preset(tmp_path: Path) -> None:
    """What a bare decorator asks for is told."""
    app = good_app(tmp_path, STEPUP_PRESET="lax")

    assert verdict_on(app, "policy", "is lax: second factor, 24 h") == "right"


def test_a_policy_that_the_preset_does_not_allow(tmp_path: Path) -> None:
    """It would fail with the first request: the view is named."""
    app = good_app(tmp_path, STEPUP_PRESET="strict_mfa")
    app.add_url_rule(
        "/send", "send", require_reverification(once=True)(nobody), methods=["POST"]
    )

    assert verdict_on(app, "policy", "the view 'send': once and bind") == "wrong"


# Looks

PAGE = "<html>{% block content %}{% endblock %}</html>"


@pytest.mark.parametrize(
    ("name", "text", "verdict", "says"),
    [
        (
            "prompt",
            '{% extends "stepup/default/prompt.html" %}'
            "{% block stepup_cancel %}{% endblock %}",
            "right",
            "is overridden, and extends ours",
        ),
        ("prompt", '{% extends "ours.html" %}', "right", "extends ours"),
        (
            "layout",
            '{% extends "stepup/default/layout.html" %}{% block head %}{% endblock %}',
            "right",
            "extends ours",
        ),
        ("prompt", PAGE, "risky", "replaces ours"),
        ("problem", '{% extends "page.html" %}', "risky", "replaces ours"),
        (
            "prompt",
            '{% extends "stepup/default/resume.html" %}',
            "risky",
            "replaces ours",
        ),
        ("default/card", PAGE, "risky", "which is ours to change"),
        (
            "prompt",
            '{% extends "stepup/default/prompt.html" %}'
            "{% block stepup_canel %}{% endblock %}",
            "risky",
            "fills stepup_canel, which is no block",
        ),
        ("prompt", "{% block %}", "wrong", "stepup/prompt.html, line 1, is no"),
        ("prompt", '{% extends "gone.html" %}', "wrong", "gone.html is not there"),
    ],
)
def test_templates(
    tmp_path: Path, name: str, text: str, verdict: str, says: str
) -> None:
    """What extends ours is right, and what replaces it risky."""
    write(tmp_path, f"stepup/{name}.html", text)
    write(tmp_path, "page.html", PAGE)
    write(tmp_path, "ours.html", '{% extends "stepup/default/prompt.html" %}')
    app = good_app(tmp_path)

    assert verdict_on(app, "looks", says) == verdict
    assert len(checked(app, "looks")) == 1


def test_no_templates(tmp_path: Path) -> None:
    """Other templates of the app's are nobody's business."""
    write(tmp_path, "page.html", "{{ nothing")

    assert checked(good_app(tmp_path), "looks") == [
        ("right", "the app overrides no template of the prompt")
    ]


@pytest.mark.parametrize(
    ("text", "verdict", "says"),
    [
        (PAGE, "right", "has the block content"),
        ('{% extends "page.html" %}', "right", "has the block content"),
        ("<html></html>", "wrong", "has no block content"),
        ('{% extends "base.html" %}', "wrong", "has no block content"),
        ("{% extends frame %}", "risky", "extends what only rendering tells"),
        ("{% extends 'gone.html' %}", "wrong", "the template gone.html is not there"),
        ("{{ nothing", "wrong", "base.html, line 1, is no template"),
        (None, "wrong", "the template base.html is not there"),
    ],
)
def test_the_base_template(
    tmp_path: Path, text: str | None, verdict: str, says: str
) -> None:
    """It has to be there, and to have the block that the prompt goes in."""
    write(tmp_path, "page.html", PAGE)
    if text is not None:
        write(tmp_path, "base.html", text)
    app = good_app(tmp_path, STEPUP_BASE_TEMPLATE="base.html")

    assert verdict_on(app, "looks", says) == verdict


def test_blocks_of_the_base_template_can_be_filled(tmp_path: Path) -> None:
    """They are known from there, and not from a page of ours."""
    write(tmp_path, "base.html", PAGE + "{% block aside %}{% endblock %}")
    write(
        tmp_path,
        "stepup/layout.html",
        '{% extends "stepup/default/layout.html" %}{% block aside %}{% endblock %}',
    )
    with_base = good_app(tmp_path, STEPUP_BASE_TEMPLATE="base.html")
    without = good_app(tmp_path)

    assert verdict_on(with_base, "looks", "stepup/layout.html") == "right"
    assert verdict_on(without, "looks", "fills aside") == "risky"


def test_no_template_is_rendered(tmp_path: Path) -> None:
    """A template may do whatever it likes, when it is shown."""
    write(tmp_path, "base.html", PAGE + "{{ ring() }}")
    app = good_app(tmp_path, STEPUP_BASE_TEMPLATE="base.html")
    rung: list[str] = []
    app.jinja_env.globals["ring"] = lambda: rung.append("rung")

    assert verdict_on(app, "looks", "has the block content") == "right"
    assert rung == []


def write(folder: Path, name: str, text: str) -> None:
    path = folder / "templates" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)

"""A Django app guarded by django-allauth (https://docs.allauth.org)."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.http import HttpResponse
from django.urls import include
from django.urls import path

from benchmarks.apps.bare import ANSWER
from benchmarks.apps.bare import proof
from benchmarks.apps.bare import SECRET_KEY
from benchmarks.contestant import Contestant
from benchmarks.visits import answer_of
from benchmarks.visits import BROWSER
from benchmarks.visits import environ_of
from benchmarks.visits import repeated
from benchmarks.visits import Visitor

EMAIL = "alice@bank.example.com"
PASSWORD = "correct horse battery staple"  # noqa: S105
#: Filled in by :func:`_set_up`: views can be made when Django is set up.
urlpatterns: list[Any] = []


def guarded() -> Contestant:
    """The route of somebody who is verified, beside one that reads the session.

    Sessions and users are in a SQLite file, where a new project of Django's has them.
    """
    app = _app()
    accepted, refused = _signed_in(app)
    let_in = environ_of("/account", accepted)
    calls = {
        "guarded": repeated(app, let_in),
        "reading": repeated(app, environ_of("/reading", accepted)),
        "plain": repeated(app, environ_of("/plain", accepted)),
    }
    return Contestant(calls, proof(app, let_in, environ_of("/account", refused)))


def _app() -> Any:
    _set_up(Path(tempfile.mkdtemp(), "db.sqlite3"))
    from django.core.handlers.wsgi import WSGIHandler

    return WSGIHandler()


def _set_up(database: Path) -> None:
    settings.configure(
        SECRET_KEY=SECRET_KEY,
        ALLOWED_HOSTS=["localhost"],
        ROOT_URLCONF=__name__,
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": str(database),
                "CONN_MAX_AGE": 600,
            }
        },
        # Of a new project, and of allauth's quick start.
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "allauth",
            "allauth.account",
        ],
        MIDDLEWARE=[
            "django.middleware.security.SecurityMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
            "allauth.account.middleware.AccountMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        AUTHENTICATION_BACKENDS=[
            "django.contrib.auth.backends.ModelBackend",
            "allauth.account.auth_backends.AuthenticationBackend",
        ],
        # Passwords are looked at when somebody signs in, which is not measured, and a
        # good hash takes minutes where instructions are counted.
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        ACCOUNT_EMAIL_VERIFICATION="none",
        ACCOUNT_REAUTHENTICATION_TIMEOUT=600,
        USE_TZ=True,
    )
    django.setup()
    _mount()


def _mount() -> None:
    from allauth.account.decorators import reauthentication_required

    def account(request: Any) -> Any:
        return HttpResponse(ANSWER)

    def reading(request: Any) -> Any:
        request.session.get("user_id")
        return HttpResponse(ANSWER)

    urlpatterns[:] = [
        path("account", reauthentication_required(account)),
        path("reading", reading),
        path("plain", account),
        path("accounts/", include("allauth.account.urls")),
    ]


def _signed_in(app: Any) -> tuple[str, str]:
    """Cookies of somebody who has just entered the password again, and before that."""
    from django.contrib.auth.models import User
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    User.objects.create_user("alice", EMAIL, PASSWORD)
    visitor = Visitor(app)
    _fill_in(visitor, "/accounts/login/", login="alice", password=PASSWORD)
    before = visitor.cookies
    other = Visitor(app)
    _fill_in(other, "/accounts/login/", login="alice", password=PASSWORD)
    _fill_in(other, "/accounts/reauthenticate/", password=PASSWORD)
    return other.cookies, before


def _fill_in(visitor: Visitor, path: str, **fields: str) -> None:
    visitor.open(path, headers={})
    token = visitor.cookies.partition("csrftoken=")[2].partition(";")[0]
    form = fields | {"csrfmiddlewaretoken": token}
    assert visitor.open(path, "POST", {}, data=form).status_code == 302


def prompting() -> Contestant:
    """The page that asks for the password again."""
    app = _app()
    _, cookies = _signed_in(app)
    prompt = environ_of("/accounts/reauthenticate/", cookies, "GET", BROWSER)
    assert b"password" in answer_of(app, prompt)[2]
    return Contestant({"prompt": repeated(app, prompt)})

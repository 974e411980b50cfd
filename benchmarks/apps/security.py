"""An app guarded by Flask-Security (https://flask-security.readthedocs.io)."""

from __future__ import annotations

from datetime import datetime
from datetime import UTC
from typing import Any

from flask import Flask
from flask import session
from flask_security import auth_required
from flask_security import hash_password
from flask_security import RoleMixin
from flask_security import Security
from flask_security import SQLAlchemyUserDatastore
from flask_security import UserMixin
from flask_security.datastore import Datastore
from flask_security.datastore import UserDatastore

from benchmarks.apps.bare import guard_contestant
from benchmarks.apps.bare import mount
from benchmarks.apps.bare import new_app
from benchmarks.apps.bare import USER_ID
from benchmarks.contestant import Contestant
from benchmarks.visits import answer_of
from benchmarks.visits import BROWSER
from benchmarks.visits import environ_of
from benchmarks.visits import repeated
from benchmarks.visits import Visitor

EMAIL = "alice@bank.example.com"
PASSWORD = "correct horse battery staple"  # noqa: S105


class User(UserMixin):  # type: ignore[misc]
    """A user in memory, with the fields that are documented as needed."""

    id = 1
    email = password = fs_uniquifier = ""
    active = True
    confirmed_at: datetime | None = None

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


class Role(RoleMixin):  # type: ignore[misc]
    """A role in memory; nobody has one."""


class DictionaryDatastore(Datastore, UserDatastore):  # type: ignore[misc]
    """Users in a dictionary: nothing is looked up anywhere else."""

    def __init__(self) -> None:
        Datastore.__init__(self, None)
        UserDatastore.__init__(self, User, Role)
        self.users: dict[str, User] = {}

    def put(self, model: User) -> User:
        self.users[model.fs_uniquifier] = model
        return model

    def find_user(self, case_insensitive: bool = False, **fields: Any) -> User | None:
        if "fs_uniquifier" in fields:
            return self.users.get(fields["fs_uniquifier"])
        ((name, value),) = fields.items()
        found = (u for u in self.users.values() if getattr(u, name, None) == value)
        return next(found, None)

    def find_role(self, role: str) -> None:
        return None


def guarded_app(in_file: bool = False) -> Flask:
    """An app with the route under ``auth_required("session", within=10)``.

    :param in_file: whether users are in a SQLite file, as the quick start has them, and
        not in a dictionary.
    """
    app = new_app()
    app.config.update(
        SECURITY_PASSWORD_SALT="a salt of thirty-two bytes, or more",  # noqa: S106
        # Passwords are looked at when somebody signs in, which is not measured, and a
        # good hash takes minutes where instructions are counted.
        SECURITY_PASSWORD_HASH="plaintext",  # noqa: S106
        # Signing in is done by a program here, once.
        WTF_CSRF_ENABLED=False,
    )
    store = _sqlite_datastore(app) if in_file else DictionaryDatastore()
    Security(app, store)
    with app.app_context():
        store.create_user(
            email=EMAIL,
            password=hash_password(PASSWORD),
            active=True,
            roles=[],
            fs_uniquifier=USER_ID,
            confirmed_at=datetime.now(UTC),
        )
        store.commit()

    @app.get("/age")
    def grow_old() -> str:
        # As it is ten minutes after signing in, with nothing visited meanwhile.
        session["fs_paa"] -= 601
        session.pop("fs_gexp", None)
        return "older"

    return mount(app, auth_required("session", within=10))


def signed_in(app: Flask) -> tuple[str, str]:
    """Cookies of somebody who has just signed in, and who has too long ago."""
    visitor = Visitor(app)
    login = {"email": EMAIL, "password": PASSWORD}
    assert visitor.open("/login", "POST", json=login).status_code == 200
    accepted = visitor.cookies
    visitor.open("/age")
    return accepted, visitor.cookies


def guarded(in_file: bool = False) -> Contestant:
    """The route of somebody who has just signed in."""
    app = guarded_app(in_file)
    return guard_contestant(app, *signed_in(app))


def _sqlite_datastore(app: Flask) -> Any:
    from flask_security.models import fsqla_v3 as models
    from flask_sqlalchemy import SQLAlchemy

    app.config.update(
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{app.instance_path}/users.db",
        SQLALCHEMY_ENGINE_OPTIONS={"pool_pre_ping": True},
    )
    database = SQLAlchemy(app)
    models.FsModels.set_db_info(database)
    role = type("Role", (database.Model, models.FsRoleMixin), {})
    user = type("User", (database.Model, models.FsUserMixin), {})
    with app.app_context():
        database.create_all()
    return SQLAlchemyUserDatastore(database, user, role)


def prompting() -> Contestant:
    """The page that asks for the password again."""
    app = guarded_app()
    cookies, _ = signed_in(app)
    prompt = environ_of("/verify", cookies, "GET", BROWSER)
    assert b"password" in answer_of(app.wsgi_app, prompt)[2]
    return Contestant({"prompt": repeated(app.wsgi_app, prompt)})

"""``StepUp``: what it reads at the start, and what it refuses to start with."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import MakeApp
from flask import Blueprint
from flask import Flask
from people import Codes
from people import Person

import flask_stepup.signals
from flask_stepup import ConfigurationError
from flask_stepup import IncorrectCode
from flask_stepup import require_reverification
from flask_stepup import StepUp
from flask_stepup import Subject
from flask_stepup import Verification
from flask_stepup import VerifierUnavailable
from flask_stepup.subject import FlaskLogin


def configured(**config: Any) -> Flask:
    """An app that lacks nothing but what is given."""
    app = Flask(__name__)
    app.config.update(SECRET_KEY="k" * 32, STEPUP_STORAGE_URI="memory://")
    app.config.update(STEPUP_CLERK_SECRET_KEY="sk_test_" + "x" * 30)
    app.config.update(config)
    return app


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"SECRET_KEY": None}, "SECRET_KEY is not set"),
    ({"SECRET_KEY": ""}, "SECRET_KEY is not set"),
    ({"STEPUP_CLERK_SECRET_KEY": None}, "STEPUP_CLERK_SECRET_KEY.*verifier="),
    ({"STEPUP_CLERK_SECRET_KEY": "sk_test with a space"}, "STEPUP_CLERK_SECRET_KEY"),
    ({"STEPUP_CLERK_API_URL": "http://api.clerk.com/v1"}, "use https"),
    ({"STEPUP_CLERK_API_URL": "api.clerk.com/v1"}, "absolute URL"),
    ({"STEPUP_CLERK_TIMEOUT": -1}, "STEPUP_CLERK_TIMEOUT"),
    ({"STEPUP_STORAGE_URI": "sqlite:////proc/nowhere/x.db"}, "permissions"),
    ({"STEPUP_STORAGE_URI": "mysql://u:hunter2@host"}, "STEPUP_STORAGE_URI"),
    ({"STEPUP_STORAGE_URI": "sqlite:///:memory:"}, "memory://"),
    ({"STEPUP_STORAGE_URI": "sqlite:///a.db?x=1"}, "STEPUP_STORAGE_URI"),
    ({"STEPUP_CLERK_SECRET_KEY": "pk_live_x"}, "publishable"),
    ({"STEPUP_LOGIN_URL": "login"}, "STEPUP_LOGIN_URL.*'/login'"),
    ({"STEPUP_LOGIN_URL": "//evil.example"}, "STEPUP_LOGIN_URL"),
    ({"STEPUP_LOGIN_URL": "/login#form"}, "without a fragment"),
    ({"STEPUP_LOGIN_URL": "/login\n"}, "STEPUP_LOGIN_URL"),
    ({"STEPUP_ENROLL_URL": "javascript:alert(1)"}, "STEPUP_ENROLL_URL"),
    ({"STEPUP_ATTEMPT_LIMIT": "5/minute"}, "5 per 5 minutes"),
    ({"STEPUP_PRESET": "strickt"}, "did you mean 'strict'"),
    ({"STEPUP_MAX_AGE": 5}, "STEPUP_MAX_AGE is no setting; did you mean STEPUP_"),
    ({"STEPUP_STORAGE_URL": "memory://"}, "did you mean STEPUP_STORAGE_URI"),
]


@pytest.mark.parametrize(("config", "mend"), MISTAKES)
def test_it_fails_loudly_at_start(
    config: dict[str, Any], mend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise 11: each mistake is a ConfigurationError that names the mend."""
    monkeypatch.delenv("CLERK_SECRET_KEY", raising=False)
    with pytest.raises(ConfigurationError, match=mend) as caught:
        StepUp(configured(**config))

    assert "hunter2" not in str(caught.value)
    assert "a space" not in str(caught.value).replace("has a space in it", "")


def test_the_backend_key_may_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``CLERK_SECRET_KEY`` is what Clerk's own tools read."""
    monkeypatch.setenv("CLERK_SECRET_KEY", "sk_test_environment")

    StepUp(configured(STEPUP_CLERK_SECRET_KEY=None))


def test_one_stepup_serves_two_apps_with_their_own_settings(codes: Codes) -> None:
    """Nothing of one app's configuration reaches the other."""
    stepup = StepUp(verifier=codes, subject_loader=lambda: "alice")
    apps = [
        configured(STEPUP_PRESET=name, STEPUP_URL_PREFIX=f"/{name}")
        for name in ("strict", "lax")
    ]
    ages, prefixes = [], []
    for app in apps:
        stepup.init_app(app)
        app.add_url_rule("/", view_func=require_reverification(lambda: "in"))
    for app in apps:
        body = app.test_client().get("/").json
        assert body
        ages.append(body["policy"]["max_age"])
        prefixes.append(body["verify_url"])

    assert ages == [600, 86_400]
    assert prefixes == ["/strict/", "/lax/"]
    assert apps[0].extensions["stepup"] is not apps[1].extensions["stepup"]


def test_two_apps_do_not_count_each_others_attempts(codes: Codes) -> None:
    """Each app has the ledger that its own setting names."""
    stepup = StepUp(verifier=codes, subject_loader=lambda: "alice")
    people = []
    for _ in range(2):
        app = configured(STEPUP_ATTEMPT_LIMIT="1 per minute")
        stepup.init_app(app)
        app.add_url_rule("/vault", view_func=require_reverification(lambda: "in"))
        people.append(Person(app))

    answers = [p.answer(p.prompted(), "wrong").status_code for p in people]

    assert answers == [422, 422]


def test_setting_up_twice_is_a_mistake(codes: Codes) -> None:
    """The second ``init_app`` of one app says what to leave out."""
    app = configured()
    stepup = StepUp(app, verifier=codes)

    with pytest.raises(ConfigurationError, match="not both"):
        stepup.init_app(app)


def test_functions_may_be_registered_as_decorators() -> None:
    """``@stepup.verifier`` and ``@stepup.subject_loader``, the latter also late."""
    stepup = StepUp()

    @stepup.verifier
    def check(user_id: str, code: str) -> Verification:
        if (user_id, code) == ("7", "right"):
            return Verification()
        raise IncorrectCode

    app = configured()
    stepup.init_app(app)

    @stepup.subject_loader
    def who() -> int:
        return 7

    app.add_url_rule("/vault", view_func=require_reverification(lambda: "in"))

    assert check("7", "right") == Verification()
    assert who() == 7
    assert Person(app).step_up("right").location == "/vault"


@pytest.mark.parametrize("verifier", [5, "clerk", Codes, object()])
def test_what_is_no_verifier_is_refused(verifier: Any) -> None:
    """A class instead of an object of it is a mistake that is told."""
    with pytest.raises(ConfigurationError, match="no verifier"):
        StepUp(verifier=verifier)


def test_an_async_verifier_is_refused_at_once() -> None:
    """Its coroutine would be no answer, which nobody wants to hear with a code."""

    async def check(user_id: str, code: str) -> Verification:
        return Verification()

    with pytest.raises(ConfigurationError, match="asynchronous"):
        StepUp(verifier=check)


@pytest.mark.parametrize(
    ("loaded", "status"),
    [("alice", 303), (5, 303), (0, 303), (Subject("alice"), 303), (None, 401)],
)
def test_a_subject_loader_returns_subject_id_or_none(
    codes: Codes, loaded: Any, status: int
) -> None:
    """0 is a user id like any other; None is nobody."""
    app = configured()
    StepUp(app, verifier=codes, subject_loader=lambda: loaded)
    app.add_url_rule("/", view_func=require_reverification(lambda: "in"))

    assert Person(app).open("/").status_code == status


@pytest.mark.parametrize("loaded", ["", False, True, 1.5, b"alice", ["alice"]])
def test_a_subject_loader_that_names_nobody_is_told_so(
    codes: Codes, loaded: Any
) -> None:
    """What might be meant for nobody, or for anybody, is an error with the mend."""
    app = configured(TESTING=True)
    StepUp(app, verifier=codes, subject_loader=lambda: loaded)
    app.add_url_rule("/", view_func=require_reverification(lambda: "in"))

    with pytest.raises(ConfigurationError, match="None for nobody"):
        Person(app).open("/")


async def later() -> str:
    """A loader that is a coroutine."""
    return "alice"


@pytest.mark.parametrize("loader", [later, "alice", 5])
def test_a_subject_loader_that_cannot_be_called_is_told_at_once(
    codes: Codes, loader: Any
) -> None:
    """It is asked in the middle of views and templates, so it is a plain function."""
    with pytest.raises(ConfigurationError, match="plain function"):
        StepUp(verifier=codes, subject_loader=loader)


def test_a_verifier_registered_too_late_is_told(codes: Codes) -> None:
    """It would never be asked, and codes would go elsewhere."""
    stepup = StepUp(configured())

    with pytest.raises(ConfigurationError, match="too late"):
        stepup.verifier(codes.verify)


def test_a_verifier_without_length_is_asked_all_the_same(codes: Codes) -> None:
    """What is given counts, also where it is falsy."""

    class Empty(Codes):
        def __len__(self) -> int:
            return 0

    empty = Empty()
    app = configured()
    StepUp(app, verifier=empty, subject_loader=lambda: "alice")
    app.add_url_rule("/vault", view_func=require_reverification(lambda: "in"))

    Person(app).step_up("right")

    assert empty.asked == [("alice", "right")]


def test_without_anybody_to_tell_who_it_is_the_error_names_the_ways(
    codes: Codes,
) -> None:
    """Nobody can tell who is signed in, and the error says how to."""
    app = configured(TESTING=True, STEPUP_CLERK_SECRET_KEY=None)
    StepUp(app, verifier=codes)
    app.add_url_rule("/", view_func=require_reverification(lambda: "in"))

    with pytest.raises(
        ConfigurationError, match=r"subject_loader.*Flask-Login.*JWT_KEY"
    ):
        Person(app).open("/")


def test_protecting_a_registered_blueprint_is_an_error(codes: Codes) -> None:
    """It would guard nothing; Flask's own error says that it is too late."""
    stepup = StepUp(verifier=codes)
    blueprint = Blueprint("late", __name__)
    app = configured()
    app.register_blueprint(blueprint)

    with pytest.raises(ConfigurationError, match="before it is registered"):
        stepup.protect(blueprint)


def test_signals_come_from_the_real_app(make_app: MakeApp, codes: Codes) -> None:
    """Receivers connected to the app hear of each step, and of no code or key."""
    app = make_app(STEPUP_ATTEMPT_LIMIT="2 per 5 minutes")
    heard: list[tuple[str, dict[str, Any]]] = []
    receivers = []
    for name in vars(flask_stepup.signals):
        signal = getattr(flask_stepup.signals, name)
        if isinstance(signal, flask_stepup.signals.Namespace) or name.startswith("_"):
            continue
        if hasattr(signal, "connect"):

            def receiver(sender: Flask, _name: str = name, **facts: Any) -> None:
                assert sender is app
                heard.append((_name, facts))

            receivers.append(receiver)
            signal.connect(receiver, app)
    alice = Person(app, "alice")
    prompt = alice.prompted()
    alice.answer(prompt, "wrong 1")
    alice.answer(prompt, "right")
    other = Person(app, "alice")
    other.answer(other.prompted(), "right")
    codes.raises = VerifierUnavailable()
    other.answer(other.prompted(), "right too")
    codes.raises = None
    other.answer(other.prompted(), "wrong 2")

    assert [name for name, _ in heard] == [
        "reverification_required",
        "reverification_failed",
        "reverification_succeeded",
        "reverification_required",
        "code_reused",
        "reverification_failed",
        "reverification_required",
        "verifier_failed",
        "reverification_failed",
        "reverification_required",
        "attempts_exhausted",
        "reverification_failed",
    ]
    assert "right" not in repr(heard)
    assert {facts["user_id"] for _, facts in heard} == {"alice"}
    assert heard[-2][1]["until"] > 0


def test_a_loader_is_made_before_it_is_given() -> None:
    """The class, which somebody forgot to call, names the mend."""
    with pytest.raises(ConfigurationError, match=r"as in FlaskLogin\(\)$"):
        StepUp(subject_loader=FlaskLogin)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "clerk id", 5, ["clerk_id"]])
def test_an_attribute_has_a_name(name: Any) -> None:
    """What can be no attribute of a user is refused when it is given."""
    with pytest.raises(ConfigurationError, match="use a name such as 'clerk_id'"):
        FlaskLogin(attribute=name)


def test_ids_that_are_alike_are_told_apart() -> None:
    """Whatever was asked before: to Python, 1 and True are one, and some texts are."""

    class Loud(str):
        def __str__(self) -> str:
            return self.upper()

    ids: list[Any] = ["alice", Loud("alice"), "1", 1, 0]
    asked = iter([*ids, True, *ids])
    app = Flask("app")
    app.config.update(SECRET_KEY="k" * 32, STEPUP_STORAGE_URI="memory://")
    stepup = StepUp(app, verifier=Codes(), subject_loader=lambda: next(asked))
    with app.test_request_context():
        told = [getattr(stepup.subject(), "user_id", None) for _ in ids]
        with pytest.raises(ConfigurationError, match="not bool"):
            stepup.subject()
        again = [getattr(stepup.subject(), "user_id", None) for _ in ids]
    assert told == again == ["alice", "ALICE", "1", "1", "0"]

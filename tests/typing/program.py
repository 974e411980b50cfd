"""A user's program, which is only type-checked: decorators keep signatures."""

from __future__ import annotations

from datetime import timedelta
from typing import assert_type

from blinker import NamedSignal
from flask import Blueprint
from flask import Flask
from flask import session
from flask.views import MethodView
from flask.views import View

from flask_stepup import ConfigurationError
from flask_stepup import IncorrectCode
from flask_stepup import require_reverification
from flask_stepup import ReverificationRequired
from flask_stepup import StepUp
from flask_stepup import Subject
from flask_stepup import TOTPVerifier
from flask_stepup import Verification
from flask_stepup import Verifier
from flask_stepup import VerifierUnavailable
from flask_stepup.clerk import ClerkBackendAPI
from flask_stepup.signals import attempts_exhausted
from flask_stepup.signals import reverification_succeeded
from flask_stepup.subject import FlaskLogin

app = Flask(__name__)
stepup = StepUp()


@stepup.subject_loader
def who() -> Subject | str | int | None:
    return session.get("user_id")


@stepup.verifier
def check(user_id: str, code: str) -> Verification:
    if code == user_id:
        return Verification("totp")
    raise IncorrectCode


class MyVerifier:
    def verify(self, user_id: str, code: str) -> Verification:
        return check(user_id, code)


mine: Verifier = MyVerifier()


def load_secret(user_id: str) -> str | None:
    return None if user_id == "nobody" else "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def spend_backup_code(user_id: str, code: str) -> bool:
    return False


totp: Verifier = TOTPVerifier(load_secret, consume_backup_code=spend_backup_code)
StepUp(verifier=totp, subject_loader=FlaskLogin(attribute="clerk_id"))
StepUp(app, verifier=check, subject_loader=lambda: Subject(5))


def ask_clerk(user_id: str, code: str) -> str:
    api = ClerkBackendAPI("sk_test_x", base_url="http://127.0.0.1:1/v1", timeout=2)
    try:
        return assert_type(api.verify_totp(user_id, code), Verification).code_type
    except IncorrectCode as error:
        return f"{error.status} {error.attempts_remaining}"
    except VerifierUnavailable as error:
        return f"{error.retry_after}"
    except ConfigurationError as error:
        return str(error)


@app.get("/a/<int:number>")
@require_reverification
def bare(number: int) -> str:
    return str(number)


@app.get("/b/<name>")
@require_reverification("lax", reason="Look", scope="profile", methods={"GET"})
def called(name: str, *, loud: bool = False) -> tuple[str, int]:
    return name, 200


@app.get("/c")
@require_reverification(max_age=timedelta(minutes=5), level="second_factor")
async def asynchronous() -> str:
    return "async"


class Guarded(MethodView):
    decorators = [require_reverification, require_reverification("lax")]

    @require_reverification(once=True)
    def post(self, number: int) -> str:
        return str(number)


class Plain(View):
    decorators = [require_reverification(scope="x")]

    def dispatch_request(self) -> str:
        return "plain"


assert_type(Guarded().post(5), str)
app.add_url_rule("/d", view_func=Plain.as_view("plain"))


@reverification_succeeded.connect_via(app)
def heard(sender: Flask, user_id: str, code_type: str, **rest: object) -> None:
    sender.logger.info("%s %s", user_id, code_type)


assert_type(attempts_exhausted, NamedSignal)


@app.errorhandler(ReverificationRequired)
def own(error: ReverificationRequired) -> tuple[str, int]:
    return f"{error.policy.max_age} {error.cause} {error.subject.user_id}", 403


assert_type(bare(5), str)
assert_type(called("x", loud=True), tuple[str, int])
assert_type(stepup.is_reverified("strict"), bool)

blueprint = Blueprint("area", __name__)
stepup.protect(blueprint, max_age=60)
assert_type(stepup.grant("second_factor", scope="x"), str | None)
assert_type(stepup.subject(), Subject | None)
Subject(5, "sess_1", factor_ages=(0, 5), impersonated=False, stated_at=1.5)
stepup.revoke(5)
stepup.unlock("five")

bare("five")  # type: ignore[arg-type]
TOTPVerifier(lambda user_id: 5)  # type: ignore[return-value,arg-type]
TOTPVerifier(load_secret, load_secret)  # type: ignore[arg-type]
bare("six")  # type: ignore[arg-type]
require_reverification(within=5)  # type: ignore[call-overload]
require_reverification(level="third")  # type: ignore[call-overload]

"""A user's program, which is only type-checked: decorators keep signatures."""

from __future__ import annotations

from datetime import timedelta
from typing import assert_type

from flask import Blueprint
from flask import Flask
from flask import session

from flask_stepup import IncorrectCode
from flask_stepup import require_reverification
from flask_stepup import ReverificationRequired
from flask_stepup import StepUp
from flask_stepup import Subject
from flask_stepup import Verification
from flask_stepup import Verifier

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
require_reverification(within=5)  # type: ignore[call-overload]
require_reverification(level="third")  # type: ignore[call-overload]

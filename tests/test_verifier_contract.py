"""What every verifier does, whatever it asks: one contract, run against each."""

from __future__ import annotations

import secrets
import time
from abc import ABC
from abc import abstractmethod
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyotp
import pytest
from conftest import MakeApp
from conftest import signed_in
from documented import blocks
from flask import Flask
from people import Person
from people import Prompt
from werkzeug.security import check_password_hash
from werkzeug.security import generate_password_hash

from flask_stepup import IncorrectCode
from flask_stepup import NotEnrolled
from flask_stepup import require_reverification
from flask_stepup import StepUp
from flask_stepup import TOTPVerifier
from flask_stepup import Verification
from flask_stepup import Verifier
from flask_stepup import VerifierMisconfigured
from flask_stepup import VerifierUnavailable
from flask_stepup.clerk import ClerkBackendAPI
from flask_stepup.sandbox import demo_users
from flask_stepup.sandbox import Sandbox
from flask_stepup.signals import reverification_required
from flask_stepup.verifiers import as_verifier
from flask_stepup.verifiers import clerk_verifier

WRONG = "000000"


@dataclass
class Known:
    """A verifier, and what is known of the people that it knows."""

    verifier: Any
    right_code: Callable[[str], str]
    code_type: str
    alice: str = "alice"
    bob: str = "bob"
    #: Has no authenticator.
    carol: str = "carol"
    backup_code: str = ""
    #: Makes it fail, as it may fail in production.
    break_down: Callable[[], object] = list
    misconfigured: Any = None


class VerifierContract(ABC):
    """A subclass makes the verifier; all of these have to hold for it."""

    @pytest.fixture(name="known")
    @abstractmethod
    def _known(self) -> Any:
        """Return the verifier and its people."""

    def test_it_is_a_verifier(self, known: Known) -> None:
        """As the protocol and ``StepUp(verifier=)`` have it."""
        assert isinstance(as_verifier(known.verifier), Verifier)

    def test_a_right_code_is_verified(self, known: Known) -> None:
        """And its kind is told."""
        code = known.right_code(known.alice)

        found = known.verifier.verify(known.alice, code)

        assert found == Verification(known.code_type)

    @pytest.mark.parametrize("code", [WRONG, "", "0", "word", "ü" * 36])
    def test_a_wrong_code_is_incorrect(self, known: Known, code: str) -> None:
        """Whatever it looks like."""
        known.right_code(known.alice)

        with pytest.raises(IncorrectCode):
            known.verifier.verify(known.alice, code)

    def test_somebody_elses_code_is_incorrect(self, known: Known) -> None:
        """Codes are one person's."""
        code = known.right_code(known.bob)
        known.right_code(known.alice)

        with pytest.raises(IncorrectCode):
            known.verifier.verify(known.alice, code)

    def test_no_error_carries_the_code_or_a_secret(self, known: Known) -> None:
        """Neither in its text, nor in its repr, nor in what it was raised from."""
        known.right_code(known.alice)
        with pytest.raises(IncorrectCode) as raised:
            known.verifier.verify(known.alice, "314159")

        error: BaseException | None = raised.value
        while error is not None:
            assert "314159" not in f"{error} {error!r}"
            error = error.__cause__ or error.__context__

    def test_through_the_prompt(self, known: Known, make_app: MakeApp) -> None:
        """The same answers for every verifier: wrong, right, and the same once more."""
        stepup = StepUp(verifier=known.verifier, subject_loader=signed_in)
        alice = Person(make_app(stepup=stepup), known.alice)
        prompt = alice.prompted()
        code = known.right_code(known.alice)

        wrong = alice.answer(prompt, "999999")
        right = alice.answer(prompt, code)

        assert wrong.status_code == 422
        assert "You have 4 tries left." in wrong.text
        assert (right.status_code, right.location) == (303, "/vault")
        assert alice.open("/vault").text == "the vault is open"
        other = Person(alice.app, known.alice)
        assert other.answer(other.prompted(), code).status_code == 422


class AuthenticatorContract(VerifierContract):
    """And for all that check the codes of authenticator apps."""

    def test_who_has_no_second_factor_is_told_apart(self, known: Known) -> None:
        """``NotEnrolled``, where the verifier can know."""
        with pytest.raises(NotEnrolled):
            known.verifier.verify(known.carol, WRONG)

    def test_a_backup_code_works_once(self, known: Known) -> None:
        """And is called one."""
        found = known.verifier.verify(known.alice, known.backup_code)

        assert found == Verification("backup_code")
        with pytest.raises(IncorrectCode):
            known.verifier.verify(known.alice, known.backup_code)

    def test_an_outage_is_no_wrong_code(self, known: Known) -> None:
        """Promise 7: what cannot be known is said to be so, and not to be wrong."""
        code = known.right_code(known.alice)
        known.break_down()

        with pytest.raises(VerifierUnavailable):
            known.verifier.verify(known.alice, code)

    def test_a_misconfiguration_is_no_wrong_code(self, known: Known) -> None:
        """Promise 7: a developer has to act, and the person has done nothing wrong."""
        with pytest.raises(VerifierMisconfigured):
            known.misconfigured.verify(known.alice, known.right_code(known.alice))

    def test_an_outage_keeps_all_tries(self, known: Known, make_app: MakeApp) -> None:
        """Promise 7: the prompt answers 503, and afterwards five tries are there."""
        stepup = StepUp(verifier=known.verifier, subject_loader=signed_in)
        alice = Person(make_app(stepup=stepup), known.alice)
        prompt = alice.prompted()
        known.break_down()

        answers = [alice.answer(prompt, WRONG).status_code for _ in range(6)]

        assert answers == [503] * 6
        assert "tries left" not in alice.answer(prompt, WRONG).text


class TestClerk(AuthenticatorContract):
    """Clerk's backend API, as the sandbox answers for it over HTTP."""

    @pytest.fixture(name="known")
    def _known(self) -> Iterator[Known]:
        sandbox = Sandbox(demo_users())
        people = {user.user_id: user for user in sandbox.users}
        alice, bob, carol = sandbox.users
        serving = sandbox.serve()
        url = serving.__enter__()
        stopped: list[bool] = []

        def stop() -> None:
            stopped.append(True)
            serving.__exit__(None, None, None)

        api = ClerkBackendAPI(sandbox.secret_key, base_url=url)
        other = ClerkBackendAPI("sk_test_other", base_url=url)
        yield Known(
            clerk_verifier(api),
            lambda user_id: people[user_id].current_code(),
            "totp",
            alice.user_id,
            bob.user_id,
            carol.user_id,
            alice.backup_codes[0],
            stop,
            clerk_verifier(other),
        )
        api.close()
        other.close()
        if not stopped:
            stop()


class TestTOTP(AuthenticatorContract):
    """Secrets that the app keeps itself."""

    @pytest.fixture(name="known")
    def _known(self) -> Known:
        secrets_of = {name: pyotp.random_base32() for name in ("alice", "bob")}
        backup_codes = {("alice", "tide-9-harbour")}
        outages: list[Exception] = []

        def load(user_id: str) -> str | None:
            if outages:
                raise outages[0]
            return secrets_of.get(user_id)

        def consume(user_id: str, code: str) -> bool:
            is_one = (user_id, code) in backup_codes
            backup_codes.discard((user_id, code))
            return is_one

        return Known(
            TOTPVerifier(load, consume),
            lambda user_id: pyotp.TOTP(secrets_of[user_id]).now(),
            "totp",
            backup_code="tide-9-harbour",
            break_down=lambda: outages.append(ConnectionError("the database is gone")),
            misconfigured=TOTPVerifier(lambda user_id: "not base32!", consume),
        )


class TestEmailCodes(VerifierContract):
    """The recipe of the page on verifiers, as it stands there."""

    @pytest.fixture(name="known")
    def _known(self, make_app: MakeApp) -> Iterator[Known]:
        mails: dict[str, str] = {}
        names: dict[str, Any] = {
            "secrets": secrets,
            "time": time,
            "generate_password_hash": generate_password_hash,
            "check_password_hash": check_password_hash,
            "IncorrectCode": IncorrectCode,
            "Verification": Verification,
            "reverification_required": reverification_required,
            "send_mail": mails.__setitem__,
            "StepUp": lambda app, verifier: verifier,
            "app": None,
        }
        exec(blocks("verifiers.md")[0], names)  # noqa: S102 (our own page)
        send_code = names["send_code"]

        def code_of(user_id: str) -> str:
            send_code(None, user_id)
            return mails[user_id].split("is ")[1][:6]

        yield Known(names["stepup"], code_of, "email_code")
        reverification_required.disconnect(send_code)

    def test_the_prompt_says_where_the_code_is(
        self, known: Known, tmp_path: Path
    ) -> None:
        """With the template of the page, before and after a wrong code."""
        folder = tmp_path / "templates" / "stepup"
        folder.mkdir(parents=True)
        (folder / "prompt.html").write_text(blocks("verifiers.md", "jinja")[0])
        app = Flask("mail", root_path=str(tmp_path))
        app.config.update(SECRET_KEY="k" * 32, STEPUP_STORAGE_URI="memory://")
        StepUp(app, verifier=known.verifier, subject_loader=lambda: "alice")
        app.add_url_rule("/vault", view_func=require_reverification(lambda: "in"))
        alice = Person(app)
        prompt = alice.prompted()
        known.right_code("alice")

        wrong = Prompt(alice.answer(prompt, "999999"))

        for page in (prompt, wrong):
            assert "The 6 digits that we have just sent to your e-mail" in page.says
            assert "data-backup" not in page.text
        assert 'aria-invalid="true"' in wrong.text
        assert 'aria-invalid="true"' not in prompt.text

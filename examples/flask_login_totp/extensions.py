"""The extensions, and what the step-up is told: the ten lines that matter."""

from __future__ import annotations

import authenticators
import backup_codes
import users
from flask_login import LoginManager
from flask_wtf import CSRFProtect

from flask_stepup import StepUp
from flask_stepup import TOTPVerifier
from flask_stepup.subject import FlaskLogin

# The secret of a user's authenticator app is looked up here, a backup code spent here.
# Flask-Login's id of a user changes with every password (see users.py); the step-up
# knows people by the one that stays.
stepup = StepUp(
    verifier=TOTPVerifier(authenticators.secret_of, backup_codes.spend),
    subject_loader=FlaskLogin(attribute="user_id"),
)

csrf = CSRFProtect()
login_manager = LoginManager()
login_manager.login_view = "sign_in.sign_in"
login_manager.login_message = None
login_manager.user_loader(users.with_session_key)

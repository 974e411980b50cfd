"""Who is asking: a subject, from a callable or from Flask-Login's current user."""

from __future__ import annotations

from .loading import checked_loader as checked_loader
from .loading import load_subject as load_subject
from .loading import RemembersExpired as RemembersExpired
from .loading import SubjectLoader as SubjectLoader
from .login import FlaskLogin as FlaskLogin
from .login import follow_logout as follow_logout
from .subject import Subject as Subject

"""An app for gunicorn's gevent workers to load before they are forked: patched first.

With ``--preload`` the app comes before gevent has replaced the blocking parts of the
standard library, unless it does that itself, before anything else is imported. These
are the lines of docs/integrations.md.
"""

from gevent import monkey

monkey.patch_all()

from soak.app import make_app as make_app  # noqa: E402

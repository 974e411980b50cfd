"""The app around us: its session, its views, its functions."""

from __future__ import annotations

from logging import ERROR
from logging import INFO
from logging import WARNING

from .record import Record


class SessionFull(Record):
    """The session's cookie has no room for a marker, and no code is taken.

    Keep less in the session, or keep it on the server (Flask-Session).
    """

    name = "session_full"
    level = ERROR
    message = (
        "the session cookie has no room for what step-up keeps in it: it would have "
        "%(size)d bytes, and browsers drop more than 4,096; keep less in the session, "
        "or use one that is kept on the server"
    )

    size: int


class SessionNotRenewed(Record):
    """A right code counts, but the session interface could not give a new id.

    See to the session's store: whoever knew the old id has what the code opened.
    """

    name = "session_not_renewed"
    level = ERROR
    message = "the session's id could not be renewed: %(error)s"

    error: str


class BearerWithoutSession(Record):
    """A code came from a bearer whose token names no session, and was not taken.

    Have the `subject_loader` return a `Subject` with a `session_id`.
    """

    name = "bearer_without_session"
    level = ERROR
    message = (
        "no code is taken from user %(user_id)r, whose bearer token names no session "
        "that could bind a marker: have the subject_loader return a Subject with a "
        "session_id"
    )

    user_id: str


class FirstFactorLacking(Record):
    """A policy asks for the first factor, of which the app has not lately told us.

    Call `stepup.grant("first_factor")` when somebody signs in, or give `factor_ages`.
    """

    name = "first_factor_lacking"
    level = WARNING
    message = (
        "user %(user_id)r has to sign in again: the first factor is %(cause)s. An app "
        "whose policies ask for it calls stepup.grant('first_factor') when somebody "
        "signs in, or knows factor_ages (which Clerk's session tokens have where "
        "reverification is switched on in its dashboard)"
    )

    user_id: str
    cause: str


class HtmxPromptTooLong(Record):
    """htmx could not be led to a prompt: the address of the prompt was too long.

    Bind fewer or shorter values in that route.
    """

    name = "htmx_prompt_too_long"
    level = ERROR
    message = (
        "HTMX is led to no prompt, whose address would have %(size)d bytes: bind fewer "
        "or shorter values"
    )

    size: int


class OriginNotOurs(Record):
    """A form was refused, since its `Origin` names another host than this app's.

    If `origin` is an address of yours, a proxy hides the host: tell Werkzeug's
    `ProxyFix` of it. If not, another site has tried it.
    """

    name = "origin_not_ours"
    level = WARNING
    message = (
        "a form was refused that came from %(origin)s, and not from %(host)s: if that "
        "is this app, behind a proxy, wrap it in Werkzeug's ProxyFix (x_host=1)"
    )

    origin: str
    host: str


class IsReverifiedFailed(Record):
    """`is_reverified` said False since something raised, such as a function in `bind`.

    Mend what raised; `error` is its class.
    """

    name = "is_reverified_failed"
    level = ERROR
    message = "is_reverified is False: it raised %(error)s"

    error: str


class ReasonFailed(Record):
    """The function in `reason=` raised, and the prompt names no reason.

    Mend it; `error` is what it raised.
    """

    name = "reason_failed"
    level = ERROR
    message = "no reason is named: it raised %(error)s"

    error: str


class LeavingUnknown(Record):
    """`forget` ended the session; the subject loader, which raised, could name nobody.

    Nothing, unless you use bearer tokens: then call `forget` before you sign people
    out.
    """

    name = "leaving_unknown"
    level = INFO
    message = "nobody to forget but a session: %(error)s"

    error: str

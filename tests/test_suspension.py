"""What of a form is carried through the prompt, and what is not, and why."""

from __future__ import annotations

import copy
import io
import pickle
import random
from typing import Any
from urllib.parse import urlencode

import pytest
from conftest import MakeApp
from flask import Flask
from flask import render_template_string
from flask import Request
from flask import request
from flask_wtf import CSRFProtect
from flask_wtf.csrf import generate_csrf
from front_end.chromium import chromium
from front_end.chromium import needs_chromium
from serving import served
from werkzeug.datastructures import ImmutableDict
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.datastructures import MultiDict

from flask_stepup.field_order import keep_order_of_fields
from flask_stepup.field_order import MULTIPART
from flask_stepup.field_order import URLENCODED
from flask_stepup.settings import Settings
from flask_stepup.suspension import MOST_FIELDS
from flask_stepup.suspension import NotKept
from flask_stepup.suspension import suspend
from flask_stepup.suspension import SuspendedForm

Pairs = list[tuple[str, str]]

BOUNDARY = "----WebKitFormBoundaryn0tR4nd0m"
#: In the order of the page: repeats lie apart.
AWKWARD: Pairs = [
    ("to", "Zo\u00eb \u2013 \u5c71 \U0001f600"),
    ("tag", "first"),
    ("code", "5"),
    ("challenge", "eyJ.x.y"),
    ("tag", ""),
    ("submit", "Send"),
    ("action", "/elsewhere"),
    ("method", "get"),
    ("note", "one\r\n\r\nthree & <four> \"five\" 'six' 100% a+b=c;d\r\n"),
    ("tag", "first"),
    ("quo\"ted&n'ame", " led and followed by spaces "),
    ("long", "forty\r\nkilobytes of text\r\n" * 1_500),
    ("csrf_token", "IjQ1.Zx"),
    ("constructor", "__proto__"),
    ("empty", ""),
    ("controls", "\x01\t\x0b\x0c\x1f\x7f\x80\x9f\xad\u200b\u2028\ufeff\uffff"),
]


def settings(**config: Any) -> Settings:
    app = Flask("app")
    app.config.update(config)
    return Settings.read(app)


def multipart(fields: Pairs, *parts: str, boundary: str = BOUNDARY) -> bytes:
    """Write a body as browsers do (WHATWG HTML, multipart/form-data encoding)."""
    escapes = {ord('"'): "%22", ord("\r"): "%0D", ord("\n"): "%0A"}
    texts = [f'"{n.translate(escapes)}"\r\n\r\n{value}' for n, value in fields]
    head = f"--{boundary}\r\nContent-Disposition: form-data; name="
    body = "".join(f"{head}{text}\r\n" for text in [*texts, *parts])
    return f"{body}--{boundary}--\r\n".encode()


def file_part(name: str, filename: str = "", content: str = "") -> str:
    kind = "Content-Type: application/octet-stream"
    return f'"{name}"; filename="{filename}"\r\n{kind}\r\n\r\n{content}'


def content_type(enctype: str) -> str:
    return f"{enctype}; boundary={BOUNDARY}" if enctype == MULTIPART else enctype


def encoded(enctype: str, fields: Pairs, *files: str) -> bytes:
    parts = [file_part(name) for name in files]
    is_multipart = enctype == MULTIPART
    return multipart(fields, *parts) if is_multipart else urlencode(fields).encode()


def suspended(
    body: bytes,
    enctype: str = URLENCODED,
    *,
    app: Flask | None = None,
    config: dict[str, Any] | None = None,
    remembers: bool = True,
    **environ: Any,
) -> SuspendedForm | NotKept:
    """Suspend a request with this body, parsed before it could be remembered or not."""
    app = app or Flask("app")
    environ = {"method": "POST", "content_type": content_type(enctype)} | environ
    with app.test_request_context("/", **{"data": body} | environ):
        if remembers:
            keep_order_of_fields()
        else:
            _ = request.form  # somebody reads it too early
        return suspend(settings(**config or {}))


def long(length: Any, **environ: Any) -> dict[str, Any]:
    """A request whose length is said to be this."""
    return {"environ_overrides": {"CONTENT_LENGTH": str(length), **environ}}


def fields_of(form: SuspendedForm | NotKept) -> Pairs:
    assert isinstance(form, SuspendedForm), form
    return [(name, value) for name, value in form.fields if value is not None]


# --- what is carried ---

ENCTYPES = pytest.mark.parametrize("enctype", [URLENCODED, MULTIPART])


@ENCTYPES
def test_a_form_is_carried_as_it_came(enctype: str) -> None:
    """Every field, in order, with repeats, whatever it is called and holds."""
    form = suspended(encoded(enctype, AWKWARD), enctype)

    assert form == SuspendedForm(enctype, [*AWKWARD], [])
    assert form.secrets == []


@ENCTYPES
def test_file_inputs_that_were_left_empty_are_carried(enctype: str) -> None:
    """By their names; a form that is not multipart has them as fields."""
    fields = [("a", "1")]
    if enctype == MULTIPART:
        form = suspended(encoded(enctype, fields, "photo", "cv", "photo"), enctype)
        assert form == SuspendedForm(enctype, [*fields], ["photo", "cv", "photo"])
    else:
        form = suspended(b"a=1&photo=cat.png", enctype)
        assert form == SuspendedForm(enctype, [*fields, ("photo", "cat.png")], [])


@pytest.mark.parametrize(
    ("environ", "enctype"),
    [
        ({"content_type": None}, URLENCODED),
        ({"content_type": None, "headers": {"Content-Length": "0"}}, URLENCODED),
        ({"content_type": URLENCODED, "headers": {"Content-Length": "0"}}, URLENCODED),
        ({"data": multipart([]), "content_type": content_type(MULTIPART)}, MULTIPART),
    ],
)
def test_a_form_without_fields_is_a_form(environ: Any, enctype: str) -> None:
    """A button alone is posted without any body, or with an empty one."""
    assert suspended(b"", **environ) == SuspendedForm(enctype, [], [])


@pytest.mark.parametrize(
    "kind",
    [
        "APPLICATION/X-WWW-Form-urlencoded",
        "application/x-www-form-urlencoded; charset=iso-8859-1",
        " application/x-www-form-urlencoded ;x",
    ],
)
def test_the_type_is_read_as_werkzeug_reads_it(kind: str) -> None:
    """In any case, and with parameters."""
    form = suspended(b"a=1", content_type=kind)
    assert form == SuspendedForm(URLENCODED, [("a", "1")], [])


def test_what_is_no_utf_8_comes_back_as_the_view_saw_it() -> None:
    """Werkzeug shows a wrong byte percent-encoded, and so it is sent again."""
    body = b"a=%FF%C3&%E9=caf%E9&b=%C3%A9"
    fields = fields_of(suspended(body))
    with Flask("app").test_request_context("/", method="POST", data=dict(fields)):
        again = request.form
    with Flask("app").test_request_context(
        "/", method="POST", data=body, content_type=URLENCODED
    ):
        assert again == request.form
    assert fields == [("a", "%FF%C3"), ("%E9", "caf%E9"), ("b", "\u00e9")]


ALPHABET = [
    *"aab \t%&=+;\"'<>\\/?#[]{}\x01\x0b\x0c\x1f\x85\xa0\u200f\ufeff\U0010ffff",
    *("\r\n", "\n", "\r", "\0", "%22", "%0D%0A", "%00", "&amp;", "&#10;", "\u00e9"),
]


@ENCTYPES
@pytest.mark.parametrize("remembers", [True, False])
def test_whatever_is_carried_comes_back_the_same(enctype: str, remembers: bool) -> None:
    """Random forms, sent again as browsers do, are the same for the view.

    So they are without a memory of their order, since Werkzeug groups them by name.
    """
    chance = random.Random(5)  # noqa: S311 (no secret)
    app, ours, outcomes = Flask("app"), settings(), []
    for _ in range(400):
        fields = a_form(chance)
        seen, form = seen_and_suspended(app, ours, enctype, fields, remembers)
        outcomes.append("kept" if isinstance(form, SuspendedForm) else form)
        if not isinstance(form, SuspendedForm):
            continue
        carried = fields_of(form)
        assert normal(carried) == carried
        again, _ = seen_and_suspended(app, ours, enctype, carried, remembers)
        assert (again, list(again)) == (seen, list(seen))
        if remembers and enctype == URLENCODED:
            assert carried == fields
    # A part with an odd name can make a whole body unreadable.
    assert set(outcomes) - {"body"} == {"kept", "text"}
    assert outcomes.count("kept") > 75 < outcomes.count("text")


def a_form(chance: random.Random) -> Pairs:
    def text(*lengths: int) -> str:
        return "".join(chance.choices(ALPHABET, k=chance.choice(lengths)))

    names = [text(1, 2, 3)] * chance.choice([0, 1, 2])
    names += chance.choices(["a", "b", "c"], k=chance.randint(1, 5))
    return [(name, text(0, 1, 3)) for name in chance.sample(names, len(names))]


def seen_and_suspended(
    app: Flask, ours: Settings, enctype: str, fields: Pairs, remembers: bool
) -> tuple[MultiDict[str, str], SuspendedForm | NotKept]:
    body, kind = encoded(enctype, fields), content_type(enctype)
    with app.test_request_context("/", method="POST", data=body, content_type=kind):
        if remembers:
            keep_order_of_fields()
        return request.form, suspend(ours)


def normal(fields: Pairs) -> Pairs:
    """What hidden inputs of these names and values send (WHATWG HTML)."""

    def text(value: str) -> str:
        lines = value.replace("\r\n", "\n").replace("\r", "\n")
        return lines.replace("\n", "\r\n").replace("\0", "\ufffd")

    return [(text(name), text(value)) for name, value in fields if name]


# --- order ---

INTERLEAVED = b"a=1&b=2&a=3&c=&b=2"
IN_ORDER = [("a", "1"), ("b", "2"), ("a", "3"), ("c", ""), ("b", "2")]
GROUPED = [("a", "1"), ("a", "3"), ("b", "2"), ("b", "2"), ("c", "")]


@ENCTYPES
@pytest.mark.parametrize("protected", [True, False])
def test_the_order_is_known_whoever_reads_the_form_first(
    enctype: str, protected: bool
) -> None:
    """Protection against cross-site requests reads it before every view."""
    app = Flask("app")
    app.config.update(SECRET_KEY="k" * 32)
    if protected:
        CSRFProtect(app)
    app.before_request_funcs.setdefault(None, []).insert(0, keep_order_of_fields)
    app.add_url_rule("/token", view_func=generate_csrf)
    forms = []

    @app.post("/")
    def view() -> str:
        assert ("form" in request.__dict__) is protected
        forms.append(suspend(settings()))
        return ""

    client = app.test_client()
    token = client.get("/token").text
    fields = [*IN_ORDER, ("csrf_token", token), ("a", "4")]
    body = encoded(enctype, fields)
    answer = client.post("/", data=body, content_type=content_type(enctype))

    assert answer.status_code == 200
    assert forms == [SuspendedForm(enctype, [*fields], [])]


class Kept(ImmutableMultiDict[str, Any]):
    """An app's own, which knows its pairs in order."""

    def __init__(self, pairs: Any = ()) -> None:
        self.pairs = list(pairs)
        super().__init__(self.pairs)

    def items(self, multi: bool = False) -> Any:
        return iter(self.pairs) if multi else super().items()


@pytest.mark.parametrize(
    ("kind", "read_first"),
    [
        (ImmutableMultiDict, GROUPED),
        (MultiDict, GROUPED),
        (ImmutableDict, [("a", "3"), ("b", "2"), ("c", "")]),
        (Kept, IN_ORDER),
    ],
)
def test_an_app_may_have_its_own_class_of_forms(kind: Any, read_first: Pairs) -> None:
    """Its forms are of that class, and it says what there is in one read too early."""

    class OwnRequest(Request):
        parameter_storage_class = kind

    app = Flask("app")
    app.request_class = OwnRequest

    assert fields_of(suspended(INTERLEAVED, app=app)) == IN_ORDER
    for remembers, expected in ((True, IN_ORDER), (False, read_first)):
        with app.test_request_context(
            "/?q=1", method="POST", data=INTERLEAVED, content_type=URLENCODED
        ):
            if remembers:
                keep_order_of_fields()
            assert {type(request.form), type(request.args)} == {kind}
            assert type(request.files) is kind
            assert request.values["q"] == "1"
            assert fields_of(suspend(settings())) == expected


def test_a_form_that_is_remembered_is_like_any_other() -> None:
    """Copies, pickles, and what may not be changed are as they were."""
    forms = []
    for remembers in (True, False):
        with Flask("app").test_request_context(
            "/?q=1", method="POST", data=INTERLEAVED, content_type=URLENCODED
        ):
            if remembers:
                keep_order_of_fields()
            forms.append(request.form)
    ours, theirs = forms

    assert type(ours) is type(theirs) is ImmutableMultiDict
    assert (ours, repr(ours), hash(ours)) == (theirs, repr(theirs), hash(theirs))
    assert pickle.loads(pickle.dumps(ours)) == theirs  # noqa: S301 (our own)
    assert copy.deepcopy(ours) == ours.copy() == theirs.copy()
    assert ours.to_dict(flat=False) == theirs.to_dict(flat=False)
    with pytest.raises(TypeError, match="immutable"):
        ours.add("a", "5")  # type: ignore[attr-defined]


def test_a_request_that_was_read_too_early_is_grouped() -> None:
    """For a view it is the same, since it only sees the groups."""
    app = Flask("app")
    forms = []

    @app.url_value_preprocessor
    def read(endpoint: str | None, values: Any) -> None:
        request.get_data(parse_form_data=True)

    app.before_request(keep_order_of_fields)

    @app.post("/")
    def view() -> str:
        forms.append((request.form, suspend(settings())))
        return ""

    app.test_client().post("/", data=INTERLEAVED, content_type=URLENCODED)
    [(seen, form)] = forms

    assert fields_of(form) == GROUPED
    assert MultiDict(GROUPED) == seen


def test_a_request_class_may_insist_on_its_own() -> None:
    """Where nobody can take its place, forms are carried in groups."""

    class Stubborn(Request):
        @property
        def parameter_storage_class(self) -> Any:
            return ImmutableMultiDict

    app = Flask("app")
    app.request_class = Stubborn

    assert fields_of(suspended(INTERLEAVED, app=app)) == GROUPED


def test_what_the_app_makes_of_a_form_is_left_to_it() -> None:
    """What came is carried: what was done to it will be done to it again."""

    class Changing(Request):
        parameter_storage_class = MultiDict

    app = Flask("app")
    app.request_class = Changing
    with app.test_request_context("/", method="POST", data={"a": " 1 "}):
        keep_order_of_fields()
        request.form["a"] = request.form["a"].strip()  # type: ignore[index]

        assert fields_of(suspend(settings())) == [("a", " 1 ")]


def test_debug_mode_may_explain_missing_files() -> None:
    """Flask changes the class of an empty ``files`` then, which does no harm."""
    app = Flask("app")
    app.debug = True

    assert fields_of(suspended(INTERLEAVED, app=app)) == IN_ORDER
    assert fields_of(suspended(INTERLEAVED, app=app, remembers=False)) == GROUPED


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT"])
def test_what_cannot_be_suspended_is_not_touched(method: str) -> None:
    """Only a form's own method costs anything."""
    with Flask("app").test_request_context("/?a=1", method=method):
        keep_order_of_fields()
        assert "parameter_storage_class" not in request.__dict__


def test_being_called_twice_does_no_harm() -> None:
    """An app may be set up by two extensions that want the same."""
    with Flask("app").test_request_context("/", method="POST", data={"a": "1"}):
        keep_order_of_fields()
        first = request.parameter_storage_class
        keep_order_of_fields()
        assert request.parameter_storage_class is first
        assert fields_of(suspend(settings())) == [("a", "1")]


# --- what is not carried ---


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "GET", "REPORT"])
def test_only_what_a_form_can_send_is_carried(method: str) -> None:
    """HTML knows no other unsafe method than POST."""
    assert suspended(b"a=1", method=method) == "method"


@pytest.mark.parametrize(
    ("body", "environ"),
    [
        (b"{}", {"content_type": "application/json"}),
        (b"a=1", {"content_type": "text/plain"}),
        (b"a=1", {"content_type": "application/octet-stream"}),
        (b"a=1", {"content_type": None}),
        (b"a=1", {"content_type": ";x=1"}),
        (b"a=1", {"content_type": "nonsense"}),
        (b"", {"content_type": "application/json"}),
        (b"a=1", {"headers": {"Transfer-Encoding": "chunked"}}),
        (b"", {"content_type": None, "headers": {"Transfer-Encoding": "chunked"}}),
        (multipart([("a", "1")]), {"content_type": MULTIPART}),
        (multipart([("a", "1")]), {"content_type": f"{MULTIPART}; boundary="}),
        (multipart([("a", "1")]), {"content_type": f"{MULTIPART}; boundary=other"}),
        (multipart([("a", "1")])[:-9], {"content_type": content_type(MULTIPART)}),
        (b"a=\xff", {}),
        (b"&", {}),
    ],
)
@pytest.mark.parametrize("remembers", [True, False])
def test_what_is_no_form_is_not_carried(
    body: bytes, environ: Any, remembers: bool
) -> None:
    """Nor is what claims to be one and cannot be read."""
    assert suspended(body, remembers=remembers, **environ) == "body"


def test_a_body_that_somebody_else_has_used_up_is_not_carried() -> None:
    """A form that looks empty since its body is gone is not taken for an empty one."""
    for enctype in (URLENCODED, MULTIPART):
        with Flask("app").test_request_context(
            "/",
            method="POST",
            data=encoded(enctype, AWKWARD),
            content_type=content_type(enctype),
        ):
            keep_order_of_fields()
            request.stream.read()
            assert suspend(settings()) == "body"


def test_a_body_that_was_kept_when_it_was_read_is_carried() -> None:
    """``get_data`` keeps what it reads."""
    with Flask("app").test_request_context(
        "/", method="POST", data=INTERLEAVED, content_type=URLENCODED
    ):
        request.get_data()
        assert fields_of(suspend(settings())) == IN_ORDER


def test_a_client_that_hangs_up_halfway_is_no_error_of_ours() -> None:
    """Its body is shorter than it said."""
    assert suspended(b"a=1", **long(50)) == "body"


@pytest.mark.parametrize("remembers", [True, False])
@pytest.mark.parametrize(
    "part",
    [
        file_part("photo", "cat.png", "GIF89a"),
        file_part("photo", "empty.txt"),
        file_part("photo", "", "no name"),
    ],
)
def test_files_are_not_carried(part: str, remembers: bool) -> None:
    """A file was chosen if it has a name, or if there is anything in it."""
    body = multipart([("a", "1")], file_part("cv"), part)
    assert suspended(body, MULTIPART, remembers=remembers) == "files"
    assert suspended(multipart([], part), MULTIPART, remembers=remembers) == "files"


def test_a_file_that_the_app_has_read_is_a_file_still() -> None:
    """Wherever its stream stands."""
    body = multipart([], file_part("photo", "", "no name"))
    with Flask("app").test_request_context(
        "/", method="POST", data=body, content_type=content_type(MULTIPART)
    ):
        assert request.files["photo"].read() == b"no name"
        assert suspend(settings()) == "files"


@ENCTYPES
@pytest.mark.parametrize("name", ["_charset_", "_CHARSET_", "_Charset_"])
def test_a_field_that_browsers_fill_in_is_not_carried(enctype: str, name: str) -> None:
    """WHATWG HTML, constructing the entry list: whatever a hidden one holds."""
    fields = [("a", "1"), (name, "windows-1252")]
    assert suspended(encoded(enctype, fields), enctype) == "charset"
    similar = [("charset", "1"), ("_charset", "1"), ("x_charset_", "1")]
    assert fields_of(suspended(encoded(enctype, similar), enctype)) == similar


@ENCTYPES
@pytest.mark.parametrize("text", ["\0", "\n", "\r", "\n\r", "\r\r\n", "\r\n\n"])
def test_text_that_html_would_change_is_not_carried(enctype: str, text: str) -> None:
    """NUL is replaced, and each end of a line is CRLF."""
    fields = [("a", "1"), ("b", f"x{text}y")]
    assert suspended(encoded(enctype, fields), enctype) == "text"
    if enctype == URLENCODED:
        assert suspended(encoded(enctype, [(f"x{text}y", "1")])) == "text"


@ENCTYPES
def test_a_field_without_a_name_is_not_carried(enctype: str) -> None:
    """Browsers leave it out."""
    assert suspended(encoded(enctype, [("a", "1"), ("", "2")]), enctype) == "text"
    nameless = multipart([("a", "1")]).replace(b'; name="a"', b"")
    assert suspended(nameless, MULTIPART) == "text"
    assert suspended(multipart([], file_part("")), MULTIPART) == "text"


@pytest.mark.parametrize("name", [r"a\\b", "a*=utf-8''%2522", "a*=utf-8''%0D%0A"])
def test_a_name_that_werkzeug_would_unescape_again_is_not_carried(name: str) -> None:
    """Backslash, ``%22`` and ends of lines mean something else in a part's header."""
    written = name.removeprefix("a") if "*=" in name else f'="{name}"'
    body = multipart([("a", "1")]).replace(b'="a"', written.encode())
    with Flask("app").test_request_context(
        "/", method="POST", data=body, content_type=content_type(MULTIPART)
    ):
        [seen] = request.form
        assert set(seen) & {"\\", "%", "\r"}
        assert suspend(settings()) == "text"
    assert fields_of(suspended(urlencode({r"a\b%22": "1"}).encode()))


# --- size ---


@ENCTYPES
def test_the_limit_counts_names_and_values(enctype: str) -> None:
    """In UTF-8, and with those of files; exactly so."""
    fields = [("a", "x" * 90), ("\u00e9", "\u5c71" * 2)]
    size = 1 + 90 + 2 + 6
    body = encoded(enctype, fields)
    for limit, fits in ((size - 1, False), (size, True), (size + 1, True)):
        config = {"STEPUP_RESUME_MAX_BYTES": limit}
        form = suspended(body, enctype, config=config)
        assert isinstance(form, SuspendedForm) is fits
        assert fits or form == "size"
        body_with_file = encoded(MULTIPART, fields, "f")
        form = suspended(body_with_file, MULTIPART, config=config)
        assert isinstance(form, SuspendedForm) is (limit > size)


@ENCTYPES
def test_the_default_limit_is_exact_too(enctype: str) -> None:
    """Also where each byte of the form takes three of the body."""
    fits = encoded(enctype, [("a", "\u00e9" * 32_767), ("b", "")])
    above = encoded(enctype, [("a", "\u00e9" * 32_767), ("b", "x")])
    if enctype == URLENCODED:
        assert len(fits) > 3 * 65_530

    assert len(fields_of(suspended(fits, enctype))) == 2
    assert suspended(above, enctype) == "size"


@ENCTYPES
def test_so_many_fields_are_carried_and_no_more(enctype: str) -> None:
    """A thousand, files included, however small they are."""
    app = Flask("app")
    app.config["MAX_FORM_PARTS"] = 2_000
    fields = [(f"n{number}", "") for number in range(MOST_FIELDS)]
    most = encoded(enctype, fields)
    longest = encoded(enctype, [(f"name-{name:>0100}", "") for name, _ in fields])

    assert fields_of(suspended(most, enctype, app=app)) == fields
    for body in (encoded(enctype, [*fields, ("x", "")]), longest):
        assert suspended(body, enctype, app=app) == "size"
    config = {"STEPUP_RESUME_MAX_BYTES": 1_048_576}
    assert len(fields_of(suspended(longest, enctype, app=app, config=config))) == 1_000
    with_file = encoded(MULTIPART, fields, "f")
    assert suspended(with_file, MULTIPART, app=app) == "size"


def test_zero_carries_no_field() -> None:
    """What is empty fits."""
    config = {"STEPUP_RESUME_MAX_BYTES": 0}
    assert suspended(b"a=", config=config) == "size"
    empty = suspended(multipart([]), MULTIPART, config=config)
    assert empty == SuspendedForm(MULTIPART, [], [])


class WasRead(BaseException):
    """No Exception: for what reading raises there is an answer."""


class Untouched(io.BytesIO):
    """A body that must not be read."""

    def read(self, *size: Any) -> bytes:
        raise WasRead

    readline = readinto = readall = read  # type: ignore[assignment]


@ENCTYPES
def test_what_cannot_fit_is_not_read(enctype: str) -> None:
    """Its length tells; one byte less, and it has to be read to know."""
    longest = 3 * 100 + MOST_FIELDS * (2 if enctype == URLENCODED else 256)
    config = {"STEPUP_RESUME_MAX_BYTES": 100}
    for length in (longest + 1, 10**12):
        untouched = {"wsgi.input": Untouched()}
        form = suspended(b"", enctype, config=config, **long(length, **untouched))
        assert form == "size"
    with pytest.raises(WasRead):
        suspended(b"", enctype, config=config, **long(longest, **untouched))


@pytest.mark.parametrize(
    "environ",
    [
        {"method": "PUT"},
        {"content_type": "application/json"},
        {"content_type": None},
        {"headers": {"Transfer-Encoding": "chunked"}},
    ],
)
@pytest.mark.parametrize("length", [5, 10**12])
def test_what_is_no_form_is_not_read(environ: Any, length: int) -> None:
    """It is left to whom it belongs, however long it is."""
    overrides = long(length, **{"wsgi.input": Untouched()})
    assert suspended(b"", **environ, **overrides) in ("method", "body")


@ENCTYPES
def test_a_form_that_may_be_endless_is_not_read(enctype: str) -> None:
    """Browsers tell the length of a form; some servers pass on what has none."""
    kind = content_type(enctype)
    environ = {"REQUEST_METHOD": "POST", "CONTENT_TYPE": kind}
    environ |= {"wsgi.input": Untouched(), "wsgi.input_terminated": True}
    with Flask("app").test_request_context(environ_overrides=environ):
        assert request.content_length is None
        assert suspend(settings()) == "body"


def test_what_the_app_has_parsed_is_used_however_long_it_was() -> None:
    """Comments of a multipart body, say, count for nothing."""
    body = b"x" * 400_000 + b"\r\n" + multipart([("a", "1")])
    with Flask("app").test_request_context(
        "/", method="POST", data=body, content_type=content_type(MULTIPART)
    ):
        keep_order_of_fields()
        config = {"STEPUP_RESUME_MAX_BYTES": 100}
        assert suspend(settings(**config)) == "size"
        assert request.form["a"] == "1"
        assert fields_of(suspend(settings(**config))) == [("a", "1")]


@pytest.mark.parametrize(
    ("limit", "enctype"),
    [
        ("MAX_CONTENT_LENGTH", URLENCODED),
        ("MAX_CONTENT_LENGTH", MULTIPART),
        ("MAX_FORM_MEMORY_SIZE", MULTIPART),
        ("MAX_FORM_PARTS", MULTIPART),
    ],
)
def test_what_the_app_itself_finds_too_large_is_too_large(
    limit: str, enctype: str
) -> None:
    """It would answer 413: we say that it cannot be kept, and it says the rest."""
    app = Flask("app")
    app.config[limit] = 5
    body = encoded(enctype, [(f"n{number}", "x" * 10) for number in range(6)])

    assert suspended(body, enctype, app=app) == "size"


# --- secrets ---


@ENCTYPES
def test_secrets_are_not_carried(enctype: str) -> None:
    """Their names are, in their places; an empty one has nothing to hide."""
    fields = [
        ("to", "bob"),
        ("password", "hunter2"),
        ("user[PIN]", "1234"),
        ("csrf_token", "IjQ1.Zx"),
        ("cvc", ""),
        ("password", "hunter2"),
        ("password", ""),
    ]
    form = suspended(encoded(enctype, fields), enctype)

    assert isinstance(form, SuspendedForm)
    secret = [None, None, None]
    values = ["bob", *secret[:2], "IjQ1.Zx", "", None, ""]
    assert form.fields == list(zip([n for n, _ in fields], values, strict=True))
    assert form.secrets == ["password", "user[PIN]"]
    assert "hunter2" not in repr(form)
    assert "1234" not in repr(form)


def test_a_secret_may_be_any_text() -> None:
    """It does not come back from a page, so nothing there can change it."""
    form = suspended(b"password=%00%0A&a=1")
    assert isinstance(form, SuspendedForm)
    assert form.fields == [("password", None), ("a", "1")]
    assert suspended(b"password%00=x") == "text"


def test_an_app_says_what_its_secrets_are() -> None:
    """Its list takes the place of ours."""
    body = b"iban=GB33&password=x"
    config = {"STEPUP_SECRET_FIELDS": ["iban"]}
    form = suspended(body, config=config)
    assert isinstance(form, SuspendedForm)
    assert form.secrets == ["iban"]
    everything = suspended(body, config={"STEPUP_SECRET_FIELDS": ()})
    assert fields_of(everything) == [("iban", "GB33"), ("password", "x")]


# --- in a browser ---

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Form</title>
<form method="post" action="/{{ step }}" enctype="{{ enctype }}">
{% for name, value in fields %}
<input type="hidden" name="{{ name }}" value="{{ value }}">
{% endfor %}
{% for name in files %}<input type="file" name="{{ name }}">{% endfor %}
</form>
<script>HTMLFormElement.prototype.submit.call(document.forms[0])</script>"""

#: What could come back changed: each is in a value's beginning, middle and end.
SUSPECT = [chr(code) for code in [*range(1, 0x20), *range(0x7F, 0xA1)]]
SUSPECT += "\xad\u200b\u200e\u2028\u2029\ufeff\ufffd\ufffe\uffff\ufdd0\ue000\U0001ffff"
SUSPECT += [
    "\r\n",
    "%0A",
    "%22",
    "\\",
    "&amp;",
    "&#0;",
    "&",
    "<",
    ">",
    '"',
    "'",
    "e\u0301",
]


def posted_twice(enctype: str, fields: Pairs, files: list[str]) -> list[bytes]:
    """Have Chromium send a page's form, and then what was carried of it."""
    app = Flask("app")
    app.config["MAX_FORM_MEMORY_SIZE"] = 5_000_000
    bodies: list[bytes] = []
    form: Any = SuspendedForm(enctype, [*fields], files)

    def page(form: Any, step: str) -> str:
        return render_template_string(PAGE, step=step, **form_values(form))

    @app.get("/")
    def first() -> str:
        return page(form, "first")

    @app.post("/first")
    def again() -> str:
        bodies.append(request.get_data())
        suspended_form = suspend(settings(STEPUP_RESUME_MAX_BYTES=1_048_576))
        return page(suspended_form, "second")

    @app.post("/second")
    def done() -> str:
        bodies.append(request.get_data())
        return "done"

    with served(app) as url, chromium() as browser:
        visit = browser.new_page()
        visit.goto(url)
        visit.wait_for_url("**/second")
    return [body.replace(boundary_of(body), b"boundary") for body in bodies]


def form_values(form: SuspendedForm | NotKept) -> dict[str, Any]:
    assert isinstance(form, SuspendedForm), form
    names = ("enctype", "fields", "files")
    return {name: getattr(form, name) for name in names}


def boundary_of(body: bytes) -> bytes:
    return body.splitlines()[0] if body.startswith(b"--") else b"no boundary"


@needs_chromium
@ENCTYPES
def test_chromium_sends_the_same_again(enctype: str) -> None:
    """Promise 8: a page of hidden inputs sends what was carried, byte for byte."""
    shapes = ("%s", "%sa", "a%s", "a%sb", "a%s%sb")
    suspect = [shape.replace("%s", text) for shape in shapes for text in SUSPECT]
    fields = [*AWKWARD, *(("suspect", text) for text in suspect)]
    fields += [(text, "as a name") for text in suspect if enctype == URLENCODED]
    files = ["photo", "cv", "photo"] if enctype == MULTIPART else []
    first, second = posted_twice(enctype, fields, files)

    assert first == second
    assert first.count(b"suspect") == len(suspect)
    assert (b'"cv"; filename=""' in first) is (enctype == MULTIPART)


@needs_chromium
def test_what_is_refused_would_come_back_changed() -> None:
    """Chromium changes each text that is not carried, so it is refused with reason."""
    fields = [("a", text) for text in ("\0", "\n", "\r")] + [("", "x")]
    app = Flask("app")
    seen: Pairs = []

    @app.get("/")
    def first() -> str:
        form = {"enctype": URLENCODED, "files": []}
        return render_template_string(PAGE, step="got", fields=fields, **form)

    @app.post("/got")
    def got() -> str:
        seen.extend(request.form.items(multi=True))
        return "got"

    with served(app) as url, chromium() as browser:
        visit = browser.new_page()
        visit.goto(url)
        visit.wait_for_url("**/got")

    assert seen == [("a", "\ufffd"), ("a", "\r\n"), ("a", "\r\n")]


def test_a_secret_that_is_typed_twice_is_carried_in_no_field(
    make_app: MakeApp,
) -> None:
    """Whatever its second field is called; a short value may be a chance."""
    fields = [
        ("password", "correct horse"),
        ("confirm", "correct horse"),
        ("pin", "2026"),
    ]
    settings = make_app().extensions["stepup"].settings
    data = urlencode([*fields, ("year", "2026")])
    with make_app().test_request_context(
        method="POST", data=data, content_type=URLENCODED
    ):
        form = suspend(settings)

    assert isinstance(form, SuspendedForm)
    assert form.fields == [
        ("password", None),
        ("confirm", None),
        ("pin", None),
        ("year", "2026"),
    ]


def test_what_boxes_say_is_no_secret(make_app: MakeApp) -> None:
    """Nobody could enter it again."""
    fields = [("show_password", "on"), ("is_secret", "TRUE"), ("newsletter", "true")]
    settings = (
        make_app(STEPUP_SECRET_FIELDS=["*password*", "is_secret"])
        .extensions["stepup"]
        .settings
    )
    with make_app().test_request_context(
        method="POST", data=urlencode(fields), content_type=URLENCODED
    ):
        form = suspend(settings)

    assert isinstance(form, SuspendedForm)
    assert form.fields == fields

"""The action: what a request would do, told from whatever else it could do."""

from __future__ import annotations

import itertools
import json
import logging
from collections import UserDict
from collections.abc import Callable
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask import g
from flask import request
from flask.json.provider import DefaultJSONProvider
from flask.typing import ResponseReturnValue
from flask_wtf import CSRFProtect
from werkzeug.exceptions import BadRequest
from werkzeug.exceptions import NotFound
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.routing import BaseConverter

from flask_stepup import Policy
from flask_stepup.action import Action
from flask_stepup.action import current_action
from flask_stepup.errors import ConfigurationError
from flask_stepup.errors import ValueRefused
from flask_stepup.signing import Signer

KEY = Signer(["a key"])
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
#: A marker of whom nothing may tell.
HIDDEN = "hunter2"


class Field(StrEnum):
    """Names as an app may keep them."""

    TO = "to"


class Account:
    """What an app's own converter makes of a URL: an object without text."""


class AccountConverter(BaseConverter):
    def to_python(self, value: str) -> Account:
        return Account()


def is_secret(name: str) -> bool:
    return "password" in name


def action(bind: Any = None, signer: Signer = KEY, **policy: Any) -> Action:
    """What the current request would do."""
    policy.setdefault("once", bind is None)
    return current_action(Policy(bind=bind, **policy), signer, is_secret)


def bank(**config: Any) -> Flask:
    """An app whose views take what they are given in every way."""
    app = Flask("bank", **config)
    app.url_map.converters["account"] = AccountConverter
    methods = ["POST", "PUT", "PATCH", "DELETE"]
    for rule in (
        "/transfer", "/transfer/<to>", "/pay/<int:to>", "/close/<account:to>",
        "/move/<account:one>/<int:amount>", "/path/<path:to>",
    ):  # fmt: skip
        app.add_url_rule(rule, rule.split("/")[1], methods=methods, view_func=str)
    app.add_url_rule("/all", "pay", defaults={"to": 0}, methods=methods, view_func=str)
    return app


APP = bank()


def at(
    path: str = "/transfer", bind: Any = None, app: Flask = APP, **request: Any
) -> Action:
    """What a request would do, as ``test_request_context`` takes it."""
    policy = {k: request.pop(k) for k in ("scope", "signer") if k in request}
    with app.test_request_context(path, **{"method": "POST", **request}):
        return action(bind, **policy)


def refused(path: str = "/transfer", bind: Any = ("to",), **more: Any) -> ValueRefused:
    """The error that a request gets, which is an HTTP answer and tells no value."""
    with pytest.raises(ValueRefused) as caught:
        at(path, bind, **more)
    response = caught.value.get_response()
    assert response.status_code == caught.value.code in (400, 422)
    assert HIDDEN not in f"{caught.value} {caught.value!r} {response.get_data(True)}"
    return caught.value


# What the digest is of


def test_the_same_request_is_the_same_action() -> None:
    """A digest is one text of 132 bits, whenever and wherever it is computed."""
    one, other = (at("/transfer/7?x=1", app=app) for app in (APP, bank()))

    assert one == other
    assert len(one.digest) == 22
    assert one.values == {}
    assert one.shown == []


#: Each is another action than all others.
ACTIONS: list[dict[str, Any]] = [
    {}, {"method": "PUT"}, {"method": "DELETE"}, {"scope": "payments"},
    {"scope": "POST"}, {"path": "/transfer/7"}, {"path": "/transfer/8"},
    {"path": "/transfer/7", "bind": ("to",)}, {"path": "/transfer/8", "bind": ("to",)},
    {"path": "/pay/7"}, {"path": "/pay/7", "bind": ("to",)}, {"path": "/path/7"},
    {"path": "/all"}, {"path": "/pay/0"}, {"path": "/close/7"}, {"path": "/close/8"},
    {"path": "/move/1/2"}, {"path": "/move/2/1"}, {"path": "/move/1/1"},
    {"path": "/transfer?to=7", "bind": ("to",)},
    {"path": "/transfer?to=8", "bind": ("to",)},
    {"path": "/transfer?a=1&b=2", "bind": ("a", "b")},
    {"path": "/transfer?a=2&b=1", "bind": ("a", "b")},
    {"path": "/transfer?a=1&b=2", "bind": ("a",)},
    {"path": "/transfer?a=1&b=2", "bind": ("b",)},
    *({"json": {"to": value}, "bind": ("to",)}
      for value in (7, 7.0, True, None, ["a", "b"], ["ab"], {"a": 1}, {})),
    {"bind": lambda: {"to": Decimal(7)}}, {"bind": lambda: {"to": "", "x": ""}},
    {"bind": lambda: {"to": ""}}, {"bind": lambda: {"x": ""}},
    {"bind": lambda: {"ab": "c"}}, {"bind": lambda: {"a": "bc"}},
    {"bind": lambda: {"to": {"x": ""}}},
]  # fmt: skip


def test_different_actions_have_different_digests() -> None:
    """Scope, method, view, its arguments, names and values: each makes another one."""
    made = [(case, at(**case).digest) for case in ACTIONS]

    same = [(a, b) for (a, x), (b, y) in itertools.combinations(made, 2) if x == y]
    assert same == []


def test_the_digest_needs_the_key() -> None:
    """Who does not know the app's key cannot find out what a digest is of."""
    one, other = (
        at("/transfer?to=7", ("to",), signer=Signer([key])) for key in ("a", "b")
    )

    assert one.values == other.values
    assert one.digest != other.digest


def test_an_approval_is_of_a_view_and_not_of_its_url() -> None:
    """Where a new version of the app has another view there, it is another action."""
    new = Flask("bank")
    new.add_url_rule("/transfer", "donate", str, methods=["POST"])

    assert at(app=new) != at()


def test_the_order_of_names_makes_no_other_action() -> None:
    """It is how values are shown, and not what they do."""
    path = "/transfer?a=1&b=2"
    one, other = at(path, ("a", "b")), at(path, ("b", "a"))
    made = at(path, lambda: {"b": "2", "a": "1"})

    assert one.digest == other.digest == made.digest
    assert list(one.values) == ["a", "b"]
    assert list(other.values) == list(made.values) == ["b", "a"]


def test_what_is_not_bound_makes_no_other_action() -> None:
    """A CSRF token may change between the prompt and the next try."""
    one = at(data={"to": "7", "csrf_token": "a"}, bind=("to",))
    other = at("/transfer?page=2", data={"csrf_token": "b", "to": "7"}, bind=("to",))

    assert one == other


def test_what_has_no_text_is_told_apart_by_its_address() -> None:
    """Objects of an app's own converter stand for what the URL says."""
    assert at("/close/7") == at("/close/7")
    assert at("/close/7") != at("/close/8")


def test_arguments_that_a_url_processor_takes_out_count() -> None:
    """Flask's pattern of a tenant in the URL, who is popped before the view runs."""
    app = bank()
    app.add_url_rule("/<tenant>/wipe", "wipe", str, methods=["POST"])

    @app.url_value_preprocessor
    def take_tenant(endpoint: str | None, values: dict[str, Any] | None) -> None:
        g.tenant = (values or {}).pop("tenant", None)

    digests = set()
    for tenant in ("a", "b"):
        with app.test_request_context(f"/{tenant}/wipe", method="POST"):
            app.preprocess_request()
            assert request.view_args == {}
            digests.add(action().digest)
    assert len(digests) == 2


def test_arguments_that_a_url_processor_puts_in_count() -> None:
    """The URL does not tell them, but the view is called with them."""
    digests = set()
    for tenant in ("a", "b", 1, "1"):
        with APP.test_request_context("/transfer", method="POST"):
            assert request.view_args is not None
            request.view_args["tenant"] = tenant
            digests.add(action().digest)
    assert len(digests) == 4


def test_the_host_counts_where_it_names_something() -> None:
    """Where an app has subdomains or matches hosts, another one is another place."""

    def digests(app: Flask) -> set[str]:
        """Of hosts that only differ by an argument, which is taken out."""
        found = set()
        for host in ("http://a.example", "http://b.example"):
            with app.test_request_context("/wipe", base_url=host, method="POST"):
                assert request.endpoint == "wipe"
                (request.view_args or {}).pop("tenant", None)
                found.add(action().digest)
        return found

    def wipes(app: Flask, **options: str) -> Flask:
        app.add_url_rule("/wipe", "wipe", str, methods=["POST"], **options)
        return app

    by_host = Flask("bank", host_matching=True, static_host="a.example")
    by_subdomain = bank(subdomain_matching=True)
    by_subdomain.config["SERVER_NAME"] = "example"

    assert len(digests(wipes(bank()))) == 1
    assert len(digests(wipes(by_host, host="<tenant>.example"))) == 2
    assert len(digests(wipes(by_subdomain, subdomain="<tenant>"))) == 2


def test_where_the_app_is_mounted_is_part_of_an_action() -> None:
    """Mounted for tests it is not the same as for real; the scheme does not count."""
    assert at(base_url="https://localhost") == at()
    assert at(base_url="http://localhost/test") != at()


# Where values come from


#: One value called ``to``, by every way in, and as what it arrives.
SOURCES: dict[str, tuple[dict[str, Any], Any]] = {
    "view": ({"path": "/transfer/7"}, "7"),
    "converter": ({"path": "/pay/7"}, 7),
    "query": ({"path": "/transfer?to=7"}, "7"),
    "form": ({"data": {"to": "7"}}, "7"),
    "multipart": ({"data": {"to": "7"}, "content_type": "multipart/form-data"}, "7"),
    "json": ({"json": {"to": 7}}, 7),
    "json api": ({"data": '{"to": [7]}', "content_type": "application/x+json"}, [7]),
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_name_is_found_wherever_it_is(source: str, method: str) -> None:
    """In view arguments, query, form and JSON, whatever the method."""
    sent, value = SOURCES[source]

    found = at(bind=("to",), method=method, **sent)

    assert found.values == {"to": value}
    assert type(found.values["to"]) is type(value)


@pytest.mark.parametrize("source", SOURCES)
def test_a_name_that_is_nowhere_is_refused(source: str) -> None:
    """Whatever else was sent, also with another case or as part of a name."""
    sent, _ = SOURCES[source]
    for name in ("amount", "To", "t", "to[]"):
        error = refused(bind=(name,), **sent)

        assert (error.name_of_value, error.fault, error.code) == (
            name, "is missing", 400
        )  # fmt: skip


@pytest.mark.parametrize(
    "sent",
    [{"path": "/transfer/7?to=7"}, {"path": "/transfer/7", "data": {"to": "7"}},
     {"path": "/pay/7", "json": {"to": 7}}, {"path": "/all?to=0"},
     {"path": "/transfer?to=7&to=7"}, {"path": "/transfer?to=7&to="},
     {"path": "/transfer?to=7", "data": {"to": "7"}},
     {"path": "/transfer?to=7", "json": {"to": "7"}},
     {"path": "/transfer?to=7", "json": {"to": None}},
     {"data": {"to": ["7", "8"]}}, {"data": "to=&to=7", "content_type": FORM},
     {"data": {"to": ["7", "7"]}, "content_type": "multipart/form-data"}],
    ids=str,
)  # fmt: skip
def test_a_name_that_comes_twice_is_refused(sent: dict[str, Any]) -> None:
    """Also with the same value: nobody knows which of the two the view will take."""
    error = refused(**sent)

    assert (error.fault, error.code) == ("was sent more than once", 400)


@pytest.mark.parametrize("query", ["", "?to=7"])
@pytest.mark.parametrize("filename", ["", "a.txt"])
def test_a_file_is_not_a_value(query: str, filename: str) -> None:
    """A name under which a file came is missing, be there text of that name or not."""
    part = (BytesIO(HIDDEN.encode()), filename, "text/plain")
    sent = {"data": {"to": part}, "content_type": "multipart/form-data"}

    assert refused(f"/transfer{query}", **sent).fault.startswith("is missing")


@pytest.mark.parametrize(
    "body",
    [b"{", b"", b" ", b"to=7", b"nonsense", b"[]", b'["to"]', b'"to"', b"7", b"null",
     b"true", b'{"to": NaN}', b'{"to": 7, "x": -Infinity}', b'{"to": 7,}', b"{'to': 7}",
     b'{"to": 7} {"to": 8}', b"\xff", b'{"to": "\xff"}',
     b'{"to": ' + b"9" * 5_000 + b"}",
     b'{"to": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
     b"[" * 100_000, b'{"to":' * 100_000, b'{"to": 7, "to": 7}', b'{"to": 7, "to": 8}',
     b'{"t\\u006f": 7, "to": 8}', b'{"to": 7, "x": 1, "x": 2}',
     b'{"to": 7, "x": [{"y": 1, "y": 1}]}', b'{"to": {"y": 1, "y": 2}}'],
    ids=lambda body: ascii(body[:30]),
)  # fmt: skip
@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("path", ["/transfer", "/transfer/7"])
def test_json_that_two_could_read_differently_is_refused(
    path: str, debug: bool, body: bytes
) -> None:
    """As 400 and never 500; a body without anything in it is merely empty."""
    app = bank()
    app.debug = debug
    sent = {"data": body, "content_type": JSON, "app": app}
    if path == "/transfer/7" and body == b"":
        assert at(path, ("to",), **sent).values == {"to": "7"}
        return

    error = refused(path, **sent)

    assert error.code == 400
    assert error.fault.startswith("is unclear" if body else "is missing")


def test_json_may_be_in_any_encoding_that_flask_reads() -> None:
    """What the view reads is what is read."""
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32-le"):
        body = '{"to": "Zoë"}'.encode(encoding)
        assert at(data=body, content_type=JSON, bind=("to",)).values == {"to": "Zoë"}


@pytest.mark.parametrize("content_type", ["text/plain", "", "application/octet-stream"])
def test_what_is_not_said_to_be_json_is_not_read_as_json(content_type: str) -> None:
    """Only what says so is; a name is missing that would be in such a body."""
    sent = {"data": b'{"to": "7", "to": 8}', "content_type": content_type}

    assert refused(**sent).fault == "is missing"
    assert at("/transfer/7", ("to",), **sent).values == {"to": "7"}


@pytest.mark.parametrize("content_type", ["text/plain", "", "application/octet-stream"])
def test_a_query_beside_a_body_of_unknown_type_is_unclear(content_type: str) -> None:
    """A view that reads JSON whatever the type says would do what nobody was shown."""
    sent = {"data": b'{"to": "mallory"}', "content_type": content_type}

    assert "neither a form nor JSON" in refused("/transfer?to=7", **sent).fault
    assert at("/transfer?to=7", ("to",)).values == {"to": "7"}


def test_no_secret_within_a_value_is_shown() -> None:
    """A key of JSON may be that of a secret, at any depth."""
    for value in ({"password": "4711"}, [{"card": {"password": "4711"}}]):
        error = refused(json={"to": value})

        assert error.fault == "holds what must not be shown"


def test_the_value_is_the_one_that_the_app_reads() -> None:
    """An app's own JSON provider makes of numbers what its views get."""

    class Exact(DefaultJSONProvider):
        def loads(self, s: str | bytes, **kwargs: Any) -> Any:
            return UserDict(json.loads(s, parse_float=Decimal))

    app = bank()
    app.json = Exact(app)

    found = at(data=b'{"to": 0.10}', content_type=JSON, bind=("to",), app=app)

    assert found.values == {"to": "0.10"}


def test_what_the_apps_own_json_refuses_is_refused() -> None:
    """It may be stricter than Python's, and then the view would not get it either."""

    class Strict(DefaultJSONProvider):
        def loads(self, s: str | bytes, **kwargs: Any) -> Any:
            raise ValueError(HIDDEN)

    app = bank()
    app.json = Strict(app)

    assert refused(json={"to": "7"}, app=app).code == 400


def test_json_is_only_read_where_a_name_needs_it() -> None:
    """Neither for ``once`` nor for a function is a body parsed, or even read."""
    for bind in (None, lambda: {"to": 7}):
        with APP.test_request_context(
            "/transfer", method="POST", data=b"{", content_type=JSON
        ):
            action(bind)
            assert request.stream.read() == b"{"


def test_what_is_too_large_for_the_app_is_too_large() -> None:
    """The app's own limits answer as they always do."""
    app = bank()
    app.config["MAX_CONTENT_LENGTH"] = 10
    with pytest.raises(RequestEntityTooLarge):
        at(data={"to": "x" * 100}, bind=("to",), app=app)
    with pytest.raises(RequestEntityTooLarge):
        at(json={"to": "x" * 100}, bind=("to",), app=app)


# Which values can be approved


def test_the_same_value_by_form_and_by_json_differs_by_its_type_alone() -> None:
    """The text "7" is the same action by either; the number 7 is another one."""
    by_form = at(data={"to": "7"}, bind=("to",))

    assert at(json={"to": "7"}, bind=("to",)) == by_form
    assert at("/transfer?to=7", ("to",)) == by_form
    assert at(json={"to": 7}, bind=("to",)).digest != by_form.digest


@pytest.mark.parametrize(
    ("value", "code"),
    [("x" * 501, 422), ("\ud800", 422), (["x" * 500], 422), (10**501, 422),
     (HIDDEN * 1_000_000, 422), ([HIDDEN] * 1_000_000, 422), ({HIDDEN * 80: 1}, 422)],
    ids=lambda value: ascii(value)[:20],
)  # fmt: skip
def test_a_value_that_nobody_can_read_is_refused(value: object, code: int) -> None:
    """By names and by functions alike, and with no word of what it was."""
    assert refused(json={"to": value}).code == code
    assert refused(bind=lambda: {"to": value}).code == code


def test_a_number_without_end_is_refused() -> None:
    """JSON can write one that Python takes for infinite."""
    error = refused(data=b'{"to": 1e999}', content_type=JSON)

    assert (error.fault, error.code) == ("is not a finite number", 400)


def test_long_text_fits_exactly() -> None:
    """500 characters of any script are shown whole."""
    for text in ("x" * 500, "東" * 500, "🔑" * 500):
        assert at(data={"to": text}, bind=("to",)).shown == [("to", text)]


@pytest.mark.parametrize("name", ["password", "old_password"])
def test_a_secret_is_not_bound(name: str) -> None:
    """Its value would be shown, so the developer is told, whatever was sent."""
    for sent in ({}, {"data": {name: HIDDEN}}, {"json": {name: HIDDEN}}):
        with pytest.raises(ConfigurationError, match=name) as caught:
            at(bind=("to", name), **sent)
        assert "STEPUP_SECRET_FIELDS" in str(caught.value)
        assert HIDDEN not in str(caught.value)


def test_a_function_may_name_what_it_shows_as_it_likes() -> None:
    """What it calls a password is a text of its own, and not a field."""
    found = at(bind=lambda: {"old password": "kept"})

    assert found.shown == [("old password", "kept")]


def test_an_object_is_not_bound() -> None:
    """What a converter made, and nothing could show, is the developer's to change."""
    with pytest.raises(ConfigurationError, match="'to' holds a Account"):
        at("/close/7", ("to",))


# Functions


@pytest.mark.parametrize(
    "returned",
    [None, {}, [], [("to", 7)], HIDDEN, {"": 1}, {7: 1}, {None: HIDDEN}, {"x" * 65: 1},
     {"a\nb": 1}, {"\u202ea": 1}, {"\ud800": 1}, dict.fromkeys(map(str, range(17))),
     {"to": object()}, {"to": b"hunter2"}, {"to": {HIDDEN}}, {b"to": 1}, 7, iter([])],
    ids=lambda value: ascii(value)[:20],
)  # fmt: skip
def test_a_function_that_returns_something_else_is_wrong(returned: object) -> None:
    """The developer is told what it has to return, and never what it returned."""
    with pytest.raises(ConfigurationError) as caught:
        at(bind=lambda: returned)

    assert "hunter2" not in str(caught.value)
    assert "must" in str(caught.value) or "use text" in str(caught.value)


@pytest.mark.parametrize(
    "returned",
    [{"to": 7}, UserDict(to=7), {"x" * 64: ""}, {"Zoë 東京 <b>": 1},
     dict.fromkeys(map(str, range(16)))],
    ids=lambda value: ascii(value)[:20],
)  # fmt: skip
def test_a_function_names_its_values(returned: Mapping[str, Any]) -> None:
    """One to sixteen of them, by names that can be printed."""
    found = at(bind=lambda: returned)

    assert found.values == dict(returned)
    assert [name for name, _ in found.shown] == list(returned)


@pytest.mark.parametrize(
    "error", [NotFound(), BadRequest(), ValueError("x"), KeyError()]
)
def test_what_a_function_raises_goes_through(error: Exception) -> None:
    """An app may answer 404, or find its own mistake, as anywhere else."""

    def raises() -> dict[str, Any]:
        raise error

    with pytest.raises(type(error)) as caught:
        at(bind=raises)
    assert caught.value is error


def test_names_are_plain_text() -> None:
    """Whatever a function makes them of, JSON has them as they are shown."""
    found = at(bind=lambda: {Field.TO: 7})

    assert found == at(bind=lambda: {"to": 7})
    assert [type(name) for name in found.values] == [str]


def test_a_mapping_in_a_demand_is_bound() -> None:
    """``bind={"to": …}`` has become a function, and is what it says."""
    assert at(bind={"to": 7, "amount": Decimal("1.50")}).values == {
        "to": 7, "amount": "1.50"
    }  # fmt: skip


# What people see


@pytest.mark.parametrize(
    "name",
    ["<script>", 'to"', "'", "{{ 7 * 7 }}", "items", "__class__", "get", "ë", "%00",
     "a b", "“to”", "a&b=c", "self", "x" * 64, "\u3164"],
    ids=ascii,
)  # fmt: skip
def test_names_are_names(name: str) -> None:
    """Whatever a field is called, it is looked up as that, and shown without tricks."""
    shown = "[U+3164]" if name == "\u3164" else name

    assert at(data={name: "7"}, bind=(name,)).shown == [(shown, "7")]
    assert at(json={name: "7"}, bind=(name,)).shown == [(shown, "7")]
    error = refused(bind=(name,))
    assert "<script>" not in error.get_response().get_data(True)


def test_values_hide_nothing() -> None:
    """What cannot be seen is named on the page; programs get it as it is."""
    found = at(data={"to": "a\u202eb\r\nc"}, bind=("to",))

    assert found.shown == [("to", "a[U+202E]b↵c")]
    assert found.values == {"to": "a\u202eb\r\nc"}


def test_an_action_is_shown_the_same_after_a_journey() -> None:
    """A challenge carries it as JSON, and shows what was to be approved."""
    values = {"b": [True, None, {"y": 1.0, "x": "é"}], "a": False, "c": None, "d": 1.0}
    found = at(bind=lambda: {**values, "e": Decimal("1.0"), "f": ""})
    back = json.loads(json.dumps(list(found.values.items())))

    assert Action(found.digest, dict(back)).shown == found.shown
    assert found.shown == [
        ("b", '[true, null, {"x": "é", "y": 1.0}]'), ("a", "no"), ("c", "none"),
        ("d", "1.0"), ("e", "1.0"), ("f", ""),
    ]  # fmt: skip


# The view afterwards


def guarded(bind: Any, view: Callable[[], ResponseReturnValue]) -> Flask:
    """An app that computes the action before its view runs, as the gate does."""
    app = Flask("bank", root_path=str(Path(__file__).parent))
    app.secret_key = "k" * 32

    def run(**arguments: Any) -> ResponseReturnValue:
        g.action = action(bind)
        return view()

    app.add_url_rule("/run", "run", run, methods=["POST", "PUT"])
    return app


def read_all() -> ResponseReturnValue:
    """A view that looks at its body in every way."""
    return {
        "form": request.form.to_dict(flat=False),
        "files": {name: f.read().decode() for name, f in request.files.items()},
        "json": request.get_json(silent=True),
        "data": request.get_data(as_text=True),
    }


@pytest.mark.parametrize(
    "sent",
    [{"json": {"to": 7, "x": ["y"]}}, {"data": {"to": "7", "x": ["1", "2"]}},
     {"data": "to=%FF&to2=+", "content_type": FORM}],
    ids=str,
)  # fmt: skip
def test_the_view_reads_its_body_as_if_nothing_had_been(sent: dict[str, Any]) -> None:
    """As form, as JSON, and as bytes, just what an unguarded view reads."""
    bound, free = guarded(("to",), read_all), guarded(None, read_all)

    got = bound.test_client().post("/run", **sent)

    assert got.status_code == 200
    assert got.json == free.test_client().post("/run", **sent).json
    assert got.json["form"] or got.json["json"]


def test_the_view_reads_its_files_as_if_nothing_had_been() -> None:
    """A file beside a bound field is there for the view, from its beginning."""
    data = {"to": "7", "file": (BytesIO(b"abc"), "a.txt")}

    got = guarded(("to",), read_all).test_client().post("/run", data=data).json

    assert got["form"] == {"to": ["7"]}
    assert got["files"] == {"file": "abc"}


@pytest.mark.parametrize("content_type", [JSON, "application/octet-stream"])
def test_the_view_may_read_the_stream(content_type: str) -> None:
    """Large uploads are not read before the view does so."""
    bind = ("to",) if content_type == JSON else lambda: {"to": "7"}
    app = guarded(bind, lambda: request.stream.read())
    body = b'{"x": 1}'

    response = app.test_client().post("/run?to=7", data=body, content_type=content_type)

    assert response.data == body


@pytest.mark.parametrize("csrf", [False, True])
@pytest.mark.parametrize("multipart", [False, True])
def test_a_body_that_was_read_before_is_read_again(csrf: bool, multipart: bool) -> None:
    """Flask-WTF's check looks into the form before any view runs."""
    app = guarded(("to",), lambda: {"form": request.form["to"], **g.action.values})
    kind = "multipart/form-data" if multipart else FORM
    if csrf:
        CSRFProtect(app)
        app.add_url_rule(
            "/token", "token", lambda: app.jinja_env.globals["csrf_token"]()
        )
    client = app.test_client()
    token = client.get("/token").text if csrf else ""

    response = client.post(
        "/run", data={"to": "7", "csrf_token": token}, content_type=kind
    )

    assert response.json == {"form": "7", "to": "7"}
    if csrf:
        assert client.post("/run", data={"to": "7"}).status_code == 400


@pytest.mark.parametrize(
    "read",
    [lambda: request.get_json(), lambda: request.get_data(), lambda: request.form],
)
def test_json_that_was_read_before_is_read_again(read: Callable[[], object]) -> None:
    """By whatever hook, and in whatever way that leaves it to the view."""
    app = guarded(("to",), lambda: {**request.get_json(), **g.action.values})

    @app.before_request
    def look() -> None:
        read()

    assert app.test_client().post("/run", json={"to": 7}).json == {"to": 7}


def test_a_refused_value_is_an_answer_and_no_crash(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The view does not run; the answer is short, and nothing of it is in the log."""
    ran = []
    app = guarded(("to",), lambda: str(ran.append(1)))
    client = app.test_client()
    with caplog.at_level(logging.DEBUG):
        long = client.post("/run", json={"to": HIDDEN * 1_500_000})
        twice = client.post("/run?to=a", data={"to": HIDDEN})

    assert (long.status_code, twice.status_code) == (422, 400)
    assert len(long.data) < 500
    assert "“to” is too long" in long.text
    assert HIDDEN not in long.text + twice.text + caplog.text
    assert ran == []


def test_json_that_calls_itself_a_form_is_unclear() -> None:
    """As a form it is one field, with a name like no other; a view may parse it."""
    for body in (b'{"to": "mallory"}', b'[{"to": "mallory"}]'):
        sent = {"data": body, "content_type": FORM}

        assert "neither a form nor JSON" in refused("/transfer?to=7", **sent).fault
    assert at("/transfer?to=7", ("to",), data=b"", content_type=FORM).values
    assert at("/transfer?to=7", ("to",), data=b"a=1", content_type=FORM).values


def test_secrets_are_sought_in_what_a_person_would_read() -> None:
    """What is too long or too deep is refused before."""
    deep: Any = {"password": "4711"}
    for _ in range(200):
        deep = {"x": deep}

    assert refused(json={"to": deep}).code == 422
    assert refused(json={"to": {"p" * 100_000: 1}}).code == 422

"""What a request must be before it is answered, in the order of the checks."""

from __future__ import annotations

import hmac
import json
from typing import Any

from werkzeug import Request
from werkzeug.exceptions import BadRequest
from werkzeug.exceptions import RequestEntityTooLarge

from .answers import bad_parameter
from .answers import ErrorAnswer

#: https://clerk.com/docs/guides/development/upgrading/versioning
API_VERSIONS = frozenset(
    ("2021-02-05", "2024-10-01", "2025-03-12", "2025-04-10", "2025-11-10", "2026-05-12")
)
#: Bytes. Clerk does not say where its own limit lies.
LONGEST_BODY = 65_536


def check_key(request: Request, secret_key: str) -> None:
    """Let the sandbox's own key pass; never tell a key that was sent."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key or " " in key:
        raise ErrorAnswer(
            401,
            "authorization_header_format_invalid",
            "Invalid Authorization header format",
            "Must be 'Bearer <YOUR_API_KEY>'",
        )
    if hmac.compare_digest(key.encode(), secret_key.encode()):
        return
    raise ErrorAnswer(
        401,
        "clerk_key_invalid",
        "The provided Clerk Secret Key is invalid",
        "A live key must never be sent to a sandbox: give the app the sandbox's key, "
        "and consider rolling the live one"
        if key.startswith("sk_live_")
        else "This is not the key that the sandbox was started with",
    )


def check_version(request: Request) -> None:
    """Let a known API version pass, named by header or query or not at all."""
    named = [
        *request.headers.getlist("Clerk-API-Version"),
        *request.args.getlist("__clerk_api_version"),
    ]
    if len(named) > 1 or not API_VERSIONS.issuperset(named):
        raise ErrorAnswer(
            400,
            "api_version_invalid",
            "invalid API version",
            "Name one version, in the Clerk-API-Version header or in the query: "
            + ", ".join(sorted(API_VERSIONS)),
        )


def code_sent(request: Request) -> str:
    """Return the ``code`` of a body that holds it and nothing else."""
    data = _json_object(request)
    for name in data:
        if name != "code":
            raise bad_parameter(
                "form_param_unknown", name, "is unknown", "The only field is code"
            )
    if "code" not in data:
        raise bad_parameter(
            "form_param_missing", "code", "is missing", "code must be included"
        )
    if not isinstance(data["code"], str):
        raise bad_parameter(
            "form_param_type_invalid", "code", "is invalid", "code must be a string"
        )
    return data["code"]


def _json_object(request: Request) -> dict[str, Any]:
    if request.mimetype != "application/json":
        raise ErrorAnswer(
            415,
            "unsupported_content_type",
            "unsupported content type",
            "Content-Type must be application/json",
        )
    try:
        data = json.loads(_body(request))
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise ErrorAnswer(
            400,
            "request_body_invalid",
            "invalid request body",
            "The body must be a JSON object",
        )
    return data


def _body(request: Request) -> bytes:
    # A chunked body that is longer comes cut off there, and without an error.
    request.max_content_length = LONGEST_BODY + 1
    try:
        body = request.get_data()
    except RequestEntityTooLarge:
        body = None
    except BadRequest:  # the client went away in the middle of it
        return b""
    if body is None or len(body) > LONGEST_BODY:
        raise ErrorAnswer(
            413,
            "request_body_too_large",
            "request body too large",
            f"The body may have {LONGEST_BODY} bytes",
        )
    return body

"""What of a submitted form is carried through the prompt, to be sent again after it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from dataclasses import field
from typing import Literal

from flask import request
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import RequestEntityTooLarge

from .field_order import Fields
from .field_order import fields_in_order
from .field_order import is_parsed
from .field_order import MULTIPART
from .field_order import URLENCODED
from .settings import Settings
from .signing import Signer

#: More hidden inputs would make a page of megabytes.
MOST_FIELDS = 1_000
#: Characters of a secret that other fields are searched for.
SHORTEST_TYPED_TWICE = 6
#: Characters of base64 (96 bits): enough to tell the forms of one person apart.
TIE_LENGTH = 16
#: What boxes that are ticked, and choices, say: "show_password=on".
_NO_SECRETS = frozenset({"", "on", "off", "true", "false", "yes", "no"})
#: What is asked for again right after a secret is the same secret, or should be.
_AGAIN = re.compile("confirm|again|repeat|retype|verify", re.IGNORECASE)
#: Bytes around a name and its value, at most: two separators; or a boundary (70 bytes,
#: RFC 2046, 5.1.1), the headers of a file input left empty, and line ends.
_AROUND_A_FIELD = {URLENCODED: 2, MULTIPART: 256}
#: What a hidden input does not give back: the HTML parser replaces NUL, browsers send
#: CRLF for each end of a line (WHATWG HTML, constructing the entry list).
_CHANGES = re.compile("\0|\r(?!\n)|(?<!\r)\n|[\ud800-\udfff]")
#: In the names of parts Werkzeug takes more for an escape than browsers escape.
_CHANGES_IN_PART_NAME = re.compile(r"\\|%22|[\r\n]")

#: Why nothing is kept. ``method``: no HTML form sends it; ``body``: it is no form, or
#: cannot be read as one; ``size``: it is too large, whatever it holds, files perhaps;
#: ``files``: a file was chosen; ``charset`` and ``text``: browsers would send something
#: else than was sent before.
NotKept = Literal["method", "body", "size", "files", "charset", "text"]


@dataclass(frozen=True, slots=True)
class SuspendedForm:
    """A form as a browser sent it, and as hidden inputs have it sent again.

    :param enctype: as in HTML.
    :param fields: names and values in the order in which they came, repeats too; None
        for a secret, which has to be entered again.
    :param files: names of the file inputs that were left empty, in order.
    :param areas: names of secrets that have several lines.
    """

    enctype: str
    fields: list[tuple[str, str | None]]
    files: list[str]
    areas: list[str] = field(default_factory=list)

    @property
    def secrets(self) -> list[str]:
        """Names of what has to be entered again, once each, in order."""
        return list(dict.fromkeys(name for name, value in self.fields if value is None))


def tie_of(kept: SuspendedForm | NotKept, signer: Signer) -> str:
    """Return the digest of a form, but for its secrets; empty where none is kept."""
    if not isinstance(kept, SuspendedForm):
        return ""
    parts = json.dumps([kept.enctype, kept.fields, kept.files])
    return signer.digest("form", parts)[:TIE_LENGTH]


def suspend(settings: Settings) -> SuspendedForm | NotKept:
    """Return what can be carried of the current request, or why nothing can.

    The body is parsed only where its length says that it may fit. Nothing is raised: a
    form that the app's own limits refuse (413) is too large to be kept as well, and
    the app says so itself when it is sent again.
    """
    enctype = request.mimetype or URLENCODED
    reason = _not_worth_parsing(enctype, settings.resume_max_bytes)
    if reason:
        return reason
    try:
        fields, files = fields_in_order(enctype)
    except RequestEntityTooLarge:
        return "size"
    except HTTPException:
        return "body"
    if fields is None:
        return "body"
    if any(_is_chosen(file) for _, file in files):
        return "files"
    return _kept(enctype, fields, [name for name, _ in files], settings)


def _kept(
    enctype: str, fields: Fields, files: list[str], settings: Settings
) -> SuspendedForm | NotKept:
    texts = [*files, *(text for field in fields for text in field)]
    size = sum(len(text.encode(errors="surrogatepass")) for text in texts)
    if len(fields) + len(files) > MOST_FIELDS or size > settings.resume_max_bytes:
        return "size"
    carried = _without_secrets(fields, settings)
    # A browser puts its own value into a hidden input of this name.
    if any(name.lower() == "_charset_" for name, _ in carried):
        return "charset"
    names = [*files, *(name for name, _ in carried)]
    # Browsers leave out what has no name.
    is_same = all(names) and not any(map(_CHANGES.search, names))
    is_same &= not any(value and _CHANGES.search(value) for _, value in carried)
    if enctype == MULTIPART:
        is_same &= not any(map(_CHANGES_IN_PART_NAME.search, names))
    areas = [
        n
        for (n, v), (_, kept) in zip(fields, carried, strict=True)
        if kept is None and "\n" in v
    ]
    return SuspendedForm(enctype, carried, files, areas) if is_same else "text"


def _without_secrets(
    fields: Fields, settings: Settings
) -> list[tuple[str, str | None]]:
    def is_secret(name: str, value: str) -> bool:
        return value.lower() not in _NO_SECRETS and settings.is_secret(name)

    # What is typed twice has any name the second time.
    typed_twice = {
        value
        for name, value in fields
        if is_secret(name, value) and len(value) >= SHORTEST_TYPED_TWICE
    }
    carried: list[tuple[str, str | None]] = []
    follows_secret = False
    for name, value in fields:
        follows_secret = (
            is_secret(name, value)
            or value in typed_twice
            or (follows_secret and bool(value) and bool(_AGAIN.search(name)))
        )
        carried.append((name, None if follows_secret else value))
    return carried


def _not_worth_parsing(enctype: str, most_bytes: int) -> NotKept | None:
    if request.method != "POST":
        return "method"
    length = request.content_length
    # Browsers tell how long a form is. What has no type must be empty to be one.
    is_form = length is not None if request.mimetype else not length
    is_chunked = "Transfer-Encoding" in request.headers
    if not is_form or is_chunked or enctype not in _AROUND_A_FIELD:
        return "body"
    # At most three bytes of a body make one: "%20".
    longest = 3 * most_bytes + MOST_FIELDS * _AROUND_A_FIELD[enctype]
    is_too_long = (length or 0) > longest and not is_parsed()
    return "size" if is_too_long else None


def _is_chosen(file: FileStorage) -> bool:
    if file.filename:
        return True
    file.stream.seek(0)
    has_content = bool(file.stream.read(1))
    file.stream.seek(0)
    return has_content

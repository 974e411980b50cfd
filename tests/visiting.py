"""Somebody with a browser's headers and cookie rules in front of a served app."""

from __future__ import annotations

import html
import re
from types import TracebackType
from urllib.parse import urlsplit

import httpx
from people import PAGE

#: Browsers of before 2023 send none of these.
OLD_BROWSER = {name: v for name, v in PAGE.items() if not name.startswith("Sec-")}


class Visit:
    """A browser that keeps cookies by path and scheme, and follows links by hand.

    :param site: the address of the app, with the path below which it is.
    :param headers: what the browser sends of itself.
    """

    def __init__(self, site: str, headers: dict[str, str] = PAGE) -> None:
        self.site = site
        self.origin = f"{urlsplit(site).scheme}://{urlsplit(site).netloc}"
        # Certificates of tests are vouched for by nobody.
        self._client = httpx.Client(headers=headers, verify=False)  # noqa: S501
        self.page = ""

    def __enter__(self) -> Visit:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    @property
    def cookies(self) -> list[tuple[str, str, bool]]:
        """Name and path of each cookie, and whether it is for https alone."""
        jar = self._client.cookies.jar
        return [(each.name, each.path, each.secure) for each in jar]

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Open an address: one of the app's views, or a full path from an answer."""
        return self._ask("GET", path, headers=self._from_page() | headers)

    def post(self, path: str, data: dict[str, str], **headers: str) -> httpx.Response:
        """Send a form of the page that is open."""
        told = self._from_page() | {"Origin": self.origin} | headers
        return self._ask("POST", path, data=data, headers=told)

    def answer(self, page: httpx.Response, code: str) -> httpx.Response:
        """Fill in the prompt of a page and submit it."""
        data = dict(hidden(page)) | {"code": code}
        return self.post(action(page, "stepup-code-form"), data)

    def _from_page(self) -> dict[str, str]:
        return {"Referer": self.page} if self.page else {}

    def _ask(self, method: str, path: str, **options: object) -> httpx.Response:
        url = f"{self.origin}{path}"
        answer = self._client.request(method, url, **options)  # type: ignore[arg-type]
        if "text/html" in answer.headers.get("Content-Type", ""):
            self.page = url
        return answer


def action(page: httpx.Response, name: str = "") -> str:
    """Where a form of a page is sent."""
    found = re.search(rf'<form [^>]*{name}[^>]*action="([^"]*)"', page.text)
    assert found, page.text
    return html.unescape(found[1])


def hidden(page: httpx.Response) -> list[tuple[str, str]]:
    """The hidden fields of a page."""
    found = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
    return [(name, html.unescape(value)) for name, value in found]


def links(page: httpx.Response) -> list[str]:
    """All addresses on a page, without queries."""
    found = re.findall(r'(?:href|src|action)="([^"?]*)', page.text)
    return [html.unescape(address) for address in found]

"""Debian's Chromium, as the tests drive it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser
from playwright.sync_api import sync_playwright

CHROMIUM = shutil.which("chromium")
ARGUMENTS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
).split()

needs_chromium = pytest.mark.skipif(
    not CHROMIUM, reason="missing: chromium (apt-get install chromium)"
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Open Chromium while the context lasts.

    No longer than a module lasts: Playwright's event loop would keep async views from
    being tested in this thread.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def remembering(browser: Browser) -> Iterator[Browser]:
    """Open another that keeps pages to go back to, as people's own do."""
    other = browser.browser_type.launch(
        executable_path=CHROMIUM,
        args=ARGUMENTS,
        ignore_default_args=["--disable-back-forward-cache"],
    )
    yield other
    other.close()

"""The pictures of the prompt in docs/pictures: `make pictures`, and look at them."""

from __future__ import annotations

import logging
from pathlib import Path

from front_end.chromium import chromium
from playwright.sync_api import Browser
from states import come_to

FOLDER = Path(__file__).parent.parent / "docs" / "pictures"
#: State, language and scheme of each phone, side by side.
PHONES = [
    ("approving", "en", "light"),
    ("wrong-code", "en", "dark"),
    ("asked", "de", "light"),
    ("locked", "ar", "dark"),
]
SIZE = {"width": 360, "height": 864}


def phone(browser: Browser, state: str, language: str, scheme: str) -> Path:
    """Take a picture of one state."""
    path = FOLDER / f"{state}.png"
    look = {"locale": language, "color_scheme": scheme, "viewport": SIZE}
    with come_to(state, browser, **look) as page:
        page.wait_for_load_state("networkidle")
        page.screenshot(path=path)
    return path


def side_by_side(browser: Browser, paths: list[Path], to: Path) -> None:
    """Put pictures into one, by the browser that took them."""
    page = browser.new_page(viewport={"width": 10, "height": 10})
    images = "".join(f'<img src="{path.name}">' for path in paths)
    sheet = FOLDER / "sheet.html"
    sheet.write_text(
        "<style>body{margin:0;display:inline-flex;gap:16px}img{border-radius:16px}"
        f"</style>{images}"
    )
    page.goto(sheet.as_uri())
    page.locator("body").screenshot(path=to, omit_background=True)
    page.close()
    for path in (sheet, *paths):
        path.unlink()


if __name__ == "__main__":
    logging.getLogger("werkzeug").disabled = True
    FOLDER.mkdir(exist_ok=True)
    with chromium() as browser:
        taken = [phone(browser, *which) for which in PHONES]
        side_by_side(browser, taken, FOLDER / "prompt.png")
    print(f"{FOLDER / 'prompt.png'}: look at it")

"""A headless Chromium of this system, driven by Playwright; imported only where `make test-ui` has installed it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip


def chromium() -> str:
    """Return the path of the browser, which these tests require."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    assert found, "make test-ui needs Chromium: apt-get install chromium (.ci/run does it where it may)"
    return found


@contextmanager
def browsing() -> Iterator["Browser"]:
    """Open a browser that connects to this machine only, and close it afterwards."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def wait_with_reloads(page: "Page", text: str, seconds: int = 300) -> None:
    """Wait for a text on a page that does not show new metadata by itself."""
    from playwright.sync_api import TimeoutError as NotYet

    for _ in range(seconds // 10):
        try:
            page.get_by_text(text).first.wait_for(timeout=10_000)
        except NotYet:
            page.reload()
        else:
            return
    raise AssertionError(f"{page.url} does not show {text!r}")

"""A headless Chromium of this system, driven by Playwright; imported only where `make test-ui` has installed it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip


def chromium() -> str:
    """The path of the browser; without one these tests have nothing to look with."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    assert found, "make test-ui needs Chromium: apt-get install chromium (.ci/run does it where it may)"
    return found


@contextmanager
def browsing() -> Iterator["Browser"]:
    """A browser, closed afterwards; nothing but this machine is asked for anything."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()

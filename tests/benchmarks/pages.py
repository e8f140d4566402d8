"""A shop that is served and a Chromium that looks at it."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import Dashboard, Shop
from tests.conftest import CHROMIUM_ARGUMENTS


@contextmanager
def looking_at(shop: Shop) -> Iterator[Dashboard]:
    """Serve the shop; a page that has been nowhere yet."""
    chromium = shutil.which("chromium")
    assert chromium is not None
    with sync_playwright() as playwright:
        shop.start()
        try:
            # ``performance.memory`` is rounded without the last one.
            arguments = [*CHROMIUM_ARGUMENTS, "--enable-precise-memory-info"]
            browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
            yield Dashboard(browser.new_page(), shop)
            browser.close()
        finally:
            shop.stop()


@contextmanager
def new_shop(environment: Mapping[str, str] | None = None) -> Iterator[Shop]:
    """A shop that has not been started, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="livesignals-bench-") as folder:
        shop = Shop(Path(folder))
        shop.environment |= environment or {}
        yield shop

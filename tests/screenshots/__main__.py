"""``python -m tests.screenshots``: a shop with customers, and what its dashboard looks like."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, ViewportSize, expect, sync_playwright

from tests.browser.conftest import PATIENCE_MS, Dashboard, Shop
from tests.conftest import CHROMIUM_ARGUMENTS

FOLDER = Path(__file__).parent
WIDE = ViewportSize(width=1400, height=800)
NARROW = ViewportSize(width=360, height=740)
FILTER = "?q=-signal:template_rendered+-signal:connection_created"


def main() -> None:
    """Write a picture of each state of the page."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("Chromium is not on PATH; `make screenshots` installs it.")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        shop = Shop(Path(folder))
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        shop.start()
        try:
            take_empty(browser, shop)
            shop.manage("traffic", "--rate", "20", "--seconds", "15", "--url", shop.url)
            traffic = shop.spawn("traffic", "--rate", "4", "--url", shop.url)
            take_dashboard(browser, shop, "dashboard", "light")
            take_dashboard(browser, shop, "dark", "dark")
            take_narrow(browser, shop)
            take_detail(browser, shop)
            traffic.terminate()
            traffic.communicate(timeout=10)
            take_replaying(browser, shop)
            take_flooded(browser, shop)
            take_error(browser, shop)
        finally:
            shop.stop()


@contextmanager
def page(
    browser: Browser, shop: Shop, name: str, scheme: Literal["light", "dark"] = "light", size: ViewportSize = WIDE
) -> Iterator[Dashboard]:
    """A browser of its own at the dashboard; what it shows at the end is the picture of that name."""
    with browser.new_context(viewport=size, color_scheme=scheme, device_scale_factor=1) as context:
        dashboard = Dashboard(context.new_page(), shop)
        yield dashboard
        dashboard.page.wait_for_timeout(500)
        dashboard.page.screenshot(path=FOLDER / f"{name}.png")


def take_dashboard(browser: Browser, shop: Shop, name: str, scheme: Literal["light", "dark"]) -> None:
    """A busy shop, an order that was just paid, and the pane of that."""
    with page(browser, shop, name, scheme) as dashboard:
        dashboard.open(FILTER)
        dashboard.page.wait_for_timeout(4_000)
        open_payment(dashboard)


def open_payment(dashboard: Dashboard) -> None:
    dashboard.shop.manage("shell", "-c", PAY)
    dashboard.expect_row(".order_paid")
    dashboard.page.locator("#pause").click()
    dashboard.rows("order_paid").first.click()
    expect(dashboard.page.locator("#detail .tree")).to_be_visible(timeout=PATIENCE_MS)


#: An order large enough for the bank to be asked, by which one receiver fails.
PAY = """
from project.shop.models import Order
from project.shop.orders import pay_order
order = Order.objects.filter(status="placed").order_by("-total").first() or Order.objects.order_by("-pk").first()
Order.objects.filter(pk=order.pk).update(status="placed")  # the customers may have been quicker
order.refresh_from_db()
pay_order(order)
"""


def take_narrow(browser: Browser, shop: Shop) -> None:
    """As a phone has it."""
    with page(browser, shop, "narrow", size=NARROW) as dashboard:
        dashboard.open(FILTER)
        dashboard.shop.manage("shell", "-c", PAY)
        dashboard.expect_row(".order_paid")


def take_detail(browser: Browser, shop: Shop) -> None:
    """The pane where there is no room beside it."""
    with page(browser, shop, "detail", size=NARROW) as dashboard:
        dashboard.open(FILTER)
        open_payment(dashboard)


def take_replaying(browser: Browser, shop: Shop) -> None:
    """In the middle of the history, with a range."""
    with page(browser, shop, "replaying") as dashboard:
        dashboard.open(FILTER)
        journal = shop.journal()
        bounds = journal.bounds()
        first = (bounds.first + bounds.last) // 3
        place = f"range={first}-{(bounds.first + 2 * bounds.last) // 3}&at={first + 200}&epoch={bounds.epoch}&loop=on"
        dashboard.page.goto(f"{shop.url}/livesignals/{FILTER}&{place}")
        dashboard.expect_state("REPLAY")
        dashboard.page.locator("#facets-button").click()
        dashboard.page.locator("#speed").select_option("4")
        dashboard.page.locator("#play").click()
        dashboard.page.wait_for_timeout(2_500)


def take_flooded(browser: Browser, shop: Shop) -> None:
    """Thousands of sends a second, and some in between."""
    with page(browser, shop, "flooded", "dark") as dashboard:
        dashboard.open(f"{FILTER}+-signal:class_prepared")
        (shop.folder / "prices.py").write_text(FLOOD)
        flood = shop.spawn("shell", "-v0", "-c", f"import sys; sys.path.insert(0, {str(shop.folder)!r}); import prices")
        dashboard.page.wait_for_timeout(9_000)
    flood.communicate(timeout=60)


FLOOD = """
import time
from django.dispatch import Signal
from project.shop.models import Product
price_checked = Signal()
price_checked.connect(lambda **kwargs: None, weak=False)
began, n = time.perf_counter(), 0
while (passed := time.perf_counter() - began) < 12:
    n += 1
    price_checked.send(sender=Product, sku=n)
    if n % 9_000 == 0: Product.objects.order_by("?").first().save()
    if n / 3_000 > passed: time.sleep(0.01)
"""


def take_empty(browser: Browser, shop: Shop) -> None:
    """Nothing was sent yet."""
    with page(browser, shop, "empty") as dashboard:
        shop.manage("livesignals", "prune", "--keep", "0")
        dashboard.open("?q=sender:none")
        dashboard.page.goto(f"{shop.url}/livesignals/")
        expect(dashboard.page.locator('.empty[data-when="nothing"]')).to_be_visible(timeout=PATIENCE_MS)


def take_error(browser: Browser, shop: Shop) -> None:
    """The journal's file is not the journal's any more."""
    with page(browser, shop, "error") as dashboard:
        dashboard.open(FILTER)
        expect(dashboard.rows().first).to_be_attached(timeout=PATIENCE_MS)
        for path in shop.folder.glob("journal.sqlite3*"):
            path.unlink()
        shop.journal_path.mkdir()
        expect(dashboard.page.locator("#problem")).to_be_visible(timeout=PATIENCE_MS)


if __name__ == "__main__":
    main()

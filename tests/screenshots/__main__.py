"""``python -m tests.screenshots``: a shop with customers, and what its dashboard looks like."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Literal

from playwright.sync_api import ViewportSize, sync_playwright

from tests.browser.conftest import Dashboard, Shop
from tests.conftest import CHROMIUM_ARGUMENTS

FOLDER = Path(__file__).parent
WIDE = ViewportSize(width=1400, height=800)
SCHEMES: dict[str, Literal["light", "dark"]] = {"dashboard": "light", "dark": "dark"}


def main() -> None:
    """Write ``dashboard.png`` and ``dark.png``."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("Chromium is not on PATH; `make screenshots` installs it.")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        shop = Shop(Path(folder))
        shop.start()
        try:
            shop.manage("traffic", "--rate", "20", "--seconds", "15", "--url", shop.url)
            traffic = shop.spawn("traffic", "--rate", "4", "--url", shop.url)
            browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
            for name, scheme in SCHEMES.items():
                context = browser.new_context(viewport=WIDE, color_scheme=scheme, device_scale_factor=1)
                dashboard = Dashboard(context.new_page(), shop)
                dashboard.open("?q=-signal:template_rendered+-signal:connection_created")
                dashboard.page.wait_for_timeout(4_000)
                shop.manage("shell", "-c", PAY)
                dashboard.expect_row(".order_paid")
                dashboard.page.locator("#pause").click()
                dashboard.rows("order_paid").first.click()
                dashboard.page.locator("#detail .tree, #detail h2").first.wait_for()
                dashboard.page.wait_for_timeout(500)
                dashboard.page.screenshot(path=FOLDER / f"{name}.png")
                context.close()
            traffic.terminate()
            traffic.communicate(timeout=10)
        finally:
            shop.stop()


#: An order large enough for the bank to be asked, by which one receiver fails.
PAY = """
from project.shop.models import Order
from project.shop.orders import pay_order
order = Order.objects.filter(status="placed").order_by("-total").first() or Order.objects.order_by("-pk").first()
order.status = "placed"  # the customers may have been quicker
pay_order(order)
"""

if __name__ == "__main__":
    main()

"""Each of Django's signals is made to happen as users make it happen, and its row is seen in the page."""

from collections.abc import Callable

import django
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import Dashboard, Shop

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


def shell(code: str) -> Callable[[Shop, Page], None]:
    """Something done in a second process, by ``manage.py shell``."""

    def act(shop: Shop, visitor: Page) -> None:
        shop.manage("shell", "-c", code)

    return act


def visit(path: str) -> Callable[[Shop, Page], None]:
    """A page of the shop opened in the browser."""

    def act(shop: Shop, visitor: Page) -> None:
        visitor.goto(shop.url + path)

    return act


def log_in(shop: Shop, visitor: Page, password: str = "demo") -> None:
    """A customer fills in the login form."""
    visitor.goto(f"{shop.url}/login/")
    visitor.locator("input[name=username]").fill("customer1")
    visitor.locator("input[name=password]").fill(password)
    with visitor.expect_navigation():
        visitor.locator("input[name=password]").press("Enter")


def fail_to_log_in(shop: Shop, visitor: Page) -> None:
    """… with a wrong password."""
    log_in(shop, visitor, password="wrong")


def log_out(shop: Shop, visitor: Page) -> None:
    """A customer logs in and out again."""
    log_in(shop, visitor)
    press(visitor, "form[action*=logout] button")


def migrate(shop: Shop, visitor: Page) -> None:
    """``manage.py migrate`` in a second terminal."""
    shop.manage("migrate", "--verbosity", "0")


def buy(shop: Shop, visitor: Page) -> None:
    """A customer buys and pays."""
    log_in(shop, visitor)
    visitor.goto(f"{shop.url}/")
    visitor.locator("main a[href*='/products/']").first.click()
    press(visitor, "form[action*='cart/add'] button")
    visitor.goto(f"{shop.url}/cart/")
    press(visitor, "form[action*=checkout] button")
    press(visitor, "form[action*=pay] button")


def press(visitor: Page, button: str) -> None:
    """A form is sent; returns when the next page is there."""
    with visitor.expect_navigation():
        visitor.locator(button).click()


SAVE_A_TAG = "from project.shop.models import Tag; Tag.objects.create(name='seen')"
DELETE_A_PRODUCT = """
from project.shop.models import Product
p = Product.objects.create(name='gone', slug='gone', price=1, stock=1)
p.delete()
"""
TAG_A_PRODUCT = """
from project.shop.models import Product, Tag
t, _ = Tag.objects.get_or_create(name='m2m')
Product.objects.first().tags.add(t)
"""
OVERRIDE_A_SETTING = """
from django.test import override_settings
with override_settings(LANGUAGE_CODE='fr'): pass
"""

HAPPENINGS: dict[str, Callable[[Shop, Page], None]] = {
    "pre_save": shell(SAVE_A_TAG.replace("seen", "pre")),
    "post_save": shell(SAVE_A_TAG),
    "pre_delete": shell(DELETE_A_PRODUCT),
    "post_delete": shell(DELETE_A_PRODUCT),
    "m2m_changed": shell(TAG_A_PRODUCT),
    "user_logged_in": log_in,
    "user_logged_out": log_out,
    "user_login_failed": fail_to_log_in,
    "request_started": visit("/"),
    "request_finished": visit("/"),
    "got_request_exception": visit("/broken/"),
    "pre_migrate": migrate,
    "post_migrate": migrate,
    "setting_changed": shell(OVERRIDE_A_SETTING),
    "class_prepared": shell("pass"),
    "template_rendered": visit("/"),
    "connection_created": shell("from project.shop.models import Tag; Tag.objects.count()"),
    "order_paid": buy,
}
if django.VERSION >= (6, 0):
    HAPPENINGS |= {"task_enqueued": buy, "task_started": buy, "task_finished": buy}


@pytest.fixture
def visitor(page: Page) -> BrowserContext:
    """A customer in another window."""
    context = page.context.browser
    assert context is not None
    return context.new_context()


@pytest.mark.parametrize("signal", HAPPENINGS)
def test_every_signal_is_seen_when_it_happens(
    dashboard: Dashboard, shop: Shop, visitor: BrowserContext, signal: str
) -> None:
    """What Django sends because of something that a user did is a row in the open page."""
    dashboard.open(f"?q=signal:{signal}")
    expect(dashboard.page.locator("#filter")).to_have_value(f"signal:{signal}")
    before = dashboard.newest()
    with visitor:
        HAPPENINGS[signal](shop, visitor.new_page())
        dashboard.expect_row(f".{signal}", after=before)
    shown = dashboard.rows().evaluate_all("rows => rows.map(row => row.dataset.signal.split('.').pop())")
    assert set(shown) == {signal}

"""A shop with its demo data, and a record of the signals that it really sent."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.dispatch import Signal
from django.test import Client
from django.utils.module_loading import import_string

from livesignals.catalogue.builtin import BUILTIN
from project.shop.models import Order, OrderLine, Product

SHOP = (
    "project.shop.signals.order_paid",
    "project.shop.signals.stock_low",
    "project.shop.signals.page_served",
)


class Sent(list[tuple[str, object]]):
    """Name and sender of each send, in order."""

    @property
    def names(self) -> set[str]:
        return {name.rpartition(".")[2] for name, _ in self}


@pytest.fixture
def shop(db: None) -> None:
    """The shop as it opens for the first time, without staff."""
    call_command("demo_data", verbosity=0)


@pytest.fixture
def customer(shop: None) -> User:
    return User.objects.get(username="customer1")


@pytest.fixture
def browser(customer: User) -> Client:
    """The customer's browser, logged in. A view that fails answers with its 500 page."""
    browser = Client(raise_request_exception=False)
    browser.post("/login/", {"username": customer.username, "password": "demo"})
    return browser


@pytest.fixture
def office(shop: None, admin_client: Client) -> Client:
    """The browser of a superuser."""
    return admin_client


@pytest.fixture
def sent(shop: None) -> Iterator[Sent]:
    """What was sent since the shop opened: the signals of this Django and the shop's own."""
    seen = Sent()
    connected: list[tuple[Signal, Any]] = []
    for name in (*BUILTIN, *SHOP):
        try:
            signal = import_string(name)
        except ImportError:
            continue

        def record(sender: object, name: str = name, **kwargs: Any) -> None:
            seen.append((name, sender))

        signal.connect(record, weak=False)
        connected.append((signal, record))
    yield seen
    for signal, record in connected:
        signal.disconnect(record)


def an_order(customer: User, *, pk: int | None = None, quantity: int = 1, product: str = "honey") -> Order:
    """A placed order for one product."""
    bought = Product.objects.get(slug=product)
    order = Order.objects.create(pk=pk, customer=customer, total=bought.price * quantity)
    OrderLine.objects.create(order=order, product=bought, quantity=quantity, price=bought.price)
    return order

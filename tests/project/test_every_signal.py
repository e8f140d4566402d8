"""The shop is there to send signals: a day in it sends all that a running site can."""

import django
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from livesignals.catalogue.builtin import BUILTIN
from project.shop.models import Product, Tag
from tests.project.conftest import SHOP, Sent, an_order

#: Sent while models load, by tests, and by a new connection: not by a click.
NOT_BY_A_CLICK = {"class_prepared", "setting_changed", "connection_created"}
TASKS = {"task_enqueued", "task_started", "task_finished"}


def test_a_day_in_the_shop_sends_every_signal(office: Client, customer: User, client: Client, sent: Sent) -> None:
    """Logging in with and without luck, buying, failing, editing, deleting, migrating."""
    client.raise_request_exception = False
    client.get("/broken/")
    client.post("/login/", {"username": "customer1", "password": "wrong"})
    client.post("/login/", {"username": "customer1", "password": "demo"})
    client.post("/cart/add/espresso-machine/", {"quantity": 2})
    client.post("/cart/checkout/")
    an_order(customer, pk=101)
    client.post("/orders/101/pay/")
    client.post("/logout/")
    honey, fruit = Product.objects.get(slug="teapot"), Tag.objects.get(name="fruit")
    office.post(
        f"/admin/shop/product/{honey.pk}/change/",
        {
            "name": "Teapot",
            "slug": "teapot",
            "price": "30",
            "stock": "9",
            "reorder_level": "5",
            "tags": [fruit.pk],
        },
    )
    office.post(f"/admin/shop/product/{honey.pk}/delete/", {"post": "yes"})
    call_command("migrate", verbosity=0, interactive=False)

    expected = {name.rpartition(".")[2] for name in (*BUILTIN, *SHOP)} - NOT_BY_A_CLICK
    if django.VERSION < (6, 0):
        expected -= TASKS
    assert expected - sent.names == set()

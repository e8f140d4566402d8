"""Work that may be done later. Django 6.0 and up make it a task; before, it is done at once."""

import django
from django.core.mail import send_mail

from project.shop.models import Order


def write_receipt(order_id: int) -> None:
    """Mail the customer what was paid."""
    order = Order.objects.select_related("customer").get(pk=order_id)
    text = f"You paid £{order.total}. Thank you!"
    send_mail(f"Receipt for order {order.pk}", text, None, [order.customer.email])


if django.VERSION >= (6, 0):
    from django.tasks import task

    @task
    def receipt(order_id: int) -> None:
        write_receipt(order_id)


def send_receipt(order_id: int) -> None:
    """Have the receipt written."""
    if django.VERSION >= (6, 0):
        receipt.enqueue(order_id)
    else:
        write_receipt(order_id)

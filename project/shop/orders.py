"""An order's life: placed, paid, sent, cancelled."""

from django.db import transaction
from django.utils import timezone

from project.shop.exceptions import AlreadySent, EmptyCart, NotPayable, OutOfStock
from project.shop.models import Cart, Order, OrderLine
from project.shop.signals import order_paid


@transaction.atomic
def place_order(cart: Cart) -> Order:
    """Turn what is in the cart into an order and empty the cart.

    Raises EmptyCart or OutOfStock, and then has done nothing: lines that were written are rolled back.
    """
    chosen = list(cart.lines.select_related("product"))
    if not chosen:
        raise EmptyCart("Your cart is empty.")
    order = Order.objects.create(customer=cart.customer)
    for wanted in chosen:
        product = wanted.product
        if product.stock < wanted.quantity:
            raise OutOfStock(f"Only {product.stock} × {product.name} left.")
        line = OrderLine.objects.create(order=order, product=product, quantity=wanted.quantity, price=product.price)
        order.total += line.total
    order.save(update_fields=["total"])
    cart.lines.all().delete()
    return order


def pay_order(order: Order) -> None:
    """Take the money and tell everyone. Raises NotPayable."""
    with transaction.atomic():
        order.refresh_from_db()
        if order.status != Order.Status.PLACED:
            raise NotPayable(f"{order} is {order.status}.")
        order.status = Order.Status.PAID
        order.paid_at = timezone.now()
        order.save(update_fields=["status", "paid_at"])
    # After the commit, since receivers tell the world; robust, since a paid order stays paid whoever fails.
    order_paid.send_robust(sender=Order, order=order)


@transaction.atomic
def send_off(order: Order) -> None:
    """Let a paid order leave the warehouse; one that was cancelled meanwhile stays."""
    order.refresh_from_db()
    if order.status == Order.Status.PAID:
        order.status = Order.Status.SENT
        order.save(update_fields=["status"])


@transaction.atomic
def cancel_order(order: Order) -> None:
    """Put the goods back on the shelf and call the order off.

    Raises AlreadySent, and then has done nothing. The parcel is called back last, since that alone cannot be
    rolled back.
    """
    order.refresh_from_db()
    if order.status == Order.Status.CANCELLED:
        return
    for line in order.lines.select_related("product"):
        line.product.stock += line.quantity
        line.product.save(update_fields=["stock"])
    call_back_parcel(order)
    order.status = Order.Status.CANCELLED
    order.save(update_fields=["status"])


def call_back_parcel(order: Order) -> None:
    """Stop the order from leaving the warehouse. Raises AlreadySent when it has left."""
    if order.status == Order.Status.SENT:
        raise AlreadySent(f"{order} is on its way already.")

"""What the shop does when something happens: the receivers of Django's signals and of its own.

They do what people use signals for, in the ways people write them: sync and async, quick, slow and failing,
some of them making further sends.
"""

import asyncio
import sys
import threading
import time
from decimal import Decimal
from typing import Any

from django.apps import AppConfig
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission, User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.core.mail import send_mail
from django.core.signals import got_request_exception, request_finished, request_started
from django.db.models import Count, F, Model
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone
from django.utils.text import slugify

from project.shop.exceptions import WarehouseUnavailable
from project.shop.models import Invoice, Order, OrderLine, Product, Profile, RequestLog, Restock, Tag
from project.shop.signals import order_paid, page_served, stock_low
from project.shop.tasks import send_receipt

OFFICE = "office@shop.example"
BANK_ASKS_FROM = Decimal(150)  # pounds
REQUESTS_KEPT = 1000

#: Key in a request's scope or environ: ``perf_counter()`` when it arrived.
ARRIVED = "shop.arrived"
#: Key in a request's ``META``: the name of the exception that its view raised.
ERROR = "shop.error"


# Products and stock


@receiver(pre_save, sender=Product)
def fill_in_slug(sender: type[Product], instance: Product, **kwargs: Any) -> None:
    instance.slug = instance.slug or slugify(instance.name)


@receiver(m2m_changed, sender=Product.tags.through, dispatch_uid="shop.count_tagged_products")
def count_tagged_products(sender: type[Model], action: str, **kwargs: Any) -> None:
    if action.startswith("post_"):
        for tag in Tag.objects.annotate(now=Count("products")).exclude(product_count=F("now")):
            tag.product_count = tag.now
            tag.save(update_fields=["product_count"])


@receiver(post_save, sender=OrderLine)
def take_from_shelf(sender: type[OrderLine], instance: OrderLine, created: bool, **kwargs: Any) -> None:
    if created:
        instance.product.stock -= instance.quantity
        instance.product.save(update_fields=["stock"])


@receiver(post_save, sender=Product)
def watch_stock(sender: type[Product], instance: Product, created: bool, **kwargs: Any) -> None:
    """Makes a further send when little is left."""
    if not created and instance.stock <= instance.reorder_level:
        stock_low.send(sender=Product, product=instance)


@receiver(stock_low)
async def order_from_supplier(sender: type[Product], product: Product, **kwargs: Any) -> None:
    await Restock.objects.acreate(product=product, quantity=4 * product.reorder_level + 10)


@receiver(post_save, sender=Restock)
def put_on_shelf(sender: type[Restock], instance: Restock, created: bool, **kwargs: Any) -> None:
    if created:
        instance.product.stock += instance.quantity
        instance.product.save(update_fields=["stock"])


@receiver(post_delete, sender=Product)
@receiver(post_delete, sender=Order)
def tell_office_of_deletion(sender: type[Model], instance: Model, **kwargs: Any) -> None:
    send_mail(f"{sender.__name__} deleted", f"{instance} is gone.", None, [OFFICE])


# Orders


@receiver(order_paid)
def issue_invoice(sender: type[Order], order: Order, **kwargs: Any) -> None:
    Invoice.objects.create(order=order, number=f"INV-{order.pk:06}", total=order.total)


@receiver(order_paid)
def ask_bank(sender: type[Order], order: Order, **kwargs: Any) -> None:
    """The slow one: for a large sum the bank wants to be asked, and takes its time (here it sleeps)."""
    if order.total >= BANK_ASKS_FROM:
        time.sleep(0.05)


@receiver(order_paid, dispatch_uid="shop.tell_warehouse")
def tell_warehouse(sender: type[Order], order: Order, **kwargs: Any) -> None:
    """The failing one: the warehouse's line is dead for every fifth order, which then waits as paid."""
    if order.pk % 5 == 0:
        raise WarehouseUnavailable(f"no answer about order {order.pk}")
    order.status = Order.Status.SENT
    order.save(update_fields=["status"])


@receiver(order_paid)
async def give_points(sender: type[Order], order: Order, **kwargs: Any) -> None:
    await asyncio.sleep(0.002)  # the points are kept by a partner on the network
    await Profile.objects.filter(user_id=order.customer_id).aupdate(points=F("points") + int(order.total))


@receiver(order_paid, dispatch_uid="shop.send_receipt")
def hand_over_receipt(sender: type[Order], order: Order, **kwargs: Any) -> None:
    send_receipt(order.pk)


# Customers


@receiver(post_save, sender=get_user_model(), dispatch_uid="shop.open_profile")
def open_profile(sender: type[User], instance: User, created: bool, raw: bool, **kwargs: Any) -> None:
    if created and not raw:
        Profile.objects.create(user=instance)


@receiver(user_logged_in)
def record_login(sender: type[User], user: User, **kwargs: Any) -> None:
    profile = Profile.objects.get(user=user)
    profile.logged_in_at = timezone.now()
    profile.failed_logins = 0
    profile.save(update_fields=["logged_in_at", "failed_logins"])


@receiver(user_logged_out)
def record_logout(sender: type[User], user: User | None, **kwargs: Any) -> None:
    if user is not None:
        profile = Profile.objects.get(user=user)
        profile.logged_out_at = timezone.now()
        profile.save(update_fields=["logged_out_at"])


@receiver(user_login_failed)
def count_failed_login(sender: str, credentials: dict[str, Any], **kwargs: Any) -> None:
    known = Profile.objects.filter(user__username=credentials.get("username"))
    known.update(failed_logins=F("failed_logins") + 1)


# Requests


class _UnderWay:
    """How many requests this process is serving. Requests begin and end on different threads."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()

    def change(self, by: int) -> None:
        with self._lock:
            self.count += by


under_way = _UnderWay()


@receiver(request_started)
def note_arrival(
    sender: type, environ: dict[str, Any] | None = None, scope: dict[str, Any] | None = None, **kwargs: Any
) -> None:
    """Stamps the request, which WSGI gives as ``environ`` and ASGI as ``scope``."""
    under_way.change(+1)
    request = scope if scope is not None else environ
    if request is not None:
        request[ARRIVED] = time.perf_counter()


@receiver(request_finished)
def note_departure(sender: type, **kwargs: Any) -> None:
    under_way.change(-1)


@receiver(got_request_exception)
def note_error(sender: type, request: HttpRequest | None = None, **kwargs: Any) -> None:
    failure = sys.exc_info()[0]
    if request is not None and failure is not None:
        request.META[ERROR] = failure.__name__


@receiver(page_served)
def log_request(sender: None, request: HttpRequest, status: int, duration_ms: float, **kwargs: Any) -> None:
    entry = RequestLog.objects.create(
        method=request.method or "",
        path=request.path[:200],
        status=status,
        duration_ms=duration_ms,
        under_way=under_way.count,
        error=request.META.get(ERROR, ""),
        customer=request.user if request.user.is_authenticated else None,
    )
    if entry.pk % 100 == 0:
        RequestLog.objects.filter(pk__lte=entry.pk - REQUESTS_KEPT).delete()


# After a migration


def set_up_clerks(sender: AppConfig, using: str, **kwargs: Any) -> None:
    """The group whose members run the shop in the admin. Connected in ``apps.py``, which is the sender."""
    clerks, _ = Group.objects.using(using).get_or_create(name="clerks")
    clerks.permissions.set(Permission.objects.using(using).filter(content_type__app_label=sender.label))

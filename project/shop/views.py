"""The shop's pages."""

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from project.shop.exceptions import AlreadySent, BrokenPage, EmptyCart, NotPayable, OutOfStock
from project.shop.models import Cart, CartLine, Order, Product, Tag
from project.shop.orders import cancel_order, pay_order, place_order

PRODUCTS_A_PAGE = 12
ORDERS_SHOWN = 20


class CustomerRequest(HttpRequest):
    """A request behind ``login_required``."""

    user: User


class AddForm(forms.Form):
    quantity = forms.IntegerField(min_value=1, max_value=999, initial=1)


@require_safe
def products(request: HttpRequest) -> HttpResponse:
    """All products, or those with a tag (``?tag=``) or with a word in their name (``?q=``)."""
    tag, words = request.GET.get("tag", ""), request.GET.get("q", "").strip()
    found = Product.objects.prefetch_related("tags")
    if tag:
        found = found.filter(tags__name=tag)
    if words:
        found = found.filter(name__icontains=words)
    page = Paginator(found, PRODUCTS_A_PAGE).get_page(request.GET.get("page"))
    return render(request, "shop/products.html", {"page": page, "tags": Tag.objects.all(), "tag": tag, "words": words})


@require_safe
def product(request: HttpRequest, slug: str) -> HttpResponse:
    shown = get_object_or_404(Product, slug=slug)
    return render(request, "shop/product.html", {"product": shown, "form": AddForm()})


@require_safe
@login_required
def cart(request: CustomerRequest) -> HttpResponse:
    return render(request, "shop/cart.html", {"cart": _cart(request.user)})


@require_POST
@login_required
def add_to_cart(request: CustomerRequest, slug: str) -> HttpResponse:
    wanted = get_object_or_404(Product, slug=slug)
    form = AddForm(request.POST)
    if not form.is_valid():
        messages.error(request, "How many? A whole number from 1 to 999.")
        return redirect(wanted)
    quantity = form.cleaned_data["quantity"]
    with transaction.atomic():  # else the same customer's other window may check out in between
        line, is_new = _cart(request.user).lines.get_or_create(product=wanted, defaults={"quantity": quantity})
        if not is_new:
            line.quantity += quantity
            line.save(update_fields=["quantity"])
    messages.success(request, f"{wanted} is in your cart.")
    return redirect("cart")


@require_POST
@login_required
def remove_from_cart(request: CustomerRequest, pk: int) -> HttpResponse:
    get_object_or_404(CartLine, pk=pk, cart__customer=request.user).delete()
    return redirect("cart")


@require_POST
@login_required
def checkout(request: CustomerRequest) -> HttpResponse:
    try:
        placed = place_order(_cart(request.user))
    except (EmptyCart, OutOfStock) as error:
        messages.error(request, str(error))
        return redirect("cart")
    return redirect(placed)


@require_safe
@login_required
def orders(request: CustomerRequest) -> HttpResponse:
    return render(request, "shop/orders.html", {"orders": request.user.orders.all()[:ORDERS_SHOWN]})


@require_safe
@login_required
def order(request: CustomerRequest, pk: int) -> HttpResponse:
    shown = get_object_or_404(Order.objects.select_related("invoice"), pk=pk, customer=request.user)
    return render(request, "shop/order.html", {"order": shown, "lines": shown.lines.select_related("product")})


@require_POST
@login_required
def pay(request: CustomerRequest, pk: int) -> HttpResponse:
    due = get_object_or_404(Order, pk=pk, customer=request.user)
    try:
        pay_order(due)
    except NotPayable as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "Paid. Thank you!")
    return redirect(due)


@require_POST
@login_required
def cancel(request: CustomerRequest, pk: int) -> HttpResponse:
    unwanted = get_object_or_404(Order, pk=pk, customer=request.user)
    try:
        cancel_order(unwanted)
    except AlreadySent as error:
        messages.error(request, f"{error} Nothing was changed.")
    else:
        messages.success(request, f"{unwanted} is cancelled.")
    return redirect(unwanted)


@require_safe
def broken(request: HttpRequest) -> HttpResponse:
    """Fails, so that a failing view can be watched."""
    raise BrokenPage("this page fails on purpose")


def _cart(customer: User) -> Cart:
    return Cart.objects.prefetch_related("lines__product").get_or_create(customer=customer)[0]

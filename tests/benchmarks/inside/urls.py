"""The shop's pages, and three for who measures them."""

import time

from django.contrib.auth import get_user_model, login
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.urls import path

from project.shop.models import Cart, CartLine, Product
from project.shop.views import CustomerRequest, checkout
from project.urls import urlpatterns as shop_urls
from tests.benchmarks.inside.recorded import flush, recorded


def enter(request: HttpRequest) -> JsonResponse:
    """Log a new customer in. Answers the token that goes with a POST."""
    number = get_user_model().objects.count()
    customer = get_user_model().objects.create(username=f"mary{number}", email="mary@shop.example")
    login(request, customer, backend="django.contrib.auth.backends.ModelBackend")
    Cart.objects.create(customer=customer)
    Product.objects.get_or_create(name="Tea", defaults={"price": 3, "stock": 10**6})
    return JsonResponse({"token": get_token(request)})


def order(request: CustomerRequest) -> HttpResponse:
    """The shop's check-out, of a cart that is filled without signals."""
    filled = Cart.objects.get(customer_id=request.user.pk)
    CartLine.objects.bulk_create([CartLine(cart=filled, product_id=1, quantity=1)])
    return checkout(request)


def figures(request: HttpRequest) -> JsonResponse:
    """What was recorded so far, and the processor time that the whole process took."""
    flush()
    return JsonResponse({"cpu": time.process_time(), "recorded": recorded()})


urlpatterns = [
    *shop_urls,
    path("bench/enter/", enter),
    path("bench/order/", order),
    path("bench/figures/", figures),
]

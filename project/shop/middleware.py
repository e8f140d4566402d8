"""Tells how long each page took, from the request's arrival."""

from collections.abc import Callable
from time import perf_counter

from django.http import HttpRequest, HttpResponse

from project.shop.receivers import ARRIVED
from project.shop.signals import page_served

View = Callable[[HttpRequest], HttpResponse]


def announce_served_pages(get_response: View) -> View:
    """Middleware that sends ``page_served`` for every page but the dashboard's."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if not request.path.startswith("/livesignals/"):
            arrived = getattr(request, "scope", request.META)[ARRIVED]
            page_served.send_robust(
                sender=None,
                request=request,
                status=response.status_code,
                duration_ms=(perf_counter() - arrived) * 1000,
            )
        return response

    return middleware

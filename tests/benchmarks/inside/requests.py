"""Requests to the shop through its WSGI handler, without a network."""

import json
import time
from collections.abc import Callable
from http.cookies import SimpleCookie
from io import BytesIO
from typing import Any
from wsgiref.util import setup_testing_defaults

from django.core.handlers.wsgi import WSGIHandler

from tests.benchmarks.inside.recorded import flush

handler = WSGIHandler()
cookies: SimpleCookie = SimpleCookie()


def call(path: str, method: str = "GET", token: str = "") -> tuple[str, bytes]:
    """Status and body of one request, as a server makes it: closed when it has been read."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "HTTP_HOST": "127.0.0.1",
        "HTTP_COOKIE": "; ".join(f"{name}={morsel.value}" for name, morsel in cookies.items()),
        "HTTP_X_CSRFTOKEN": token,
        "wsgi.input": BytesIO(),
    }
    setup_testing_defaults(environ)
    answered: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Callable[..., None]:
        answered[:] = status, headers
        return lambda data: None

    response = handler(environ, start_response)
    body = b"".join(response)
    response.close()
    status, headers = answered
    if not cookies:
        for name, value in headers:
            if name.lower() == "set-cookie":
                cookies.load(value)
    return status, body


token = json.loads(call("/bench/enter/")[1])["token"]


def measure(requests: int) -> dict[str, Any]:
    """Order so often. ``seconds`` and ``cpu`` (of all threads, until all is kept) for all of
    them, ``recorded``: what was kept, the few records of asking included."""
    before = json.loads(call("/bench/figures/")[1])
    began = time.perf_counter()
    for _ in range(requests):
        status, _body = call("/bench/order/", "POST", token)
        assert status == "302 Found", status
    seconds = time.perf_counter() - began
    flush()
    after = json.loads(call("/bench/figures/")[1])
    return {"seconds": seconds} | {key: after[key] - before[key] for key in after}

"""A person at a real server, without a browser: requests and the page's socket as they are on the wire."""

import http.client
import itertools
import json
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, NamedTuple, Self

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.browser.conftest import Shop
from tests.processes import PATIENCE

BASE = Shop.base

_marks = itertools.count(1)


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    text: str


def ask(shop: Shop, path: str, *, method: str = "GET", at: str = "127.0.0.1", **headers: str) -> Answer:
    """One request, its path sent just as it is given, below the dashboard's unless it begins with a slash."""
    connection = http.client.HTTPConnection(at, shop.port, timeout=PATIENCE)
    try:
        connection.request(method, path if path.startswith("/") else shop.base + path, headers=headers)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read().decode("utf-8", "replace"))
    finally:
        connection.close()


def use_link(shop: Shop) -> str:
    """Open the link that is printed now; the cookie it gave, as a browser would send it."""
    answer = ask(shop, shop.link().removeprefix(shop.url))
    assert answer.status == 302
    return answer.headers["Set-Cookie"].split(";")[0]


def log_in(shop: Shop, username: str, password: str) -> str:
    """Log in at the shop; the session's cookie, as a browser would send it."""
    with httpx.Client(base_url=shop.url, timeout=PATIENCE) as client:
        client.get("/login/")
        form = {"username": username, "password": password, "csrfmiddlewaretoken": client.cookies["csrftoken"]}
        assert client.post("/login/", data=form).status_code == 302
        return f"sessionid={client.cookies['sessionid']}"


def log_out(shop: Shop, cookie: str) -> None:
    """Log out at the shop."""
    with httpx.Client(base_url=shop.url, timeout=PATIENCE, cookies=dict([cookie.split("=")])) as client:
        client.get("/")
        assert client.post("/logout/", data={"csrfmiddlewaretoken": client.cookies["csrftoken"]}).status_code == 302


class Socket:
    """The socket of a page. Entering it raises websockets' InvalidStatus when the server refuses it.

    Frames of rows are acknowledged as they are read, as the page does.
    """

    connection: ClientConnection

    def __init__(self, shop: Shop, cookie: str = "", *, origin: str | None = "", host: str = "") -> None:
        """*origin* "" is the page's own, None is none at all; *host* is what the Host header says instead."""
        self.shop = shop
        self._connecting = connect(
            f"ws://{host or f'127.0.0.1:{shop.port}'}{shop.base}socket/",
            sock=socket.create_connection(("127.0.0.1", shop.port), timeout=PATIENCE),
            origin=shop.url if origin == "" else origin,  # type: ignore[arg-type]
            additional_headers={"Cookie": cookie} if cookie else {},
            max_size=None,
            max_queue=None,  # what the test does not read must not keep the socket from closing
            open_timeout=PATIENCE,
            ping_interval=None,  # a busy machine is no server that is gone
        )

    def __enter__(self) -> Self:
        self.connection = self._connecting.__enter__()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._connecting.__exit__(exc_type, exc, traceback)

    def say(self, type: str, **more: Any) -> None:
        """A command."""
        self.connection.send(json.dumps({"type": type, **more}))

    def next(self, *types: str, acknowledges: bool = True) -> dict[str, Any]:
        """The next message of these types; others are passed over."""
        deadline = time.monotonic() + PATIENCE
        while True:
            message: dict[str, Any] = json.loads(self.connection.recv(max(0.0, deadline - time.monotonic())))
            if message["type"] == "rows" and acknowledges:
                self.say("ack", frame=message["frame"])
            if message["type"] in types:
                return message

    def next_reset(self) -> dict[str, Any]:
        """The next frame that begins the list anew; rows of before may still be on their way."""
        while not (message := self.next("rows"))["reset"]:
            pass
        return message

    def hello(self) -> None:
        """As a page that has just been opened; returns once the first rows are there."""
        self.say("hello")
        assert self.next("rows")["reset"]

    def expect_rows(self) -> None:
        """Something happens in the shop now, and its row comes."""
        path = f"/nowhere-{next(_marks)}/"
        assert ask(self.shop, path).status == 404
        while path not in self.next("rows")["content"]:
            pass

    def closed_with(self) -> int | None:
        """Wait until the server closes the socket; its code."""
        with suppress(ConnectionClosed):
            while True:
                self.next("any")
        return self.connection.close_code


@pytest.fixture(scope="package")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop with the dashboard mounted, served by daphne in a process of its own."""
    shop = Shop(tmp_path_factory.mktemp("shop"))
    shop.start()
    yield shop
    shop.stop()

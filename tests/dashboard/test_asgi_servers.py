"""The dashboard's socket behaves alike whatever serves it: as a sidecar, or mounted, on daphne and on uvicorn.

Daphne's own ``send`` never waits for who reads slowly, uvicorn's does.
"""

import json
import re
import socket as sockets
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.uri import parse_uri

from tests.browser.conftest import MANAGE, ROOT, Hand, Shop
from tests.dashboard.conftest import Socket, log_in, log_out, use_link
from tests.processes import PATIENCE, Program

#: What a server may have more in memory while a page reads nothing, of some 27 that it asks for.
HELD_MIB = 12
ASKED = 100
FLOOD = 3_000
SIDECAR_LINK = r"livesignals: (\S+)"


class Served(Shop):
    """A shop's journal, with a dashboard of one kind to look at it."""

    def __init__(self, folder: Path, kind: str) -> None:
        super().__init__(folder)
        self.is_sidecar = kind == "sidecar on daphne"
        port = str(self.port)
        kinds: dict[str, list[str | Path]] = {
            "sidecar on daphne": [MANAGE, "livesignals", "serve", "--port", port],
            "mounted on daphne": ["-m", "daphne", "--port", port, "project.asgi:application"],
            "mounted on uvicorn": ["-m", "uvicorn", "--port", port, "project.asgi:application"],
        }
        self.arguments = kinds[kind]
        if self.is_sidecar:
            self.base = "/"

    def start(self) -> None:
        self.manage("migrate", "--verbosity", "0")
        self.manage("demo_data")
        environment = {**self.environment, "PYTHONPATH": str(ROOT)}
        arguments = [sys.executable, *self.arguments]
        self.server = Program(arguments, log=self.folder / "server.log", env=environment, cwd=ROOT)
        if self.is_sidecar:
            self.server.wait_for_output(SIDECAR_LINK)
        self.server.wait_for_port(self.port)

    def link(self) -> str:
        assert self.server is not None
        found: list[str] = re.findall(SIDECAR_LINK, self.server.output())
        return found[-1]

    def log_in(self) -> str:
        """The cookie of somebody who may look."""
        return use_link(self) if self.is_sidecar else log_in(self, "admin", "admin")

    def mib(self) -> float:
        """Its resident memory."""
        assert self.server is not None
        status = Path(f"/proc/{self.server.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


KINDS = ("sidecar on daphne", "mounted on daphne", "mounted on uvicorn")


@pytest.fixture(scope="module", params=KINDS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Whatever happens in the tests, the server's log has nothing to complain about."""
    served = Served(tmp_path_factory.mktemp("served"), request.param)
    served.start()
    yield served
    time.sleep(1.5)  # daphne looks once a second for what ended with an error
    assert served.server is not None
    served.server.stop()
    log = served.server.output()
    assert [word for word in ("Traceback", "ERROR", "Exception", "never retrieved") if word in log] == [], log


@pytest.fixture(scope="module")
def cookie(served: Served) -> str:
    return served.log_in()


@pytest.fixture(scope="module")
def hand(served: Served) -> Iterator[Hand]:
    hand = Hand(served)
    yield hand
    hand.end()


class Silent:
    """A page as it is on the wire, that reads nothing unless it is told to."""

    def __init__(self, served: Served, cookie: str) -> None:
        self.protocol = ClientProtocol(parse_uri(f"ws://127.0.0.1:{served.port}{served.base}socket/"), max_size=None)
        self.socket = sockets.create_connection(("127.0.0.1", served.port), timeout=PATIENCE)
        request = self.protocol.connect()
        request.headers["Cookie"] = cookie
        request.headers["Origin"] = served.url
        self.protocol.send_request(request)
        self._write()
        head = b""
        while b"\r\n\r\n" not in head:  # by the byte: what follows is not to be read
            head += self.socket.recv(1)
        assert head.startswith(b"HTTP/1.1 101")
        self.protocol.receive_data(head)

    def say(self, type: str, **more: object) -> None:
        self.protocol.send_text(json.dumps({"type": type, **more}).encode())
        self._write()

    def leave(self) -> None:
        """Say farewell; then read what is left, until the server closes."""
        self.protocol.send_close(1001)
        self._write()
        while self.socket.recv(65_536):
            pass

    def vanish(self) -> None:
        """Without a farewell: the connection is reset."""
        self.socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _write(self) -> None:
        self.socket.sendall(b"".join(self.protocol.data_to_send()))


@contextmanager
def silent(served: Served, cookie: str) -> Iterator[Silent]:
    page = Silent(served, cookie)
    try:
        yield page
    finally:
        page.socket.close()


def test_a_page_gets_its_rows_and_no_more_than_it_acknowledges(served: Served, cookie: str, hand: Hand) -> None:
    """A hello is answered by the first rows; what is sent comes; after two frames without an answer nothing does."""
    with Socket(served, cookie) as page:
        page.hello()
        hand.send("shop.first")
        frame = page.next("rows")
        while "shop.first" not in frame["content"]:
            frame = page.next("rows")
        assert frame["epoch"] == served.journal().bounds().epoch
        frames = []
        for number in range(2):
            hand.send(f"shop.unanswered{number}")
            frames.append(page.next("rows", acknowledges=False))
        hand.send("shop.third")
        page.say("narrow", filter="", field="sender", value="shop.third", request=7)
        while (message := page.next("rows", "narrowed", acknowledges=False))["type"] != "narrowed":
            raise AssertionError(f"a frame beyond the credit: {message}")
        page.say("ack", frame=frames[-1]["frame"])
        assert "shop.third" in page.next("rows")["content"]


def test_a_page_of_elsewhere_and_a_stranger_are_refused(served: Served, cookie: str) -> None:
    """Before the socket is open, with 403."""
    for options in ({"origin": "http://elsewhere.example"}, {"origin": None}, {"cookie": ""}):
        with pytest.raises(InvalidStatus) as refused, Socket(served, **{"cookie": cookie, **options}):  # type: ignore[arg-type]
            pass
        assert refused.value.response.status_code == 403


def test_who_signs_out_is_told_so(served: Served) -> None:
    """By the code with which the socket is closed."""
    if served.is_sidecar:
        pytest.skip("who came by a link has nothing to sign out of")
    cookie = served.log_in()
    with Socket(served, cookie) as page:
        page.hello()
        log_out(served, cookie)
        assert page.closed_with() == 4401


def test_one_page_too_many_is_told_so(served: Served, cookie: str) -> None:
    """By its code; those that were there before it stay."""
    with ExitStack() as stack:
        pages = [stack.enter_context(silent(served, cookie)) for _ in range(500)]
        with Socket(served, cookie) as page:
            assert page.closed_with() == 4429
        pages.pop().socket.close()
        served_again(served, cookie)


def served_again(served: Served, cookie: str) -> None:
    """Until the server has noticed who left."""
    deadline = time.monotonic() + PATIENCE
    while True:
        with Socket(served, cookie) as page:
            try:
                page.hello()
            except Exception:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            else:
                return


def test_a_long_command_is_refused_and_a_long_frame_comes(served: Served, cookie: str, hand: Hand) -> None:
    """Of a megabyte in one direction; in the other as much as a frame may have."""
    with Socket(served, cookie) as page:
        page.hello()
        page.connection.send("x" * 1_000_000)
        assert page.next("error")["of"] == "command"
        hand.do("for n in range(60): asked.send(sender='µ' * 150 + str(n), n=n)")
        content = ""
        while "µ" * 150 + "59" not in content:
            content = page.next("rows")["content"]
        page.say("filter", filter=f"sender:*{'µ' * 150}*")
        assert len(page.next_reset()["content"].encode()) > 60_000


def test_pages_that_vanish_in_the_midst_of_a_flood_are_no_error(served: Served, cookie: str, hand: Hand) -> None:
    """One after the other is reset while it is told much, one closes; another goes on. The log tells of none."""
    with Socket(served, cookie) as page:
        page.hello()
        leaving = [Silent(served, cookie) for _ in range(10)]
        for each in leaving:
            each.say("hello")
        hand.send("shop.flood", FLOOD)
        for each in leaving:
            each.vanish()
        hand.send("shop.after")
        while "shop.after" not in page.next("rows")["content"]:
            pass


def test_a_page_that_reads_nothing_is_held_little_and_disturbs_nobody(served: Served, cookie: str, hand: Hand) -> None:
    """Though it asks for more all the time, and says that it has what it never read: others get their rows, and the
    server's memory does not grow by what it would have been told. When it reads at last, it can leave.

    Where nobody waits, on daphne without our server, it is the acknowledgements that hold back, and they must be true.
    """
    believes = "daphne" in served.arguments
    hand.send_each("µ" * 150, 300)
    with Socket(served, cookie) as page, silent(served, cookie) as stalled:
        page.hello()
        stalled.say("hello")
        before = served.mib()
        for number in range(ASKED):
            stalled.say("filter", filter=f"sender:*{'µ' * (number % 150 + 1)}*")
            for frame in range(2 * number + 1, 2 * number + 3):
                stalled.say("ack", frame=0 if believes else frame)
            time.sleep(1 / 25)
            if number % 20 == 0:
                hand.send(f"shop.another{number}")
                while f"shop.another{number}" not in page.next("rows")["content"]:
                    pass
        assert served.mib() - before < HELD_MIB
        stalled.leave()

"""A page's reader without a browser: it connects again as a page does, and keeps what it was told."""

import json
import re
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

_LI = re.compile(r"<li [^>]*>")
_ATTRIBUTE = re.compile(r'data-([a-z]+)="([^"]*)"')


class Span(NamedTuple):
    """A row: ids from *first* to *last*, of which it stands for *stands_for*."""

    kind: str  # "row", "more" or "gap"
    first: int
    last: int
    stands_for: int


@dataclass
class List:
    """The rows since the list began anew, the oldest first."""

    epoch: str
    spans: list[Span] = field(default_factory=list)
    notices: list[dict[str, str]] = field(default_factory=list)  # their attributes
    id: int = 0  # read up to here

    def is_whole(self) -> bool:
        """Whether every id from the first to the last is in one row, in order: nothing is left out, nothing twice."""
        after = self.spans[0].first - 1 if self.spans else self.id
        for span in self.spans:
            if span.first != after + 1 or span.stands_for != span.last - span.first + 1:
                return False
            after = span.last
        return after == self.id

    def dropped(self) -> Counter[str]:
        """How many sends its rows say were dropped, by reason."""
        told = Counter[str]()
        for notice in self.notices:
            if "dropped" in notice:
                told[notice["why"]] += int(notice["dropped"])
        return told

    def take(self, message: dict[str, Any]) -> None:
        """A frame."""
        spans = []
        for tag in _LI.findall(message["content"]):
            attributes = dict(_ATTRIBUTE.findall(tag))
            if "id" in attributes:
                event_id = int(attributes["id"])
                spans.append(Span("row", event_id, event_id, 1))
            elif "count" in attributes:
                spans.append(Span("more", *(int(attributes[name]) for name in ("first", "last", "count"))))
            elif "first" in attributes:
                first, last = int(attributes["first"]), int(attributes["last"])
                spans.append(Span("gap", first, last, last - first + 1))
            if "notice" in attributes:
                self.notices.append(attributes)
        spans.reverse()
        self.spans = spans + self.spans if message["older"] else self.spans + spans


class Reader(threading.Thread):
    """Reads from the dashboard at a URL until the block ends."""

    def __init__(self, url: str, cookie: str) -> None:
        super().__init__(daemon=True)
        self.url, self.cookie = url, cookie
        self.lists: list[List] = []  # one more whenever it began anew
        self.state: dict[str, Any] = {}
        self.connections = 0
        self.problems: list[str] = []
        self.errors: list[dict[str, Any]] = []
        self._of: str | None = None
        self._dropped: dict[str, int] | None = None
        self._is_over = threading.Event()
        self._connection: ClientConnection | None = None

    def __enter__(self) -> "Reader":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._is_over.set()
        if self._connection is not None:
            self._connection.close()
        self.join()

    @property
    def epoch(self) -> str:
        return self.lists[-1].epoch if self.lists else ""

    @property
    def id(self) -> int:
        return self.lists[-1].id if self.lists else -1

    def run(self) -> None:
        while not self._is_over.is_set():
            with suppress(OSError, WebSocketException, TimeoutError):
                self._read()
            time.sleep(0.05)

    def _read(self) -> None:
        address = urlsplit(self.url)
        with connect(
            f"ws://{address.netloc}{address.path}/socket/",
            origin=Origin(f"http://{address.netloc}"),
            additional_headers={"Cookie": self.cookie},
            max_size=None,
            ping_interval=None,
            close_timeout=1,
        ) as connection:
            self._connection = connection
            self.connections += 1
            # A list that was cut off before its first frame begins anew, as the page has it.
            standing = {"epoch": self.epoch, "id": self.id, "of": self._of, "dropped": self._dropped}
            cursor = standing if self.lists else {}
            connection.send(json.dumps({"type": "hello", **cursor}))
            while not self._is_over.is_set():
                self._take(connection, json.loads(connection.recv()))

    def _take(self, connection: ClientConnection, message: dict[str, Any]) -> None:
        match message["type"]:
            case "rows":
                if message["reset"]:
                    self.lists.append(List(message["epoch"]))
                    self._of = message["of"]
                shown = self.lists[-1]
                shown.take(message)
                shown.id, self._dropped = message["id"], message["dropped"]
                connection.send(json.dumps({"type": "ack", "frame": message["frame"]}))
            case "scanned":
                self.lists[-1].id = message["id"]
            case "error":
                self.errors.append(message)
            case "state":
                self.state = message
                problem = message["problem"]
                if problem and problem["message"] not in self.problems:
                    self.problems.append(problem["message"])

"""One reader through random schedules of whatever can happen to it, beside a plain list of all that was sent.

Time is virtual and the bounds are small, so that a schedule of minutes is over in milliseconds. ``SCHEDULES`` in the
environment says how many are tried.
"""

import asyncio
import json
import os
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from channels.layers import channel_layers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from livesignals.dashboard import rendering
from livesignals.exceptions import JournalUnavailable
from livesignals.filters import parse
from livesignals.journal import Journal
from livesignals.journal.memory import MemoryJournal
from livesignals.transport import consumer, faceting, feed, replay, searching
from livesignals.transport.consumer import LiveConsumer
from livesignals.transport.feed import Feed
from livesignals.transport.layer import LAYER_ALIAS
from tests.journal.building import Sender, make_event
from tests.transport.virtual_time import run, virtual_time

SCHEDULES = int(os.environ.get("SCHEDULES", "300"))
SENDERS = ("shop.Order", "shop.Tag", "shop.User")
FILTERS = ("", "sender:shop.Tag", "-sender:shop.Order", "sender:nobody")
ROW = re.compile(r'<li class="row[^"]*"[^>]* data-id="(\d+)"')
MORE = re.compile(r'<li class="more" data-first="(\d+)" data-last="(\d+)" data-count="(\d+)"')
GAP = re.compile(r'data-notice="gap" data-first="(\d+)" data-last="(\d+)"')

steps = st.one_of(
    st.tuples(st.just("send"), st.lists(st.sampled_from(SENDERS), min_size=1, max_size=70)),
    st.tuples(st.just("wait"), st.sampled_from((0.0, 0.01, 0.1, 1.0))),
    st.tuples(st.just("evict"), st.integers(0, 60)),
    st.tuples(st.just("filter"), st.sampled_from(FILTERS)),
    st.tuples(
        st.sampled_from(("clear", "cut", "connect", "restart", "stall", "acknowledge", "lose", "away", "back")),
        st.none(),
    ),
)


@pytest.fixture(autouse=True, scope="module")
def _small_bounds() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module, name, value in (
            (feed, "RING_EVENTS", 40),
            (feed, "BATCH_EVENTS", 25),
            (feed, "COUNTS_SECONDS", 0.05),
            (consumer, "READ_EVENTS", 30),
            (consumer, "FIRST_ROWS", 20),
            (consumer, "FRAME_ROWS", 8),
            (consumer, "SPARED_ROWS", 12),
            (consumer, "ROWS_PER_SECOND", 100),
        ):
            patch.setattr(module, name, value)
        yield


class Moody(MemoryJournal):
    """A journal that is away for a while."""

    is_away = False

    def __getattribute__(self, name: str) -> Any:
        if name in ("bounds", "tail", "read", "counts", "search", "changed") and self.is_away:
            raise JournalUnavailable("the journal is away", "wait")
        return super().__getattribute__(name)


class LoopFeed(Feed):
    """A feed whose threads are the loop itself. *loses*: the group carries nothing."""

    loses = False

    async def run(self, work: Callable[[Journal], Any], executor: Any = None) -> Any:
        await asyncio.sleep(0)
        return work(self._get_journal())

    async def _index(self) -> None:
        await asyncio.Event().wait()


class Shown(NamedTuple):
    """What a browser has been told since its list began anew."""

    epoch: str
    filter: str
    head: int  # live goes on behind this id
    rows: list[int]  # in the order in which they came
    more: list[tuple[int, int, int]]
    gaps: list[tuple[int, int]]


class Browser:
    """A page that reconnects as the real one does, and keeps what it is told."""

    def __init__(self, of: Feed) -> None:
        self.feed = of
        self.filter = ""
        self.epoch, self.id, self.of = "", -1, ""
        self.acknowledges = True
        self.unacknowledged: list[int] = []
        self.shown: Shown | None = None
        self._said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._running: asyncio.Task[None] | None = None
        self._connection = 0

    def connect(self) -> None:
        if self._running is not None:
            return
        self._said = asyncio.Queue()
        self.unacknowledged = []
        self._connection += 1
        number = self._connection

        async def take(message: dict[str, Any]) -> None:
            if number == self._connection and "text" in message:
                self.take(json.loads(message["text"]))

        reader = LiveConsumer(feed=self.feed, rendering=rendering, may_still_look=_always)
        self._running = asyncio.ensure_future(reader({"type": "websocket", "path": "/"}, self._said.get, take))
        self._said.put_nowait({"type": "websocket.connect"})
        cursor = {"epoch": self.epoch, "id": self.id, "of": self.of} if self.epoch else {}
        self.say(type="hello", filter=self.filter, **cursor)

    async def cut(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            self._connection += 1
            self._said.put_nowait({"type": "websocket.disconnect", "code": 1006})
            await running

    def say(self, **message: Any) -> None:
        if self._running is not None:
            self._said.put_nowait({"type": "websocket.receive", "text": json.dumps(message)})

    def use_filter(self, text: str) -> None:
        self.filter = text
        self.say(type="filter", filter=text)

    def acknowledge(self) -> None:
        self.acknowledges = True
        for frame in self.unacknowledged:
            self.say(type="ack", frame=frame)
        self.unacknowledged = []

    def take(self, message: dict[str, Any]) -> None:
        if message["type"] == "scanned":
            self.epoch, self.id = message["epoch"], message["id"]
        if message["type"] != "rows":
            return
        self.unacknowledged.append(message["frame"])
        if self.acknowledges:
            self.acknowledge()
        content = message["content"]
        rows = [int(found) for found in ROW.findall(content)]
        if message["reset"]:
            self.of = message["of"]
            self.shown = Shown(message["epoch"], self.of, message["id"], [], [], [])
        elif message["older"]:
            return
        else:
            assert self.shown is not None
            self.shown.rows.extend(reversed(rows))
            self.shown.more.extend((int(a), int(b), int(n)) for a, b, n in MORE.findall(content))
            self.shown.gaps.extend((int(a), int(b)) for a, b in GAP.findall(content))
        self.epoch, self.id = message["epoch"], message["id"]


async def _always() -> bool:
    return True


class World:
    """A journal, a server and a browser; and every event that was ever sent."""

    def __init__(self) -> None:
        self.journal = Moody(project="", retain_events=10_000, retain_bytes=2**30)
        self.sender = Sender(self.journal)
        self.sent: dict[str, dict[int, str]] = {}  # sender by id, by epoch
        self.feed = LoopFeed(lambda: self.journal)
        self.browser = Browser(self.feed)

    async def take(self, step: str, value: Any) -> None:
        journal, browser = self.journal, self.browser
        match step:
            case "send":
                was_away, journal.is_away = journal.is_away, False
                appended = self.sender.append([make_event(sender=sender) for sender in value])
                journal.is_away = was_away
                ids = range(appended.first, appended.last + 1)
                self.sent.setdefault(appended.epoch, {}).update(zip(ids, value, strict=True))
            case "wait":
                await asyncio.sleep(value)
            case "evict":
                journal.prune(keep_events=value)
            case "clear":
                journal.clear()
            case "filter":
                browser.use_filter(value)
            case "cut":
                await browser.cut()
            case "connect":
                browser.connect()
            case "restart":
                await browser.cut()
                self.feed = browser.feed = LoopFeed(lambda: journal)
                browser.connect()
            case "stall":
                browser.acknowledges = False
            case "acknowledge":
                browser.acknowledge()
            case "lose":
                self.feed._ring.clear()
            case "away":
                journal.is_away = True
            case "back":
                journal.is_away = False
        await asyncio.sleep(0)

    async def settle(self) -> None:
        """All is well from here on, for as long as it takes."""
        self.journal.is_away = False
        self.browser.acknowledge()
        self.browser.connect()
        await asyncio.sleep(30)
        await self.browser.cut()

    def check(self) -> None:
        """Every matching event since the list began is shown once and in order, or is in a gap or a "+n more"."""
        shown, bounds = self.browser.shown, self.journal.bounds()
        assert shown is not None
        assert shown.epoch == bounds.epoch
        assert shown.filter == self.browser.filter
        assert (self.browser.epoch, self.browser.id) == (bounds.epoch, bounds.last)
        chosen = parse(shown.filter)
        matching = {
            number
            for number, sender in self.sent.get(shown.epoch, {}).items()
            if number > shown.head and chosen.matches(make_event(sender=sender))
        }
        assert shown.rows == sorted(set(shown.rows))
        assert set(shown.rows) <= matching
        left = matching.difference(shown.rows)
        for first, last, count in shown.more:
            within = {number for number in left if first <= number <= last}
            assert len(within) == count
            left -= within
        for first, last in shown.gaps:
            assert last < bounds.first, "what is called a gap can be read"
            left -= set(range(first, last + 1))
        assert not left


@settings(max_examples=SCHEDULES, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(steps, max_size=25))
def test_a_reader_gets_every_event_once_or_is_told_what_it_did_not_get(schedule: list[tuple[str, Any]]) -> None:
    """Through cuts, restarts, evictions, filters, epochs, readers that stall and a journal that is away."""

    async def live(world: Callable[[], World] = World) -> None:
        # One of another loop, in which a channel of the same name had been: hypothesis repeats what is random.
        channel_layers.backends.pop(LAYER_ALIAS, None)
        here = world()
        here.browser.connect()
        for step, value in schedule:
            await here.take(step, value)
        await here.settle()
        here.check()

    with virtual_time(consumer, faceting, feed, replay, searching) as loop:
        run(loop, live())

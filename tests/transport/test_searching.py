"""A page's way back through history: what is at hand first, then piece by piece, ended when it is not wanted."""

import asyncio
import json
import re
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from livesignals.events import Cause
from livesignals.exceptions import JournalUnavailable
from livesignals.filters import Filter, parse
from livesignals.journal import Found
from livesignals.journal.memory import MemoryJournal
from livesignals.transport import searching
from livesignals.transport.feed import Feed
from livesignals.transport.searching import FIRST_EVENTS, FIRST_SECONDS, LEAST_EVENTS, MOST_EVENTS, SLOW_SECONDS, Search
from tests.journal.building import Sender, make_event, make_events
from tests.transport.test_consumer import PATIENCE, Page

IN_VAIN = "nothing-of-this-kind"


class Journal(MemoryJournal):
    """One that tells what it was asked to search for, takes its time when told, and may fail."""

    def __init__(self) -> None:
        super().__init__(project="", retain_events=1_000_000, retain_bytes=2**40)
        self.searched: list[tuple[str, int | None]] = []
        self.may_search = threading.Event()
        self.may_search.set()
        self.slow = threading.Semaphore(0)  # what is looked for in vain takes one of these for each piece
        self.seconds = 0.0
        self.failures = 0

    def search(self, filter: Filter, before: int | None, limit: int, max_scan: int | None = None) -> Found:
        self.searched.append((filter.source, max_scan))
        assert self.may_search.wait(PATIENCE)
        if filter.source == IN_VAIN:
            assert self.slow.acquire(timeout=PATIENCE)
        time.sleep(self.seconds)
        if self.failures:
            self.failures -= 1
            raise JournalUnavailable("away for a moment")
        return super().search(filter, before, limit, max_scan)


class Reader(Page):
    """A page that acknowledges what it gets, as a browser does."""

    def __init__(self, feed: Feed) -> None:
        super().__init__(feed)
        self.got: list[dict[str, Any]] = []

    async def _send(self, message: dict[str, Any]) -> None:
        await super()._send(message)
        if "text" not in message:
            return
        said = json.loads(message["text"])
        self.got.append(said)
        if said["type"] == "rows":
            self.ask("ack", frame=said["frame"])

    def ask(self, type: str, **more: Any) -> None:
        self.say(json.dumps({"type": type, **more}))

    async def until_told(
        self, type: str, holds: Callable[[dict[str, Any]], bool] = lambda said: True
    ) -> dict[str, Any]:
        """Wait for the next message of that type for which *holds* does; it and those before are taken."""
        deadline = time.monotonic() + PATIENCE
        while True:
            while self.got:
                said = self.got.pop(0)
                if said["type"] == type and holds(said):
                    return said
            assert time.monotonic() < deadline, f"no {type}"
            await asyncio.sleep(0.005)


@asynccontextmanager
async def reading(feed: Feed) -> Any:
    """A page that has said hello and has its first rows."""
    page = Reader(feed)
    running = asyncio.ensure_future(page.run())
    page.connect()
    page.ask("hello")
    await page.until_told("searched", lambda said: not said["running"])
    try:
        yield page
    finally:
        page.disconnect()
        await asyncio.wait_for(running, PATIENCE)


def on_a_loop(work: Callable[[Journal, Feed], Awaitable[None]], *, history: int = 0) -> None:
    """Run *work* with a journal that holds so many sends, and a feed that has none of them in memory."""
    journal = Journal()
    if history:
        # No two of them are a run, which would be one line.
        causes = [Cause(kind="request", name="GET /", id=f"request-{number}") for number in range(history)]
        Sender(journal).append([make_event(cause=cause) for cause in causes])

    async def run() -> None:
        await work(journal, Feed(lambda: journal))

    asyncio.run(run())


def ids(content: str) -> list[int]:
    return [int(found) for found in re.findall(r'data-id="(\d+)"', content)]


async def caught_up(feed: Feed, journal: Journal) -> None:
    deadline = time.monotonic() + PATIENCE
    while feed.head < journal.bounds().last:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


def test_rows_at_hand_answer_before_the_journal_does() -> None:
    """While the journal is busy with something else, a new filter is answered from memory."""

    async def work(journal: Journal, feed: Feed) -> None:
        async with reading(feed) as page:
            Sender(journal).append([make_event(sender=f"shop.{name}") for name in ("Order", "Stock", "Order")])
            await caught_up(feed, journal)
            journal.may_search.clear()
            page.ask("filter", filter="sender:shop.Order")
            frame = await page.until_told("rows", lambda said: said["reset"])
            assert ids(frame["content"]) == [5_003, 5_001]
            assert (await page.until_told("searched"))["running"]
            journal.may_search.set()
            told = await page.until_told("searched", lambda said: not said["running"])
            assert (told["exhausted"], told["matched"]) == (False, 100)

    on_a_loop(work, history=5_000)


def test_a_search_shows_each_match_once_in_order_and_says_how_far_it_is() -> None:
    """Piece by piece to the end of what is retained."""

    async def work(journal: Journal, feed: Feed) -> None:
        sender = Sender(journal)
        for n in range(40):
            sender.append([make_event(sender="shop.Rare", kwargs={"n": n}), *make_events(999)])
        async with reading(feed) as page:
            page.ask("filter", filter="sender:shop.Rare")
            frame = await page.until_told("rows", lambda said: said["reset"])
            found = ids(frame["content"])
            while len(found) < 40:
                frame = await page.until_told("rows")
                assert (frame["older"], frame["swap"]) == (True, "beforeend")
                found += ids(frame["content"])
            assert found == list(range(39_001, 0, -1_000))
            told = await page.until_told("searched", lambda said: not said["running"])
            assert (told["matched"], told["exhausted"]) == (40, True)
            first = journal.get(1)
            assert first is not None
            assert told["to_ts"] == first.ts
        assert len([asked for asked in journal.searched if asked[0]]) > 1

    on_a_loop(work)


def test_a_search_that_finds_nothing_keeps_nobody_waiting() -> None:
    """Two people look for what is not there; a third has an answer as soon as a piece of each is done."""

    async def work(journal: Journal, feed: Feed) -> None:
        Sender(journal).append([make_event(sender="shop.Newest")])
        async with reading(feed) as one, reading(feed) as two, reading(feed) as three:
            for page in (one, two):
                page.ask("filter", filter=IN_VAIN)
                await page.until_told("searched", lambda said: said["running"])
            three.ask("filter", filter="sender:shop.Newest")
            await three.until_told("searched", lambda said: said["running"])
            journal.slow.release(2)
            await three.until_told("rows", lambda said: said["older"] and 'shop.Newest"' in said["content"])
            assert sum(source == IN_VAIN for source, _ in journal.searched) <= 3
            journal.slow.release(1_000)
            for page in (one, two):
                await page.until_told("searched", lambda said: said["exhausted"] and not said["matched"])
        assert all(events is not None and events <= MOST_EVENTS for _, events in journal.searched)

    on_a_loop(work, history=20_000)


def test_what_a_long_run_hides_comes_below_when_it_is_not_found_at_once() -> None:
    """A page that is opened after a loop shows more than that loop, however slow the machine is."""

    async def work(journal: Journal, feed: Feed) -> None:
        Sender(journal).append(make_events(700))
        journal.seconds = 2 * FIRST_SECONDS
        async with reading(feed) as page:
            told = [json.loads(sent["text"]) for sent in page.sent if "text" in sent]
            shown = [found for said in told if said["type"] == "rows" for found in ids(said["content"])]
            assert {*range(1, 31)} <= {*shown}

    on_a_loop(work, history=30)


def test_another_filter_or_a_word_ends_a_search() -> None:
    """The journal is not asked for it any more."""

    async def work(journal: Journal, feed: Feed) -> None:
        async with reading(feed) as page:
            journal.seconds = SLOW_SECONDS * 1.2
            for source, ends in (("no-such-word", {"type": "filter", "filter": ""}), ("nor-this", {"type": "stop"})):
                page.ask("filter", filter=source)
                await page.until_told("searched", lambda said: said["running"])
                page.say(json.dumps(ends))
                told = await page.until_told("searched", lambda said: not said["running"])
                assert not told["exhausted"]
                asked = len([at for at, _ in journal.searched if at == source])
                await asyncio.sleep(4 * journal.seconds)
                assert len([at for at, _ in journal.searched if at == source]) == asked

    on_a_loop(work, history=100_000)


def test_more_goes_on_from_where_the_page_says_and_letting_go_begins_anew() -> None:
    """The page need not have kept what it was sent. What is new comes when the list is let go."""

    async def work(journal: Journal, feed: Feed) -> None:
        async with reading(feed) as page:
            page.ask("pause")
            page.ask("more", epoch=feed.epoch, id=250)
            frame = await page.until_told("rows", lambda said: said["older"])
            assert ids(frame["content"]) == list(range(249, 149, -1))
            told = await page.until_told("searched", lambda said: not said["running"])
            assert not told["exhausted"]
            page.ask("more", epoch=feed.epoch, id=50)
            frame = await page.until_told("rows", lambda said: said["older"])
            assert ids(frame["content"]) == list(range(49, 0, -1))
            await page.until_told("searched", lambda said: said["exhausted"])
            Sender(journal).append(make_events(1))
            await page.until_told("state", lambda said: said["last_id"] == 301)
            page.ask("resume")
            frame = await page.until_told("rows")
            assert frame["reset"]
            assert ids(frame["content"]) == list(range(301, 201, -1))

    on_a_loop(work, history=300)


def test_more_of_another_journal_is_left_out() -> None:
    """The list that it was about is gone."""

    async def work(journal: Journal, feed: Feed) -> None:
        async with reading(feed) as page:
            for epoch, event_id in (("another", 7), (None, 7), (feed.epoch, None)):
                page.ask("more", epoch=epoch, id=event_id)
            page.ask("more", epoch=feed.epoch, id=-(10**30))
            told = await page.until_told("searched")
            assert told["position"] == 0

    on_a_loop(work, history=10)


def test_of_many_filters_at_once_the_last_one_counts() -> None:
    """The others are neither read nor searched for; each answer is to one that was asked."""

    async def work(journal: Journal, feed: Feed) -> None:
        async with reading(feed) as page:
            for n in range(90):
                page.ask("filter", filter=f"word-{n}")
            await page.until_told("filter", lambda said: said["filter"] == "word-89")
            await page.until_told("searched", lambda said: said["filter"] == "word-89" and said["exhausted"])
        answered = {
            json.loads(sent["text"]).get("filter") for sent in page.sent if '"type":"filter"' in sent.get("text", "")
        }
        assert len(answered) < 10
        assert len({source for source, _ in journal.searched}) <= len(answered)

    on_a_loop(work, history=1_000)


def test_a_search_outlives_a_journal_that_is_away() -> None:
    """It goes on when the journal is back, and what is at hand was there all the while."""

    async def work(journal: Journal, feed: Feed) -> None:
        async with reading(feed) as page:
            journal.failures = 2
            page.ask("filter", filter="sender:shop.Order")
            assert not ids((await page.until_told("rows", lambda said: said["reset"]))["content"])
            frame = await page.until_told("rows", lambda said: said["older"])
            assert ids(frame["content"]) == list(range(30, 0, -1))

    on_a_loop(work, history=30)


class Timed(Journal):
    """Each search takes so long on a clock of its own."""

    now = takes = 0.0

    def search(self, filter: Filter, before: int | None, limit: int, max_scan: int | None = None) -> Found:
        self.now += self.takes
        return super().search(filter, before, limit, max_scan)


def test_pieces_are_as_large_as_they_are_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow filter looks at few events at a time, a quick one at many; both within bounds."""
    journal = Timed()
    monkeypatch.setattr(searching, "time", SimpleNamespace(monotonic=lambda: journal.now))

    async def work() -> None:
        feed = Feed(lambda: journal)
        await feed.watch()
        for journal.takes in (0.0, SLOW_SECONDS * 1.2):
            search = Search(feed, parse("id<0"), 2_000_000, 1)
            search.position = 2_000_000
            for _ in range(10):
                search.exhausted = False
                await search.next()
        quick, slow = journal.searched[:10], journal.searched[10:]
        assert [events for _, events in quick] == [min(FIRST_EVENTS * 2**n, MOST_EVENTS) for n in range(10)]
        assert [events for _, events in slow] == [max(FIRST_EVENTS // 2**n, LEAST_EVENTS) for n in range(10)]
        await feed.unwatch()

    asyncio.run(work())

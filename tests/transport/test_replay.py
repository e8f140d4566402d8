"""One browser's replay on the event loop: what the server answers to the recorder's commands."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from livesignals.events import Cause
from livesignals.exceptions import JournalUnavailable
from livesignals.filters import parse
from livesignals.journal.memory import MemoryJournal
from livesignals.transport import history
from livesignals.transport.feed import Feed
from tests.journal.building import Sender, make_event, make_events
from tests.transport.test_consumer import PATIENCE, Page


class Viewer(Page):
    """A page that acknowledges what it is sent, and keeps it by type."""

    def __init__(self, feed: Feed) -> None:
        super().__init__(feed)
        self.acknowledges = True

    async def _send(self, message: dict[str, Any]) -> None:
        await super()._send(message)
        said = json.loads(message.get("text", "{}"))
        if self.acknowledges and said.get("type") == "rows":
            self.tell("ack", frame=said["frame"])

    def tell(self, type: str, **more: Any) -> None:
        self.say(json.dumps({"type": type, **more}))

    def got(self, type: str) -> list[dict[str, Any]]:
        said = [json.loads(message["text"]) for message in self.sent if "text" in message]
        return [message for message in said if message["type"] == type]

    def frames(self) -> list[tuple[bool, list[int]]]:
        """Of each frame whether it replaces the list, and its ids from the oldest on."""
        return [
            (frame["reset"], [int(found) for found in re.findall(r'data-id="(\d+)"', frame["content"])][::-1])
            for frame in self.got("rows")
        ]

    async def until_so(self, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not is_so():
            assert time.monotonic() < deadline, self.sent[-5:]
            await asyncio.sleep(0.005)

    def window(self) -> list[int]:
        """The list since it was last replaced, oldest first."""
        window: list[int] = []
        for frame, (is_new, ids) in zip(self.got("rows"), self.frames(), strict=True):
            window = ids if is_new else ids + window if frame["older"] else window + ids
        return window

    async def until_window(self, wanted: list[int]) -> None:
        """Wait until the list was replaced and is exactly this; what was found later may have come below."""
        await self.until_so(lambda: any(is_new for is_new, _ in self.frames()) and self.window() == wanted)

    async def until_place(self, **wanted: Any) -> dict[str, Any]:
        """Wait until the replay is told to stand like this."""
        await self.until_so(lambda: any(place.items() >= wanted.items() for place in self.got("replay")[-1:]))
        return self.got("replay")[-1]


class Unsure(MemoryJournal):
    """A journal that is away for a while."""

    is_away = False

    def bounds(self) -> Any:
        if self.is_away:
            raise JournalUnavailable("the journal is away")
        return super().bounds()


@asynccontextmanager
async def watching(journal: MemoryJournal, **hello: Any) -> AsyncIterator[Viewer]:
    page = Viewer(Feed(lambda: journal))
    running = asyncio.ensure_future(page.run())
    page.connect()
    page.tell("hello", **hello)
    await page.until('"type":"filter"')
    yield page
    page.disconnect()
    await asyncio.wait_for(running, PATIENCE)


def new_journal(retain_events: int = 10_000) -> Unsure:
    return Unsure(project="", retain_events=retain_events, retain_bytes=2**26)


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 60))


def test_what_was_evicted_while_it_played_is_a_gap() -> None:
    """A replay that is overtaken by eviction says how many are missing, and goes on with what is retained."""
    journal = new_journal(retain_events=100)
    sender = Sender(journal)
    sender.append(make_events(100))

    async def test() -> None:
        async with watching(journal) as page:
            await page.until('"type":"rows"')
            page.tell("seek", id=10)
            await page.until_window(list(range(1, 11)))
            sender.append(make_events(50))
            await page.until_so(lambda: page.consumer.feed.head == 150)
            page.tell("speed", speed="max")
            page.tell("play")
            await page.until_place(playing=False, id=150)
            rows = page.got("rows")[-1]["content"]
            played = [event_id for _, ids in page.frames()[2:] for event_id in ids]
            more = [int(found) for found in re.findall(r'data-count="(\d+)"', rows)]
            assert "40 sends are missing here" in rows
            assert played[-1] == 150
            assert len(played) + sum(more) == 100

    run(test)


def test_a_page_that_does_not_acknowledge_gets_two_frames_of_a_replay() -> None:
    """The credits are those of the live list; nothing is lost when it acknowledges again."""
    journal = new_journal()
    Sender(journal).append(make_events(9_000))

    async def test() -> None:
        async with watching(journal) as page:
            # What the first look found in the journal may have come below the list, as a frame of its own.
            await page.until('"running":false')
            had = len(page.got("rows"))
            page.acknowledges = False
            page.tell("speed", speed="max")
            page.tell("play")
            await page.until_so(lambda: len(page.got("rows")) == had + 2)
            await asyncio.sleep(0.5)  # more would come in this time
            assert len(page.got("rows")) == had + 2
            page.acknowledges = True
            page.tell("ack", frame=page.got("rows")[-1]["frame"])
            await page.until_place(playing=False, id=9_000)
            shown = sum(frame["shown"] for frame in page.got("rows")[had + 1 :])
            assert shown == 9_000

    run(test)


def test_a_journal_that_is_away_loses_nothing_of_a_replay() -> None:
    """A command says that it was not done; the replay goes on once the journal is there again."""
    journal = new_journal()
    Sender(journal).append(make_events(500))

    async def test() -> None:
        async with watching(journal) as page:
            await page.until('"type":"rows"')
            journal.is_away = True
            page.tell("seek", id=5)
            await page.until("the journal is away")
            journal.is_away = False
            page.tell("seek", id=5)
            await page.until_window([1, 2, 3, 4, 5])

    run(test)


def test_another_journal_ends_the_replay() -> None:
    """The page is live in the new one, and a range of the old one is let go."""
    journal = new_journal()
    sender = Sender(journal)
    sender.append(make_events(20))

    async def test() -> None:
        async with watching(journal) as page:
            await page.until('"type":"rows"')
            page.tell("range", first=3, last=7, loop=True)
            await page.until_place(on=True, id=7)
            journal.clear()
            sender.append(make_events(2))
            await page.until_place(on=False, range=None)
            await page.until("was started anew")

    run(test)


def test_an_empty_journal_has_nothing_to_replay() -> None:
    """It says so; the page stays live."""

    async def test() -> None:
        async with watching(new_journal()) as page:
            for command in ("play", "step", "range"):
                page.sent.clear()
                page.tell(command)
                await page.until("Nothing is retained that could be replayed.")
            page.tell("speed", speed="max")
            await page.until_place(on=False, speed="max")

    run(test)


@pytest.mark.parametrize(
    "place",
    [{"id": 1}, {"id": 60, "first": 1, "last": 9}, {"epoch": "another", "id": 60}],
    ids=["a place", "a range", "a journal"],
)
def test_a_link_to_what_is_gone_names_the_nearest_place(place: dict[str, Any]) -> None:
    """The oldest event that is retained."""
    journal = new_journal(retain_events=50)
    Sender(journal).append(make_events(100))
    place = {"epoch": journal.bounds().epoch, **place}

    async def test() -> None:
        async with watching(journal, replay=place) as page:
            await page.until('"type":"evicted"')
            told = page.got("evicted")[0]
            assert told["id"] == 51
            assert told["what"] == ("range" if "first" in place else "place")

    run(test)


def test_a_range_that_is_partly_gone_is_cut() -> None:
    """What is left of it is kept, and it says so."""
    journal = new_journal(retain_events=50)
    Sender(journal).append(make_events(100))
    place = {"epoch": journal.bounds().epoch, "id": 70, "first": 40, "last": 70, "loop": True}

    async def test() -> None:
        async with watching(journal, replay=place) as page:
            told = await page.until_place(on=True, loop=True)
            assert (told["range"]["first"], told["range"]["last"]) == (51, 70)
            assert page.got("evicted")[0]["what"] == "beginning"

    run(test)


NO_COMMANDS: list[dict[str, Any]] = [
    {"type": "seek", "id": 10**30},
    {"type": "seek", "id": -5},
    {"type": "seek", "ts": 10**30},
    {"type": "seek", "ts": 2**53},
    {"type": "seek", "ts": 0},
    {"type": "seek"},
    {"type": "step", "by": "__init__"},
    {"type": "step", "by": "cause", "back": True},
    {"type": "speed", "speed": 0},
    {"type": "speed", "speed": -1},
    {"type": "speed", "speed": 1e308},
    {"type": "speed", "speed": "fast"},
    {"type": "speed"},
    {"type": "range", "first": 9, "last": 2},
    {"type": "range", "first": 2**53, "last": 2**53},
    {"type": "range", "first": 0, "last": 2**53},
    {"type": "range", "from": 0, "to": 1},
    {"type": "range", "from": 2**53, "to": 0},
    {"type": "range"},
    {"type": "hello", "replay": {"epoch": "x", "id": 1}},
    {"type": "hello", "replay": 7},
    {"type": "hello", "buckets": 10**9},
]


@pytest.mark.parametrize("is_replaying", [True, False])
def test_what_cannot_be_done_breaks_nothing(is_replaying: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever the recorder is told, afterwards it does what it is told."""
    journal = new_journal()
    Sender(journal).append([make_event(sender=f"shop.N{number}") for number in range(50)])  # no two are a run

    async def test() -> None:
        async with watching(journal) as page:
            await page.until('"type":"rows"')
            for command in NO_COMMANDS:
                if is_replaying:
                    page.tell("seek", id=20)
                page.sent.clear()
                page.say(json.dumps(command))
                page.tell("range")
                page.tell("seek", id=3)
                await page.until_window([1, 2, 3])
            page.tell("live")
            await page.until_window(list(range(1, 51)))

    run(test)
    assert [record.getMessage() for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


def test_the_histogram_holds_each_event_and_error() -> None:
    """As many as the page asked for buckets; another filter is answered at once, with its own."""
    journal = new_journal()
    sender = Sender(journal)
    sender.append([make_event(ts=f"2026-01-02T03:00:{second:02d}.000000Z") for second in range(50)])
    sender.append([make_event(ts="2026-01-02T03:00:59.000000Z", sender="shop.Bad", status="raised")])

    async def test() -> None:
        async with watching(journal, buckets=60) as page:
            await page.until('"type":"histogram"')
            told = page.got("histogram")[-1]
            assert (len(told["counts"]), sum(told["counts"]), sum(told["errors"])) == (60, 51, 1)
            assert told["errors"][-1] == 1
            page.tell("filter", filter="sender:shop.Bad")
            await page.until_so(lambda: sum(page.got("histogram")[-1]["counts"]) == 1)

    run(test)


def test_a_step_by_cause_finds_where_each_begins() -> None:
    """Causes whose events are mixed are told apart, in both directions, among the events that match."""
    journal = new_journal()
    causes = "aabbacbdcd"
    Sender(journal).append(
        [
            make_event(cause=Cause(kind="request", name="GET /", id=name), sender=f"shop.{'AB'[number % 2]}")
            for number, name in enumerate(causes)
        ]
    )

    def walk(filter: str) -> tuple[list[int], list[int]]:
        chosen, forth, back, position = parse(filter), [], [], 0
        while event := history.next_cause(journal, chosen, position):
            position = event.id
            forth.append(position)
        position = 11
        while event := history.previous_cause(journal, chosen, position):
            position = event.id
            back.append(position)
        return forth, back

    assert walk("") == ([1, 3, 6, 8], [8, 6, 3, 1])
    assert walk("sender:shop.A") == ([1, 3, 9], [9, 3, 1])


def test_a_range_is_kept_by_name_and_let_go() -> None:
    """What the journal refuses is told in its words, and a name is one line of some length."""
    journal = MemoryJournal(project="", retain_events=20, retain_bytes=2**26)
    Sender(journal).append(make_events(20))

    async def test() -> None:
        async with watching(journal, buckets=60) as page:
            await page.until('"type":"kept"')
            assert page.got("kept")[-1]["ranges"] == []
            page.tell("keep", name=" the   bad\npayment ", first=3, last=7)
            await page.until("the bad payment")
            page.tell("keep", name="another", first=9, last=9)
            page.tell("keep", name="one more", first=1, last=20)
            await page.until('"of":"keep"')
            for name in ("", " \n", "x" * 61):
                page.sent.clear()
                page.tell("keep", name=name, first=1, last=2)
                await page.until("this cannot be kept")
            page.tell("let_go", name="another")
            await page.until_so(lambda: len(page.got("kept")[-1:]) == 1)
            assert [(kept["name"], kept["first"], kept["last"]) for kept in page.got("kept")[-1]["ranges"]] == [
                ("the bad payment", 3, 7)
            ]

    run(test)

"""A page's way back through history, in pieces. On the event loop; the pieces run on a thread of the feed's.

What is in memory answers first. The journal is then asked piece by piece, so that a search that finds nothing keeps
nobody waiting: between two pieces those of others have their turn, and a search that is not wanted any more ends.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from livesignals.events import Event
from livesignals.exceptions import JournalError
from livesignals.filters import Filter
from livesignals.journal import Journal
from livesignals.transport.feed import Feed
from livesignals.transport.frames import has_few_lines

logger = logging.getLogger("livesignals")

#: So long the rows at hand may keep the event loop, in slices of so many events.
AT_HAND_SECONDS = 0.02
AT_HAND_SLICE = 250
#: So long the journal may take for its part in the first answer; what it finds later follows.
FIRST_SECONDS = 0.05
#: Events that one piece looks at: as many as keep the thread for a while that nobody notices.
LEAST_EVENTS, FIRST_EVENTS, MOST_EVENTS = 50, 500, 250_000
QUICK_SECONDS, SLOW_SECONDS = 0.02, 0.1
#: How long until the journal is asked again that could not be read.
RETRY_SECONDS = 1.0


class Search:
    """One search: the newest *wanted* matching events with ids below *before*.

    When these are so much alike that they would be but a few lines, *behind* instead, if that is given.
    """

    def __init__(self, feed: Feed, filter: Filter, before: int, wanted: int, *, behind: int = 0) -> None:
        self.feed = feed
        self.filter = filter
        self.wanted = wanted
        self.position = before  # all from here on was looked at
        self.back_to = ""  # the time of the event there
        self.matched = 0
        self.exhausted = False  # nothing retained is left
        self.is_stopped = False
        self._behind = behind
        self._found: list[Event] = []  # as long as it is not known whether they are few lines
        self._piece_events = FIRST_EVENTS
        self._piece: asyncio.Task[list[Event]] | None = None

    @property
    def goes_on(self) -> bool:
        """Whether there is more to look at that is wanted."""
        return not (self.exhausted or self.is_stopped or self.matched >= self.wanted)

    async def begin(self) -> list[Event]:
        """The first matches, newest first: what is at hand, and what the journal finds in next to no time."""
        found = await self._at_hand()
        deadline = time.monotonic() + FIRST_SECONDS
        while self.goes_on and (left := deadline - time.monotonic()) > 0:
            piece = self._begun()
            await asyncio.wait([piece], timeout=left)
            if not piece.done():
                break
            try:
                found += await self.next()
            except JournalError:
                break  # whoever goes on tries again
        return found

    async def next(self) -> list[Event]:
        """The matches of the next piece, newest first. Raises JournalError; it can be called again then."""
        piece = self._begun()
        try:
            return await piece
        finally:
            self._piece = None

    def stop(self) -> None:
        """Look no further. A piece that has begun ends by itself, for nobody."""
        self.is_stopped = True
        if self._piece is not None:
            self._piece.cancel()

    async def _at_hand(self) -> list[Event]:
        found: list[Event] = []
        deadline = time.monotonic() + AT_HAND_SECONDS
        for number, event in enumerate(self.feed.at_hand(self.position)):
            if number % AT_HAND_SLICE == AT_HAND_SLICE - 1:
                if time.monotonic() > deadline:
                    break
                await asyncio.sleep(0)
            self.position, self.back_to = event.id, event.ts
            if self.filter.matches(event):
                found.append(event)
                self.matched += 1
                if self.matched == self.wanted:
                    break
        self._look_behind(found)
        return found

    def _look_behind(self, events: list[Event]) -> None:
        if not self._behind:
            return
        self._found += events
        if self.matched >= self.wanted:
            if has_few_lines(self._found, self.wanted):
                self.wanted = self._behind
            self._behind, self._found = 0, []

    def _begun(self) -> "asyncio.Task[list[Event]]":
        if self._piece is None:
            self._piece = asyncio.ensure_future(self._next())
            self._piece.add_done_callback(_looked_at)
        return self._piece

    async def _next(self) -> list[Event]:
        events, position, back_to, exhausted, seconds = await self.feed.run(self._look, self.feed.searcher)
        self.position, self.exhausted, self.back_to = position, exhausted, back_to or self.back_to
        self.matched += len(events)
        self._look_behind(events)
        if seconds < QUICK_SECONDS:
            self._piece_events = min(MOST_EVENTS, self._piece_events * 2)
        elif seconds > SLOW_SECONDS:
            self._piece_events = max(LEAST_EVENTS, self._piece_events // 2)
        return events

    def _look(self, journal: Journal) -> tuple[list[Event], int, str, bool, float]:
        """One piece, and the time it took. On the feed's thread."""
        begun = time.monotonic()
        found = journal.search(self.filter, self.position, self.wanted - self.matched, self._piece_events)
        seconds = time.monotonic() - begun
        last = found.events[-1] if found.events else None
        if last is None or last.id != found.scanned_to:
            last = next(iter(journal.read(found.scanned_to - 1, 1)), last)
        return found.events, found.scanned_to, last.ts if last else "", found.exhausted, seconds


def _looked_at(piece: "asyncio.Task[list[Event]]") -> None:
    """A search that has been stopped waits for nobody: the error of its last piece is no news."""
    if not piece.cancelled():
        piece.exception()


Show = Callable[[Search, list[Event]], Awaitable[None]]


class Searching:
    """The search that one page waits for: at most one, carried on until it has what is wanted."""

    def __init__(self, show: Show) -> None:
        """*show* takes each piece's events; it may take its time."""
        self._show = show
        self._task: asyncio.Task[None] | None = None
        self.search: Search | None = None

    def go_on(self, search: Search) -> None:
        """Carry *search* on, in the place of any other."""
        self.stop()
        self.search = search
        self._task = asyncio.ensure_future(self._run(search))

    def stop(self) -> None:
        """End the search, if one is going on."""
        if self.search is not None:
            self.search.stop()
        if self._task is not None:
            self._task.cancel()
        self._task = None

    async def _run(self, search: Search) -> None:
        while search.goes_on:
            try:
                events = await search.next()
            except JournalError:
                await asyncio.sleep(RETRY_SECONDS)  # the feed says what is wrong with it
                continue
            except Exception:
                logger.exception("livesignals: a search failed")
                return
            await self._show(search, events)

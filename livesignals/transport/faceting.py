"""What the present filter holds, counted by field, for a page that shows it. On the event loop.

The journal counts once for a filter; what comes after that is counted as it comes, and from time to time the journal
is asked again, since it forgets too.
"""

import asyncio
import logging
import time
from collections import Counter
from typing import Any, Protocol

from livesignals.events import Event
from livesignals.exceptions import JournalError
from livesignals.filters import FIELDS, Filter, up_to
from livesignals.journal import Journal
from livesignals.transport.feed import Feed

logger = logging.getLogger("livesignals")

FACETS = ("signal", "sender", "receiver", "cause")
#: Values of a field that are shown; more are counted, so that one that rises is right from the start.
SHOWN_VALUES = 10
COUNTED_VALUES = 200
REFRESH_SECONDS = 1.0
RECOUNT_SECONDS = 20.0
LIVE_EVENTS = 10_000
SLICE_EVENTS = 250

_SEEN = {field.name: field.seen for field in FIELDS if field.name in FACETS}


class Reader(Protocol):
    """Whose filter it is, and who is told."""

    filter: Filter

    async def _say(self, **message: Any) -> bool: ...


class Faceting:
    """The counts of one page, told once a second while something changes."""

    def __init__(self, feed: Feed, reader: Reader) -> None:
        self._feed = feed
        self._reader = reader
        self._task: asyncio.Task[None] | None = None
        self._poked = asyncio.Event()
        self._filter: Filter | None = None  # what the counts are of
        self._epoch = ""
        self._counted_to = 0
        self._counted_at = 0.0
        self._counts: dict[str, Counter[str]] = {}
        self._scanned = 0
        self._exhausted = True

    def open(self) -> None:
        """Count, and tell."""
        if self._task is None:
            self._filter = None
            self._task = asyncio.ensure_future(self._run())

    def close(self) -> None:
        """Nobody looks any more."""
        if self._task is not None:
            self._task.cancel()
        self._task = None

    def poke(self) -> None:
        """The filter is another one."""
        self._poked.set()

    async def _run(self) -> None:
        while True:
            self._poked.clear()
            try:
                has_changed = await self._refresh()
            except JournalError:
                has_changed = False  # the feed says what is wrong with it
            except Exception:
                logger.exception("livesignals: facets could not be counted")
                has_changed = False
            if has_changed:
                await self._reader._say(**self._told())
            begun = time.monotonic()
            if self._filter is self._reader.filter:
                try:
                    await asyncio.wait_for(self._poked.wait(), REFRESH_SECONDS)
                except TimeoutError:
                    continue
            # However fast filters follow each other, the journal is not asked all the time.
            await asyncio.sleep(max(0.0, begun + REFRESH_SECONDS / 4 - time.monotonic()))

    async def _refresh(self) -> bool:
        feed, chosen = self._feed, self._reader.filter
        if chosen is not self._filter or feed.epoch != self._epoch:
            await self._count(chosen)
            return chosen is self._reader.filter
        if feed.head == self._counted_to:
            return False
        if time.monotonic() - self._counted_at > RECOUNT_SECONDS or feed.head - self._counted_to > LIVE_EVENTS:
            await self._count(chosen)
            return chosen is self._reader.filter
        return await self._add_live(chosen)

    async def _count(self, chosen: Filter) -> None:
        epoch, head = self._feed.epoch, self._feed.head
        bounded = up_to(chosen, head)  # what the feed has not seen yet is counted when it has
        counted = await self._feed.run(lambda journal: _counted(journal, bounded), self._feed.counter)
        self._filter, self._epoch, self._counted_to = chosen, epoch, head
        self._counts, self._scanned, self._exhausted = counted
        self._counted_at = time.monotonic()

    async def _add_live(self, chosen: Filter) -> bool:
        events = await self._feed.read(self._counted_to, LIVE_EVENTS)
        has_changed = False
        for number, event in enumerate(events):
            if chosen.matches(event):
                has_changed = True
                _add(self._counts, event)
            if number % SLICE_EVENTS == SLICE_EVENTS - 1:
                await asyncio.sleep(0)
        self._scanned += len(events)
        self._counted_to = events[-1].id if events else self._feed.head
        return has_changed and chosen is self._reader.filter

    def _told(self) -> dict[str, Any]:
        assert self._filter is not None
        return {
            "type": "facets",
            "filter": self._filter.source,
            "counts": {name: self._counts[name].most_common(SHOWN_VALUES) for name in FACETS},
            "scanned": self._scanned,
            "exhausted": self._exhausted,
        }


def _counted(journal: Journal, chosen: Filter) -> tuple[dict[str, Counter[str]], int, bool]:
    """Counts by field, of how many events, and whether these were all. On a worker thread."""
    found = journal.facets(chosen, FACETS, COUNTED_VALUES)
    return {name: Counter(dict(found.counts.get(name, ()))) for name in FACETS}, found.scanned, found.exhausted


def _add(counts: dict[str, Counter[str]], event: Event) -> None:
    for name in FACETS:
        counts[name].update(set(_SEEN[name](event)))

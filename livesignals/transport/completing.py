"""What a filter that is being typed may go on with: fields, and values of recent events. On the event loop."""

import asyncio
import time
from collections.abc import Iterable
from weakref import WeakKeyDictionary

from livesignals.events import Event
from livesignals.filters import FIELDS, Completion, complete, parse
from livesignals.filters.fields import payload_name
from livesignals.filters.payload import scalars
from livesignals.filters.text import scalar_text
from livesignals.transport.feed import Feed

#: So many of the newest events are looked at, and no oftener than this, however much is typed.
RECENT_EVENTS = 1_000
LOOK_SECONDS = 0.25
SLICE_EVENTS = 100
#: Values kept of one field, paths of keys kept, and values taken from one event.
MAX_VALUES = 200
MAX_PATHS = 300
MAX_CARRIED = 40
#: Longer ones are nothing to choose from a list.
MAX_CHARACTERS = 100
MASKED = "••••••"

_FIELDS = [field for field in FIELDS if field.name != "pid"]


class Seen:
    """Values that were seen lately, by name of field; the latest last. One for a feed."""

    def __init__(self) -> None:
        self.values: dict[str, dict[str, None]] = {}
        self._epoch = ""
        self._last = 0
        self._looked_at = 0.0

    async def look(self, feed: Feed) -> None:
        """Take in what is new. Raises JournalError."""
        if feed.epoch == self._epoch and time.monotonic() - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = time.monotonic()
        if feed.epoch != self._epoch:
            self._epoch, self._last = feed.epoch, 0
        events = feed.at_hand(feed.head + 1)[:RECENT_EVENTS]
        oldest = events[-1].id if events else feed.head + 1
        missing = RECENT_EVENTS - len(events)
        if missing and oldest > self._last + 1:  # what came while nobody looked is not in memory
            everything = parse("")
            events += (await feed.run(lambda journal: journal.search(everything, oldest, missing))).events
        new = [event for event in reversed(events) if event.id > self._last]
        if new:
            self._last = new[-1].id
        for number, event in enumerate(new):
            self._learn(event)
            if number % SLICE_EVENTS == SLICE_EVENTS - 1:
                await asyncio.sleep(0)

    def _learn(self, event: Event) -> None:
        for field in _FIELDS:
            self._add(field.name, field.seen(event))
        for steps, value in scalars(event.kwargs, MAX_CARRIED):
            self._add(payload_name(steps), (scalar_text(value),))

    def _add(self, name: str, values: Iterable[str]) -> None:
        kept = self.values.get(name)
        for value in values:
            if not value or len(value) > MAX_CHARACTERS or value == MASKED:
                continue
            if kept is None:
                kept = self.values[name] = {}
                self._forget_a_path()
            kept.pop(value, None)
            kept[value] = None
            if len(kept) > MAX_VALUES:
                del kept[next(iter(kept))]

    def _forget_a_path(self) -> None:
        if len(self.values) > MAX_PATHS:
            oldest = next(name for name in self.values if name.startswith("kwargs."))
            del self.values[oldest]


_SEEN_BY: "WeakKeyDictionary[Feed, Seen]" = WeakKeyDictionary()


async def completions(feed: Feed, text: str, column: int) -> list[Completion]:
    """How *text* may go on at the caret, which is before *column*. Raises JournalError."""
    seen = _SEEN_BY.setdefault(feed, Seen())
    await seen.look(feed)
    return complete(text, column, seen.values)

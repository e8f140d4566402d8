"""One browser's replay of the history: the commands of the recorder, and what it reads and shows for them.

Rows go out as the frames of the live list do and under the same credits. Wherever the position is, the list shows the
window of matching events that ends at it; while it plays, they come on top of that. Live is left where it was: its
cursor stays, and what comes meanwhile is counted. On the server's event loop; a lock keeps commands and reading apart.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from math import inf
from typing import TYPE_CHECKING, Annotated, Any, Literal

from django.utils.translation import gettext
from msgspec import Meta, Struct
from msgspec.structs import replace

from livesignals.events import Event
from livesignals.events.record import microseconds
from livesignals.exceptions import JournalError
from livesignals.filters import Filter
from livesignals.journal import Bounds
from livesignals.journal.pins import ranges
from livesignals.transport.frames import rows_of
from livesignals.transport.history import next_cause, previous_cause, read_on
from livesignals.transport.player import FASTEST, SLOWEST, Missing, Player, Range

if TYPE_CHECKING:
    from livesignals.transport.consumer import Command, LiveConsumer

logger = logging.getLogger("livesignals")

WINDOW_ROWS = 100
#: At most so many events become due in one frame; what has no room there is one row that stands for many.
FRAME_EVENTS = 2_000
READ_EVENTS = 200
#: Without spacing more is shown than can be held for every reader.
READ_EVENTS_AT_MAX = 1_000
#: Events that one reading looks at for the ones that match.
SCAN_EVENTS = 50_000
READING_SECONDS = 0.25  # that a frame waits for matches which are far apart
TICK_SECONDS = 0.1
#: How often the place is told while nothing else happens.
PLACE_SECONDS = 0.25
HISTOGRAM_SECONDS = 2.0
#: Of the time, what histograms may take: a long one is made less often.
HISTOGRAM_SHARE = 0.05
MOST_BUCKETS = 400


#: An id or a moment (µs since 1970): what JavaScript can say exactly.
Number = Annotated[int, Meta(ge=0, le=2**53)]
Buckets = Annotated[int, Meta(ge=0, le=MOST_BUCKETS)]
Speed = float | Literal["max"]


class Place(Struct):
    """Where a page was, or a link leads to: said with ``hello``."""

    epoch: str
    id: Number
    first: Number | None = None
    last: Number | None = None
    loop: bool = False
    speed: Speed = 1.0
    playing: bool = False


class Replay:
    """See the module. ``player`` is None while the page is live or paused."""

    def __init__(self, reader: "LiveConsumer") -> None:
        self.reader = reader
        self.feed = reader.feed
        self._say, self._say_error, self._send_frame = reader._say, reader._error, reader._frame
        self.player: Player | None = None
        self.buckets = 0  # of the histogram that the page draws; 0: it draws none
        self._range: Range | None = None  # is kept while the page is live
        self._speed = 1.0
        self._lock = asyncio.Lock()
        self._shows_window = False  # next, instead of what comes
        self._ticked_at: float | None = None
        self._tick: asyncio.TimerHandle | None = None
        self._told: dict[str, Any] = {}
        self._told_at = 0.0
        self.asks = asyncio.Event()  # for another histogram at once: the filter is another one
        self._histogram_pause = HISTOGRAM_SECONDS

    @property
    def is_on(self) -> bool:
        return self.player is not None

    # Commands

    async def obey(self, command: "Command") -> None:
        """Do what a command of the recorder says."""
        async with self._lock, self._answering_for_the_journal():
            bounds = await self.feed.run(lambda journal: journal.bounds())
            if bounds.last < bounds.first and command.type not in ("speed", "live"):
                await self._say_error("replay", gettext("Nothing is retained that could be replayed."))
                return
            await _COMMANDS[command.type](self, command, bounds)
            await self._tell(at_once=True)

    async def restore(self, place: Place) -> None:
        """Go to where a page was before its socket closed, or where a link leads."""
        async with self._lock, self._answering_for_the_journal():
            bounds = await self.feed.run(lambda journal: journal.bounds())
            if (
                bounds.last < bounds.first
                or place.epoch != bounds.epoch
                or not (place.id >= bounds.first - 1 or await self._is_kept(place.id, place.id))
            ):
                await self._tell_evicted("place", bounds)
                await self._tell(at_once=True)
                return
            self._speed = _speed(place.speed) or 1.0
            if place.first is not None and place.last is not None:
                await self._restore_range(place.first, place.last, place.loop, bounds)
            await self._go(min(place.id, bounds.last))
            if place.playing:
                self._start()
            await self._tell(at_once=True)

    async def pause(self) -> None:
        """Hold the clock."""
        async with self._lock:
            self._stop()
            await self._tell(at_once=True)

    def leave(self) -> None:
        """Nothing is replayed any more; the caller shows what is live."""
        self.player = None
        self._ticked_at = None
        self.reader.is_paused = False
        self.reader.needs_reset = True

    async def forget(self) -> None:
        """The journal was started anew: places and ranges of the one before are of no use."""
        if self.is_on or self._range is not None:
            self._range = None
            self.leave()
            self.reader.needs_reset = False
            await self._tell(at_once=True)

    async def _play(self, command: "Command", bounds: Bounds) -> None:
        chosen = self._range or Range(0, bounds.last, 0, 0)
        # From the beginning when it was live, or is through with it. A place that was evicted meanwhile shows as a gap.
        if self.player is None or not chosen.first - 1 <= self.player.id < min(chosen.last, bounds.last):
            await (self._go(bounds.first - 1) if self._range is None else self._go(chosen.first - 1, chosen.from_us))
        self._start()

    async def _seek(self, command: "Command", bounds: Bounds) -> None:
        if command.next or command.previous:
            await self._step_by_match(bounds, is_back=command.previous)
        elif command.id is not None:
            is_there = bounds.first <= command.id <= bounds.last
            if not is_there and not await self._is_kept(command.id, command.id):
                await self._tell_evicted("id", bounds, command.id)
            else:
                await self._go(command.id)
        elif command.ts is not None:
            after = await self.feed.run(lambda journal: journal.id_at(command.ts + 1))  # type: ignore[operator]
            position = max(after - 1, bounds.first)
            await self._go(position, command.ts if position == after - 1 else None)

    async def _step(self, command: "Command", bounds: Bounds) -> None:
        self._stop()
        if self.player is None:
            await self._go(bounds.last)
        if command.by == "event":
            await self._step_by_event(bounds, is_back=command.back)
        elif command.by == "cause":
            await self._step_by_cause(is_back=command.back)
        else:
            await self._step_by_match(bounds, is_back=command.back)

    async def _set_speed(self, command: "Command", bounds: Bounds) -> None:
        speed = _speed(command.speed)
        if speed is None:
            expected = f'a number from {SLOWEST} to {FASTEST:g}, or "max"'
            await self._say_error("command", "this is no speed", expected=expected)
            return
        self._speed = speed
        if self.player is not None:
            self.player.speed = speed

    async def _set_range(self, command: "Command", bounds: Bounds) -> None:
        if command.first is not None and command.last is not None:
            await self._restore_range(command.first, command.last, command.loop, bounds)
        elif command.from_us is not None and command.to_us is not None:
            low, high = sorted((command.from_us, command.to_us))
            first, after = await self.feed.run(lambda journal: (journal.id_at(low), journal.id_at(high + 1)))
            first, last = max(first, bounds.first), min(after - 1, bounds.last)
            if first > last:
                await self._say_error("replay", gettext("Nothing was sent in this time."))
                return
            self._range = Range(first, last, low, high, command.loop)
        else:
            self._range = None
        player, chosen = self.player, self._range
        if chosen is not None and (player is None or not chosen.first - 1 <= player.id <= chosen.last):
            if player is not None and player.is_playing:
                await self._go(chosen.first - 1, chosen.from_us)
            else:
                await self._go(chosen.last)
        elif player is not None:
            await self._go(player.id, player.us)

    async def _live(self, command: "Command", bounds: Bounds) -> None:
        self.leave()

    async def _restore_range(self, first: int, last: int, is_loop: bool, bounds: Bounds) -> None:
        if not await self._is_kept(first, last):
            if last < bounds.first or first > min(last, bounds.last):
                self._range = None
                await self._tell_evicted("range", bounds)
                return
            if first < bounds.first:
                await self._tell_evicted("beginning", bounds)
            first, last = max(first, bounds.first), min(last, bounds.last)
        if self._range is not None and (self._range.first, self._range.last) == (first, last):
            self._range = replace(self._range, loop=is_loop)
            return
        ends = await self.feed.run(lambda journal: (journal.get(first), journal.get(last)))
        from_us, to_us = (microseconds(event.ts) if event else 0 for event in ends)
        self._range = Range(first, last, from_us, max(from_us, to_us), is_loop)

    async def _is_kept(self, first: int, last: int) -> bool:
        """Whether all of these are there even if others of their time were evicted."""
        kept = await self.feed.run(lambda journal: ranges(journal.pins()))
        return any(low <= first and last <= high for low, high in kept)

    @asynccontextmanager
    async def _answering_for_the_journal(self) -> AsyncIterator[None]:
        """A command that the journal could not answer says so; the socket stays open."""
        try:
            yield
        except JournalError as error:
            await self._say_error("replay", str(error), expected=error.hint)

    # Places

    async def _go(self, event_id: int, us: int | None = None) -> None:
        """Stand behind an event, at its own moment unless another is named; the list will show it."""
        if us is None:
            event = await self.feed.run(lambda journal: next(iter(journal.read(max(event_id - 1, 0), 1)), None))
            us = microseconds(event.ts) if event else 0
        if self.player is None:
            self._enter()
        assert self.player is not None
        self.player.range, self.player.speed = self._range, self._speed
        self.player.go(event_id, us)
        self._shows_window = True

    def _enter(self) -> None:
        """Live stays where it is; what comes from now on is counted."""
        reader = self.reader
        reader.narrowing.stop()  # older rows of the live list would go below the replay
        if reader.needs_reset or not reader.epoch:
            reader.epoch, reader.cursor, reader.needs_reset = self.feed.epoch, self.feed.head, False
        if not reader.is_paused:
            reader.counted = reader.cursor
            reader.waiting = reader.waiting_errors = 0
        reader.is_paused = False
        self.player = Player()

    async def _step_by_event(self, bounds: Bounds, *, is_back: bool) -> None:
        assert self.player is not None
        position = self.player.id + (-1 if is_back else 1)
        if bounds.first <= position <= bounds.last:
            await self._go(position)

    async def _step_by_match(self, bounds: Bounds, *, is_back: bool) -> None:
        if self.player is None:
            await self._go(bounds.last)
        assert self.player is not None
        chosen, position = self.reader.filter, self.player.id
        if is_back:
            # The first of the two is the newest row: where the list ends now.
            found = await self.feed.run(lambda journal: journal.search(chosen, before=position + 1, limit=2))
            events = found.events[1:]
        else:
            found = await self.feed.run(lambda journal: journal.search_forward(chosen, after=position, limit=1))
            events = found.events
        if events:
            await self._go(events[0].id)

    async def _step_by_cause(self, *, is_back: bool) -> None:
        assert self.player is not None
        chosen, position = self.reader.filter, self.player.id
        find = previous_cause if is_back else next_cause
        event = await self.feed.run(lambda journal: find(journal, chosen, position))
        if event is not None:
            await self._go(event.id)

    def _start(self) -> None:
        assert self.player is not None
        self.player.is_playing = True
        self._ticked_at = time.monotonic()

    def _stop(self) -> None:
        if self.player is not None:
            self.player.is_playing = False
        self._ticked_at = None

    # Showing

    async def show(self) -> None:
        """Send what is due. The page has room for a frame."""
        async with self._lock:
            player, reader = self.player, self.reader
            if player is None:
                return
            if reader.needs_reset:  # another filter
                reader.needs_reset = False
                reader.counted, reader.waiting, reader.waiting_errors = self.feed.head, 0, 0
                player.go(player.id, player.us)
                self._shows_window = True
            frames = reader.frames_sent
            if self._shows_window:
                await self._show_window(player)
            elif player.is_playing:
                await self._show_due(player)
            # With each frame: a page whose socket is cut goes on from the place that it was told.
            await self._tell(at_once=reader.frames_sent > frames)
            if self._tick is not None:
                self._tick.cancel()
            if player.is_playing or self._shows_window:
                self._tick = asyncio.get_running_loop().call_later(TICK_SECONDS, reader.wake.set)

    async def _show_window(self, player: Player) -> None:
        chosen, position = self.reader.filter, player.id
        found = await self.feed.run(lambda journal: journal.search(chosen, before=position + 1, limit=WINDOW_ROWS))
        if chosen is not self.reader.filter:
            return
        self._shows_window = False
        # Not kept as rows at the head are: few look at the same place of the history at once.
        rendering = self.reader.rendering
        content = rows_of(found.events, WINDOW_ROWS, rendering, rendering.row_html, run_rows=WINDOW_ROWS)
        await self._send_frame(content, shown=len(found.events), reset=True)

    async def _show_due(self, player: Player) -> None:
        now = time.monotonic()
        seconds, self._ticked_at = now - (self._ticked_at or now), now
        due = player.advance(seconds, self.feed.head)
        try:
            while player.is_playing and player.wants_more(self.feed.head):
                if len(due) >= FRAME_EVENTS or time.monotonic() - now > READING_SECONDS:
                    break
                if not await self._read_on(player):
                    return  # another filter, or another journal: the list begins anew
                due += player.advance(0, self.feed.head)
        except BaseException:
            self._shows_window = bool(due)  # they were taken and not shown; the window at this place has them
            raise
        if player.has_begun_again:
            player.has_begun_again, self._shows_window = False, True
        if due:
            shown = sum(isinstance(item, Event) for item in due)
            await self._send_frame(self._due_rows(due), shown=shown, reset=False)

    async def _read_on(self, player: Player) -> bool:
        chosen, after = self.reader.filter, player.read_to
        limit = READ_EVENTS_AT_MAX if player.speed == inf else READ_EVENTS
        epoch, missing, found = await self.feed.run(lambda journal: read_on(journal, chosen, after, limit, SCAN_EVENTS))
        if chosen is not self.reader.filter or epoch != self.reader.epoch:
            return False
        player.offer(found.events, found.scanned_to, missing)
        return True

    def _due_rows(self, due: list[Event | Missing]) -> list[str]:
        """Newest first; what has no room is one row."""
        content: list[str] = []
        between: list[Event] = []
        for item in reversed(due):
            if isinstance(item, Missing):
                content += self.reader.rows(between, self.reader.rendering.row_html)
                content.append(self.reader.rendering.gap_html(item.first, item.last, "evicted"))
                between = []
            else:
                between.append(item)
        return content + self.reader.rows(between, self.reader.rendering.row_html)

    # Telling

    async def _tell(self, *, at_once: bool = False) -> None:
        place, now = self._place(), time.monotonic()
        if place == self._told:
            return
        if at_once or _without_time(place) != _without_time(self._told) or now - self._told_at >= PLACE_SECONDS:
            self._told, self._told_at = place, now
            await self._say(**place)

    def _place(self) -> dict[str, Any]:
        player, chosen = self.player, self._range
        return {
            "type": "replay",
            "on": player is not None,
            "epoch": self.reader.epoch,
            "id": player.id if player else None,
            "ts": player.us if player else None,
            "playing": player is not None and player.is_playing,
            "speed": "max" if self._speed == inf else self._speed,
            "silence": player.silence_us if player else None,
            "range": None
            if chosen is None
            else {"first": chosen.first, "last": chosen.last, "from": chosen.from_us, "to": chosen.to_us},
            "loop": chosen is not None and chosen.loop,
        }

    async def _tell_evicted(self, what: str, bounds: Bounds, wanted: int | None = None) -> None:
        """What was asked for is gone, or not there yet; name the nearest place that is retained."""
        is_behind = wanted is not None and wanted > bounds.last
        nearest = bounds.last if is_behind else bounds.first
        event = await self.feed.run(lambda journal: journal.get(nearest))
        await self._say(
            type="evicted",
            what="future" if is_behind else what,
            id=event.id if event else None,
            ts=microseconds(event.ts) if event else None,
        )

    async def keep_histogram(self) -> None:
        """Tell how many events and errors the retained time holds, as long as the page is there."""
        told: tuple[Any, ...] = ()
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.asks.wait(), self._histogram_pause)
            self.asks.clear()
            oldest, newest, chosen = self.feed.oldest, self.feed.newest, self.reader.filter
            if not self.buckets or oldest is None or newest is None:
                continue
            asking = (chosen, self.buckets, oldest.id, newest.id)
            if asking == told:
                continue
            began, told = time.monotonic(), asking
            try:
                await self._tell_histogram(chosen, microseconds(oldest.ts), microseconds(newest.ts) + 1)
            except JournalError:
                pass  # the feed says what is wrong with the journal
            except Exception:
                logger.exception("livesignals: a histogram failed")
            self._histogram_pause = max(HISTOGRAM_SECONDS, (time.monotonic() - began) / HISTOGRAM_SHARE)

    async def _tell_histogram(self, chosen: Filter, start_us: int, end_us: int) -> None:
        buckets = self.buckets
        # One after another for the whole process, and the wait counts: when many pages look, each asks less often.
        async with self.feed.counting:
            found = await self.feed.run(lambda journal: journal.histogram(chosen, start_us, end_us, buckets))
        await self._say(
            type="histogram", start=found.start_us, end=found.end_us, counts=found.counts, errors=found.errors
        )


_COMMANDS: dict[str, Callable[[Replay, "Command", Bounds], Awaitable[None]]] = {
    "play": Replay._play,
    "seek": Replay._seek,
    "step": Replay._step,
    "speed": Replay._set_speed,
    "range": Replay._set_range,
    "live": Replay._live,
}


def _speed(said: Speed | None) -> float | None:
    """A speed that can be played; None for another one."""
    if said == "max":
        return inf
    return said if isinstance(said, float) and SLOWEST <= said <= FASTEST else None


def _without_time(place: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in place.items() if name not in ("ts", "id")}

"""One browser's reader: filter, cursor, frames. On the server's event loop.

Catch-up and live are one mechanism: read on from the cursor. A batch in the group only says that there is more; what
it holds is read through the feed, by id, so that a batch that the layer dropped is missed by nobody. At most thirty
frames a second go out and two are under way; what does not fit into a frame is one row that says how much it was.
The messages are described in the README's "How it works".
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal

import msgspec
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.utils.translation import gettext

from livesignals.events import Event
from livesignals.exceptions import FilterError, JournalError
from livesignals.filters import Filter, parse
from livesignals.transport import keeping
from livesignals.transport.dropping import Dropping
from livesignals.transport.feed import Feed, Problem
from livesignals.transport.frames import Rendering, rows_of
from livesignals.transport.layer import LAYER_ALIAS, channel_layer
from livesignals.transport.narrowing import MORE_ROWS, Narrowing
from livesignals.transport.replay import Buckets, Number, Place, Replay, Speed
from livesignals.transport.searching import Search

logger = logging.getLogger("livesignals")

FRAME_SECONDS = 1 / 30
#: Of one frame at most, and of all frames on average: a page that has to lay out more stutters. What was not used of
#: late may be used at once, up to about what a page holds.
FRAME_ROWS, ROWS_PER_SECOND, SPARED_ROWS = 60, 600, 240
FIRST_ROWS = 100
#: A search that finds nothing says how far it is so often.
SEARCHED_SECONDS = 0.25
READ_EVENTS = 2_000
#: How long the first look may take to see what is behind a run.
BEHIND_SECONDS = 0.2
FRAMES_IN_FLIGHT = 2
STATE_SECONDS = 0.5
HEARTBEAT_SECONDS = 5.0
#: How often it is asked whether the person may still look.
ACCESS_SECONDS = 5.0
MAX_CONNECTIONS = 500
#: Commands a second that a page may send, on average over two seconds.
COMMANDS_PER_SECOND = 50
#: A page has nothing longer to say.
MAX_COMMAND_CHARS = 16_384
#: Daphne's own bound, for both directions: of a longer message it says that the page has gone.
MAX_MESSAGE_BYTES = 2**20
OUTCOMES_A_MESSAGE = 5_000

CLOSE_SIGNED_OUT = 4401
CLOSE_TOO_MANY = 4429

NO_GROUP_HANDLERS = (
    "websocket.connect",
    "websocket.receive",
    "websocket.disconnect",
    "livesignals.batch",
    "livesignals.outcomes",
)


class Command(msgspec.Struct, rename={"from_us": "from", "to_us": "to"}):
    """What a page may say. Keys that are not named here (htmx's ``headers``) are left out."""

    type: str
    epoch: str | None = None
    id: int | None = None
    filter: str = ""
    of: str | None = None  # the filter of the rows that the page has
    dropped: dict[str, int] | None = None  # by reason, as the latest frame told it
    paused: bool = False
    frame: int = 0
    # The recorder's
    replay: Place | None = None
    buckets: Buckets = 0
    ts: Number | None = None
    next: bool = False
    previous: bool = False
    by: Literal["event", "match", "cause"] = "match"
    back: bool = False
    speed: Speed | None = None
    first: Number | None = None
    last: Number | None = None
    from_us: Number | None = None
    to_us: Number | None = None
    loop: bool = False
    name: str = ""
    # Of the filter field
    request: int = 0  # comes back with the answer, so that a late one is told apart
    column: int = 1
    field: str = ""
    operator: str = ":"
    value: str = ""
    negate: bool = False
    open: bool = False


class _NotUnderstood(Exception):
    """What a page said is no command."""


def _understood(said: str | bytes) -> Command:
    if len(said) > MAX_COMMAND_CHARS:
        raise _NotUnderstood(f"longer than {MAX_COMMAND_CHARS} characters; it was left out")
    try:
        return msgspec.json.decode(said, type=Command)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _NotUnderstood(f"not understood: {error}") from None


class LiveConsumer(AsyncWebsocketConsumer):
    """The socket of one page."""

    channel_layer_alias = LAYER_ALIAS

    def __init__(self, *, feed: Feed, rendering: Rendering, may_still_look: Callable[[], Awaitable[bool]]) -> None:
        super().__init__()
        self.feed = feed
        self.groups = [feed.group]
        self.rendering = rendering
        self.may_still_look = may_still_look
        self.filter: Filter = parse("")
        self.typed: str | None = None  # the latest filter that was asked for and not looked at
        self.narrowing = Narrowing(self, self._show_found)
        self.epoch = ""
        self.cursor = 0  # read up to here
        self.told = 0  # the page knows that it was read up to here
        self.counted = 0  # while paused: counted up to here
        self.waiting = self.waiting_errors = 0
        self.dropping = Dropping()
        self.is_greeted = self.is_paused = self.needs_reset = self.is_flooded = False
        self.is_watching = self.is_gone = False
        self.frames_sent = self.frames_acknowledged = 0
        self.has_credit = asyncio.Event()
        self.searched_at = 0.0
        self.next_frame_at = 0.0
        self.room, self.room_at = float(SPARED_ROWS), time.monotonic()  # rows that may be shown now
        self.commands = 0.0
        self.commands_at = time.monotonic()
        self.wake = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []
        self.last_state: dict[str, Any] = {}
        self.state_at = 0.0
        self.replay = Replay(self)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        channel_layer()  # is there from now on, under its alias
        try:
            await super().__call__(scope, receive, send)
        finally:  # also when the server ends it without a word
            await self._leave()

    async def dispatch(self, message: dict[str, Any]) -> None:
        # Channels' own closes old database connections first, a hop to a thread for every message.
        if message["type"] in NO_GROUP_HANDLERS:
            await getattr(self, message["type"].replace(".", "_"))(message)

    async def connect(self) -> None:
        await self.accept()
        await self.feed.watch()
        self.is_watching = True
        if self.feed.watchers > MAX_CONNECTIONS:
            await self._close(CLOSE_TOO_MANY)
            return
        work = (self._pump(), self._tell_state(), self._check_access(), self.replay.keep_histogram())
        self.tasks = [asyncio.ensure_future(task) for task in work]

    async def websocket_disconnect(self, message: Any) -> None:
        raise StopConsumer

    async def _leave(self) -> None:
        self.is_gone = True
        for group in self.groups:
            await self.channel_layer.group_discard(group, self.channel_name)
        for task in self.tasks:
            task.cancel()
        self.narrowing.end()
        if self.is_watching:
            await self.feed.unwatch()

    async def livesignals_batch(self, message: dict[str, Any]) -> None:
        self.feed.receive(message)
        self.wake.set()

    async def livesignals_outcomes(self, message: dict[str, Any]) -> None:
        outcomes = list(message["outcomes"].items())
        for first in range(0, len(outcomes), OUTCOMES_A_MESSAGE):
            await self._say(type="outcome", transactions=dict(outcomes[first : first + OUTCOMES_A_MESSAGE]))

    # Commands of the page

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        said = text_data if text_data is not None else bytes_data or b""
        try:
            command = _understood(said)
        except _NotUnderstood as error:
            if await self._may_command():
                await self._error("command", str(error))
            return
        # An acknowledgement costs nothing, and without it no frame would follow.
        if command.type != "ack" and not await self._may_command():
            return
        handler = self._COMMANDS.get(command.type)
        if handler is None:
            known = ", ".join(self._COMMANDS)
            await self._error("command", f"there is no command {command.type[:40]!r}", expected=f"one of {known}")
            return
        await handler(self, command)
        self.wake.set()

    async def _hello(self, command: Command) -> None:
        self.is_paused = command.paused
        await self._use_filter(command.filter)
        is_listed = command.of in (None, self.filter.source)  # else it was cut off before the list began anew
        if is_listed and command.epoch and command.epoch == self.feed.epoch and command.id is not None:
            self.epoch, self.cursor = command.epoch, max(0, min(command.id, self.feed.head))
            self.counted, self.needs_reset = self.cursor, False
            self.dropping.told = command.dropped
        if command.buckets:
            self.replay.buckets = command.buckets
            await keeping.tell(self)
        if command.replay is not None:
            await self.replay.restore(command.replay)
        self.is_greeted = True

    async def _set_filter(self, command: Command) -> None:
        # Looked at when the next frame may go out: of many that come in meanwhile the last one counts.
        self.typed = command.filter

    async def _use_filter(self, text: str) -> None:
        self.typed = None
        try:
            self.filter = parse(text)
        except FilterError as error:
            said = {"message": error.message, "column": error.column, "expected": error.expected}
            await self._say(type="error", of="filter", filter=text, **said)
            self.needs_reset = self.needs_reset or not self.is_greeted
            return
        self.needs_reset = True
        self.replay.asks.set()
        self.narrowing.change()
        await self._say(type="filter", ok=True, filter=self.filter.source, english=self.filter.english())

    async def _acknowledge(self, command: Command) -> None:
        self._credit(command.frame)

    def _credit(self, frame: int) -> None:
        self.frames_acknowledged = max(self.frames_acknowledged, min(frame, self.frames_sent))
        self.has_credit.set()

    async def _pause(self, command: Command) -> None:
        if self.replay.is_on:
            await self.replay.pause()
            return
        self.is_paused, self.counted = True, self.cursor
        self.waiting = self.waiting_errors = 0

    async def _resume(self, command: Command) -> None:
        self.is_paused = False
        self.waiting = self.waiting_errors = 0
        self.needs_reset = self.needs_reset or self.narrowing.went_back

    async def _narrow(self, command: Command) -> None:
        await self.narrowing.obey(command)

    async def _replay(self, command: Command) -> None:
        await self.replay.obey(command)

    _COMMANDS: dict[str, Callable[["LiveConsumer", Command], Awaitable[None]]] = {
        "hello": _hello,
        "ack": _acknowledge,
        "filter": _set_filter,
        "pause": _pause,
        "resume": _resume,
        **dict.fromkeys(("play", "seek", "step", "speed", "range", "live"), _replay),
        "keep": keeping.keep,
        "let_go": keeping.let_go,
        **dict.fromkeys(Narrowing.COMMANDS, _narrow),
    }

    async def _may_command(self) -> bool:
        """Whether the page keeps to the bound. It is told once when it does not, not for each command."""
        now = time.monotonic()
        self.commands = max(0.0, self.commands - (now - self.commands_at) * COMMANDS_PER_SECOND)
        self.commands_at = now
        was_flooded, self.is_flooded = self.is_flooded, self.commands + 1 > 2 * COMMANDS_PER_SECOND
        if not self.is_flooded:
            self.commands += 1
        elif not was_flooded:
            message = gettext("more than %d commands a second; some were left out") % COMMANDS_PER_SECOND
            await self._error("command", message)
        return not self.is_flooded

    # Reading on

    async def _pump(self) -> None:
        while True:
            await self.wake.wait()
            pause = self.next_frame_at - time.monotonic()
            if pause > 0:
                await asyncio.sleep(pause)
            self.wake.clear()
            if self.typed is not None:
                await self._use_filter(self.typed)
            if not self.is_greeted:
                continue
            try:
                await self._read_on()
            except JournalError:
                # The feed says what is wrong with the journal; here it is only tried again.
                await asyncio.sleep(1)
                self.wake.set()
            except Exception:
                logger.exception("livesignals: a reader failed")
                await self._error("server", gettext("The server could not read on; its log says why."))
                await asyncio.sleep(1)
                self.wake.set()

    async def _read_on(self) -> None:
        if not self._may_send:
            return  # the acknowledgement wakes the pump
        if self.replay.is_on and self.epoch == self.feed.epoch:
            await self.replay.show()
            await self._count_waiting()
        elif self.needs_reset or self.epoch != self.feed.epoch:
            await self._start_over()
        elif self.is_paused:
            await self._count_waiting()
        else:
            if self.cursor < self.feed.head:
                await self._show_next()
            if self._may_send:
                await self._show_dropped()

    @property
    def _may_send(self) -> bool:
        """Whether the page has taken so much of what it was sent that another frame may follow."""
        return self.frames_sent - self.frames_acknowledged < FRAMES_IN_FLIGHT

    async def _start_over(self) -> None:
        """The newest matching events; live goes on from the head at this moment, and history follows below."""
        is_new_epoch = bool(self.epoch) and self.epoch != self.feed.epoch
        self.needs_reset = False
        if is_new_epoch:
            await self.replay.forget()
        self.narrowing.stop()
        self.epoch, head, chosen = self.feed.epoch, self.feed.head, self.filter
        self.cursor = self.counted = self.told = head
        self.waiting = self.waiting_errors = 0
        search = Search(self.feed, chosen, head + 1, FIRST_ROWS, behind=READ_EVENTS)
        events = await search.begin()
        deadline = time.monotonic() + BEHIND_SECONDS
        while search.wanted > FIRST_ROWS and search.goes_on and time.monotonic() < deadline:
            events += await search.next()  # what is not found in this time comes below
        if chosen is not self.filter or self.replay.is_on:
            search.stop()
            return  # something else was asked for meanwhile; who comes back from a replay starts over
        content = rows_of(events, FIRST_ROWS, self.rendering, self._row_html)
        if is_new_epoch:
            content.insert(0, self.rendering.notice_html("epoch", ""))
        await self._frame(content, shown=len(events), reset=True)
        self.narrowing.begin(search)
        await self.narrowing.tell(search)

    async def _show_found(self, search: Search, events: list[Event]) -> None:
        """What a piece of a search found, below what the page has."""
        while not self._may_send:
            self.has_credit.clear()
            await self.has_credit.wait()
        if events:
            content = rows_of(events, MORE_ROWS, self.rendering, self.rendering.row_html, run_rows=MORE_ROWS)
            await self._frame(content, shown=len(events), is_older=True)
        if events or not search.goes_on or time.monotonic() - self.searched_at > SEARCHED_SECONDS:
            self.searched_at = time.monotonic()
            await self.narrowing.tell(search)

    async def _show_next(self) -> None:
        after = self.cursor
        events = await self.feed.read(after, READ_EVENTS)
        if not events:
            await self._show_lost()
            return
        if events[-1].epoch != self.epoch:
            return  # the feed will notice; the list begins anew then
        if self.is_paused or self.replay.is_on:
            return  # since a moment ago; they count as waiting
        last = events[-1].id
        self.cursor = last
        matching = list(filter(self.filter.matches, events))
        content = self.rows(matching[::-1], self._row_html)
        if events[0].id > after + 1:
            content.append(self.rendering.gap_html(after + 1, events[0].id - 1, "evicted"))
        if content:
            await self._frame(content, shown=len(matching))
        if self.cursor < self.feed.head:
            self.wake.set()

    async def _show_lost(self) -> None:
        """Nothing is left of what was to be read."""
        bounds = await self.feed.run(lambda journal: journal.bounds())
        after, lost = self.cursor, min(bounds.first - 1, self.feed.head)
        if bounds.epoch == self.epoch and lost > after:
            self.cursor = lost
            await self._frame([self.rendering.gap_html(after + 1, lost, "evicted")], shown=0)

    async def _show_dropped(self) -> None:
        """What came to nothing has no ids: it stands where it became known."""
        counts = self.feed.counts
        if counts is not None and counts.epoch == self.epoch:
            news = self.dropping.news(counts.dropped)
            if news:
                await self._frame([self.rendering.dropped_html(count, why) for why, count in news.items()], shown=0)

    def rows(self, events: Sequence[Event], row_html: Callable[[Event], str]) -> list[str]:
        """Rows for *events*, newest first, as far as the page has room for them now."""
        now = time.monotonic()
        self.room = min(SPARED_ROWS, self.room + (now - self.room_at) * ROWS_PER_SECOND)
        self.room_at = now
        content = rows_of(events, max(1, min(FRAME_ROWS, int(self.room))), self.rendering, row_html)
        self.room -= len(content)
        return content

    def _row_html(self, event: Event) -> str:
        return self.feed.rendered(event, self.rendering.row_html)

    async def _count_waiting(self) -> None:
        events = await self.feed.read(self.counted, READ_EVENTS)
        if not events:
            return
        self.counted = events[-1].id
        matching = list(filter(self.filter.matches, events))
        self.waiting += len(matching)
        self.waiting_errors += sum(map(_has_error, matching))
        self.next_frame_at = time.monotonic() + FRAME_SECONDS
        if self.counted < self.feed.head:
            self.wake.set()

    # Telling the page

    async def _frame(self, content: list[str], *, shown: int, reset: bool = False, is_older: bool = False) -> None:
        """Rows for the page: in the place of those it has, above them, or below when they are older."""
        self.frames_sent = frame = self.frames_sent + 1
        self.told = self.cursor
        self.next_frame_at = time.monotonic() + FRAME_SECONDS
        was_sent = False
        try:
            was_sent = await self._say(
                type="rows",
                frame=frame,
                epoch=self.epoch,
                id=self.cursor,
                reset=reset,
                of=self.filter.source,
                older=is_older,
                dropped=self.dropping.told,
                shown=shown,
                content="".join(content),
                target="#rows",
                swap="innerHTML" if reset else "beforeend" if is_older else "afterbegin",
            )
        finally:
            if not was_sent and not self.is_gone:  # too long, or its search ended while the server's send waited
                self._credit(frame)

    async def _tell_state(self) -> None:
        while True:
            state, now = self._state(), time.monotonic()
            if state != self.last_state or now - self.state_at >= HEARTBEAT_SECONDS:
                self.last_state, self.state_at = state, now
                await self._say(**state)
            if self.is_greeted and self.cursor != self.told and self.frames_sent == self.frames_acknowledged:
                # Nothing matched, but it was looked at: a reconnect need not look again.
                self.told = self.cursor
                await self._say(type="scanned", epoch=self.epoch, id=self.cursor)
            self.wake.set()
            await asyncio.sleep(STATE_SECONDS)

    def _state(self) -> dict[str, Any]:
        feed = self.feed
        counts, oldest, newest = feed.counts, feed.oldest, feed.newest
        return {
            "type": "state",
            "live": not (self.is_paused or self.replay.is_on),
            "rate": round(feed.rate, 1),
            "captured": counts.captured if counts else 0,
            "stored": counts.stored if counts else 0,
            "dropped": sum(counts.dropped.values()) if counts else 0,
            "dropped_reasons": counts.dropped if counts else {},
            "buffered": counts.buffered if counts else 0,
            "counted": counts.counted if counts else 0,
            "processes": feed.processes,
            "retained": counts.retained if counts else 0,
            "evicted": counts.evicted if counts else 0,
            "retention": [feed.retention.events, feed.retention.bytes] if feed.retention else None,
            "families": counts.by_family if counts else {},
            "last_ts": newest.ts if newest else None,
            "epoch": self.epoch,
            "last_id": feed.head,
            "cursor": self.cursor,
            "window": [oldest.ts, newest.ts] if oldest and newest else None,
            "waiting": self.waiting,
            "waiting_errors": self.waiting_errors,
            "problem": _problem(feed.problem),
        }

    async def _check_access(self) -> None:
        """A logout, or a permission taken away, closes the socket."""
        while True:
            await asyncio.sleep(ACCESS_SECONDS)
            if not await self.may_still_look():
                await self._close(CLOSE_SIGNED_OUT)
                return

    async def _close(self, code: int) -> None:
        self.is_gone = True  # whatever tasks still have to say
        try:
            await self.close(code)
        except Exception as error:
            logger.debug("livesignals: a page left before it was closed: %r", error)

    async def _error(self, of: str, message: str, *, column: int | None = None, expected: str = "") -> None:
        await self._say(type="error", of=of, message=message, column=column, expected=expected)

    async def _say(self, **message: Any) -> bool:
        """Tell the page; whether it was sent."""
        text = msgspec.json.encode(message).decode()
        if self.is_gone:
            return False
        if len(text) > MAX_MESSAGE_BYTES // 4 and len(text.encode()) > MAX_MESSAGE_BYTES:
            logger.error("livesignals: %r was too long to be sent, %d characters", message["type"], len(text))
            await self._error("server", gettext("A message was too long to be sent; the server's log says which."))
            return False
        try:
            await self.send(text_data=text)
        except Exception as error:
            # From a browser's farewell until the disconnect arrives here servers raise, each an error of its own.
            self.is_gone = True
            logger.debug("livesignals: a page left while it was told something: %r", error)
        return not self.is_gone


def _has_error(event: Event) -> bool:
    return event.status == "raised" or any(call.status == "raised" for call in event.receivers)


def _problem(problem: Problem | None) -> dict[str, str] | None:
    return None if problem is None else {"message": gettext(problem.message), "hint": gettext(problem.hint)}

"""What a server process knows of the journal: the newest events, decoded once, and the counts.

One feed for a process, on the server's event loop. While somebody looks, a task follows the journal and announces
each batch to the Channels group, as one string; consumers hand that string back to :meth:`Feed.receive`, which
decodes it once for all of them. Whatever blocks runs on worker threads: one follows, others answer questions.

A journal on many hosts announces its batches itself, in a group over Redis: then they come from there, and the task
that follows only reads what did not.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from itertools import islice
from typing import Any, TypeVar

import msgspec
from django.utils.translation import get_language, gettext_noop
from msgspec import Struct

from livesignals.events import Event, decode
from livesignals.exceptions import JournalError
from livesignals.journal import Announcements, Bounds, Counts, Journal, Retention
from livesignals.journal.liveness import notice_gone
from livesignals.logs import journal_trouble
from livesignals.transport.layer import channel_layer
from livesignals.transport.listening import Listener, lines_of

logger = logging.getLogger("livesignals")

GROUP = "livesignals"
#: Events kept decoded, so that readers at the head need no journal.
RING_EVENTS = 10_000
BATCH_EVENTS = 1_000
#: Rows kept as HTML.
RENDERED_ROWS = 2_000
POLL_SECONDS = 0.01
COUNTS_SECONDS = 0.5
#: How often it is looked whether processes are gone.
PROCESSES_SECONDS = 2.0
#: Between two messages to the group, for each reader: a message costs all of them a look.
READER_SECONDS = 0.00025
#: Indexed at a time; the pause after it keeps the thread from taking more than half of the time.
INDEX_EVENTS = 250
INDEX_SECONDS = 0.25
#: The rate is an average over so many seconds.
RATE_SECONDS = 3.0

Result = TypeVar("Result")


class Problem(Struct, frozen=True):
    """Why the page cannot show what happens, and what to do. Keys into the catalogue, where they are fixed."""

    message: str
    hint: str = ""


NOT_FOLLOWED = Problem(gettext_noop("The journal cannot be followed."), gettext_noop("The server's log says why."))


class Feed:
    """Follows one journal for all consumers of a process, which are in the group of that name."""

    def __init__(self, get_journal: Callable[[], Journal], group: str = GROUP) -> None:
        self._get_journal = get_journal
        self.group = group
        self._ring: deque[Event] = deque(maxlen=RING_EVENTS)
        self._follower = ThreadPoolExecutor(1, thread_name_prefix="livesignals-follow")
        self._workers = ThreadPoolExecutor(2, thread_name_prefix="livesignals-read")
        self._indexer = ThreadPoolExecutor(1, thread_name_prefix="livesignals-index")
        # What a filter of somebody's may take long for keeps nothing else waiting.
        self.searcher = ThreadPoolExecutor(1, thread_name_prefix="livesignals-search")
        self.counter = ThreadPoolExecutor(1, thread_name_prefix="livesignals-facets")
        self._rows: dict[tuple[int, str | None], str] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._listener = Listener(self._hear)
        self._is_behind = asyncio.Event()
        self._unsent: list[dict[str, Any]] = []
        self._has_unsent = asyncio.Event()
        self._outcomes_seen: int | None = None
        self.counting = asyncio.Lock()  # held while somebody's histogram is made
        self.watchers = 0
        self._rates: deque[tuple[float, int]] = deque()
        self.epoch = ""
        self.head = 0  # the newest id received from the group
        self.counts: Counts | None = None
        self.bounds: Bounds | None = None
        self.retention: Retention | None = None
        self.oldest: Event | None = None
        self.newest: Event | None = None
        self.rate = 0.0
        self.processes = 0  # that are alive
        self._processes_at = 0.0
        self.problem: Problem | None = None

    async def watch(self) -> None:
        """Begin to follow, unless it is done already. Pair with :meth:`unwatch`."""
        self.watchers += 1
        if self.watchers == 1:
            try:
                await self._catch_up()
            except BaseException:
                self.watchers -= 1
                raise
            self._tasks = [asyncio.ensure_future(self._follow()), asyncio.ensure_future(self._count())]
            self._tasks += [asyncio.ensure_future(self._send()), asyncio.ensure_future(self._index())]

    async def unwatch(self) -> None:
        """One reader less; without readers nothing is followed."""
        self.watchers -= 1
        if not self.watchers:
            self._listener.stop()
            for task in self._tasks:
                task.cancel()
            self._tasks = []

    async def run(self, work: Callable[[Journal], Result], executor: ThreadPoolExecutor | None = None) -> Result:
        """Run *work* with the journal on a worker thread, or that of the *executor*. Raises what it raises.

        The language there is the caller's.
        """
        loop, context = asyncio.get_running_loop(), copy_context()
        return await loop.run_in_executor(executor or self._workers, context.run, lambda: work(self._get_journal()))

    def receive(self, message: dict[str, Any]) -> None:
        """Take a batch from the group; the first consumer that does decodes it."""
        if message["epoch"] != self.epoch:
            self._ring.clear()
            self._rows.clear()
            self.epoch, self.head = message["epoch"], message["after"]
        if message["last"] <= self.head:
            return
        if message["after"] != self.head:  # a batch was dropped on the way: readers go to the journal
            self._ring.clear()
        try:
            if message["lines"]:
                self._ring.extend(list(map(decode, message["lines"].split("\n"))))
        except msgspec.MsgspecError:  # readers go to the journal, which knows what to do when it is damaged
            self._ring.clear()
        self.head = message["last"]
        self.newest = self._ring[-1] if self._ring else None

    async def read(self, after: int, limit: int) -> list[Event]:
        """The next events after an id, ascending: from memory when they are there, else from the journal."""
        ring = self._ring
        if ring and after >= ring[0].id - 1:
            newer = ring[-1].id - after
            if newer > len(ring) // 2:
                skip = max(0, after - ring[0].id + 1)
                return list(islice(ring, skip, skip + limit))
            # Most readers are near the head, and a deque is walked from the end that one begins at.
            return list(islice(reversed(ring), max(0, newer)))[::-1][:limit]
        return await self.run(lambda journal: journal.read(after, limit))

    def at_hand(self, before: int) -> list[Event]:
        """The events in memory that are retained and below an id, newest first; without a hole from the first on."""
        first = self.bounds.first if self.bounds is not None and self.bounds.epoch == self.epoch else 0
        return [event for event in reversed(self._ring) if first <= event.id < before]

    def rendered(self, event: Event, render: Callable[[Event], str]) -> str:
        """The event's row, rendered once for all who see it in one language."""
        key = event.id, get_language()
        html = self._rows.get(key)
        if html is None:
            if len(self._rows) >= RENDERED_ROWS:
                self._rows.clear()
            html = self._rows[key] = render(event)
        return html

    async def _catch_up(self) -> None:
        try:
            self.bounds = await self.run(lambda journal: journal.bounds())
            self.counts = await self.run(lambda journal: journal.counts())
        except JournalError as error:
            self._note(Problem(str(error), error.hint))
            return
        if self.bounds.epoch != self.epoch or self.bounds.last != self.head:
            self._ring.clear()
            self._rows.clear()
            self.newest = None  # nobody looked while others came
        self.epoch, self.head = self.bounds.epoch, self.bounds.last

    async def _follow(self) -> None:
        """Announce what is new, batch after batch."""
        announcements: Announcements | None = None
        is_known, looks_at_once = False, True
        while True:
            try:
                if not is_known:
                    announcements = await self.run(lambda journal: journal.announcements(), self._follower)
                    is_known = True
                if announcements is not None and not looks_at_once:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._is_behind.wait(), COUNTS_SECONDS)
                    looks_at_once = True
                self._is_behind.clear()
                look = partial(_next_batch, epoch=self.epoch, after=self.head, looks_at_once=looks_at_once)
                message = await self.run(partial(look, waits=announcements is None), self._follower)
                self._note(None)
            except JournalError as error:
                self._note(Problem(str(error), error.hint))
            except Exception:
                journal_trouble.met("livesignals: following the journal failed", is_fault=True)
                self.problem = NOT_FOLLOWED
            else:
                if announcements is not None:
                    self._listener.start(announcements)
                looks_at_once = False
                if message is not None:
                    looks_at_once = message["last"] - message["after"] >= BATCH_EVENTS
                    await self._announce(message)
                continue
            self._listener.stop()  # while it lasts, the layer would log each of its attempts
            looks_at_once = True
            await asyncio.sleep(1)

    def _note(self, problem: Problem | None) -> None:
        """What the page is to say; the log too, when it begins and when it is over."""
        if problem is not None:
            journal_trouble.met(f"livesignals: {problem.message} {problem.hint}")
        elif self.problem is not None:
            journal_trouble.over()
        self.problem = problem

    async def _hear(self, message: dict[str, Any]) -> None:
        """Take a batch that the journal announced; what does not follow on the head is read from the journal."""
        if message["epoch"] == self.epoch and message["last"] <= self.head:
            return
        if message["epoch"] != self.epoch or message["after"] > self.head or "bodies" not in message:
            self._is_behind.set()
            return
        ids = {key: message[key] for key in ("type", "epoch", "after", "last")}
        await self._announce({**ids, "lines": lines_of(message)})

    async def _announce(self, message: dict[str, Any]) -> None:
        """Hand a batch to all consumers, without what they have."""
        known = self.head - message["after"] if message["epoch"] == self.epoch else 0
        if known > 0:
            lines = message["lines"].split("\n")[known:]
            message = {**message, "after": self.head, "lines": "\n".join(lines)}
        if message["last"] > self.head or message["epoch"] != self.epoch:
            self.receive(message)
            self._unsent.append(message)
            self._has_unsent.set()

    async def _send(self) -> None:
        """Send to the group what was announced; the more readers there are, the more in one message."""
        layer = channel_layer()
        while True:
            await self._has_unsent.wait()
            self._has_unsent.clear()
            unsent, self._unsent = self._unsent, []
            for message in _joined(unsent):
                await layer.group_send(self.group, message)
            await asyncio.sleep(self.watchers * READER_SECONDS)

    async def _count(self) -> None:
        """Look at the figures, and announce how transactions ended that events had called pending."""
        layer = channel_layer()
        while True:
            try:
                outcomes = await self.run(self._look)
            except JournalError as error:
                self._note(Problem(str(error), error.hint))
            else:
                if outcomes:
                    self._resolve(outcomes)
                    await layer.group_send(self.group, {"type": "livesignals.outcomes", "outcomes": outcomes})
            await asyncio.sleep(COUNTS_SECONDS)

    async def _index(self) -> None:
        """Keep the search index at what is stored, while somebody looks."""
        loop = asyncio.get_running_loop()
        while True:
            began = time.monotonic()
            try:
                has_more = await loop.run_in_executor(self._indexer, lambda: self._get_journal().index(INDEX_EVENTS))
            except JournalError:
                has_more = False  # the page tells it already
            except Exception:
                logger.exception("livesignals: indexing the journal failed; searches go without")
                return
            await asyncio.sleep(time.monotonic() - began if has_more else INDEX_SECONDS)

    def _resolve(self, outcomes: dict[str, str]) -> None:
        """Let the events in memory know how their transactions ended."""
        changed = set()
        for index, event in enumerate(self._ring):
            transaction = event.transaction
            if transaction is not None and transaction.id in outcomes:
                ended = msgspec.structs.replace(transaction, state=outcomes[transaction.id])
                self._ring[index] = msgspec.structs.replace(event, transaction=ended)
                changed.add(event.id)
        for key in [key for key in self._rows if key[0] in changed]:
            del self._rows[key]

    def _look(self, journal: Journal) -> dict[str, str]:
        """Counts, rate and the ends of what is retained; new outcomes by transaction. On a worker thread."""
        self.counts, self.bounds, self.retention = journal.counts(), journal.bounds(), journal.retention()
        self._measure_rate(self.counts.captured)
        if self.oldest is None or self.oldest.id != self.bounds.first:
            self.oldest = next(iter(journal.read(self.bounds.first - 1, 1)), None)
        if self.newest is None:
            self.newest = next(iter(journal.read(self.bounds.last - 1, 1)), None)
        if self.group == GROUP and time.monotonic() >= self._processes_at:  # a recording has none
            self._processes_at = time.monotonic() + PROCESSES_SECONDS
            notice_gone(journal)
            self.processes = sum(not report.is_gone for report in journal.processes())
        outcomes = journal.outcomes_after(self._outcomes_seen or 0)
        is_first = self._outcomes_seen is None
        self._outcomes_seen = outcomes[-1][0] if outcomes else self._outcomes_seen or 0
        return {} if is_first else {transaction: state for _, transaction, state in outcomes}

    def _measure_rate(self, captured: int) -> None:
        now = time.monotonic()
        self._rates.append((now, captured))
        while len(self._rates) > 2 and now - self._rates[0][0] > RATE_SECONDS:
            self._rates.popleft()
        seconds = now - self._rates[0][0]
        self.rate = max(0, captured - self._rates[0][1]) / seconds if seconds else 0.0


def _next_batch(journal: Journal, epoch: str, after: int, looks_at_once: bool, *, waits: bool) -> dict[str, Any] | None:
    """Events after an epoch and an id; None when there are none, if it *waits* after half a second. On the following
    thread."""
    deadline = time.monotonic() + COUNTS_SECONDS
    while time.monotonic() < deadline:
        if looks_at_once or journal.changed():
            looks_at_once = False
            tail = journal.tail(after, BATCH_EVENTS)
            is_new_epoch = tail.epoch != epoch
            if is_new_epoch:
                tail = journal.tail(max(0, journal.bounds().last - BATCH_EVENTS), BATCH_EVENTS)
            if is_new_epoch or tail.last > after:  # without lines, when all was evicted
                lines = b"\n".join(tail.lines).decode()
                ids = {"epoch": tail.epoch, "after": tail.after, "last": tail.last}
                return {"type": "livesignals.batch", **ids, "lines": lines}
        if not waits:
            break
        time.sleep(POLL_SECONDS)
    return None


def _joined(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same batches in as few messages as can be."""
    joined: list[dict[str, Any]] = []
    for message in messages:
        last = joined[-1] if joined else None
        if last is not None and last["epoch"] == message["epoch"] and last["last"] == message["after"]:
            lines = "\n".join(filter(None, (last["lines"], message["lines"])))
            joined[-1] = {**last, "last": message["last"], "lines": lines}
        else:
            joined.append(message)
    return joined

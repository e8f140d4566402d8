"""A journal in this process alone: for tests, `recording` and trying things out."""

import secrets
import threading
from bisect import bisect_left, bisect_right
from collections import Counter, deque
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

from msgspec.structs import replace

from livesignals.events import Event, Record, decode_stored, record_of, splice
from livesignals.events.model import TransactionState
from livesignals.journal import accounts, pins
from livesignals.journal.base import (
    KEPT_OUTCOMES,
    TAIL_LIMIT,
    TREE_LIMIT,
    Appended,
    Bounds,
    Counts,
    Facets,
    Found,
    Histogram,
    Journal,
    Outcome,
    Outcomes,
    Pin,
    Problem,
    ProcessReport,
    Tail,
    facet_values,
    has_raised,
)

if TYPE_CHECKING:
    from livesignals.filters import Filter


class _Entry:
    """An event in its place; it is decoded when it is first looked at."""

    __slots__ = ("_event", "epoch", "id", "record")

    def __init__(self, epoch: str, id: int, record: Record) -> None:
        self.epoch = epoch
        self.id = id
        self.record = record
        self._event: Event | None = None

    @property
    def event(self) -> Event:
        event = self._event
        if event is None:
            event = self._event = decode_stored(self.epoch, self.id, self.record.body)
        return event

    @property
    def line(self) -> bytes:
        return splice(self.epoch, self.id, self.record.body)

    def resolve(self, state: TransactionState) -> None:
        """Write how the event's transaction ended into it."""
        assert self.event.transaction is not None
        event = replace(self.event, transaction=replace(self.event.transaction, state=state), epoch="", id=0)
        self.record = record_of(event)._replace(size=self.record.size)
        self._event = None


def _id(entry: _Entry) -> int:
    return entry.id


class MemoryJournal(Journal):
    """The same promises as a journal on disk, as long as the process lives.

    One lock guards everything; it is held for copies and additions, never while a filter runs.
    """

    def __init__(self, *, project: str, retain_events: int, retain_bytes: int) -> None:
        super().__init__(project=project, retain_events=retain_events, retain_bytes=retain_bytes)
        self._lock = threading.Lock()
        self._epoch = secrets.token_hex(8)
        self._entries: deque[_Entry] = deque()
        self._last = 0
        self._bytes = 0
        self._evicted = 0
        self._by_family: Counter[str] = Counter()
        self._pins: list[Pin] = []
        self._pinned: list[_Entry] = []  # evicted since, ascending
        self._reports: dict[str, ProcessReport] = {}
        self._outcome = 0  # number of the last one
        self._outcomes: deque[tuple[int, str, str]] = deque(maxlen=KEPT_OUTCOMES)
        self._writes = 1
        self._seen_writes = 0

    def append(self, records: Sequence[Record], report: ProcessReport) -> Appended:
        with self._lock:
            first = self._last + 1
            for record in records:
                self._last += 1
                self._entries.append(_Entry(self._epoch, self._last, record))
                self._bytes += record.size
                self._by_family[record.family] += 1
            before = self._reports.get(report.process)
            self._reports[report.process] = accounts.stored(
                report, before, len(records), accounts.sends_counted(records)
            )
            self._evict(self.retain_events, self.retain_bytes)
            self._writes += 1
            return Appended(self._epoch, first, self._last)

    def _evict(self, keep_events: int, keep_bytes: int) -> int:
        before = self._evicted
        while self._entries and (len(self._entries) > keep_events or self._bytes > keep_bytes):
            entry = self._entries.popleft()
            record = entry.record
            if any(pin.first <= entry.id <= pin.last for pin in self._pins):
                self._pinned.append(entry)
            self._by_family[record.family] -= 1
            self._bytes -= record.size
            self._evicted += 1
        return self._evicted - before

    def resolve(self, outcomes: Sequence[Outcome]) -> int:
        states = {outcome.tx_id: outcome.state for outcome in outcomes}
        resolved: Counter[str] = Counter()
        with self._lock:
            for entry in (*self._pinned, *self._entries):
                tx_id = entry.record.tx_id
                if entry.record.tx_state == "pending" and tx_id in states:
                    entry.resolve(states[tx_id])
                    resolved[tx_id] += 1
            for tx_id in filter(resolved.__contains__, states):
                self._outcome += 1
                self._outcomes.append((self._outcome, tx_id, states[tx_id]))
            self._writes += 1
        return resolved.total()

    def outcomes_after(self, number: int) -> Outcomes:
        with self._lock:
            return [outcome for outcome in self._outcomes if outcome[0] > number]

    def bounds(self) -> Bounds:
        with self._lock:
            return self._bounds()

    def _bounds(self) -> Bounds:
        return Bounds(self._epoch, self._last - len(self._entries) + 1, self._last)

    def read(self, after: int, limit: int, until: int | None = None) -> list[Event]:
        with self._lock:
            ids = (entry for entry in self._pinned if entry.id > after and (until is None or entry.id <= until))
            pinned = list(islice(ids, max(limit, 0)))
        return [entry.event for entry in (*pinned, *self._read(after, limit - len(pinned), until)[2])]

    def _read(self, after: int, limit: int, until: int | None = None) -> "tuple[str, int, list[_Entry]]":
        """The epoch, the id before the first entry, and the entries."""
        with self._lock:
            evicted = self._last - len(self._entries)
            after = max(after, evicted)
            last = min(after + limit, self._last if until is None else until)
            entries = list(islice(self._entries, after - evicted, max(after, last) - evicted))
            return self._epoch, after, entries

    def tail(self, after: int, limit: int) -> Tail:
        epoch, after, entries = self._read(after, min(limit, TAIL_LIMIT))
        return Tail(epoch, after, after + len(entries), [entry.line for entry in entries])

    def search(self, filter: "Filter", before: int | None, limit: int, max_scan: int | None = None) -> Found:
        entries, first, last = self._all()
        position = last + 1 if before is None else min(before, last + 1)
        lowest = first if max_scan is None else max(first, position - max_scan)
        found: list[Event] = []
        for entry in reversed(entries[: bisect_left(entries, position, key=_id)]):
            if entry.id < lowest or len(found) >= limit:
                break
            position = entry.id
            if filter.matches(entry.event):
                found.append(entry.event)
        if len(found) < limit:
            position = min(position, lowest)
        return Found(found, position, position <= first)

    def search_forward(self, filter: "Filter", after: int, limit: int, max_scan: int | None = None) -> Found:
        entries, first, last = self._all()
        position = max(after, first - 1)
        highest = last if max_scan is None else min(last, position + max_scan)
        found: list[Event] = []
        for entry in entries[bisect_right(entries, position, key=_id) :]:
            if entry.id > highest or len(found) >= limit:
                break
            position = entry.id
            if filter.matches(entry.event):
                found.append(entry.event)
        if len(found) < limit:
            position = max(position, highest)
        return Found(found, position, position >= last)

    def histogram(self, filter: "Filter", start_us: int, end_us: int, buckets: int) -> Histogram:
        histogram = Histogram(start_us, end_us, [0] * buckets, [0] * buckets)
        for entry in self._all()[0]:
            moment = entry.record.ts_us
            if start_us <= moment <= end_us and filter.matches(entry.event):
                number = histogram.slice(moment)
                histogram.counts[number] += 1
                histogram.errors[number] += has_raised(entry.event)
        return histogram

    def facets(self, filter: "Filter", fields: Sequence[str], limit: int) -> Facets:
        counts: dict[str, Counter[str]] = {field: Counter() for field in fields}
        entries = self._all()[0]
        for entry in entries:
            if filter.matches(entry.event):
                for field, counter in counts.items():
                    counter.update(facet_values(entry.event, field))
        return Facets({field: counter.most_common(limit) for field, counter in counts.items()}, len(entries), True)

    def id_at(self, ts_us: int) -> int:
        with self._lock:
            first = self._last - len(self._entries) + 1
            entries = list(self._entries)
        return first + bisect_left(entries, ts_us, key=lambda entry: entry.record.ts_us)

    def _all(self) -> "tuple[list[_Entry], int, int]":
        """Pinned and retained entries, ascending; the first id of them, the last that was given."""
        with self._lock:
            entries = [*self._pinned, *self._entries]
            return entries, entries[0].id if entries else self._last + 1, self._last

    def pin(self, name: str, first: int, last: int) -> None:
        pin = Pin(name, first, last)
        with self._lock:
            pins.check(pin, self._pins, self._bounds(), self.retain_events)
            kept = pins.ranges([*self._pins, pin])
            pins.check_bytes(
                sum(
                    entry.record.size
                    for entry in (*self._pinned, *self._entries)
                    if any(begin <= entry.id <= end for begin, end in kept)
                ),
                self.retain_bytes,
            )
            self._pins = sorted([*self._pins, pin], key=lambda each: each.first)

    def unpin(self, name: str) -> bool:
        with self._lock:
            before = len(self._pins)
            self._pins = [pin for pin in self._pins if pin.name != name]
            self._pinned = [
                entry for entry in self._pinned if any(pin.first <= entry.id <= pin.last for pin in self._pins)
            ]
            return len(self._pins) < before

    def pins(self) -> list[Pin]:
        with self._lock:
            return list(self._pins)

    def get(self, event_id: int) -> Event | None:
        events = self.read(event_id - 1, 1, until=event_id)
        return events[0] if events else None

    def tree(self, root: str, limit: int = TREE_LIMIT) -> list[Event]:
        with self._lock:
            entries = list(
                islice((entry for entry in (*self._pinned, *self._entries) if entry.record.root == root), limit)
            )
        return [entry.event for entry in entries]

    def cause(self, cause_id: str, limit: int = TREE_LIMIT) -> list[Event]:
        with self._lock:
            kept = (*self._pinned, *self._entries)
            caused = (entry for entry in kept if cause_id and entry.record.cause_id == cause_id)
            entries = list(islice(caused, limit))
        return [entry.event for entry in entries]

    def counts(self) -> Counts:
        with self._lock:
            total = accounts.total(self._reports.values())
            return Counts(
                epoch=self._epoch,
                retained=len(self._entries),
                by_family={family: count for family, count in self._by_family.items() if count},
                captured=total.captured,
                stored=total.stored,
                dropped=total.dropped,
                buffered=total.buffered,
                counted=total.counted,
                evicted=self._evicted,
                bytes=self._bytes,
            )

    def processes(self) -> list[ProcessReport]:
        with self._lock:
            return sorted(self._reports.values(), key=lambda report: report.seen_ts, reverse=True)

    def changed(self) -> bool:
        seen, self._seen_writes = self._seen_writes, self._writes
        return seen != self._seen_writes

    def prune(self, keep_events: int | None = None, keep_bytes: int | None = None) -> int:
        with self._lock:
            self._writes += 1
            return self._evict(
                self.retain_events if keep_events is None else keep_events,
                self.retain_bytes if keep_bytes is None else keep_bytes,
            )

    def clear(self) -> None:
        with self._lock:
            self._pins = []
            self._evict(0, 0)
            self._pinned = []
            self._outcomes.clear()
            self._epoch = secrets.token_hex(8)
            self._writes += 1

    def notice(self) -> str:
        return ""

    def check(self) -> list[Problem]:
        return []

    def close(self) -> None:
        """Nothing is open; what was stored stays as long as this object."""

    def abandon(self) -> None:
        # Another thread of the parent may have held the lock when it forked.
        self._lock = threading.Lock()

"""Searching an SQLite journal: the search index says which events may match, SQL over their rows decides.

Where there is no index, SQL looks at every row. Each method is many short transactions, since a reader that stays
makes the write-ahead log grow.
"""

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import chain, compress
from typing import Any, TypeVar, cast

import apsw
from msgspec import json

from livesignals.events import Event
from livesignals.filters import Filter, parse, register
from livesignals.journal import base, pins, sqlite_pins
from livesignals.journal import sqlite_ledger as ledger
from livesignals.journal import sqlite_packs as packs
from livesignals.journal.base import Bounds, Facets, Found, Histogram, facet_values
from livesignals.journal.search_columns import digits_of, set_of
from livesignals.journal.search_file import ClosedSegment
from livesignals.journal.search_index import UNUSABLE, Parts, SearchIndex, Span
from livesignals.journal.search_segment import SHOWN, Segment
from livesignals.journal.sqlite_connections import Connections, provide
from livesignals.journal.sqlite_opening import JournalFile
from livesignals.journal.sqlite_rows import BODY, Stored, decoded

provide(register)

CHUNK_ROWS = 1_000  # the most that one transaction reads
SCAN_ROWS = 10_000  # the most that one transaction of a search looks at
#: The most events that facets look at one by one, where there is no index.
FACET_EVENTS = 20_000

T = TypeVar("T")


class Searcher:
    """Answers from one journal file and its index."""

    def __init__(self, file: JournalFile) -> None:
        self._file = file
        self.index = SearchIndex(file.path)

    def search(self, filter: Filter, before: int | None, limit: int, max_scan: int | None) -> Found:
        bounds, pinned = self._extent()
        first = pinned[0].low if pinned else bounds.first
        position = bounds.last + 1 if before is None else min(before, bounds.last + 1)
        lowest = first if max_scan is None else max(first, position - max_scan)
        self.unpack(lowest, position - 1)

        def look(parts: Parts) -> Found:
            found: list[Event] = []
            retained = parts.spans(max(lowest, bounds.first), position - 1, downwards=True)
            for span in chain(retained, reversed(_clipped(pinned, lowest, position - 1))):
                if len(found) >= limit:
                    break
                for matching in self._matching(filter, span, limit - len(found), downwards=True):
                    found += matching
            reached = found[-1].id if found and len(found) >= limit else min(lowest, position)
            return Found(found, reached, reached <= first)

        return self._asking(bounds, look)

    def search_forward(self, filter: Filter, after: int, limit: int, max_scan: int | None) -> Found:
        bounds, pinned = self._extent()
        position = max(after, (pinned[0].low if pinned else bounds.first) - 1)
        highest = bounds.last if max_scan is None else min(bounds.last, position + max_scan)
        self.unpack(position + 1, highest)

        def look(parts: Parts) -> Found:
            found: list[Event] = []
            retained = parts.spans(max(position + 1, bounds.first), highest)
            for span in chain(_clipped(pinned, position + 1, highest), retained):
                if len(found) >= limit:
                    break
                for matching in self._matching(filter, span, limit - len(found), downwards=False):
                    found += matching
            reached = found[-1].id if found and len(found) >= limit else max(highest, position)
            return Found(found, reached, reached >= bounds.last)

        return self._asking(bounds, look)

    def histogram(self, filter: Filter, start_us: int, end_us: int, buckets: int) -> Histogram:
        bounds, pinned = self._extent()
        self.unpack(bounds.first, bounds.last)

        def look(parts: Parts) -> Histogram:
            histogram = Histogram(start_us, end_us, [0] * buckets, [0] * buckets)
            for span in chain(pinned, parts.spans(bounds.first, bounds.last)):
                if span.segment is None:
                    self._slices_of_rows(filter, span, histogram)
                elif not _is_outside(span.segment, start_us, end_us):
                    held = self._held(filter, span)
                    _slices(span.segment, held, histogram, histogram.counts)
                    raised = held & self._held(_errors(), span)
                    _slices(span.segment, raised, histogram, histogram.errors)
            return histogram

        return self._asking(bounds, look)

    def facets(self, filter: Filter, fields: Sequence[str], limit: int) -> Facets:
        bounds, pinned = self._extent()
        self.unpack(bounds.first, bounds.last)

        def look(parts: Parts) -> Facets:
            counts: dict[str, Counter[str]] = {field: Counter() for field in fields}
            scanned = one_by_one = 0
            deadline = time.monotonic() + base.FACET_SECONDS
            for span in chain(parts.spans(bounds.first, bounds.last, downwards=True), reversed(pinned)):
                if span.segment is not None:
                    self._count_indexed(filter, span, counts)
                    scanned += span.length
                else:
                    newest = span._replace(low=max(span.low, span.high - (FACET_EVENTS - one_by_one) + 1))
                    looked_at = self._count_scanned(filter, newest, counts, deadline)
                    one_by_one += looked_at
                    scanned += looked_at
                    if looked_at < span.length:
                        break
                if time.monotonic() > deadline:
                    break
            found = {field: [pair for pair in each.most_common(limit) if pair[1]] for field, each in counts.items()}
            everything = bounds.last - bounds.first + 1 + sum(span.length for span in pinned)
            return Facets(found, scanned, scanned == everything)

        return self._asking(bounds, look)

    def _count_scanned(self, filter: Filter, span: Span, counts: dict[str, Counter[str]], deadline: float) -> int:
        """How many events were looked at, the newest of the span."""
        high = span.high
        while high >= span.low:
            piece = span._replace(low=max(span.low, high - SCAN_ROWS + 1), high=high)
            for batch in self._scanned(filter, piece, piece.length, downwards=True):
                _count(batch, counts)
            high = piece.low - 1
            if time.monotonic() > deadline:
                break
        return span.high - high

    def _count_indexed(self, filter: Filter, span: Span, counts: dict[str, Counter[str]]) -> None:
        assert span.segment is not None
        held = self._held(filter, span)
        if not held:
            return
        for field, counter in counts.items():
            column = span.segment.named(SHOWN[field])
            if column is not None:
                for value, count in column.counts(held & ~span.segment.loose):
                    if count:
                        counter[value] += count
        loose = span.ids(held & span.segment.loose)
        for begin in range(0, len(loose), CHUNK_ROWS):
            _count(self._with_ids(filter, loose[begin : begin + CHUNK_ROWS], CHUNK_ROWS), counts)

    def id_at(self, ts_us: int) -> int:
        bounds = self._bounds()
        self.unpack(bounds.first, bounds.last)

        def read(connections: Connections) -> int:
            with connections.reading() as connection:
                low, high = bounds.first, bounds.last + 1
                while low < high:
                    middle = (low + high) // 2
                    row = connection.execute(
                        "SELECT id, ts FROM events WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1", (middle, high - 1)
                    ).fetchone()
                    if row is None or cast("int", row[1]) >= ts_us:
                        high = middle
                    else:
                        low = cast("int", row[0]) + 1
                return low

        return self._file.run(read)

    def unpack(self, low: int, high: int) -> None:
        """Make rows of all between two ids, both included, for SQL to find."""
        if low <= high:
            self._file.run(lambda connections: packs.unpack(connections, low, high))

    def _asking(self, bounds: Bounds, look: Callable[[Parts], T]) -> T:
        """*look* at the index; when it turns out to be broken, without."""
        with self.index.parts(bounds.epoch) as parts:
            try:
                return look(parts)
            except UNUSABLE:
                self.index.start_over()
            except apsw.Error:
                pass
        return look(Parts(None, None))

    def _extent(self) -> tuple[Bounds, list[Span]]:
        """What is retained, and the pinned ranges below it."""

        def read(connections: Connections) -> tuple[Bounds, list[Span]]:
            with connections.reading() as connection:
                bounds = ledger.bounds(connection)
                below = pins.ranges(sqlite_pins.stored(connection), below=bounds.first)
                return bounds, [Span(first, last, None, "searchable_pinned") for first, last in below]

        return self._file.run(read)

    def _bounds(self) -> Bounds:
        def read(connections: Connections) -> Bounds:
            with connections.reading() as connection:
                return ledger.bounds(connection)

        return self._file.run(read)

    def read_pinned(self, after: int, limit: int, until: int | None) -> list[Event]:
        """At most *limit* pinned events that are not retained, with ``after < id <= until``, ascending."""
        bounds, pinned = self._extent()
        if not pinned:
            return []
        last = bounds.first - 1 if until is None else min(until, bounds.first - 1)
        where = "id > ? AND id <= ? ORDER BY id LIMIT ?"
        return self._select(pinned[0].rows, where, after, last, max(limit, 0))

    def kept(self, where: str, limit: int, *params: Any) -> list[Event]:
        """At most *limit* events, pinned or retained, ascending."""
        bounds, pinned = self._extent()
        self.unpack(bounds.first, bounds.last)
        found = self._select(pinned[0].rows, f"{where} ORDER BY id LIMIT ?", *params, limit) if pinned else []
        return found + self._select("searchable", f"{where} ORDER BY id LIMIT ?", *params, limit - len(found))

    def _select(self, rows: str, where: str, *params: Any) -> list[Event]:
        def read(connections: Connections) -> list[Event]:
            with connections.reading() as connection:
                stored = connection.execute(f"SELECT id, {BODY} FROM {rows} WHERE {where}", params).fetchall()
                epoch = ledger.meta(connection, "epoch")
            return decoded(epoch, cast("list[Stored]", stored))

        return self._file.run(read)

    def _matching(self, filter: Filter, span: Span, limit: int, *, downwards: bool) -> Iterator[list[Event]]:
        """At most *limit* matching events of a span, in order."""
        if span.segment is None or filter.is_empty:
            yield from self._scanned(filter, span, limit, downwards=downwards)
            return
        ids = span.ids(span.segment.candidates(filter).maybe & span.within)
        if downwards:
            ids.reverse()
        rows = min(max(2 * limit, 64), CHUNK_ROWS)
        for begin in range(0, len(ids), rows):
            found = self._with_ids(filter, ids[begin : begin + rows], limit, downwards=downwards)
            yield found
            limit -= len(found)
            if not limit:
                return

    def _scanned(self, filter: Filter, span: Span, limit: int, *, downwards: bool) -> Iterator[list[Event]]:
        """The same without an index."""
        where, params = filter.sql()
        order = "DESC" if downwards else "ASC"
        low, high = span.low, span.high
        while low <= high and limit:
            begin, end = (max(low, high - SCAN_ROWS + 1), high) if downwards else (low, min(high, low + SCAN_ROWS - 1))
            rows = min(limit, CHUNK_ROWS)
            found = self._select(
                span.rows, f"id BETWEEN ? AND ? AND ({where}) ORDER BY id {order} LIMIT ?", begin, end, *params, rows
            )
            yield found
            limit -= len(found)
            is_whole = len(found) < rows
            if downwards:
                high = begin - 1 if is_whole else found[-1].id - 1
            else:
                low = end + 1 if is_whole else found[-1].id + 1

    def _with_ids(self, filter: Filter, ids: list[int], limit: int, *, downwards: bool = False) -> list[Event]:
        where, params = filter.sql()
        order = "DESC" if downwards else "ASC"
        return self._select(
            "searchable",
            f"id IN (SELECT value FROM json_each(?)) AND ({where}) ORDER BY id {order} LIMIT ?",
            json.encode(ids).decode(),
            *params,
            limit,
        )

    def _held(self, filter: Filter, span: Span) -> int:
        """The events of an indexed span that the filter holds; those in doubt are looked at."""
        assert span.segment is not None
        sure, maybe = span.segment.candidates(filter)
        within = span.within
        doubtful = span.ids(maybe & ~sure & within)
        found = [0]
        where, params = filter.sql()
        for begin in range(0, len(doubtful), CHUNK_ROWS):
            ids = json.encode(doubtful[begin : begin + CHUNK_ROWS]).decode()

            def read(connections: Connections, ids: str = ids) -> list[tuple[int]]:
                with connections.reading() as connection:
                    rows = connection.execute(
                        f"SELECT id FROM searchable WHERE id IN (SELECT value FROM json_each(?)) AND ({where})",
                        (ids, *params),
                    ).fetchall()
                    return cast("list[tuple[int]]", rows)

            found.append(set_of([event_id - span.segment.first for (event_id,) in self._file.run(read)]))
        for each in found:
            sure |= each
        return sure & within

    def _slices_of_rows(self, filter: Filter, span: Span, histogram: Histogram) -> None:
        where, params = filter.sql()
        raised, _ = _errors().sql()
        start, end, last = histogram.start_us, histogram.end_us, len(histogram.counts) - 1
        statement = f"""SELECT min((ts - ?) * ? / ?, ?) AS slice, count(*), sum(({raised}) IS TRUE)
            FROM {span.rows} WHERE id BETWEEN ? AND ? AND ts BETWEEN ? AND ? AND ({where}) GROUP BY slice"""
        for low in range(span.low, span.high + 1, SCAN_ROWS):
            high = min(span.high, low + SCAN_ROWS - 1)
            values = (start, last + 1, max(end - start, 1), last, low, high, start, end, *params)

            def read(connections: Connections, values: tuple[Any, ...] = values) -> list[tuple[int, int, int]]:
                with connections.reading() as connection:
                    return cast("list[tuple[int, int, int]]", connection.execute(statement, values).fetchall())

            for number, count, errors in self._file.run(read):
                histogram.counts[number] += count
                histogram.errors[number] += errors


def _count(events: list[Event], counts: dict[str, Counter[str]]) -> None:
    for event in events:
        for field, counter in counts.items():
            counter.update(facet_values(event, field))


@cache
def _errors() -> Filter:
    return parse("is:error")


def _clipped(spans: list[Span], low: int, high: int) -> list[Span]:
    clipped = [span._replace(low=max(span.low, low), high=min(span.high, high)) for span in spans]
    return [span for span in clipped if span.low <= span.high]


def _is_outside(segment: Segment, start_us: int, end_us: int) -> bool:
    return isinstance(segment, ClosedSegment) and (segment.highest < start_us or segment.lowest > end_us)


def _slices(segment: Segment, events: int, histogram: Histogram, counts: list[int]) -> None:
    """Add to *counts* the events of a set, by the time that they began."""
    if not events:
        return
    start, end, buckets = histogram.start_us, histogram.end_us, len(counts)
    width = max(end - start, 1)
    digits, times = digits_of(events), segment.times
    if segment.is_sorted:
        last = bisect_left(times, end + 1)
        begin = bisect_left(times, start)
        while begin < last:
            number = min((times[begin] - start) * buckets // width, buckets - 1)
            # The first time in the next slice, rounded up.
            stop = (
                last if number == buckets - 1 else bisect_left(times, start - (number + 1) * -width // buckets, begin)
            )
            stop = min(stop, last)
            counts[number] += digits.count(b"1", begin, stop)
            begin = stop
        return
    held = compress(times, map((49).__eq__, digits))  # "1"
    for number, count in Counter([(at - start) * buckets // width for at in held if start <= at <= end]).items():
        counts[min(number, buckets - 1)] += count

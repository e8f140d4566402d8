"""Searching a Redis journal: the search index says which events may match, filters decide about those that do.

What a filter holds for sure is counted without opening an event. Where there is no index, each event is looked at.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import apsw

from livesignals.events import Event, decode_stored
from livesignals.journal.base import Facets, Found, Histogram, Indexed, facet_values
from livesignals.journal.redis_directory import View
from livesignals.journal.redis_entries import hashed
from livesignals.journal.redis_reading import Reader, ids_of
from livesignals.journal.redis_server import Server
from livesignals.journal.search_columns import set_of
from livesignals.journal.search_index import UNUSABLE, Parts, SearchIndex, Span
from livesignals.journal.search_segment import SHOWN
from livesignals.journal.sqlite_file import make_folder

if TYPE_CHECKING:
    from livesignals.filters import Filter

#: The most events that facets look at one by one, where there is no index.
FACET_EVENTS = 20_000
#: Neighbours that mostly are in the same slice of a histogram.
BLOCK_EVENTS = 256

T = TypeVar("T")
Ids = Iterable[int]


class Searcher(Reader):
    """Answers from one journal and its index, which is a file at a path of this host; None: without."""

    def __init__(self, server: Server, path: Path | None) -> None:
        super().__init__(server)
        self.index = None if path is None else SearchIndex(path)

    def search(self, filter: "Filter", before: int | None, limit: int, max_scan: int | None) -> Found:
        view = self.view()
        first, last = view.first, view.bounds.last
        position = last + 1 if before is None else min(before, last + 1)
        lowest = first if max_scan is None else max(first, position - max_scan)

        def look(parts: Parts) -> list[Event]:
            ids = self._candidates(filter, view, parts, lowest, position - 1, downwards=True)
            return self._matching(filter, view, ids, limit)

        found = self._asking(view, look)
        reached = found[-1].id if found and len(found) >= limit else min(lowest, position)
        return Found(found, reached, reached <= first)

    def search_forward(self, filter: "Filter", after: int, limit: int, max_scan: int | None) -> Found:
        view = self.view()
        first, last = view.first, view.bounds.last
        position = max(after, first - 1)
        highest = last if max_scan is None else min(last, position + max_scan)

        def look(parts: Parts) -> list[Event]:
            ids = self._candidates(filter, view, parts, position + 1, highest)
            return self._matching(filter, view, ids, limit)

        found = self._asking(view, look)
        reached = found[-1].id if found and len(found) >= limit else max(highest, position)
        return Found(found, reached, reached >= last)

    def histogram(self, filter: "Filter", start_us: int, end_us: int, buckets: int) -> Histogram:
        view, histogram = self.view(), Histogram(start_us, end_us, [0] * buckets, [0] * buckets)
        if filter.is_empty:
            for begin, end in view.spans(view.first, view.bounds.last):
                _count_all(view, histogram, begin, end)
            return histogram
        ids, times = view.columns.ids, view.columns.times

        def in_time(wanted: Ids) -> Ids:
            return (each for each in wanted if start_us <= times[bisect_left(ids, each)] <= end_us)

        def look(parts: Parts) -> list[int]:
            pinned = self._matching_ids(filter, view, in_time(_pinned(view)))
            spans = (self._held_ids(filter, view, span, in_time) for span in _retained(view, parts))
            return list(chain(pinned, chain.from_iterable(spans)))

        for event_id in self._asking(view, look):
            _count_one(view, histogram, bisect_left(ids, event_id))
        return histogram

    def facets(self, filter: "Filter", fields: Sequence[str], limit: int) -> Facets:
        view = self.view()

        def look(parts: Parts) -> tuple[dict[str, Counter[str]], int]:
            counts: dict[str, Counter[str]] = {field: Counter() for field in fields}
            scanned, left = 0, FACET_EVENTS
            for span in _retained(view, parts, downwards=True):
                if span.segment is not None:
                    self._count_indexed(filter, view, span, counts)
                    scanned += span.length
                elif left:
                    newest = islice(ids_of(view, span.low, span.high, downwards=True), left)
                    self._count(filter, view, newest, counts)
                    scanned, left = scanned + min(span.length, left), max(0, left - span.length)
                else:
                    break
            else:
                pinned = list(islice(_pinned(view, downwards=True), left))
                self._count(filter, view, pinned, counts)
                scanned += len(pinned)
            return counts, scanned

        counts, scanned = self._asking(view, look)
        found = {field: [pair for pair in each.most_common(limit) if pair[1]] for field, each in counts.items()}
        everything = sum(end - begin for begin, end in view.spans(view.first, view.bounds.last))
        return Facets(found, scanned, scanned == everything)

    def id_at(self, ts_us: int) -> int:
        view = self.view()
        spans = view.spans(view.bounds.first, view.bounds.last)
        if not spans:
            return view.bounds.last + 1
        place = bisect_left(view.columns.times, ts_us, *spans[-1])
        return view.columns.ids[place] if place < spans[-1][1] else view.bounds.last + 1

    def tree(self, root: str, limit: int) -> list[Event]:
        view = self.view()
        events = self.events(view, view.with_hash(view.columns.roots, hashed(root)))
        return list(islice((event for event in events if event.root == root), limit))

    def cause(self, cause_id: str, limit: int) -> list[Event]:
        view = self.view()
        events = self.events(view, view.with_hash(view.columns.causes, hashed(cause_id)))
        caused = (event for event in events if cause_id and event.cause is not None and event.cause.id == cause_id)
        return list(islice(caused, limit))

    # The index

    def index_more(self, most: int) -> bool:
        """See `Journal.index`."""
        if self.index is None:
            return False
        try:
            make_folder(self.index.path.parent)
        except OSError as error:
            self.index.problem = str(error)
            return False
        view = self.view()

        def read(after: int, limit: int, until: int) -> list[tuple[Event, int]]:
            bodies = self.bodies(view, islice(ids_of(view, after + 1, until), limit))
            return [(decode_stored("", event_id, body), len(body)) for event_id, body in bodies]

        return self.index.step(view.bounds, read, most)

    def indexed(self) -> Indexed | None:
        return None if self.index is None else self.index.state(self.view().bounds)

    def close(self) -> None:
        if self.index is not None:
            self.index.close()

    def _asking(self, view: View, look: Callable[[Parts], T]) -> T:
        """*look* at the index; when it turns out to be broken, without."""
        if self.index is not None:
            with self.index.parts(view.bounds.epoch) as parts:
                try:
                    return look(parts)
                except UNUSABLE:
                    self.index.start_over()
                except apsw.Error:
                    pass
        return look(Parts(None, None))

    def _candidates(
        self, filter: "Filter", view: View, parts: Parts, low: int, high: int, *, downwards: bool = False
    ) -> Ids:
        """The events between two ids, both included, that may match, in order."""

        def of(span: Span) -> Ids:
            if span.segment is None or filter.is_empty:
                return ids_of(view, span.low, span.high, downwards=downwards)
            ids = span.ids(span.segment.candidates(filter).maybe & span.within)
            return reversed(ids) if downwards else ids

        pinned = ids_of(view, low, min(high, view.bounds.first - 1), downwards=downwards)
        spans = parts.spans(max(low, view.bounds.first), high, downwards=downwards)
        retained = chain.from_iterable(map(of, spans))
        return chain(retained, pinned) if downwards else chain(pinned, retained)

    def _matching(self, filter: "Filter", view: View, ids: Ids, limit: int) -> list[Event]:
        return list(islice((event for event in self.events(view, ids) if filter.matches(event)), max(limit, 0)))

    def _matching_ids(self, filter: "Filter", view: View, ids: Ids) -> list[int]:
        return [event.id for event in self.events(view, ids) if filter.matches(event)]

    def _held_ids(self, filter: "Filter", view: View, span: Span, narrowed: Callable[[Ids], Ids]) -> Iterator[int]:
        """Events of a span that the filter holds; only those that *narrowed* leaves."""
        doubtful: Ids = range(span.low, span.high + 1)
        if span.segment is not None:
            sure, maybe = span.segment.candidates(filter)
            yield from narrowed(span.ids(sure & span.within))
            doubtful = span.ids(maybe & ~sure & span.within)
        yield from self._matching_ids(filter, view, narrowed(doubtful))

    def _count(self, filter: "Filter", view: View, ids: Ids, counts: dict[str, Counter[str]]) -> None:
        for event in self.events(view, ids):
            if filter.matches(event):
                for field, counter in counts.items():
                    counter.update(facet_values(event, field))

    def _count_indexed(self, filter: "Filter", view: View, span: Span, counts: dict[str, Counter[str]]) -> None:
        segment = span.segment
        assert segment is not None
        held = list(self._held_ids(filter, view, span, lambda ids: ids))
        known = set_of([event_id - segment.first for event_id in held]) & ~segment.loose
        for field, counter in counts.items():
            column = segment.named(SHOWN[field])
            if column is not None and known:
                for value, count in column.counts(known):
                    counter[value] += count
        self._count(filter, view, (each for each in held if segment.loose >> (each - segment.first) & 1), counts)


def _pinned(view: View, *, downwards: bool = False) -> Iterator[int]:
    return ids_of(view, view.first, view.bounds.first - 1, downwards=downwards)


def _retained(view: View, parts: Parts, *, downwards: bool = False) -> Iterator[Span]:
    return parts.spans(view.bounds.first, view.bounds.last, downwards=downwards)


def _count_all(view: View, histogram: Histogram, begin: int, end: int) -> None:
    """Count the events of places, most of which are in order of time."""
    times, errors = view.columns.times, view.columns.errors
    for start in range(begin, end, BLOCK_EVENTS):
        stop = min(start + BLOCK_EVENTS, end)
        block = times[start:stop]
        lowest, highest = min(block), max(block)
        if highest < histogram.start_us or lowest > histogram.end_us:
            continue
        is_within = lowest >= histogram.start_us and highest <= histogram.end_us
        if is_within and (number := histogram.slice(lowest)) == histogram.slice(highest):
            histogram.counts[number] += stop - start
            histogram.errors[number] += errors.count(1, start, stop)
            continue
        for place in range(start, stop):
            if histogram.start_us <= times[place] <= histogram.end_us:
                _count_one(view, histogram, place)


def _count_one(view: View, histogram: Histogram, place: int) -> None:
    number = histogram.slice(view.columns.times[place])
    histogram.counts[number] += 1
    histogram.errors[number] += view.columns.errors[place]

"""Reading a Redis journal: the directory says which entries to fetch, filters decide about their events.

An entry may be evicted between the two; its events are then passed over, as if they had gone a moment earlier.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from typing import TYPE_CHECKING, cast

from msgspec.structs import replace

from livesignals.events import Event, body_of, decode_stored, splice
from livesignals.events.model import TransactionState
from livesignals.exceptions import JournalUnavailable
from livesignals.journal.base import TAIL_LIMIT, Facets, Found, Histogram, Tail, facet_values
from livesignals.journal.redis_directory import Directory, View
from livesignals.journal.redis_entries import hashed
from livesignals.journal.redis_server import Server

if TYPE_CHECKING:
    from livesignals.filters import Filter

#: Events that are fetched at once: few at first, since most searches find a page soon.
FETCHED_FIRST, FETCHED_EVENTS = 100, 2_000
#: The most events that facets look at.
FACET_EVENTS = 20_000
_PENDING = b'"state":"pending"'


class Reader:
    """Answers from one journal and its directory."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.directory = Directory(server)

    def view(self) -> View:
        return self.directory.view()

    def read(self, after: int, limit: int, until: int | None) -> list[Event]:
        view = self.view()
        last = view.bounds.last if until is None else until
        return list(self._events(view, islice(_ids(view, after + 1, last), max(limit, 0))))

    def tail(self, after: int, limit: int) -> Tail:
        view = self.view()
        bounds = view.bounds
        after = max(after, bounds.first - 1)
        ids = range(after + 1, min(after + max(min(limit, TAIL_LIMIT), 0), bounds.last) + 1)
        lines: list[bytes] = []
        for event_id, body, states in self._stored(view, ids):
            if event_id != after + len(lines) + 1:
                # Evicted meanwhile; what is left begins here.
                after, lines = event_id - 1, []
            lines.append(splice(bounds.epoch, event_id, _resolved_body(body, states)))
        return Tail(bounds.epoch, after, after + len(lines), lines)

    def search(self, filter: "Filter", before: int | None, limit: int, max_scan: int | None) -> Found:
        view = self.view()
        first, last = view.first, view.bounds.last
        position = last + 1 if before is None else min(before, last + 1)
        lowest = first if max_scan is None else max(first, position - max_scan)
        found = self._matching(filter, view, _ids(view, lowest, position - 1, downwards=True), limit)
        reached = found[-1].id if found and len(found) >= limit else min(lowest, position)
        return Found(found, reached, reached <= first)

    def search_forward(self, filter: "Filter", after: int, limit: int, max_scan: int | None) -> Found:
        view = self.view()
        first, last = view.first, view.bounds.last
        position = max(after, first - 1)
        highest = last if max_scan is None else min(last, position + max_scan)
        found = self._matching(filter, view, _ids(view, position + 1, highest), limit)
        reached = found[-1].id if found and len(found) >= limit else max(highest, position)
        return Found(found, reached, reached >= last)

    def _matching(self, filter: "Filter", view: View, ids: Iterable[int], limit: int) -> list[Event]:
        found: list[Event] = []
        if limit < 1:
            return found
        for event in self._events(view, ids):
            if filter.matches(event):
                found.append(event)
                if len(found) >= limit:
                    break
        return found

    def histogram(self, filter: "Filter", start_us: int, end_us: int, buckets: int) -> Histogram:
        view, histogram = self.view(), Histogram(start_us, end_us, [0] * buckets, [0] * buckets)
        times, errors, ids = view.columns.times, view.columns.errors, view.columns.ids
        spans = view.spans(view.first, view.bounds.last)
        places = (place for begin, end in spans for place in range(begin, end) if start_us <= times[place] <= end_us)
        if not filter.is_empty:
            wanted = (ids[place] for place in places)
            matching = (event.id for event in self._events(view, wanted) if filter.matches(event))
            places = (bisect_left(ids, event_id) for event_id in matching)
        for place in places:
            number = histogram.slice(times[place])
            histogram.counts[number] += 1
            histogram.errors[number] += errors[place]
        return histogram

    def facets(self, filter: "Filter", fields: Sequence[str], limit: int) -> Facets:
        view = self.view()
        everything = sum(end - begin for begin, end in view.spans(view.first, view.bounds.last))
        counts: dict[str, Counter[str]] = {field: Counter() for field in fields}
        ids = _ids(view, view.first, view.bounds.last, downwards=True)
        for event in self._events(view, islice(ids, FACET_EVENTS)):
            if filter.matches(event):
                for field, counter in counts.items():
                    counter.update(facet_values(event, field))
        found = {field: counter.most_common(limit) for field, counter in counts.items()}
        return Facets(found, min(everything, FACET_EVENTS), everything <= FACET_EVENTS)

    def id_at(self, ts_us: int) -> int:
        view = self.view()
        spans = view.spans(view.bounds.first, view.bounds.last)
        if not spans:
            return view.bounds.last + 1
        place = bisect_left(view.columns.times, ts_us, *spans[-1])
        return view.columns.ids[place] if place < spans[-1][1] else view.bounds.last + 1

    def tree(self, root: str, limit: int) -> list[Event]:
        view = self.view()
        events = self._events(view, view.with_hash(view.columns.roots, hashed(root)))
        return list(islice((event for event in events if event.root == root), limit))

    def cause(self, cause_id: str, limit: int) -> list[Event]:
        view = self.view()
        events = self._events(view, view.with_hash(view.columns.causes, hashed(cause_id)))
        caused = (event for event in events if cause_id and event.cause is not None and event.cause.id == cause_id)
        return list(islice(caused, limit))

    def _events(self, view: View, ids: Iterable[int]) -> Iterator[Event]:
        """The events with these ids, in their order, which goes one way."""
        epoch = view.bounds.epoch
        for event_id, body, states in self._stored(view, ids):
            event = decode_stored(epoch, event_id, body)
            yield _resolved(event, states) if states else event

    def _stored(self, view: View, ids: Iterable[int]) -> Iterator[tuple[int, bytes, dict[str, str]]]:
        """Ids and bodies, with how transactions ended that were pending."""
        chunk: list[tuple[int, list[int]]] = []
        most, held = FETCHED_FIRST, 0
        for entry, group in groupby(ids, view.entry_of):
            chunk.append((view.columns.lasts[entry], list(group)))
            held += view.columns.lasts[entry] - view.columns.firsts[entry] + 1
            if held >= most:
                yield from self._fetched(view, chunk)
                chunk, most, held = [], min(4 * most, FETCHED_EVENTS), 0
        if chunk:
            yield from self._fetched(view, chunk)

    def _fetched(self, view: View, chunk: list[tuple[int, list[int]]]) -> Iterator[tuple[int, bytes, dict[str, str]]]:
        epoch, payloads, flat = self._server.call("fetch", *(entry for entry, _ in chunk))
        if epoch.decode() != view.bounds.epoch:
            raise JournalUnavailable("the journal began a new epoch while it was read", "Try again.")
        stored: dict[int, bytes] = dict(payloads)
        states = {
            transaction.decode(): state.decode() for transaction, state in zip(flat[::2], flat[1::2], strict=True)
        }
        for entry, ids in chunk:
            if entry in stored:
                bodies = stored[entry].split(b"\n")
                first = entry - len(bodies) + 1
                for event_id in ids:
                    yield event_id, bodies[event_id - first], states


def _ids(view: View, low: int, high: int, *, downwards: bool = False) -> Iterator[int]:
    """Ids that may be read, in order."""
    spans = view.spans(low, high)
    for begin, end in reversed(spans) if downwards else spans:
        places = range(begin, end)
        yield from map(view.columns.ids.__getitem__, reversed(places) if downwards else places)


def _resolved_body(body: bytes, states: dict[str, str]) -> bytes:
    if not states or _PENDING not in body:
        return body
    return body_of(replace(_resolved(decode_stored("", 0, body), states), epoch="", id=0))


def _resolved(event: Event, states: dict[str, str]) -> Event:
    """The event with how its transaction ended, if that is known by now."""
    transaction = event.transaction
    if transaction is None or transaction.state != "pending" or transaction.id not in states:
        return event
    state = cast("TransactionState", states[transaction.id])
    return replace(event, transaction=replace(transaction, state=state))

"""Questions about the history that a replay asks of a journal. On a worker thread."""

from collections.abc import Iterator

from msgspec import Struct

from livesignals.events import Event
from livesignals.events.record import microseconds
from livesignals.filters import Filter
from livesignals.journal import Journal

#: A step by cause looks at so many matching events, and no further.
MOST_EVENTS = 10_000
CHUNK_EVENTS = 200


def next_cause(journal: Journal, chosen: Filter, after: int) -> Event | None:
    """The next matching event that is the first one of its cause; None when there is none."""
    return next(_beginnings(journal, chosen, _forwards(journal, chosen, after)), None)


def previous_cause(journal: Journal, chosen: Filter, before: int) -> Event | None:
    """The one before *before*, likewise."""
    return next(_beginnings(journal, chosen, _backwards(journal, chosen, before)), None)


def _beginnings(journal: Journal, chosen: Filter, events: Iterator[Event]) -> Iterator[Event]:
    first_ids: dict[str, int | None] = {}
    for event in events:
        cause_id = event.cause.id if event.cause else ""
        if not cause_id:
            yield event  # stands for itself
            continue
        if cause_id not in first_ids:
            first_ids[cause_id] = next((each.id for each in journal.cause(cause_id) if chosen.matches(each)), None)
        if first_ids[cause_id] == event.id:
            yield event


def _forwards(journal: Journal, chosen: Filter, after: int) -> Iterator[Event]:
    for _ in range(MOST_EVENTS // CHUNK_EVENTS):
        found = journal.search_forward(chosen, after=after, limit=CHUNK_EVENTS)
        yield from found.events
        if found.exhausted:
            return
        after = found.scanned_to


def _backwards(journal: Journal, chosen: Filter, before: int) -> Iterator[Event]:
    for _ in range(MOST_EVENTS // CHUNK_EVENTS):
        found = journal.search(chosen, before=before, limit=CHUNK_EVENTS)
        yield from found.events
        if found.exhausted:
            return
        before = found.scanned_to


# Until every journal answers these two itself.


class Histogram(Struct, frozen=True):
    """How many events, and how many errors among them, lie in each of the equal slices of a time."""

    start_us: int
    end_us: int
    counts: list[int]
    errors: list[int]


def histogram(journal: Journal, chosen: Filter, start_us: int, end_us: int, buckets: int) -> Histogram:
    counts, errors = [0] * buckets, [0] * buckets
    after, width = 0, max(1, end_us - start_us)
    while True:
        found = journal.search_forward(chosen, after=after, limit=1_000)
        for event in found.events:
            us = microseconds(event.ts)
            if start_us <= us < end_us:
                bucket = (us - start_us) * buckets // width
                counts[bucket] += 1
                errors[bucket] += event.status == "raised" or any(call.status == "raised" for call in event.receivers)
        if found.exhausted:
            return Histogram(start_us, end_us, counts, errors)
        after = found.scanned_to


def id_at(journal: Journal, ts_us: int) -> int:
    """The first id whose ts is at or after *ts_us*, ids being nearly in order of time."""
    bounds = journal.bounds()
    low, high = bounds.first, bounds.last + 1
    while low < high:
        middle = (low + high) // 2
        event = journal.get(middle)
        if event is not None and microseconds(event.ts) >= ts_us:
            high = middle
        else:
            low = middle + 1
    return low
